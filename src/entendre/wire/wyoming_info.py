"""What a Wyoming peer says of itself when it is asked to describe itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Attribution:
    """Who made a program or a model."""

    name: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A model, voice or wake word of a program. `phrase` is what a wake word listens for."""

    name: str
    languages: tuple[str, ...] = ()
    attribution: Attribution = Attribution()
    installed: bool = True
    description: str | None = None
    version: str | None = None
    phrase: str | None = None


@dataclass(frozen=True, slots=True)
class Program:
    """A service of one domain; its models are `voices` in the domain of speech, `models` in every other."""

    name: str
    models: tuple[Model, ...] = ()
    voices: tuple[Model, ...] = ()
    attribution: Attribution = Attribution()
    installed: bool = True
    description: str | None = None
    version: str | None = None
    supports_transcript_streaming: bool = False
    supports_synthesize_streaming: bool = False
    supports_handled_streaming: bool = False
    supports_home_control: bool = False


@dataclass(frozen=True, slots=True)
class SoundFormat:
    """PCM of a microphone or a speaker. `width` is bytes a sample."""

    rate: int
    width: int
    channels: int


@dataclass(frozen=True, slots=True)
class SoundProgram:
    """A microphone (`mic_format`) or a speaker (`snd_format`)."""

    name: str = ""
    attribution: Attribution = Attribution()
    installed: bool = True
    mic_format: SoundFormat | None = None
    snd_format: SoundFormat | None = None


@dataclass(frozen=True, slots=True)
class Satellite:
    """A device with a microphone and a speaker. `area` is the room that its owner put it in."""

    name: str
    attribution: Attribution = Attribution()
    installed: bool = True
    area: str | None = None
    description: str | None = None
    version: str | None = None
    has_vad: bool | None = None
    active_wake_words: tuple[str, ...] = ()
    max_active_wake_words: int | None = None
    supports_trigger: bool | None = None


@dataclass(frozen=True, slots=True)
class Info:
    """Every service of a peer, by domain."""

    type: ClassVar[str] = "info"
    asr: tuple[Program, ...] = ()
    tts: tuple[Program, ...] = ()
    handle: tuple[Program, ...] = ()
    intent: tuple[Program, ...] = ()
    wake: tuple[Program, ...] = ()
    mic: tuple[SoundProgram, ...] = ()
    snd: tuple[SoundProgram, ...] = ()
    satellite: Satellite | None = None
