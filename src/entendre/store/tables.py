"""The tables of a database as they are, whichever engine holds them: for what moves all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Any, Literal

from entendre.store.connection import Connection

Kind = Literal["integer", "real", "text", "blob"]

PAGE_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class TableShape:
    """One table. `parents`: tables that its foreign keys name. `counts`: its key is a number that the engine gives."""

    name: str
    columns: tuple[str, ...]
    kinds: tuple[Kind, ...]
    key: tuple[str, ...]
    parents: frozenset[str] = frozenset()

    @property
    def counts(self) -> bool:
        """Whether the engine numbers its rows, in the order of the commits."""
        return self.key == ("seq",)


def parents_first(tables: Iterable[TableShape]) -> tuple[TableShape, ...]:
    """The tables in an order in which rows can be inserted."""
    by_name = {table.name: table for table in sorted(tables, key=lambda each: each.name)}
    order = TopologicalSorter({name: sorted(table.parents - {name}) for name, table in by_name.items()})
    return tuple(by_name[name] for name in order.static_order())


def pages(connection: Connection, table: TableShape) -> Iterator[list[Any]]:
    """Every row in the order of the key, some at a time; the transaction must be a snapshot."""
    names, key = ", ".join(table.columns), ", ".join(table.key)
    marks = ", ".join("?" for _ in table.key)
    where = [table.columns.index(column) for column in table.key]
    first = f"SELECT {names} FROM {table.name} ORDER BY {key} LIMIT ?"
    later = f"SELECT {names} FROM {table.name} WHERE ({key}) > ({marks}) ORDER BY {key} LIMIT ?"
    rows = connection.execute(first, (PAGE_ROWS,)).fetchall()
    while rows:
        yield rows
        after = [rows[-1][index] for index in where]
        rows = connection.execute(later, (*after, PAGE_ROWS)).fetchall() if len(rows) == PAGE_ROWS else []


def count(connection: Connection, table: TableShape) -> int:
    """How many rows a table has."""
    return int(connection.execute(f"SELECT count(*) FROM {table.name}").fetchone()[0])
