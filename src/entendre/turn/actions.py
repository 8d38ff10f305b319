"""What a turn machine asks its session to do. Positions (`_s`) are seconds of the uplink stream."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class StartTurn:
    """Speech began; keep audio from `audio_from_s` on."""

    turn: int
    speech_start_s: float
    audio_from_s: float


@dataclass(frozen=True, slots=True)
class RecognizeDraft:
    """Recognise and understand the audio between two positions; answer with `DraftUnderstood` or `DraftFailed`.

    `again`: the same words were heard before and not understood well, so more effort is worth it.
    """

    turn: int
    draft: int
    from_s: float
    to_s: float
    again: bool = False


@dataclass(frozen=True, slots=True)
class DiscardDraft:
    """The speaker went on: stop working on this draft."""

    draft: int


@dataclass(frozen=True, slots=True)
class CommitTurn:
    """The utterance is over. `draft`: the draft that holds it, or None to recognise it now.

    `voiced_s`: how long somebody seems to have spoken, pauses included.
    """

    turn: int
    from_s: float
    to_s: float
    speech_end_s: float
    draft: int | None
    voiced_s: float = 0.0


@dataclass(frozen=True, slots=True)
class DropTurn:
    """What began as speech was none, or was cancelled."""

    turn: int
    reason: Literal["nothing_heard", "cancelled"]


@dataclass(frozen=True, slots=True)
class StopReply:
    """Somebody speaks, or the client said so: stop the reply and whatever prepares it."""

    reason: Literal["barge_in", "wake_word", "cancelled"]


@dataclass(frozen=True, slots=True)
class EndListening:
    """The microphone is closed until the next wake word or request."""

    reason: Literal["answered", "no_speech", "cancelled"]


TurnAction = StartTurn | RecognizeDraft | DiscardDraft | CommitTurn | DropTurn | StopReply | EndListening
