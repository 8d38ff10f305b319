"""Households as rows: whose a device is, a home's document and rooms, and what concerns those that run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import InvalidInputError, NotFoundError, StaleError
from entendre.core.home import Names, Room
from entendre.core.roles import Place
from entendre.ports.homes import News, Position, StoredHome
from entendre.store.audit import Act, record
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce

OVERLAP = 200
"""Announcements that are looked at again: another process may commit after one that was numbered later."""
MAX_DUE = 1_000
"""Households that one look wakes; the next look wakes more."""
MAX_ROOMS = 500
_HOME_TOPICS = ("household", "room")
_DEVICE_TOPIC = "device"


class StoredHomes:
    """Implements `ports.homes.Homes` over one region's database."""

    def __init__(self, database: Database, clock: Clock, region: str = "home") -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def household_of(self, device: str) -> str | None:
        """The household of a device whose identity was proven; None for one that nobody has taken home."""
        return await self._database.read(lambda connection: self._household_of(connection, device))

    async def places_of(self, account: str) -> Mapping[str, Place]:
        """The households that a person is a member of now, and as what."""
        sql = (
            "SELECT household, role FROM members WHERE region = ? AND account = ?"
            " AND (expires_at_s IS NULL OR expires_at_s > ?) ORDER BY joined_at_s"
        )
        now_s = self._clock.wall()

        def work(connection: Connection) -> dict[str, Place]:
            return dict(tuple(row) for row in connection.execute(sql, (self._region, account, now_s)))

        return await self._database.read(work)

    async def home(self, household: str) -> StoredHome | None:
        """A household's home; None if there is no such household."""
        return await self._database.read(lambda connection: self._home(connection, household))

    async def news(self, since: Position | None, due_before_s: float) -> News:
        """What changed since a position (None: from now on), and whose jobs ring before a time."""

        def work(connection: Connection) -> News:
            now = Position(_newest(connection, "changes"), _newest(connection, "outbox"))
            devices, households, brands = self._changed(connection, since or now)
            return News(now, devices, households, self._due(connection, due_before_s), brands)

        return await self._database.read(work)

    async def put_document(
        self, household: str, document: str | None, *, by: str, version: int | None = None
    ) -> StoredHome:
        """Keep, or with None remove, a household's home document, which was checked.

        Raises: InvalidInputError for the server's own household, NotFoundError, StaleError.
        """
        if household == HOME:
            raise InvalidInputError("The home of this server's own household is the file that home.file names.")

        def work(connection: Connection) -> StoredHome:
            before = self._home(connection, household)
            if before is None:
                raise NotFoundError("There is no such household.")
            if version is not None and version != before.version:
                raise StaleError("The home was changed meanwhile.")
            self._put(connection, before, document, by)
            self._tell(connection, household, by)
            after = self._home(connection, household)
            assert after is not None
            return after

        return await self._database.write(work)

    # -- inside ------------------------------------------------------------------------------------------------------

    def _household_of(self, connection: Connection, device: str) -> str | None:
        own = (self._region, device)
        sql = "SELECT household, state FROM fleet_devices WHERE region = ? AND id = ?"
        found = connection.execute(sql, own).fetchone()
        if found is not None:
            household, gone = found[0], found[1] == "revoked"
        else:
            sql = "SELECT household, revoked_at_s FROM devices WHERE region = ? AND id = ?"
            found = connection.execute(sql, own).fetchone()
            household, gone = (None, True) if found is None else (found[0], found[1] is not None)
        if gone:
            return None
        if household is None and not self._has_others(connection):
            return HOME
        return None if household is None else str(household)

    def _has_others(self, connection: Connection) -> bool:
        sql = "SELECT 1 FROM households WHERE region = ? AND id <> ? LIMIT 1"
        return connection.execute(sql, (self._region, HOME)).fetchone() is not None

    def _home(self, connection: Connection, household: str) -> StoredHome | None:
        own = (self._region, household)
        sql = "SELECT language, time_zone, country FROM households WHERE region = ? AND id = ?"
        found = connection.execute(sql, own).fetchone()
        if found is None:
            return StoredHome(HOME) if household == HOME else None
        sql = f"SELECT id, name, names FROM rooms WHERE region = ? AND household = ? ORDER BY id LIMIT {MAX_ROOMS}"
        rooms = tuple(Room(id, _names(name, names)) for id, name, names in connection.execute(sql, own))
        sql = "SELECT document, version FROM homes WHERE region = ? AND household = ?"
        kept = connection.execute(sql, own).fetchone()
        document, version = (None, 0) if kept is None else (kept[0] or None, int(kept[1]))
        return StoredHome(household, found[0], found[1], rooms, document, version, found[2])

    def _put(self, connection: Connection, before: StoredHome, document: str | None, by: str) -> None:
        """A home without a document keeps its row, so that its version only rises."""
        sql = (
            "INSERT INTO homes (region, household, document, changed_at_s, changed_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (region, household) DO UPDATE SET document = excluded.document,"
            " changed_at_s = excluded.changed_at_s, changed_by = excluded.changed_by, version = excluded.version"
        )
        values = (document or "", self._clock.wall(), by, before.version + 1)
        connection.execute(sql, (self._region, before.household, *values))

    def _tell(self, connection: Connection, household: str, by: str) -> None:
        sql = "SELECT brand FROM households WHERE region = ? AND id = ?"
        brand = str(connection.execute(sql, (self._region, household)).fetchone()[0])
        now_s = self._clock.wall()
        entry = FeedEntry(brand, "household", household, "home_changed", household=household)
        announce(connection, self._region, now_s, [entry])
        record(connection, self._region, now_s, Act(by, "household.home_changed", household, brand, household))

    def _changed(
        self, connection: Connection, since: Position
    ) -> tuple[frozenset[str], frozenset[str], frozenset[int]]:
        sql = (
            "SELECT seq, topic, subject, household FROM changes"
            " WHERE seq > ? AND region = ? AND topic IN ('device', 'household', 'room', 'brand')"
        )
        rows = list(connection.execute(sql, (since.changes - OVERLAP, self._region)))
        devices = {subject for _, topic, subject, _ in rows if topic == _DEVICE_TOPIC}
        households = {household for _, topic, _, household in rows if topic in _HOME_TOPICS and household is not None}
        households |= {subject for _, topic, subject, _ in rows if topic == "household"}
        brands = frozenset(int(seq) for seq, topic, _, _ in rows if topic == "brand")
        sql = "SELECT subject FROM outbox WHERE seq > ? AND region = ? AND topic = ?"
        told = connection.execute(sql, (since.outbox - OVERLAP, self._region, _DEVICE_TOPIC))
        return frozenset(devices | {subject for (subject,) in told}), frozenset(households), brands

    def _due(self, connection: Connection, before_s: float) -> frozenset[str]:
        """Reminders wait for a device by themselves; whatever else rings is to be ended in time."""
        open_jobs = "SELECT household FROM jobs WHERE region = ? AND ended_at_s IS NULL AND "
        open_rings = "SELECT household FROM rings WHERE region = ? AND ended_at_s IS NULL AND kind <> 'reminder'"
        parts = (open_jobs + "due_at_s <= ?", open_jobs + "snoozed_until_s <= ?", open_rings)
        values = (self._region, before_s, self._region, before_s, self._region)
        found = connection.execute(f"{' UNION '.join(parts)} LIMIT {MAX_DUE}", values)
        return frozenset(household for (household,) in found)


def _newest(connection: Connection, table: str) -> int:
    return int(connection.execute(f"SELECT coalesce(max(seq), 0) FROM {table}").fetchone()[0])


def _names(name: str, names: str) -> Names:
    """Names as they are kept: a JSON object of language tag to names, or a list; `name` is the one to say."""
    found: Any = json.loads(names) if names else {}
    if isinstance(found, list):
        found = {"": found}
    spoken = {str(tag): tuple(str(each) for each in group) for tag, group in found.items() if group}
    return spoken or {"": (name,)}
