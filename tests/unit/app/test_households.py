"""Households of one server never meet, whatever their devices say."""

from __future__ import annotations

import asyncio
import gc
import json
import tracemalloc
from pathlib import Path

import pytest
from town import Speaker, Town, eventually, town

from entendre.core.errors import HouseholdChangedError, NotFoundError, OverloadedError
from entendre.core.home import HOME
from entendre.home.stored import stored_document
from entendre.ports.homes import StoredHome
from entendre.session.api import RingStarted, TurnEnded
from entendre.session.households import IDLE_S

LAMP = {"appliances": [{"id": "lamp", "kind": "light", "names": "kitchen lamp"}]}


async def rings_of(speaker: Speaker) -> str:
    ring: RingStarted = await speaker.until(RingStarted)
    return ring.ring


async def test_each_household_has_its_own_lists(built: Town) -> None:
    await built.deliver("speaker-a", "a")
    await built.deliver("speaker-b", "b")
    await built.ask("speaker-a", "put milk on my shopping list")
    await built.ask("speaker-b", "put bread on my shopping list")
    assert "milk" in await built.ask("speaker-a", "what's on my shopping list")
    assert "bread" in (answer := await built.ask("speaker-b", "what's on my shopping list"))
    assert "milk" not in answer
    rows = await built.sql("SELECT household, text FROM list_items ORDER BY household")
    assert rows == [("a", "milk"), ("b", "bread")]


async def test_the_household_is_that_of_the_device_whatever_it_calls_itself(built: Town) -> None:
    await built.deliver("speaker-a", "a")
    await built.ask("speaker-a", "put milk on my shopping list")
    assert "milk" not in await built.ask("speaker-a", "what's on my shopping list", proven=False)


async def test_what_says_no_language_is_in_its_household_s(built: Town) -> None:
    await built.build("m", language="ms,en")
    async with built.households.using("m") as runtime, built.households.using(HOME) as own:
        assert (runtime.spoken, own.spoken) == ("ms,en", "en")


async def test_a_timer_rings_in_its_household_alone(built: Town) -> None:
    for device, household in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await built.deliver(device, household)
    async with built.talking("a1") as (asked, first, _), built.talking("b1") as (_, other, _):
        asked.respond("set a timer for ten minutes")
        await first.until(TurnEnded)
        built.clock.now_s += 601
        await rings_of(first)
        async with built.talking("a2", proven=True) as (_, second, _):
            assert not second.rings
        assert not other.rings
    async with built.talking("b1") as (_, later, _):
        await asyncio.sleep(0.05)
        assert not later.rings


async def test_an_announcement_stays_in_its_household(built: Town) -> None:
    for device, household in (("a1", "a"), ("a2", "a"), ("b1", "b")):
        await built.deliver(device, household)
    async with (
        built.talking("a1") as (one, asked, _),
        built.talking("a2") as (_, near, _),
        built.talking("b1") as (_, far, _),
    ):
        one.respond("announce dinner is ready")
        await asked.until(TurnEnded)
        await eventually(lambda: any("dinner" in each.lower() for each in near.said))
        assert not far.said


async def test_a_turn_of_the_same_name_is_another_turn_in_another_household(built: Town) -> None:
    await built.type("a", "put milk on my shopping list", turn="request:1")
    await built.type("b", "put bread on my shopping list", turn="request:1")
    await built.type("b", "put bread on my shopping list", turn="request:1")
    rows = await built.sql("SELECT household, text FROM list_items ORDER BY household")
    assert rows == [("a", "milk"), ("b", "bread")]


async def test_a_device_that_nobody_took_home_says_so_and_does_nothing(built: Town) -> None:
    await built.deliver("boxed", None)
    assert "not set up" in await built.ask("boxed", "put milk on my shopping list")
    assert "not set up" in await built.ask("never-seen", "set a timer for ten minutes")
    for table in ("list_items", "jobs", "executed"):
        assert await built.sql(f"SELECT * FROM {table}") == []


async def test_it_says_its_code_where_it_has_one(built: Town) -> None:
    await built.deliver("boxed", None)

    async def code(device: str) -> str | None:
        return "274183" if device == "boxed" else None

    built.households.claim_code = code
    assert "2, 7, 4, 1, 8, 3" in await built.ask("boxed", "hello")


async def test_without_other_households_every_device_is_at_home(tmp_path: Path) -> None:
    async with town(tmp_path) as lone:
        await lone.deliver("boxed", None)
        await lone.ask("boxed", "put milk on my shopping list")
        assert await lone.sql("SELECT household, text FROM list_items") == [(HOME, "milk")]


async def test_a_device_that_moves_out_ends_its_conversation_and_is_elsewhere_next(built: Town) -> None:
    await built.deliver("speaker", "a")
    await built.ask("speaker", "put milk on my shopping list")
    await built.households.look()
    async with built.talking("speaker") as (_, _, task):
        await asyncio.sleep(0.05)
        await built.households.look()
        assert not task.done()
        await built.move("speaker", "b")
        await built.households.look()
        with pytest.raises(HouseholdChangedError):
            await asyncio.wait_for(task, 2)
    assert "milk" not in await built.ask("speaker", "what's on my shopping list")
    await built.move("speaker", None, "released")
    assert "not set up" in await built.ask("speaker", "what's on my shopping list")


async def test_an_idle_household_is_closed_and_its_timer_rings_all_the_same(built: Town) -> None:
    await built.deliver("a1", "a")
    await built.ask("a1", "set a timer for one hour")
    built.clock.now_s += IDLE_S + 1
    await built.households.look()
    assert [each.id for each in built.households.running()] == [HOME]
    built.clock.now_s += 3600
    async with built.talking("a1") as (_, speaker, _):
        await rings_of(speaker)


async def test_a_household_is_woken_for_its_timer_though_nobody_is_there(built: Town) -> None:
    await built.type("a", "set a timer for one hour")
    built.clock.now_s += IDLE_S + 1
    await built.households.look()
    assert len(built.households.running()) == 1
    built.clock.now_s += 3600 - IDLE_S
    await built.households.look()
    await eventually(lambda: built.sql("SELECT 1 FROM rings WHERE household = 'a' AND state = 'ringing'"))
    built.clock.now_s += IDLE_S + 1
    await built.households.look()
    assert len(built.households.running()) == 2, "it rings still"


async def test_a_household_that_can_not_be_opened_holds_no_other_up(built: Town) -> None:
    await built.type("b", "set a timer for one hour")
    await built.sql("UPDATE jobs SET household = 'nobody'")
    await built.type("a", "set a timer for one hour")
    built.clock.now_s += IDLE_S + 1
    await built.households.look()
    built.clock.now_s += 3600 - IDLE_S
    await built.households.look()
    await eventually(lambda: len(built.households.running()) == 2)


async def test_only_so_many_are_open_and_those_in_use_are_not_closed(tmp_path: Path) -> None:
    async with town(tmp_path, most=2) as small:
        for name in "abc":
            await small.build(name)
        async with small.households.using("a"):
            await small.type("b", "what time is it")
            await small.type("c", "what time is it")
            assert {each.id for each in small.households.running()} == {HOME, "a", "c"}
            async with small.households.using("c"):
                with pytest.raises(OverloadedError):
                    await small.type("b", "what time is it")


async def test_who_comes_at_once_shares_one_household(built: Town) -> None:
    async def seen() -> int:
        async with built.households.using("a") as runtime:
            await asyncio.sleep(0.01)
            return id(runtime)

    assert len(set(await asyncio.gather(*(seen() for _ in range(20))))) == 1
    with pytest.raises(NotFoundError):
        await built.type("nobody", "what time is it")


async def test_a_home_document_gives_a_household_appliances_in_its_own_rooms(built: Town) -> None:
    stored = await built.homes.home("a")
    assert stored is not None
    document = stored_document({"appliances": [LAMP["appliances"][0] | {"room": "a-kitchen"}]}, stored.rooms)
    await built.households.look()
    assert (await built.type("a", "turn on the kitchen lamp")).plan.refusal
    await built.homes.put_document("a", document, by="test")
    await built.households.look()
    assert not (await built.type("a", "turn on the kitchen lamp")).plan.refusal
    assert (await built.type("b", "turn on the kitchen lamp")).plan.refusal
    async with built.households.using("a") as runtime:
        lamp = runtime.graph.snapshot().appliances[0]
        assert (lamp.room, lamp.state["on"]) == ("a-kitchen", True)  # type: ignore[index]


async def test_a_household_that_is_erased_ends_at_once(built: Town) -> None:
    await built.deliver("a1", "a")
    async with built.talking("a1") as (_, speaker, task):
        await asyncio.sleep(0.05)
        await built.sql("DELETE FROM households WHERE id = 'a'")
        await built.households.changed("a", "erased")
        assert task.done()
        assert [each.id for each in built.households.running()] == [HOME]
        assert not speaker.rings


async def test_what_was_said_before_the_household_was_open_is_not_lost(built: Town) -> None:
    await built.deliver("a1", "a")
    async with built.talking("a1") as (conversation, speaker, _):
        conversation.respond("put milk on my shopping list")
        conversation.respond("x" * 10_000)
        await speaker.until(TurnEnded)
    assert await built.sql("SELECT text FROM list_items") == [("milk",)]


async def test_two_hundred_households_leave_nothing_behind(tmp_path: Path) -> None:
    async with town(tmp_path, most=300) as big:
        names = [f"h{number:03}" for number in range(200)]
        for name in names:
            await big.build(name, {"kitchen": "kitchen", "bedroom": "bedroom"})
        await _visit(big, names[:20])
        gc.collect()
        before = len(asyncio.all_tasks())
        tracemalloc.start()
        try:
            start, _ = tracemalloc.get_traced_memory()
            await _visit(big, names)
            gc.collect()
            open_bytes, _ = tracemalloc.get_traced_memory()
            big.clock.now_s += IDLE_S + 1
            await big.households.look()
            gc.collect()
            left, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert (open_bytes - start) / 200 < 300_000
        assert (left - start) / 200 < 10_000
        assert [each.id for each in big.households.running()] == [HOME]
        assert len(asyncio.all_tasks()) <= before
        print(f"{(open_bytes - start) / 200 / 1024:.0f} KiB a household, {(left - start) / 200:.0f} bytes left of each")


async def _visit(big: Town, names: list[str]) -> None:
    for name in names:
        await big.type(name, "put milk on my shopping list")


def test_a_document_that_no_longer_holds_leaves_the_rooms() -> None:
    from entendre.home.stored import home_of

    broken = json.dumps({"appliances": [{"id": "lamp", "kind": "light", "names": "lamp", "room": "gone"}]})
    home = home_of(StoredHome("a", document=broken), "Europe/Paris")
    assert (home.appliances, home.time_zone) == ((), "Europe/Paris")
