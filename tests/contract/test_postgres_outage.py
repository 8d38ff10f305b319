"""PostgreSQL goes away and comes back; the program that uses it goes on."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest

from entendre.bench.real_postgres import NoPostgresError, RealPostgres
from entendre.core.errors import ConfigurationError, StoreError
from entendre.store import database as databases
from entendre.store import open_database, postgres
from entendre.store.connection import Connection
from entendre.store.database import Database, Work

INSERT = "INSERT INTO lists (region, household, id, names, version) VALUES ('home', 'home', ?, '{}', 1)"
COUNT = "SELECT count(*) FROM lists"


@pytest.fixture(scope="module")
def server() -> Iterator[RealPostgres]:
    """A server that tests may kill."""
    try:
        made = RealPostgres(durable=False)
    except NoPostgresError as error:
        pytest.skip(str(error))
    made.start()
    yield made
    made.close()


@pytest.fixture
async def database(server: RealPostgres) -> AsyncIterator[Database]:
    """A database of that server, emptied."""
    opened = await open_database(server.url())
    await opened.write(lambda connection: connection.execute("DELETE FROM lists").rowcount)
    yield opened
    await opened.close()


def insert(name: str) -> Work[int]:
    return lambda connection: connection.execute(INSERT, (name,)).rowcount


def count(connection: Connection) -> int:
    number: int = connection.execute(COUNT).fetchone()[0]
    return number


async def test_what_waits_while_the_server_restarts_is_done(server: RealPostgres, database: Database) -> None:
    await database.write(insert("before"))
    server.kill()
    waiting: list[asyncio.Future[Any]] = [asyncio.ensure_future(database.write(insert(str(n)))) for n in range(20)]
    waiting += [asyncio.ensure_future(database.read(count)) for _ in range(10)]
    await asyncio.sleep(0.2)
    assert not any(each.done() for each in waiting)
    await asyncio.to_thread(server.start)
    results = await asyncio.gather(*waiting)
    assert results[:20] == [1] * 20
    assert await database.read(count) == 21


async def test_a_session_that_the_server_ends_is_not_noticed(server: RealPostgres, database: Database) -> None:
    with psycopg.connect(server.url(), autocommit=True) as other:
        for number in range(3):
            other.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'entendre' AND pid <> pg_backend_pid()"
            )
            await asyncio.gather(database.write(insert(str(number))), *(database.read(count) for _ in range(8)))
    assert await database.read(count) == 3


async def test_a_server_that_stays_away_is_an_error_that_says_so(
    server: RealPostgres, database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(databases, "PATIENCE_S", 0.1)
    server.kill()
    for call in (database.write(insert("a")), database.read(count)):
        with pytest.raises(StoreError) as refused:
            await call
        assert refused.value.retryable
        assert "reached" in refused.value.public_message
    monkeypatch.undo()
    await asyncio.to_thread(server.start)
    await database.write(insert("a"))


async def test_closing_does_not_wait_for_a_server_that_is_away(server: RealPostgres) -> None:
    database = await open_database(server.url())
    server.kill()
    writes = [asyncio.ensure_future(database.write(insert(f"closing {number}"))) for number in range(3)]
    await asyncio.sleep(0.1)
    await database.close()
    results = await asyncio.gather(*writes, return_exceptions=True)
    assert {type(each) for each in results} == {StoreError}
    await asyncio.to_thread(server.start)


async def test_a_work_that_breaks_its_connection_is_refused_in_the_end(
    server: RealPostgres, database: Database
) -> None:
    ran = []

    def breaks(connection: Connection) -> None:
        ran.append(1)
        connection.execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(StoreError):
        await database.write(breaks)
    assert len(ran) == databases.MAX_TRIES
    await database.write(insert("after"))


async def test_one_server_writes_a_region(server: RealPostgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "SERVING_WAIT_S", 0.05)
    monkeypatch.setattr(postgres, "BUSY_TIMEOUT_S", 0.05)
    first = await open_database(server.url(), serving="home")
    with pytest.raises(ConfigurationError, match="home"):
        await open_database(server.url(), serving="home")
    elsewhere = await open_database(server.url(), serving="away")
    command = await open_database(server.url())
    await command.write(insert("by a command"))
    for each in (first, elsewhere, command):
        await each.close()
    again = await open_database(server.url(), serving="home")
    await again.close()


async def test_a_server_that_lost_its_region_meanwhile_cannot_write(
    server: RealPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres, "BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr(databases, "PATIENCE_S", 0.2)
    first = await open_database(server.url(), serving="home")
    await first.write(insert("first"))
    server.kill()
    await asyncio.to_thread(server.start)
    second = await open_database(server.url(), serving="home")
    with pytest.raises(StoreError):
        await first.write(insert("by the first"))
    await second.close()
    await first.write(insert("by the first again"))
    await first.close()
