"""Audio of any length cut into frames of one length."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from entendre.core.audio import Samples

_EMPTY: Samples = np.zeros(0, np.int16)


class Framer:
    """Keeps what is left over for the next push."""

    def __init__(self, frame_samples: int) -> None:
        self._frame_samples = frame_samples
        self._rest = _EMPTY

    def push(self, audio: Samples) -> Iterator[Samples]:
        """Every whole frame so far, oldest first. Shape: (frame_samples,) each."""
        joined = np.concatenate((self._rest, audio)) if len(self._rest) else audio
        whole = len(joined) // self._frame_samples
        self._rest = joined[whole * self._frame_samples :].copy()
        for place in range(whole):
            yield joined[place * self._frame_samples : (place + 1) * self._frame_samples]

    def reset(self) -> None:
        """Forget what was left over."""
        self._rest = _EMPTY
