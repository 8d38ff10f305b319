"""PostgreSQL 15 or newer, by psycopg (extra `postgres`).

Writers of all processes are serial: each transaction that writes holds one advisory lock from its beginning until its
commit is visible. So a work that reads and then writes sees what it would see on SQLite, and the numbers (`seq`) of the
change feed are in the order of the commits.
"""

from __future__ import annotations

import contextlib
import zlib
from collections.abc import Iterator, Sequence
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from entendre.core.errors import ConfigurationError, InvalidInputError, StoreError
from entendre.store.connection import Connection
from entendre.store.engine import BUSY_TIMEOUT_S, Session, refusal, unclean_input
from entendre.store.migrate import Migration, as_postgresql, packaged_migrations, still_to_apply, upgrade_failed
from entendre.store.postgres_connection import LARGE, NUL, PostgresConnection
from entendre.store.tables import Kind, TableShape, parents_first

READERS = 4
OLDEST_VERSION = 150_000
CONNECT_TIMEOUT_S = 5
STATEMENT_TIMEOUT_S = 60
"""Bounds a statement of a write; one that reads, as an export does, may take `READ_TIMEOUT_S`."""
READ_TIMEOUT_S = 300
IDLE_TIMEOUT_S = 30
"""How long a transaction that writes may stand still: a process that was stopped lets go of the lock then."""
MIGRATION_TIMEOUT_S = 3_600
MIGRATION_WAIT_S = 300
SERVING_WAIT_S = 10.0
"""How long a server waits for the one before it, whose connection the database has not missed yet."""
MOST_REWRITTEN_BYTES = 256 * 1024 * 1024
"""Largest table that an erasure writes anew: nobody reads or writes it for the seconds that this takes."""

LOCKS = 0x456E_7464
"""First half of our advisory locks; the second says which."""
WRITING, MIGRATING = 1, 2

_LOST_STATES = frozenset({"57P01", "57P02", "57P03", "57P05", "25P03", "25P04"})
"""The server ends or restarts, or has ended this session."""
_STANDBY = "25006"
"""A server that was the primary before, and no longer writes."""
_OPTIONS = {
    "connect_timeout": CONNECT_TIMEOUT_S,
    "client_encoding": "utf8",
    "application_name": "entendre",
    "target_session_attrs": "read-write",
    "keepalives_idle": 15,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 30_000,
}


class PostgresSession:
    """Implements `Session`."""

    errors: type[Exception] = psycopg.Error
    savepoints_are_cheap = False

    def __init__(self, raw: psycopg.Connection[Any], *, writes: bool) -> None:
        self._raw = raw
        self._writes = writes
        self.connection = PostgresConnection(raw)
        self._begin = (
            f"BEGIN; SELECT pg_advisory_xact_lock({LOCKS}, {WRITING})"
            if writes
            else "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"
        )

    def begin(self) -> None:
        """As `Session.begin`."""
        self.connection.plainly(self._begin)

    def commit(self) -> None:
        """As `Session.commit`. PostgreSQL answers the COMMIT of a failed transaction with ROLLBACK, and no error."""
        if self.connection.plainly("COMMIT") != "COMMIT":
            raise psycopg.InternalError("a work went on after one of its statements had failed")

    def roll_back(self) -> None:
        """As `Session.roll_back`."""
        if self._raw.info.transaction_status != TransactionStatus.IDLE:
            with contextlib.suppress(psycopg.Error):
                self.connection.plainly("ROLLBACK")

    def set_savepoint(self) -> None:
        """As `Session.set_savepoint`."""
        self.connection.plainly("SAVEPOINT one")

    def release_savepoint(self) -> None:
        """As `Session.release_savepoint`."""
        self.connection.plainly("RELEASE one")

    def return_to_savepoint(self) -> None:
        """As `Session.return_to_savepoint`."""
        self.connection.plainly("ROLLBACK TO one; RELEASE one")

    def watch(self) -> None:
        """As `Session.watch`."""
        self.connection.wrote = False

    def is_untouched(self) -> bool:
        """As `Session.is_untouched`."""
        return not self.connection.wrote and self._raw.info.transaction_status == TransactionStatus.INTRANS

    def is_spoilt(self) -> bool:
        """As `Session.is_spoilt`."""
        return self._raw.info.transaction_status not in (TransactionStatus.INTRANS, TransactionStatus.INERROR)

    def is_lost(self, error: BaseException) -> bool:
        """As `Session.is_lost`."""
        if self._raw.closed:
            return True
        state = error.sqlstate if isinstance(error, psycopg.Error) else None
        return state in _LOST_STATES or (self._writes and state == _STANDBY)

    def scrub(self, tables: Sequence[str]) -> None:
        """As `Session.scrub`: tables are written anew up to a size; of larger ones the room is freed for new rows.

        Files of the log (WAL) keep what was written until the server uses them again.
        """
        try:
            self._raw.execute("SET statement_timeout = 0")
            for table in tables:
                self._scrub_table(table)
            with contextlib.suppress(psycopg.Error):  # only a superuser may; the server does it by itself later
                self._raw.execute("CHECKPOINT")
        finally:
            with contextlib.suppress(psycopg.Error):
                self._raw.execute(f"SET statement_timeout = {STATEMENT_TIMEOUT_S * 1000}")

    def _scrub_table(self, table: str) -> None:
        found = self._raw.execute("SELECT pg_total_relation_size($1::regclass)", (table,)).fetchone()
        if found is not None and found[0] <= MOST_REWRITTEN_BYTES:
            try:
                self._raw.execute(f"VACUUM (FULL, ANALYZE) {table}")
                return
            except psycopg.errors.LockNotAvailable:
                pass  # somebody reads it for long
        self._raw.execute(f"VACUUM (ANALYZE) {table}")

    def close(self) -> None:
        """As `Session.close`."""
        with contextlib.suppress(psycopg.Error):
            self._raw.close()


class PostgresEngine:
    """Implements `Engine`. `serving`: the region whose only server this is."""

    name = "postgresql"
    readers = READERS

    def __init__(self, url: str, serving: str | None = None) -> None:
        self._url = url
        self._serving = serving
        self._served_before = False

    def prepare(self, migrations: Sequence[Migration] = ()) -> None:
        """As `Engine.prepare`."""
        try:
            with contextlib.closing(self._connect(MIGRATION_TIMEOUT_S, MIGRATION_WAIT_S)) as raw:
                _check(raw)
                migrate_postgresql(raw, migrations or packaged_migrations())
        except psycopg.Error as error:
            raise _unreachable(error) from error

    def look(self) -> str:
        """As `Engine.look`."""
        try:
            with contextlib.closing(self._connect(STATEMENT_TIMEOUT_S, BUSY_TIMEOUT_S)) as raw:
                _check(raw)
                number = raw.info.server_version
                return f"PostgreSQL {number // 10_000}.{number % 10_000} answers, database {raw.info.dbname}"
        except psycopg.Error as error:
            raise _unreachable(error) from error

    def writer(self) -> Session:
        """As `Engine.writer`. Raises: ConfigurationError when another server writes this region."""
        try:
            raw = self._connect(STATEMENT_TIMEOUT_S, BUSY_TIMEOUT_S)
            self._take_region(raw)
        except psycopg.Error as error:
            raise _unreachable(error) from error
        return PostgresSession(raw, writes=True)

    def reader(self) -> Session:
        """As `Engine.reader`."""
        try:
            return PostgresSession(self._connect(READ_TIMEOUT_S, BUSY_TIMEOUT_S, READ_TIMEOUT_S), writes=False)
        except psycopg.Error as error:
            raise _unreachable(error) from error

    def tables(self, connection: Connection) -> tuple[TableShape, ...]:
        """As `Engine.tables`."""
        return parents_first(_shape(*row) for row in connection.execute(_TABLES).fetchall())

    @contextlib.contextmanager
    def rebuilding(self, connection: Connection) -> Iterator[None]:
        """As `Engine.rebuilding`."""
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
        connection.execute("ALTER TABLE audit DISABLE TRIGGER USER")
        yield
        connection.execute("ALTER TABLE audit ENABLE TRIGGER USER")

    def last_number(self, connection: Connection, table: str) -> int:
        """As `Engine.last_number`."""
        sql = "SELECT coalesce(pg_sequence_last_value(pg_get_serial_sequence(?, 'seq')), 0)"
        return int(connection.execute(sql, (table,)).fetchone()[0])

    def count_on_from(self, connection: Connection, table: str, number: int) -> None:
        """As `Engine.count_on_from`."""
        connection.execute("SELECT setval(pg_get_serial_sequence(?, 'seq'), ?)", (table, max(number, 1)))

    def explained(self, error: BaseException) -> BaseException:
        """As `Engine.explained`. The message alone: its detail holds values of rows."""
        if isinstance(error, psycopg.DataError) and (error.sqlstate is None or error.sqlstate == "22003"):
            return InvalidInputError(LARGE if error.sqlstate else NUL)
        if isinstance(error, psycopg.Error):
            return refusal(error.sqlstate or type(error).__name__, error.diag.message_primary or error)
        return unclean_input(error) or error

    def _connect(
        self, statement_timeout_s: float, lock_timeout_s: float, idle_timeout_s: float = IDLE_TIMEOUT_S
    ) -> psycopg.Connection[Any]:
        given = psycopg.conninfo.conninfo_to_dict(self._url)
        options: dict[str, Any] = {name: value for name, value in _OPTIONS.items() if name not in given}
        raw = psycopg.connect(self._url, autocommit=True, cursor_factory=psycopg.RawCursor, **options)
        raw.execute(
            f"SET statement_timeout = {round(statement_timeout_s * 1000)};"
            f" SET lock_timeout = {round(lock_timeout_s * 1000)};"
            f" SET idle_in_transaction_session_timeout = {round(idle_timeout_s * 1000)};"
            " SET synchronous_commit = on"
        )
        return raw

    def _take_region(self, raw: psycopg.Connection[Any]) -> None:
        """Hold the lock of the region as long as this session lives, which alone writes for this server."""
        if self._serving is None:
            return
        wait_s = BUSY_TIMEOUT_S if self._served_before else SERVING_WAIT_S
        try:
            raw.execute(f"SET lock_timeout = {round(wait_s * 1000)}")
            raw.execute("SELECT pg_advisory_lock($1, $2)", (LOCKS, _number_of(self._serving)))
            raw.execute(f"SET lock_timeout = {round(BUSY_TIMEOUT_S * 1000)}")
        except psycopg.errors.LockNotAvailable:
            raw.close()
            taken = f"Another server writes the region {self._serving} of this database."
            if self._served_before:
                raise StoreError(taken) from None
            raise ConfigurationError(f"{taken} Stop it, or choose another region.") from None
        self._served_before = True


def migrate_postgresql(raw: psycopg.Connection[Any], migrations: Sequence[Migration]) -> int:
    """As `migrate_sqlite`; processes that start together wait for the one that migrates."""
    raw.execute(f"SELECT pg_advisory_lock({LOCKS}, {MIGRATING})")
    try:
        raw.execute("CREATE TABLE IF NOT EXISTS schema_number (number BIGINT NOT NULL)")
        found = raw.execute("SELECT coalesce(max(number), 0) FROM schema_number").fetchone()[0]  # type: ignore[index]
        waiting = still_to_apply(found, migrations)
        for migration in waiting:
            try:
                with raw.transaction():
                    raw.execute(as_postgresql(migration.sql))
                    raw.execute("DELETE FROM schema_number")
                    raw.execute("INSERT INTO schema_number (number) VALUES ($1)", (migration.number,))
            except psycopg.Error as error:
                raise upgrade_failed(migration, error) from error
        return len(waiting)
    finally:
        with contextlib.suppress(psycopg.Error):
            raw.execute(f"SELECT pg_advisory_unlock({LOCKS}, {MIGRATING})")


_KINDS: dict[str, Kind] = {"bigint": "integer", "double precision": "real", "text": "text", "bytea": "blob"}
_TABLES = """
SELECT t.relname::text,
    array(SELECT a.attname::text FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
    array(SELECT format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
        WHERE a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attnum),
    array(SELECT a.attname::text FROM pg_index i CROSS JOIN unnest(i.indkey) WITH ORDINALITY k(attnum, place)
        JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum = k.attnum
        WHERE i.indrelid = t.oid AND i.indisprimary ORDER BY k.place),
    array(SELECT c.confrelid::regclass::text FROM pg_constraint c WHERE c.conrelid = t.oid AND c.contype = 'f')
FROM pg_class t WHERE t.relkind = 'r' AND t.relnamespace = current_schema()::regnamespace
    AND t.relname <> 'schema_number'
"""


def _shape(name: str, columns: list[str], kinds: list[str], key: list[str], parents: list[str]) -> TableShape:
    return TableShape(name, tuple(columns), tuple(_KINDS[kind] for kind in kinds), tuple(key), frozenset(parents))


def _number_of(region: str) -> int:
    """A lock's number for a region; below 100 are our own."""
    return 100 + zlib.crc32(region.encode()) % (2**31 - 100)


def _check(raw: psycopg.Connection[Any]) -> None:
    if raw.info.server_version < OLDEST_VERSION:
        raise ConfigurationError(f"PostgreSQL {OLDEST_VERSION // 10_000} or newer is needed.")
    if raw.info.parameter_status("server_encoding") != "UTF8":
        raise ConfigurationError("The database must be encoded in UTF8: CREATE DATABASE … ENCODING 'UTF8'.")


def _unreachable(error: psycopg.Error) -> StoreError:
    return StoreError("The database can't be reached.", detail=str(error))
