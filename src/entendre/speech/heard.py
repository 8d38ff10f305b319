"""A recognizer that is asked only when somebody spoke: every engine invents words for noise and clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.ports import Cancelled, RecognizerEngine, Transcript, Vad

SPEECH_PROBABILITY = 0.25
SPEECH_FRAMES = 3
"""So many frames above that probability are speech: true of 172 of 173 real utterances, false of 94 % of noise."""
_MARGIN = np.zeros(HOUSE_RATE_HZ // 5, np.int16)


class SpokenOnly:
    """An engine behind a VAD. It stops looking at the first speech, so speech costs it little."""

    def __init__(self, engine: RecognizerEngine, vad: Vad) -> None:
        self.name = engine.name
        self.languages = engine.languages
        self._engine = engine
        self._vad = vad

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """What the engine heard, or empty text with the VAD's certainty that nobody spoke."""
        likeliest = self._speech(audio)
        if likeliest < SPEECH_PROBABILITY:
            return Transcript("", language, confidence=0.0, no_speech=1.0 - likeliest)
        return self._engine.recognize(audio, language=language, hints=hints, thorough=thorough, cancelled=cancelled)

    def _speech(self, audio: Samples) -> float:
        """The probability that the likeliest few frames all reach."""
        stream = self._vad.open()
        best = [0.0] * SPEECH_FRAMES
        step = stream.frame_samples * 8
        sound = np.concatenate((_MARGIN, audio, _MARGIN))
        for start in range(0, len(sound), step):
            best = sorted([*best, *stream.push(sound[start : start + step])], reverse=True)[:SPEECH_FRAMES]
            if best[-1] >= SPEECH_PROBABILITY:
                break
        return best[-1]
