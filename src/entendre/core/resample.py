"""Sample rates of streams: a polyphase windowed-sinc filter as one matrix product a piece."""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache
from math import ceil

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from entendre.core.audio import Samples, samples_of

_TAPS = 32
"""Filter length at equal rates; half of it is the delay, 0.7 ms at 24 kHz. soxr's streams hold back 6 to 60 ms."""
_PASSBAND = 0.92
"""Share of the lower Nyquist frequency that passes unchanged."""
_LONGEST_PERIOD_SAMPLES = 640
"""Rates whose common period is longer are taken as the nearest ratio with a shorter one, at most a millionth off."""


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
        """Units: Hz; any two rates. Raises: ValueError for rates that are not positive."""
        if from_hz <= 0 or to_hz <= 0:
            raise ValueError("sample rates are positive")
        ratio = Fraction(to_hz, from_hz).limit_denominator(_LONGEST_PERIOD_SAMPLES)
        self._up, self._down = max(1, ratio.numerator), ratio.denominator
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
        lead = _filters(self._up, self._down).shape[1] // 2 - 1
        wanted = ceil(max(0, len(self._held) - lead) * self._up / self._down)
        padding = np.zeros(self._block.shape[0] + self._down, dtype=np.int16)
        return self.push(padding)[:wanted]


class PcmResampler:
    """As `Resampler`, for little-endian mono PCM16 in bytes; half a sample waits for its other half."""

    __slots__ = ("_odd", "_stream")

    def __init__(self, from_hz: int, to_hz: int) -> None:
        self._stream = Resampler(from_hz, to_hz)
        self._odd = b""

    def push(self, pcm16: bytes) -> bytes:
        """What these bytes complete at the new rate."""
        joined = self._odd + pcm16
        self._odd = joined[len(joined) & ~1 :]
        return self._stream.push(samples_of(joined)).astype("<i2", copy=False).tobytes()

    def flush(self) -> bytes:
        """The rest of the stream."""
        return self._stream.flush().astype("<i2", copy=False).tobytes()
