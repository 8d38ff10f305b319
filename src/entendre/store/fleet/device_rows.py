"""Devices of the fleet as rows; used inside a transaction of the database."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from entendre.core.device import MAX_LABEL_CHARS, language_of
from entendre.core.errors import AlreadyExistsError, InvalidInputError, NotFoundError, StaleError
from entendre.fleet.queries import Condition, holds, paths_of
from entendre.ports.fleet_devices import DeviceKind, FleetDevice
from entendre.store.connection import HOME, Connection
from entendre.store.device_rows import TOPIC as DEVICE_TOPIC
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.device_query import candidates_of, compiled
from entendre.store.fleet.twin_rows import drop_twin, marks_for, new_twin
from entendre.system import new_id

BUILT_IN: dict[str, DeviceKind] = {"speaker": "speaker", "laptop": "laptop"}
"""Products that the built-in brand has without a row."""

ASKED_AT_ONCE = 512

_COLUMNS = (
    "d.id, d.brand, d.product, coalesce(p.name, ''), d.kind, d.serial, d.name, d.household, d.room, d.language,"
    " d.country, d.enrolment_group, d.state, d.firmware, d.online, d.connected_at_s, d.last_seen_at_s,"
    " d.created_at_s, d.created_by, d.changed_at_s, d.changed_by, d.revoked_at_s, d.version"
)
_FROM = (
    "FROM fleet_devices d LEFT JOIN products p ON p.region = d.region AND p.brand = d.brand AND p.id = d.product"
    " WHERE d.region = ?"
)


@dataclass(frozen=True, slots=True)
class FirstValues:
    """What is known of a device when its row is made."""

    brand: str
    product: str
    kind: DeviceKind
    serial: str
    name: str
    by: str
    household: str | None = None
    room: str | None = None
    language: str | None = None
    country: str | None = None
    group: str | None = None
    firmware: str = ""
    state: str = "registered"
    id: str | None = None


@dataclass(frozen=True, slots=True)
class FleetRows:
    """The devices of one region at one moment, inside one transaction."""

    connection: Connection
    region: str
    now_s: float

    # -- reading -----------------------------------------------------------------------------------------------------

    def device(self, brand: str, device: str) -> FleetDevice | None:
        """A device of a brand, by id or serial number."""
        return self._one("d.brand = ? AND d.id = ?", brand, device) or self.of_serial(brand, device)

    def of_serial(self, brand: str, serial: str) -> FleetDevice | None:
        """A device of a brand by its serial number."""
        return self._one("d.brand = ? AND d.serial = ?", brand, serial)

    def found(self, device: str) -> FleetDevice | None:
        """A device by its id alone."""
        return self._one("d.id = ?", device)

    def page(
        self, brand: str, condition: Condition, after: str, limit: int, *, count: bool = False
    ) -> tuple[tuple[FleetDevice, ...], int | None]:
        """Devices that a condition is true of, after an id, in order; and how many there are, if that is asked."""
        few = self._few(brand, condition)
        if few is not None:
            return tuple(each for each in few if each.id > after)[:limit], len(few) if count else None
        sql, values = compiled(condition, self.region, brand)
        whole = f"SELECT {_COLUMNS} {_FROM} AND d.brand = ? AND d.id > ? AND ({sql}) ORDER BY d.id LIMIT ?"
        rows = self.connection.execute(whole, (self.region, brand, after, *values, limit))
        return tuple(_device(row) for row in rows), self._counted(brand, sql, values) if count else None

    def ids(self, brand: str, condition: Condition, after: str, limit: int) -> tuple[str, ...]:
        """Only their ids."""
        few = self._few(brand, condition)
        if few is not None:
            return tuple(each.id for each in few if each.id > after)[:limit]
        sql, values = compiled(condition, self.region, brand)
        whole = (
            "SELECT d.id FROM fleet_devices d WHERE d.region = ? AND d.brand = ? AND d.id > ?"
            f" AND ({sql}) ORDER BY d.id LIMIT ?"
        )
        return tuple(row[0] for row in self.connection.execute(whole, (self.region, brand, after, *values, limit)))

    def count(self, brand: str, condition: Condition) -> int:
        """How many devices a condition is true of."""
        few = self._few(brand, condition)
        return len(few) if few is not None else self._counted(brand, *compiled(condition, self.region, brand))

    def _counted(self, brand: str, sql: str, values: list[Any]) -> int:
        whole = f"SELECT count(*) FROM fleet_devices d WHERE d.region = ? AND d.brand = ? AND ({sql})"
        return int(self.connection.execute(whole, (self.region, brand, *values)).fetchone()[0])

    def _few(self, brand: str, condition: Condition) -> list[FleetDevice] | None:
        """All devices that a condition is true of, in order, where a tag leaves few to ask; else None."""
        candidates = candidates_of(self.connection, condition, self.region, brand)
        if candidates is None:
            return None
        paths = tuple(dict.fromkeys(paths_of(condition)))
        found = []
        for start in range(0, len(candidates), ASKED_AT_ONCE):
            marks, ids = marks_for(candidates[start : start + ASKED_AT_ONCE])
            whole = f"SELECT {_COLUMNS} {_FROM} AND d.brand = ? AND d.id IN ({marks})"
            devices = [_device(row) for row in self.connection.execute(whole, (self.region, brand, *ids))]
            leaves = self._leaves(brand, ids, paths)
            found += [each for each in devices if holds(condition, each, leaves.get(each.id, frozenset()))]
        return sorted(found, key=lambda each: each.id)

    def _leaves(self, brand: str, ids: tuple[str, ...], paths: tuple[str, ...]) -> dict[str, set[tuple[str, str]]]:
        sql = (
            "SELECT device, path, value FROM device_tags WHERE region = ? AND brand = ?"
            f" AND device IN ({', '.join('?' * len(ids))}) AND path || '' IN ({', '.join('?' * len(paths))})"
        )  # `|| ''`: no planner may look the path up first, which thousands of other devices have too
        found: dict[str, set[tuple[str, str]]] = {}
        for device, path, value in self.connection.execute(sql, (self.region, brand, *ids, *paths)):
            found.setdefault(device, set()).add((path, value))
        return found

    def count_of_group(self, brand: str, group: str) -> int:
        """How many devices enrolled by a group."""
        sql = "SELECT count(*) FROM fleet_devices WHERE region = ? AND brand = ? AND enrolment_group = ?"
        return int(self.connection.execute(sql, (self.region, brand, group)).fetchone()[0])

    def product(self, brand: str, named: str) -> tuple[str, DeviceKind]:
        """The id and the kind of a product, by id or name. Raises: InvalidInputError."""
        sql = (
            "SELECT id, kind FROM products WHERE region = ? AND brand = ? AND (id = ? OR name = ?)"
            " AND ended_at_s IS NULL ORDER BY id"
        )
        row = self.connection.execute(sql, (self.region, brand, named, named)).fetchone()
        if row is None and brand == HOME and named in BUILT_IN:
            return named, BUILT_IN[named]
        if row is None:
            raise InvalidInputError("The brand has no such product.")
        return row[0], row[1]

    # -- writing -----------------------------------------------------------------------------------------------------

    def insert(self, first: FirstValues) -> str:
        """A new device with its twin. Raises: AlreadyExistsError."""
        device = first.id or new_id()
        values = {
            "region": self.region,
            "id": device,
            "brand": first.brand,
            "product": first.product,
            "kind": first.kind,
            "serial": first.serial,
            "name": first.name,
            "household": first.household,
            "room": first.room,
            "language": first.language,
            "country": first.country,
            "enrolment_group": first.group,
            "state": first.state,
            "firmware": first.firmware,
            "online": 0,
            "created_at_s": self.now_s,
            "created_by": first.by,
            "changed_at_s": self.now_s,
            "changed_by": first.by,
            "version": 1,
        }
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        sql = f"INSERT INTO fleet_devices ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        if self.connection.execute(sql, tuple(values.values())).rowcount != 1:
            raise AlreadyExistsError("A device of this serial number exists.")
        new_twin(self.connection, self.region, first.brand, device, self.now_s)
        return device

    def update(self, brand: str, device: str, by: str, **values: Any) -> None:
        """What somebody changes of a device: noted with who did it."""
        values |= {"changed_at_s": self.now_s, "changed_by": by}
        sets = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE fleet_devices SET {sets}, version = version + 1 WHERE region = ? AND brand = ? AND id = ?"
        self.connection.execute(sql, (*values.values(), self.region, brand, device))

    def delete(self, brand: str, device: str) -> None:
        """Remove a device with its twin and its credentials."""
        drop_twin(self.connection, self.region, brand, device)
        sql = "DELETE FROM device_credentials WHERE region = ? AND brand = ? AND device = ?"
        self.connection.execute(sql, (self.region, brand, device))
        sql = "DELETE FROM fleet_devices WHERE region = ? AND brand = ? AND id = ?"
        self.connection.execute(sql, (self.region, brand, device))

    def announce(self, device: FleetDevice, change: str, data: Any = None) -> None:
        """Tell the brand and the household of a change."""
        version = device.version if change != "forgotten" else None
        entry = FeedEntry(device.brand, "device", device.id, change, device.household, version, data)
        announce(self.connection, self.region, self.now_s, [entry])

    def end_connections(self, device: str, change: str) -> None:
        """Have every process end what a device has open: "revoked" or "forgotten"."""
        sql = "INSERT INTO outbox (region, id, topic, subject, change, at_s) VALUES (?, ?, ?, ?, ?, ?)"
        self.connection.execute(sql, (self.region, new_id(), DEVICE_TOPIC, device, change, self.now_s))

    def wanted(self, brand: str, device: str, version: int | None) -> FleetDevice:
        """A device that has this version still, to change it. Raises: NotFoundError, StaleError."""
        found = self.device(brand, device)
        if found is None:
            raise NotFoundError("There is no such device.")
        if version is not None and version != found.version:
            raise StaleError("The device was changed meanwhile. Read it again, then change it.")
        return found

    def as_now(self, device: FleetDevice) -> FleetDevice:
        """A device as the transaction has it by now."""
        return self.found(device.id) or device

    def _one(self, condition: str, *values: Any) -> FleetDevice | None:
        row = self.connection.execute(f"SELECT {_COLUMNS} {_FROM} AND {condition}", (self.region, *values)).fetchone()
        return None if row is None else _device(row)


def clean_label(what: str, text: str) -> str:
    """A name as it is kept. Raises: InvalidInputError."""
    clean = text.strip()
    if not clean or len(clean) > MAX_LABEL_CHARS or not clean.isprintable():
        raise InvalidInputError(f"The {what} of a device has 1 to {MAX_LABEL_CHARS} printable characters.")
    return clean


def clean_language(text: str) -> str | None:
    """A language tag as it is kept; empty for none. Raises: InvalidInputError."""
    return language_of(text) or None


def _device(row: tuple[Any, ...]) -> FleetDevice:
    values = list(row)
    values[14] = bool(values[14])
    return FleetDevice(*values)
