"""Jobs that command many devices, in the database: each device once, however often a batch is written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from entendre.core.errors import NotFoundError
from entendre.fleet.commands import MAX_QUEUED
from entendre.ports.commands import CommandJob, CommandRecord
from entendre.store import audit
from entendre.store.connection import Connection
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.command_rows import (
    INSERT,
    INSERT_JOB,
    JOB_COLUMNS,
    device_household,
    found,
    job_of,
    job_values_of,
    same_key,
    values_of,
    waiting,
)
from entendre.store.fleet.commands import Commands
from entendre.store.fleet.retention import kept_since_s

KEPT_DAYS = 30.0
"""How long finished commands are kept where the brand has no rule."""
CANCELLED_AT_ONCE = 500


class CommandRows(Commands):
    """Implements `ports.commands.CommandStore`."""

    async def add_job(self, job: CommandJob) -> CommandJob:
        """Keep a job."""

        def work(connection: Connection) -> CommandJob:
            connection.execute(INSERT_JOB, job_values_of(self._region, job))
            self._tell_job(connection, job, "started")
            self._audit_job(connection, job, "command_job.started", job.created_by)
            return job

        return await self._database.write(work)

    async def queue_batch(self, job: CommandJob, records: Sequence[CommandRecord]) -> CommandJob:
        """Keep the commands of a job's next devices and how far it came; full queues are counted as refused."""

        def work(connection: Connection) -> CommandJob:
            before = self._job(connection, job.brand, job.id)
            if before.state != "running" or (records and before.reached >= records[-1].device):
                return before
            queued = sum(self._queued(connection, record) for record in records)
            now = replace(
                job,
                queued=before.queued + queued,
                refused=before.refused + len(records) - queued,
                version=before.version + 1,
                finished_at_s=None if job.state == "running" else self._clock.wall(),
            )
            self._save_job(connection, now)
            self._tell_job(connection, now, now.state)
            return now

        return await self._database.write(work)

    async def job(self, brand: str, job: str) -> CommandJob:
        """A job with its progress. Raises: NotFoundError."""

        def work(connection: Connection) -> CommandJob:
            one = self._job(connection, brand, job)
            sql = (
                "SELECT state, count(*) FROM commands WHERE region = ? AND job = ? AND brand = ?"
                " GROUP BY state ORDER BY state"
            )
            rows = connection.execute(sql, (self._region, job, brand)).fetchall()
            return replace(one, states=tuple((str(state), int(count)) for state, count in rows))

        return await self._database.read(work)

    async def jobs(self, brand: str, *, after: str | None, limit: int) -> tuple[CommandJob, ...]:
        """Jobs of a brand, newest first, without counts by state."""

        def work(connection: Connection) -> tuple[CommandJob, ...]:
            sql = f"SELECT {JOB_COLUMNS} FROM command_jobs WHERE region = ? AND brand = ?"
            values = [self._region, brand]
            if after is not None:
                sql += " AND id < ?"
                values.append(after)
            rows = connection.execute(f"{sql} ORDER BY id DESC LIMIT ?", (*values, limit)).fetchall()
            return tuple(job_of(row) for row in rows)

        return await self._database.read(work)

    async def running_jobs(self) -> tuple[CommandJob, ...]:
        """Jobs that still have devices to reach, oldest first."""
        sql = f"SELECT {JOB_COLUMNS} FROM command_jobs WHERE region = ? AND finished_at_s IS NULL ORDER BY id"

        def work(connection: Connection) -> tuple[CommandJob, ...]:
            return tuple(job_of(row) for row in connection.execute(sql, (self._region,)).fetchall())

        return await self._database.read(work)

    async def end_job(self, brand: str, job: str, state: Literal["cancelled", "failed"], by: str) -> CommandJob:
        """End a job, and with it its commands that no device has. Raises: NotFoundError."""

        def work(connection: Connection) -> CommandJob:
            before = self._job(connection, brand, job)
            if before.state in ("cancelled", "failed"):
                return before
            now_s = self._clock.wall()
            now = replace(before, state=state, finished_at_s=now_s, version=before.version + 1)
            self._save_job(connection, now)
            self._tell_job(connection, now, state)
            self._audit_job(connection, now, f"command_job.{state}", by)
            return now

        ended = await self._database.write(work)
        while await self._database.write(lambda connection: self._cancel_some(connection, ended)):
            pass
        return await self.job(brand, job)

    async def prune(self, limit: int) -> int:
        """Forget finished commands past their retention; returns how many."""

        def old(connection: Connection) -> list[tuple[str, str]]:
            gone: list[tuple[str, str]] = []
            for brand, since_s in kept_since_s(connection, self._region, "commands", self._clock.wall(), KEPT_DAYS):
                sql = (
                    "SELECT id FROM commands WHERE region = ? AND brand = ? AND finished_at_s < ?"
                    " AND finished_at_s IS NOT NULL ORDER BY finished_at_s LIMIT ?"
                )
                rows = connection.execute(sql, (self._region, brand, since_s, limit - len(gone))).fetchall()
                gone += [(brand, row[0]) for row in rows]
                if len(gone) >= limit:
                    break
            return gone

        rows = await self._database.read(old)
        if rows:
            sql = "DELETE FROM commands WHERE region = ? AND brand = ? AND id = ?"
            values = [(self._region, *row) for row in rows]
            await self._database.write(lambda connection: connection.executemany(sql, values).rowcount)
        return len(rows)

    # -- inside works ------------------------------------------------------------------------------------------------

    def _queued(self, connection: Connection, record: CommandRecord) -> bool:
        """Queue one command of a batch; whether it waits now, or did before."""
        if same_key(connection, self._region, record) is not None:
            return True
        known, household = device_household(connection, self._region, record.brand, record.device)
        if not known or waiting(connection, self._region, record.device) >= MAX_QUEUED:
            return False
        connection.execute(INSERT, values_of(self._region, record))
        self._tell(connection, record, household)
        return True

    def _cancel_some(self, connection: Connection, job: CommandJob) -> bool:
        sql = (
            "SELECT id FROM commands WHERE region = ? AND job = ? AND state = 'queued' AND brand = ?"
            " ORDER BY id LIMIT ?"
        )
        ids = connection.execute(sql, (self._region, job.id, job.brand, CANCELLED_AT_ONCE)).fetchall()
        for (each,) in ids:
            record = found(connection, self._region, each)
            if record is not None:
                ended_at_s = self._clock.wall()
                self._end(
                    connection,
                    replace(record, state="cancelled", finished_at_s=ended_at_s, version=record.version + 1),
                )
        return len(ids) == CANCELLED_AT_ONCE

    def _job(self, connection: Connection, brand: str, job: str) -> CommandJob:
        sql = f"SELECT {JOB_COLUMNS} FROM command_jobs WHERE region = ? AND brand = ? AND id = ?"
        row = connection.execute(sql, (self._region, brand, job)).fetchone()
        if row is None:
            raise NotFoundError("There is no such job.")
        return job_of(row)

    def _save_job(self, connection: Connection, job: CommandJob) -> None:
        sql = (
            "UPDATE command_jobs SET state = ?, reached = ?, queued = ?, refused = ?, finished_at_s = ?, version = ?"
            " WHERE region = ? AND brand = ? AND id = ?"
        )
        values = (job.state, job.reached, job.queued, job.refused, job.finished_at_s, job.version)
        connection.execute(sql, (*values, self._region, job.brand, job.id))

    def _tell_job(self, connection: Connection, job: CommandJob, change: str) -> None:
        data = {"queued": job.queued, "refused": job.refused}
        entry = FeedEntry(job.brand, "command_job", job.id, change, version=job.version, data=data)
        announce(connection, self._region, self._clock.wall(), [entry])

    def _audit_job(self, connection: Connection, job: CommandJob, act: str, by: str) -> None:
        detail = {"query": job.query, "name": job.name}
        entry = audit.Act(by, act, job.id, job.brand, detail=detail)
        audit.record(connection, self._region, self._clock.wall(), entry)
