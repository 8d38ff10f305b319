"""What hears, speaks and plays: recognizers, voices, voice activity, wake words, media."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Protocol

from entendre.core.audio import Samples

Cancelled = Callable[[], bool]
"""Asked between steps of an inference; True means stop now and raise `InferenceCancelled`."""


INFERENCE_OWNER: ContextVar[str] = ContextVar("inference_owner", default="")
"""Whose inference is asked for: a conversation sets it to an id of its own, so that the pool serves all in turn."""


class InferenceCancelled(Exception):
    """An inference stopped because nobody wants its result any more."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recognizer heard. `confidence` 0-1; `no_speech` is its estimate that nobody spoke, 0-1.

    `alternatives` are other readings, best first, without `text` itself. `runner_up`: of several languages that were
    asked for, one that was about as likely as `language`; empty if none was.
    """

    text: str
    language: str
    confidence: float = 1.0
    no_speech: float = 0.0
    alternatives: tuple[str, ...] = ()
    runner_up: str = ""


class RecognizerEngine(Protocol):
    """A blocking recognizer; one instance serves many threads at once."""

    name: str
    languages: frozenset[str]

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """Transcribe one utterance. Shape: (n,) int16 at 16 kHz. `thorough` allows a slower, better pass.

        `language`: a tag, or a few to choose among joined by commas, the one to expect first.

        Raises: InferenceCancelled, RecognitionError.
        """
        ...


class VoiceEngine(Protocol):
    """A blocking voice; one instance serves many threads at once."""

    name: str
    languages: frozenset[str]
    rate_hz: int

    def synthesize(self, text: str, *, language: str, speed: float = 1.0, cancelled: Cancelled) -> Iterator[bytes]:
        """Little-endian mono PCM16 at `rate_hz`, in chunks as they are ready.

        Raises: InferenceCancelled, SynthesisError.
        """
        ...


class Recognizer(Protocol):
    """What a session sees of a recognizer, wherever it runs. Cancel the task to stop it."""

    name: str
    languages: frozenset[str]

    async def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False
    ) -> Transcript:
        """Transcribe one utterance. Shape: (n,) int16 at 16 kHz. Raises: RecognitionError, OverloadedError."""
        ...


class Voice(Protocol):
    """What a session sees of a voice, wherever it runs. Close the iterator to stop it."""

    name: str
    languages: frozenset[str]
    rate_hz: int

    def synthesize(self, text: str, *, language: str, speed: float = 1.0) -> AsyncIterator[bytes]:
        """Little-endian mono PCM16 at `rate_hz`, in chunks as they are ready.

        Raises: SynthesisError, OverloadedError.
        """
        ...


class MediaSource(Protocol):
    """Fetches and decodes stations and files."""

    rate_hz: int

    def open(self, url: str, *, from_s: float = 0.0) -> AsyncIterator[bytes]:
        """Mono PCM16 at `rate_hz`, in pieces of a fraction of a second, as fast as they are taken.

        `from_s` is where a recording begins; a broadcast has no such place. Raises: MediaError.
        """
        ...


class VadStream(Protocol):
    """Voice activity of one stream, cheap enough to run on the event loop."""

    frame_samples: int

    def push(self, audio: Samples) -> list[float]:
        """Speech probability of each whole frame so far, 0-1; the rest is kept for the next push. 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


class Vad(Protocol):
    """A voice activity detector that opens streams."""

    name: str

    def open(self) -> VadStream:
        """A new stream with its own state."""
        ...


@dataclass(frozen=True, slots=True)
class WakeDetection:
    """A wake word that was heard; `end_s` is the stream time just after it."""

    word: str
    end_s: float
    score: float


class WakeStream(Protocol):
    """Wake word detection of one stream, cheap enough to run on the event loop."""

    def push(self, audio: Samples) -> list[WakeDetection]:
        """Detections in these samples, 16 kHz."""
        ...

    def reset(self) -> None:
        """Forget everything heard."""
        ...


class WakeWord(Protocol):
    """A wake word engine that opens streams."""

    name: str
    words: tuple[str, ...]

    def open(self, words: Sequence[str]) -> WakeStream:
        """A new stream that listens for these words. Raises: InvalidInputError for a word it does not know."""
        ...
