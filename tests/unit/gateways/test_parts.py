"""The tasks of a connection."""

from __future__ import annotations

import asyncio

import pytest

from entendre.gateways.parts import Parts


async def test_the_first_part_that_fails_ends_the_connection() -> None:
    parts, ended = Parts(), asyncio.Event()

    async def last() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.set()

    async def fail(word: str) -> None:
        raise ValueError(word)

    parts.start(last())
    parts.start(fail("first"))
    parts.start(fail("second"))
    with pytest.raises(ValueError, match="first"):
        await parts.until_failed()
    await parts.stop()
    assert ended.is_set()


async def test_a_part_that_is_over_or_cancelled_ends_nothing() -> None:
    parts = Parts()

    async def nothing() -> None:
        return None

    await parts.start(nothing())
    parts.start(asyncio.sleep(60)).cancel()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.05):
            await parts.until_failed()
    await parts.stop()


async def test_whoever_waits_may_be_cancelled_while_a_part_fails() -> None:
    parts = Parts()
    waiting = asyncio.create_task(parts.until_failed())
    await asyncio.sleep(0)
    parts.fail(ValueError())
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await parts.stop()
