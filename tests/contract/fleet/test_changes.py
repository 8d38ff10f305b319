"""The change feed read from both databases: in order, by interest, and without gaps for a reader that is slow."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from entendre.cloud.changes import MAX_QUEUED, LiveChanges
from entendre.ports.changes import FeedChange, Interest
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.store.fleet.changes import ChangeRows
from entendre.system import SystemClock

REGION = "eu"


@pytest.fixture
async def feed(database: Database) -> AsyncIterator[LiveChanges]:
    feed = LiveChanges(ChangeRows(database, SystemClock(), REGION))
    await feed.open()
    database.on_written = feed.wake
    running = asyncio.create_task(feed.run())
    yield feed
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def write(database: Database, *entries: FeedEntry, region: str = REGION) -> None:
    await database.write(lambda connection: announce(connection, region, 1.0, entries))


def entry(number: int, brand: str = "acme", topic: str = "command", household: str | None = None) -> FeedEntry:
    return FeedEntry(brand, topic, f"s{number}", "queued", household, version=number, data={"number": number})


async def test_a_maker_follows_its_fleet_and_not_what_people_do_at_home(database: Database, feed: LiveChanges) -> None:
    topics = ("note", "device", "member", "twin.desired", "household", "room", "list", "consent", "routine")
    fleet = Interest(brand="acme", fleet_only=True)
    subscription = feed.subscribe(fleet)
    await write(database, *(entry(number, topic=topic, household="h1") for number, topic in enumerate(topics)))
    assert [each.topic for each in (await subscription.wait(5.0)).changes] == ["device", "twin.desired"]
    assert [each.topic for each in (await feed.after(0, fleet, 20)).changes] == ["device", "twin.desired"]
    subscription.close()


async def test_rows_are_read_in_order_and_by_interest(database: Database) -> None:
    rows = ChangeRows(database, SystemClock(), REGION)
    await write(database, entry(1), entry(2, brand="other"), entry(3, topic="twin.desired", household="h1"))
    await write(database, entry(4), region="us")
    everything = await rows.after(0, Interest(), 10)
    assert [each.subject for each in everything.changes] == ["s1", "s2", "s3"]
    assert everything.changes[2].data == '{"number":3}'
    assert [each.subject for each in (await rows.after(0, Interest(brand="acme"), 10)).changes] == ["s1", "s3"]
    assert [each.subject for each in (await rows.after(0, Interest(household="h1"), 10)).changes] == ["s3"]
    assert [each.subject for each in (await rows.after(0, Interest(topics=("twin",)), 10)).changes] == ["s3"]
    assert [each.subject for each in (await rows.after(0, Interest(subject="s2"), 10)).changes] == ["s2"]
    first = await rows.after(0, Interest(), 1)
    assert first.more
    assert [each.subject for each in (await rows.after(first.next_seq, Interest(), 10)).changes] == ["s2", "s3"]
    assert await rows.first() == everything.changes[0].seq
    assert await rows.last() == everything.changes[2].seq


async def test_a_filtered_reader_moves_on_past_what_it_does_not_want(database: Database) -> None:
    rows = ChangeRows(database, SystemClock(), REGION)
    await write(database, entry(1), entry(2), entry(3))
    page = await rows.after(0, Interest(topics=("release",)), 10)
    assert page.changes == ()
    assert page.next_seq == await rows.last()


async def test_subscribers_hear_what_they_want_and_nothing_else(database: Database, feed: LiveChanges) -> None:
    acme, home = feed.subscribe(Interest(brand="acme")), feed.subscribe(Interest(household="h1"))
    await write(database, entry(1), entry(2, brand="other", household="h1"), entry(3, brand="other"))
    heard = await acme.wait()
    assert [each.subject for each in heard.changes] == ["s1"]
    assert [each.subject for each in (await home.wait()).changes] == ["s2"]
    acme.close()
    home.close()


async def test_a_slow_subscriber_is_told_to_read_again_and_holds_up_nobody(
    database: Database, feed: LiveChanges
) -> None:
    slow, quick = feed.subscribe(Interest(brand="acme")), feed.subscribe(Interest(brand="acme"))
    got: list[FeedChange] = []
    for start in range(0, MAX_QUEUED + 100, 100):
        await write(database, *(entry(start + number) for number in range(100)))
        while len(got) < start + 100:
            got += (await quick.wait()).changes
    heard = await slow.wait()
    assert heard.missed
    assert heard.changes == ()
    await write(database, entry(-1))
    assert not (await slow.wait()).missed
    slow.close()
    quick.close()


async def test_following_from_any_place_misses_nothing_and_repeats_nothing(
    database: Database, feed: LiveChanges
) -> None:
    await write(database, *(entry(number) for number in range(300)))

    async def later() -> None:
        for start in range(300, 1500, 50):
            await write(database, *(entry(start + number) for number in range(50)))

    writing = asyncio.create_task(later())
    seen: list[int | None] = []
    following = feed.follow(Interest(brand="acme"), 0)
    async for heard in following:
        seen += [each.version for each in heard.changes]
        if len(seen) >= 1500:
            break
        await asyncio.sleep(0.001)
    await following.aclose()  # type: ignore[attr-defined]
    await writing
    assert seen == list(range(1500))
