"""Every table says whose it is: what is missing here would survive an erasure."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

import pytest

from entendre.store import Database
from entendre.store.people.subjects import BY_NAME, KINDS, TABLES, bound


@pytest.fixture(scope="module")
def schema(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Columns of every table of the migrations."""
    path: Path = tmp_path_factory.mktemp("schema") / "entendre.db"
    Database(path)
    connection = sqlite3.connect(path)
    names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    kept = [name for name in names if not name.startswith("sqlite_")]
    return {name: tuple(row[1] for row in connection.execute(f"PRAGMA table_info({name})")) for name in kept}


def test_every_table_is_known(schema: dict[str, tuple[str, ...]]) -> None:
    missing = set(schema) - set(BY_NAME)
    assert not missing, f"say in store/people/subjects.py whose the rows of {sorted(missing)} are"
    assert set(BY_NAME) <= set(schema)
    assert len(BY_NAME) == len(TABLES)


def test_every_table_is_somebodys_or_says_why_not() -> None:
    for table in TABLES:
        owned = any(table.condition(kind) is not None for kind in KINDS)
        assert owned or table.why, f"{table.name} is nobody's and does not say why"
        assert not table.kept or table.why, f"{table.name} is kept and does not say why"
        assert table.what or table.why


def test_columns_exist(schema: dict[str, tuple[str, ...]]) -> None:
    for table in TABLES:
        named = {*table.key, *table.secret, *table.documents}
        named |= {column for columns in table.cleared.values() for column in columns}
        assert named <= set(schema.get(table.name, named)), table.name


def test_what_names_a_household_or_a_person_is_theirs(schema: dict[str, tuple[str, ...]]) -> None:
    for name, columns in schema.items():
        table = BY_NAME[name]
        assert ("household" in columns) <= (table.household is not None), f"{name} has a household"
        assert ("account" in columns) <= (table.account is not None), f"{name} has an account"
        assert ("device" in columns and name not in ("history", "jobs", "rings")) <= (table.device is not None), name


def test_secrets_are_in_no_export(schema: dict[str, tuple[str, ...]]) -> None:
    for name, columns in schema.items():
        table = BY_NAME[name]
        if not table.what:
            continue
        secret = {each for each in columns if re.search(r"hash|secret|token$|challenge", each)}
        assert secret <= set(table.secret), f"{name} would export {secret - set(table.secret)}"


def test_conditions_are_bound_in_order() -> None:
    where, values = bound(
        "household = $S OR id IN (SELECT id FROM x WHERE region = $R AND account = $A)", "eu", "h", "a"
    )
    assert where == "household = ? OR id IN (SELECT id FROM x WHERE region = ? AND account = ?)"
    assert values == ("h", "eu", "a")
