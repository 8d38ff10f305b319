"""The sound of a ring, made on the spot so that no recording is needed."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

_NOTES_HZ = (880.0, 1108.7, 1318.5)
"""A major triad: audible on small speakers, not shrill."""

_NOTE_S = 0.16
_FADE_S = 0.02
_LEVEL = 0.35


@lru_cache(maxsize=8)
def ring_tone(rate_hz: int) -> bytes:
    """Two rising triads, about 1.3 s of mono PCM16."""
    note_samples = int(_NOTE_S * rate_hz)
    fade = np.minimum(1.0, np.arange(note_samples) / (_FADE_S * rate_hz))
    envelope = fade * fade[::-1]
    times_s = np.arange(note_samples) / rate_hz
    notes = [np.sin(2 * np.pi * hz * times_s) * envelope for hz in _NOTES_HZ]
    rest = np.zeros(note_samples)
    wave = np.concatenate([*notes, rest, *notes, rest])
    return (wave * _LEVEL * 32767).astype("<i2").tobytes()
