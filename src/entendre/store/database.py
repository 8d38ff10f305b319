"""A database behind threads: one writes, grouping concurrent writes into one commit, and a few read.

A write is durable when it returns: each commit waits for the disk, and every write that arrived while the commit before
waited shares the next one. Where the database is a server, the threads outlive it: they connect again, and what waits
is done then.
"""

from __future__ import annotations

import asyncio
import logging
import random
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from entendre.core.errors import ConfigurationError, MissingExtraError, StoreError
from entendre.store.connection import Connection
from entendre.store.engine import ConnectionLostError, Engine, Session, T, Work
from entendre.store.group_commit import read_alone, write_together
from entendre.store.scrubbing import Scrub, scrubbed
from entendre.store.sqlite_engine import SqliteEngine
from entendre.store.waiting import MAX_WAITING, Job, Outcome, Waiting, deliver

__all__ = ["MAX_BATCH", "MAX_WAITING", "Connection", "Database", "Work", "engine_of", "open_database"]

log = logging.getLogger(__name__)

MAX_BATCH = 256
"""Writes of one commit: bounds how long the first of them waits."""
MAX_TRIES = 3
"""Connections that may break under one work before it is refused: it may be what breaks them."""
PATIENCE_S = 30.0
"""How long a work waits for a database that cannot be reached."""
FIRST_RETRY_S = 0.05
LONGEST_RETRY_S = 2.0
URL_SCHEMES = ("postgresql://", "postgres://")

Running = Callable[[Engine, Session, list[Job]], list[Outcome]]


class Database:
    """One database, opened and migrated. Use from any number of event loops; close once."""

    def __init__(self, place: Path | str, *, serving: str | None = None) -> None:
        """Open or make the file, or connect to `postgresql://…`. Blocks.

        `serving` names the region of a server: on PostgreSQL no other server of that region can write meanwhile.

        Raises: ConfigurationError, MissingExtraError, NewerDatabaseError, StoreError.
        """
        self.on_written: Callable[[], None] = lambda: None
        """Called after each write that was committed, on the event loop of whoever wrote."""
        self.engine = engine_of(place, serving)
        self.engine.prepare()
        self._writes, self._reads = Waiting(), Waiting()
        self._threads = [_Worker("store-writer", self.engine, self.engine.writer, self._writes, write_together)]
        try:
            for number in range(self.engine.readers):
                name = f"store-reader-{number + 1}"
                self._threads.append(_Worker(name, self.engine, self.engine.reader, self._reads, read_alone))
        except BaseException:
            for thread in self._threads:
                thread.session.close()
            raise
        for thread in self._threads:
            thread.start()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own fate and return once it is on the disk.

        Raises: whatever `work` raises (its changes are undone), StoreError, OverloadedError.
        """
        result = await self._submit(self._writes, work)
        self.on_written()
        return result

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a connection that cannot write, in one consistent snapshot. Raises: as `write`."""
        return await self._submit(self._reads, work)

    async def scrub(self, tables: Sequence[str]) -> None:
        """Overwrite what deleted rows of these tables left in the files. Writes wait meanwhile. Raises: StoreError."""
        await self._submit(self._writes, Scrub(tuple(tables)))

    async def close(self) -> None:
        """Finish what was accepted and let go of the database."""
        self._writes.close()
        self._reads.close()
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _submit(self, waiting: Waiting, work: Work[T]) -> T:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        waiting.put(Job(work, loop, done))
        return await done


async def open_database(place: Path | str, *, serving: str | None = None) -> Database:
    """As `Database`, without holding up the event loop."""
    return await asyncio.to_thread(Database, place, serving=serving)


def engine_of(place: Path | str, serving: str | None = None) -> Engine:
    """What is behind a path, or a URL. Raises: ConfigurationError, MissingExtraError."""
    if isinstance(place, Path):
        return SqliteEngine(place)
    if not place.startswith(URL_SCHEMES):
        raise ConfigurationError("server.database must begin with postgresql://, or be empty for a file.")
    try:
        from entendre.store.postgres import PostgresEngine
    except ImportError:
        raise MissingExtraError("PostgreSQL needs psycopg: pip install 'entendre[postgres]'.") from None
    return PostgresEngine(place, serving)


class _Worker(threading.Thread):
    """A thread with a session: it takes what waits, runs it, and connects again when the session broke."""

    def __init__(
        self, name: str, engine: Engine, connect: Callable[[], Session], waiting: Waiting, running: Running
    ) -> None:
        super().__init__(name=name, daemon=True)
        self._engine = engine
        self._connect = connect
        self._waiting = waiting
        self._running = running
        self._at_once = MAX_BATCH if running is write_together else 1
        self.session = connect()

    def run(self) -> None:
        """Until the queue is closed and empty."""
        while batch := self._waiting.take(self._at_once):
            scrubs = [job for job in batch if isinstance(job.work, Scrub)]
            batch = [job for job in batch if not isinstance(job.work, Scrub)]
            try:
                if batch:
                    deliver(self._running(self._engine, self.session, batch))
                deliver(scrubbed(self._engine, self.session, job) for job in scrubs)
            except ConnectionLostError as error:
                self._put_back(batch + scrubs, error)
                if not self._connected_again():
                    return
            except Exception as error:  # a thread that ended would leave every caller waiting
                log.exception("a database thread failed")
                deliver((job, None, StoreError(detail=repr(error))) for job in batch + scrubs)
                if not self._connected_again():
                    return
        self.session.close()

    def _put_back(self, batch: list[Job], error: ConnectionLostError) -> None:
        for job in batch:
            job.tries += error.began
        oldest_s = time.monotonic() - PATIENCE_S
        given_up = [job for job in batch if job.tries >= MAX_TRIES or job.since_s < oldest_s]
        self._waiting.put_back(job for job in batch if job not in given_up)
        deliver((job, None, _unreachable(error.detail)) for job in given_up)

    def _connected_again(self) -> bool:
        """Try until it works, or until the queue is closed: then what waits is refused."""
        log.warning("the database went away", extra={"part": self.name})
        self.session.close()
        retry_s = FIRST_RETRY_S
        while True:
            try:
                self.session = self._connect()
            except StoreError as error:
                ending = self._waiting.wait_for_end(retry_s * (0.5 + random.random()))
                deliver((job, None, _unreachable(error.detail)) for job in self._waiting.take_older(PATIENCE_S))
                if ending:
                    return False
                retry_s = min(2 * retry_s, LONGEST_RETRY_S)
            else:
                log.info("the database is back", extra={"part": self.name})
                return True


def _unreachable(reason: str) -> StoreError:
    return StoreError("The database can't be reached. Try again.", detail=reason)
