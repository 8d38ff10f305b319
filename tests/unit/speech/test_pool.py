"""The inference pool: bounded, urgent first, fair between owners, and free as soon as nobody waits."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

import pytest

from entendre.core.errors import OverloadedError
from entendre.ports import INFERENCE_OWNER, Cancelled, InferenceCancelled
from entendre.speech.pool import InferencePool, Job, PooledVoice, Urgency


@pytest.fixture
async def pool() -> AsyncIterator[InferencePool]:
    opened = InferencePool(1, waiting_limit=4)
    yield opened
    opened.close()


class Gate:
    """Work that says when it runs and waits to be let go."""

    def __init__(self) -> None:
        self.entered = threading.Event()
        self.leave = threading.Event()

    def __call__(self, cancelled: Cancelled) -> str:
        self.entered.set()
        while not self.leave.wait(0.001):
            if cancelled():
                raise InferenceCancelled
        return "done"


async def occupy(pool: InferencePool) -> tuple[Gate, "Job[str]"]:
    gate = Gate()
    job = pool.submit(gate)
    await asyncio.to_thread(gate.entered.wait, 2)
    return gate, job


async def test_work_runs_elsewhere_and_its_errors_come_back(pool: InferencePool) -> None:
    assert await pool.run(lambda _: threading.current_thread().name) == "inference-0"

    def fail(_: Cancelled) -> None:
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        await pool.run(fail)


async def test_urgent_work_goes_first(pool: InferencePool) -> None:
    gate, blocker = await occupy(pool)
    order: list[str] = []
    jobs = [
        pool.submit(lambda _: order.append("ahead"), Urgency.AHEAD),
        pool.submit(lambda _: order.append("draft"), Urgency.DRAFT),
        pool.submit(lambda _: order.append("reply"), Urgency.REPLY),
        pool.submit(lambda _: order.append("final"), Urgency.FINAL),
    ]
    gate.leave.set()
    await asyncio.gather(blocker.outcome, *(job.outcome for job in jobs))
    assert order == ["final", "reply", "draft", "ahead"]


async def test_replies_need_not_wait_for_recognition() -> None:
    pool = InferencePool(1, reply_workers=1)
    gate, blocker = await occupy(pool)
    draft = pool.submit(lambda _: "draft", Urgency.DRAFT)
    for urgency in (Urgency.REPLY, Urgency.AHEAD):
        assert await pool.run(lambda _: threading.current_thread().name, urgency) == "replies-0"
    assert not draft.outcome.done()
    gate.leave.set()
    assert await draft.outcome == "draft"
    await blocker.outcome
    pool.close()


async def test_owners_take_turns(pool: InferencePool) -> None:
    gate, blocker = await occupy(pool)
    order: list[str] = []
    jobs = []
    for owner, text in (("greedy", "g1"), ("greedy", "g2"), ("greedy", "g3"), ("modest", "m1")):
        INFERENCE_OWNER.set(owner)
        jobs.append(pool.submit(lambda _, text=text: order.append(text)))
    gate.leave.set()
    await asyncio.gather(blocker.outcome, *(job.outcome for job in jobs))
    assert order == ["g1", "m1", "g2", "g3"]


async def test_a_full_queue_refuses(pool: InferencePool) -> None:
    gate, _ = await occupy(pool)
    waiting = [pool.submit(lambda _: None) for _ in range(4)]
    with pytest.raises(OverloadedError):
        pool.submit(lambda _: None)
    waiting[0].cancel()
    pool.submit(lambda _: None)
    gate.leave.set()


async def test_a_cancelled_task_leaves_the_queue(pool: InferencePool) -> None:
    gate, blocker = await occupy(pool)
    ran: list[int] = []
    task = asyncio.create_task(pool.run(lambda _: ran.append(1)))
    await asyncio.sleep(0)
    assert pool.waiting == 1
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert pool.waiting == 0
    gate.leave.set()
    await blocker.outcome
    await pool.run(lambda _: None)
    assert ran == []


async def test_cancelling_running_work_frees_the_thread(pool: InferencePool) -> None:
    gate = Gate()
    task = asyncio.create_task(pool.run(gate))
    await asyncio.to_thread(gate.entered.wait, 2)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with asyncio.timeout(2):
        assert await pool.run(lambda _: "free") == "free"


async def test_closing_ends_everything() -> None:
    pool = InferencePool(1)
    _, running = await occupy(pool)
    waiting = pool.submit(lambda _: None)
    pool.close()
    assert waiting.outcome.cancelled()
    with pytest.raises(OverloadedError):
        pool.submit(lambda _: None)
    running.cancel()


class CountingVoice:
    name = "counting"
    languages = frozenset({"en"})
    rate_hz = 16_000

    def __init__(self) -> None:
        self.made = 0
        self.closed = threading.Event()

    def synthesize(self, text: str, *, language: str, speed: float = 1.0, cancelled: Cancelled) -> Iterator[bytes]:
        try:
            for word in text.split():
                if cancelled():
                    raise InferenceCancelled
                self.made += 1
                yield word.encode()
        finally:
            self.closed.set()


async def test_a_voice_streams_at_most_one_chunk_ahead(pool: InferencePool) -> None:
    engine = CountingVoice()
    stream = PooledVoice(engine, pool).synthesize("a b c d e f", language="en")
    assert await anext(stream) == b"a"
    await pool.run(lambda _: None, Urgency.AHEAD)
    assert engine.made <= 2
    assert [chunk async for chunk in stream] == [b"b", b"c", b"d", b"e", b"f"]


async def test_closing_a_voice_stops_its_engine(pool: InferencePool) -> None:
    engine = CountingVoice()
    stream = PooledVoice(engine, pool).synthesize("a b c d e f", language="en")
    await anext(stream)
    await stream.aclose()
    assert await asyncio.to_thread(engine.closed.wait, 2)
    assert engine.made <= 2
    assert await pool.run(lambda _: "free") == "free"
