"""Queued commands on their way: handed over when they come, when their device comes, and again until answered."""

from __future__ import annotations

import asyncio
import heapq
import json
import logging
from collections.abc import Callable

from entendre.core.errors import EntendreError
from entendre.fleet.commands import LOCK_S
from entendre.ports.changes import ChangeFeed, FeedChange, Interest
from entendre.ports.commands import CommandRecord, CommandStore
from entendre.ports.links import DeviceLinks

log = logging.getLogger(__name__)

AT_ONCE = 50
EXPIRE_EVERY_S = 1.0
EXPIRED_AT_ONCE = 500
MAX_HANDOVERS = 256
"""Devices that are handed commands at the same time."""
DELIVER_S = 30.0
"""How long a device may take to confirm one command."""
MARGIN_S = 1.0


class Delivery:
    """Hands queued commands to the devices that are connected here. `run` while gateways serve."""

    def __init__(
        self,
        store: CommandStore,
        links: DeviceLinks,
        feed: ChangeFeed,
        monotonic: Callable[[], float],
    ) -> None:
        self._store = store
        self._links = links
        self._feed = feed
        self._monotonic = monotonic
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._asked: dict[str, bool] = {}
        self._pollers: dict[str, set[asyncio.Event]] = {}
        self._locks: list[tuple[float, str, str]] = []
        self._locked: set[str] = set()
        self._turns = asyncio.Semaphore(MAX_HANDOVERS)
        self._expire_at_s = 0.0

    async def run(self) -> None:
        """Follow the feed, redeliver and expire. A task root: it outlives a database that is away."""
        heard = self._feed.subscribe(Interest(topics=("command",)))
        try:
            while True:
                news = await heard.wait(EXPIRE_EVERY_S)
                try:
                    for change in news.changes:
                        self._follow(change)
                    if news.missed:
                        self._sweep()
                    self._redeliver()
                    await self._tidy()
                except EntendreError as error:
                    log.warning("commands can't be followed", extra={"code": error.code})
                    await asyncio.sleep(EXPIRE_EVERY_S)
        finally:
            heard.close()
            await self.close()

    async def _tidy(self) -> None:
        """End what is too old, now and then."""
        now_s = self._monotonic()
        if now_s >= self._expire_at_s:
            self._expire_at_s = now_s + EXPIRE_EVERY_S
            while await self._store.expire(EXPIRED_AT_ONCE) == EXPIRED_AT_ONCE:
                pass

    async def close(self) -> None:
        """Hand over nothing more."""
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._tasks.clear()

    def came(self, device: str) -> None:
        """A device connected: what it was sent and did not answer may never have reached it."""
        self.hand_over(device, again=True)

    def finished(self, command: str) -> None:
        """A command was answered: it is not delivered again."""
        self._locked.discard(command)

    def hand_over(self, device: str, *, again: bool = False) -> None:
        """Deliver what waits for a device, if it is connected here; one task a device."""
        if self._links.link(device) is None:
            return
        self._asked[device] = again or self._asked.get(device, False)
        if device not in self._tasks:
            self._tasks[device] = asyncio.create_task(self._hand_over(device), name="command-delivery")

    async def poll(self, device: str, wait_s: float, *, again: bool = False) -> tuple[CommandRecord, ...]:
        """Commands for a device that asks; waits for one at most so long. Raises: StoreError."""
        came = asyncio.Event()
        self._pollers.setdefault(device, set()).add(came)
        try:
            found = await self._store.claim(device, again=again, limit=AT_ONCE)
            if found or wait_s <= 0:
                return found
            try:
                async with asyncio.timeout(wait_s):
                    await came.wait()
            except TimeoutError:
                return ()
            return await self._store.claim(device, again=again, limit=AT_ONCE)
        finally:
            self._pollers[device].discard(came)
            if not self._pollers[device]:
                del self._pollers[device]

    def _follow(self, change: FeedChange) -> None:
        if change.change != "queued" or change.data is None:
            self._locked.discard(change.subject)
            return
        data = json.loads(change.data)
        device = data["device"]
        for poller in self._pollers.get(device, ()):
            poller.set()
        self.hand_over(device)

    async def _hand_over(self, device: str) -> None:
        """Task root. A delivery that fails leaves what was asked for meanwhile, as by a device that came again."""
        while device in self._asked:
            again = self._asked.pop(device)
            try:
                async with self._turns:
                    await self._deliver(device, again)
            except EntendreError as error:
                log.info("a device was not handed its commands", extra={"device": device, "code": error.code})
            except TimeoutError:
                log.info("a device did not confirm a command", extra={"device": device})
            except Exception:
                log.exception("a device was not handed its commands", extra={"device": device})
        del self._tasks[device]

    async def _deliver(self, device: str, again: bool) -> None:
        claimed = await self._store.claim(device, again=again, limit=AT_ONCE)
        due_s = self._monotonic() + LOCK_S + MARGIN_S
        for command in claimed:
            self._locked.add(command.id)
            heapq.heappush(self._locks, (due_s, device, command.id))
        for command in claimed:
            link = self._links.link(device)
            if link is None:
                return
            async with asyncio.timeout(DELIVER_S):
                await link.deliver(command)

    def _redeliver(self) -> None:
        """Hand over again what was not answered while it was locked."""
        now_s = self._monotonic()
        while self._locks and self._locks[0][0] <= now_s:
            _, device, command = heapq.heappop(self._locks)
            if command in self._locked:
                self._locked.discard(command)
                self.hand_over(device)

    def _sweep(self) -> None:
        for device in tuple(self._pollers):
            for poller in self._pollers[device]:
                poller.set()
        for device in self._links.devices:
            self.hand_over(device)
