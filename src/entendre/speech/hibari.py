"""hibari: a small English voice, about a hundred times faster than speech on one core."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from entendre.core.errors import ModelError, SynthesisError
from entendre.ports import Cancelled, InferenceCancelled

WARM_UP_TEXT = "1 2 3."
SEED = 7
LEAD_IN_S = 0.01
QUIET = 0.003
SLOWEST, FASTEST = 0.5, 2.0


class HibariVoice:
    """The bundled American voice, one chunk a sentence. The same text always gives the same audio."""

    name = "hibari"
    languages = frozenset({"en"})
    rate_hz = 24_000

    def __init__(self) -> None:
        """Load and warm up. Raises: ModelError."""
        try:
            from hibari import Hibari

            self._engine: Any = Hibari(threads=1)
            self._engine(WARM_UP_TEXT)
        except (ImportError, OSError, RuntimeError, ValueError) as error:
            raise ModelError(
                "The voice hibari is not installed; `entendre models get hibari` gets it.", detail=str(error)
            ) from error

    def synthesize(self, text: str, *, language: str, speed: float = 1.0, cancelled: Cancelled) -> Iterator[bytes]:
        """PCM16 at 24 kHz, a sentence at a time. Raises: InferenceCancelled, SynthesisError."""
        if language.split("-")[0] != "en":
            raise SynthesisError(f"The voice hibari does not speak {language}.")
        pace = min(max(speed, SLOWEST), FASTEST)
        first = True
        for sentence in self._engine.split_sentences(text):
            if cancelled():
                raise InferenceCancelled
            try:
                pieces = list(self._engine.stream(sentence, pace, SEED))
            except (RuntimeError, ValueError, KeyError, IndexError) as error:
                raise SynthesisError(detail=str(error)) from error
            for audio in pieces:
                audio = _without_lead_in(audio, self.rate_hz) if first else audio
                first = first and not len(audio)
                if len(audio):
                    yield (np.clip(audio, -1.0, 1.0) * 32767.0).astype("<i2").tobytes()


def _without_lead_in(audio: NDArray[np.float32], rate_hz: int) -> NDArray[np.float32]:
    """The audio from shortly before its first sound, so that a reply is heard when it starts."""
    loud = np.flatnonzero(np.abs(audio) > QUIET)
    if not len(loud):
        return audio
    return audio[max(0, int(loud[0]) - int(LEAD_IN_S * rate_hz)) :]
