"""Rows of the ports as rows of tables: columns are named as the fields are."""

from __future__ import annotations

import json
from dataclasses import fields
from typing import Any

from entendre.core.errors import ConflictError
from entendre.ports import ItemRow, JobRow, ListRow, RingRow
from entendre.store.connection import Connection

Versioned = JobRow | RingRow | ListRow

TABLES: dict[type[Versioned], str] = {JobRow: "jobs", RingRow: "rings", ListRow: "lists"}
_COLUMNS = {kind: tuple(field.name for field in fields(kind)) for kind in (JobRow, RingRow, ListRow, ItemRow)}
_AS_JSON = frozenset({"days", "names"})
_AS_BOOL = frozenset({"enabled", "done", "reported"})


def save_versioned(connection: Connection, region: str, household: str, row: Versioned) -> None:
    """Insert a row of version 0, or update the row of the same version; it gets the next version.

    Raises: ConflictError when the stored row has another version, or another row takes its place.
    """
    columns = _COLUMNS[type(row)]
    values = [_stored(row, column) for column in columns]
    values[columns.index("version")] = row.version + 1
    table = TABLES[type(row)]
    if row.version == 0:
        marks = ", ".join("?" for _ in range(len(columns) + 2))
        names = f"region, household, {', '.join(columns)}"
        statement = f"INSERT INTO {table} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"
        cursor = connection.execute(statement, [region, household, *values])
    else:
        sets = ", ".join(f"{column} = ?" for column in columns)
        statement = f"UPDATE {table} SET {sets} WHERE region = ? AND household = ? AND id = ? AND version = ?"
        cursor = connection.execute(statement, [*values, region, household, row.id, row.version])
    if cursor.rowcount != 1:
        raise ConflictError("That was changed meanwhile.", detail=f"{table} {row.id} is not at version {row.version}")


def save_item(connection: Connection, region: str, household: str, row: ItemRow) -> None:
    """Insert or replace an item of a list whose version the same change guards."""
    columns = _COLUMNS[ItemRow]
    marks = ", ".join("?" for _ in range(len(columns) + 2))
    values = [region, household, *(_stored(row, column) for column in columns)]
    sets = ", ".join(f"{column} = excluded.{column}" for column in columns if column != "id")
    connection.execute(
        f"INSERT INTO list_items (region, household, {', '.join(columns)}) VALUES ({marks})"
        f" ON CONFLICT (region, id) DO UPDATE SET {sets} WHERE list_items.household = excluded.household",
        values,
    )


def select(kind: type[Any], table: str) -> str:
    """`SELECT` of every column of a kind of row, in the order of its fields."""
    return f"SELECT {', '.join(_COLUMNS[kind])} FROM {table}"


def loaded(kind: type[Any], record: tuple[Any, ...]) -> Any:
    """A row of the ports from what `select` returned."""
    columns = _COLUMNS[kind]
    return kind(**{column: _read(column, value) for column, value in zip(columns, record, strict=True)})


def _stored(row: object, column: str) -> Any:
    value = getattr(row, column)
    if column in _AS_JSON:
        return json.dumps(dict(value) if column == "names" else value, ensure_ascii=False)
    return int(value) if column in _AS_BOOL else value


def _read(column: str, value: Any) -> Any:
    if column == "names":
        return {language: tuple(names) for language, names in json.loads(value).items()}
    if column in _AS_JSON:
        return tuple(json.loads(value))
    return bool(value) if column in _AS_BOOL else value
