"""What works may rely on, whatever engine runs them."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from pathlib import Path
from typing import Any

import psycopg
import pytest

from entendre.core.errors import ConfigurationError, InvalidInputError, StoreError
from entendre.store import open_database
from entendre.store.connection import Connection
from entendre.store.database import Database, Work, engine_of
from entendre.store.feed import FeedEntry, announce

INSERT = "INSERT INTO lists (region, household, id, names, version) VALUES ('home', 'home', ?, ?, ?)"
TELEMETRY = ("region", "device", "id", "brand", "at_s", "received_at_s", "body")


def insert(name: str, text: str = "{}", number: Any = 1) -> Work[int]:
    return lambda connection: connection.execute(INSERT, (name, text, number)).rowcount


async def names(database: Database) -> list[str]:
    sql = "SELECT id FROM lists ORDER BY id"
    return await database.read(lambda connection: [row[0] for row in connection.execute(sql)])


async def test_a_failed_write_undoes_itself_and_not_its_neighbours(database: Database) -> None:
    def work(number: int) -> Work[int]:
        def run(connection: Connection) -> int:
            connection.execute(INSERT, (str(number), "{}", 1))
            if number % 3 == 0:
                raise LookupError(number)
            if number % 3 == 1:
                connection.execute("INSERT INTO no_such_table VALUES (1)")
            return number

        return run

    results = await asyncio.gather(*(database.write(work(n)) for n in range(30)), return_exceptions=True)
    assert [type(result) for result in results] == [LookupError, StoreError, int] * 10
    assert await names(database) == sorted(str(number) for number in range(2, 30, 3))


async def test_a_write_that_only_looked_before_it_refused_disturbs_nobody(database: Database) -> None:
    runs = []

    def looks(connection: Connection) -> None:
        runs.append(connection.execute("SELECT count(*) FROM lists").fetchone())
        raise InvalidInputError("no")

    works: list[Work[Any]] = [insert("a"), looks, insert("b"), looks]
    results = await asyncio.gather(*(database.write(work) for work in works), return_exceptions=True)
    assert [type(each) for each in results] == [int, InvalidInputError, int, InvalidInputError]
    assert len(runs) == 2
    assert await names(database) == ["a", "b"]


async def test_a_key_that_is_there_refuses_the_write(database: Database) -> None:
    await database.write(insert("a"))
    with pytest.raises(StoreError):
        await database.write(insert("a"))
    with pytest.raises(StoreError) as refused:
        await database.write(insert("b", number=None))
    assert "home" not in str(refused.value)
    assert await names(database) == ["a"]


async def test_a_work_that_hides_the_failure_of_a_statement_is_not_acknowledged(database: Database) -> None:
    def hides(connection: Connection) -> None:
        connection.execute(INSERT, ("hidden", "{}", 1))
        try:
            connection.execute("INSERT INTO no_such_table VALUES (1)")
        except (sqlite3.Error, psycopg.Error):
            return

    acknowledged = True
    try:
        await database.write(hides)
    except StoreError:
        acknowledged = False
    assert ("hidden" in await names(database)) == acknowledged
    await database.write(insert("after"))
    assert "after" in await names(database)


async def test_reading_cannot_write(database: Database) -> None:
    with pytest.raises(StoreError):
        await database.read(insert("a"))
    assert await names(database) == []


async def test_a_read_sees_one_moment(database: Database) -> None:
    began, written = threading.Event(), threading.Event()

    def reads(connection: Connection) -> list[int]:
        sql = "SELECT count(*) FROM lists"
        first = connection.execute(sql).fetchone()[0]
        began.set()
        assert written.wait(10)
        return [first, connection.execute(sql).fetchone()[0]]

    reading = asyncio.ensure_future(database.read(reads))
    assert await asyncio.to_thread(began.wait, 10)
    await database.write(insert("a"))
    assert await names(database) == ["a"], "a long read must not hold up a short one"
    written.set()
    assert await reading == [0, 0]


@pytest.mark.parametrize(
    ("text", "number"), [("half \ud83d pair", 1), pytest.param("x", 2**70, id="large")], ids=["surrogate", "large"]
)
async def test_values_that_no_database_keeps_are_the_callers_error(database: Database, text: str, number: int) -> None:
    results = await asyncio.gather(
        database.write(insert("bad", text, number)), database.write(insert("good")), return_exceptions=True
    )
    assert [type(each) for each in results] == [InvalidInputError, int]
    assert await names(database) == ["good"]


async def test_values_come_back_as_they_went_in(database: Database) -> None:
    text = 'l\'été ? %s $1 \\ "夏" \n😀'

    def work(connection: Connection) -> Any:
        sql = (
            "INSERT INTO webhooks (region, id, brand, url, secret, topics, enabled, delivered_seq, failures, next_at_s,"
            " last_status, created_at_s, created_by, version) VALUES (?, ?, 'it''s ?', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            " RETURNING brand, url, secret, enabled, delivered_seq, next_at_s, last_status, created_at_s"
        )
        values = ("home", "w", text, b"\x00\xff", "[]", True, 2**53 + 1, 0, None, None, 1795393580.694441, "x", 1)
        return connection.execute(sql, values).fetchone()

    assert await database.write(work) == ("it's ?", text, b"\x00\xff", 1, 2**53 + 1, None, None, 1795393580.694441)
    sql = "SELECT sum(version), count(*), max(created_at_s), coalesce(sum(failures), 0) FROM webhooks WHERE id = ?"
    assert await database.read(lambda connection: connection.execute(sql, ("w",)).fetchone()) == (
        1, 1, 1795393580.694441, 0,
    )  # fmt: skip


async def test_a_mark_may_be_null_or_have_a_number(database: Database) -> None:
    await database.write(insert("a"))
    await database.write(insert("b"))
    sql = "SELECT id FROM lists WHERE (?1 IS NULL OR id = ?1) AND region = ?2 ORDER BY id"

    def found(name: str | None) -> Work[list[Any]]:
        return lambda connection: connection.execute(sql, (name, "home")).fetchall()

    assert await database.read(found(None)) == [("a",), ("b",)]
    assert await database.read(found("b")) == [("b",)]


async def test_texts_are_in_the_order_of_their_bytes(database: Database) -> None:
    for name in ("b", "B", "a", "-", "é", "_", "Z"):
        await database.write(insert(name))
    assert await names(database) == ["-", "B", "Z", "_", "a", "b", "é"]


async def test_rows_are_counted(database: Database) -> None:
    many = [(str(number), "{}", 1) for number in range(5)]
    assert await database.write(lambda connection: connection.executemany(INSERT, many).rowcount) == 5
    assert await database.write(lambda connection: connection.executemany(INSERT, []).rowcount) <= 0
    again = INSERT + " ON CONFLICT DO NOTHING"
    assert await database.write(lambda connection: connection.execute(again, many[0]).rowcount) == 0
    delete = "DELETE FROM lists WHERE id > ?"
    assert await database.write(lambda connection: connection.execute(delete, ("1",)).rowcount) == 3


async def test_many_rows_go_in_at_once_and_those_that_are_there_stay(database: Database) -> None:
    body = '{"a":"\\"x, y\\"","b":"NULL"}'
    rows: list[tuple[Any, ...]] = [
        ("home", "d", str(number), "acme", 1.5 + number, 2.25, body) for number in range(1_000)
    ]

    def put(some: list[tuple[Any, ...]]) -> Work[int]:
        return lambda connection: connection.insert_many("telemetry", TELEMETRY, some)

    assert await database.write(put([])) == 0
    assert await database.write(put(rows[:600])) == 600
    assert await database.write(put(rows[500:])) == 400
    assert await database.write(put([(*rows[0][:-1], "other")])) == 0
    sql = "SELECT count(*), min(body), max(body), sum(at_s) FROM telemetry"
    found = await database.read(lambda connection: connection.execute(sql).fetchone())
    assert found == (1_000, body, body, sum(row[4] for row in rows))


async def test_every_kind_of_value_goes_in_among_many(database: Database) -> None:
    columns = ("region", "id", "name", "secret_hash", "created_at_s", "last_used_at_s", "brand")
    rows = [
        ("home", "1", 'a "b" {c}, \\d', b'\x00\\"\xff', 1, None, None),
        ("home", "2", "NULL", b"", 1e-300, 2.5, ""),
    ]
    assert await database.write(lambda connection: connection.insert_many("api_keys", columns, rows)) == 2
    sql = f"SELECT {', '.join(columns)} FROM api_keys ORDER BY id"
    assert await database.read(lambda connection: connection.execute(sql).fetchall()) == rows


async def test_two_processes_write_one_after_the_other(database: Database, database_place: Path | str) -> None:
    """What one reads before it writes is still so when it writes, and numbers of the feed are in commit order."""
    other = await open_database(database_place)
    seen: list[tuple[int, int]] = []

    def counts(connection: Connection) -> int:
        number: int = connection.execute("SELECT coalesce(max(version), 0) FROM lists").fetchone()[0]
        connection.execute(INSERT, (str(number), "{}", number + 1))
        announce(connection, "home", 1.0, [FeedEntry("acme", "list", str(number), "added")])
        return number

    async def watch() -> None:
        sql = "SELECT count(*), coalesce(max(seq), 0) FROM changes"
        while len(seen) < 1_000 and (not seen or seen[-1][0] < 200):
            seen.append(await other.read(lambda connection: connection.execute(sql).fetchone()))
            await asyncio.sleep(0.001)

    watching = asyncio.ensure_future(watch())
    works = [(database, other)[number % 2].write(counts) for number in range(200)]
    results = await asyncio.gather(*works)
    await watching
    assert sorted(results) == list(range(200))
    assert all(count == last for count, last in seen), "a reader saw a gap that was filled later"
    await other.close()


async def test_closing_finishes_what_was_accepted(database: Database, database_place: Path | str) -> None:
    writes = [asyncio.ensure_future(database.write(insert(str(number)))) for number in range(40)]
    await asyncio.sleep(0)
    await database.close()
    await asyncio.gather(*writes)
    with pytest.raises(StoreError):
        await database.read(lambda connection: None)
    reopened = await open_database(database_place)
    assert len(await names(reopened)) == 40
    await reopened.close()


@pytest.mark.parametrize("place", ["mysql://host/db", "entendre.db", "http://x"])
def test_an_unknown_kind_of_database_is_refused(place: str) -> None:
    with pytest.raises(ConfigurationError, match="postgresql://"):
        engine_of(place)


def test_looking_says_what_is_there(database_place: Path | str) -> None:
    assert "SQL" in engine_of(database_place).look()
