"""The tasks of one connection, which live and die together."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from typing import Any


class Parts:
    """Runs the parts of a connection; the first that fails ends it.

    No task group: in Python 3.11 one loses a cancellation that meets a failure, and its caller would dial for ever.
    """

    def __init__(self) -> None:
        self._tasks: set[asyncio.Task[None]] = set()
        self._failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def start(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        """Run a part of the connection."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)
        return task

    def fail(self, error: BaseException) -> None:
        """End the connection; the first reason counts."""
        if not self._failure.done():
            self._failure.set_exception(error)
            self._failure.exception()  # seen: nobody may await it any more

    async def until_failed(self) -> None:
        """Wait until a part fails. Raises: what it raised."""
        await self._failure

    async def stop(self) -> None:
        """End every part, and wait until all are over."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._failure.cancel()

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.fail(error)
