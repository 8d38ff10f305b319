"""Jobs: one command for every device that a query finds, queued in bounded batches, going on after a restart."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any, Protocol

from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, InvalidInputError, NotFoundError
from entendre.fleet import commands as rules
from entendre.ports.commands import CommandJob, CommandRecord, CommandStore

log = logging.getLogger(__name__)

BATCH = 200
"""Devices of one transaction."""
LOOK_EVERY_S = 2.0
"""How soon a job is gone on with that another process began and left."""
MAX_QUERY_CHARS = 1_000


class Query(Protocol):
    """Finds devices."""

    def __call__(self, brand: str, query: str, *, after: str, limit: int) -> Awaitable[tuple[str, ...]]:
        """Ids of the devices that a query finds, in order, after one. Raises: InvalidInputError."""
        ...


class CommandJobs:
    """Starts jobs and works them off. `run` in one process at least; more do no harm."""

    def __init__(self, store: CommandStore, query: Query, clock: Clock, *, new_id: Callable[[], str]) -> None:
        self._store = store
        self._query = query
        self._clock = clock
        self._new_id = new_id
        self._started = asyncio.Event()

    async def start_job(
        self, brand: str, query: str, name: str, payload: Any, *, ttl_s: float | None = None, by: str
    ) -> CommandJob:
        """Queue a command for every device that a query finds. Raises: InvalidInputError, TooLargeError."""
        if len(query) > MAX_QUERY_CHARS:
            raise InvalidInputError(f"A query has at most {MAX_QUERY_CHARS} characters.")
        job = CommandJob(
            id=self._new_id(),
            brand=brand,
            query=query,
            name=rules.checked_name(name),
            payload=rules.payload_text(payload),
            ttl_s=rules.ttl(ttl_s),
            state="running",
            reached="",
            queued=0,
            refused=0,
            created_at_s=self._clock.wall(),
            created_by=by,
        )
        await self._query(brand, query, after="", limit=1)  # refuses a malformed query at once
        await self._store.add_job(job)
        self._started.set()
        return job

    async def job(self, brand: str, job: str) -> CommandJob:
        """A job with its progress. Raises: NotFoundError."""
        return await self._store.job(brand, job)

    async def jobs(self, brand: str, *, after: str | None, limit: int) -> tuple[CommandJob, ...]:
        """Jobs of a brand, newest first."""
        return await self._store.jobs(brand, after=after, limit=limit)

    async def cancel_job(self, brand: str, job: str, *, by: str) -> CommandJob:
        """Stop a job; commands that devices have are left to them. Raises: NotFoundError."""
        return await self._store.end_job(brand, job, "cancelled", by)

    async def run(self) -> None:
        """Work jobs off, each a batch at a time. A task root: it outlives a database that is away."""
        while True:
            try:
                while await self.step():
                    pass
            except EntendreError as error:
                log.warning("jobs can't go on", extra={"code": error.code})
            except Exception:
                log.exception("jobs stumbled")
            self._started.clear()
            try:
                async with asyncio.timeout(LOOK_EVERY_S):
                    await self._started.wait()
            except TimeoutError:
                continue

    async def step(self) -> bool:
        """Queue one batch of every running job; whether any is still running. Raises: StoreError."""
        going = False
        for job in await self._store.running_jobs():
            try:
                going = await self._batch(job) or going
            except (InvalidInputError, NotFoundError) as error:
                log.info("a job can't go on", extra={"code": error.code})
                await self._store.end_job(job.brand, job.id, "failed", job.created_by)
        return going

    async def _batch(self, job: CommandJob) -> bool:
        devices = await self._query(job.brand, job.query, after=job.reached, limit=BATCH)
        over = len(devices) < BATCH
        reached = replace(job, reached=devices[-1] if devices else job.reached, state="queued" if over else "running")
        now = await self._store.queue_batch(reached, [self._record(job, each) for each in devices])
        return now.state == "running"

    def _record(self, job: CommandJob, device: str) -> CommandRecord:
        now_s = self._clock.wall()
        return CommandRecord(
            id=self._new_id(),
            brand=job.brand,
            device=device,
            name=job.name,
            payload=job.payload,
            mode="queued",
            state="queued",
            created_at_s=now_s,
            created_by=job.created_by,
            expires_at_s=now_s + job.ttl_s,
            job=job.id,
            idempotency_key=f"job:{job.id}",
        )
