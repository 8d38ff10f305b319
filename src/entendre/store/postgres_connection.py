"""Statements on a connection of PostgreSQL, by libpq as psycopg wraps it (`psycopg.pq`).

psycopg's cursors adapt any type of either side and wait in Python; tables here keep five, and a thread may wait in
libpq. That takes a third of the time for each statement, of which a commit waits for many.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import psycopg
from psycopg import abc, pq
from psycopg.adapt import Loader, Transformer

from entendre.core.errors import InvalidInputError

MAX_PREPARED = 500
PREPARED_FROM = 3
"""Uses of a statement after which it is prepared; those with lists of any length seldom come again."""
MAX_COUNTED = 5_000
NUL = "Text must not contain NUL characters."
LARGE = "A number is too large."

_PIECE = re.compile(r"'(?:[^']|'')*'|\?(\d*)(\s+IS\s+(?:NOT\s+)?NULL)?")
_UNKNOWN, _BYTEA, _INT8, _INT4, _FLOAT8 = 0, 17, 20, 23, 701
_DONE = (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK)

Statement = tuple[bytes, tuple[int, ...]]


class PostgresRows:
    """A `Cursor` of the store over what a statement returned."""

    __slots__ = ("_next", "_result", "_rows", "_transformer", "_written")

    def __init__(self, result: pq.abc.PGresult, transformer: abc.Transformer) -> None:
        self._result = result
        self._transformer = transformer
        self._rows: list[Any] | None = None
        self._next = 0
        self._written = result.command_tuples

    @property
    def rowcount(self) -> int:
        """As `Cursor.rowcount`."""
        return -1 if self._written is None else self._written

    def fetchone(self) -> Any:
        """As `Cursor.fetchone`."""
        rows = self._all()
        if self._next >= len(rows):
            return None
        self._next += 1
        return rows[self._next - 1]

    def fetchall(self) -> list[Any]:
        """As `Cursor.fetchall`."""
        rows = self._all()[self._next :]
        self._next += len(rows)
        return rows

    def __iter__(self) -> Iterator[Any]:
        while (row := self.fetchone()) is not None:
            yield row

    def _all(self) -> list[Any]:
        if self._rows is None:
            if self._result.ntuples:
                self._transformer.set_pgresult(self._result)
                self._rows = self._transformer.load_rows(0, self._result.ntuples, tuple)
            else:
                self._rows = []
        return self._rows


class PostgresConnection:
    """A `Connection` of the store. `wrote`: whether a statement since it was reset may have changed something."""

    def __init__(self, raw: psycopg.Connection[Any]) -> None:
        raw.adapters.register_loader("numeric", _NumberLoader)
        self.raw = raw
        self.wrote = False
        self._link = raw.pgconn
        self._transformer: abc.Transformer = Transformer(raw)
        self._prepared: dict[Statement, bytes] = {}
        self._uses: dict[Statement, int] = {}
        self._kinds: dict[tuple[str, tuple[str, ...]], tuple[str, ...]] = {}

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> PostgresRows:
        """As `Connection.execute`."""
        query, writes = translated(sql)
        self.wrote |= writes
        return self._run(query, parameters)

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> psycopg.Cursor[Any]:
        """As `Connection.executemany`."""
        query, _ = translated(sql)
        self.wrote = True
        cursor = self.raw.cursor()
        cursor.executemany(query, [_plain(row) for row in parameters])
        return cursor

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> int:
        """As `Connection.insert_many`: one array for each column."""
        if not rows:
            return 0
        arrays, values = self._arrays(table, tuple(columns), rows)
        query = f"INSERT INTO {table} ({', '.join(columns)}) SELECT * FROM unnest({arrays}) ON CONFLICT DO NOTHING"
        self.wrote = True
        return self._run(query.encode(), values).rowcount

    def update_many(
        self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]], /
    ) -> int:
        """As `Connection.update_many`."""
        if not rows:
            return 0
        names = (*keys, *columns)
        arrays, values = self._arrays(table, names, rows)
        sets = ", ".join(f"{column} = new.{column}" for column in columns)
        own = " AND ".join(f"old.{key} = new.{key}" for key in keys)
        query = f"UPDATE {table} old SET {sets} FROM unnest({arrays}) AS new ({', '.join(names)}) WHERE {own}"
        self.wrote = True
        return self._run(query.encode(), values).rowcount

    def plainly(self, sql: str) -> str:
        """Run statements without parameters; returns what the last one says it did. Raises: psycopg.Error."""
        return (self._checked(self._link.exec_(sql.encode())).command_status or b"").decode()

    def _run(self, query: bytes, parameters: Sequence[Any]) -> PostgresRows:
        values: list[Any] = []
        kinds: list[int] = []
        for value in parameters:
            text, kind = _encoded(value)
            values.append(text)
            kinds.append(kind)
        statement = (query, tuple(kinds))
        name = self._prepared.get(statement) or self._prepare(statement)
        if name:
            result = self._link.exec_prepared(name, values)
        else:
            result = self._link.exec_params(query, values, kinds)
        return PostgresRows(self._checked(result), self._transformer)

    def _prepare(self, statement: Statement) -> bytes:
        """Prepare a statement that was used before; an empty name if it was seldom."""
        uses = self._uses.get(statement, 0) + 1
        if len(self._uses) >= MAX_COUNTED:
            self._uses.clear()
        self._uses[statement] = uses
        if uses < PREPARED_FROM or len(self._prepared) >= MAX_PREPARED:
            return b""
        name = f"s{len(self._prepared)}".encode()
        self._checked(self._link.prepare(name, *statement))
        self._prepared[statement] = name
        return name

    def _checked(self, result: pq.abc.PGresult) -> pq.abc.PGresult:
        if result.status not in _DONE:
            raise psycopg.errors.error_from_result(result, encoding="utf-8")
        return result

    def _arrays(self, table: str, columns: tuple[str, ...], rows: Sequence[Sequence[Any]]) -> tuple[str, list[str]]:
        """Marks of arrays, one for each column, and those arrays."""
        kinds = self._kinds_of(table, columns)
        values = [_array(kind, column) for kind, column in zip(kinds, zip(*rows, strict=True), strict=True)]
        return ", ".join(f"${number}::{kind}[]" for number, kind in enumerate(kinds, 1)), values

    def _kinds_of(self, table: str, columns: tuple[str, ...]) -> tuple[str, ...]:
        if (table, columns) not in self._kinds:
            sql = (
                "SELECT attname::text, format_type(atttypid, atttypmod) FROM pg_attribute"
                " WHERE attrelid = ?::regclass AND attnum > 0 AND NOT attisdropped"
            )
            found = dict(self.execute(sql, (table,)).fetchall())
            self._kinds[table, columns] = tuple(found[column] for column in columns)
        return self._kinds[table, columns]


@lru_cache(maxsize=2_000)
def translated(sql: str) -> tuple[bytes, bool]:
    """A statement with numbered marks, and whether it may write. Of `? IS NULL` nobody could tell the type."""
    number = 0

    def numbered(piece: re.Match[str]) -> str:
        nonlocal number
        if piece[0].startswith("'"):
            return piece[0]
        number += 1
        mark = f"${piece[1] or number}"
        return f"{mark}::text{piece[2]}" if piece[2] else mark

    return _PIECE.sub(numbered, sql).encode(), not sql.lstrip().upper().startswith("SELECT")


def _encoded(value: Any) -> tuple[bytes | None, int]:
    """A value as PostgreSQL reads it, and its type; the type of texts is what they stand for."""
    if isinstance(value, str):
        if "\x00" in value:
            raise InvalidInputError(NUL)
        return value.encode(), _UNKNOWN
    if value is None:
        return None, _UNKNOWN
    if isinstance(value, int):
        if -(2**31) <= value < 2**31:
            return b"%d" % value, _INT4
        if not -(2**63) <= value < 2**63:
            raise InvalidInputError(LARGE)
        return b"%d" % value, _INT8
    if isinstance(value, float):
        return repr(value).encode(), _FLOAT8
    if isinstance(value, bytes | bytearray | memoryview):
        return b"\\x" + bytes(value).hex().encode(), _BYTEA
    raise TypeError(f"a {type(value).__name__} is no value of a table")


def _plain(row: Sequence[Any]) -> list[Any]:
    """Values for psycopg, refused as `_encoded` refuses them."""
    values = []
    for value in row:
        if isinstance(value, str) and "\x00" in value:
            raise InvalidInputError(NUL)
        values.append(int(value) if isinstance(value, bool) else value)
    return values


class _NumberLoader(Loader):
    """Sums of integers are `numeric`; SQLite gives integers."""

    def load(self, data: Any) -> int | float:
        text = bytes(data)
        return int(text) if text.lstrip(b"-").isdigit() else float(text)


def _array(kind: str, values: Sequence[Any]) -> str:
    """An array as PostgreSQL reads it."""
    if kind == "text":
        return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"
    if kind == "bytea":
        return "{" + ",".join("NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values) + "}"
    return "{" + ",".join("NULL" if value is None else repr(value + 0) for value in values) + "}"  # + 0: True is 1


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
