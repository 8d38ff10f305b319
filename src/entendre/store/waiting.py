"""Works that wait for a thread of the database: bounded, in order, taken in batches."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from threading import Condition
from typing import Any

from entendre.core.errors import OverloadedError, StoreError
from entendre.store.engine import Work

MAX_WAITING = 10_000
"""Reads or writes that may wait at once; more are refused."""


@dataclass(slots=True, eq=False)
class Job:
    """A work, and who waits for it. `tries`: how often a connection broke under it."""

    work: Work[Any]
    loop: asyncio.AbstractEventLoop
    done: asyncio.Future[Any]
    since_s: float = field(default_factory=time.monotonic)
    tries: int = 0


Outcome = tuple[Job, Any, BaseException | None]


class Waiting:
    """The queue before one kind of thread. Use from any thread."""

    def __init__(self) -> None:
        self._jobs: deque[Job] = deque()
        self._changed = Condition()
        self._closed = False

    def put(self, job: Job) -> None:
        """Have a job done. Raises: StoreError once closed, OverloadedError."""
        with self._changed:
            if self._closed:
                raise StoreError("The database is closed.")
            if len(self._jobs) >= MAX_WAITING:
                raise OverloadedError("The database is busy. Try again.")
            self._jobs.append(job)
            self._changed.notify()

    def put_back(self, jobs: Iterable[Job]) -> None:
        """Jobs that were taken and did not happen come first again."""
        with self._changed:
            self._jobs.extendleft(reversed(list(jobs)))
            self._changed.notify()

    def take(self, most: int) -> list[Job]:
        """Wait for a job, then take along what else waits; empty once closed and done."""
        with self._changed:
            while not self._jobs and not self._closed:
                self._changed.wait()
            return [self._jobs.popleft() for _ in range(min(most, len(self._jobs)))]

    def take_older(self, than_s: float) -> list[Job]:
        """Take the jobs that have waited longer than that; all of them once closed."""
        until_s = time.monotonic() - than_s
        with self._changed:
            taken = []
            while self._jobs and (self._closed or self._jobs[0].since_s < until_s):
                taken.append(self._jobs.popleft())
            return taken

    def wait_for_end(self, most_s: float) -> bool:
        """Wait that long, or until it is closed: then True."""
        until_s = time.monotonic() + most_s
        with self._changed:
            while not self._closed and (left_s := until_s - time.monotonic()) > 0:
                self._changed.wait(left_s)
            return self._closed

    def close(self) -> None:
        """Accept no more; what waits is still taken."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()


def deliver(outcomes: Iterable[Outcome]) -> None:
    """Wake the callers, each loop once."""
    by_loop: dict[asyncio.AbstractEventLoop, list[Outcome]] = {}
    for outcome in outcomes:
        by_loop.setdefault(outcome[0].loop, []).append(outcome)
    for loop, theirs in by_loop.items():
        with contextlib.suppress(RuntimeError):  # a loop that was closed waits for nothing
            loop.call_soon_threadsafe(_settle, theirs)


def _settle(outcomes: list[Outcome]) -> None:
    for job, result, error in outcomes:
        if job.done.done():
            continue
        if error is None:
            job.done.set_result(result)
        else:
            job.done.set_exception(error)
