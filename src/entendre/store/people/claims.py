"""Speakers and laptops of a household: taken by a code that the device shows or says, and let go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from entendre.core.device import language_of
from entendre.core.errors import ConflictError, InvalidInputError, NotFoundError
from entendre.fleet import codes
from entendre.fleet.households import MAX_DEVICES, clean_name
from entendre.ports.households import HouseDevice, ShortCode
from entendre.store import device_binding as binding
from entendre.store.connection import Connection
from entendre.store.device_rows import DeviceRows
from entendre.store.people.codes import CodeRows, wrong_code
from entendre.store.people.erase import reset_device
from entendre.store.people.rooms import room_of
from entendre.store.people.within import At, OfPeople, check_version
from entendre.system import new_id

_FLEET = (
    "SELECT id, brand, kind, name, room, language, online, last_seen_at_s, version FROM fleet_devices"
    " WHERE region = ? AND household = ? AND state <> 'revoked'"
)
FIELDS = ("name", "room", "language")


@dataclass(frozen=True, slots=True)
class _Wanted:
    code: str
    name: str | None
    room: str | None
    guesser: str


class ClaimStore(OfPeople):
    """Implements `ports.households.HouseDevices`."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[HouseDevice, ...]:
        """Devices in the order of their ids."""

        def work(connection: Connection) -> tuple[HouseDevice, ...]:
            at = self._at(connection, household)
            found = at.rows(f"{_FLEET} AND id > ? ORDER BY id LIMIT ?", after or "", limit)
            return tuple(_loaded(row) for row in found)

        return await self._database.read(work)

    async def get(self, household: str, device: str) -> HouseDevice:
        """Raises: NotFoundError."""
        return await self._database.read(lambda connection: device_of(self._at(connection, household), device))

    async def ask_code(self, device: str, *, spoken: bool) -> ShortCode:
        """A code for a device that is in no household. Raises: NotFoundError, ConflictError."""

        def work(connection: Connection) -> ShortCode:
            sql = "SELECT household FROM fleet_devices WHERE region = ? AND id = ? AND state <> 'revoked'"
            found = connection.execute(sql, (self._region, device)).fetchone()
            if found is None:
                raise NotFoundError("There is no such device.")
            if found[0] is not None:
                raise ConflictError("This device is in a household already.")
            rows = CodeRows(connection, self._region, "device", self._clock.wall())
            rows.drop_of("device", device)
            return rows.make(spoken=spoken, by=f"device:{device}", device=device)

        return await self._database.write(work)

    async def claim(
        self, household: str, code: str, *, name: str | None, room: str | None, guesser: str, by: str
    ) -> HouseDevice:
        """Take the device of a code. Raises: NotFoundError, ThrottledError, ConflictError, InvalidInputError."""
        wanted = _Wanted(code, clean_name(name) if name else None, room, guesser)

        def work(connection: Connection) -> HouseDevice | None:
            at = self._at(connection, household, by)
            at.check_exists()
            if room is not None:
                room_of(at, room)
            if _count(at) >= MAX_DEVICES:
                raise InvalidInputError(f"A household has at most {MAX_DEVICES} devices.")
            device = _claimed(at, wanted)
            if device is None:
                return None
            at.act("device.claimed", device)
            at.tell("device", device, "claimed")
            return device_of(at, device)

        found = await self._database.write(work)
        if found is None:
            raise wrong_code()
        await self._tell(household)
        return found

    async def change(
        self, household: str, device: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> HouseDevice:
        """Another name, room or language. Raises: NotFoundError, StaleError, InvalidInputError."""
        values = {name: wanted[name] for name in FIELDS if name in wanted}

        def work(connection: Connection) -> HouseDevice:
            at = self._at(connection, household, by)
            before = device_of(at, device)
            check_version(before.version, expected)
            _put(at, device, _checked(at, values))
            at.act("device.changed", device, fields=sorted(values))
            at.tell("device", device, "changed", before.version + 1)
            return device_of(at, device)

        changed = await self._database.write(work)
        await self._tell(household)
        return changed

    async def release(self, household: str, device: str, *, by: str) -> None:
        """Let a device go: what it told in this household is erased. Raises: NotFoundError."""

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            device_of(at, device)
            reset_device(connection, self._region, device, at.now_s)
            at.act("device.released", device)
            at.tell("device", device, "released")
            _announce_bound(at, device, "revoked")

        await self._database.write(work)
        await self._tell(household)

    async def _tell(self, household: str) -> None:
        if self.changed is not None:
            await self.changed(household, "devices")


def device_of(at: At, device: str) -> HouseDevice:
    """A device of the household. Raises: NotFoundError."""
    found = at.row(f"{_FLEET} AND id = ?", device)
    if found is None:
        raise NotFoundError("There is no such device.")
    return _loaded(found)


def _claimed(at: At, wanted: _Wanted) -> str | None:
    """The device that came into the household; None for a wrong code. Raises: ThrottledError, ConflictError."""
    rows = CodeRows(at.connection, at.region, "device", at.now_s)
    rows.check_may_guess(wanted.code, wanted.guesser, at.household)
    code = rows.find(wanted.code)
    if code is None or code.device is None:
        device = _bound(at, wanted)
        if device is None:
            rows.note_wrong(wanted.guesser, at.household)
        return device
    sql = (
        "UPDATE fleet_devices SET household = ?, changed_at_s = ?, changed_by = ?, version = version + 1"
        " WHERE region = ? AND id = ? AND household IS NULL AND state <> 'revoked'"
    )
    values = (at.household, at.now_s, at.by, at.region, code.device)
    if at.connection.execute(sql, values).rowcount != 1:
        raise ConflictError("This device is in a household already.")
    rows.use(code)
    given = {"name": wanted.name, "room": wanted.room}
    _put(at, code.device, {name: value for name, value in given.items() if value is not None})
    return code.device


def _bound(at: At, wanted: _Wanted) -> str | None:
    """Take a device that shows a code of its own making, as xiaozhi firmware does."""
    digits = codes.normal(wanted.code)
    rows = DeviceRows(at.connection, at.region, at.now_s)
    found = rows.pending_with(digits) if digits is not None and digits.isdigit() else None
    if digits is None or found is None:
        return None
    before = rows.of_hardware(found[1].kind, found[1].hardware)
    if before is not None and not _may_rebind(at, before.id):
        raise ConflictError("This device is in a household already.")
    try:
        record = binding.bind(rows, digits, binding.Wanted("", wanted.room, None, at.by))
    except InvalidInputError:  # its text may name another household's device
        raise ConflictError("This device can't be taken now. Whoever had it must let it go, or try again.") from None
    if record is None:
        return None
    for table in ("devices", "fleet_devices"):
        sql = f"UPDATE {table} SET household = ?, name = ? WHERE region = ? AND id = ?"
        at.connection.execute(sql, (at.household, wanted.name or record.name, at.region, record.id))
    return record.id


def _may_rebind(at: At, device: str) -> bool:
    return at.row("SELECT 1 FROM devices WHERE region = ? AND household = ? AND id = ?", device) is not None


def _put(at: At, device: str, values: Mapping[str, Any]) -> None:
    """Change a device wherever it has a row."""
    sets = "".join(f"{name} = ?, " for name in values)
    for table in ("fleet_devices", "devices"):
        sql = (
            f"UPDATE {table} SET {sets}changed_at_s = ?, changed_by = ?, version = version + 1"
            " WHERE region = ? AND household = ? AND id = ?"
        )
        at.connection.execute(sql, (*values.values(), at.now_s, at.by, at.region, at.household, device))
    _announce_bound(at, device, "changed")


def _announce_bound(at: At, device: str, change: str) -> None:
    """Tell what holds the connection of a device that was bound by its own code."""
    sql = "INSERT INTO outbox (region, household, id, topic, subject, change, at_s) VALUES (?, ?, ?, 'device', ?, ?, ?)"
    at.run(sql, new_id(), device, change, at.now_s)


def _checked(at: At, values: Mapping[str, Any]) -> dict[str, Any]:
    """Raises: InvalidInputError, NotFoundError."""
    found: dict[str, Any] = {name: value or None for name, value in values.items()}
    if "name" in found:
        found["name"] = clean_name(found["name"] or "")
    if found.get("room") is not None:
        room_of(at, found["room"])
    if found.get("language") is not None:
        found["language"] = language_of(found["language"])
    return found


def _count(at: At) -> int:
    return int(at.row("SELECT count(*) FROM fleet_devices WHERE region = ? AND household = ?")[0])


def _loaded(row: Any) -> HouseDevice:
    id, brand, kind, name, room, language, online, seen_at_s, version = row
    return HouseDevice(id, brand, kind, name, room, language, bool(online), seen_at_s, version)
