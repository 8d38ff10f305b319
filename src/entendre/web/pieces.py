"""Long audio in pieces, so that a recording of minutes does not hold a core that a speaker waits for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples

LONGEST_S = 28.0
SHORTEST_S = 20.0
"""A piece is cut at the quietest moment between these."""
_FRAME = HOUSE_RATE_HZ // 5


def pieces_of(audio: Samples) -> Iterator[Samples]:
    """The audio in order, cut in pauses. Shape: (n,) each; together they are all of it."""
    longest, shortest = round(LONGEST_S * HOUSE_RATE_HZ), round(SHORTEST_S * HOUSE_RATE_HZ)
    while len(audio) > longest:
        frames = audio[shortest:longest].reshape(-1, _FRAME).astype(np.float32)
        quietest = int(np.argmin(np.mean(frames * frames, axis=1)))
        cut = shortest + quietest * _FRAME + _FRAME // 2
        yield audio[:cut]
        audio = audio[cut:]
    yield audio
