"""One TCP connection that speaks Wyoming: the codec on a socket, with a bound on what a slow peer may owe us."""

from __future__ import annotations

import asyncio
import contextlib
import socket

from entendre.gateways.redial import ConnectionEndedError as ConnectionEndedError
from entendre.wire.failure import ProtocolFailed
from entendre.wire.wyoming import WyomingCodec, encode
from entendre.wire.wyoming_events import Error, WyomingEvent

READ_BYTES = 64 * 1024
"""Read at once; also the StreamReader's limit, so at most twice this waits unread in memory."""
WRITE_HIGH_BYTES = 128 * 1024
"""Sent but not yet taken by the kernel before a writer waits: about 3 s of speech."""
UNREAD_BYTES = 512 * 1024
"""A peer that leaves this much unread while we post without waiting is gone or stuck."""
GOODBYE_S = 1.0
"""How long a last error may take to leave, and what the peer still sends to be thrown away."""


class WyomingStream:
    """Events over a pair of asyncio streams."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, write_within_s: float) -> None:
        self._reader = reader
        self._writer = writer
        self._codec = WyomingCodec()
        self._write_within_s = write_within_s
        self._ended = False
        self._failure: ProtocolFailed | None = None
        writer.transport.set_write_buffer_limits(high=WRITE_HIGH_BYTES)
        _keep_alive(writer)

    @property
    def peer(self) -> tuple[str, int]:
        """The other end's numeric address."""
        name = self._writer.get_extra_info("peername") or ("", 0)
        return str(name[0]), int(name[1])

    async def receive(self) -> list[WyomingEvent] | None:
        """The next events; None at a clean end of the stream.

        Raises: ConnectionEndedError when the peer broke the protocol (after the events before that) or was lost.
        """
        while self._failure is None and not self._ended:
            try:
                data = await self._reader.read(READ_BYTES)
            except OSError as error:
                raise ConnectionEndedError("lost", "the connection was lost") from error
            self._ended = not data
            found = self._codec.receive(data) if data else self._codec.receive_eof()
            events = [item for item in found if not isinstance(item, ProtocolFailed)]
            self._failure = next((item for item in found if isinstance(item, ProtocolFailed)), None)
            if events:
                return events
        if self._failure is not None:
            raise ConnectionEndedError(self._failure.code, self._failure.message)
        return None

    def post(self, event: WyomingEvent) -> None:
        """Write without waiting. Raises: ConnectionEndedError if the peer does not read."""
        if self._writer.is_closing():
            raise ConnectionEndedError("lost", "the connection was lost")
        self._writer.write(encode(event))
        if self._writer.transport.get_write_buffer_size() > UNREAD_BYTES:
            self.abort()
            raise ConnectionEndedError("slow_reader", "the peer does not read what it is sent")

    async def send(self, event: WyomingEvent) -> None:
        """Write and wait for room. Raises: ConnectionEndedError if the peer does not read in time."""
        self.post(event)
        try:
            async with asyncio.timeout(self._write_within_s):
                await self._writer.drain()
        except TimeoutError:
            self.abort()
            raise ConnectionEndedError("slow_reader", "the peer does not read what it is sent") from None
        except OSError as error:
            raise ConnectionEndedError("lost", "the connection was lost") from error

    async def lost(self) -> None:
        """Wait until the connection is gone, whoever ended it."""
        await asyncio.shield(self._closed())  # all waiters share one future, which a cancelled waiter would end

    async def _closed(self) -> None:
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()

    async def close(self, last: Error | None = None, *, patient: bool = True) -> None:
        """Say a last error if there is one, and end the connection.

        `patient`: what the peer is still sending is read and thrown away first. A socket that is closed over unread
        bytes is reset, and the peer would lose the error before it could read it.
        """
        with contextlib.suppress(ConnectionEndedError, OSError, TimeoutError):
            async with asyncio.timeout(GOODBYE_S):
                if last is not None:
                    self.post(last)
                if last is not None and patient:
                    self._writer.write_eof()
                    await self._read_off()
                self._writer.close()
                await self.lost()
        self.abort()

    async def _read_off(self) -> None:
        """Throw away what comes until the peer ends its side too."""
        while await self._reader.read(READ_BYTES):
            continue

    def abort(self) -> None:
        """End the connection at once."""
        self._writer.transport.abort()


def _keep_alive(writer: asyncio.StreamWriter) -> None:
    """Let the kernel notice a peer that lost its power; without pings nothing else would."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.family in (socket.AF_INET, socket.AF_INET6):
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
