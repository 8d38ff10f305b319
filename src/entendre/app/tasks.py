"""Services that run for as long as the application does."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from typing import Any

from entendre.system import return_free_memory

log = logging.getLogger(__name__)

TIDY_EVERY_S = 60.0


@asynccontextmanager
async def running(work: Coroutine[Any, Any, None], name: str) -> AsyncIterator[None]:
    """A service that runs until the stack unwinds; one that dies of a bug is logged, not hidden."""
    task = asyncio.create_task(work, name=name)
    task.add_done_callback(_report)
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def tidy() -> None:
    """Keep the process as small as what it holds."""
    while True:
        await asyncio.sleep(TIDY_EVERY_S)
        await asyncio.to_thread(return_free_memory)


def _report(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.critical("%s stopped", task.get_name(), exc_info=task.exception())
