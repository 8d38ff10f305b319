"""Binary framing 1, 2 and 3 of the xiaozhi protocol, and how long an Opus packet lasts.

Source: xiaozhi-esp32 2.4.2 `protocol.h`; RFC 6716 section 3 for the packet's table of contents.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from entendre.wire.failure import ProtocolFailed

FRAMING_VERSIONS = (1, 2, 3)
MAX_OPUS_BYTES = 7_662
"""120 ms of the largest frames: six of 1,275 bytes with two bytes of length each."""
MAX_FRAME_JSON_BYTES = 65_535
"""The device itself sends at most this much in a message."""
MAX_PACKET_MS = 120.0
"""RFC 6716 R5."""

_MAX_OPUS_FRAME_BYTES = 1_275
_V2 = struct.Struct(">HHIII")
_V3 = struct.Struct(">BBH")
_KIND_OPUS, _KIND_JSON = 0, 1
_SILK_MS = (10.0, 20.0, 40.0, 60.0)
_HYBRID_MS = (10.0, 20.0)
_CELT_MS = (2.5, 5.0, 10.0, 20.0)
_CONFIG_MS = _SILK_MS * 3 + _HYBRID_MS * 2 + _CELT_MS * 4
"""Length of a frame by the first five bits of a packet."""


@dataclass(frozen=True, slots=True)
class AudioFrame:
    """One Opus packet; the timestamp is 0 unless the device wants the server to cancel echo."""

    opus: bytes
    timestamp_ms: int = 0


@dataclass(frozen=True, slots=True)
class JsonFrame:
    """A JSON message in a binary frame of version 2."""

    text: str


def read_framing_version(text: str | None) -> int:
    """The framing that a `Protocol-Version` header asks for; 1 where it says nothing usable."""
    stripped = (text or "").strip()
    return int(stripped) if stripped in ("1", "2", "3") else 1


def decode_frame(version: int, message: bytes) -> AudioFrame | JsonFrame | ProtocolFailed:
    """One binary message of a device. Never raises on its bytes."""
    if version == 2:
        return _decode_v2(message)
    if version == 3:
        return _decode_v3(message)
    return _audio(message, 0)


def encode_frame(version: int, opus: bytes, timestamp_ms: int = 0) -> bytes:
    """One Opus packet as the device reads it. Raises: ValueError where the packet is empty or too long."""
    if not 0 < len(opus) <= MAX_OPUS_BYTES:
        raise ValueError(f"an Opus packet has 1 to {MAX_OPUS_BYTES} bytes")
    if version == 2:
        return _V2.pack(2, _KIND_OPUS, 0, timestamp_ms & 0xFFFF_FFFF, len(opus)) + opus
    if version == 3:
        return _V3.pack(_KIND_OPUS, 0, len(opus)) + opus
    return opus


def packet_duration_ms(opus: bytes) -> float | None:
    """How long an Opus packet lasts, 2.5 to 120 ms; None if RFC 6716 calls it malformed."""
    if not opus:
        return None
    frame_ms = _CONFIG_MS[opus[0] >> 3]
    count = _frame_count(opus)
    return frame_ms * count if count and frame_ms * count <= MAX_PACKET_MS else None


def _decode_v2(message: bytes) -> AudioFrame | JsonFrame | ProtocolFailed:
    if len(message) < _V2.size:
        return ProtocolFailed("frame_too_short", "a binary message is shorter than its header")
    version, kind, _, timestamp_ms, payload_bytes = _V2.unpack_from(message)
    payload = message[_V2.size :]
    if version != 2:
        return ProtocolFailed("bad_frame_version", "a binary message is not of the framing that was agreed")
    if payload_bytes != len(payload):
        return ProtocolFailed("frame_size_mismatch", "a binary message does not have the size that its header says")
    if kind == _KIND_OPUS:
        return _audio(payload, timestamp_ms)
    if kind != _KIND_JSON or len(payload) > MAX_FRAME_JSON_BYTES:
        return ProtocolFailed("bad_frame_type", "a binary message carries neither Opus nor a bounded JSON")
    return JsonFrame(payload.decode("utf-8", "replace"))


def _decode_v3(message: bytes) -> AudioFrame | ProtocolFailed:
    if len(message) < _V3.size:
        return ProtocolFailed("frame_too_short", "a binary message is shorter than its header")
    kind, _, payload_bytes = _V3.unpack_from(message)
    payload = message[_V3.size :]
    if payload_bytes != len(payload):
        return ProtocolFailed("frame_size_mismatch", "a binary message does not have the size that its header says")
    if kind != _KIND_OPUS:
        return ProtocolFailed("bad_frame_type", "a binary message does not carry Opus")
    return _audio(payload, 0)


def _audio(opus: bytes, timestamp_ms: int) -> AudioFrame | ProtocolFailed:
    if not opus:
        return ProtocolFailed("empty_frame", "a binary message carries no audio")
    if len(opus) > MAX_OPUS_BYTES:
        return ProtocolFailed("frame_too_long", f"an Opus packet is longer than {MAX_OPUS_BYTES} bytes")
    return AudioFrame(opus, timestamp_ms)


def _frame_count(opus: bytes) -> int:
    """Frames in a packet, 0 where its lengths contradict each other (RFC 6716 section 3.2)."""
    code, rest_bytes = opus[0] & 3, len(opus) - 1
    if code == 0:
        return int(rest_bytes <= _MAX_OPUS_FRAME_BYTES)
    if code == 1:
        return 2 if rest_bytes % 2 == 0 and rest_bytes <= 2 * _MAX_OPUS_FRAME_BYTES else 0
    if code == 2:
        first, used = _length_at(opus, 1)
        second = rest_bytes - used - first
        return 2 if used and 0 <= second <= _MAX_OPUS_FRAME_BYTES else 0
    return _many_frames(opus)


def _many_frames(opus: bytes) -> int:
    if len(opus) < 2:
        return 0
    variable, padded, count = bool(opus[1] & 0x80), bool(opus[1] & 0x40), opus[1] & 0x3F
    at, padding = _padding_at(opus) if padded else (2, 0)
    left = len(opus) - at - padding
    if left < 0 or not count:
        return 0
    if not variable:
        return count if left % count == 0 and left // count <= _MAX_OPUS_FRAME_BYTES else 0
    for _ in range(count - 1):
        frame_bytes, used = _length_at(opus, at)
        at += used
        left -= used + frame_bytes
        if not used or left < 0:
            return 0
    return count if left <= _MAX_OPUS_FRAME_BYTES else 0


def _padding_at(opus: bytes) -> tuple[int, int]:
    """Where the bytes after the padding's length begin, and how much padding ends the packet."""
    at, padding = 2, 0
    while at < len(opus) and opus[at] == 255:
        at, padding = at + 1, padding + 254
    return at + 1, padding + (opus[at] if at < len(opus) else 0)


def _length_at(opus: bytes, at: int) -> tuple[int, int]:
    """A frame's length and the bytes that say it; 0 bytes where the packet ends before."""
    if at >= len(opus):
        return 0, 0
    if opus[at] < 252:
        return opus[at], 1
    return (opus[at] + 4 * opus[at + 1], 2) if at + 1 < len(opus) else (0, 0)
