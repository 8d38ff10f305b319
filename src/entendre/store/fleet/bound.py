"""Devices that were bound by a code, in the fleet: the same id in both tables, changed in the same transaction.

They belong to the built-in brand. Whoever changes, revokes or forgets one does it in both.
"""

from __future__ import annotations

from typing import Any

from entendre.core.device import DeviceRecord
from entendre.store import device_tokens
from entendre.store.connection import HOME
from entendre.store.device_rows import DeviceRows
from entendre.store.fleet.credentials import revoke_all
from entendre.store.fleet.device_rows import FirstValues, FleetRows

PRODUCT = "speaker"
_SHARED = ("name", "room", "language", "firmware")


def fleet_of(rows: DeviceRows) -> FleetRows:
    """The fleet at the moment of these rows."""
    return FleetRows(rows.connection, rows.region, rows.now_s)


# -- what was done to the device, done in the fleet ------------------------------------------------------------------


def enter_fleet(rows: DeviceRows, record: DeviceRecord, *, household: str = HOME) -> None:
    """A device was bound: it is one of the fleet."""
    fleet = fleet_of(rows)
    serial = record.serial or record.hardware
    taken = fleet.of_serial(HOME, serial)
    if taken is not None and taken.enrolment_group is None and rows.device(taken.id) is None:
        leave_fleet(rows, taken.id)  # what was left of it when its household was erased
    elif taken is not None:
        serial = f"{record.kind}:{record.hardware}"
    fleet.insert(
        FirstValues(
            brand=HOME,
            product=PRODUCT,
            kind="speaker",
            serial=serial,
            name=record.name,
            by=record.bound_by,
            household=household,
            room=record.room,
            language=record.language,
            firmware=record.firmware,
            state="active",
            id=record.id,
        )
    )
    found = fleet.found(record.id)
    if found is not None:
        fleet.announce(found, "bound")


def follow_in_fleet(rows: DeviceRows, record: DeviceRecord, by: str) -> None:
    """A bound device was changed, or bound again: the fleet says the same of it."""
    fleet = fleet_of(rows)
    found = fleet.found(record.id)
    if found is None:
        return
    values = {name: getattr(record, name) for name in _SHARED if getattr(record, name) != getattr(found, name)}
    if values:
        fleet.update(found.brand, found.id, by, **values)
        fleet.announce(fleet.as_now(found), "changed", {"fields": sorted(values)})


def revoke_in_fleet(rows: DeviceRows, device: str, by: str) -> None:
    """A bound device was revoked."""
    fleet = fleet_of(rows)
    found = fleet.found(device)
    if found is not None and found.state != "revoked":
        revoke_all(fleet, found.brand, device)
        fleet.update(found.brand, device, by, state="revoked", revoked_at_s=rows.now_s)
        fleet.announce(fleet.as_now(found), "revoked")


def leave_fleet(rows: DeviceRows, device: str) -> None:
    """A bound device was forgotten."""
    fleet = fleet_of(rows)
    found = fleet.found(device)
    if found is not None:
        fleet.delete(found.brand, device)
        fleet.announce(found, "forgotten")


def seen_in_fleet(rows: DeviceRows, device: str, firmware: str | None) -> None:
    """A bound device tells of itself."""
    sql = "UPDATE fleet_devices SET last_seen_at_s = ?, firmware = coalesce(?, firmware) WHERE region = ? AND id = ?"
    rows.connection.execute(sql, (rows.now_s, firmware or None, rows.region, device))


# -- what was done in the fleet, done to the device ------------------------------------------------------------------


def change_bound(fleet: FleetRows, device: str, by: str, values: dict[str, Any]) -> None:
    """The fleet changes a device: if it was bound by a code, the same there. Raises: InvalidInputError."""
    own = {name: value for name, value in values.items() if name in _SHARED}
    rows = _bound(fleet, device)
    if own and rows is not None:
        from entendre.store.device_binding import check_name_is_free

        check_name_is_free(rows, own.get("name"), device)
        rows.update(device, by, **own)
        rows.announce(device, "changed")


def revoke_bound(fleet: FleetRows, device: str, by: str) -> None:
    """The fleet revokes a device."""
    rows = _bound(fleet, device)
    record = rows.device(device) if rows is not None else None
    if rows is not None and record is not None:
        rows.update(device, by, revoked_at_s=record.revoked_at_s or fleet.now_s)
        device_tokens.revoke_all(rows, device)
        rows.drop_pending_of(record.kind, record.hardware)


def forget_bound(fleet: FleetRows, device: str) -> None:
    """The fleet forgets a device."""
    rows = _bound(fleet, device)
    record = rows.device(device) if rows is not None else None
    if rows is not None and record is not None:
        rows.delete(device)
        rows.drop_pending_of(record.kind, record.hardware)


def _bound(fleet: FleetRows, device: str) -> DeviceRows | None:
    rows = DeviceRows(fleet.connection, fleet.region, fleet.now_s)
    return rows if rows.device(device) is not None else None
