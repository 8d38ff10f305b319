"""Commands to devices: direct ones answered at once or refused at once, queued ones delivered until answered."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from entendre.cloud.delivery import Delivery
from entendre.core.clock import Clock
from entendre.core.errors import ConflictError, NoAnswerError, NotFoundError, OfflineError, OverloadedError
from entendre.fleet import commands as rules
from entendre.ports.changes import ChangeFeed
from entendre.ports.commands import CommandAnswer, CommandRecord, CommandStore, DeviceAnswer
from entendre.ports.links import CommandLink, DeviceLinks

log = logging.getLogger(__name__)

MAX_IN_FLIGHT = 8
"""Direct commands that one device may have unanswered."""
MAX_NOTES = 10_000
"""Direct commands whose history is still to be written; the history of more is not kept."""
NO_ANSWER_STATUS = 504


BrandOf = Callable[[str], Awaitable[str | None]]
"""The brand of a device; None if there is no such device, or none any more."""


class Commands:
    """Implements `ports.commands.CommandDesk` and `CommandInbox`."""

    def __init__(
        self,
        store: CommandStore,
        links: DeviceLinks,
        feed: ChangeFeed,
        clock: Clock,
        *,
        brand_of: BrandOf,
        new_id: Callable[[], str],
    ) -> None:
        self._store = store
        self._links = links
        self._clock = clock
        self._brand_of = brand_of
        self._new_id = new_id
        self._in_flight: Counter[str] = Counter()
        self._notes: set[asyncio.Task[None]] = set()
        self.delivery = Delivery(store, links, feed, clock.monotonic)

    # -- for people --------------------------------------------------------------------------------------------------

    async def direct(
        self,
        brand: str,
        device: str,
        name: str,
        payload: Any,
        *,
        timeout_s: float | None = None,
        key: str | None = None,
        by: str,
    ) -> CommandRecord:
        """Have a device that is connected do something now, and wait for its answer.

        Raises: OfflineError, NoAnswerError, NotFoundError, OverloadedError, InvalidInputError, TooLargeError.
        """
        wait_s = rules.timeout(timeout_s)
        record = self._record(brand, device, name, payload, by, wait_s, "direct", key)
        link = self._links.link(device) if self._links.brand_of(device) == brand else None
        if link is None:
            if await self._brand_of(device) != brand:
                raise NotFoundError("There is no such device.")
            raise OfflineError("The device is not connected.")
        if key is not None:
            earlier = _same(record, await self._store.begin(record))
            if earlier.finished_at_s is not None:
                return earlier
            record = replace(record, id=earlier.id, version=earlier.version)
        return await self._here(record, link, payload, wait_s)

    async def queue(
        self,
        brand: str,
        device: str,
        name: str,
        payload: Any,
        *,
        ttl_s: float | None = None,
        key: str | None = None,
        by: str,
    ) -> CommandRecord:
        """Have a device do something once it can.

        Raises: NotFoundError, ThrottledError, ConflictError, InvalidInputError, TooLargeError.
        """
        record = self._record(brand, device, name, payload, by, rules.ttl(ttl_s), "queued", key)
        return _same(record, await self._store.queue(record))

    async def cancel(self, brand: str, device: str, command: str, *, by: str) -> CommandRecord:
        """End a command that waits. Raises: NotFoundError, ConflictError."""
        return await self._store.cancel(brand, device, command, by)

    async def get(self, brand: str, device: str, command: str) -> CommandRecord:
        """One command. Raises: NotFoundError."""
        return await self._store.get(brand, device, command)

    async def commands(
        self, brand: str, device: str, *, state: str | None, after: str | None, limit: int
    ) -> tuple[CommandRecord, ...]:
        """Commands of a device, newest first."""
        return await self._store.commands(brand, device, state=state, after=after, limit=limit)

    # -- for devices -------------------------------------------------------------------------------------------------

    async def waiting(self, device: str, *, wait_s: float, again: bool = False) -> tuple[CommandRecord, ...]:
        """Commands to do now, oldest first; waits for one at most so long. Each comes again until it is answered."""
        return await self.delivery.poll(device, wait_s, again=again)

    async def answered(self, device: str, command: str, answer: CommandAnswer) -> CommandRecord | None:
        """Keep an answer; durable when it returns. None for no command of this device. Raises: TooLargeError."""
        result = rules.payload_text(answer.result)
        finished = await self._store.finish(DeviceAnswer(device, command, answer.status, result))
        self.delivery.finished(command)
        return finished

    async def settle(self) -> None:
        """Wait until the history of direct commands is written."""
        while self._notes:
            await asyncio.gather(*self._notes, return_exceptions=True)

    # -- direct ------------------------------------------------------------------------------------------------------

    async def _here(self, record: CommandRecord, link: CommandLink, payload: Any, wait_s: float) -> CommandRecord:
        """Nothing is written before the answer is here: the way to the device is as short as it can be."""
        answer = await self._asked(record, link, payload, wait_s)
        finished = self._finished(record, answer)
        self._note(finished)
        return finished

    async def _asked(self, record: CommandRecord, link: CommandLink, payload: Any, wait_s: float) -> CommandAnswer:
        if self._in_flight[record.device] >= MAX_IN_FLIGHT:
            raise OverloadedError(f"{MAX_IN_FLIGHT} commands wait for this device's answer.")
        self._in_flight[record.device] += 1
        try:
            async with asyncio.timeout(wait_s):
                return await link.call(record.id, record.name, payload, wait_s)
        except TimeoutError:
            self._note(self._finished(record, CommandAnswer(NO_ANSWER_STATUS)))
            raise NoAnswerError("The device did not answer in time.") from None
        finally:
            self._in_flight[record.device] -= 1
            if not self._in_flight[record.device]:
                del self._in_flight[record.device]

    def _finished(self, record: CommandRecord, answer: CommandAnswer) -> CommandRecord:
        return replace(
            record,
            state=rules.outcome(answer.status),
            deliveries=1,
            delivered_at_s=record.created_at_s,
            finished_at_s=self._clock.wall(),
            status=answer.status,
            result=rules.payload_text(answer.result),
            version=record.version + 1,
        )

    def _note(self, record: CommandRecord) -> None:
        """Write history behind the answer."""
        if len(self._notes) >= MAX_NOTES:
            log.warning("history of a command is not kept", extra={"device": record.device})
            return
        task = asyncio.create_task(self._store.note(record), name="command-note")
        self._notes.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: asyncio.Task[None]) -> None:
        self._notes.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("history of a command is lost", extra={"reason": type(task.exception()).__name__})

    def _record(
        self, brand: str, device: str, name: str, payload: Any, by: str, life_s: float, mode: Any, key: str | None
    ) -> CommandRecord:
        now_s = self._clock.wall()
        return CommandRecord(
            id=self._new_id(),
            brand=brand,
            device=device,
            name=rules.checked_name(name),
            payload=rules.payload_text(payload),
            mode=mode,
            state="queued",
            created_at_s=now_s,
            created_by=by,
            expires_at_s=now_s + life_s,
            idempotency_key=key,
        )


def _same(asked: CommandRecord, kept: CommandRecord) -> CommandRecord:
    """What is kept for an idempotency key, if it is what is asked for. Raises: ConflictError."""
    if (asked.mode, asked.name, asked.payload) != (kept.mode, kept.name, kept.payload):
        raise ConflictError("This Idempotency-Key was used for another command.")
    return kept
