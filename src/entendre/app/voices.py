"""The voices of loaded speech as the assistant looks them up."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from entendre.ports import Voice
from entendre.speech.load import Speech


class Voices(Mapping[str, Voice]):
    """The voices by language, chosen as speech chooses them."""

    def __init__(self, speech: Speech) -> None:
        self._speech = speech

    def __getitem__(self, language: str) -> Voice:
        voice = self._speech.voice_for(language)
        if voice is None:
            raise KeyError(language)
        return voice

    def __iter__(self) -> Iterator[str]:
        return iter(sorted({language for voice in self._speech.voices for language in voice.languages}))

    def __len__(self) -> int:
        return len(list(iter(self)))
