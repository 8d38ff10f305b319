"""Binding and naming devices: what a person does, each within one transaction."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.device import MAX_LABEL_CHARS, DeviceIdentity, DeviceRecord, hardware_of
from entendre.core.errors import InvalidInputError
from entendre.store import device_admission as admission
from entendre.store import device_tokens as tokens
from entendre.store.device_rows import DeviceRows
from entendre.store.fleet.bound import enter_fleet, follow_in_fleet
from entendre.system import new_id


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a person says of a device that is bound; `by` names the person."""

    name: str
    room: str | None
    language: str | None
    by: str


def bind(rows: DeviceRows, code: str, wanted: Wanted) -> DeviceRecord | None:
    """Take the device that shows a code; None if none does. Raises: InvalidInputError."""
    found = rows.pending_with(code) if code else None
    if found is None:
        return None
    row, identity = found
    key = rows.key_of(identity.serial)
    if key is not None and row.proven_at_s is None:
        raise InvalidInputError("The device has not proven its serial number yet. Try again in a few seconds.")
    before = rows.of_hardware(identity.kind, identity.hardware)
    if before is not None and before.revoked_at_s is not None:
        raise InvalidInputError(f"{before.name} was revoked. Forget it first to bind it again.")
    other = rows.of_serial(identity.kind, identity.serial) if identity.serial else None
    if other is not None and (before is None or other.id != before.id):
        raise InvalidInputError(f"{other.name} has the same serial number. Forget it first.")
    check_name_is_free(rows, wanted.name, before.id if before else None)
    bound = _rebound(rows, before, identity, wanted) if before else _newly_bound(rows, identity, wanted)
    rows.set_pending(row.id, device=bound.id, code=None, expires_at_s=rows.now_s + admission.CODE_LIFE_S)
    return bound


def _newly_bound(rows: DeviceRows, identity: DeviceIdentity, wanted: Wanted) -> DeviceRecord:
    record = DeviceRecord(
        id=new_id(),
        kind=identity.kind,
        hardware=identity.hardware,
        client=identity.client,
        serial=identity.serial,
        name=wanted.name or _made_name(rows, identity),
        room=wanted.room,
        language=wanted.language,
        board=identity.board,
        firmware=identity.firmware,
        attested=rows.key_of(identity.serial) is not None,
        bound_at_s=rows.now_s,
        bound_by=wanted.by,
        last_seen_at_s=rows.now_s,
    )
    rows.insert(record)
    rows.announce(record.id, "bound")
    enter_fleet(rows, record)
    return record


def _rebound(rows: DeviceRows, before: DeviceRecord, identity: DeviceIdentity, wanted: Wanted) -> DeviceRecord:
    """The same device with other pins: it keeps its id, so that its timers and its room stay; its tokens end."""
    tokens.revoke_all(rows, before.id)
    values = {
        "client": identity.client,
        "serial": identity.serial,
        "name": wanted.name or before.name,
        "room": wanted.room or before.room,
        "language": wanted.language or before.language,
        "board": identity.board,
        "firmware": identity.firmware,
        "attested": rows.key_of(identity.serial) is not None,
        "bound_at_s": rows.now_s,
        "bound_by": wanted.by,
    }
    rows.update(before.id, wanted.by, **values)
    rows.announce(before.id, "rebound")
    now = as_now(rows, before)
    follow_in_fleet(rows, now, wanted.by)
    return now


def device_named(rows: DeviceRows, device: str) -> DeviceRecord:
    """The device of an id, a MAC address or a name. Raises: InvalidInputError."""
    known = rows.devices()
    mac = hardware_of(device)
    matching = [each for each in known if each.id == device or each.hardware == mac]
    matching = matching or [each for each in known if each.name.casefold() == device.strip().casefold()]
    if len(matching) != 1:
        raise InvalidInputError(
            "There is no such device." if not matching else "Several devices are called that: use the id."
        )
    return matching[0]


def as_now(rows: DeviceRows, record: DeviceRecord) -> DeviceRecord:
    """A device as the transaction has it by now."""
    return rows.device(record.id) or record


def check_name_is_free(rows: DeviceRows, name: str | None, own: str | None) -> None:
    """Names address devices, so each is another one's only once. Raises: InvalidInputError."""
    taken = [each for each in rows.devices() if name and each.name.casefold() == name.casefold() and each.id != own]
    if taken:
        raise InvalidInputError(f"Another device is called {taken[0].name}.")


def _made_name(rows: DeviceRows, identity: DeviceIdentity) -> str:
    """The board and the end of the MAC address, which is printed on most devices."""
    made = f"{identity.board} {identity.hardware[-5:]}".strip()
    taken = {each.name.casefold() for each in rows.devices()}
    return made if made.casefold() not in taken else f"{identity.board} {identity.hardware}".strip()


def clean_name(name: str) -> str:
    """A name as it is kept. Raises: InvalidInputError."""
    clean = name.strip()
    if not clean or len(clean) > MAX_LABEL_CHARS or not clean.isprintable():
        raise InvalidInputError(f"The name of a device has 1 to {MAX_LABEL_CHARS} printable characters.")
    return clean
