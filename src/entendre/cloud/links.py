"""Which devices are connected to this process: the links of each, their presence, and what the feed has for them."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, Protocol

from entendre.core.errors import EntendreError
from entendre.ports.changes import ChangeFeed, FeedChange, Interest
from entendre.ports.links import LISTENS, CommandLink

log = logging.getLogger(__name__)

RETRY_S = 5.0
"""When to say again who is online, after the database was away."""
REPLACED = "replaced"
ENDED = frozenset({"revoked", "forgotten", "deleted", "erased"})
"""Changes of topic "device" after which a device may not stay."""


class Presence(Protocol):
    """Who is told of devices that come and go."""

    async def connected(self, device: str) -> None:
        """A device came. Raises: StoreError."""
        ...

    async def disconnected(self, device: str) -> None:
        """A device went. Raises: StoreError."""
        ...


class LiveLinks:
    """Implements `ports.links.DeviceLinks`. `run` while gateways serve."""

    def __init__(self, feed: ChangeFeed, presence: Presence | None = None) -> None:
        self._feed = feed
        self._presence = presence
        self._links: dict[str, list[CommandLink]] = {}
        self._brands: dict[str, str] = {}
        self._online: set[str] = set()
        self._telling: dict[str, asyncio.Task[None]] = {}
        self._attached: list[Callable[[str], None]] = []

    @property
    def devices(self) -> tuple[str, ...]:
        """Ids of the devices that are connected here."""
        return tuple(self._links)

    def on_attached(self, told: Callable[[str], None]) -> None:
        """Call this with the id of each device that has a new connection for its commands."""
        self._attached.append(told)

    def attach(self, device: str, brand: str, link: CommandLink, *, replaces: bool = True) -> Callable[[], None]:
        """A connection opened; returns what to call once when it closes. With `replaces` the newest of a kind wins."""
        mine = self._links.setdefault(device, [])
        older = [each for each in mine if replaces and each.kind == link.kind]
        mine[:] = [each for each in mine if each not in older]
        mine.append(link)
        self._brands[device] = brand
        for each in older:
            each.close(REPLACED)
        self._tell(device)
        for told in self._attached if self.link(device) is link else ():
            told(device)
        return lambda: self._detach(device, link)

    def link(self, device: str) -> CommandLink | None:
        """The connection that a device takes commands on; None if it has none here."""
        able = [each for each in reversed(self._links.get(device, ())) if each.rank > LISTENS]
        return max(able, key=lambda each: each.rank, default=None)

    def brand_of(self, device: str) -> str | None:
        """The brand of a device that is connected here."""
        return self._brands.get(device)

    def close(self, device: str, reason: str) -> None:
        """End every connection of a device."""
        for link in tuple(self._links.get(device, ())):
            link.close(reason)

    async def run(self) -> None:
        """Tell devices of their twins, and end the connections of those that were revoked. A task root."""
        desired = self._feed.subscribe(Interest(topics=("device", "twin.desired")))
        try:
            while True:
                heard = await desired.wait()
                for change in heard.changes:
                    self._follow(change)
                if heard.missed:
                    log.warning("the feed ran ahead; devices are asked to read again")
                    self._reconnect_all()
        finally:
            desired.close()

    async def settle(self) -> None:
        """Wait until everything that was to be said of presence is said."""
        while self._telling:
            await asyncio.gather(*self._telling.values(), return_exceptions=True)

    async def stop(self) -> None:
        """End every connection and say so."""
        for device in self.devices:
            self.close(device, "shutdown")
            self._links.pop(device, None)
            self._tell(device)
        await self.settle()

    def _follow(self, change: FeedChange) -> None:
        if change.subject not in self._links:
            return
        if change.topic == "device":
            if change.change in ENDED:
                self.close(change.subject, "revoked")
            return
        patch = json.loads(change.data)["patch"] if change.data is not None else {}
        for link in tuple(self._links[change.subject]):
            try:
                link.desired(patch, change.version or 0, replaces=change.change == "replaced")
            except Exception:
                log.exception("a device could not be told of its twin", extra={"device": change.subject})

    def _reconnect_all(self) -> None:
        """Whoever is connected may have been revoked, or missed a change: the next connection knows better."""
        for device in self.devices:
            self.close(device, "read_again")

    def _detach(self, device: str, link: CommandLink) -> None:
        links = self._links.get(device)
        if links is None or link not in links:
            return
        links.remove(link)
        if not links:
            del self._links[device]
            del self._brands[device]
            self._tell(device)

    def _tell(self, device: str) -> None:
        """Have presence say what is the case; one task a device, so that what is said last is true."""
        if self._presence is not None and device not in self._telling:
            self._telling[device] = asyncio.create_task(self._say(device, self._presence), name="presence")

    async def _say(self, device: str, presence: Presence) -> None:
        try:
            while (device in self._links) is not (device in self._online):
                online = device in self._links
                if await _said(presence.connected(device) if online else presence.disconnected(device)):
                    (self._online.add if online else self._online.discard)(device)
                else:
                    await asyncio.sleep(RETRY_S)
        finally:
            del self._telling[device]


async def _said(telling: Coroutine[Any, Any, None] | Awaitable[None]) -> bool:
    try:
        await telling
    except EntendreError as error:
        log.warning("presence could not be written", extra={"code": error.code})
        return False
    return True
