"""A xiaozhi speaker's playback queue: 40 packets, played at real time; what does not fit is lost.

Source: xiaozhi-esp32 2.4.2 `audio_service.h` (MAX_DECODE_PACKETS_IN_QUEUE), protocol description section 2.6.
"""

from __future__ import annotations

import struct
from collections import deque
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from entendre.core.audio import Samples, samples_of
from entendre.core.errors import MissingExtraError

QUEUE_PACKETS = 40
UPLINK_RATE_HZ = 16_000
AUDIBLE_RMS = 60.0
"""A packet below this is the silence that a synthesised sentence begins with (full scale is 32768)."""


@dataclass(slots=True)
class Packet:
    """One packet of a reply. Times are `time.monotonic` seconds; `starts_s` is when it sounds."""

    arrived_s: float
    starts_s: float
    opus: bytes


@dataclass(slots=True)
class Reply:
    """What the server said between one `tts start` and its `tts stop`."""

    began_s: float
    sentences: list[str] = field(default_factory=list)
    packets: list[Packet] = field(default_factory=list)
    stopped_s: float | None = None

    def sound(self, rate_hz: int) -> Samples:
        """All of it, decoded. Shape: (n,) at `rate_hz`."""
        decoder = opus_decoder(rate_hz)
        pcm = [decoder.decode(packet.opus, rate_hz * 120 // 1000) for packet in self.packets]
        return samples_of(b"".join(pcm))

    def audible_s(self, rate_hz: int) -> float | None:
        """When its first packet that is not silence sounds; None while there is none."""
        decoder = opus_decoder(rate_hz)
        for packet in self.packets:
            samples = samples_of(decoder.decode(packet.opus, rate_hz * 120 // 1000)).astype(np.float64)
            if np.sqrt(np.mean(samples**2)) >= AUDIBLE_RMS:
                return packet.starts_s
        return None

    def gaps_s(self) -> list[float]:
        """Times between the arrivals of neighbouring packets."""
        arrivals = [packet.arrived_s for packet in self.packets]
        return [later - earlier for earlier, later in pairwise(arrivals)]


class PlaybackQueue:
    """What the loudspeaker has still to play, as a calculation: it needs no thread and no timer."""

    def __init__(self) -> None:
        self._ends_s: deque[float] = deque()
        self.overflows = 0
        """Packets that found the queue full."""
        self.underruns_s: list[float] = []
        """How long it fell silent inside a reply, each time."""
        self._until_s: float | None = None

    def clear(self) -> None:
        """Forget what is queued; the next packet begins a reply."""
        self._ends_s.clear()
        self._until_s = None

    def push(self, now_s: float, lasts_s: float) -> float | None:
        """Queue a packet that arrives now: when it will sound, None if there is no room."""
        if self.queued(now_s) >= QUEUE_PACKETS:
            self.overflows += 1
            return None
        starts_s = now_s if self._until_s is None else max(now_s, self._until_s)
        if self._until_s is not None and now_s > self._until_s:
            self.underruns_s.append(now_s - self._until_s)
        self._until_s = starts_s + lasts_s
        self._ends_s.append(self._until_s)
        return starts_s

    def queued(self, now_s: float) -> int:
        """Packets that have not been played to their end."""
        while self._ends_s and self._ends_s[0] <= now_s:
            self._ends_s.popleft()
        return len(self._ends_s)

    def drained_s(self, now_s: float) -> float:
        """How long until all is played."""
        return max(0.0, (self._until_s or now_s) - now_s)


def uplink_packets(samples: Samples, frame_ms: int = 60) -> tuple[bytes, ...]:
    """Sound at 16 kHz as the firmware encodes it: variable rate, DTX, least complexity. The last frame is filled up."""
    encoder = _opus().Encoder(UPLINK_RATE_HZ, 1, "audio")
    encoder.complexity, encoder.vbr, encoder.dtx = 0, 1, 1
    size = UPLINK_RATE_HZ * frame_ms // 1000
    padded = np.concatenate([samples, np.zeros(-len(samples) % size, dtype=np.int16)]).astype("<i2")
    return tuple(encoder.encode(padded[at : at + size].tobytes(), size) for at in range(0, len(padded), size))


def opus_decoder(rate_hz: int) -> Any:
    """A fresh decoder. Raises: MissingExtraError."""
    return _opus().Decoder(rate_hz, 1)


def _opus() -> Any:
    try:
        import opuslib_next
    except (ImportError, OSError) as error:
        raise MissingExtraError("This needs the extra `xiaozhi`: pip install 'entendre[xiaozhi]'.") from error
    return opuslib_next


_V2 = struct.Struct(">HHIII")
_V3 = struct.Struct(">BBH")


def framed(version: int, opus: bytes) -> bytes:
    """A packet in the binary framing that the speaker was told to use."""
    if version == 2:
        return _V2.pack(2, 0, 0, 0, len(opus)) + opus
    if version == 3:
        return _V3.pack(0, 0, len(opus)) + opus
    return opus


def unframed(version: int, message: bytes) -> bytes:
    """The packet in a message. Raises: ValueError where the real device would read out of bounds."""
    if version not in (2, 3):
        return message
    head = _V2 if version == 2 else _V3
    size = head.unpack_from(message)[-1]
    if len(message) != head.size + size:
        raise ValueError(f"a frame of {len(message)} bytes says that it carries {size}")
    return message[head.size :]
