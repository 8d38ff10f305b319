"""The encrypted audio packets of the xiaozhi protocol over UDP: a 16-byte header, then an Opus packet under AES-CTR.

Source: xiaozhi-esp32 2.4.2 `mqtt_protocol.cc`. The counter block of a packet is its header, so a header may never
recur: downlink packets have their own ssrc and a timestamp that always advances.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

from entendre.wire.xiaozhi_frames import MAX_OPUS_BYTES, packet_duration_ms

HEADER_BYTES = 16
KEY_BYTES = 16
COOKIE_BYTES = 4
ENTROPY_BYTES = KEY_BYTES + COOKIE_BYTES
MAX_DATAGRAM_BYTES = HEADER_BYTES + MAX_OPUS_BYTES
MAX_SEQUENCE_JUMP = 6_000
"""Two minutes of 20 ms packets: after so long a gap the device itself gives the channel up."""
MAX_SEQUENCE = 2**31
MAX_TIMESTAMP_MS = 2**32 - 1

_HEADER = struct.Struct(">BBH4sII")
_TYPE_AUDIO = 1

CounterCipher = Callable[[bytes, bytes, bytes], bytes]
"""AES-128-CTR of (key, initial counter block, data), which seals as well as opens."""


@dataclass(frozen=True, slots=True)
class UdpSecrets:
    """One channel's key, and the cookie that its uplink packets carry."""

    key: bytes
    cookie: bytes

    @classmethod
    def of(cls, entropy: bytes) -> UdpSecrets:
        """Secrets from 20 random bytes."""
        if len(entropy) != ENTROPY_BYTES:
            raise ValueError(f"entropy must be {ENTROPY_BYTES} bytes")
        return cls(entropy[:KEY_BYTES], entropy[KEY_BYTES:])

    @property
    def nonce(self) -> bytes:
        """The template of the uplink's headers, as handed to the device."""
        return _HEADER.pack(_TYPE_AUDIO, 0, 0, self.cookie, 0, 0)

    @property
    def downlink_ssrc(self) -> bytes:
        """Differs from the cookie, so that no downlink counter meets an uplink one."""
        return bytes((self.cookie[0] ^ 0x80,)) + self.cookie[1:]


@dataclass(frozen=True, slots=True)
class UdpAudio:
    """An accepted packet."""

    opus: bytes
    timestamp_ms: int
    sequence: int


@dataclass(frozen=True, slots=True)
class UdpRefused:
    """A datagram that must be dropped without an answer; `code` says why."""

    code: str


def cookie_of(datagram: bytes) -> bytes | None:
    """The cookie that says which channel a datagram is for; None where it can be for none."""
    if not HEADER_BYTES < len(datagram) <= MAX_DATAGRAM_BYTES or datagram[0] != _TYPE_AUDIO:
        return None
    return datagram[4:8]


def seal(cipher: CounterCipher, key: bytes, ssrc: bytes, timestamp_ms: int, sequence: int, opus: bytes) -> bytes:
    """One datagram. Raises: ValueError where the packet is empty or too long."""
    if not 0 < len(opus) <= MAX_OPUS_BYTES:
        raise ValueError(f"an Opus packet has 1 to {MAX_OPUS_BYTES} bytes")
    header = _HEADER.pack(_TYPE_AUDIO, 0, len(opus), ssrc, timestamp_ms, sequence)
    return header + cipher(key, header, opus)


class UdpUplink:
    """The device's direction: opens datagrams, and accepts each sequence number once and in order."""

    __slots__ = ("_cipher", "_secrets", "last_sequence")

    def __init__(self, secrets: UdpSecrets, cipher: CounterCipher) -> None:
        self._secrets = secrets
        self._cipher = cipher
        self.last_sequence = 0

    def receive(self, datagram: bytes) -> UdpAudio | UdpRefused:
        """One datagram; only an accepted one may move the device's address. Never raises on its bytes."""
        if not HEADER_BYTES < len(datagram) <= MAX_DATAGRAM_BYTES:
            return UdpRefused("bad_size")
        kind, flags, payload_bytes, cookie, timestamp_ms, sequence = _HEADER.unpack_from(datagram)
        if kind != _TYPE_AUDIO or flags:
            return UdpRefused("bad_type")
        if cookie != self._secrets.cookie:
            return UdpRefused("bad_cookie")
        if payload_bytes != len(datagram) - HEADER_BYTES:
            return UdpRefused("bad_size")
        if sequence <= self.last_sequence:
            return UdpRefused("old_sequence")
        if sequence - self.last_sequence > MAX_SEQUENCE_JUMP:
            return UdpRefused("sequence_jump")
        opus = self._cipher(self._secrets.key, datagram[:HEADER_BYTES], datagram[HEADER_BYTES:])
        if packet_duration_ms(opus) is None:
            return UdpRefused("bad_opus")
        self.last_sequence = sequence
        return UdpAudio(opus, timestamp_ms, sequence)


class UdpDownlink:
    """The server's direction: no counter block is ever used twice, nor one of the uplink's."""

    __slots__ = ("_cipher", "_secrets", "sequence", "timestamp_ms")

    def __init__(self, secrets: UdpSecrets, cipher: CounterCipher) -> None:
        self._secrets = secrets
        self._cipher = cipher
        self.sequence = 0
        self.timestamp_ms = 0

    def seal(self, opus: bytes, duration_ms: int = 60) -> bytes | None:
        """The next datagram; None once the channel's counters are used up, so that a new channel is needed."""
        timestamp_ms = self.timestamp_ms + max(1, duration_ms)
        if self.sequence >= MAX_SEQUENCE or timestamp_ms > MAX_TIMESTAMP_MS:
            return None
        datagram = seal(
            self._cipher, self._secrets.key, self._secrets.downlink_ssrc, timestamp_ms, self.sequence + 1, opus
        )
        self.sequence, self.timestamp_ms = self.sequence + 1, timestamp_ms
        return datagram
