"""The registry of the fleet: one row for each device, whatever protocol it speaks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import InvalidInputError
from entendre.fleet.enrolment import clean_country, clean_serial
from entendre.fleet.queries import parse_query
from entendre.ports.fleet_devices import DeviceChanges, DevicePage, FleetDevice, NewDevice
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.bound import change_bound, forget_bound, revoke_bound
from entendre.store.fleet.credentials import revoke_all
from entendre.store.fleet.device_rows import FirstValues, FleetRows, clean_label, clean_language

MAX_PAGE = 200
MAX_IDS = 10_000


class FleetDevices:
    """Implements `ports/fleet_devices.py:FleetRegistry`. `on_ended` is told when a device was revoked or forgotten."""

    def __init__(
        self, database: Database, clock: Clock, region: str = "home", *, on_ended: Callable[[], None] | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._on_ended = on_ended or (lambda: None)

    async def register(self, brand: str, new: NewDevice, *, by: str) -> FleetDevice:
        """Make a device that has not presented itself yet. Raises: InvalidInputError, AlreadyExistsError."""
        serial = clean_serial(new.serial)
        name = clean_label("name", new.name or serial)
        language, country = clean_language(new.language or ""), clean_country(new.country)

        def work(connection: Connection) -> FleetDevice:
            rows = self._rows(connection)
            product, kind = rows.product(brand, new.product)
            values = FirstValues(brand, product, kind, serial, name, by, language=language, country=country)
            device = rows.found(rows.insert(values))
            assert device is not None
            rows.announce(device, "registered")
            self._note(rows, device, "device.registered", by)
            return device

        return await self._database.write(work)

    async def devices(
        self, brand: str, *, query: str = "", after: str = "", limit: int = 50, count: bool = False
    ) -> DevicePage:
        """Devices that a query (docs/fleet.md) is true of, after an id. Raises: InvalidInputError."""
        condition = parse_query(query)
        if not 1 <= limit <= MAX_PAGE:
            raise InvalidInputError(f"A page has 1 to {MAX_PAGE} devices.")

        def work(connection: Connection) -> DevicePage:
            found, counted = self._rows(connection).page(brand, condition, after, limit + 1, count=count)
            last = found[limit - 1].id if len(found) > limit else None
            return DevicePage(found[:limit], last, counted)

        return await self._database.read(work)

    async def ids(self, brand: str, query: str, *, after: str = "", limit: int = MAX_IDS) -> tuple[str, ...]:
        """Only the ids of such devices, in order. Raises: InvalidInputError."""
        condition = parse_query(query)
        bounded = min(limit, MAX_IDS)

        def work(connection: Connection) -> tuple[str, ...]:
            return self._rows(connection).ids(brand, condition, after, bounded)

        return await self._database.read(work)

    async def count(self, brand: str, query: str = "") -> int:
        """How many devices a query is true of. Raises: InvalidInputError."""
        condition = parse_query(query)
        return await self._database.read(lambda connection: self._rows(connection).count(brand, condition))

    async def device(self, brand: str, device: str) -> FleetDevice:
        """One device, by id or serial number. Raises: NotFoundError."""
        return await self._database.read(lambda connection: self._rows(connection).wanted(brand, device, None))

    async def found(self, device: str) -> FleetDevice | None:
        """A device by its id alone, for what lies behind a device's own credential."""
        return await self._database.read(lambda connection: self._rows(connection).found(device))

    async def change(
        self, brand: str, device: str, changes: DeviceChanges, *, by: str, version: int | None = None
    ) -> FleetDevice:
        """Change a device, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        values = _values_of(changes)

        def work(connection: Connection) -> FleetDevice:
            rows = self._rows(connection)
            found = rows.wanted(brand, device, version)
            if not values:
                return found
            change_bound(rows, found.id, by, values)
            rows.update(brand, found.id, by, **values)
            now = rows.as_now(found)
            rows.announce(now, "changed", {"fields": sorted(values)})
            self._note(rows, now, "device.changed", by, sorted(values))
            return now

        return await self._database.write(work)

    async def revoke(self, brand: str, device: str, *, by: str, version: int | None = None) -> FleetDevice:
        """End a device's access; it stays known and can't enrol again. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> FleetDevice:
            rows = self._rows(connection)
            found = rows.wanted(brand, device, version)
            if found.state == "revoked":
                return found
            revoke_bound(rows, found.id, by)
            revoke_all(rows, brand, found.id)
            rows.update(brand, found.id, by, state="revoked", revoked_at_s=rows.now_s)
            rows.end_connections(found.id, "revoked")
            now = rows.as_now(found)
            rows.announce(now, "revoked")
            self._note(rows, now, "device.revoked", by)
            return now

        revoked = await self._database.write(work)
        self._on_ended()
        return revoked

    async def forget(self, brand: str, device: str, *, by: str, version: int | None = None) -> None:
        """Remove a device with its twin and credentials. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> None:
            rows = self._rows(connection)
            found = rows.wanted(brand, device, version)
            forget_bound(rows, found.id)
            rows.delete(brand, found.id)
            rows.end_connections(found.id, "forgotten")
            rows.announce(found, "forgotten")
            self._note(rows, found, "device.forgotten", by)

        await self._database.write(work)
        self._on_ended()

    def _rows(self, connection: Connection) -> FleetRows:
        return FleetRows(connection, self._region, self._clock.wall())

    def _note(self, rows: FleetRows, device: FleetDevice, act: str, by: str, detail: Any = None) -> None:
        done = Act(by, act, device.id, device.brand, device.household, detail)
        record(rows.connection, self._region, rows.now_s, done)


def _values_of(changes: DeviceChanges) -> dict[str, str | None]:
    """The columns that are to change. Raises: InvalidInputError."""
    values: dict[str, str | None] = {}
    if changes.name is not None:
        values["name"] = clean_label("name", changes.name)
    if changes.room is not None:
        values["room"] = clean_label("room", changes.room) if changes.room else None
    if changes.language is not None:
        values["language"] = clean_language(changes.language)
    if changes.country is not None:
        values["country"] = clean_country(changes.country)
    return values
