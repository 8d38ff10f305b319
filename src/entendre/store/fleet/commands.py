"""Commands in the database: queued once, delivered at least once, answered once and for ever."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from entendre.core.clock import Clock
from entendre.core.errors import ConflictError, NotFoundError, ThrottledError
from entendre.fleet.commands import LOCK_S, MAX_QUEUED, outcome
from entendre.ports.commands import CommandRecord, DeviceAnswer
from entendre.store import audit
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.command_rows import (
    COLUMN_NAMES,
    COLUMNS,
    INSERT,
    command_of,
    device_household,
    found,
    same_key,
    values_of,
    waiting,
)
from entendre.store.gatherer import Gatherer

NO_COMMAND = "There is no such command."
NO_DEVICE = "There is no such device."
FULL_RETRY_S = 60.0


class Commands:
    """The half of `ports.commands.CommandStore` that is about single commands."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._answers: Gatherer[DeviceAnswer, CommandRecord | None] = Gatherer(database, self._finish_all)
        self._notes: Gatherer[CommandRecord, None] = Gatherer(database, self._note_all)

    async def queue(self, record: CommandRecord) -> CommandRecord:
        """Keep a command that waits, or return the one of the same idempotency key.

        Raises: NotFoundError, ThrottledError when the device's queue is full.
        """

        def work(connection: Connection) -> CommandRecord:
            earlier = same_key(connection, self._region, record)
            if earlier is not None:
                return earlier
            known, household = device_household(connection, self._region, record.brand, record.device)
            if not known:
                raise NotFoundError(NO_DEVICE)
            if waiting(connection, self._region, record.device) >= MAX_QUEUED:
                raise ThrottledError(f"{MAX_QUEUED} commands wait for this device.", retry_after_s=FULL_RETRY_S)
            connection.execute(INSERT, values_of(self._region, record))
            self._tell(connection, record, household)
            self._audit(connection, record, "command.queued")
            return record

        return await self._database.write(work)

    async def begin(self, record: CommandRecord) -> CommandRecord:
        """Keep a direct command before it is sent, or return the one of the same idempotency key."""

        def work(connection: Connection) -> CommandRecord:
            earlier = same_key(connection, self._region, record)
            if earlier is not None:
                return earlier
            connection.execute(INSERT, values_of(self._region, record))
            return record

        return await self._database.write(work)

    async def note(self, record: CommandRecord) -> None:
        """Keep a direct command with its end."""
        await self._notes.put(record)

    async def claim(self, device: str, *, again: bool, limit: int) -> tuple[CommandRecord, ...]:
        """Commands to deliver now, oldest first, counted as delivered; `again`: those under a lock too."""
        if not await self._database.read(lambda connection: waiting(connection, self._region, device)):
            return ()

        def work(connection: Connection) -> tuple[CommandRecord, ...]:
            now_s = self._clock.wall()
            locked_since_s = now_s if again else now_s - LOCK_S
            sql = (
                f"SELECT {COLUMNS} FROM commands WHERE region = ? AND device = ? AND finished_at_s IS NULL"
                " AND mode = 'queued' AND expires_at_s > ? AND (delivered_at_s IS NULL OR delivered_at_s <= ?)"
                " ORDER BY id LIMIT ?"
            )
            rows = connection.execute(sql, (self._region, device, now_s, locked_since_s, limit)).fetchall()
            return tuple(self._delivered(connection, command_of(row), now_s) for row in rows)

        return await self._database.write(work)

    async def finish(self, answer: DeviceAnswer) -> CommandRecord | None:
        """Keep a device's answer, the first one for ever; None for no command of this device."""
        return await self._answers.put(answer)

    async def cancel(self, brand: str, device: str, command: str, by: str) -> CommandRecord:
        """End a command that waits. Raises: NotFoundError, ConflictError when it is over."""

        def work(connection: Connection) -> CommandRecord:
            record = self._of(connection, brand, device, command)
            if record.finished_at_s is not None:
                raise ConflictError(f"The command is over: {record.state}.")
            ended = replace(record, state="cancelled", finished_at_s=self._clock.wall(), version=record.version + 1)
            self._end(connection, ended)
            self._audit(connection, replace(ended, created_by=by), "command.cancelled")
            return ended

        return await self._database.write(work)

    async def get(self, brand: str, device: str, command: str) -> CommandRecord:
        """One command. Raises: NotFoundError."""
        return await self._database.read(lambda connection: self._of(connection, brand, device, command))

    async def commands(
        self, brand: str, device: str, *, state: str | None, after: str | None, limit: int
    ) -> tuple[CommandRecord, ...]:
        """Commands of a device, newest first; `after` is an id."""

        def work(connection: Connection) -> tuple[CommandRecord, ...]:
            where, values = ["region = ?", "brand = ?", "device = ?"], [self._region, brand, device]
            if state is not None:
                where.append("state = ?")
                values.append(state)
            if after is not None:
                where.append("id < ?")
                values.append(after)
            sql = f"SELECT {COLUMNS} FROM commands WHERE {' AND '.join(where)} ORDER BY id DESC LIMIT ?"
            return tuple(command_of(row) for row in connection.execute(sql, (*values, limit)).fetchall())

        return await self._database.read(work)

    async def expire(self, limit: int) -> int:
        """End commands whose time is over; returns how many."""
        now_s = self._clock.wall()
        sql = "SELECT id FROM commands WHERE region = ? AND finished_at_s IS NULL AND expires_at_s <= ?"
        sql += " ORDER BY expires_at_s LIMIT ?"
        parameters = (self._region, now_s, limit)
        if not await self._database.read(lambda connection: connection.execute(sql, parameters).fetchall()):
            return 0

        def work(connection: Connection) -> int:
            ids = [row[0] for row in connection.execute(sql, parameters).fetchall()]
            for each in ids:
                record = found(connection, self._region, each)
                if record is not None:
                    ended = replace(record, state="expired", finished_at_s=now_s, version=record.version + 1)
                    self._end(connection, ended)
            return len(ids)

        return await self._database.write(work)

    # -- inside works ------------------------------------------------------------------------------------------------

    def _delivered(self, connection: Connection, record: CommandRecord, now_s: float) -> CommandRecord:
        sql = (
            "UPDATE commands SET state = 'delivered', delivered_at_s = ?, deliveries = ?, version = ?"
            " WHERE region = ? AND brand = ? AND id = ?"
        )
        now = replace(
            record,
            state="delivered",
            delivered_at_s=now_s,
            deliveries=record.deliveries + 1,
            version=record.version + 1,
        )
        key = (self._region, record.brand, record.id)
        connection.execute(sql, (now_s, now.deliveries, now.version, *key))
        return now

    def _finish_all(
        self, connection: Connection, answers: Sequence[DeviceAnswer]
    ) -> Sequence[CommandRecord | Exception | None]:
        return [self._finish(connection, each) for each in answers]

    def _finish(self, connection: Connection, answer: DeviceAnswer) -> CommandRecord | None:
        record = found(connection, self._region, answer.command)
        if record is None or record.device != answer.device:
            return None
        if record.finished_at_s is not None:
            return record
        ended = replace(
            record,
            state=outcome(answer.status),
            finished_at_s=self._clock.wall(),
            status=answer.status,
            result=answer.result,
            version=record.version + 1,
        )
        self._end(connection, ended)
        return ended

    def _note_all(self, connection: Connection, records: Sequence[CommandRecord]) -> Sequence[Exception | None]:
        """Those with a key were kept before they were sent; the others are new."""
        fresh = [each for each in records if each.idempotency_key is None]
        connection.insert_many("commands", COLUMN_NAMES, [values_of(self._region, each) for each in fresh])
        self._announce(connection, [(each, None) for each in fresh])
        for each in records:
            if each.idempotency_key is not None:
                self._end(connection, each)
        acts = [_act(each, "command.called") for each in records]
        audit.record_all(connection, self._region, self._clock.wall(), acts)
        return [None] * len(records)

    def _end(self, connection: Connection, ended: CommandRecord) -> None:
        sql = (
            "UPDATE commands SET state = ?, finished_at_s = ?, status = ?, result = ?, version = ?"
            " WHERE region = ? AND brand = ? AND id = ?"
        )
        key = (self._region, ended.brand, ended.id)
        connection.execute(sql, (ended.state, ended.finished_at_s, ended.status, ended.result, ended.version, *key))
        _, household = device_household(connection, self._region, ended.brand, ended.device)
        self._tell(connection, ended, household)

    def _tell(self, connection: Connection, record: CommandRecord, household: str | None) -> None:
        self._announce(connection, [(record, household)])

    def _announce(self, connection: Connection, told: Sequence[tuple[CommandRecord, str | None]]) -> None:
        entries = [
            FeedEntry(each.brand, "command", each.id, each.state, household, each.version, _told_of(each))
            for each, household in told
        ]
        announce(connection, self._region, self._clock.wall(), entries)

    def _audit(self, connection: Connection, record: CommandRecord, act: str) -> None:
        audit.record(connection, self._region, self._clock.wall(), _act(record, act))

    def _of(self, connection: Connection, brand: str, device: str, command: str) -> CommandRecord:
        record = found(connection, self._region, command)
        if record is None or record.brand != brand or record.device != device:
            raise NotFoundError(NO_COMMAND)
        return record


def _told_of(record: CommandRecord) -> dict[str, object]:
    return {"device": record.device, "name": record.name, "mode": record.mode, "status": record.status}


def _act(record: CommandRecord, act: str) -> audit.Act:
    detail = {"device": record.device, "name": record.name}
    return audit.Act(record.created_by, act, record.id, record.brand, detail=detail)
