"""Enrolment groups as rows; used inside a transaction of the database."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from entendre.core.errors import NotFoundError, StaleError
from entendre.ports.fleet_devices import EnrolmentGroup
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.feed import FeedEntry, announce

_COLUMNS = (
    "id, brand, product, name, kind, ca_pem, regions, max_devices, enabled, created_at_s, created_by, version,"
    " primary_key, secondary_key"
)


@dataclass(frozen=True, slots=True)
class KeyedGroup:
    """A group with its keys, which go no further than the check of a proof."""

    group: EnrolmentGroup
    keys: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class GroupRows:
    """The groups of one region at one moment, inside one transaction."""

    connection: Connection
    region: str
    now_s: float

    def keyed(self, group: str) -> KeyedGroup | None:
        """A group by its id, whichever brand's it is: for a device that presents itself."""
        sql = f"SELECT {_COLUMNS} FROM enrolment_groups WHERE region = ? AND id = ?"
        row = self.connection.execute(sql, (self.region, group)).fetchone()
        return None if row is None else _keyed(row)

    def wanted(self, brand: str, group: str, version: int | None = None) -> EnrolmentGroup:
        """A brand's group by id or name, to change it. Raises: NotFoundError, StaleError."""
        sql = f"SELECT {_COLUMNS} FROM enrolment_groups WHERE region = ? AND brand = ? AND (id = ? OR name = ?)"
        rows = self.connection.execute(sql, (self.region, brand, group, group)).fetchall()
        found = [_keyed(row).group for row in rows]
        exact = [each for each in found if each.id == group] or found
        if not exact:
            raise NotFoundError("There is no such enrolment group.")
        if version is not None and exact[0].version != version:
            raise StaleError("The group was changed meanwhile. Read it again, then change it.")
        return exact[0]

    def page(self, brand: str, after: str, limit: int) -> tuple[EnrolmentGroup, ...]:
        """Groups in the order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM enrolment_groups WHERE region = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"
        return tuple(_keyed(row).group for row in self.connection.execute(sql, (self.region, brand, after, limit)))

    def count(self, brand: str) -> int:
        """How many groups a brand has."""
        sql = "SELECT count(*) FROM enrolment_groups WHERE region = ? AND brand = ?"
        return int(self.connection.execute(sql, (self.region, brand)).fetchone()[0])

    def insert(self, group: EnrolmentGroup, primary: bytes | None, secondary: bytes | None) -> bool:
        """A new group; False if its name, or its id, is taken."""
        sql = (
            "INSERT INTO enrolment_groups (region, id, brand, product, name, kind, primary_key, secondary_key, ca_pem,"
            " regions, max_devices, enabled, created_at_s, created_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1) ON CONFLICT DO NOTHING"
        )
        own = (self.region, group.id, group.brand, group.product, group.name, group.kind, primary, secondary)
        rest = (group.ca_pem, json.dumps(dict(group.regions)), group.max_devices, int(group.enabled))
        made = self.connection.execute(sql, (*own, *rest, group.created_at_s, group.created_by))
        return made.rowcount == 1

    def update(self, group: EnrolmentGroup, act: str, by: str, **values: Any) -> EnrolmentGroup:
        """Change columns, and note who did it."""
        sets = ", ".join(f"{name} = ?" for name in values)
        sql = f"UPDATE enrolment_groups SET {sets}, version = version + 1 WHERE region = ? AND brand = ? AND id = ?"
        self.connection.execute(sql, (*values.values(), self.region, group.brand, group.id))
        now = self.wanted(group.brand, group.id)
        self.note(now, act, by, sorted(values))
        return now

    def note(self, group: EnrolmentGroup, act: str, by: str, detail: Any = None) -> None:
        """Write an act into the audit log and the feed."""
        done = Act(by, f"enrolment_group.{act}", group.id, group.brand, detail=detail)
        record(self.connection, self.region, self.now_s, done)
        entry = FeedEntry(group.brand, "enrolment_group", group.id, act, version=group.version)
        announce(self.connection, self.region, self.now_s, [entry])


def _keyed(row: tuple[Any, ...]) -> KeyedGroup:
    values = list(row[:12])
    values[6] = json.loads(values[6])
    values[8] = bool(values[8])
    keys = tuple(bytes(each) for each in row[12:] if each is not None)
    return KeyedGroup(EnrolmentGroup(*values), keys)
