"""The store port over a database."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from entendre.core.clock import Clock
from entendre.core.errors import NotFoundError
from entendre.ports import (
    ActionKey,
    ActionRecord,
    Change,
    ItemRow,
    JobRow,
    ListRow,
    OutboxEvent,
    RingRow,
)
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database, open_database
from entendre.store.rows import Versioned, loaded, save_item, save_versioned, select
from entendre.system import new_id

PRUNE_ROWS = 5_000
"""Rows of one table that one pruning removes, so that it holds nobody up."""


class SqliteStore:
    """One household's rows, in one region's database."""

    def __init__(self, database: Database, clock: Clock, region: str = "home", household: str = HOME) -> None:
        self.database = database
        self.region = region
        self.household = household
        self._clock = clock

    @classmethod
    async def open(cls, place: Path | str, clock: Clock, region: str = "home", household: str = HOME) -> SqliteStore:
        """Open or make the file, or connect to `postgresql://…`. Raises: NewerDatabaseError, StoreError."""
        return cls(await open_database(place), clock, region, household)

    async def write(self, change: Change) -> ActionRecord | None:
        """Write a change, or return the record of the same action done before. Raises: ConflictError."""
        return await self.database.write(lambda connection: self._write(connection, change))

    async def jobs(self) -> tuple[JobRow, ...]:
        """Every job that is not over."""
        sql = select(JobRow, "jobs") + " WHERE region = ? AND household = ? AND ended_at_s IS NULL ORDER BY id"

        def work(connection: Connection) -> tuple[JobRow, ...]:
            return tuple(loaded(JobRow, record) for record in connection.execute(sql, (self.region, self.household)))

        return await self.database.read(work)

    async def rings(self) -> tuple[RingRow, ...]:
        """Rings that ring, and missed ones that nobody was told of."""
        sql = select(RingRow, "rings") + " WHERE region = ? AND household = ? AND "
        conditions = ("ended_at_s IS NULL", "state = 'missed' AND reported = 0 AND ended_at_s IS NOT NULL")

        def work(connection: Connection) -> tuple[RingRow, ...]:
            own = (self.region, self.household)
            found = [row for some in conditions for row in connection.execute(sql + some, own)]
            return tuple(sorted((loaded(RingRow, record) for record in found), key=lambda ring: ring.id))

        return await self.database.read(work)

    async def lists(self) -> tuple[tuple[ListRow, tuple[ItemRow, ...]], ...]:
        """Every list with its items in order."""
        return await self.database.read(self._lists)

    async def begin_action(self, key: ActionKey, action: str) -> ActionRecord | None:
        """Note an action with an outside effect before it is done; the record of an earlier attempt, if any."""

        def work(connection: Connection) -> ActionRecord | None:
            self._check_exists(connection)
            return self._note(connection, ActionRecord(key, "started", action))

        return await self.database.write(work)

    async def finish_action(self, key: ActionKey, result: str) -> None:
        """Note that a begun action was done."""
        sql = (
            "UPDATE executed SET state = 'done', result = ? WHERE region = ? AND household = ? AND turn = ? AND idx = ?"
        )

        def work(connection: Connection) -> None:
            connection.execute(sql, (result, self.region, self.household, key.turn, key.index))

        await self.database.write(work)

    async def executed(self, key: ActionKey) -> ActionRecord | None:
        """What is known of an action."""
        return await self.database.read(lambda connection: self._executed(connection, key))

    async def outbox(self, after_seq: int, limit: int) -> tuple[OutboxEvent, ...]:
        """Announcements after a position, oldest first."""
        sql = (
            "SELECT topic, subject, change, seq, at_s FROM outbox"
            " WHERE region = ? AND household = ? AND seq > ? ORDER BY seq LIMIT ?"
        )

        def work(connection: Connection) -> tuple[OutboxEvent, ...]:
            rows = connection.execute(sql, (self.region, self.household, after_seq, limit))
            return tuple(OutboxEvent(*row) for row in rows)

        return await self.database.read(work)

    async def prune(self, before_s: float) -> int:
        """Forget what ended or was done before a time; returns how many rows went."""
        ages = (
            ("executed", "household, turn, idx", "at_s"),
            ("jobs", "id", "ended_at_s"),
            ("rings", "id", "ended_at_s"),
            ("outbox", "id", "at_s"),
        )

        def work(connection: Connection) -> int:
            gone = 0
            for table, key, age in ages:
                old = f"SELECT {key} FROM {table} WHERE region = ? AND {age} < ? LIMIT {PRUNE_ROWS}"
                sql = f"DELETE FROM {table} WHERE region = ? AND ({key}) IN ({old})"
                gone += connection.execute(sql, (self.region, self.region, before_s)).rowcount
            return gone

        return await self.database.write(work)

    async def close(self) -> None:
        """Finish what was accepted, then let go of the database."""
        await self.database.close()

    def _check_exists(self, connection: Connection) -> None:
        """Nothing is written for a household that was erased, whoever still has it open. Raises: NotFoundError."""
        sql = "SELECT 1 FROM households WHERE region = ? AND id = ?"
        if self.household != HOME and connection.execute(sql, (self.region, self.household)).fetchone() is None:
            raise NotFoundError("There is no such household.")

    def _write(self, connection: Connection, change: Change) -> ActionRecord | None:
        self._check_exists(connection)
        if change.once is not None:
            earlier = self._note(connection, ActionRecord(change.once, "done", change.action, change.result))
            if earlier is not None:
                return earlier
        versioned: tuple[Versioned, ...] = (*change.jobs, *change.rings, *change.lists)
        for row in versioned:
            save_versioned(connection, self.region, self.household, row)
        for item in change.items:
            save_item(connection, self.region, self.household, item)
        for item_id in change.dropped_items:
            sql = "DELETE FROM list_items WHERE region = ? AND household = ? AND id = ?"
            connection.execute(sql, (self.region, self.household, item_id))
        for event in change.events:
            self._announce(connection, event)
        return None

    def _note(self, connection: Connection, record: ActionRecord) -> ActionRecord | None:
        """Insert the record of an action, or return the one that is there."""
        sql = (
            "INSERT INTO executed (region, household, turn, idx, state, action, result, at_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
        )
        key, noted = record.key, (record.state, record.action, record.result, self._clock.wall())
        values = (self.region, self.household, key.turn, key.index, *noted)
        if connection.execute(sql, values).rowcount:
            return None
        return self._executed(connection, key)

    def _executed(self, connection: Connection, key: ActionKey) -> ActionRecord | None:
        sql = "SELECT state, action, result FROM executed WHERE region = ? AND household = ? AND turn = ? AND idx = ?"
        found = connection.execute(sql, (self.region, self.household, key.turn, key.index)).fetchone()
        if found is None:
            return None
        state: Literal["started", "done"] = found[0]
        return ActionRecord(key, state, found[1], found[2])

    def _announce(self, connection: Connection, event: OutboxEvent) -> None:
        sql = "INSERT INTO outbox (region, household, id, topic, subject, change, at_s) VALUES (?, ?, ?, ?, ?, ?, ?)"
        event_of = (new_id(), event.topic, event.subject, event.change)
        connection.execute(sql, (self.region, self.household, *event_of, self._clock.wall()))

    def _lists(self, connection: Connection) -> tuple[tuple[ListRow, tuple[ItemRow, ...]], ...]:
        own = (self.region, self.household)
        rows = connection.execute(select(ListRow, "lists") + " WHERE region = ? AND household = ? ORDER BY id", own)
        lists: list[ListRow] = [loaded(ListRow, record) for record in rows]
        in_order = " WHERE region = ? AND household = ? ORDER BY list, position"
        found = connection.execute(select(ItemRow, "list_items") + in_order, own)
        items: list[ItemRow] = [loaded(ItemRow, record) for record in found]
        return tuple((row, tuple(item for item in items if item.list == row.id)) for row in lists)
