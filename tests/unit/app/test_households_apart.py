"""Whatever devices of two households do, in any order: nothing of the other's changes, and nothing of it is heard."""

from __future__ import annotations

import asyncio
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from town import Town, town

SIDES = ("a", "b")
OWN_TABLES = ("lists", "list_items", "jobs", "rings", "executed", "rooms", "homes", "outbox")
WORDS = {"a": ("apples", "apricots"), "b": ("bananas", "beetroots")}
SAID = (
    "put {word} on my shopping list",
    "take {word} off my shopping list",
    "clear my shopping list",
    "what's on my shopping list",
    "set a {word} timer for ten minutes",
    "cancel all timers",
    "how much time is left",
    "remind me to buy {word} in one hour",
    "set an alarm for seven",
    "cancel all alarms",
    "announce {word} are ready",
    "stop",
    "turn on the kitchen lamp",
)
ACTS = st.lists(
    st.tuples(
        st.sampled_from(SIDES),
        st.sampled_from(["say", "ask", "wait", "sleep"]),
        st.sampled_from(SAID),
        st.integers(0, 1),
        st.sampled_from(["same", "other"]),
    ),
    min_size=1,
    max_size=14,
)


async def rows_of(built: Town, household: str) -> list[Any]:
    return [await built.sql(f"SELECT * FROM {table} WHERE household = ?", household) for table in OWN_TABLES]


async def settled(built: Town, household: str) -> list[Any]:
    """The rows of a household once what is due there has rung."""
    for runtime in built.households.running():
        await runtime.scheduler.tick()
    before: list[Any] = []
    while before != (now := await rows_of(built, household)):
        before = now
        await asyncio.sleep(0.01)
    return before


async def acted(built: Town, acts: list[tuple[str, str, str, int, str]]) -> None:
    for number, (side, how, text, word, turn) in enumerate(acts):
        other = SIDES[1 - SIDES.index(side)]
        words = text.format(word=WORDS[side][word])
        if how in ("wait", "sleep"):
            built.clock.now_s += 700 if how == "wait" else 4000
            await built.households.look()
            continue
        before = await settled(built, other)
        if how == "say":
            heard = await built.ask(f"speaker-{side}", words)
        else:
            name = "request:same" if turn == "same" else f"request:{number}"
            heard = (await built.type(side, words, turn=name, device="kitchen")).plan.reply
        assert await rows_of(built, other) == before
        assert not [each for each in WORDS[other] if each in heard.lower()]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(ACTS)
def test_nothing_of_one_household_reaches_the_other(acts: list[tuple[str, str, str, int, str]]) -> None:
    async def scene() -> None:
        with tempfile.TemporaryDirectory() as folder:
            async with town(Path(folder)) as built:
                for side in SIDES:
                    await built.build(side, {"kitchen": "kitchen"})
                    await built.deliver(f"speaker-{side}", side)
                await acted(built, acts)

    asyncio.run(scene())
