"""Databases of every released schema, filled, come to the newest one with their rows."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entendre.core.device import Admitted, DeviceIdentity, Unbound
from entendre.core.errors import EntendreError, NewerDatabaseError, StoreError
from entendre.ports import ActionKey
from entendre.store import Devices, SqliteStore
from entendre.store.connection import Connection
from entendre.store.database import engine_of
from entendre.store.engine import Session
from entendre.store.migrate import Migration, packaged_migrations
from entendre.system import SystemClock

RELEASED = (1, 2)
FIRST: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "executed": (
        "region, turn, idx, state, action, result, at_s",
        [("home", "t", 0, "done", '{"a":1}', "null", 1.5), ("home", "t", 1, "started", "{}", "null", 2.0)],
    ),
    "jobs": (
        "region, id, kind, device, language, created_at_s, text, total_s, paused_s, time, date, days, every, enabled,"
        " skip_through, due_at_s, snoozed_until_s, rang_due_at_s, ended_at_s, version",
        [
            ("home", "j1", "alarm", "k", "en", 1.25, "l'été ? 夏", 0, None, "07:30", None, '["mon"]', "week", 1, None,
             9.5, None, None, None, 3),
            ("home", "j2", "timer", "k", "en", 1.25, None, 60, 0.5, None, None, "[]", None, 0, None, None, None, None,
             7.0, 1),
        ],
    ),
    "rings": (
        "region, id, job, kind, text, device, language, due_at_s, state, started_at_s, delivered_to, delivered_at_s,"
        " ended_at_s, reported, version",
        [("home", "r", "j2", "timer", None, "k", "en", 1795393580.694441, "missed", 1.0, None, None, 7.0, 0, 1)],
    ),
    "lists": (
        "region, id, names, version",
        [("home", "shopping", '{"en":["shopping"]}', 2), ("away", "todo", "{}", 1)],
    ),
    "list_items": (
        "region, id, list, text, quantity, done, position",
        [("home", "i1", "shopping", "milk", "2", 0, 1), ("home", "i2", "shopping", "bread", None, 1, 2)],
    ),
    "outbox": (
        "region, id, topic, subject, change, at_s",
        [("home", "o1", "job", "j1", "created", 1.0), ("home", "o2", "job", "j1", "changed", 2.0)],
    ),
    "api_keys": (
        "region, id, name, secret_hash, created_at_s, last_used_at_s, revoked_at_s",
        [("home", "k", "kitchen", b"\x00\xff\\\"{}", 1.0, None, 2.0)],
    ),
}  # fmt: skip
SECOND: dict[str, tuple[str, list[tuple[Any, ...]]]] = {
    "devices": (
        "region, id, kind, hardware, client, serial, name, room, language, board, firmware, attested, bound_at_s,"
        " bound_by, last_seen_at_s, changed_at_s, changed_by, revoked_at_s, version",
        [("home", "d", "xiaozhi", "02:00:00:00:00:01", "c", None, "Kitchen", "kitchen", None, "box", "1.0", 1, 1.0,
          "cli", 2.0, 1.0, "cli", None, 1)],
    ),
    "pending_devices": (
        "region, id, kind, hardware, client, serial, board, firmware, language, address, code, challenge, token,"
        " token_hash, proven_at_s, passed_at_s, device, created_at_s, expires_at_s",
        [("home", "p", "xiaozhi", "02:00:00:00:00:02", "c", None, "box", "1.0", "en", "192.0.2.1", "123456", "ch", "t",
          b"\x01", None, None, None, 1.0, 9.0)],
    ),
    "device_tokens": (
        "region, id, device, client, secret_hash, created_at_s, used_at_s, expires_at_s, revoked_at_s",
        [("home", "t", "d", "c", b"\x02", 1.0, None, None, None)],
    ),
    "device_keys": (
        "region, id, serial, key, enrolled_at_s, enrolled_by",
        [("home", "dk", "S", b"\x07" * 32, 1.0, "cli")],
    ),
}  # fmt: skip
ROWS = {1: FIRST, 2: FIRST | SECOND}
BOX = DeviceIdentity("02:11:22:33:44:55", "client", board="box", firmware="1.0")


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_place(request: pytest.FixtureRequest, tmp_path: Path) -> Path | str:
    """The path or the URL of a database without tables."""
    if request.param == "sqlite":
        return tmp_path / "entendre.db"
    url: str = request.getfixturevalue("postgres_databases").empty()
    return url


def within(place: Path | str, work: Callable[[Connection], Any], session: Session | None = None) -> Any:
    """Run a work without migrating."""
    session = engine_of(place).writer()
    try:
        session.begin()
        result = work(session.connection)
        session.commit()
        return result
    finally:
        session.close()


def fill(connection: Connection, number: int) -> None:
    for table, (columns, rows) in ROWS[number].items():
        marks = ", ".join("?" for _ in columns.split(","))
        connection.executemany(f"INSERT INTO {table} ({columns}) VALUES ({marks})", rows)


def rows_of(connection: Connection, number: int) -> dict[str, list[Any]]:
    return {
        table: sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
        for table, (columns, _) in ROWS[number].items()
    }


@pytest.mark.parametrize("number", RELEASED)
async def test_a_filled_database_of_a_released_schema_keeps_its_rows(empty_place: Path | str, number: int) -> None:
    engine = engine_of(empty_place)
    engine.prepare(packaged_migrations()[:number])
    within(empty_place, lambda connection: fill(connection, number))
    engine.prepare()
    found = within(empty_place, lambda connection: rows_of(connection, number))
    assert found == {table: sorted(rows, key=repr) for table, (_, rows) in ROWS[number].items()}
    await _serves(empty_place)


async def _serves(place: Path | str) -> None:
    """What was there is the home's; more can be written after it."""
    store = await SqliteStore.open(place, SystemClock())
    assert [job.id for job in await store.jobs()] == ["j1"]
    assert [ring.id for ring in await store.rings()] == ["r"]
    assert [(row.id, [item.text for item in items]) for row, items in await store.lists()] == [
        ("shopping", ["milk", "bread"])
    ]
    record = await store.executed(ActionKey("t", 0))
    assert record is not None
    assert record.state == "done"
    before = [event.seq for event in await store.outbox(0, 10)]
    devices = Devices(store.database, SystemClock())
    shown = await devices.announce(BOX, "192.0.2.17")
    assert isinstance(shown, Unbound)
    await devices.bind(shown.code, by="cli", guesser="cli")
    assert isinstance(await devices.announce(BOX, "192.0.2.17"), Admitted)
    after = [event.seq for event in await store.outbox(0, 10)]
    assert after[: len(before)] == before
    assert after[-1] > before[-1]
    await store.close()


def test_a_database_of_a_newer_version_is_refused_and_left_alone(empty_place: Path | str) -> None:
    engine = engine_of(empty_place)
    migrations = packaged_migrations()
    newer = Migration(len(migrations) + 1, "9999_newer.sql", "CREATE TABLE newer (a INTEGER);\n")
    engine.prepare((*migrations, newer))
    with pytest.raises(NewerDatabaseError, match=str(newer.number)):
        engine.prepare()
    within(empty_place, lambda connection: connection.execute("INSERT INTO newer (a) VALUES (1)"))


def test_a_migration_that_fails_leaves_no_trace(empty_place: Path | str) -> None:
    engine = engine_of(empty_place)
    good = Migration(1, "0001_good.sql", "CREATE TABLE a (x INTEGER);\nINSERT INTO a (x) VALUES (1);\n")
    bad = Migration(2, "0002_bad.sql", "CREATE TABLE b (x INTEGER);\nINSERT INTO nowhere (x) VALUES (1);\n")
    with pytest.raises(StoreError, match="0002_bad"):
        engine.prepare((good, bad))
    fixed = Migration(2, "0002_bad.sql", "CREATE TABLE b (x INTEGER);\n")
    engine.prepare((good, fixed))
    engine.prepare((good, fixed))
    counted = within(
        empty_place,
        lambda connection: [connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in "ab"],
    )
    assert counted == [1, 0]


def test_processes_that_start_together_migrate_once(empty_place: Path | str) -> None:
    failures: list[EntendreError] = []

    def start() -> None:
        try:
            engine_of(empty_place).prepare()
        except EntendreError as error:
            failures.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counted = within(empty_place, lambda connection: connection.execute("SELECT count(*) FROM brands").fetchone())
    assert counted == (0,)
