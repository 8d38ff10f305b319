"""Utterances that wait at the same time are recognised at once, where the engine gains by it."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence

import numpy as np
import pytest

from entendre.core.audio import Samples
from entendre.core.errors import RecognitionError
from entendre.ports import Cancelled, Transcript
from entendre.speech.heard import SpokenOnly
from entendre.speech.pool import MOST_TOGETHER, InferencePool, PooledRecognizer, Urgency


class Whole:
    """An engine that notes how many utterances it was given at once; it holds the first until it is let go."""

    name, languages = "whole", frozenset({"en"})

    def __init__(self) -> None:
        self.groups: list[list[int]] = []
        self.entered, self.leave = threading.Event(), threading.Event()
        self.fails = False

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        self.groups.append([len(audio)])
        self.entered.set()
        self.leave.wait(2)
        return Transcript(str(len(audio)), language)

    def recognize_together(
        self, audios: Sequence[Samples], *, language: str, cancelled: Sequence[Cancelled]
    ) -> list[Transcript | None]:
        self.groups.append([len(audio) for audio in audios])
        if self.fails:
            raise RecognitionError("broken")
        return [
            None if gone() else Transcript(str(len(audio)), language)
            for audio, gone in zip(audios, cancelled, strict=True)
        ]


@pytest.fixture
async def pool() -> AsyncIterator[InferencePool]:
    opened = InferencePool(1)
    yield opened
    opened.close()


def hear(recognizer: PooledRecognizer, samples: int, **asked: bool) -> asyncio.Task[Transcript]:
    return asyncio.create_task(recognizer.recognize(np.ones(samples, np.int16), language="en", **asked))


async def held(pool: InferencePool, engine: Whole) -> asyncio.Task[Transcript]:
    """The pool's only worker at work, so that what comes now waits."""
    first = hear(PooledRecognizer(engine, pool), 1)
    await asyncio.to_thread(engine.entered.wait, 2)
    return first


async def test_what_waits_is_recognised_at_once_and_each_gets_its_own_words(pool: InferencePool) -> None:
    engine = Whole()
    first = await held(pool, engine)
    draft, final = PooledRecognizer(engine, pool, Urgency.DRAFT), PooledRecognizer(engine, pool)
    tasks = [hear(draft, 100), hear(final, 200), hear(draft, 300)]
    await asyncio.sleep(0)
    engine.leave.set()
    texts = [transcript.text for transcript in await asyncio.gather(first, *tasks)]
    assert texts == ["1", "100", "200", "300"]
    assert engine.groups == [[1], [200, 100, 300]]
    assert pool.waiting == 0


async def test_a_group_is_bounded_and_leaves_out_what_does_not_fit(pool: InferencePool) -> None:
    engine = Whole()
    first = await held(pool, engine)
    recognizer = PooledRecognizer(engine, pool)
    long = hear(recognizer, 80_000)
    thorough = hear(recognizer, 110, thorough=True)
    tasks = [hear(recognizer, 100 + number) for number in range(6)]
    await asyncio.sleep(0)
    engine.leave.set()
    await asyncio.gather(first, long, thorough, *tasks)
    assert max(len(group) for group in engine.groups) == MOST_TOGETHER
    assert [80_000] in engine.groups
    assert [110] in engine.groups


async def test_a_little_waiting_is_shared_between_the_workers() -> None:
    pool, engine = InferencePool(2), Whole()
    recognizer = PooledRecognizer(engine, pool)
    running = [hear(recognizer, 1), hear(recognizer, 2)]
    async with asyncio.timeout(2):
        while pool.running < 2:  # noqa: ASYNC110 - threads pass no event on to the loop
            await asyncio.sleep(0.001)
    waiting = [hear(recognizer, 100), hear(recognizer, 200)]
    await asyncio.sleep(0)
    engine.leave.set()
    await asyncio.gather(*running, *waiting)
    pool.close()
    assert all(len(group) == 1 for group in engine.groups)


async def test_one_that_nobody_wants_takes_nobody_with_it_and_a_failure_reaches_all(pool: InferencePool) -> None:
    engine = Whole()
    first = await held(pool, engine)
    recognizer = PooledRecognizer(engine, pool)
    tasks = [hear(recognizer, 100 + number) for number in range(3)]
    await asyncio.sleep(0)
    tasks[1].cancel()
    await asyncio.sleep(0)
    engine.leave.set()
    await first
    assert [(await tasks[0]).text, (await tasks[2]).text] == ["100", "102"]
    engine.leave.clear()
    engine.entered.clear()
    engine.fails = True
    first = await held(pool, engine)
    tasks = [hear(recognizer, 100 + number) for number in range(2)]
    await asyncio.sleep(0)
    engine.leave.set()
    await first
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert all(isinstance(result, RecognitionError) for result in results)


def test_silence_in_a_group_is_not_recognised() -> None:
    class Loud:
        frame_samples = 512

        def push(self, audio: Samples) -> list[float]:
            return [float(abs(int(audio.max())) > 9)] * 8

        def reset(self) -> None: ...

    class Vad:
        name = "loud"

        def open(self) -> Loud:
            return Loud()

    engine = Whole()
    spoken = SpokenOnly(engine, Vad())
    sound = [np.full(4000, level, np.int16) for level in (0, 50, 60)]
    found = spoken.recognize_together(sound, language="en", cancelled=[lambda: False, lambda: False, lambda: True])
    assert found[0] == Transcript("", "en", confidence=0.0, no_speech=1.0)
    assert found[1] == Transcript("4000", "en")
    assert found[2] is None
    assert engine.groups == [[4000, 4000]]
