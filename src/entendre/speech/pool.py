"""The one bounded pool that all inference shares, and the async ports over it.

Fixed threads, one inference each; a bounded queue served by urgency and, within one urgency, in turn between owners, so
that no conversation starves another. Whatever nobody waits for any more is dropped or told to stop.
"""

from __future__ import annotations

import asyncio
import math
import os
import threading
import time
from collections import OrderedDict, deque
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from enum import IntEnum
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar, runtime_checkable

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.errors import OverloadedError
from entendre.ports import INFERENCE_OWNER, Cancelled, InferenceCancelled, RecognizerEngine, Transcript, VoiceEngine

T = TypeVar("T")
WAITING_JOBS_LIMIT = 256
JOBS_PER_OWNER_LIMIT = 16
LOAD_MEMORY_S = 2.0
"""How long a busy moment counts: a few seconds, so that sparing drafts does not switch with every one."""


class Urgency(IntEnum):
    """What is served first."""

    FINAL = 0
    """Somebody has finished speaking and waits for what was heard."""
    REPLY = 1
    """Somebody waits for the first sound of a reply."""
    DRAFT = 2
    """A pause that may be the end."""
    AHEAD = 3
    """The rest of a reply that is already being heard, and second opinions."""


MOST_TOGETHER = 4
LENGTHS_APART_S = 2.0
"""Utterances that are recognised together are padded to the longest."""
LONGEST_TOGETHER_S = 12.0


@runtime_checkable
class TogetherEngine(Protocol):
    """A recognizer engine for which several utterances at once are cheaper than one after another."""

    def recognize_together(
        self, audios: Sequence[Samples], *, language: str, cancelled: Sequence[Cancelled]
    ) -> list[Transcript | None]:
        """Transcribe utterances of about the same length; None for each that nobody wants any more.

        Raises: RecognitionError.
        """
        ...


@dataclass(frozen=True, slots=True)
class Utterance:
    """What a recognition is asked for, so that others which wait can be done with it."""

    engine: TogetherEngine
    audio: Samples
    language: str

    def fits(self, other: Utterance) -> bool:
        """Whether both can be recognised at once."""
        apart_s = abs(len(self.audio) - len(other.audio)) / HOUSE_RATE_HZ
        same = self.engine is other.engine and self.language == other.language
        return same and apart_s <= LENGTHS_APART_S


OF_REPLIES = (Urgency.REPLY, Urgency.AHEAD)


class Job(Generic[T]):
    """One piece of work in the pool. Await `outcome`; `cancel` when nobody wants it any more."""

    def __init__(
        self,
        work: Callable[[Cancelled], T],
        urgency: Urgency,
        owner: str,
        drop: Callable[[Job[T]], None],
        utterance: Utterance | None = None,
    ):
        self.work = work
        self.urgency = urgency
        self.owner = owner
        self.utterance = utterance
        self.outcome: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._drop = drop
        self._unwanted = threading.Event()

    @property
    def unwanted(self) -> bool:
        """Whether the work should stop; engines ask between steps."""
        return self._unwanted.is_set()

    def cancel(self) -> None:
        """Take it off the queue, or have it stop between steps."""
        self._unwanted.set()
        self._drop(self)
        self.outcome.cancel()

    def perform(self) -> None:
        """Do the work on the calling thread and hand its outcome to the loop."""
        try:
            result = self.work(self._unwanted.is_set)
        except BaseException as error:  # noqa: BLE001 - a task root: the waiting task gets every error
            self.fail(error)
        else:
            self.finish(result)

    def finish(self, result: T) -> None:
        """Hand over what was done for it by somebody else's thread."""
        self._deliver(self._finish, result)

    def fail(self, error: BaseException) -> None:
        """Hand over why it could not be done."""
        self._deliver(self._fail, error)

    def _deliver(self, call: Callable[[Any], None], value: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits
            self.outcome.get_loop().call_soon_threadsafe(call, value)

    def _finish(self, result: T) -> None:
        if not self.outcome.done():
            self.outcome.set_result(result)

    def _fail(self, error: BaseException) -> None:
        if self.outcome.done():
            return
        if isinstance(error, InferenceCancelled):
            self.outcome.cancel()
        elif isinstance(error, StopIteration):
            self.outcome.set_exception(RuntimeError("an engine raised StopIteration"))
        else:
            self.outcome.set_exception(error)


class InferencePool:
    """Threads that run inference for every session. Close it when the server stops."""

    def __init__(
        self, workers: int | None = None, *, waiting_limit: int = WAITING_JOBS_LIMIT, reply_workers: int = 0
    ) -> None:
        """`reply_workers`: threads beside the `workers` that only make replies: short work that must not run dry."""
        self.workers = workers or os.cpu_count() or 1
        self._waiting_limit = waiting_limit
        self._queues: tuple[OrderedDict[str, deque[Job[Any]]], ...] = tuple(OrderedDict() for _ in Urgency)
        self._waiting = 0
        self._running = 0
        self._closed = False
        self._load, self._asked_at_s = 0.0, time.monotonic()
        self._ready = threading.Condition()
        self._threads = [
            threading.Thread(target=self._serve, args=(tuple(Urgency),), name=f"inference-{number}", daemon=True)
            for number in range(self.workers)
        ]
        self._threads += [
            threading.Thread(target=self._serve, args=(OF_REPLIES,), name=f"replies-{number}", daemon=True)
            for number in range(reply_workers)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """Jobs in the queue."""
        return self._waiting

    @property
    def running(self) -> int:
        """Jobs being worked on, at most `workers`."""
        return self._running

    def load(self) -> float:
        """How busy the pool is and lately was: 0 idle, 1 every worker taken, more when work waits."""
        now_s = time.monotonic()
        present = (self._running + self._waiting) / self.workers
        weight = 1.0 - math.exp((self._asked_at_s - now_s) / LOAD_MEMORY_S)
        self._load, self._asked_at_s = self._load + weight * (present - self._load), now_s
        return max(present, self._load)

    def submit(
        self, work: Callable[[Cancelled], T], urgency: Urgency = Urgency.FINAL, utterance: Utterance | None = None
    ) -> Job[T]:
        """Queue work from the event loop; never blocks. `utterance`: what the work recognises, if that is all.

        Raises: OverloadedError.
        """
        job = Job(work, urgency, INFERENCE_OWNER.get(), self._drop, utterance)
        with self._ready:
            if self._closed:
                raise OverloadedError("The server is stopping.")
            queue = self._queues[urgency].setdefault(job.owner, deque())
            if self._waiting >= self._waiting_limit or (job.owner and len(queue) >= JOBS_PER_OWNER_LIMIT):
                raise OverloadedError("Too many requests at once; try again in a moment.")
            queue.append(job)
            self._waiting += 1
            self._ready.notify_all()  # a thread of replies can't take every job
        return job

    async def run(
        self, work: Callable[[Cancelled], T], urgency: Urgency = Urgency.FINAL, utterance: Utterance | None = None
    ) -> T:
        """Do work on the pool; cancelling the task frees its place. Raises: OverloadedError, work's error."""
        job = self.submit(work, urgency, utterance)
        try:
            return await job.outcome
        finally:
            job.cancel()

    def close(self) -> None:
        """Stop: what waits is dropped, what runs is told to stop, threads end within a step."""
        with self._ready:
            self._closed = True
            waiting = [job for queues in self._queues for queue in queues.values() for job in queue]
            self._ready.notify_all()
        for job in waiting:
            job.cancel()

    def _drop(self, job: Job[Any]) -> None:
        with self._ready:
            queues = self._queues[job.urgency]
            queue = queues.get(job.owner)
            if queue is None or job not in queue:
                return
            queue.remove(job)
            self._waiting -= 1
            if not queue:
                del queues[job.owner]

    def _next(self, urgencies: Sequence[Urgency]) -> list[Job[Any]]:
        """The most urgent job of the owner who has waited longest, and what is done with it; none when closed."""
        with self._ready:
            while not self._closed:
                for queues in (self._queues[urgency] for urgency in urgencies):
                    while queues:
                        owner, queue = queues.popitem(last=False)
                        if not queue:
                            continue
                        job = queue.popleft()
                        if queue:
                            queues[owner] = queue
                        self._waiting -= 1
                        jobs = [job, *self._mates(job)]
                        self._running += 1
                        return jobs
                self._ready.wait()
            return []

    def _mates(self, job: Job[Any]) -> list[Job[Any]]:
        """Jobs to be done together with one, so that each worker gets a fair share of what waits."""
        if job.utterance is None:
            return []
        share = min(MOST_TOGETHER, -(-(self._waiting + 1) // self.workers))
        fitting = (
            other
            for queues in self._queues
            for queue in queues.values()
            for other in queue
            if other.utterance is not None and not other.unwanted and job.utterance.fits(other.utterance)
        )
        mates = list(islice(fitting, share - 1))
        for mate in mates:
            queues = self._queues[mate.urgency]
            queues[mate.owner].remove(mate)
            if not queues[mate.owner]:
                del queues[mate.owner]
            self._waiting -= 1
        return mates

    def _serve(self, urgencies: Sequence[Urgency]) -> None:
        while jobs := self._next(urgencies):
            wanted = [job for job in jobs if not job.unwanted]
            if len(wanted) > 1:
                _perform_together(wanted)
            elif wanted:
                wanted[0].perform()
            del jobs, wanted
            with self._ready:
                self._running -= 1


def _perform_together(jobs: list[Job[Any]]) -> None:
    """Recognise several utterances at once on the calling thread."""
    utterances = [job.utterance for job in jobs if job.utterance is not None]
    try:
        found = utterances[0].engine.recognize_together(
            [utterance.audio for utterance in utterances],
            language=utterances[0].language,
            cancelled=[lambda job=job: job.unwanted for job in jobs],  # type: ignore[misc]
        )
    except BaseException as error:  # noqa: BLE001 - a task root: the waiting tasks get every error
        for job in jobs:
            job.fail(error)
        return
    for job, transcript in zip(jobs, found, strict=True):
        if transcript is None:
            job.fail(InferenceCancelled())
        else:
            job.finish(transcript)


class PooledRecognizer:
    """A recognizer engine behind the async port."""

    def __init__(self, engine: RecognizerEngine, pool: InferencePool, urgency: Urgency = Urgency.FINAL) -> None:
        self.name = engine.name
        self.languages = engine.languages
        self._engine = engine
        self._pool = pool
        self._urgency = urgency

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        """Transcribe one utterance. Raises: RecognitionError, OverloadedError."""

        def work(cancelled: Cancelled) -> Transcript:
            return self._engine.recognize(audio, language=language, hints=hints, thorough=thorough, cancelled=cancelled)

        return await self._pool.run(work, self._urgency, None if thorough else self._utterance(audio, language))

    def _utterance(self, audio: Samples, language: str) -> Utterance | None:
        short = len(audio) <= LONGEST_TOGETHER_S * HOUSE_RATE_HZ
        return Utterance(self._engine, audio, language) if short and isinstance(self._engine, TogetherEngine) else None


class PooledVoice:
    """A voice engine behind the async port: one chunk is made ahead of the one being consumed."""

    def __init__(self, engine: VoiceEngine, pool: InferencePool) -> None:
        self.name = engine.name
        self.languages = engine.languages
        self.rate_hz = engine.rate_hz
        self._engine = engine
        self._pool = pool

    async def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """Chunks of PCM16. No thread is held between chunks. Raises: SynthesisError, OverloadedError."""
        stopped = threading.Event()
        chunks = self._engine.synthesize(text, language=language, speed=speed, cancelled=stopped.is_set)

        def step(_: Cancelled) -> bytes | None:
            try:
                return next(chunks, None)
            finally:
                if stopped.is_set():
                    _close(chunks)

        job = self._pool.submit(step, Urgency.REPLY)
        try:
            while (chunk := await job.outcome) is not None:
                job = self._pool.submit(step, Urgency.AHEAD)
                yield chunk
        finally:
            stopped.set()
            job.cancel()
            _close(chunks)


def one_by_one(
    engine: RecognizerEngine, audios: Sequence[Samples], language: str, cancelled: Sequence[Cancelled]
) -> list[Transcript | None]:
    """Several utterances one after another; None for each that nobody wants any more."""
    found: list[Transcript | None] = []
    for audio, unwanted in zip(audios, cancelled, strict=True):
        try:
            found.append(engine.recognize(audio, language=language, cancelled=unwanted))
        except InferenceCancelled:
            found.append(None)
    return found


def _close(chunks: Iterator[bytes]) -> None:
    """End a generator, unless another thread is inside it: that thread then ends it."""
    close = getattr(chunks, "close", None)
    if close is not None:
        with suppress(ValueError):
            close()
