"""What every store keeps to, whatever database is under it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from entendre.core.errors import ConflictError, NotFoundError, StoreError
from entendre.ports import (
    ActionKey,
    ActionRecord,
    Change,
    ItemRow,
    JobRow,
    ListRow,
    OutboxEvent,
    RingRow,
    Store,
)
from entendre.store import SqliteStore
from entendre.system import SystemClock, new_id

Opener = Callable[..., Awaitable[Store]]
HOUSEHOLD = (
    "INSERT INTO households (region, id, brand, name, retention, created_at_s, created_by, version)"
    " VALUES (?, ?, 'home', 'Next door', '{}', 0, 'test', 1) ON CONFLICT DO NOTHING"
)


@pytest.fixture
async def open_store(database_place: Path | str) -> AsyncIterator[Opener]:
    """Opens stores over one database: `await open_store(region="home")`."""
    opened: list[Store] = []

    async def opener(region: str = "home", household: str = "home") -> Store:
        store = await SqliteStore.open(database_place, SystemClock(), region, household)
        opened.append(store)
        if household != "home":
            await store.database.write(lambda connection: connection.execute(HOUSEHOLD, (region, household)).rowcount)
        return store

    yield opener
    for store in opened:
        await store.close()


@pytest.fixture
async def store(open_store: Opener) -> Store:
    """A store of a new database."""
    return await open_store()


def job(**values: object) -> JobRow:
    return replace(JobRow(new_id(), "alarm", "kitchen", "en", 1.5), **values)  # type: ignore[arg-type]


def ring_of(row: JobRow, due_at_s: float, **values: object) -> RingRow:
    ring = RingRow(new_id(), row.id, row.kind, row.text, row.device, row.language, due_at_s, "ringing", due_at_s)
    return replace(ring, **values)  # type: ignore[arg-type]


async def test_rows_come_back_as_they_were_written(store: Store) -> None:
    full = job(
        kind="reminder", text="l'été 夏", total_s=3, paused_s=0.25, time="07:30", date="2026-02-28",
        days=("mon", "sun"), every="week", enabled=False, skip_through="2026-03-01",
        due_at_s=1795393580.694441, snoozed_until_s=7.5, rang_due_at_s=1.25,
    )  # fmt: skip
    ring = ring_of(full, 1795393580.694441, delivered_to="hall", delivered_at_s=4.5)
    milk = ListRow("shopping", {"en": ("shopping list", "groceries"), "fr": ("courses",)})
    items = tuple(ItemRow(new_id(), "shopping", text, None, False, at) for at, text in ((2, "bread"), (1, "milk")))
    await store.write(Change(jobs=(full, job()), rings=(ring,), lists=(milk,), items=items))

    assert replace(full, version=1) in await store.jobs()
    assert await store.rings() == (replace(ring, version=1),)
    assert await store.lists() == ((replace(milk, version=1), (items[1], items[0])),)


async def test_what_is_written_is_there_after_opening_again(open_store: Opener) -> None:
    first = await open_store()
    row = job(text="a")
    await first.write(Change(jobs=(row,)))
    second = await open_store()
    assert await second.jobs() == (replace(row, version=1),)


async def test_jobs_and_rings_that_are_over_are_not_listed_but_unreported_misses_are(store: Store) -> None:
    row = job(ended_at_s=2.0)
    silenced = ring_of(row, 1.0, state="silenced", ended_at_s=2.0)
    missed = ring_of(row, 2.0, state="missed", ended_at_s=2.0)
    reported = ring_of(row, 3.0, state="missed", ended_at_s=2.0, reported=True)
    await store.write(Change(jobs=(row,), rings=(silenced, missed, reported)))
    assert await store.jobs() == ()
    assert [each.id for each in await store.rings()] == [missed.id]


async def test_an_action_is_done_once_however_often_it_is_written(store: Store) -> None:
    key = ActionKey("turn", 0)
    first = Change(once=key, action='{"type":"a"}', result="7", jobs=(job(),))
    again = replace(first, result="8", jobs=(job(),), events=(OutboxEvent("job", "x", "created"),))
    assert await store.write(first) is None
    assert await store.write(again) == ActionRecord(key, "done", '{"type":"a"}', "7")
    assert [each.id for each in await store.jobs()] == [first.jobs[0].id]
    assert await store.outbox(0, 10) == ()
    assert await store.write(replace(again, once=ActionKey("turn", 1))) is None


async def test_an_action_is_done_once_by_many_at_the_same_moment(store: Store) -> None:
    change = Change(once=ActionKey("turn", 0), result="1")
    records = await asyncio.gather(*(store.write(replace(change, jobs=(job(),))) for _ in range(50)))
    assert records.count(None) == 1
    assert len(await store.jobs()) == 1


async def test_an_action_with_an_outside_effect_is_noted_before_and_after(store: Store) -> None:
    key = ActionKey("turn", 2)
    assert await store.executed(key) is None
    assert await store.begin_action(key, '{"on":true}') is None
    assert await store.begin_action(key, '{"on":false}') == ActionRecord(key, "started", '{"on":true}', "null")
    await store.finish_action(key, '"ok"')
    done = ActionRecord(key, "done", '{"on":true}', '"ok"')
    assert await store.begin_action(key, '{"on":true}') == done
    assert await store.executed(key) == done


@pytest.mark.parametrize("stale", [0, 1, 3])
async def test_a_row_that_changed_meanwhile_refuses_the_whole_change(store: Store, stale: int) -> None:
    row, other = job(), job()
    await store.write(Change(jobs=(row,)))
    await store.write(Change(jobs=(replace(row, version=1, text="newer"),)))
    change = Change(
        once=ActionKey("turn", 0),
        jobs=(other, replace(row, version=stale, text="stale")),
        events=(OutboxEvent("job", row.id, "changed"),),
    )
    with pytest.raises(ConflictError):
        await store.write(change)
    assert await store.jobs() == (replace(row, version=2, text="newer"),)
    assert await store.executed(ActionKey("turn", 0)) is None
    assert await store.outbox(0, 10) == ()


async def test_no_occurrence_rings_as_two_rings(store: Store) -> None:
    row = job()
    await store.write(Change(jobs=(row,), rings=(ring_of(row, 5.0),)))
    with pytest.raises(ConflictError):
        await store.write(Change(rings=(ring_of(row, 5.0),)))
    await store.write(Change(rings=(ring_of(row, 6.0),)))


async def test_items_are_replaced_and_dropped(store: Store) -> None:
    row = ListRow("l", {"": ("l",)})
    items = [ItemRow(new_id(), "l", text, None, False, at) for at, text in enumerate("abc")]
    await store.write(Change(lists=(row,), items=tuple(items)))
    ticked = replace(items[0], done=True, quantity="2")
    await store.write(Change(lists=(replace(row, version=1),), items=(ticked,), dropped_items=(items[1].id,)))
    assert (await store.lists())[0] == (replace(row, version=2), (ticked, items[2]))


async def test_an_item_of_no_list_is_refused(store: Store) -> None:
    orphan = ItemRow(new_id(), "nowhere", "milk", None, False, 1)
    with pytest.raises(StoreError):
        await store.write(Change(jobs=(job(),), items=(orphan,)))
    assert await store.jobs() == ()


async def test_the_outbox_gives_announcements_in_order_after_a_position(store: Store) -> None:
    for number in range(5):
        await store.write(Change(events=(OutboxEvent("job", str(number), "created"),)))
    first = await store.outbox(0, 3)
    rest = await store.outbox(first[-1].seq, 10)
    assert [event.subject for event in (*first, *rest)] == ["0", "1", "2", "3", "4"]


async def test_pruning_forgets_what_is_over_and_nothing_else(store: Store) -> None:
    over, open_job = job(ended_at_s=10.0), job()
    ringing = ring_of(open_job, 1.0)
    await store.write(Change(once=ActionKey("t", 0), jobs=(over, open_job), rings=(ringing,)))
    await store.write(Change(rings=(ring_of(over, 2.0, state="silenced", ended_at_s=3.0),)))
    assert await store.prune(5.0) == 1
    assert await store.prune(5.0) == 0
    assert await store.executed(ActionKey("t", 0)) is not None
    assert await store.prune(SystemClock().wall() + 60) == 2
    assert await store.executed(ActionKey("t", 0)) is None
    assert [each.id for each in await store.jobs()] == [open_job.id]
    assert [each.id for each in await store.rings()] == [ringing.id]


async def test_regions_do_not_see_each_other(open_store: Opener) -> None:
    home, away = await open_store("home"), await open_store("away")
    row, key = job(), ActionKey("turn", 0)
    for store in (home, away):
        assert await store.write(Change(once=key, jobs=(row,), lists=(ListRow("l", {}),))) is None
    await home.write(Change(jobs=(replace(row, version=1, ended_at_s=1.0),)))
    await home.prune(SystemClock().wall() + 60)
    assert await home.jobs() == ()
    assert await away.jobs() == (replace(row, version=1),)
    assert await away.executed(key) is not None


async def test_many_writers_at_once_lose_nothing(store: Store) -> None:
    async def writer() -> None:
        for _ in range(20):
            await store.write(Change(jobs=(job(),), events=(OutboxEvent("job", "x", "created"),)))

    await asyncio.gather(*(writer() for _ in range(16)))
    assert len(await store.jobs()) == 320
    assert len(await store.outbox(0, 1000)) == 320


async def test_closing_keeps_what_was_accepted_and_refuses_more(open_store: Opener) -> None:
    store = await open_store()
    writes = [asyncio.ensure_future(store.write(Change(jobs=(job(),)))) for _ in range(40)]
    await asyncio.sleep(0)
    await store.close()
    await asyncio.gather(*writes)
    with pytest.raises(StoreError):
        await store.jobs()
    assert len(await (await open_store()).jobs()) == 40


async def test_nothing_is_written_for_a_household_that_is_no_more(open_store: Opener) -> None:
    store = await open_store(household="next door")
    assert isinstance(store, SqliteStore)
    await store.database.write(lambda connection: connection.execute("DELETE FROM households").rowcount)
    with pytest.raises(NotFoundError):
        await store.write(Change(jobs=(job(),)))
    with pytest.raises(NotFoundError):
        await store.begin_action(ActionKey("turn", 0), "{}")


async def test_the_same_turn_of_two_households_is_two(open_store: Opener) -> None:
    ours, theirs = await open_store(), await open_store(household="next door")
    for store, result in ((ours, "1"), (theirs, "2")):
        change = Change(once=ActionKey("turn", 0), result=result, events=(OutboxEvent("job", result, "created"),))
        assert await store.write(change) is None
    assert (await ours.executed(ActionKey("turn", 0))).result == "1"  # type: ignore[union-attr]
    assert (await theirs.executed(ActionKey("turn", 0))).result == "2"  # type: ignore[union-attr]
    assert [each.subject for each in await theirs.outbox(0, 10)] == ["2"]
