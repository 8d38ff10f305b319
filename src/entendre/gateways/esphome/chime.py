"""The sound before an announcement that nobody asked for."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

RATE_HZ = 24_000
_NOTES_HZ = (659.3, 987.8)
"""A rising fifth: noticed, and unlike any ring."""
_NOTE_S = 0.18
_LEVEL = 0.25


@lru_cache(maxsize=1)
def chime() -> bytes:
    """About 0.4 s of mono PCM16 at `RATE_HZ`."""
    times_s = np.arange(int(_NOTE_S * RATE_HZ)) / RATE_HZ
    envelope = np.minimum(1.0, times_s / 0.01) * np.exp(-times_s / 0.08)
    notes = [np.sin(2 * np.pi * hz * times_s) * envelope for hz in _NOTES_HZ]
    return (np.concatenate(notes) * _LEVEL * 32_767).astype("<i2").tobytes()
