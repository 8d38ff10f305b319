"""One suite over both databases: a test that takes `database` or `database_place` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import AsyncIterator
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
