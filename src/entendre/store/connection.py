"""A connection as the store's SQL sees it, whichever engine is behind it.

Statements are written once, in the SQL that SQLite and PostgreSQL share: `?` marks, `ON CONFLICT`, `RETURNING`, row
values. Booleans are kept as 0 and 1, documents as JSON texts, times as Unix seconds. A value has the type of its
column: an integer is no text, and text holds neither NUL nor half a surrogate pair.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Protocol

from entendre.core.home import HOME as HOME


class Cursor(Protocol):
    """What a statement returned. `rowcount`: rows that it wrote, -1 where that is not known."""

    @property
    def rowcount(self) -> int:
        """Rows that the statement wrote."""
        ...

    def fetchone(self) -> Any:
        """The next row as a tuple; None at the end."""
        ...

    def fetchall(self) -> list[Any]:
        """The rows that are left."""
        ...

    def __iter__(self) -> Iterator[Any]: ...


class Connection(Protocol):
    """A connection inside a transaction. Raises: StoreError by way of the database that runs the work."""

    def execute(self, sql: str, parameters: Sequence[Any] = (), /) -> Cursor:
        """Run one statement."""
        ...

    def executemany(self, sql: str, parameters: Iterable[Sequence[Any]], /) -> Cursor:
        """Run one statement for each row of parameters; `rowcount` adds them up."""
        ...

    def insert_many(self, table: str, columns: Sequence[str], rows: Sequence[Sequence[Any]], /) -> int:
        """Insert rows, except those whose key is there already; returns how many were new. The quickest way in."""
        ...

    def update_many(
        self, table: str, keys: Sequence[str], columns: Sequence[str], rows: Sequence[Sequence[Any]], /
    ) -> int:
        """Set columns of rows that keys name, each with values of its own: a row is the keys', then the columns'.

        No two name the same row. Returns how many were there.
        """
        ...
