"""Runs every satellite: dials the configured and the announced ones, and dials again when one is lost."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncIterator, Callable, Iterable
from dataclasses import dataclass

from entendre.core.errors import MissingExtraError
from entendre.gateways.wyoming.connection import SatelliteConnection
from entendre.gateways.wyoming.discovery import Announced, announced_services
from entendre.gateways.wyoming.loudness import Loudness
from entendre.gateways.wyoming.settings import RunnerSettings, SatelliteSettings
from entendre.gateways.wyoming.stream import ConnectionEndedError
from entendre.session.api import ConversationFactory

logger = logging.getLogger(__name__)

FOUND_SATELLITES = 64
"""Satellites that announcements may add; one host could announce any number of names."""


@dataclass(slots=True)
class SatelliteStatus:
    """What the console shows of a satellite. `state`: "dialling", "serving", or why the last connection ended."""

    device: str
    host: str
    port: int
    state: str = "dialling"
    message: str = ""
    connections: int = 0
    peer: tuple[str, int] | None = None


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
        self._chance = chance
        self._statuses = {each.device: SatelliteStatus(each.device, each.host, each.port) for each in self._satellites}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def statuses(self) -> list[SatelliteStatus]:
        """Every satellite known, in the order first seen."""
        return list(self._statuses.values())

    async def run(self) -> None:
        """Serve all satellites until cancelled."""
        async with asyncio.TaskGroup() as group:
            for satellite in self._satellites:
                self._start(group, satellite)
            if self._settings.discover:
                group.create_task(self._discover(group))

    def _start(self, group: asyncio.TaskGroup, satellite: SatelliteSettings) -> None:
        self._statuses[satellite.device] = SatelliteStatus(satellite.device, satellite.host, satellite.port)
        self._tasks[satellite.device] = group.create_task(self._keep(satellite))

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        """Dial what is announced; without its extra or a network, the configured satellites go on."""
        while True:
            try:
                async for found in self._browse():
                    await self._dial_found(group, found)
            except MissingExtraError as error:
                logger.error("satellites are not looked for: %s", error.public_message)
                return
            except OSError as error:
                logger.warning("satellites can't be looked for: %s", error.strerror or error)
            await asyncio.sleep(self._settings.longest_retry_s)

    async def _dial_found(self, group: asyncio.TaskGroup, found: Announced) -> None:
        satellite = SatelliteSettings(
            host=found.host,
            port=found.port,
            name=found.name,
            language=self._settings.language,
            wake_words=self._settings.wake_words,
        )
        task = self._tasks.get(satellite.device)
        if self._is_dialled(satellite) or (task is None and len(self._tasks) >= FOUND_SATELLITES):
            return
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._start(group, satellite)

    def _is_dialled(self, satellite: SatelliteSettings) -> bool:
        """Whether its address is kept already, perhaps under a configured name."""
        address = (satellite.host, satellite.port)
        return any(
            address in ((status.host, status.port), status.peer) and not self._tasks[device].done()
            for device, status in self._statuses.items()
        )

    async def _keep(self, satellite: SatelliteSettings) -> None:
        """Dial until cancelled; a service that turns out to be no satellite is left alone."""
        loudness = Loudness(satellite.volume)
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began_s = loop.time()
            reason = await self._connect_once(satellite, loudness)
            if reason == "not_a_satellite":
                return
            failures = 0 if loop.time() - began_s >= self._settings.stable_s else failures + 1
            await asyncio.sleep(self._delay_s(reason, failures))

    def _delay_s(self, reason: str, failures: int) -> float:
        settings = self._settings
        if reason == "busy":
            delay_s = settings.busy_retry_s
        else:
            delay_s = min(settings.longest_retry_s, settings.first_retry_s * 2.0 ** min(max(failures - 1, 0), 16))
        return delay_s * (0.5 + 0.5 * self._chance())

    async def _connect_once(self, satellite: SatelliteSettings, loudness: Loudness) -> str:
        """One connection from dialling to its end; the reason that it ended."""
        status = self._statuses[satellite.device]
        connection = SatelliteConnection(self._factory, satellite, self._settings, loudness)
        watch = asyncio.create_task(self._note_serving(connection, status))
        try:
            await connection.run()
        except ConnectionEndedError as error:
            self._note(status, error.reason, error.public_message)
        except Exception:
            logger.exception("satellite connection failed", extra={"device": satellite.device})
            self._note(status, "internal", "an internal error ended the connection")
        finally:
            watch.cancel()
        return status.state

    async def _note_serving(self, connection: SatelliteConnection, status: SatelliteStatus) -> None:
        await connection.serving.wait()
        status.connections += 1
        status.peer = connection.peer
        self._note(status, "serving", "")

    def _note(self, status: SatelliteStatus, state: str, message: str) -> None:
        """Log changes only, so that a satellite that is switched off does not fill the log."""
        changed = status.state != state
        status.state, status.message = state, message
        level = logging.INFO if state == "serving" else logging.WARNING
        logger.log(level if changed else logging.DEBUG, "satellite %s", state, extra={"device": status.device})
