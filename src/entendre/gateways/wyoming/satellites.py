"""Runs every satellite: dials the configured and the announced ones, and dials again when one is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from functools import partial

from entendre.gateways.announced import Announced, follow_announcements
from entendre.gateways.redial import Backoff, DialStatus, Redialler
from entendre.gateways.wyoming.connection import SatelliteConnection
from entendre.gateways.wyoming.discovery import announced_services
from entendre.gateways.wyoming.loudness import Loudness
from entendre.gateways.wyoming.settings import RunnerSettings, SatelliteSettings
from entendre.session.api import ConversationFactory

logger = logging.getLogger(__name__)

SatelliteStatus = DialStatus


class SatelliteRunner:
    """Keeps one connection to each satellite; each in its own task, so none waits for another."""

    def __init__(
        self,
        factory: ConversationFactory,
        satellites: Iterable[SatelliteSettings] = (),
        settings: RunnerSettings | None = None,
        *,
        browse: Callable[[], AsyncIterator[Announced]] = announced_services,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._factory = factory
        self._settings = settings or RunnerSettings()
        self._satellites = list({each.device: each for each in satellites}.values())
        self._browse = browse
        self._redialler = Redialler("satellite", _backoff(self._settings), logger=logger, chance=chance)
        for each in self._satellites:
            self._redialler.expect(each.device, each.host, each.port)

    @property
    def tasks(self) -> dict[str, asyncio.Task[None]]:
        """What keeps each satellite, by device; a service that turned out to be none is left alone."""
        return self._redialler.tasks

    def statuses(self) -> list[SatelliteStatus]:
        """Every satellite known, in the order first seen."""
        return self._redialler.statuses()

    async def run(self) -> None:
        """Serve all satellites until cancelled."""
        async with asyncio.TaskGroup() as group:
            for each in self._satellites:
                self._redialler.start(group, each.device, (each.host, each.port), self._connecting(each))
            if self._settings.discover:
                group.create_task(self._discover(group))

    def _connecting(self, satellite: SatelliteSettings) -> Callable[[], SatelliteConnection]:
        loudness = Loudness(satellite.volume)
        return lambda: SatelliteConnection(self._factory, satellite, self._settings, loudness)

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        await follow_announcements(
            self._browse,
            partial(self._dial_found, group),
            logger=logger,
            kind="satellite",
            retry_s=self._settings.longest_retry_s,
        )

    async def _dial_found(self, group: asyncio.TaskGroup, found: Announced) -> None:
        satellite = SatelliteSettings(
            host=found.host,
            port=found.port,
            name=found.name,
            language=self._settings.language,
            wake_words=self._settings.wake_words,
        )
        address = (satellite.host, satellite.port)
        await self._redialler.found(group, satellite.device, address, self._connecting(satellite))


def _backoff(settings: RunnerSettings) -> Backoff:
    return Backoff(
        first_retry_s=settings.first_retry_s,
        longest_retry_s=settings.longest_retry_s,
        slow_retry_s=settings.busy_retry_s,
        stable_s=settings.stable_s,
        final=frozenset({"not_a_satellite"}),
    )
