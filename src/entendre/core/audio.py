"""Audio formats and the house format: 16 kHz, mono, signed 16-bit little-endian PCM."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.int16]
"""Mono signed 16-bit samples. Shape: (n,)."""

HOUSE_RATE_HZ = 16_000
"""Sample rate of everything that a recognizer, a VAD or a wake word engine hears."""


class Encoding(StrEnum):
    """How a sample is written on a wire."""

    PCM16 = "pcm16"
    ULAW = "g711_ulaw"
    ALAW = "g711_alaw"


@dataclass(frozen=True, slots=True)
class AudioFormat:
    """A stream's rate, channels and encoding."""

    rate_hz: int = HOUSE_RATE_HZ
    channels: int = 1
    encoding: Encoding = Encoding.PCM16

    @property
    def frame_bytes(self) -> int:
        """Bytes of one sample over all channels."""
        return (2 if self.encoding is Encoding.PCM16 else 1) * self.channels

    def seconds(self, byte_count: int) -> float:
        """How long `byte_count` bytes of this format last."""
        return byte_count / self.frame_bytes / self.rate_hz

    def byte_count(self, seconds: float) -> int:
        """Whole frames that cover `seconds`, in bytes."""
        return int(seconds * self.rate_hz) * self.frame_bytes


HOUSE_FORMAT = AudioFormat()


def samples_of(pcm16: bytes | bytearray | memoryview) -> Samples:
    """Little-endian PCM16 bytes as samples, without a copy. An odd last byte is dropped."""
    usable = len(pcm16) & ~1
    return np.frombuffer(memoryview(pcm16)[:usable], dtype="<i2")
