"""Migrations: SQL files named NNNN_what.sql, applied once, in order, forward only, each in its own transaction."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import dataclass
from importlib import resources

from entendre.core.errors import NewerDatabaseError, StoreError

_FILE = re.compile(r"(\d{4})_\w+\.sql")
_SECTION = re.compile(r"-- \[(\w+)\]\n?")
"""A line that says for which engine the lines after it are: `-- [sqlite]`, `-- [postgresql]`, `-- [all]`."""


@dataclass(frozen=True, slots=True)
class Migration:
    """One step of the schema; `number` counts from 1 without gaps."""

    number: int
    name: str
    sql: str


def packaged_migrations() -> tuple[Migration, ...]:
    """The migrations of this version of the program, in order."""
    found = []
    for entry in resources.files("entendre.store").joinpath("migrations").iterdir():
        match = _FILE.fullmatch(entry.name)
        if match:
            found.append(Migration(int(match[1]), entry.name, entry.read_text(encoding="utf-8")))
    return tuple(sorted(found, key=lambda migration: migration.number))


def schema_version(connection: sqlite3.Connection) -> int:
    """How many migrations a database has had."""
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def migrate(connection: sqlite3.Connection, migrations: tuple[Migration, ...]) -> int:
    """Bring a database to the last migration; returns how many were applied.

    Raises: NewerDatabaseError if it has had more than these; StoreError if one fails (that one leaves no trace).
    """
    known = migrations[-1].number if migrations else 0
    found = schema_version(connection)
    if found > known:
        raise NewerDatabaseError(
            f"The database has schema {found}, this version of entendre knows {known}. "
            "Run the newer version, or restore a backup made before the upgrade."
        )
    applied = 0
    for migration in migrations[found:]:
        applied += _apply(connection, migration)
    return applied


def of_engine(sql: str, engine: str) -> str:
    """The lines of a migration that are for an engine."""
    kept, wanted = [], True
    for line in sql.splitlines(keepends=True):
        section = _SECTION.fullmatch(line)
        if section:
            wanted = section[1] in ("all", engine)
        elif wanted:
            kept.append(line)
    return "".join(kept)


def _apply(connection: sqlite3.Connection, migration: Migration) -> bool:
    """Apply one migration unless another process did so while this one waited for the lock."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        current = schema_version(connection)
        if current < migration.number:
            for statement in _statements(of_engine(migration.sql, "sqlite")):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {migration.number}")
        connection.execute("COMMIT")
    except sqlite3.Error as error:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise StoreError("The database could not be upgraded.", detail=f"{migration.name}: {error}") from error
    return current < migration.number


def _statements(sql: str) -> list[str]:
    """The statements of a script; `executescript` would commit between them."""
    statements, pending = [], ""
    for line in sql.splitlines(keepends=True):
        pending += line
        if sqlite3.complete_statement(pending):
            statements.append(pending)
            pending = ""
    if pending.strip():
        raise StoreError("The database could not be upgraded.", detail="a migration ends inside a statement")
    return statements
