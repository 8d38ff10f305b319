"""The state of a turn machine, and what can be read off it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from entendre.turn.activity import QUIET, Activity
from entendre.turn.events import DraftUnderstood
from entendre.turn.policy import ListenMode, Policy


class Phase(Enum):
    """Where a conversation stands."""

    IDLE = "idle"
    """Nobody listens; a wake word or a request opens the microphone."""
    LISTENING = "listening"
    """The microphone is open and nobody has spoken yet."""
    HEARING = "hearing"
    """An utterance is under way."""
    BUSY = "busy"
    """A turn was committed: planning, or a reply, ring or announcement is being spoken."""


@dataclass(frozen=True, slots=True)
class Draft:
    """The latest draft of the utterance under way.

    `voiced_until_s` and `silence_s`: the activity when it was requested. `progress`: requested while the voice still
    went on. `understood` None: still being worked on.
    """

    number: int
    voiced_until_s: float
    silence_s: float
    to_s: float
    progress: bool = False
    understood: DraftUnderstood | None = None


@dataclass(frozen=True, slots=True)
class TurnState:
    """Everything a turn machine knows. Positions are stream seconds; `*_now` are the clock's monotonic seconds."""

    policy: Policy
    mode: ListenMode
    phase: Phase = Phase.IDLE
    position_s: float = 0.0
    frame_now: float = 0.0
    floor_s: float = 0.0
    listening_now: float = 0.0
    activity: Activity = QUIET
    turn: int = 0
    audio_from_s: float = 0.0
    drafts: int = 0
    draft: Draft | None = None
    earlier: DraftUnderstood | None = None
    reopen_from_s: float | None = None
    committed_at_s: float = 0.0
    answering: bool = False
    resume_listening: bool = False

    def silence_s(self, now: float) -> float:
        """Silence since the voice, counting a stream that stalled as silent after a grace period."""
        stalled_s = now - self.frame_now - self.policy.stall_grace_s
        return self.activity.silence_s(self.position_s) + max(0.0, stalled_s)


def initial_state(policy: Policy) -> TurnState:
    """A machine that has heard nothing."""
    return TurnState(policy=policy, mode=policy.mode)


def deadline(state: TurnState) -> float | None:
    """When `TimePassed` is due next, in the clock's monotonic seconds; None if nothing is waited for."""
    if state.phase is Phase.HEARING:
        return state.frame_now + state.policy.stall_grace_s
    if state.phase is Phase.LISTENING and state.mode is not ListenMode.CONTINUOUS:
        return state.listening_now + state.policy.no_speech_s
    return None
