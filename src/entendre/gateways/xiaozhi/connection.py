"""One device's WebSocket: hello, then its messages and packets to whoever talks with it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Protocol

from aiohttp import WSCloseCode, WSMessage, WSMsgType, web

from entendre.core.allowance import Allowance
from entendre.core.clock import Clock
from entendre.core.errors import EntendreError
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.opus import SAID_FRAME_MS, SAID_RATE_HZ
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.gateways.xiaozhi.talk import Channel
from entendre.wire import xiaozhi_messages as wire
from entendre.wire.failure import ProtocolFailed
from entendre.wire.xiaozhi_frames import AudioFrame, JsonFrame, decode_frame, encode_frame

log = logging.getLogger(__name__)

SAID = wire.AudioParams(rate_hz=SAID_RATE_HZ, channels=1, frame_ms=SAID_FRAME_MS)
"""What hello promises of our speech."""
CLOSE_CODES = {
    "idle": WSCloseCode.OK,
    "elsewhere": WSCloseCode.OK,
    "closed": WSCloseCode.OK,
    "unbound": WSCloseCode.POLICY_VIOLATION,
    "shutdown": WSCloseCode.GOING_AWAY,
    "too_many_messages": WSCloseCode.POLICY_VIOLATION,
    "message_too_long": WSCloseCode.MESSAGE_TOO_BIG,
    "internal": WSCloseCode.INTERNAL_ERROR,
}
_SECONDS_TO_CLOSE = 1.0


class Partner(Protocol):
    """Who talks with a device: a conversation, or the request to bind it."""

    async def run(self) -> str:
        """Talk until it is over; why."""
        ...

    def end(self, reason: str) -> None:
        """Have `run` return."""
        ...

    def received(self, message: wire.DeviceMessage) -> None:
        """Follow a message."""
        ...

    def hear_packet(self, opus: bytes, lost: int = 0, timestamp_ms: int = 0) -> None:
        """Follow a packet of the microphone."""
        ...


PartnerFor = Callable[[Channel, wire.Hello, str], Partner]
"""Makes the partner of a channel, once its device said hello and the session has an id."""


class Connection:
    """Implements `Channel` over a WebSocket that is open."""

    def __init__(
        self,
        request: web.Request,
        socket: web.WebSocketResponse,
        settings: XiaozhiSettings,
        clock: Clock,
        *,
        session: str,
        framing: int,
        device: str,
    ) -> None:
        self._request = request
        self._socket = socket
        self._settings = settings
        self._session = session
        self._framing = framing
        self._device = device
        self._clock = clock
        now_s = clock.monotonic()
        self._messages = Allowance(settings.messages_per_s, settings.messages_burst, now_s)
        self._packets = Allowance(settings.packets_per_s, settings.packets_burst, now_s)
        self._partner: Partner | None = None

    async def serve(self, partner_for: PartnerFor) -> str:
        """Speak with the device until either side ends it; why it ended."""
        hello = await self._hello()
        if hello is None:
            return await self._close("no_hello")
        await self.send_text(wire.hello_websocket(self._session, SAID))
        self._partner = partner = partner_for(self, hello, self._session)
        reading = asyncio.create_task(self._read(partner))
        try:
            return await self._close(await partner.run())
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)

    def end(self, reason: str) -> None:
        """Have `serve` return: replaced, revoked, or the server stops."""
        if self._partner is not None:
            self._partner.end(reason)
        elif self._request.transport is not None:
            self._request.transport.abort()

    async def send_text(self, text: str) -> None:
        """Send a JSON message. Raises: ConnectionError."""
        await self._socket.send_str(text)

    async def send_audio(self, packet: AudioPacket) -> None:
        """Send a packet of speech. Raises: ConnectionError."""
        await self._socket.send_bytes(encode_frame(self._framing, packet.opus, packet.timestamp_ms))

    async def _hello(self) -> wire.Hello | None:
        """The device's first message; what it sends before is not for us."""
        try:
            async with asyncio.timeout(self._settings.hello_s):
                async for message in self._socket:
                    text = message.type is WSMsgType.TEXT
                    if not (self._messages if text else self._packets).take(self._clock.monotonic()):
                        break
                    read = wire.read_message(message.data) if text else None
                    if isinstance(read, wire.Hello):
                        return read
        except TimeoutError:
            log.info("no hello", extra={"device": self._device})
        return None

    async def _read(self, partner: Partner) -> None:
        """Task root: whatever goes wrong with a message ends this channel alone."""
        reason = "closed"
        try:
            async for message in self._socket:
                failure = self._follow(partner, message)
                if failure is not None:
                    log.info("device broke the protocol", extra={"device": self._device, "code": failure})
                    reason = failure
                    break
        except ConnectionError:
            log.debug("device left while its ping was answered", extra={"device": self._device})
        except Exception:
            log.exception("a device's message could not be followed", extra={"device": self._device})
            reason = EntendreError.code
        partner.end(reason)

    def _follow(self, partner: Partner, message: WSMessage) -> str | None:
        """Follow one message; the code of a fault that ends the connection."""
        if message.type is WSMsgType.TEXT:
            return self._text(partner, message.data)
        if message.type is not WSMsgType.BINARY:
            return "broken"
        if not self._packets.take(self._clock.monotonic()):
            return "too_many_messages"
        match decode_frame(self._framing, message.data):
            case AudioFrame(opus, timestamp_ms):
                partner.hear_packet(opus, timestamp_ms=timestamp_ms)
            case JsonFrame(text):
                return self._text(partner, text)
            case ProtocolFailed(code):
                log.debug("a binary message was left out", extra={"device": self._device, "code": code})
        return None

    def _text(self, partner: Partner, text: str) -> str | None:
        if not self._messages.take(self._clock.monotonic()):
            return "too_many_messages"
        read = wire.read_message(text)
        if isinstance(read, ProtocolFailed):
            return read.code
        partner.received(read)
        return None

    async def _close(self, reason: str) -> str:
        """Say goodbye; a device that does not take it is cut off."""
        code = CLOSE_CODES.get(reason, WSCloseCode.POLICY_VIOLATION)
        try:
            async with asyncio.timeout(_SECONDS_TO_CLOSE):
                await self._socket.close(code=code, message=reason.encode())
        except TimeoutError:
            if self._request.transport is not None:
                self._request.transport.abort()
        return reason
