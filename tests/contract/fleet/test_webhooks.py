"""Webhooks in both databases, delivered to a receiver that fails: in order, at least once, and given up in the end."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any

import pytest

from entendre.cloud.changes import LiveChanges
from entendre.cloud.webhooks import WebhookDesk
from entendre.core.errors import InvalidInputError, NotFoundError, StaleError, ThrottledError, TooLargeError
from entendre.fleet.webhooks import GIVEN_UP_FAILURES, MAX_OF_BRAND, SIGNATURE_HEADER
from entendre.ports.webhooks import WebhookChanges
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.webhooks import WebhookRows
from entendre.system import SystemClock, new_id

REGION = "eu"
URL = "https://hooks.example.org/entendre"


class SetClock:
    now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


class Receiver:
    """Answers as it is told to, and 200 after that."""

    def __init__(self) -> None:
        self.answers: list[int] = []
        self.got: list[dict[str, Any]] = []
        self.taken: list[int] = []
        self.headers: list[Mapping[str, str]] = []
        self.bodies: list[bytes] = []
        self.arrived = asyncio.Event()

    async def __call__(self, url: str, body: bytes, headers: Mapping[str, str]) -> int:
        status = self.answers.pop(0) if self.answers else 200
        self.got.append(json.loads(body))
        self.bodies.append(body)
        self.headers.append(headers)
        if status == 200:
            self.taken += [each["seq"] for each in self.got[-1]["changes"]]
        self.arrived.set()
        return status

    async def until(self, met: Callable[[], bool]) -> None:
        async with asyncio.timeout(10):
            while not met():
                self.arrived.clear()
                await self.arrived.wait()


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[LiveChanges]:
    feed = LiveChanges(ChangeRows(database, SystemClock(), REGION), poll_s=0.02)
    await feed.open()
    database.on_written = feed.wake
    running = asyncio.create_task(feed.run())
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
def desk(database: Database, feed: LiveChanges, receiver: Receiver, clock: SetClock) -> WebhookDesk:
    return WebhookDesk(WebhookRows(database, clock, REGION), feed, receiver, clock, new_id=new_id)


@pytest.fixture
async def delivering(desk: WebhookDesk) -> AsyncIterator[None]:
    running = asyncio.create_task(desk.run())
    yield
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def write(database: Database, *numbers: int, brand: str = "acme", topic: str = "command") -> None:
    entries = [FeedEntry(brand, topic, f"s{number}", "queued", data={"n": number}) for number in numbers]
    await database.write(lambda connection: announce(connection, REGION, 1.0, entries))


async def test_a_receiver_that_fails_hears_everything_in_order_once_it_is_back(
    database: Database, desk: WebhookDesk, receiver: Receiver, clock: SetClock, delivering: None
) -> None:
    record, _ = await desk.create("acme", URL, (), by="t")
    receiver.answers = [500, 0, 302]
    for number in range(3):
        await write(database, number)
        await write(database, 100 + number, brand="other")
    for failures in range(3):
        await receiver.until(lambda failures=failures: len(receiver.got) > failures)  # type: ignore[misc]
        clock.now_s += 100
        await write(database, 10 + failures)
    await receiver.until(lambda: len(receiver.taken) >= 6)
    await write(database, 20)  # what is delivered next shows that the last delivery was noted
    await receiver.until(lambda: len(receiver.taken) >= 7)
    subjects = [each["subject"] for document in receiver.got for each in document["changes"]]
    assert receiver.taken == sorted(set(receiver.taken))
    assert len(receiver.taken) == 7
    assert not any(each.startswith("s10") and len(each) == 4 for each in subjects)
    now = await desk.get("acme", record.id)
    assert (now.failures, now.enabled) == (0, True)


async def test_a_delivery_is_signed_over_its_time_and_body(
    database: Database, desk: WebhookDesk, receiver: Receiver, delivering: None
) -> None:
    _, secret = await desk.create("acme", URL, ("command",), by="t")
    await write(database, 1, topic="twin.desired")
    await write(database, 2)
    await receiver.until(lambda: bool(receiver.taken))
    time_s, _, digest = receiver.headers[0][SIGNATURE_HEADER].partition(",")
    signed = time_s.removeprefix("t=").encode() + b"." + receiver.bodies[0]
    assert digest == "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
    assert [each["subject"] for each in receiver.got[0]["changes"]] == ["s2"]


async def test_a_receiver_that_never_answers_is_given_up_and_can_be_enabled_again(
    database: Database, desk: WebhookDesk, receiver: Receiver, clock: SetClock
) -> None:
    rows = WebhookRows(database, clock, REGION)
    record, _ = await desk.create("acme", URL, (), by="t")
    for number in range(GIVEN_UP_FAILURES):
        await rows.failed(await rows.get("acme", record.id), 0, 5.0, gives_up=number == GIVEN_UP_FAILURES - 1)
    assert (await desk.get("acme", record.id)).enabled is False
    assert await rows.enabled() == ()
    again = await desk.change("acme", record.id, WebhookChanges(enabled=True), by="t")
    assert (again.enabled, again.failures, again.next_at_s) == (True, 0, None)


async def test_a_test_is_sent_at_once_and_not_too_often(desk: WebhookDesk, receiver: Receiver) -> None:
    record, _ = await desk.create("acme", URL, (), by="t")
    receiver.answers = [418]
    assert await desk.test("acme", record.id) == 418
    with pytest.raises(ThrottledError):
        await desk.test("acme", record.id)
    assert receiver.got[0] == {"webhook": record.id, "test": True, "changes": []}


async def test_webhooks_are_kept_listed_changed_and_removed(desk: WebhookDesk) -> None:
    made = [(await desk.create("acme", URL, (), by="t"))[0] for _ in range(3)]
    assert [each.id for each in await desk.webhooks("acme", after="", limit=2)] == [each.id for each in made[:2]]
    assert await desk.webhooks("other", after="", limit=2) == ()
    with pytest.raises(NotFoundError):
        await desk.get("other", made[0].id)
    with pytest.raises(StaleError):
        await desk.change("acme", made[0].id, WebhookChanges(topics=("twin",)), by="t", version=7)
    _, old = await desk.create("acme", URL, (), by="t")
    _, new = await desk.rotate("acme", made[0].id, by="t")
    assert new != old
    await desk.remove("acme", made[0].id, by="t")
    with pytest.raises(NotFoundError):
        await desk.remove("acme", made[0].id, by="t")
    for _ in range(MAX_OF_BRAND - 3):
        await desk.create("acme", URL, (), by="t")
    with pytest.raises(TooLargeError):
        await desk.create("acme", URL, (), by="t")


@pytest.mark.parametrize(
    "url",
    [
        "http://hooks.example.org/",
        "ftp://hooks.example.org/",
        "https://user:password@hooks.example.org/",
        "https:///nowhere",
        "https://[::1",
        "http://127.0.0.1/",
        "https://hooks.example.org/" + "x" * 1_000,
        "https://hooks.example.org/a b",
    ],
)
async def test_addresses_that_are_none_are_refused(desk: WebhookDesk, url: str) -> None:
    with pytest.raises(InvalidInputError):
        await desk.create("acme", url, (), by="t")
