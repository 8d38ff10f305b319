"""Many small writes as few large ones: what arrives while a write is under way goes together in the next."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from entendre.core.errors import OverloadedError, StoreError
from entendre.store.connection import Connection
from entendre.store.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

MAX_BATCH = 512
"""Items of one transaction: bounds how long the first of them waits."""
MAX_WAITING = 20_000
"""Items that may wait; more are refused."""


class Gatherer(Generic[Item, Result]):
    """Runs one work over the items of many callers; each gets its own result, or its own error.

    `work` returns one result or exception for each item, in their order; an item that fails must leave no trace.
    A result is durable when it is returned. Use from one event loop.
    """

    def __init__(
        self,
        database: Database,
        work: Callable[[Connection, Sequence[Item]], Sequence[Result | Exception]],
        *,
        at_once: int = MAX_BATCH,
    ) -> None:
        """`at_once`: items of one transaction, where they are large."""
        self._at_once = at_once
        self._database = database
        self._work = work
        self._waiting: list[tuple[Item, asyncio.Future[Result]]] = []
        self._writing: asyncio.Task[None] | None = None

    async def put(self, item: Item) -> Result:
        """Have an item written. Raises: what the work returned for it, StoreError, OverloadedError."""
        if len(self._waiting) >= MAX_WAITING:
            raise OverloadedError("The database is busy. Try again.")
        done: asyncio.Future[Result] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, done))
        if self._writing is None:
            self._writing = asyncio.create_task(self._write_all())
        return await done

    async def _write_all(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting[: self._at_once], self._waiting[self._at_once :]
                await self._write(batch)
        finally:
            self._writing = None

    async def _write(self, batch: list[tuple[Item, asyncio.Future[Result]]]) -> None:
        items = [item for item, _ in batch]
        try:
            results = await self._database.write(lambda connection: self._work(connection, items))
        except Exception as error:  # noqa: BLE001  every caller of the batch is told
            results = [error] * len(batch)
        except asyncio.CancelledError:
            results = [StoreError("The database is closing.")] * len(batch)
        for (_, done), result in zip(batch, results, strict=True):
            if done.done():
                continue
            if isinstance(result, Exception):
                done.set_exception(result)
            else:
                done.set_result(result)
