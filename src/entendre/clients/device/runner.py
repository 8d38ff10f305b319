"""A device that stays connected: it converges to its twin, does its commands once, and hands over what it measured."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from entendre.clients.api.errors import NotReachedError
from entendre.clients.device.commands import Command, CommandBook
from entendre.clients.device.link import DesiredPatched, DesiredReplaced, DeviceLink, LinkRefusedError, TwinState
from entendre.clients.device.telemetry import TelemetryQueue
from entendre.clients.device.twin import DesiredCopy, difference

log = logging.getLogger(__name__)

FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 300.0
FLUSH_S = 5.0
"""Telemetry waits this long for more of it."""

Apply = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any] | None]]
"""Makes the device be what is desired; returns what it is now, which is reported, or None for nothing new."""


class DeviceRunner:
    """Keeps a device and the cloud in step for as long as `run` runs. Set `on_desired` and commands before."""

    def __init__(
        self,
        link: DeviceLink,
        *,
        on_desired: Apply | None = None,
        commands: CommandBook | None = None,
        telemetry: TelemetryQueue | None = None,
        flush_s: float = FLUSH_S,
        first_pause_s: float = FIRST_PAUSE_S,
    ) -> None:
        self.link = link
        self.commands = commands or CommandBook()
        self.telemetry = telemetry or TelemetryQueue()
        self.desired = DesiredCopy()
        self.connected = asyncio.Event()
        self._apply = on_desired
        self._reported: dict[str, Any] = {}
        self._flush_s = flush_s
        self._first_pause_s = first_pause_s
        self._measured = asyncio.Event()
        self._works: asyncio.TaskGroup

    def measure(self, body: dict[str, Any]) -> None:
        """Have a reading sent when there is a connection."""
        self.telemetry.add(body)
        self._measured.set()

    async def run(self) -> None:
        """Connect, again after every break, until it is cancelled."""
        async with asyncio.TaskGroup() as works:
            self._works = works
            await self._keep_connected()

    async def _keep_connected(self) -> None:
        failures = 0
        while True:
            try:
                await self._connected()
            except NotReachedError as error:
                failures = 1 if self.connected.is_set() else failures + 1
                log.info("not connected", extra={"reason": error.public_message})
            except LinkRefusedError as error:
                failures += 1
                log.warning("refused", extra={"code": error.reason})
            finally:
                self.connected.clear()
                await self.link.close()
            pause_s = min(LONGEST_PAUSE_S, self._first_pause_s * 2.0 ** min(failures, 10))
            await asyncio.sleep(random.uniform(0.2, 1.0) * pause_s)  # so that a fleet does not come back as one

    async def _connected(self) -> None:
        """One connection, until it breaks. Raises: NotReachedError, LinkRefusedError."""
        await self.link.open()
        await self._read_twin()
        self.connected.set()
        tasks = [asyncio.create_task(self._listen()), asyncio.create_task(self._flush())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_EXCEPTION)
            for each in done:
                each.result()
        finally:
            for each in tasks:
                each.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _listen(self) -> None:
        while True:
            match await self.link.next():
                case DesiredPatched(patch, version):
                    outcome = self.desired.patched(patch, version)
                case DesiredReplaced(document, version):
                    outcome = self.desired.read(document, version)
                case command:
                    self._works.create_task(self._do(command))
                    continue
            if outcome == "read_again":
                await self._read_twin()
            elif outcome == "changed":
                await self._become()

    async def _read_twin(self) -> None:
        twin: TwinState = await self.link.twin()
        self._reported = twin.reported
        if self.desired.read(twin.desired, twin.desired_version) == "changed":
            await self._become()

    async def _become(self) -> None:
        """Apply what is desired and say what is."""
        if self._apply is None:
            return
        now = await self._apply(self.desired.document)
        if now is not None:
            await self.report(now)

    async def report(self, now: Mapping[str, Any]) -> None:
        """Say what the device is now; only what changed is sent. Raises: NotReachedError, LinkRefusedError."""
        patch = difference(self._reported, {**self._reported, **now})
        if patch:
            await self.link.report(patch)
            self._reported = {**self._reported, **now}

    async def _do(self, command: Command) -> None:
        """Do a command, whatever becomes of the connection meanwhile: it comes again and gets its first answer then."""
        answer = await self.commands.answer(command)
        if answer is None:
            return
        try:
            await self.link.answer(command.id, answer)
        except (NotReachedError, LinkRefusedError) as error:
            log.info("an answer did not arrive", extra={"command": command.id, "reason": error.public_message})

    async def _flush(self) -> None:
        while True:
            batch = self.telemetry.batch()
            if not batch:
                self._measured.clear()
                await self._measured.wait()
                await asyncio.sleep(self._flush_s)
                continue
            try:
                await self.link.send(batch)
            except LinkRefusedError as error:
                if error.reason not in ("throttled", "overloaded", "store_failed"):
                    log.warning("telemetry refused", extra={"code": error.reason, "count": len(batch)})
                    self.telemetry.acknowledged([each.id for each in batch])
                await asyncio.sleep(self._flush_s)
                continue
            self.telemetry.acknowledged([each.id for each in batch])
