"""What the Wyoming service offers, and how it describes it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from entendre.core.errors import InvalidInputError
from entendre.core.plan import Plan
from entendre.core.understanding import Understanding
from entendre.ports import Recognizer, Voice, WakeWord
from entendre.wire.wyoming_info import Attribution, Info, Model, Program

ATTRIBUTION = Attribution("Entendre", "https://github.com/entendre/entendre")
PROGRAM = "entendre"

Understand = Callable[[str, str], Awaitable[tuple[Understanding, Plan]]]
"""`await understand(text, language)`: what a text means and what would be done and said; nothing is done."""

Handle = Callable[[str, str], Awaitable[tuple[Understanding, Plan]]]
"""`await handle(text, language)`: as `Understand`, and the actions are carried out."""


@dataclass(frozen=True, slots=True)
class ServedEngines:
    """Engines to serve; what is None or empty is not offered. `languages`: of `understand` and `handle`."""

    recognizer: Recognizer | None = None
    voices: tuple[Voice, ...] = ()
    wake_word: WakeWord | None = None
    understand: Understand | None = None
    handle: Handle | None = None
    languages: tuple[str, ...] = ("en",)

    def info(self) -> Info:
        """What a client is told that asks for a description."""
        speech = [_model(voice.name, voice.languages) for voice in self.voices]
        words = self.wake_word.words if self.wake_word is not None else ()
        return Info(
            asr=(_program([_model(self.recognizer.name, self.recognizer.languages)]),) if self.recognizer else (),
            tts=(_program(voices=speech, streaming=True),) if speech else (),
            wake=(_program([_wake_model(word) for word in words]),) if words else (),
            intent=(_program([_model(PROGRAM, self.languages)]),) if self.understand else (),
            handle=(_program([_model(PROGRAM, self.languages)], home_control=True),) if self.handle else (),
        )

    def voice(self, name: str | None, language: str | None) -> Voice:
        """The voice of a name, else the first that speaks the language, else the first. Raises: InvalidInputError."""
        if not self.voices:
            raise InvalidInputError("This server offers no voice.")
        named = (voice for voice in self.voices if name is not None and voice.name == name)
        speaking = (voice for voice in self.voices if language and language_of(language, voice.languages) is not None)
        return next(named, None) or next(speaking, None) or self.voices[0]


def language_of(tag: str, languages: Iterable[str]) -> str | None:
    """The engine's own tag for a language: the same one, else its base language (`en` for `en-GB`)."""
    known = {language.lower().replace("_", "-"): language for language in languages}
    wanted = tag.lower().replace("_", "-")
    return known.get(wanted) or known.get(wanted.split("-")[0])


def word_key(name: str) -> str:
    """A wake word's name without what clients write differently: `Hey Jarvis`, `hey-jarvis`, `hey_jarvis_v0.1`.

    Engines also disagree on the spelling of the commonest one, `ok_nabu` or `okay_nabu`.
    """
    key = name.lower().split("_v0")[0].replace(" ", "_").replace("-", "_").strip("_")
    return f"okay_{key[3:]}" if key.startswith("ok_") else key


def _program(
    models: Iterable[Model] = (), voices: Iterable[Model] = (), *, streaming: bool = False, home_control: bool = False
) -> Program:
    return Program(
        PROGRAM,
        models=tuple(models),
        voices=tuple(voices),
        attribution=ATTRIBUTION,
        supports_synthesize_streaming=streaming,
        supports_home_control=home_control,
    )


def _model(name: str, languages: Iterable[str]) -> Model:
    return Model(name, tuple(sorted(languages)), ATTRIBUTION)


def _wake_model(word: str) -> Model:
    return Model(word, (), ATTRIBUTION, phrase=word.replace("_", " "))
