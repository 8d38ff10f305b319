"""Long audio cut where it is quietest, for engines with a longest window."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples

BLOCK_SAMPLES = HOUSE_RATE_HZ // 10


def pieces(audio: Samples, *, shortest_s: float, longest_s: float) -> Iterator[Samples]:
    """The audio in order, in pieces of at most `longest_s`, each but the last at least `shortest_s` long."""
    longest, shortest = int(longest_s * HOUSE_RATE_HZ), int(shortest_s * HOUSE_RATE_HZ)
    while len(audio) > longest:
        region = audio[shortest:longest].astype(np.float32)
        energy = (region[: len(region) // BLOCK_SAMPLES * BLOCK_SAMPLES].reshape(-1, BLOCK_SAMPLES) ** 2).sum(axis=1)
        cut = shortest + int(energy.argmin()) * BLOCK_SAMPLES + BLOCK_SAMPLES // 2
        yield audio[:cut]
        audio = audio[cut:]
    yield audio
