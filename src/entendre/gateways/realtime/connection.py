"""One client of the Realtime protocol: its socket, its dialogue and, once it says something, its conversation."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from entendre.core.errors import EntendreError, ForbiddenError
from entendre.gateways.realtime.device import DeviceSide, Fleet
from entendre.gateways.realtime.profile import Caller, profile_of
from entendre.gateways.realtime.settings import SEND_TIMEOUT_S, RealtimeSettings
from entendre.gateways.realtime.talk import Talk
from entendre.markets.loader import language_problem
from entendre.session.api import ConversationFactory, DeviceProfile
from entendre.wire.failure import ProtocolFailed
from entendre.wire.realtime import RealtimeCodec, SessionConfig
from entendre.wire.realtime_client import Received, Rejected, SessionUpdated
from entendre.wire.realtime_fleet import DeviceSaid
from entendre.wire.realtime_server import Extension, Failed, ServerEvent, SessionChanged, SessionCreated

log = logging.getLogger(__name__)

CLOSE_CODES = {"event_too_large": WSCloseCode.MESSAGE_TOO_BIG, "binary_event": WSCloseCode.UNSUPPORTED_DATA}
GOODBYES = {"shutdown": WSCloseCode.GOING_AWAY, "read_again": WSCloseCode.SERVICE_RESTART}
"""How a device is told why its connection ends, where it is not its own doing."""


class Connection:
    """Everything an idle client costs; `Talk` holds the rest and exists from the first audio or item on.

    A client that names its device has one at once, so that alarms ring on it before anybody spoke.
    """

    __slots__ = (
        "_clock",
        "_device",
        "_ending",
        "_factory",
        "_fleet",
        "_settings",
        "_socket",
        "_talk",
        "caller",
        "codec",
        "last_heard_s",
        "request",
    )

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        codec: RealtimeCodec,
        caller: Caller,
        factory: ConversationFactory,
        settings: RealtimeSettings,
        clock: Callable[[], float],
        fleet: Fleet | None = None,
    ) -> None:
        self.request = request
        self._socket = socket
        self._factory = factory
        self._settings = settings
        self._clock = clock
        self._fleet = fleet
        self._device: DeviceSide | None = None
        self._ending: asyncio.Task[None] | None = None
        self._talk: Talk | None = None
        self.codec = codec
        self.caller = caller
        self.last_heard_s = clock()

    async def serve(self) -> None:
        """Speak with the client until either side ends it."""
        await self.send([SessionCreated(f"sess_{self.codec.name}", self.codec.config)])
        if problem := language_problem(self.caller.language or ""):
            await self._refuse_language(problem, None)
        standing = self.caller.standing
        if self._fleet is not None and standing.device is not None and standing.brand is not None:
            self._device = self._fleet.connected(standing.device, standing.brand, self)
            self._device.opted(self.codec.config.include)
        if self.caller.named:
            self._talk = Talk(self, self._factory)
        try:
            async for message in self._socket:
                self.last_heard_s = self._clock()
                if not await self._message(message):
                    break
        finally:
            if self._device is not None:
                await self._device.gone()
            if self._talk is not None:
                await self._talk.end()
            if self._ending is not None:
                await asyncio.gather(self._ending, return_exceptions=True)

    async def _message(self, message: WSMessage) -> bool:
        """Follow one message; False ends the connection."""
        if message.type is WSMsgType.ERROR:
            log.info("realtime connection broken", extra={"device": self.caller.device})
            return False
        if message.type is not WSMsgType.TEXT:
            return await self._end(ProtocolFailed("binary_event", "Events are JSON text, not binary."))
        before, received = self.codec.config, self.codec.receive(message.data)
        if isinstance(received, ProtocolFailed):
            return await self._end(received)
        await self._follow(received, before)
        return not self._socket.closed

    async def _follow(self, received: Received, before: SessionConfig) -> None:
        """`before`: the settings that hold if the client's new ones can't be followed."""
        match received.event:
            case Rejected(code, message, param, event_id):
                await self.send([Failed("invalid_request_error", code, message, param, event_id)])
            case SessionUpdated() if problem := _unheard_of(self.codec.config, before):
                self.codec.config = before
                await self._refuse_language(problem, received.id)
            case SessionUpdated():
                await self.send([SessionChanged(f"sess_{self.codec.name}", self.codec.config)])
                if self._device is not None:
                    self._device.opted(self.codec.config.include)
                if self._talk is not None:
                    self._talk.reconfigure()
            case event:
                try:
                    if isinstance(event, DeviceSaid):
                        self._device_said(event, received.id)
                        return
                    if self._talk is None:
                        self._talk = Talk(self, self._factory)
                    await self._talk.follow(event, received.id)
                except EntendreError as error:
                    await self.refuse(error, received.id)

    def _device_said(self, said: DeviceSaid, event_id: str | None) -> None:
        if self._device is None:
            raise ForbiddenError("Only a device that connects with its own token may send this.")
        self._device.received(said.request, event_id)

    async def _end(self, failure: ProtocolFailed) -> bool:
        log.info("realtime client broke the protocol", extra={"device": self.caller.device, "code": failure.code})
        await self.send([Failed("invalid_request_error", failure.code, failure.message)])
        await self.close(CLOSE_CODES.get(failure.code, WSCloseCode.INVALID_TEXT), failure.code)
        return False

    def profile(self) -> DeviceProfile:
        """The device as a session sees it, by the client's present settings."""
        return profile_of(self.codec.config, self.caller, self._settings)

    async def send(self, events: Iterable[ServerEvent]) -> None:
        """Send events in order. A client that takes none of them for `SEND_TIMEOUT_S` is dropped."""
        for event in events:
            text = self.codec.send(event)
            if text is None or self._socket.closed:
                continue
            try:
                async with asyncio.timeout(SEND_TIMEOUT_S):
                    await self._socket.send_str(text)
            except TimeoutError:
                log.warning("realtime client too slow", extra={"device": self.caller.device})
                self.drop()
            except ConnectionError:
                return

    async def show(self, name: str, body: Mapping[str, Any]) -> bool:
        """Send an event of ours; False once the connection is down."""
        await self.send([Extension(name, body)])
        return not self._socket.closed

    async def refuse(self, error: EntendreError, event_id: str | None) -> None:
        """Say that the client's event of an id can't be followed."""
        kind = "server_error" if error.retryable else "invalid_request_error"
        await self.send([Failed(kind, error.code, error.public_message, None, event_id)])

    async def _refuse_language(self, problem: str, event_id: str | None) -> None:
        await self.send([Failed("invalid_request_error", "unsupported_language", problem, "language", event_id)])

    def end(self, reason: str) -> None:
        """Have the connection end. Never waits."""
        if self._ending is None:
            code = GOODBYES.get(reason, WSCloseCode.POLICY_VIOLATION)
            self._ending = asyncio.create_task(self.close(code, reason), name="realtime-goodbye")

    async def close(self, code: int, reason: str) -> None:
        """Say goodbye and end the connection; drops a client that does not answer."""
        try:
            async with asyncio.timeout(SEND_TIMEOUT_S):
                await self._socket.close(code=code, message=reason.encode("ascii", "replace")[:120])
        except TimeoutError:
            self.drop()

    def drop(self) -> None:
        """Cut the connection without a word."""
        if self.request.transport is not None:
            self.request.transport.abort()


def _unheard_of(config: SessionConfig, before: SessionConfig) -> str:
    """What is wrong with a language newly asked for; transcripts alone are made in any that a recognizer knows."""
    same = (config.language, config.transcribes_only) == (before.language, before.transcribes_only)
    if config.transcribes_only or same:
        return ""
    return language_problem(config.language or "")
