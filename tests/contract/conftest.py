"""One suite over both databases: a test that takes `database` or `database_place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from entendre.store.database import Database, open_database

ENGINES = ("sqlite", "postgresql")


@pytest.fixture(params=ENGINES)
def database_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The path or the URL of a database without rows."""
    if request.param == "sqlite":
        return tmp_path / "entendre.db"
    url: str = request.getfixturevalue("postgres_databases").migrated()
    return url


@pytest.fixture
async def database(database_place: Path | str) -> AsyncIterator[Database]:
    """A database without rows."""
    opened = await open_database(database_place)
    yield opened
    await opened.close()


@pytest.fixture
def stored_bytes(database_place: Path | str) -> Callable[[], bytes]:
    """Everything that the database keeps: SQLite's files, or what a dump of PostgreSQL holds."""

    def stored() -> bytes:
        if isinstance(database_place, Path):
            return b"".join(path.read_bytes() for path in database_place.parent.glob(f"{database_place.name}*"))
        return _dumped(database_place)

    return stored


def _dumped(url: str) -> bytes:
    import psycopg

    found = []
    with psycopg.connect(url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        for (table,) in tables:
            with connection.cursor().copy(f"COPY {table} TO STDOUT".encode()) as copying:
                found += [bytes(block) for block in copying]
    return b"".join(found)
