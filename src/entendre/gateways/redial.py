"""Keeping connections to devices that we dial: one task each, and another attempt after a growing, jittered pause."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

from entendre.core.errors import EntendreError

LONGEST_DOUBLING = 16
FOUND_DEVICES = 64
"""Devices dialled at once beyond which found ones are ignored; one host could announce any number of names."""
KNOWN_DEVICES = 1_024
"""Names remembered, of devices that turned out to be something else too."""


class ConnectionEndedError(EntendreError):
    """The connection can't go on; `reason` says why, in the codes that the docs list."""

    code = "connection_ended"
    retryable = True

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Backoff:
    """When to dial again. All in seconds.

    `first_retry_s` doubles up to `longest_retry_s`; what ended for one of the `slow` reasons is dialled each
    `slow_retry_s`, and for one of the `final` reasons never again; `final_if_found` are those of devices that nobody
    configured.
    """

    first_retry_s: float = 1.0
    longest_retry_s: float = 60.0
    slow_retry_s: float = 30.0
    stable_s: float = 30.0
    slow: frozenset[str] = frozenset({"busy"})
    final: frozenset[str] = frozenset()
    final_if_found: frozenset[str] = frozenset()

    def delay_s(self, reason: str, failures: int, chance: float) -> float:
        """The pause before the next attempt; `chance` (0-1) spreads devices that were lost together."""
        if reason in self.slow:
            delay_s = self.slow_retry_s
        else:
            doublings = min(max(failures - 1, 0), LONGEST_DOUBLING)
            delay_s = min(self.longest_retry_s, self.first_retry_s * 2.0**doublings)
        return delay_s * (0.5 + 0.5 * chance)


@dataclass(slots=True)
class DialStatus:
    """What the console shows of a device. `state`: "dialling", "serving", or why the last connection ended."""

    device: str
    host: str
    port: int
    state: str = "dialling"
    message: str = ""
    connections: int = 0
    peer: tuple[str, int] | None = None


class DialledConnection(Protocol):
    """One attempt to serve a device."""

    serving: asyncio.Event
    """Set once the device is served."""

    @property
    def peer(self) -> tuple[str, int]:
        """The numeric address that was reached."""
        ...

    async def run(self) -> None:
        """Serve until the connection ends. Raises: ConnectionEndedError."""
        ...


class Redialler:
    """Keeps one connection to each device; each in its own task, so none waits for another."""

    def __init__(
        self, kind: str, backoff: Backoff, *, logger: logging.Logger, chance: Callable[[], float] = random.random
    ) -> None:
        """`kind` names such a device in the log."""
        self._kind = kind
        self._backoff = backoff
        self._logger = logger
        self._chance = chance
        self._statuses: dict[str, DialStatus] = {}
        self.tasks: dict[str, asyncio.Task[None]] = {}

    def statuses(self) -> list[DialStatus]:
        """Every device known, in the order first seen."""
        return list(self._statuses.values())

    def expect(self, device: str, host: str, port: int) -> None:
        """Show a device before it is dialled."""
        self._statuses[device] = DialStatus(device, host, port)

    def start(
        self,
        group: asyncio.TaskGroup,
        device: str,
        address: tuple[str, int],
        connect: Callable[[], DialledConnection],
        backoff: Backoff | None = None,
    ) -> None:
        """Dial a device until its task is cancelled; `connect` makes each attempt. `backoff`: one of its own."""
        backoff = backoff or self._backoff
        self._statuses[device] = DialStatus(device, *address)
        self.tasks[device] = group.create_task(self._keep(device, connect, backoff))

    async def found(
        self, group: asyncio.TaskGroup, device: str, address: tuple[str, int], connect: Callable[[], DialledConnection]
    ) -> None:
        """As `start`, for a device that was found, perhaps again under another address; one too many is ignored."""
        task, status = self.tasks.get(device), self._statuses.get(device)
        stays = status is not None and (status.host, status.port) == address
        if self.is_dialled(*address) or (stays and task is not None) or self._is_full(device):
            return
        if task is not None:
            task.cancel()
            await asyncio.wait([task])
        self._statuses[device] = DialStatus(device, *address)
        backoff = replace(self._backoff, final=self._backoff.final | self._backoff.final_if_found)
        self.tasks[device] = group.create_task(self._keep(device, connect, backoff))

    def _is_full(self, device: str) -> bool:
        dialled = sum(not task.done() for task in self.tasks.values())
        return device not in self.tasks and (dialled >= FOUND_DEVICES or len(self.tasks) >= KNOWN_DEVICES)

    def is_dialled(self, host: str, port: int) -> bool:
        """Whether an address is kept already, perhaps under a configured name."""
        address = (host, port)
        return any(
            address in ((status.host, status.port), status.peer)
            and device in self.tasks
            and not self.tasks[device].done()
            for device, status in self._statuses.items()
        )

    async def _keep(self, device: str, connect: Callable[[], DialledConnection], backoff: Backoff) -> None:
        loop = asyncio.get_running_loop()
        failures = 0
        while True:
            began_s = loop.time()
            reason = await self._connect_once(device, connect)
            if reason in backoff.final:
                return
            failures = 0 if loop.time() - began_s >= backoff.stable_s else failures + 1
            await asyncio.sleep(backoff.delay_s(reason, failures, self._chance()))

    async def _connect_once(self, device: str, connect: Callable[[], DialledConnection]) -> str:
        """One connection from dialling to its end; the reason that it ended."""
        status = self._statuses[device]
        connection = connect()
        watch = asyncio.create_task(self._note_serving(connection, status))
        try:
            await connection.run()
        except ConnectionEndedError as error:
            self._note(status, error.reason, error.public_message)
        except Exception:
            self._logger.exception("%s connection failed", self._kind, extra={"device": device})
            self._note(status, "internal", "an internal error ended the connection")
        finally:
            watch.cancel()
        return status.state

    async def _note_serving(self, connection: DialledConnection, status: DialStatus) -> None:
        await connection.serving.wait()
        status.connections += 1
        status.peer = connection.peer
        self._note(status, "serving", "")

    def _note(self, status: DialStatus, state: str, message: str) -> None:
        """Log changes only, so that a device that is switched off does not fill the log."""
        changed = status.state != state
        status.state, status.message = state, message
        level = logging.INFO if state == "serving" else logging.WARNING
        extra = {"device": status.device, "detail": message}
        self._logger.log(level if changed else logging.DEBUG, "%s %s", self._kind, state, extra=extra)
