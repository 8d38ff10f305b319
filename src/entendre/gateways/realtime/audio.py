"""Between a client's audio format and the house format, as a stream."""

from __future__ import annotations

from functools import lru_cache
from math import ceil, gcd

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from entendre.core.audio import HOUSE_RATE_HZ, AudioFormat, Encoding, Samples, samples_of
from entendre.wire.g711 import decode, encode

_TAPS = 32
"""Filter length at equal rates; half of it is the delay, 0.7 ms at 24 kHz. soxr's streams hold back 6 to 60 ms."""
_PASSBAND = 0.92
"""Share of the lower Nyquist frequency that passes unchanged."""


@lru_cache(maxsize=32)
def _filters(up: int, down: int) -> NDArray[np.float32]:
    """A windowed-sinc filter for every output phase. Shape: (up, taps)."""
    narrowing = max(1.0, down / up)
    taps = 2 * ceil(_TAPS * narrowing / 2)
    cutoff = _PASSBAND / narrowing
    distance = np.arange(up)[:, None] / up - (np.arange(taps)[None, :] - (taps // 2 - 1))
    window = np.cos(np.clip(distance / (taps / 2), -1, 1) * np.pi / 2) ** 2
    filters = np.sinc(cutoff * distance) * window
    normalised: NDArray[np.float32] = (filters / filters.sum(axis=1, keepdims=True)).astype(np.float32)
    return normalised


@lru_cache(maxsize=32)
def _block(up: int, down: int) -> NDArray[np.float32]:
    """All phases of one period side by side: a window of input times this is `up` samples. Shape: (window, up)."""
    filters = _filters(up, down)
    taps = filters.shape[1]
    starts = [phase * down // up for phase in range(up)]
    block = np.zeros((taps + starts[-1], up), np.float32)
    for phase, start in enumerate(starts):
        block[start : start + taps, phase] = filters[phase * down % up]
    return block


class Resampler:
    """Changes a stream's sample rate; what goes in one call comes out of it but for a millisecond or two.

    Works in whole periods of `up` samples, so that one matrix product does a piece: 48 open microphones would cost
    half a core otherwise. Rates with long periods (22.05 kHz) hold back up to one period, 20 ms.
    """

    __slots__ = ("_block", "_down", "_held", "_up")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        common = gcd(from_hz, to_hz)
        self._up, self._down = to_hz // common, from_hz // common
        self._block = _block(self._up, self._down)
        self._held = np.zeros(_filters(self._up, self._down).shape[1] // 2 - 1, dtype=np.float32)

    def push(self, samples: Samples) -> Samples:
        """The next samples at the new rate."""
        if self._up == self._down:
            return samples
        held = np.concatenate((self._held, samples), dtype=np.float32)
        window = self._block.shape[0]
        periods = max(0, (len(held) - window) // self._down + 1)
        step = held.strides[0]
        windows = as_strided(held, (periods, window), (self._down * step, step), writeable=False)
        said = np.rint(windows @ self._block).ravel()
        self._held = held[periods * self._down :]
        resampled: Samples = np.clip(said, -32768, 32767).astype(np.int16)
        return resampled

    def flush(self) -> Samples:
        """What was held back."""
        if self._up == self._down:
            return self.push(np.zeros(0, dtype=np.int16))
        wanted = ceil(
            max(0, len(self._held) - _filters(self._up, self._down).shape[1] // 2 + 1) * self._up / self._down
        )
        padding = np.zeros(self._block.shape[0] + self._down, dtype=np.int16)
        return self.push(padding)[:wanted]


class Uplink:
    """Client audio to house PCM16."""

    __slots__ = ("_format", "_odd", "_resampler")

    def __init__(self, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(audio_format.rate_hz, HOUSE_RATE_HZ)
        self._odd = b""

    def push(self, audio: bytes) -> bytes:
        """House PCM16 of the next piece; half a sample waits for its other half."""
        if self._format.encoding is Encoding.PCM16:
            audio = self._odd + audio
            self._odd = audio[len(audio) & ~1 :]
        return self._resampler.push(decode(audio, self._format.encoding)).tobytes()


class Downlink:
    """A reply's PCM16 to the client's format."""

    __slots__ = ("_format", "_odd", "_resampler")

    def __init__(self, rate_hz: int, audio_format: AudioFormat) -> None:
        self._format = audio_format
        self._resampler = Resampler(rate_hz, audio_format.rate_hz)
        self._odd = b""

    def push(self, pcm16: bytes) -> bytes:
        """The next piece as the client wants it."""
        pcm16 = self._odd + pcm16
        self._odd = pcm16[len(pcm16) & ~1 :]
        return encode(self._resampler.push(samples_of(pcm16)), self._format.encoding)

    def flush(self) -> bytes:
        """The end of the reply."""
        return encode(self._resampler.flush(), self._format.encoding)
