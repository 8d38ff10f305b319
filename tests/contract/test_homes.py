"""Whose devices are, what homes are like, and what is due, on both databases."""

from __future__ import annotations

from typing import Any

import pytest

from entendre.core.errors import InvalidInputError, NotFoundError, StaleError
from entendre.core.home import HOME, Room
from entendre.ports import Change, JobRow, RingRow
from entendre.store.database import Database
from entendre.store.homes import StoredHomes
from entendre.store.sqlite import SqliteStore
from entendre.system import SystemClock


@pytest.fixture
def homes(database: Database) -> StoredHomes:
    return StoredHomes(database, SystemClock())


async def sql(database: Database, statement: str, *values: Any) -> None:
    await database.write(lambda connection: connection.execute(statement, values).rowcount)


async def household(database: Database, id: str, region: str = "home") -> None:
    await sql(
        database,
        "INSERT INTO households (region, id, brand, name, language, time_zone, retention, created_at_s, created_by,"
        " version) VALUES (?, ?, 'brand', ?, 'de', 'Europe/Berlin', '{}', 0, 'test', 1)",
        region, id, id,
    )  # fmt: skip


async def device(database: Database, id: str, where: str | None, state: str = "active") -> None:
    await sql(
        database,
        "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, household, state, firmware, online,"
        " created_at_s, created_by, changed_at_s, changed_by, version)"
        " VALUES ('home', ?, 'brand', 'p', 'speaker', ?, ?, ?, ?, '1', 0, 0, 'test', 0, 'test', 1)",
        id, id, id, where, state,
    )  # fmt: skip


async def told(database: Database, topic: str, subject: str, where: str | None) -> None:
    await sql(
        database,
        "INSERT INTO changes (region, brand, household, topic, subject, change, at_s)"
        " VALUES ('home', 'brand', ?, ?, ?, 'changed', 0)",
        where, topic, subject,
    )  # fmt: skip


async def test_whose_a_device_is(database: Database, homes: StoredHomes) -> None:
    await device(database, "boxed", None)
    await device(database, "taken", "a")
    await device(database, "gone", "a", "revoked")
    assert await homes.household_of("boxed") == HOME, "nobody made another household"
    await household(database, "b", region="elsewhere")
    assert await homes.household_of("boxed") == HOME, "nor is another region's one"
    await household(database, "a")
    found = [await homes.household_of(each) for each in ("boxed", "taken", "gone", "unknown")]
    assert found == [None, "a", None, None]


async def test_a_home_has_its_rooms_and_its_document(database: Database, homes: StoredHomes) -> None:
    assert await homes.home("a") is None
    assert (await homes.home(HOME)) is not None
    await household(database, "a")
    await household(database, "b")
    for id, where, names in (("r1", "a", '{"en": ["kitchen", "galley"]}'), ("r2", "b", "{}")):
        insert = "INSERT INTO rooms (region, id, household, name, names, version) VALUES ('home', ?, ?, 'cook', ?, 1)"
        await sql(database, insert, id, where, names)
    stored = await homes.put_document("a", '{"place": "Berlin"}', by="test", version=0)
    assert stored.rooms == (Room("r1", {"en": ("kitchen", "galley")}),)
    assert (stored.language, stored.time_zone, stored.document, stored.version) == (
        "de", "Europe/Berlin", '{"place": "Berlin"}', 1,
    )  # fmt: skip
    other = await homes.home("b")
    assert other is not None
    assert (other.rooms, other.document) == ((Room("r2", {"": ("cook",)}),), None)


async def test_a_document_is_put_where_it_was_read(database: Database, homes: StoredHomes) -> None:
    await household(database, "a")
    await homes.put_document("a", "{}", by="test")
    with pytest.raises(StaleError):
        await homes.put_document("a", None, by="test", version=0)
    assert (await homes.put_document("a", None, by="test", version=1)).document is None
    assert (await homes.put_document("a", "{}", by="test")).version == 3, "versions only rise"
    with pytest.raises(NotFoundError):
        await homes.put_document("b", "{}", by="test")
    with pytest.raises(InvalidInputError):
        await homes.put_document(HOME, "{}", by="test")


async def test_news_are_of_devices_and_homes_that_changed_since(database: Database, homes: StoredHomes) -> None:
    await household(database, "a")
    first = await homes.news(None, 0.0)
    await told(database, "device", "d1", "a")
    await told(database, "room", "r1", "a")
    await told(database, "twin.tags", "d2", "a")
    await sql(
        database,
        "INSERT INTO outbox (region, id, topic, subject, change, at_s) VALUES ('home', 'o', 'device', 'd3', 'x', 0)",
    )
    news = await homes.news(first.position, 0.0)
    assert (news.devices, news.households) == ({"d1", "d3"}, {"a"})
    await homes.put_document("a", "{}", by="test")
    assert "a" in (await homes.news(news.position, 0.0)).households


async def test_due_are_households_with_jobs_or_rings(database: Database, homes: StoredHomes) -> None:
    clock = SystemClock()
    for name in "abcdef":
        await household(database, name)
    for name, due_s, snoozed_s in (("a", 100.0, None), ("b", None, 50.0), ("c", 5000.0, None), ("d", None, None)):
        store = SqliteStore(database, clock, "home", name)
        row = JobRow(f"job-{name}", "timer", "d", "en", 0.0, total_s=1, due_at_s=due_s, snoozed_until_s=snoozed_s)
        await store.write(Change(jobs=(row,)))
    for name, kind in (("e", "alarm"), ("f", "reminder")):
        ring = RingRow(f"ring-{name}", "j", kind, None, "d", "en", ord(name), "ringing", 0.0)  # type: ignore[arg-type]
        await SqliteStore(database, clock, "home", name).write(Change(rings=(ring,)))
    assert (await homes.news(None, 100.0)).due == {"a", "b", "e"}
    other = StoredHomes(database, clock, "elsewhere")
    assert (await other.news(None, 1e9)).due == frozenset()
