"""What stands under a database: SQLite or PostgreSQL, as sessions of which each belongs to one thread."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeVar

from entendre.core.errors import InvalidInputError, StoreError
from entendre.store.connection import Connection
from entendre.store.migrate import Migration
from entendre.store.tables import TableShape

T = TypeVar("T")
Work = Callable[[Connection], T]

BUSY_TIMEOUT_S = 5.0
"""How long a write waits for another process (`entendre keys add`) that writes."""


class ConnectionLostError(StoreError):
    """The connection broke before anything was committed: what ran in it did not happen.

    `began`: whether a work may have broken it.
    """

    def __init__(self, reason: BaseException, *, began: bool) -> None:
        super().__init__("The database can't be reached. Try again.", detail=str(reason))
        self.began = began


class Session(Protocol):
    """A connection of one thread. Reading sessions cannot write and see one snapshot from `begin` on.

    Its own errors (`errors`) come out of every method and of works.
    """

    @property
    def errors(self) -> type[Exception]:
        """The root of the engine's own errors."""
        ...

    @property
    def connection(self) -> Connection:
        """What works run on."""
        ...

    @property
    def savepoints_are_cheap(self) -> bool:
        """Whether one may be set for every work."""
        ...

    def begin(self) -> None:
        """Start a transaction; a writing one waits until no other process writes."""
        ...

    def commit(self) -> None:
        """Durable when it returns. Raises also when the engine undid the transaction instead."""
        ...

    def roll_back(self) -> None:
        """Undo the transaction, if there is one; never raises."""
        ...

    def set_savepoint(self) -> None:
        """Remember this place in the transaction."""
        ...

    def release_savepoint(self) -> None:
        """Keep what was done since the savepoint."""
        ...

    def return_to_savepoint(self) -> None:
        """Undo what was done since the savepoint, and forget it."""
        ...

    def watch(self) -> None:
        """From here on, note whether something is written."""
        ...

    def is_untouched(self) -> bool:
        """Whether nothing was written, or went wrong, since `watch`."""
        ...

    def is_spoilt(self) -> bool:
        """Whether what went wrong ended the whole transaction, as a full disk does in SQLite."""
        ...

    def is_lost(self, error: BaseException) -> bool:
        """Whether an error means that the connection is gone."""
        ...

    def scrub(self, tables: Sequence[str]) -> None:
        """Overwrite what deleted rows of these tables left in the database's files; outside a transaction."""
        ...

    def close(self) -> None:
        """Let go of the connection; never raises."""
        ...


class Engine(Protocol):
    """One database, not opened yet."""

    @property
    def name(self) -> str:
        """ "sqlite" or "postgresql"."""
        ...

    @property
    def readers(self) -> int:
        """How many threads read."""
        ...

    def prepare(self, migrations: Sequence[Migration] = ()) -> None:
        """Make it if it can be made, and bring its schema up to date, or to the last of these migrations.

        Raises: NewerDatabaseError, StoreError.
        """
        ...

    def look(self) -> str:
        """What answers there, in words; changes nothing. Raises: StoreError."""
        ...

    def writer(self) -> Session:
        """A session that writes. Raises: StoreError."""
        ...

    def reader(self) -> Session:
        """A session that reads. Raises: StoreError."""
        ...

    def tables(self, connection: Connection) -> tuple[TableShape, ...]:
        """Every table, parents first."""
        ...

    def rebuilding(self, connection: Connection) -> AbstractContextManager[None]:
        """Within it, and a transaction that writes, rows that are only ever added may go, and nothing is hurried."""
        ...

    def last_number(self, connection: Connection, table: str) -> int:
        """The last number that the engine gave to a row of a table that counts."""
        ...

    def count_on_from(self, connection: Connection, table: str, number: int) -> None:
        """Have the next row of a table that counts numbered higher than that."""
        ...

    def explained(self, error: BaseException) -> BaseException:
        """The error that a caller gets for one of a work."""
        ...


def unclean_input(error: BaseException) -> InvalidInputError | None:
    """The error of a caller whose values no database keeps."""
    if isinstance(error, UnicodeEncodeError):  # half a surrogate pair, which JSON can carry
        return InvalidInputError("The text is not valid Unicode.")
    if isinstance(error, OverflowError):
        return InvalidInputError("A number is too large.")
    return None


def refusal(name: str, message: Any) -> StoreError:
    """The error of a statement that the engine refused; `name` is the engine's name for it."""
    return StoreError("The database refused.", detail=f"{name}: {message}")
