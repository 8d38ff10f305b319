"""Who is told of rings and timers. A subscriber holds up nobody and harms nobody."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Generic, ParamSpec

P = ParamSpec("P")

log = logging.getLogger(__name__)


class Subscribers(Generic[P]):
    """Callbacks, plain or async; the async ones run as tasks that `close` ends."""

    def __init__(self) -> None:
        self._callbacks: list[Callable[P, Awaitable[None] | None]] = []
        self._running: set[asyncio.Future[None]] = set()

    def add(self, callback: Callable[P, Awaitable[None] | None]) -> Callable[[], None]:
        """Tell `callback` from now on; returns what ends that."""
        self._callbacks.append(callback)
        return lambda: self._callbacks.remove(callback) if callback in self._callbacks else None

    def tell(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Call every callback without waiting for any."""
        for callback in tuple(self._callbacks):
            try:
                answer = callback(*args, **kwargs)
            except Exception:  # a plugin call
                log.exception("a subscriber failed")
                continue
            if answer is not None:
                task = asyncio.ensure_future(_logged(answer))
                self._running.add(task)
                task.add_done_callback(self._running.discard)

    async def close(self) -> None:
        """End the calls that are still running."""
        running = tuple(self._running)
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


async def _logged(answer: Awaitable[None]) -> None:
    try:
        await answer
    except Exception:  # a task root
        log.exception("a subscriber failed")
