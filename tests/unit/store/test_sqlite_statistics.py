"""Questions about one device, household or account go by their index, not through all rows of the region."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from entendre.store.database import Database
from entendre.store.sqlite_statistics import assume_statistics


@pytest.fixture
async def file(tmp_path: Path) -> Path:
    made = tmp_path / "entendre.db"
    await Database(made).close()
    return made


@pytest.mark.parametrize(
    ("sql", "index"),
    [
        ("SELECT * FROM commands WHERE region = ? AND device = ? AND finished_at_s IS NULL", "commands_open"),
        ("SELECT rollout, state FROM rollout_devices WHERE region = ? AND device = ?", "rollout_devices_of_device"),
        ("SELECT * FROM fleet_devices WHERE region = ? AND household = ?", "fleet_devices_of_household"),
        ("SELECT * FROM notes WHERE region = ? AND household = ? ORDER BY id", "notes_of_household"),
        ("SELECT * FROM oauth_tokens WHERE region = ? AND account = ?", "oauth_tokens_of_account"),
        ("SELECT * FROM brands WHERE region = ? AND id = ?", "PRIMARY KEY (region=? AND id=?)"),
    ],
)
def test_the_index_is_used(file: Path, sql: str, index: str) -> None:
    with sqlite3.connect(file) as connection:
        plan = [str(row[3]) for row in connection.execute(f"EXPLAIN QUERY PLAN {sql}", ("home", "x"))]
    connection.close()
    assert index in plan[0]


def test_it_is_told_once(file: Path) -> None:
    connection = sqlite3.connect(file, isolation_level=None)
    told = connection.execute("SELECT count(*) FROM sqlite_stat1").fetchone()[0]
    changed = connection.total_changes
    assume_statistics(connection)
    assert told > 40
    assert connection.total_changes == changed
    connection.close()
