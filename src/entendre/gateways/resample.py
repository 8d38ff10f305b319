"""Sound between what a device sends or plays and mono 16-bit PCM at another rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from entendre.core.audio import samples_of
from entendre.core.errors import InvalidInputError, MissingExtraError

if TYPE_CHECKING:
    import soxr

QUALITY = "HQ"
"""Flat to 7.5 kHz at 16 kHz out; costs about 10 ms of delay. LQ would cut off speech above 6 kHz."""

_SIGNED_24_BYTES = 3


class Resampler:
    """One stream of mono PCM16 from one rate to another; equal rates pass through."""

    def __init__(self, rate_in_hz: int, rate_out_hz: int) -> None:
        self._stream = _open(rate_in_hz, rate_out_hz) if rate_in_hz != rate_out_hz else None
        self._odd = b""

    def push(self, pcm16: bytes) -> bytes:
        """What these bytes complete at the other rate; half a sample is kept for the next push."""
        data = self._odd + pcm16
        whole_bytes = len(data) & ~1
        self._odd = data[whole_bytes:]
        if self._stream is None:
            return data[:whole_bytes]
        return _bytes(self._stream.resample_chunk(samples_of(data)))

    def flush(self) -> bytes:
        """The rest of the stream; push nothing after it."""
        if self._stream is None:
            return b""
        return _bytes(self._stream.resample_chunk(np.zeros(0, dtype=np.int16), last=True))


def to_mono_pcm16(audio: bytes, *, width_bytes: int, channels: int) -> bytes:
    """Any linear PCM as mono PCM16: channels are averaged, 8 bit is unsigned as in WAV files.

    Raises: InvalidInputError if the bytes are no whole frames.
    """
    if len(audio) % (width_bytes * channels):
        raise InvalidInputError("The audio is no whole number of frames.")
    if width_bytes == 2 and channels == 1:
        return audio
    samples = _as_int16(audio, width_bytes)
    if channels > 1:
        samples = samples.reshape(-1, channels).mean(axis=1, dtype=np.float32)
    return np.asarray(samples, dtype="<i2").tobytes()


def _as_int16(audio: bytes, width_bytes: int) -> NDArray[np.generic]:
    if width_bytes == 1:
        return (np.frombuffer(audio, dtype=np.uint8).astype(np.int16) - 128) << 8
    if width_bytes == _SIGNED_24_BYTES:
        return np.frombuffer(audio, dtype=np.uint8).reshape(-1, 3)[:, 1:].copy().view("<i2").ravel()
    if width_bytes == 4:
        return (np.frombuffer(audio, dtype="<i4") >> 16).astype(np.int16)
    return np.frombuffer(audio, dtype="<i2")


def _bytes(samples: NDArray[np.generic]) -> bytes:
    return np.asarray(samples, dtype="<i2").tobytes()


def _open(rate_in_hz: int, rate_out_hz: int) -> soxr.ResampleStream:
    try:
        import soxr
    except ImportError:
        raise MissingExtraError(
            "Audio of another rate than 16 kHz needs soxr: pip install 'entendre[speech]' or 'entendre[wyoming]'."
        ) from None
    return soxr.ResampleStream(rate_in_hz, rate_out_hz, 1, dtype="int16", quality=QUALITY)
