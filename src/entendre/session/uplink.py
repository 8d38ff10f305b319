"""The uplink's recent audio, addressed by stream time."""

from __future__ import annotations

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples, samples_of

_SAMPLE_BYTES = 2


class UplinkBuffer:
    """Keeps the last `max_s` seconds of one stream's audio. Positions are seconds since the stream began."""

    def __init__(self, max_s: float) -> None:
        self._max_samples = int(max_s * HOUSE_RATE_HZ)
        self._data = bytearray()
        self._first_sample = 0

    @property
    def end_s(self) -> float:
        """Stream time of the newest sample's end."""
        return (self._first_sample + len(self._data) // _SAMPLE_BYTES) / HOUSE_RATE_HZ

    def append(self, pcm16: bytes) -> None:
        """Add whole samples; the oldest go when the bound is reached."""
        self._data += pcm16
        self._drop(len(self._data) // _SAMPLE_BYTES - self._max_samples)

    def forget_before(self, position_s: float) -> None:
        """Audio before a position is not needed any more."""
        self._drop(int(position_s * HOUSE_RATE_HZ) - self._first_sample)

    def cut(self, from_s: float, to_s: float) -> Samples:
        """A copy of the audio between two positions, as far as it is still there. Shape: (n,)."""
        start = max(0, round(from_s * HOUSE_RATE_HZ) - self._first_sample) * _SAMPLE_BYTES
        stop = max(0, round(to_s * HOUSE_RATE_HZ) - self._first_sample) * _SAMPLE_BYTES
        return np.array(samples_of(self._data[start:stop]))

    def _drop(self, samples: int) -> None:
        if samples <= 0:
            return
        samples = min(samples, len(self._data) // _SAMPLE_BYTES)
        del self._data[: samples * _SAMPLE_BYTES]
        self._first_sample += samples
