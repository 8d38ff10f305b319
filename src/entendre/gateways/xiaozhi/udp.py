"""The audio channels of all devices on one UDP socket, told apart by the cookie in their packets."""

from __future__ import annotations

import asyncio
import logging
import secrets
import socket
from collections import Counter
from collections.abc import Callable
from typing import cast

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CTR

from entendre.core.allowance import Allowance
from entendre.core.errors import ConfigurationError, OverloadedError
from entendre.wire.xiaozhi_udp import (
    ENTROPY_BYTES,
    CounterCipher,
    UdpAudio,
    UdpDownlink,
    UdpRefused,
    UdpSecrets,
    UdpUplink,
    cookie_of,
)

log = logging.getLogger(__name__)

UDP_PORT = 8884
PACKETS_PER_S = 120.0
PACKET_BURST = 150
"""Twice what 20 ms packets come to, and three seconds of them at once, as after a wake word."""
ELSEWHERE_PER_S = 60.0
ELSEWHERE_BURST = 20
"""What may be looked at from another address than the channel's."""
NEW_ADDRESS_PACKETS = 3
"""Packets that have to be right in a row before a channel follows them to another address.

The cipher has no integrity: whoever saw a cookie can send noise. A guess has the stream's TOC byte once in 64 times.
"""
RECEIVE_BUFFER_BYTES = 1024 * 1024
_TOC_CONFIGURATION = 0xFC
"""Mode, bandwidth, frame length and channels of an Opus packet; the other bits count its frames."""

Address = tuple[str, int]


def counter_cipher(key: bytes) -> CounterCipher:
    """AES-128-CTR under one key; its context is set up once and costs 0.7 µs a packet instead of 3.2."""
    context = Cipher(AES(key), CTR(bytes(16))).encryptor()

    def apply(asked: bytes, counter: bytes, data: bytes) -> bytes:
        if asked is not key:
            raise ValueError("this cipher belongs to another key")
        context.reset_nonce(counter)
        return context.update(data)

    return apply


class UdpChannel:
    """One device's audio channel, from its hello to its goodbye."""

    def __init__(
        self, server: UdpServer, channel_secrets: UdpSecrets, on_audio: Callable[[UdpAudio], None], now_s: float
    ) -> None:
        self.secrets = channel_secrets
        self._server = server
        self._on_audio = on_audio
        self._cipher = counter_cipher(channel_secrets.key)
        self._uplink = UdpUplink(channel_secrets, self._cipher)
        self._downlink = UdpDownlink(channel_secrets, self._cipher)
        self._allowance = Allowance(PACKETS_PER_S, PACKET_BURST, now_s)
        self._elsewhere = Allowance(ELSEWHERE_PER_S, ELSEWHERE_BURST, now_s)
        self._toc = -1
        self._candidate: _Candidate | None = None
        self.address: Address | None = None

    def received(self, datagram: bytes, address: Address, now_s: float) -> str:
        """One datagram with this channel's cookie; what became of it."""
        elsewhere = self.address is not None and address != self.address
        if not (self._elsewhere if elsewhere else self._allowance).take(now_s):
            return "too_fast"
        if elsewhere:
            return self._from_elsewhere(datagram, address)
        audio = self._uplink.receive(datagram)
        if isinstance(audio, UdpRefused):
            return audio.code
        self.address = address
        self._candidate = None
        self._toc = audio.opus[0] & _TOC_CONFIGURATION
        self._on_audio(audio)
        return "accepted"

    def _from_elsewhere(self, datagram: bytes, address: Address) -> str:
        """The device behind another address of its router, or somebody who saw its cookie."""
        candidate = self._candidate
        if candidate is None or candidate.address != address:
            uplink = UdpUplink(self.secrets, self._cipher)
            uplink.last_sequence = self._uplink.last_sequence
            candidate = self._candidate = _Candidate(address, uplink)
        audio = candidate.uplink.receive(datagram)
        if isinstance(audio, UdpRefused) or audio.opus[0] & _TOC_CONFIGURATION != self._toc:
            self._candidate = None
            return "elsewhere"
        candidate.heard.append(audio)
        if len(candidate.heard) < NEW_ADDRESS_PACKETS:
            return "elsewhere"
        self.address, self._uplink, self._candidate = address, candidate.uplink, None
        for each in candidate.heard:
            self._on_audio(each)
        return "moved"

    def send(self, opus: bytes, timestamp_ms: int) -> bool:
        """Send a packet of reply audio; False while the device's address is unknown, or the channel is used up.

        The timestamp of the wire is the one given, or later where that was used before.
        """
        if self.address is None:
            return False
        datagram = self._downlink.seal(opus, timestamp_ms - self._downlink.timestamp_ms)
        return datagram is not None and self._server.send(datagram, self.address)

    @property
    def last_sequence(self) -> int:
        """Sequence number of the last packet accepted."""
        return self._uplink.last_sequence

    def close(self) -> None:
        """Forget the channel: its key and cookie are void from now on."""
        self._server.forget(self)


class _Candidate:
    """Another address that may be the device's, and what it has sent so far."""

    __slots__ = ("address", "heard", "uplink")

    def __init__(self, address: Address, uplink: UdpUplink) -> None:
        self.address = address
        self.uplink = uplink
        self.heard: list[UdpAudio] = []


class UdpServer(asyncio.DatagramProtocol):
    """Every channel's socket. What is for no open channel is dropped after one look-up, without an answer."""

    def __init__(self, channels: int = 4_096) -> None:
        self._limit = channels
        self._channels: dict[bytes, UdpChannel] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._full = False
        self._clock: Callable[[], float] = asyncio.get_running_loop().time
        self.counts: Counter[str] = Counter()
        """Datagrams by what became of them."""

    @property
    def channels(self) -> int:
        """Channels open now."""
        return len(self._channels)

    async def listen(self, host: str, port: int = UDP_PORT) -> int:
        """Serve on an address; port 0 takes a free one. Returns the port. Raises: ConfigurationError."""
        try:
            transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, (host, port))
        except OSError as error:
            raise ConfigurationError(f"UDP can't listen on {host}:{port}: {error.strerror or error}.") from error
        bound = transport.get_extra_info("socket")
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        return int(transport.get_extra_info("sockname")[1])

    def open(self, on_audio: Callable[[UdpAudio], None]) -> UdpChannel:
        """A channel with a key and a cookie of its own. Raises: OverloadedError when too many are open."""
        if len(self._channels) >= self._limit:
            raise OverloadedError("Too many devices are talking.")
        fresh = UdpSecrets.of(secrets.token_bytes(ENTROPY_BYTES))
        while fresh.cookie in self._channels:
            fresh = UdpSecrets.of(secrets.token_bytes(ENTROPY_BYTES))
        channel = UdpChannel(self, fresh, on_audio, self._clock())
        self._channels[fresh.cookie] = channel
        return channel

    def forget(self, channel: UdpChannel) -> None:
        """A channel ended."""
        if self._channels.get(channel.secrets.cookie) is channel:
            del self._channels[channel.secrets.cookie]

    def send(self, datagram: bytes, address: Address) -> bool:
        """Hand a datagram to the kernel; False if it is dropped, as on any full link."""
        transport = self._transport
        if transport is None or self._full:
            self.counts["not_sent"] += 1
            return False
        transport.sendto(datagram, address)
        return True

    def close(self) -> None:
        """Close the socket and forget every channel."""
        self._channels.clear()
        if self._transport is not None:
            self._transport.close()

    # -- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is open."""
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        """A datagram from anybody."""
        cookie = cookie_of(data)
        channel = self._channels.get(cookie) if cookie is not None else None
        if channel is None:
            self.counts["unknown"] += 1
            return
        self.counts[channel.received(data, addr, self._clock())] += 1

    def pause_writing(self) -> None:
        """The kernel takes no more for now."""
        self._full = True

    def resume_writing(self) -> None:
        """The kernel takes datagrams again."""
        self._full = False

    def error_received(self, exc: Exception) -> None:
        """The kernel tells of a datagram that did not arrive: a device that is switched off, most often."""
        self.counts["unreachable"] += 1

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is closed."""
        self._transport = None
