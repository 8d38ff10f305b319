"""A recognizer that is asked only when somebody spoke: every engine invents words for noise and clicks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from entendre.core.audio import HOUSE_RATE_HZ, Samples
from entendre.core.tags import first_tag
from entendre.ports import Cancelled, RecognizerEngine, Transcript, Vad
from entendre.speech.pool import TogetherEngine, one_by_one

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
            return Transcript("", first_tag(language), confidence=0.0, no_speech=1.0 - likeliest)
        return self._engine.recognize(audio, language=language, hints=hints, thorough=thorough, cancelled=cancelled)

    def recognize_together(
        self, audios: Sequence[Samples], *, language: str, cancelled: Sequence[Cancelled]
    ) -> list[Transcript | None]:
        """As `recognize` for each; those in which nobody spoke cost nothing more."""
        likeliest = [self._speech(audio) for audio in audios]
        found: list[Transcript | None] = [
            Transcript("", first_tag(language), confidence=0.0, no_speech=1.0 - likely) for likely in likeliest
        ]
        spoken = [index for index, likely in enumerate(likeliest) if likely >= SPEECH_PROBABILITY]
        wanted = [cancelled[index] for index in spoken]
        heard = recognize_together(self._engine, [audios[index] for index in spoken], language, wanted)
        for index, transcript in zip(spoken, heard, strict=True):
            found[index] = transcript
        return found

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


def recognize_together(
    engine: RecognizerEngine, audios: Sequence[Samples], language: str, cancelled: Sequence[Cancelled]
) -> list[Transcript | None]:
    """Several utterances by an engine: at once where it can, else one after another."""
    if len(audios) > 1 and isinstance(engine, TogetherEngine):
        return engine.recognize_together(audios, language=language, cancelled=cancelled)
    return one_by_one(engine, audios, language, cancelled)
