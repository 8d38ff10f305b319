"""The WebSocket door of xiaozhi devices: who is let in, one channel each, and what each talks with."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from aiohttp import web

from entendre.core.clock import Clock
from entendre.core.device import Admission, Admitted, Refused, Unbound, hardware_of, opaque_of
from entendre.core.quotas import quota_address
from entendre.core.tags import first_tag
from entendre.gateways.xiaozhi.binding import BindingPrompt, SayCode
from entendre.gateways.xiaozhi.connection import Connection, Partner
from entendre.gateways.xiaozhi.opus import require_opus
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.gateways.xiaozhi.talk import Channel, NextRing, Talk
from entendre.ports import DeviceRegistry, Voice
from entendre.session.api import ConversationFactory, DeviceProfile
from entendre.system import new_id
from entendre.wire.mcp import Vision
from entendre.wire.xiaozhi_frames import read_framing_version
from entendre.wire.xiaozhi_messages import MAX_MESSAGE_BYTES, Hello

log = logging.getLogger(__name__)

HEADER_BYTES = 16
"""Of the longest binary framing."""
WRITE_LIMIT_BYTES = 8 * 1024
"""Unsent bytes at which sending waits for the device: two seconds of speech."""
SHUTDOWN_S = 3.0
_BEARER = "bearer "


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the gateway needs beside its devices.

    `voice_for`: the voice of a language. `say_code` asks to bind a device. `vision`: where a device sends pictures.
    `next_ring_s`: seconds until something rings on a device. `silence` ends what rings, by its id.
    """

    voice_for: Callable[[str], Voice | None]
    say_code: SayCode
    vision: Callable[[web.Request, Admitted], Vision] = lambda request, admitted: Vision()
    next_ring_s: NextRing = lambda device: None
    silence: Callable[[str], None] = lambda ring: None


def profile_of(admitted: Admitted, settings: XiaozhiSettings) -> DeviceProfile:
    """A bound device as a session sees it before it says how it listens."""
    record = admitted.record
    return DeviceProfile(
        device=record.id,
        language=record.language or settings.language,
        room=record.room,
        reply_lead_s=settings.reply_lead_s,
        proven=True,
        takes_fillers=True,
        language_chosen=bool(record.language),
    )


class XiaozhiGateway:
    """Serves `/xiaozhi/v1/`."""

    def __init__(
        self,
        factory: ConversationFactory,
        registry: DeviceRegistry,
        clock: Clock,
        settings: XiaozhiSettings,
        surroundings: Surroundings,
    ) -> None:
        """Raises: MissingExtraError."""
        require_opus()
        self._factory = factory
        self._registry = registry
        self._clock = clock
        self._settings = settings
        self._surroundings = surroundings
        self._connections: dict[str, Connection] = {}
        self._open: set[Connection] = set()
        self._serving: set[asyncio.Task[object]] = set()
        self._strangers: Counter[str] = Counter()

    @property
    def connections(self) -> int:
        """How many devices are connected."""
        return len(self._open)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one device until it goes."""
        if not web.WebSocketResponse().can_prepare(request).ok:
            raise web.HTTPUpgradeRequired(headers={"Upgrade": "websocket"}, text="connect with a WebSocket")
        if len(self._open) >= self._settings.max_connections:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "30"}, text="too many connections")
        task = asyncio.current_task()
        assert task is not None
        self._serving.add(task)
        try:
            admission = await self._admission(request)
            with self._counted(admission, quota_address(request.remote)):
                return await self._serve(request, admission)
        finally:
            self._serving.discard(task)

    @contextmanager
    def _counted(self, admission: Admitted | Unbound, address: str) -> Iterator[None]:
        """Hold devices that nobody bound to a few at an address. Raises: HTTPTooManyRequests."""
        if isinstance(admission, Admitted):
            yield
            return
        if self._strangers[address] >= self._settings.unbound_per_address:
            raise web.HTTPTooManyRequests(headers={"Retry-After": "30"}, text="too many unbound devices")
        self._strangers[address] += 1
        try:
            yield
        finally:
            self._strangers[address] -= 1
            if not self._strangers[address]:
                del self._strangers[address]

    async def close(self) -> None:
        """Say goodbye to every device; for a server that stops."""
        for connection in tuple(self._open):
            connection.end("shutdown")
        if self._serving:
            await asyncio.wait(tuple(self._serving), timeout=SHUTDOWN_S)

    async def _admission(self, request: web.Request) -> Admitted | Unbound:
        """Who a device is. Raises: HTTPUnauthorized."""
        hardware, client = hardware_of(_said(request, "Device-Id")), opaque_of(_said(request, "Client-Id"))
        if hardware is None or client is None:
            raise web.HTTPUnauthorized(text="Device-Id and Client-Id are missing or malformed")
        admission: Admission = await self._registry.verify(_token(request), hardware, client)
        if isinstance(admission, Refused):
            log.info("a device is not let in", extra={"reason": admission.reason.value})
            raise web.HTTPUnauthorized(text=admission.reason.value)
        return admission

    async def _serve(self, request: web.Request, admission: Admitted | Unbound) -> web.StreamResponse:
        socket = web.WebSocketResponse(
            compress=False,
            max_msg_size=MAX_MESSAGE_BYTES + HEADER_BYTES,
            heartbeat=self._settings.ping_s,
            timeout=1.0,
            writer_limit=WRITE_LIMIT_BYTES,
        )
        await socket.prepare(request)
        if request.transport is not None:
            request.transport.set_write_buffer_limits(high=WRITE_LIMIT_BYTES)
        device = admission.record.id if isinstance(admission, Admitted) else ""
        connection = Connection(
            request,
            socket,
            self._settings,
            self._clock,
            session=new_id(),
            framing=read_framing_version(_said(request, "Protocol-Version")),
            device=device,
        )
        self._open.add(connection)
        unwatch = self._take_over(connection, admission)
        try:
            reason = await connection.serve(lambda *channel: self._partner(request, admission, *channel))
            log.info("device left", extra={"device": device, "reason": reason})
        finally:
            unwatch()
            self._open.discard(connection)
            if device and self._connections.get(device) is connection:
                del self._connections[device]
        return socket

    def _take_over(self, connection: Connection, admission: Admitted | Unbound) -> Callable[[], None]:
        """A device has one channel: a new one replaces one that is dead or left behind."""
        if not isinstance(admission, Admitted):
            return lambda: None
        old = self._connections.get(admission.record.id)
        self._connections[admission.record.id] = connection
        if old is not None:
            old.end("replaced")
        return self._registry.watch(admission, lambda refusal: connection.end(refusal.value))

    def _partner(
        self, request: web.Request, admission: Admitted | Unbound, channel: Channel, hello: Hello, session: str
    ) -> Partner:
        settings, around = self._settings, self._surroundings
        if isinstance(admission, Unbound):
            return BindingPrompt(
                channel,
                settings,
                session=session,
                clock=self._clock,
                code=admission.code,
                text=around.say_code(admission.code, first_tag(settings.language)),
                voice=around.voice_for(first_tag(settings.language)),
            )
        return Talk(
            channel,
            self._factory,
            profile_of(admission, settings),
            settings,
            session=session,
            hello=hello,
            clock=self._clock.monotonic,
            vision=around.vision(request, admission),
            next_ring_s=around.next_ring_s,
            silence=around.silence,
        )


def _said(request: web.Request, name: str) -> str:
    """A header; testers in browsers, which can't set any, put it into the query."""
    return request.headers.get(name) or request.query.get(name.lower(), "")


def _token(request: web.Request) -> str:
    """The token, which firmware sends as it is if it contains a space."""
    said = _said(request, "Authorization").strip()
    return said[len(_BEARER) :].strip() if said.lower().startswith(_BEARER) else said
