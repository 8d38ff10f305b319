"""Telemetry in both databases: the same message once, read in order, forgotten by rule."""

from __future__ import annotations

import pytest

from entendre.cloud.telemetry import TelemetryDoor
from entendre.core.errors import InvalidInputError, ThrottledError, TooLargeError
from entendre.fleet.telemetry import BURST_MESSAGES, MAX_MESSAGE_BYTES, MAX_MESSAGES
from entendre.ports.telemetry import TelemetryMessage
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.telemetry import TelemetryRows
from entendre.system import new_id

REGION = "eu"


class SetClock:
    now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def door(database: Database, clock: SetClock) -> TelemetryDoor:
    return TelemetryDoor(TelemetryRows(database, clock, REGION), clock, new_id=new_id)


async def test_a_message_that_is_sent_twice_is_one_row(door: TelemetryDoor) -> None:
    batch = [TelemetryMessage({"t": 1}, id="a", at_s=10.0), TelemetryMessage({"t": 2}, id="b", at_s=11.0)]
    assert await door.take("acme", "d1", batch) == 2
    assert await door.take("acme", "d1", [*batch, TelemetryMessage({"t": 3}, id="a", at_s=12.0)]) == 3
    assert await door.take("acme", "d2", batch[:1]) == 1
    rows = await door.of_device("acme", "d1", from_s=0, to_s=100, after=None, limit=10)
    assert [(each.id, each.body) for each in rows] == [("a", '{"t":1}'), ("b", '{"t":2}')]
    assert await door.of_device("other", "d1", from_s=0, to_s=100, after=None, limit=10) == ()


async def test_rows_are_read_by_time_in_pages(door: TelemetryDoor) -> None:
    await door.take("acme", "d1", [TelemetryMessage(n, id=f"{n:02}", at_s=100.0 + n // 2) for n in range(10)])
    seen: list[str] = []
    after = None
    while rows := await door.of_device("acme", "d1", from_s=101.0, to_s=104.0, after=after, limit=2):
        seen += [each.id for each in rows]
        after = rows[-1].at_s, rows[-1].id
    assert seen == ["02", "03", "04", "05", "06", "07"]


async def test_the_newest_of_a_brand(door: TelemetryDoor, clock: SetClock) -> None:
    for number in range(3):
        clock.now_s += 1
        await door.take("acme", f"d{number}", [TelemetryMessage(number)])
    await door.take("other", "x", [TelemetryMessage(9)])
    assert [each.body for each in await door.newest("acme", limit=2)] == ["2", "1"]


async def test_what_is_too_large_or_too_often_is_refused(door: TelemetryDoor, clock: SetClock) -> None:
    with pytest.raises(TooLargeError):
        await door.take("acme", "d1", [TelemetryMessage("x" * MAX_MESSAGE_BYTES)])
    with pytest.raises(TooLargeError):
        await door.take("acme", "d1", [TelemetryMessage(1)] * (MAX_MESSAGES + 1))
    with pytest.raises(InvalidInputError):
        await door.take("acme", "d1", [])
    with pytest.raises(InvalidInputError):
        await door.take("acme", "d1", [TelemetryMessage("a\0")])
    with pytest.raises(InvalidInputError):
        await door.take("acme", "d1", [TelemetryMessage(1, id="")])
    for _ in range(BURST_MESSAGES // MAX_MESSAGES):
        await door.take("acme", "d2", [TelemetryMessage(1)] * MAX_MESSAGES)
    with pytest.raises(ThrottledError) as refused:
        await door.take("acme", "d2", [TelemetryMessage(1)] * 200)
    clock.now_s += refused.value.retry_after_s
    await door.take("acme", "d2", [TelemetryMessage(1)] * 200)


async def test_rows_past_their_brands_retention_are_forgotten(database: Database, clock: SetClock) -> None:
    rows = TelemetryRows(database, clock, REGION)
    door = TelemetryDoor(rows, clock, new_id=new_id)

    def work(connection: Connection) -> None:
        for brand in ("acme", "other"):
            connection.execute(
                "INSERT INTO brands (region, id, name, display_name, assistant, created_at_s, created_by, version)"
                " VALUES (?, ?, ?, ?, 'x', 0.0, 't', 1)",
                (REGION, brand, brand, brand),
            )
        connection.execute(
            "INSERT INTO retention_rules (region, id, brand, kind, days, changed_at_s, changed_by)"
            " VALUES (?, 'r', 'acme', 'telemetry', 2.0, 0.0, 't')",
            (REGION,),
        )

    await database.write(work)
    for brand in ("acme", "other"):
        await door.take(brand, f"d-{brand}", [TelemetryMessage(n) for n in range(5)])
    clock.now_s += 3 * 86_400
    assert await rows.prune(3) == 3
    assert await rows.prune(3) == 2
    assert await rows.prune(3) == 0
    assert len(await rows.newest("other", limit=10)) == 5
    assert await rows.newest("acme", limit=10) == ()
