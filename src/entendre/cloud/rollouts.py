"""What rollouts do by themselves: list their devices, tell those that are connected, end what takes too long.

Everything that counts is in the database. This task only does sooner what a device would ask for, and what time brings.
"""

from __future__ import annotations

import asyncio
import logging

import msgspec

from entendre.cloud.offers import shown_offer
from entendre.core.clock import Clock
from entendre.core.errors import EntendreError, NoAnswerError, OfflineError, OverloadedError
from entendre.ports.links import DeviceLinks
from entendre.ports.releases import DownloadTokens
from entendre.ports.rollouts import Offer, RolloutWork
from entendre.system import new_id

log = logging.getLogger(__name__)

EVERY_S = 1.0
SWEEP_EVERY_S = 60.0
TOLD_WITHIN_S = 10.0
COMMAND = "release"
"""What a connected device is called with, its offer as the payload; one that knows no such command asks by itself."""
MAX_TOLD_AT_ONCE = 100


class RolloutRunner:
    """Drives rollouts. `base`: the server's public address, for download URLs. `run` in one process of a region."""

    def __init__(
        self, work: RolloutWork, clock: Clock, tokens: DownloadTokens, links: DeviceLinks | None = None, base: str = ""
    ) -> None:
        self._work = work
        self._clock = clock
        self._tokens = tokens
        self._links = links
        self._base = base
        self._woken = asyncio.Event()
        self._swept_at_s = clock.monotonic()

    def wake(self) -> None:
        """Look now: somebody did something."""
        self._woken.set()

    async def run(self) -> None:
        """Look every second, for ever. A task root."""
        async with asyncio.TaskGroup() as telling:
            while True:
                self._woken.clear()
                try:
                    await self.step(telling)
                except EntendreError as error:
                    log.warning("rollouts wait", extra={"code": error.code})
                except Exception:
                    log.exception("rollouts failed")
                try:
                    async with asyncio.timeout(EVERY_S):
                        await self._woken.wait()
                except TimeoutError:
                    continue

    async def step(self, telling: asyncio.TaskGroup) -> None:
        """Everything that is to be done now. Raises: StoreError."""
        while await self._work.prepare():
            pass
        while await self._work.tick():
            pass
        if self._clock.monotonic() - self._swept_at_s >= SWEEP_EVERY_S:
            self._swept_at_s = self._clock.monotonic()
            await self._work.sweep()
        await self._offer(telling)

    async def _offer(self, telling: asyncio.TaskGroup) -> None:
        if self._links is None:
            return
        connected = [(brand, each) for each in self._links.devices if (brand := self._links.brand_of(each))]
        if not connected:
            return
        offers = await self._work.offer_to(connected)
        limit = asyncio.Semaphore(MAX_TOLD_AT_ONCE)
        for offer in offers:
            telling.create_task(self._tell(offer, limit), name="offer")

    async def _tell(self, offer: Offer, limit: asyncio.Semaphore) -> None:
        """Tell a connected device; the offer stands whether it hears or not."""
        link = self._links.link(offer.device) if self._links is not None else None
        if link is None:
            return
        payload = msgspec.to_builtins(shown_offer(offer, self._tokens, base=self._base))
        try:
            async with limit, asyncio.timeout(TOLD_WITHIN_S):
                await link.call(new_id(), COMMAND, payload, TOLD_WITHIN_S)
        except (TimeoutError, OfflineError, OverloadedError, NoAnswerError):
            log.info("a device was not told of its release", extra={"device": offer.device})
        except Exception:
            log.exception("a device could not be told of its release", extra={"device": offer.device})
