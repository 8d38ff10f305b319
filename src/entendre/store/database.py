"""A SQLite file behind two threads: one that writes, grouping concurrent writes into one commit, and one that reads.

A write is durable when it returns: WAL with `synchronous=FULL` waits for the disk at each commit, and every write that
arrived while the commit before waited shares the next one.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import queue
import sqlite3
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from entendre.core.errors import InvalidInputError, OverloadedError, StoreError
from entendre.store.connection import Connection
from entendre.store.migrate import migrate, packaged_migrations

T = TypeVar("T")
Work = Callable[[Connection], T]

log = logging.getLogger(__name__)

MAX_BATCH = 256
"""Writes of one commit: bounds how long the first of them waits."""
MAX_WAITING = 10_000
"""Reads or writes that may wait at once; more are refused."""
BUSY_TIMEOUT_S = 5.0
"""How long to wait for another process (`entendre keys add`) that writes."""


@dataclass(slots=True)
class _Job:
    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]


_Outcome = tuple[_Job, Any, BaseException | None]


class Database:
    """One SQLite file, opened and migrated. Use from any number of event loops; close once."""

    def __init__(self, path: Path) -> None:
        """Open or make the file. Blocks. Raises: NewerDatabaseError, StoreError."""
        self.path = path
        self._writing, self._reading = _open(path)
        self._writes: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._reads: queue.SimpleQueue[_Job | None] = queue.SimpleQueue()
        self._closing = False
        self._threads = (
            threading.Thread(target=self._serve_writes, name="store-writer", daemon=True),
            threading.Thread(target=self._serve_reads, name="store-reader", daemon=True),
        )
        for thread in self._threads:
            thread.start()

    async def write(self, work: Work[T]) -> T:
        """Run `work` in a transaction of its own fate and return once it is on the disk.

        Raises: whatever `work` raises (its changes are undone), StoreError, OverloadedError.
        """
        return await self._submit(self._writes, work)

    async def read(self, work: Work[T]) -> T:
        """Run `work` on a connection that cannot write, in one consistent snapshot. Raises: as `write`."""
        return await self._submit(self._reads, work)

    async def close(self) -> None:
        """Finish what was accepted, move the log into the file and close it."""
        if self._closing:
            return
        self._closing = True
        self._writes.put(None)
        self._reads.put(None)
        for thread in self._threads:
            await asyncio.to_thread(thread.join)

    async def _submit(self, waiting: queue.SimpleQueue[_Job | None], work: Work[T]) -> T:
        if self._closing:
            raise StoreError("The database is closed.")
        if waiting.qsize() >= MAX_WAITING:
            raise OverloadedError("The database is busy. Try again.")
        loop = asyncio.get_running_loop()
        done: asyncio.Future[T] = loop.create_future()
        waiting.put(_Job(work, loop, done))
        return await done

    def _serve_writes(self) -> None:
        going = True
        while going:
            batch, going = _next_batch(self._writes)
            if batch:
                _deliver(_commit_together(self._writing, batch))
        with contextlib.suppress(sqlite3.Error):  # another process may hold the log; it is replayed at the next start
            self._writing.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self._writing.close()

    def _serve_reads(self) -> None:
        while (job := self._reads.get()) is not None:
            _deliver([_read_once(self._reading, job)])
        self._reading.close()


def _open(path: Path) -> tuple[sqlite3.Connection, sqlite3.Connection]:
    """A connection that writes, of a migrated database, and one that only reads."""
    with contextlib.ExitStack() as opened:
        try:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            path.touch(mode=0o600)  # what a household says and wants is nobody else's; the log takes the same mode
            writing = opened.enter_context(contextlib.closing(_connect(path)))
            migrate(writing, packaged_migrations())
            reading = opened.enter_context(contextlib.closing(_connect(path)))
            reading.execute("PRAGMA query_only = ON")
        except (sqlite3.Error, OSError) as error:
            raise StoreError("The database could not be opened.", detail=f"{path}: {error}") from error
        opened.pop_all()
    return writing, reading


def _connect(path: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def _next_batch(waiting: queue.SimpleQueue[_Job | None]) -> tuple[list[_Job], bool]:
    """Wait for one write, then take along what else waits; False at the end."""
    first = waiting.get()
    if first is None:
        return [], False
    batch = [first]
    while len(batch) < MAX_BATCH:
        try:
            job = waiting.get_nowait()
        except queue.Empty:
            break
        if job is None:
            return batch, False
        batch.append(job)
    return batch, True


def _commit_together(connection: sqlite3.Connection, batch: list[_Job]) -> list[_Outcome]:
    """Each write in a savepoint, all in one commit; a failed commit fails all of them."""
    try:
        connection.execute("BEGIN IMMEDIATE")
        outcomes = [_in_savepoint(connection, job) for job in batch]
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        _roll_back(connection)
        log.error("commit failed", extra={"writes": len(batch), "sqlite": _name_of(error)})
        return [(job, None, _store_error(error)) for job in batch]
    return outcomes


def _in_savepoint(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    connection.execute("SAVEPOINT one")
    try:
        result = job.work(connection)
    except BaseException as error:  # handed to the caller, who waits for it in another thread
        if not connection.in_transaction:  # a full disk ends the transaction of all
            raise sqlite3.OperationalError(str(error)) from error
        connection.execute("ROLLBACK TO one")
        connection.execute("RELEASE one")
        return job, None, _public(error)
    connection.execute("RELEASE one")
    return job, result, None


def _read_once(connection: sqlite3.Connection, job: _Job) -> _Outcome:
    try:
        connection.execute("BEGIN")
        return job, job.work(connection), None
    except BaseException as error:  # noqa: BLE001  handed to the caller, who waits for it in another thread
        return job, None, _public(error)
    finally:
        _roll_back(connection)


def _roll_back(connection: sqlite3.Connection) -> None:
    if connection.in_transaction:
        with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
            connection.execute("ROLLBACK")


def _deliver(outcomes: list[_Outcome]) -> None:
    """Wake the callers, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[_Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(outcomes: list[_Outcome]) -> None:
    for job, result, error in outcomes:
        if job.done.done():
            continue
        if error is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(error)


def _public(error: BaseException) -> BaseException:
    """The error that a caller gets."""
    if isinstance(error, UnicodeEncodeError):  # half a surrogate pair, which JSON can carry
        return InvalidInputError("The text is not valid Unicode.")
    return _store_error(error) if isinstance(error, sqlite3.Error) else error


def _store_error(error: sqlite3.Error) -> StoreError:
    return StoreError("The database refused.", detail=f"{_name_of(error)}: {error}")


def _name_of(error: BaseException) -> str:
    return str(getattr(error, "sqlite_errorname", type(error).__name__))
