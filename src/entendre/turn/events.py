"""What happens to a turn machine. Positions (`_s`) are seconds of the uplink stream."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.understanding import Completeness
from entendre.turn.policy import ListenMode, Policy


@dataclass(frozen=True, slots=True)
class ListeningRequested:
    """The client opened its microphone at `at_s`; nothing before it counts. `mode` None keeps the policy's.

    `interrupts`: a reply under way stops for it; otherwise listening waits for the end of the reply.
    """

    at_s: float
    mode: ListenMode | None = None
    interrupts: bool = True


@dataclass(frozen=True, slots=True)
class ListeningStopped:
    """Push to talk was released, or the client committed its audio."""

    at_s: float


@dataclass(frozen=True, slots=True)
class AudioCleared:
    """The client threw its uncommitted audio away."""

    at_s: float


@dataclass(frozen=True, slots=True)
class WakeWordHeard:
    """A wake word ended at `at_s`."""

    at_s: float


@dataclass(frozen=True, slots=True)
class FrameScored:
    """The VAD scored one frame of the uplink: speech probability 0-1."""

    start_s: float
    end_s: float
    probability: float


@dataclass(frozen=True, slots=True)
class DraftUnderstood:
    """A draft was recognised and understood. `empty`: nothing was said; `sure`: heard and understood well."""

    draft: int
    completeness: Completeness
    text: str = ""
    empty: bool = False
    sure: bool = True


@dataclass(frozen=True, slots=True)
class DraftFailed:
    """A draft could not be recognised."""

    draft: int


@dataclass(frozen=True, slots=True)
class ReplyBegan:
    """The first audio of a reply (or ring, or announcement) was sent."""


@dataclass(frozen=True, slots=True)
class ReplyDone:
    """The reply is over, or the turn had none. `expects_reply` opens the microphone for an answer."""

    expects_reply: bool = False


@dataclass(frozen=True, slots=True)
class TurnCancelled:
    """The client cancelled what is under way."""


@dataclass(frozen=True, slots=True)
class TimePassed:
    """A deadline was reached without another event."""


@dataclass(frozen=True, slots=True)
class PolicyChanged:
    """Other numbers hold from now on."""

    policy: Policy


TurnEvent = (
    ListeningRequested
    | ListeningStopped
    | AudioCleared
    | WakeWordHeard
    | FrameScored
    | DraftUnderstood
    | DraftFailed
    | ReplyBegan
    | ReplyDone
    | TurnCancelled
    | TimePassed
    | PolicyChanged
)
