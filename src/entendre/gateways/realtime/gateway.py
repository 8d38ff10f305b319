"""The Realtime protocol over WebSocket, for any number of clients."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import socket
import time
from collections.abc import Awaitable, Callable
from dataclasses import replace

from aiohttp import WSCloseCode, web

from entendre.core.errors import EntendreError
from entendre.gateways.realtime.connection import Connection
from entendre.gateways.realtime.device import Fleet
from entendre.gateways.realtime.profile import Caller
from entendre.gateways.realtime.settings import SWEEP_S, RealtimeSettings
from entendre.session.api import ConversationFactory, Standing
from entendre.system import new_id
from entendre.wire.realtime import MAX_EVENT_BYTES, Dialect, RealtimeCodec, SessionConfig
from entendre.wire.realtime_checks import MAX_NAME_CHARS, without_surrogates
from entendre.wire.realtime_session import MAX_INCLUDES

log = logging.getLogger(__name__)

SUBPROTOCOL = "realtime"
BETA = "realtime=v1"
BETA_SUBPROTOCOL = "openai-beta.realtime-v1"
MAX_CALLER_CHARS = 64
SWEPT_AT_ONCE = 256
"""Connections whose key is checked again before others get their turn."""
_KEEPALIVE_IDLE_S, _KEEPALIVE_INTERVAL_S, _KEEPALIVE_COUNT = 60, 15, 4


class RealtimeGateway:
    """Serves `/v1/realtime`. Whoever may connect was checked before `handle`."""

    def __init__(
        self,
        factory: ConversationFactory,
        settings: RealtimeSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        may_stay: Callable[[web.Request], Awaitable[bool]] | None = None,
        standing_of: Callable[[web.Request], Awaitable[Standing]] | None = None,
        fleet: Fleet | None = None,
    ) -> None:
        """`may_stay`: whether what let a client in still holds; asked every `SWEEP_S`.

        `standing_of`: what its credentials speak for; without it, for the server's own household.
        `fleet`: where devices belong that come with their own tokens.
        """
        self._fleet = fleet
        self._may_stay = may_stay
        self._standing_of = standing_of
        self._factory = factory
        self._settings = settings or RealtimeSettings()
        self._clock = clock
        self._connections: set[Connection] = set()
        self._sweeper: asyncio.Task[None] | None = None
        self._default = SessionConfig(model=self._settings.model, voice=self._settings.voice)

    @property
    def connections(self) -> int:
        """How many clients are connected."""
        return len(self._connections)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        """Serve one client until it goes."""
        if len(self._connections) >= self._settings.max_connections:
            raise web.HTTPServiceUnavailable(headers={"Retry-After": "30"}, text="too many connections")
        standing = await self._standing_of(request) if self._standing_of is not None else Standing()
        response = web.WebSocketResponse(
            protocols=(SUBPROTOCOL,), compress=False, max_msg_size=MAX_EVENT_BYTES, autoping=True, timeout=2.0
        )
        await response.prepare(request)
        _keep_alive(request)
        connection = self._connection(request, response, standing)
        self._connections.add(connection)
        if self._sweeper is None:
            self._sweeper = asyncio.create_task(self._sweep())
        try:
            await connection.serve()
        finally:
            self._connections.discard(connection)
        return response

    def _connection(self, request: web.Request, response: web.WebSocketResponse, standing: Standing) -> Connection:
        name = new_id().replace("-", "")[8:24]
        query = request.query
        device = standing.device or query.get("device", "")[:MAX_CALLER_CHARS]
        caller = Caller(
            device=device or f"realtime-{name}",
            room=query.get("room", "")[:MAX_CALLER_CHARS] or None,
            language=query.get("language", "")[:MAX_CALLER_CHARS] or None,
            named=bool(device),
            standing=standing,
        )
        names = query.get("include", "").split(",")[:MAX_INCLUDES]
        include = tuple(without_surrogates(each[:MAX_NAME_CHARS]) for each in names if each)
        codec = RealtimeCodec(name, _dialect(request), replace(self._default, include=include))
        return Connection(request, response, codec, caller, self._factory, self._settings, self._clock, self._fleet)

    async def close(self) -> None:
        """Say goodbye to every client; for a server that shuts down."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)
            self._sweeper = None
        goodbyes = [connection.close(WSCloseCode.GOING_AWAY, "going_away") for connection in self._connections]
        await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _sweep(self) -> None:
        """One task for all connections: a timer each would cost more memory than the rest of an idle client."""
        while True:
            await asyncio.sleep(min(SWEEP_S, self._settings.idle_timeout_s))
            oldest_s = self._clock() - self._settings.idle_timeout_s
            idle = [connection for connection in self._connections if connection.last_heard_s < oldest_s]
            goodbyes = [connection.close(WSCloseCode.POLICY_VIOLATION, "idle_timeout") for connection in idle]
            goodbyes += [
                connection.close(WSCloseCode.POLICY_VIOLATION, "invalid_api_key")
                for connection in await self._locked_out()
            ]
            await asyncio.gather(*goodbyes, return_exceptions=True)

    async def _locked_out(self) -> list[Connection]:
        """Clients whose key was revoked since they came."""
        if self._may_stay is None:
            return []
        locked_out: list[Connection] = []
        try:
            for number, connection in enumerate(tuple(self._connections), 1):
                if not await self._may_stay(connection.request):
                    locked_out.append(connection)
                if number % SWEPT_AT_ONCE == 0:
                    await asyncio.sleep(0)
        except EntendreError as error:
            log.warning("keys could not be checked again", extra={"code": error.code})
        return locked_out


def _dialect(request: web.Request) -> Dialect:
    asked = request.headers.get("OpenAI-Beta", "")
    offered = [name.strip() for name in request.headers.get("Sec-WebSocket-Protocol", "").split(",")]
    return Dialect.BETA if BETA in asked or BETA_SUBPROTOCOL in offered else Dialect.CURRENT


def _keep_alive(request: web.Request) -> None:
    """Let the kernel find dead peers; it costs no task and no memory here."""
    raw = request.get_extra_info("socket")
    if raw is None or raw.family not in (socket.AF_INET, socket.AF_INET6):
        return
    with contextlib.suppress(OSError, AttributeError):  # not every platform names these options
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, _KEEPALIVE_IDLE_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, _KEEPALIVE_INTERVAL_S)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, _KEEPALIVE_COUNT)
