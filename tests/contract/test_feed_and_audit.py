"""The change feed, the audit log and writes that go together."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from pathlib import Path

import psycopg
import pytest

from entendre.core.errors import InvalidInputError, StoreError
from entendre.store import Database
from entendre.store.audit import Act, first_broken, record
from entendre.store.connection import Connection
from entendre.store.feed import FeedEntry, announce
from entendre.store.gatherer import Gatherer


async def test_acts_are_chained_and_a_forged_row_shows(database: Database, forge: Callable[[str], None]) -> None:
    for name in ("a", "b", "c"):
        act = Act("cli", "brand.created", name, brand=name, detail={"name": "é"})
        await database.write(lambda connection, act=act: record(connection, "home", 1.5, act))
    assert await database.read(lambda connection: first_broken(connection, "home")) is None
    forge("UPDATE audit SET actor = 'nobody' WHERE target = 'b'")
    assert await database.read(lambda connection: first_broken(connection, "home")) == 2


@pytest.fixture
def forge(database_place: Path | str) -> Callable[[str], None]:
    """Change the audit log behind the database's back."""

    def forged(sql: str) -> None:
        if isinstance(database_place, str):
            with psycopg.connect(database_place) as connection:
                connection.execute("ALTER TABLE audit DISABLE TRIGGER audit_is_append_only")
                connection.execute(sql.encode())
        else:
            forger = sqlite3.connect(database_place, isolation_level=None)
            forger.execute("DROP TRIGGER audit_is_not_changed")
            forger.execute(sql)
            forger.close()

    return forged


@pytest.mark.parametrize("sql", ["UPDATE audit SET act = 'x'", "DELETE FROM audit"])
async def test_acts_stay_as_they_were_written(database: Database, sql: str) -> None:
    await database.write(lambda connection: record(connection, "home", 1.5, Act("cli", "brand.created", "a")))
    with pytest.raises(StoreError, match="never"):
        await database.write(lambda connection: connection.execute(sql))


async def test_changes_are_announced_in_order(database: Database) -> None:
    entries = [FeedEntry("acme", "twin.desired", str(number), "patched", data={"n": number}) for number in range(3)]
    await database.write(lambda connection: announce(connection, "home", 1.0, entries))
    found = await database.read(
        lambda connection: connection.execute("SELECT subject, data FROM changes ORDER BY seq").fetchall()
    )
    assert found == [("0", '{"n":0}'), ("1", '{"n":1}'), ("2", '{"n":2}')]


async def test_items_that_wait_are_written_together_and_fail_alone(database: Database) -> None:
    batches = []

    def work(connection: Connection, items: Sequence[int]) -> list[int | Exception]:
        batches.append(len(items))
        return [InvalidInputError("odd") if item % 2 else item * 10 for item in items]

    gatherer = Gatherer(database, work)
    results = await asyncio.gather(*(gatherer.put(number) for number in range(10)), return_exceptions=True)
    assert [each for each in results if isinstance(each, int)] == [0, 20, 40, 60, 80]
    assert sum(isinstance(each, InvalidInputError) for each in results) == 5
    assert sum(batches) == 10
    assert len(batches) <= 2
