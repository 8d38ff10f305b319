"""Devices of the fleet in conversations of the Realtime protocol, by events of our own (`wire/realtime_fleet.py`)."""

from __future__ import annotations

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Any, Protocol

from entendre.core.errors import EntendreError, OfflineError, OverloadedError
from entendre.gateways.fleet import asked
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.fleet_devices import DeviceLogin
from entendre.ports.links import LISTENS, SPEAKS, DeviceLinks
from entendre.wire import fleet_messages as wire
from entendre.wire.realtime_fleet import COMMAND, DESIRED

log = logging.getLogger(__name__)

MAX_REQUESTS = 16
"""Of one device, that may wait for their answers; each is at most `fleet_messages.MAX_MESSAGE_BYTES` long."""
MAX_NEWS = 64
"""Changes of a twin that may wait for a device; one that lets more wait is behind for good, and has to read again."""
ANSWERS: dict[type[wire.DeviceRequest], str] = {
    wire.TwinAsked: "twin",
    wire.TwinReported: "twin.reported",
    wire.TelemetrySent: "telemetry.kept",
    wire.CommandAnswered: "command.kept",
    wire.ReleaseAsked: "release",
}
"""The events that answer requests, without the prefix of ours."""


class Watch(Protocol):
    """Says when a device may stay no longer."""

    def watch(self, device: str, ended: Callable[[], None]) -> Callable[[], None]:
        """Call `ended` once, within 2 s, when a device is revoked or forgotten; returns how to stop."""
        ...


class Desk(Protocol):
    """Follows what devices ask for."""

    async def follow(self, who: DeviceLogin, request: wire.DeviceRequest) -> dict[str, Any]:
        """Do what a device asks for; the members of the answer. Raises: EntendreError."""
        ...


class Client(Protocol):
    """A connection of the Realtime protocol."""

    async def show(self, name: str, body: Mapping[str, Any]) -> bool:
        """Send an event of ours; False once the connection is down."""
        ...

    async def refuse(self, error: EntendreError, event_id: str | None) -> None:
        """Say that the client's event of an id can't be followed."""
        ...

    def end(self, reason: str) -> None:
        """Have the connection end. Never waits."""
        ...


class FleetRealtime:
    """Gives each conversation that was opened with a device's own token its link to the fleet."""

    def __init__(self, logins: Watch, desk: Desk, links: DeviceLinks) -> None:
        self._logins = logins
        self._desk = desk
        self._links = links

    def connected(self, device: str, brand: str, client: Client) -> RealtimeLink:
        """A device came; `gone` of the link once it left."""
        link = RealtimeLink(client, DeviceLogin(device, brand), self._desk, self._links)
        link.ends.append(self._logins.watch(device, lambda: client.end("revoked")))
        return link


class Lane:
    """Work of one connection, one after another. `close` it."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._waiting: deque[Callable[[], Awaitable[object]]] = deque()
        self._task: asyncio.Task[None] | None = None

    def put(self, work: Callable[[], Awaitable[object]]) -> None:
        """Have it done after what waits. Raises: OverloadedError."""
        if len(self._waiting) >= self._most:
            raise OverloadedError(f"{self._most} requests of this device wait for answers.")
        self._waiting.append(work)
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name="fleet-realtime")

    async def close(self) -> None:
        """Leave the rest undone."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        self._waiting.clear()

    async def _run(self) -> None:
        """Task root: what fails is logged, and leaves the rest."""
        while self._waiting:
            try:
                await self._waiting[0]()
            except Exception:
                log.exception("a device's request failed")
            self._waiting.popleft()
        self._task = None


class RealtimeLink:
    """Implements `ports.links.CommandLink` over one conversation, as far as its client opts in."""

    kind = "realtime"

    def __init__(self, client: Client, who: DeviceLogin, desk: Desk, links: DeviceLinks) -> None:
        self._client = client
        self._who = who
        self._desk = desk
        self._links = links
        self._included: frozenset[str] = frozenset()
        self._calls = asked.Calls()
        self._requests = Lane(MAX_REQUESTS)
        self._news = Lane(MAX_NEWS)
        self._detach: Callable[[], None] | None = None
        self.rank = LISTENS
        self.ends: list[Callable[[], None]] = []

    # -- what the device says ----------------------------------------------------------------------------------------

    def opted(self, include: Iterable[str]) -> None:
        """The client said which events it understands."""
        included = frozenset(include) & {COMMAND, DESIRED}
        if included == self._included:
            return
        self._leave()
        self._included = included
        self.rank = SPEAKS if COMMAND in included else LISTENS
        if included:
            self._detach = self._links.attach(self._who.device, self._who.brand, self)

    def received(self, request: wire.DeviceRequest, event_id: str | None) -> None:
        """Follow a request of the device, behind those that wait. Raises: OverloadedError."""
        if isinstance(request, wire.CommandAnswered) and self._calls.answered(request):
            return
        self._requests.put(lambda: self._follow(request, event_id))

    async def gone(self) -> None:
        """The connection is down: who waits for an answer is told."""
        self._leave()
        for end in self.ends:
            end()
        self._calls.gone()
        await self._requests.close()
        await self._news.close()

    async def _follow(self, request: wire.DeviceRequest, event_id: str | None) -> None:
        try:
            answer = await self._desk.follow(self._who, request)
        except EntendreError as error:
            await self._client.refuse(error, event_id)
            return
        if isinstance(request, wire.CommandAnswered):
            answer = {"id": request.command, **answer}
        await self._client.show(ANSWERS[type(request)], {"request": request.request or event_id, **answer})

    def _leave(self) -> None:
        if self._detach is not None:
            self._detach()
            self._detach = None

    # -- what the cloud wants of the device --------------------------------------------------------------------------

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        """Have the device do something now; the caller bounds the wait. Raises: OfflineError."""
        with self._calls.waiting(command) as answer:
            await self._command(command, asked.direct(name, payload, timeout_s))
            return await answer

    async def deliver(self, command: CommandRecord) -> None:
        """Hand over a queued command; it comes again until it is answered. Raises: OfflineError."""
        await self._command(command.id, asked.queued(command))

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        """The desired section of the twin changed. Never waits: a device that is too far behind has to come again."""
        if DESIRED not in self._included:
            return
        change = asked.desired(patch, version, replaces=replaces)
        try:
            self._news.put(lambda: self._client.show("twin.desired", change))
        except OverloadedError:
            self.close("too_slow")

    def close(self, reason: str) -> None:
        """End the connection."""
        self._client.end(reason)

    async def _command(self, command: str, document: dict[str, Any]) -> None:
        if not await self._client.show("command", {"id": command, **document}):
            raise OfflineError("The device is not connected.")
