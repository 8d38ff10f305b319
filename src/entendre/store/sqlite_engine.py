"""One SQLite file: WAL, and commits that wait for the disk."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from entendre.core.errors import StoreError
from entendre.store.connection import Connection
from entendre.store.engine import BUSY_TIMEOUT_S, Session, refusal, unclean_input
from entendre.store.migrate import Migration, migrate_sqlite, packaged_migrations
from entendre.store.sqlite_statistics import assume_statistics
from entendre.store.tables import Kind, TableShape, parents_first

CHECKPOINT_TRIES = 5
"""Each waits `BUSY_TIMEOUT_S` for readers."""
READERS = 2
"""Threads that read, so that one long export does not hold up a turn."""


class SqliteConnection(sqlite3.Connection):
    """A `Connection` of the store."""

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> int:
        """As `Connection.insert_many`."""
        marks = ", ".join("?" for _ in columns)
        sql = f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        return self.executemany(sql, rows).rowcount

    def update_many(
        self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]], /
    ) -> int:
        """As `Connection.update_many`."""
        sets = ", ".join(f"{column} = ?" for column in columns)
        own = " AND ".join(f"{key} = ?" for key in keys)
        count = len(keys)
        turned = [(*row[count:], *row[:count]) for row in rows]
        return self.executemany(f"UPDATE {table} SET {sets} WHERE {own}", turned).rowcount


class SqliteSession:
    """Implements `Session`."""

    errors = sqlite3.Error
    savepoints_are_cheap = True

    def __init__(self, path: Path, *, writes: bool) -> None:
        self.connection = connect(path)
        self._writes = writes
        self._begin = "BEGIN IMMEDIATE" if writes else "BEGIN"
        if not writes:
            self.connection.execute("PRAGMA query_only = ON")

    def begin(self) -> None:
        """As `Session.begin`."""
        self.connection.execute(self._begin)

    def commit(self) -> None:
        """As `Session.commit`."""
        self.connection.execute("COMMIT")

    def roll_back(self) -> None:
        """As `Session.roll_back`."""
        if self.connection.in_transaction:
            with contextlib.suppress(sqlite3.Error):  # SQLite has rolled back by itself
                self.connection.execute("ROLLBACK")

    def set_savepoint(self) -> None:
        """As `Session.set_savepoint`."""
        self.connection.execute("SAVEPOINT one")

    def release_savepoint(self) -> None:
        """As `Session.release_savepoint`."""
        self.connection.execute("RELEASE one")

    def return_to_savepoint(self) -> None:
        """As `Session.return_to_savepoint`."""
        self.connection.execute("ROLLBACK TO one")
        self.connection.execute("RELEASE one")

    def watch(self) -> None:
        """As `Session.watch`."""

    def is_untouched(self) -> bool:
        """As `Session.is_untouched`."""
        return False

    def is_spoilt(self) -> bool:
        """As `Session.is_spoilt`."""
        return not self.connection.in_transaction

    def is_lost(self, error: BaseException) -> bool:
        """As `Session.is_lost`."""
        return False

    def scrub(self, tables: Sequence[str]) -> None:
        """As `Session.scrub`: the whole file is written anew, since pages hold copies of what was moved inside them.

        The log is emptied too. A read that holds it up makes this wait.
        """
        self.connection.execute("VACUUM")
        for _ in range(CHECKPOINT_TRIES):
            busy = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            if not busy:
                return
        raise sqlite3.OperationalError("the log is being read")

    def close(self) -> None:
        """As `Session.close`."""
        if self._writes:
            with contextlib.suppress(sqlite3.Error):  # another process may hold the log; the next start replays it
                self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        self.connection.close()


class SqliteEngine:
    """Implements `Engine`."""

    name = "sqlite"
    readers = READERS

    def __init__(self, path: Path) -> None:
        self.path = path

    def prepare(self, migrations: Sequence[Migration] = ()) -> None:
        """As `Engine.prepare`."""
        try:
            self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.touch(mode=0o600)  # what a household says is nobody else's; the log takes the same mode
            with contextlib.closing(connect(self.path)) as connection:
                migrate_sqlite(connection, migrations or packaged_migrations())
                assume_statistics(connection)
        except (sqlite3.Error, OSError) as error:
            raise self._unopened(error) from error

    def look(self) -> str:
        """As `Engine.look`."""
        return f"SQLite {sqlite3.sqlite_version}, {self.path}"

    def writer(self) -> Session:
        """As `Engine.writer`."""
        return self._session(writes=True)

    def reader(self) -> Session:
        """As `Engine.reader`."""
        return self._session(writes=False)

    def tables(self, connection: Connection) -> tuple[TableShape, ...]:
        """As `Engine.tables`."""
        sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"
        return parents_first([_shape(connection, name) for (name,) in connection.execute(sql).fetchall()])

    @contextlib.contextmanager
    def rebuilding(self, connection: Connection) -> Iterator[None]:
        """As `Engine.rebuilding`."""
        triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        for name, _ in triggers:
            connection.execute(f"DROP TRIGGER {name}")
        yield
        for _, sql in triggers:
            connection.execute(sql)

    def last_number(self, connection: Connection, table: str) -> int:
        """As `Engine.last_number`."""
        found = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
        return 0 if found is None else int(found[0])

    def count_on_from(self, connection: Connection, table: str, number: int) -> None:
        """As `Engine.count_on_from`."""
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (table,))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (table, number))

    def explained(self, error: BaseException) -> BaseException:
        """As `Engine.explained`."""
        if isinstance(error, sqlite3.Error):
            return refusal(str(getattr(error, "sqlite_errorname", type(error).__name__)), error)
        return unclean_input(error) or error

    def _session(self, *, writes: bool) -> SqliteSession:
        try:
            return SqliteSession(self.path, writes=writes)
        except (sqlite3.Error, OSError) as error:
            raise self._unopened(error) from error

    def _unopened(self, error: Exception) -> StoreError:
        return StoreError("The database could not be opened.", detail=f"{self.path}: {error}")


_KINDS: dict[str, Kind] = {"INTEGER": "integer", "REAL": "real", "TEXT": "text", "BLOB": "blob"}


def _shape(connection: Connection, table: str) -> TableShape:
    columns = connection.execute(f"PRAGMA table_info({table})").fetchall()
    parents = connection.execute(f"PRAGMA foreign_key_list({table})").fetchall()
    key = sorted((row[5], row[1]) for row in columns if row[5])
    return TableShape(
        table,
        tuple(row[1] for row in columns),
        tuple(_KINDS[row[2]] for row in columns),
        tuple(name for _, name in key),
        frozenset(row[2] for row in parents),
    )


def connect(path: Path) -> SqliteConnection:
    """A connection whose commits are durable and whose foreign keys hold. Raises: sqlite3.Error."""
    options: dict[str, Any] = {"isolation_level": None, "check_same_thread": False, "factory": SqliteConnection}
    connection: SqliteConnection = sqlite3.connect(path, timeout=BUSY_TIMEOUT_S, **options)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA secure_delete = ON")
    return connection
