"""Runs every device: dials the configured and the announced ones, waits for those that dial in, and tries again."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial

from entendre.gateways.announced import Announced, announced, follow_announcements
from entendre.gateways.esphome.connection import SLOW_REASONS, DeviceConnection
from entendre.gateways.esphome.dial_in import Caller, DialIns
from entendre.gateways.esphome.house import House
from entendre.gateways.esphome.settings import DeviceSettings, RunnerSettings
from entendre.gateways.redial import Backoff, DialStatus, Redialler

logger = logging.getLogger(__name__)

SERVICE_TYPE = "_esphomelib._tcp.local."


def announced_devices() -> AsyncGenerator[Announced, None]:
    """Each ESPHome device as it is announced or moves. Raises: MissingExtraError, once it is iterated."""
    return announced(SERVICE_TYPE, "esphome")


class DeviceRunner:
    """Keeps one connection to each device; each in its own task, so none waits for another."""

    def __init__(
        self,
        house: House,
        devices: Iterable[DeviceSettings] = (),
        settings: RunnerSettings | None = None,
        *,
        keys: Mapping[str, str] | None = None,
        browse: Callable[[], AsyncIterator[Announced]] = announced_devices,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """`keys`: Noise keys of devices that are found, by their names."""
        self._house = house
        self._settings = settings or RunnerSettings()
        self._devices = list({each.device: each for each in devices}.values())
        self._keys = keys or {}
        self._browse = browse
        self._dial_ins: DialIns | None = None
        self._redialler = Redialler("ESPHome device", _backoff(self._settings), logger=logger, chance=chance)
        for each in self._devices:
            self._redialler.expect(each.device, each.host, each.port)

    def statuses(self) -> list[DialStatus]:
        """Every device known, in the order first seen, but for those that were found and offer no voice."""
        configured = {each.device for each in self._devices}
        statuses = self._redialler.statuses()
        return [each for each in statuses if each.device in configured or each.state != "no_voice"]

    @property
    def dial_in_port(self) -> int:
        """Where devices dial in; 0 if none is expected."""
        return self._dial_ins.port if self._dial_ins is not None else 0

    async def run(self) -> None:
        """Serve all devices until cancelled."""
        try:
            async with asyncio.TaskGroup() as group:
                for each in self._devices:
                    self._start(group, each)
                if self._settings.discover:
                    group.create_task(self._discover(group))
        finally:
            if self._dial_ins is not None:
                self._dial_ins.close()

    def _start(self, group: asyncio.TaskGroup, device: DeviceSettings) -> None:
        caller = self._caller_of(device)
        if device.hardware and caller is None:
            logger.error("esphome.dial_in_port is 0, so this device can't dial in", extra={"device": device.device})
            return
        address = (device.host, device.port)
        backoff = _welcoming(self._settings) if caller is not None else None
        self._redialler.start(group, device.device, address, self._connecting(device, caller), backoff)

    def _caller_of(self, device: DeviceSettings) -> Caller | None:
        if not device.hardware or not self._settings.dial_in_port:
            return None
        if self._dial_ins is None:
            self._dial_ins = DialIns(self._settings.dial_in_port, self._settings.dial_in_host)
        return self._dial_ins.expect(device.hardware)

    def _connecting(self, device: DeviceSettings, caller: Caller | None = None) -> Callable[[], DeviceConnection]:
        return lambda: DeviceConnection(device, self._settings, self._house, caller)

    async def _discover(self, group: asyncio.TaskGroup) -> None:
        await follow_announcements(
            self._browse,
            partial(self._dial_found, group),
            logger=logger,
            kind="ESPHome device",
            retry_s=self._settings.longest_retry_s,
        )

    async def _dial_found(self, group: asyncio.TaskGroup, found: Announced) -> None:
        """Dial it; whether it offers voice is not announced, so that all are asked, once."""
        key = self._keys.get(found.name) or self._keys.get(found.host)
        device = DeviceSettings(host=found.host, port=found.port, name=found.name, key=key)
        address = (device.host, device.port)
        await self._redialler.found(group, device.device, address, self._connecting(device))


def _welcoming(settings: RunnerSettings) -> Backoff:
    """For a device that dials in: a stranger that called in its place is no reason to keep it waiting."""
    return replace(_backoff(settings), longest_retry_s=settings.first_retry_s, slow=frozenset())


def _backoff(settings: RunnerSettings) -> Backoff:
    return Backoff(
        first_retry_s=settings.first_retry_s,
        longest_retry_s=settings.longest_retry_s,
        slow_retry_s=settings.slow_retry_s,
        stable_s=settings.stable_s,
        slow=SLOW_REASONS,
        final_if_found=SLOW_REASONS,
    )
