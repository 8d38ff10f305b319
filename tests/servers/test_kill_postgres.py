"""kill -9 of PostgreSQL under load: nothing acknowledged is lost, nothing is done twice, and nobody restarts anything.

`ENTENDRE_KILL_ROUNDS=200 pytest -s tests/servers/test_kill_postgres.py` runs more rounds and shows what happened.
"""

from __future__ import annotations

import asyncio
import os
import random
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import psycopg
import pytest

from entendre.bench.real_postgres import NoPostgresError, RealPostgres
from entendre.core.errors import StoreError
from entendre.ports import ActionKey, Change, JobRow, OutboxEvent
from entendre.store import SqliteStore, open_database
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.gatherer import Gatherer
from entendre.system import SystemClock

ROUNDS = int(os.environ.get("ENTENDRE_KILL_ROUNDS", "5"))
WRITERS = 8
LIFE_S = 0.3
TELEMETRY = ("region", "device", "id", "brand", "at_s", "received_at_s", "body")


@pytest.fixture
def server() -> Iterator[RealPostgres]:
    """A server that waits for the disk, as one in use does."""
    try:
        made = RealPostgres(durable=True)
    except NoPostgresError as error:
        pytest.skip(str(error))
    made.start()
    yield made
    made.close()


@dataclass
class Load:
    """Writers that try each write again until it is acknowledged, as clients with an idempotency key do."""

    database: Database
    acked: dict[str, list[int]] = field(default_factory=lambda: {"job": [], "row": [], "step": []})
    failed: int = 0
    stopping: bool = False

    async def run(self) -> None:
        store = SqliteStore(self.database, SystemClock())
        gatherer: Gatherer[int, bool] = Gatherer(self.database, _put_rows)

        async def job(number: int) -> None:
            row = JobRow(f"job-{number}", "reminder", "k", "en", 1.0, text=f"job {number}")
            event = OutboxEvent("job", row.id, "created")
            await store.write(Change(once=ActionKey(f"turn-{number}", 0), jobs=(row,), events=(event,)))

        async def row(number: int) -> None:
            await gatherer.put(number)

        async def step(number: int) -> None:
            await self.database.write(lambda connection: _step(connection, number))

        kinds: list[tuple[str, Callable[[int], Awaitable[None]]]] = [("job", job), ("row", row), ("step", step)]
        await asyncio.gather(*(self._write(kind, act, first) for kind, act in kinds for first in range(WRITERS)))

    async def _write(self, kind: str, act: Callable[[int], Awaitable[None]], number: int) -> None:
        while not self.stopping:
            while True:
                try:
                    await act(number)
                except StoreError as error:
                    assert error.retryable
                    self.failed += 1
                else:
                    break
            self.acked[kind].append(number)
            number += WRITERS

    def total(self) -> int:
        return sum(len(numbers) for numbers in self.acked.values())


def _put_rows(connection: Connection, numbers: object) -> list[bool | Exception]:
    items = list(numbers)  # type: ignore[call-overload]
    rows = [("home", "d", str(number), "acme", 1.0, 1.0, "{}") for number in items]
    connection.insert_many("telemetry", TELEMETRY, rows)
    return [True] * len(items)


def _step(connection: Connection, number: int) -> None:
    """Count once for each number: reading, then writing what was read and one more."""
    values = ("home", f"step-{number}", 0, "home", "done", "{}", "null", 1.0)
    sql = (
        "INSERT INTO executed (region, turn, idx, household, state, action, result, at_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    )
    if connection.execute(sql, values).rowcount:
        count = connection.execute("SELECT version FROM lists WHERE id = 'counter'").fetchone()[0]
        connection.execute("UPDATE lists SET version = ? WHERE id = 'counter'", (count + 1,))


@pytest.mark.e2e
async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(server: RealPostgres) -> None:
    database = await open_database(server.url(), serving="home")
    counter = "INSERT INTO lists (region, household, id, names, version) VALUES ('home', 'home', 'counter', '{}', 0)"
    await database.write(lambda connection: connection.execute(counter).rowcount)
    load, slowest_s, started_s = Load(database), 0.0, 0.0
    running = asyncio.ensure_future(load.run())
    for _ in range(ROUNDS):
        await asyncio.sleep(random.random() * LIFE_S)
        server.kill()
        killed_s, before = time.monotonic(), load.total()
        await asyncio.to_thread(server.start)
        started_s += time.monotonic() - killed_s
        while load.total() == before:
            assert not running.done(), running.exception()
            await asyncio.sleep(0.005)
        slowest_s = max(slowest_s, time.monotonic() - killed_s)
    load.stopping = True
    await running
    await database.close()
    counts = {kind: len(numbers) for kind, numbers in load.acked.items()}
    print(f"\n{ROUNDS} kills, acknowledged {counts}, tried again {load.failed}, slowest recovery {slowest_s:.2f} s,")
    print(f"of which PostgreSQL itself takes {started_s / ROUNDS:.2f} s on average")
    assert min(counts.values()) > ROUNDS
    _check(server.url(), load)


def _check(url: str, load: Load) -> None:
    with psycopg.connect(url) as connection:

        def texts(sql: bytes) -> Counter[str]:
            return Counter(text for (text,) in connection.execute(sql))

        jobs = Counter(f"job {number}" for number in load.acked["job"])
        assert texts(b"SELECT text FROM jobs") == jobs
        assert texts(b"SELECT subject FROM outbox") == Counter(name.replace(" ", "-") for name in jobs)
        assert texts(b"SELECT id FROM telemetry") == Counter(str(number) for number in load.acked["row"])
        found = connection.execute("SELECT version FROM lists WHERE id = 'counter'").fetchone()
        assert found == (len(load.acked["step"]),)
