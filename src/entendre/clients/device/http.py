"""A device's link over HTTP: it asks for its commands and waits, and looks at its twin now and then.

Slower to hear of its twin than over MQTT, and nothing else: for devices that can't hold an MQTT connection.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import msgspec

from entendre.clients.api.errors import ApiError, NotReachedError
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import Route, Transport, request_of
from entendre.clients.device.commands import Command, CommandAnswer
from entendre.clients.device.link import DesiredReplaced, Heard, LinkRefusedError, Offer, TwinState, UpdateSaid
from entendre.clients.device.telemetry import Reading

T = TypeVar("T")
WAIT_S = 25.0
TWIN_EVERY_S = 60.0
MARGIN_S = 15.0

TWIN = Route("get_own_twin", "GET", "/device/twin")
REPORT = Route("patch_own_reported", "PATCH", "/device/twin/reported")
TELEMETRY = Route("send_telemetry", "POST", "/device/telemetry")
COMMANDS = Route("device_commands", "GET", "/device/commands")
ANSWER = Route("device_answer", "POST", "/device/commands/{command}/answer")
RELEASE = Route("get_my_release", "GET", "/device/release")
RELEASE_REPORT = Route("report_my_release", "POST", "/device/release/report")


class _Command(msgspec.Struct):
    id: str
    name: str
    payload: Any = None


class _Commands(msgspec.Struct):
    data: tuple[_Command, ...]


class _Answer(msgspec.Struct):
    offer: Offer | None


def _report_of(said: UpdateSaid) -> dict[str, object]:
    named = {"running": said.running, "rollout": said.rollout, "attempt": said.attempt}
    named |= {"state": said.said, "detail": said.detail}
    return {name: value for name, value in named.items() if value not in (None, "", 0)}


class HttpLink:
    """Implements `DeviceLink`. `wait_s`: how long one question for commands waits at the server."""

    def __init__(self, url: str, token: str, *, wait_s: float = WAIT_S, twin_every_s: float = TWIN_EVERY_S) -> None:
        self._transport = Transport(url, bearer=token, retries=Retries(attempts=1))
        self._wait_s, self._twin_every_s = wait_s, twin_every_s
        self._waiting: list[Command] = []
        self._again = True
        self._twin_at = 0.0

    async def open(self) -> None:
        """Nothing is held open; what was handed out before comes again."""
        self._waiting, self._again, self._twin_at = [], True, time.monotonic()

    async def close(self) -> None:
        """Close the connections."""
        await self._transport.close()

    async def next(self) -> Heard:
        """The next command, or the twin where it is time to look."""
        while not self._waiting:
            if time.monotonic() - self._twin_at >= self._twin_every_s:
                twin = await self.twin()
                return DesiredReplaced(twin.desired, twin.desired_version)
            wait_s = min(self._wait_s, max(0.0, self._twin_every_s - (time.monotonic() - self._twin_at)))
            query = {"wait_s": round(wait_s, 1), "again": self._again}
            found = await self._ask(COMMANDS, {}, _Commands, query=query, timeout_s=wait_s + MARGIN_S)
            self._again = False
            self._waiting = [Command(each.id, each.name, each.payload) for each in found.data]
        return self._waiting.pop(0)

    async def twin(self) -> TwinState:
        """The twin as it is now."""
        self._twin_at = time.monotonic()
        return await self._ask(TWIN, {}, TwinState)

    async def report(self, patch: dict[str, Any]) -> int:
        """Change the reported section."""
        return int((await self._ask(REPORT, {}, dict[str, Any], body=patch))["version"])

    async def send(self, readings: Sequence[Reading]) -> None:
        """Hand telemetry over."""
        messages = [{"id": each.id, "at_s": each.at_s, "body": each.body} for each in readings]
        await self._ask(TELEMETRY, {}, dict[str, Any], body={"messages": messages})

    async def answer(self, command: str, answer: CommandAnswer) -> None:
        """Say how a command went."""
        await self._ask(ANSWER, {"command": command}, dict[str, Any], body=answer)

    async def release(self, said: UpdateSaid) -> Offer | None:
        """Ask what to install."""
        await self._ask(RELEASE_REPORT, {}, None, body=_report_of(said))
        return (await self._ask(RELEASE, {}, _Answer, query={"board": said.board or None})).offer

    async def _ask(
        self,
        route: Route,
        path: Mapping[str, str],
        reply: type[T] | None,
        *,
        query: Mapping[str, object] | None = None,
        body: object = msgspec.UNSET,
        timeout_s: float | None = None,
    ) -> T:
        try:
            request = request_of(route, path, query=query, body=body)
            return (await self._transport.ask(request, reply, timeout_s)).value
        except ApiError as error:
            if error.status >= 500:
                raise NotReachedError(error.public_message) from error
            if error.status == 429:
                await asyncio.sleep(min(60.0, error.retry_after_s or 1.0))
                raise NotReachedError(error.public_message) from error
            raise LinkRefusedError(error.code, error.public_message) from error
