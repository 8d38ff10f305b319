"""Every Wyoming event that this program reads or writes, one dataclass each, fields named as on the wire.

Source: the `wyoming` package 1.10.2. A field that is None is not written.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from entendre.wire.wyoming_info import Info, SoundFormat

MIN_RATE_HZ = 4_000
"""Below telephone quality nothing can be recognised; also keeps resampling ratios bounded."""
MAX_RATE_HZ = 192_000
"""The highest rate that sound hardware records at."""
MAX_CHANNELS = 16
"""More than any microphone array sends."""
SAMPLE_WIDTHS_BYTES = (1, 2, 3, 4)
PIPELINE_STAGES = ("wake", "asr", "intent", "handle", "tts")


@dataclass(frozen=True, slots=True)
class Describe:
    """Asks a peer for its `Info`."""

    type: ClassVar[str] = "describe"


@dataclass(frozen=True, slots=True)
class SelectProgram:
    """Chooses one of the peer's programs for this connection."""

    type: ClassVar[str] = "select-program"
    name: str


@dataclass(frozen=True, slots=True)
class AudioStart:
    """A stream of PCM begins. `width` is bytes a sample, `timestamp` milliseconds."""

    type: ClassVar[str] = "audio-start"
    rate: int
    width: int
    channels: int
    timestamp: int | None = None

    def __post_init__(self) -> None:
        _check_format(self.rate, self.width, self.channels)


@dataclass(frozen=True, slots=True)
class AudioChunk:
    """A piece of PCM with its own format; `audio` travels as the payload."""

    type: ClassVar[str] = "audio-chunk"
    rate: int
    width: int
    channels: int
    audio: bytes = b""
    timestamp: int | None = None

    def __post_init__(self) -> None:
        _check_format(self.rate, self.width, self.channels)


@dataclass(frozen=True, slots=True)
class AudioStop:
    """The stream of PCM ended."""

    type: ClassVar[str] = "audio-stop"
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Transcribe:
    """Asks for a transcript of the audio that follows."""

    type: ClassVar[str] = "transcribe"
    name: str | None = None
    language: str | None = None
    context: Mapping[str, Any] | None = None
    transcript_names: tuple[str, ...] = ()
    transcript_terms: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Transcript:
    """What was heard; sent to a handling service, the text to act on."""

    type: ClassVar[str] = "transcript"
    text: str
    language: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TranscriptStart:
    """A transcript in pieces begins."""

    type: ClassVar[str] = "transcript-start"
    language: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class TranscriptChunk:
    """A piece of a transcript."""

    type: ClassVar[str] = "transcript-chunk"
    text: str


@dataclass(frozen=True, slots=True)
class TranscriptStop:
    """The transcript in pieces ended."""

    type: ClassVar[str] = "transcript-stop"


@dataclass(frozen=True, slots=True)
class SynthesizeVoice:
    """The voice that a client wants: by name, or the default one of a language."""

    name: str | None = None
    language: str | None = None
    speaker: str | None = None


@dataclass(frozen=True, slots=True)
class Synthesize:
    """Asks to speak a text; to a satellite, says what it is about to hear."""

    type: ClassVar[str] = "synthesize"
    text: str
    voice: SynthesizeVoice | None = None
    text_format: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SynthesizeStart:
    """Text to speak follows in pieces."""

    type: ClassVar[str] = "synthesize-start"
    voice: SynthesizeVoice | None = None
    text_format: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class SynthesizeChunk:
    """A piece of text to speak."""

    type: ClassVar[str] = "synthesize-chunk"
    text: str


@dataclass(frozen=True, slots=True)
class SynthesizeStop:
    """All text was sent."""

    type: ClassVar[str] = "synthesize-stop"


@dataclass(frozen=True, slots=True)
class SynthesizeStopped:
    """All audio of text in pieces was sent."""

    type: ClassVar[str] = "synthesize-stopped"


@dataclass(frozen=True, slots=True)
class Detect:
    """Asks to listen for wake words in the audio that follows; none named means any."""

    type: ClassVar[str] = "detect"
    names: tuple[str, ...] = ()
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Detection:
    """A wake word was heard. `timestamp` is milliseconds."""

    type: ClassVar[str] = "detection"
    name: str | None = None
    timestamp: int | None = None
    speaker: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NotDetected:
    """The audio ended without a wake word."""

    type: ClassVar[str] = "not-detected"
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class VoiceStarted:
    """Somebody began to speak."""

    type: ClassVar[str] = "voice-started"
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class VoiceStopped:
    """Somebody finished speaking."""

    type: ClassVar[str] = "voice-stopped"
    timestamp: int | None = None


@dataclass(frozen=True, slots=True)
class Recognize:
    """Asks what a text means."""

    type: ClassVar[str] = "recognize"
    text: str
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Entity:
    """A named value of an intent."""

    name: str
    value: Any = None


@dataclass(frozen=True, slots=True)
class Intent:
    """What a text means; `text` is a reply that may be said."""

    type: ClassVar[str] = "intent"
    name: str
    entities: tuple[Entity, ...] = ()
    text: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class IntentsStart:
    """Several intents of one text follow."""

    type: ClassVar[str] = "intents-start"
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class IntentsStop:
    """All intents of one text were sent."""

    type: ClassVar[str] = "intents-stop"
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NotRecognized:
    """A text was not understood."""

    type: ClassVar[str] = "not-recognized"
    text: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """A text was acted on; `text` is the reply."""

    type: ClassVar[str] = "handled"
    text: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class NotHandled:
    """A text was not acted on; `text` says why."""

    type: ClassVar[str] = "not-handled"
    text: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class RunSatellite:
    """The server is ready: the satellite may stream or wait for its wake word."""

    type: ClassVar[str] = "run-satellite"


@dataclass(frozen=True, slots=True)
class PauseSatellite:
    """The server is not ready: the satellite stops streaming."""

    type: ClassVar[str] = "pause-satellite"


@dataclass(frozen=True, slots=True)
class StreamingStarted:
    """The satellite sends audio from here on."""

    type: ClassVar[str] = "streaming-started"


@dataclass(frozen=True, slots=True)
class StreamingStopped:
    """The satellite no longer sends audio."""

    type: ClassVar[str] = "streaming-stopped"


@dataclass(frozen=True, slots=True)
class RunPipeline:
    """The satellite asks for a turn, from one stage to another. `snd_format` is what its speaker plays, if it says."""

    type: ClassVar[str] = "run-pipeline"
    start_stage: str
    end_stage: str
    wake_word_name: str | None = None
    wake_word_names: tuple[str, ...] = ()
    restart_on_end: bool = False
    announce_text: str | None = None
    name: str | None = None
    snd_format: SoundFormat | None = None

    def __post_init__(self) -> None:
        if self.start_stage not in PIPELINE_STAGES or self.end_stage not in PIPELINE_STAGES:
            raise ValueError("unknown pipeline stage")


@dataclass(frozen=True, slots=True)
class Played:
    """The satellite's speaker has played all that it was sent."""

    type: ClassVar[str] = "played"


@dataclass(frozen=True, slots=True)
class Ping:
    """Asks for a `Pong` with the same text."""

    type: ClassVar[str] = "ping"
    text: str | None = None


@dataclass(frozen=True, slots=True)
class Pong:
    """Answers a `Ping`."""

    type: ClassVar[str] = "pong"
    text: str | None = None


@dataclass(frozen=True, slots=True)
class TimerStarted:
    """A timer was started."""

    type: ClassVar[str] = "timer-started"
    id: str
    total_seconds: int
    name: str | None = None
    start_hours: int | None = None
    start_minutes: int | None = None
    start_seconds: int | None = None


@dataclass(frozen=True, slots=True)
class TimerUpdated:
    """A timer was paused, resumed or changed; `total_seconds` is what is left."""

    type: ClassVar[str] = "timer-updated"
    id: str
    is_active: bool
    total_seconds: int


@dataclass(frozen=True, slots=True)
class TimerCancelled:
    """A timer was cancelled."""

    type: ClassVar[str] = "timer-cancelled"
    id: str


@dataclass(frozen=True, slots=True)
class TimerFinished:
    """A timer ran out."""

    type: ClassVar[str] = "timer-finished"
    id: str


@dataclass(frozen=True, slots=True)
class Error:
    """The peer could not do what it was asked; also ends a satellite's stream."""

    type: ClassVar[str] = "error"
    text: str
    code: str | None = None


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that this program has no use for."""

    type: str
    data: Mapping[str, Any] = field(default_factory=dict)
    payload: bytes = b""


TypedEvent = (
    Describe
    | Info
    | SelectProgram
    | AudioStart
    | AudioChunk
    | AudioStop
    | Transcribe
    | Transcript
    | TranscriptStart
    | TranscriptChunk
    | TranscriptStop
    | Synthesize
    | SynthesizeStart
    | SynthesizeChunk
    | SynthesizeStop
    | SynthesizeStopped
    | Detect
    | Detection
    | NotDetected
    | VoiceStarted
    | VoiceStopped
    | Recognize
    | Intent
    | IntentsStart
    | IntentsStop
    | NotRecognized
    | Handled
    | NotHandled
    | RunSatellite
    | PauseSatellite
    | StreamingStarted
    | StreamingStopped
    | RunPipeline
    | Played
    | Ping
    | Pong
    | TimerStarted
    | TimerUpdated
    | TimerCancelled
    | TimerFinished
    | Error
)
WyomingEvent = TypedEvent | Unknown

EVENT_TYPES: dict[str, type[TypedEvent]] = {kind.type: kind for kind in TypedEvent.__args__}


def _check_format(rate_hz: int, width_bytes: int, channels: int) -> None:
    if not MIN_RATE_HZ <= rate_hz <= MAX_RATE_HZ:
        raise ValueError(f"rate must be {MIN_RATE_HZ} to {MAX_RATE_HZ} Hz")
    if width_bytes not in SAMPLE_WIDTHS_BYTES:
        raise ValueError("width must be 1 to 4 bytes")
    if not 1 <= channels <= MAX_CHANNELS:
        raise ValueError(f"channels must be 1 to {MAX_CHANNELS}")
