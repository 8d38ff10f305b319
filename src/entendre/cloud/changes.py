"""The change feed, followed: one reader of the table for all subscribers of this process.

Transactions that write are serial, on both databases and across processes: numbers become visible in their order.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable

from entendre.core.errors import EntendreError, OverloadedError
from entendre.ports.changes import ChangePage, ChangeSource, FeedChange, Heard, Interest

log = logging.getLogger(__name__)

POLL_S = 0.5
"""How soon what other processes wrote is seen."""
SPACING_S = 0.002
"""Between two reads: many small writes are read together."""
READ_AT_ONCE = 1_000
MAX_QUEUED = 512
"""Changes that wait for one subscriber; a slower one has to read again."""
MAX_SUBSCRIBERS = 20_000
HEARTBEAT_S = 10.0
FOLLOWED_AT_ONCE = 200
_EVERYTHING = Interest()


class LiveSubscription:
    """Implements `ports.changes.Subscription`."""

    __slots__ = ("_arrived", "_closed", "_leave", "_missed", "_queue", "interest")

    def __init__(self, interest: Interest, leave: Callable[[LiveSubscription], None]) -> None:
        self.interest = interest
        self._leave = leave
        self._queue: deque[FeedChange] = deque()
        self._arrived = asyncio.Event()
        self._missed = False

    def tell(self, change: FeedChange) -> None:
        """Add a change, or note that it was too much."""
        if not self.interest.takes(change):
            return
        if len(self._queue) >= MAX_QUEUED:
            self._missed = True
            self._queue.clear()
        if not self._missed:
            self._queue.append(change)
        self._arrived.set()

    async def wait(self, timeout_s: float | None = None) -> Heard:
        """What came since the last call; waits for the first, and returns nothing after `timeout_s`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        self._arrived.clear()
        heard = Heard(tuple(self._queue), self._missed)
        self._queue.clear()
        self._missed = False
        return heard

    def close(self) -> None:
        """Be told of nothing more."""
        self._leave(self)


class LiveChanges:
    """Implements `ports.changes.ChangeFeed`. `run` reads; open it before anybody subscribes."""

    def __init__(self, source: ChangeSource, *, poll_s: float = POLL_S) -> None:
        self._source = source
        self._poll_s = poll_s
        self._loop = asyncio.get_running_loop()
        self._written = asyncio.Event()
        self._by_brand: dict[str | None, set[LiveSubscription]] = {}
        self._by_household: dict[str, set[LiveSubscription]] = {}
        self._subscribers = 0
        self._position = 0

    @property
    def position(self) -> int:
        """Everything up to here was read; later ones may still come."""
        return self._position

    async def open(self) -> None:
        """Begin at the present end of the feed. Raises: StoreError."""
        self._position = await self._source.last()

    async def run(self) -> None:
        """Read for as long as the process lives. A task root: a database that is away is asked again."""
        while True:
            try:
                while await self.read():
                    pass
            except EntendreError as error:
                log.warning("the change feed can't be read", extra={"code": error.code})
            except Exception:
                log.exception("the change feed stumbled")
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._poll_s):
                    await self._written.wait()
                    await asyncio.sleep(SPACING_S)
            self._written.clear()

    async def read(self) -> bool:
        """Read what is new and tell the subscribers; whether there was a full page of it. Raises: StoreError."""
        page = await self._source.after(self._position, _EVERYTHING, READ_AT_ONCE)
        for change in page.changes:
            self._position = change.seq
            self._tell(change)
        return page.more

    def wake(self) -> None:
        """Something was written here: look at once. From any thread."""
        with contextlib.suppress(RuntimeError):  # the loop was closed
            self._loop.call_soon_threadsafe(self._written.set)

    async def after(self, seq: int, interest: Interest, limit: int) -> ChangePage:
        """Changes after a position, up to the present one. Raises: StoreError."""
        return await self._source.after(seq, interest, limit, through=self._position)

    async def first(self) -> int:
        """The position of the oldest change that is kept; 0 if there is none. Raises: StoreError."""
        return await self._source.first()

    def subscribe(self, interest: Interest) -> LiveSubscription:
        """Be told of changes from now on. Raises: OverloadedError when there are too many subscribers."""
        if self._subscribers >= MAX_SUBSCRIBERS:
            raise OverloadedError("Too many readers follow the changes. Try again.")
        subscription = LiveSubscription(interest, self._left)
        self._shelf(interest).add(subscription)
        self._subscribers += 1
        return subscription

    async def follow(self, interest: Interest, after: int) -> AsyncIterator[Heard]:
        """Everything after a position, without gaps; nothing now and then as a heartbeat."""
        subscription = self.subscribe(interest)
        try:
            behind = True
            while True:
                while behind:
                    page = await self.after(after, interest, FOLLOWED_AT_ONCE)
                    behind, after = page.more, max(after, page.next_seq)
                    if page.changes:
                        yield Heard(page.changes)
                heard = await subscription.wait(HEARTBEAT_S)
                behind = heard.missed
                fresh = tuple(each for each in heard.changes if each.seq > after)
                if fresh:
                    after = fresh[-1].seq
                if not behind:
                    yield Heard(fresh)
        finally:
            subscription.close()

    def _tell(self, change: FeedChange) -> None:
        for shelf in (
            self._by_brand.get(None),
            self._by_brand.get(change.brand),
            self._by_household.get(change.household) if change.household is not None else None,
        ):
            for subscription in shelf or ():
                subscription.tell(change)

    def _shelf(self, interest: Interest) -> set[LiveSubscription]:
        if interest.household is not None:
            return self._by_household.setdefault(interest.household, set())
        return self._by_brand.setdefault(interest.brand, set())

    def _left(self, subscription: LiveSubscription) -> None:
        shelf = self._shelf(subscription.interest)
        if subscription in shelf:
            shelf.discard(subscription)
            self._subscribers -= 1
        interest = subscription.interest
        if not shelf:
            if interest.household is not None:
                self._by_household.pop(interest.household, None)
            else:
                self._by_brand.pop(interest.brand, None)
