"""Protocols between the assistant and the engines and stores that serve it.

Engines are blocking and run on a bounded pool; the same engine elsewhere is reached by an async adapter. Sessions see
only the async ports.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal, Protocol

from entendre.core.audio import Samples
from entendre.core.device import Admission, Admitted, DeviceIdentity, DeviceRecord, PendingDevice, Proof, Refusal
from entendre.core.home import Names

Cancelled = Callable[[], bool]
"""Asked between steps of an inference; True means stop now and raise `InferenceCancelled`."""


INFERENCE_OWNER: ContextVar[str] = ContextVar("inference_owner", default="")
"""Whose inference is asked for: a conversation sets it to an id of its own, so that the pool serves all in turn."""


class InferenceCancelled(Exception):
    """An inference stopped because nobody wants its result any more."""


@dataclass(frozen=True, slots=True)
class Transcript:
    """What a recognizer heard. `confidence` 0-1; `no_speech` is its estimate that nobody spoke, 0-1.

    `alternatives` are other readings, best first, without `text` itself.
    """

    text: str
    language: str
    confidence: float = 1.0
    no_speech: float = 0.0
    alternatives: tuple[str, ...] = ()


class RecognizerEngine(Protocol):
    """A blocking recognizer; one instance serves many threads at once."""

    name: str
    languages: frozenset[str]

    def recognize(
        self, audio: Samples, *, language: str, hints: Sequence[str] = (), thorough: bool = False, cancelled: Cancelled
    ) -> Transcript:
        """Transcribe one utterance. Shape: (n,) int16 at 16 kHz. `thorough` allows a slower, better pass.

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


@dataclass(frozen=True, slots=True)
class ActionKey:
    """Which action of which turn: what makes a retry recognisable."""

    turn: str
    index: int


@dataclass(frozen=True, slots=True)
class ActionRecord:
    """An action that was begun. `started` without `done`: it may or may not have had its effect.

    `action` and `result` are JSON texts.
    """

    key: ActionKey
    state: Literal["started", "done"]
    action: str
    result: str = "null"


@dataclass(frozen=True, slots=True)
class JobRow:
    """A timer, an alarm or a reminder. `version` is that of the row as read, 0 for a new one.

    `due_at_s`: Unix seconds of the next ring, None while paused, disabled or over. `snoozed_until_s` rings besides it.
    `paused_s`: what is left of a paused timer. `skip_through`: ISO date up to which occurrences are passed over.
    `rang_due_at_s`: the due time of its last ring; no earlier occurrence rings any more.
    """

    id: str
    kind: Literal["timer", "alarm", "reminder"]
    device: str
    language: str
    created_at_s: float
    text: str | None = None
    total_s: int = 0
    paused_s: float | None = None
    time: str | None = None
    date: str | None = None
    days: tuple[str, ...] = ()
    every: str | None = None
    enabled: bool = True
    skip_through: str | None = None
    due_at_s: float | None = None
    snoozed_until_s: float | None = None
    rang_due_at_s: float | None = None
    ended_at_s: float | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class RingRow:
    """One time that a job went off. `(job, due_at_s)` is unique, so no occurrence rings as two rings.

    `reported`: a missed ring that the household was told of.
    """

    id: str
    job: str
    kind: Literal["timer", "alarm", "reminder"]
    text: str | None
    device: str
    language: str
    due_at_s: float
    state: Literal["ringing", "silenced", "snoozed", "expired", "missed"]
    started_at_s: float
    delivered_to: str | None = None
    delivered_at_s: float | None = None
    ended_at_s: float | None = None
    reported: bool = False
    version: int = 0


@dataclass(frozen=True, slots=True)
class ListRow:
    """A list of the household, without its items."""

    id: str
    names: Names
    version: int = 0


@dataclass(frozen=True, slots=True)
class ItemRow:
    """An item of a list; `position` orders the items. Guarded by the version of its list."""

    id: str
    list: str
    text: str
    quantity: str | None
    done: bool
    position: int


@dataclass(frozen=True, slots=True)
class OutboxEvent:
    """What a change announces: ids and a topic, never what people said. Readers ask the database for the truth."""

    topic: str
    subject: str
    change: str
    seq: int = 0
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Change:
    """Rows that are written together or not at all.

    `once`: write nothing if this action was done before. A row whose `version` is not the stored one refuses the whole.
    """

    once: ActionKey | None = None
    action: str = "null"
    result: str = "null"
    jobs: tuple[JobRow, ...] = ()
    rings: tuple[RingRow, ...] = ()
    lists: tuple[ListRow, ...] = ()
    items: tuple[ItemRow, ...] = ()
    dropped_items: tuple[str, ...] = ()
    events: tuple[OutboxEvent, ...] = field(default=())


class Store(Protocol):
    """The truth of one region. Every method is durable when it returns, and raises StoreError if it can't be."""

    region: str

    async def write(self, change: Change) -> ActionRecord | None:
        """Write a change, or return the record of the same action done before.

        Raises: ConflictError when a row was changed by someone else meanwhile; nothing is written then.
        """
        ...

    async def jobs(self) -> tuple[JobRow, ...]:
        """Every job that is not over."""
        ...

    async def rings(self) -> tuple[RingRow, ...]:
        """Rings that ring, and missed ones that nobody was told of."""
        ...

    async def lists(self) -> tuple[tuple[ListRow, tuple[ItemRow, ...]], ...]:
        """Every list with its items in order."""
        ...

    async def begin_action(self, key: ActionKey, action: str) -> ActionRecord | None:
        """Note an action with an outside effect before it is done; the record of an earlier attempt, if any."""
        ...

    async def finish_action(self, key: ActionKey, result: str) -> None:
        """Note that a begun action was done."""
        ...

    async def executed(self, key: ActionKey) -> ActionRecord | None:
        """What is known of an action."""
        ...

    async def outbox(self, after_seq: int, limit: int) -> tuple[OutboxEvent, ...]:
        """Announcements after a position, oldest first."""
        ...

    async def prune(self, before_s: float) -> int:
        """Forget what ended or was done before a time; returns how many rows went."""
        ...

    async def close(self) -> None:
        """Finish what was accepted, then let go of the database."""
        ...


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it may be shown; its secret is not kept. `last_used_at_s` is coarse."""

    id: str
    name: str
    created_at_s: float
    last_used_at_s: float | None = None
    revoked_at_s: float | None = None


class KeyVerifier(Protocol):
    """Checks the API key of a request."""

    async def verify(self, token: str) -> KeyRecord | None:
        """The key that a token belongs to; None if it is malformed, unknown or revoked."""
        ...


class DeviceRegistry(Protocol):
    """What a gateway asks before it talks to a device. Every answer is of this moment: nothing is to be remembered."""

    async def announce(self, identity: DeviceIdentity, address: str, *, strangers: bool = True) -> Admission:
        """A device presents itself at boot: `Admitted` with a new token, `Unbound` with its code, or `Refused`.

        `address`: the peer's IP address, which quotas count. Without `strangers` only bound devices get anything.
        """
        ...

    async def activate(self, identity: DeviceIdentity, proof: Proof | None, address: str) -> Admission:
        """A device asks whether it was bound: `Admitted` without a token, `Unbound` while it was not, or `Refused`."""
        ...

    async def verify(self, token: str, hardware: str, client: str) -> Admission:
        """A device opens a connection. `Unbound`: say its code and nothing else. An empty token is none."""
        ...

    def watch(self, admitted: Admitted, ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """Call `ended` once, within 2 s, when this admission is revoked, re-bound or expires; returns how to stop.

        Watch at once after `verify`, for as long as the connection is open.
        """
        ...

    async def record(self, device: str) -> DeviceRecord | None:
        """A bound device as it is now (its room, name and language may have changed); None once it is revoked."""
        ...

    async def note_seen(self, device: str, firmware: str | None = None) -> None:
        """Note that a device is there, and its firmware's version. Coarse, cheap and never in the way."""
        ...


class DeviceBook(Protocol):
    """What a person does with devices. `by` names who did it: "cli", or the id of an API key."""

    async def devices(self) -> tuple[DeviceRecord, ...]:
        """Every device, revoked ones too, oldest first."""
        ...

    async def pending(self) -> tuple[PendingDevice, ...]:
        """Every device that shows a code now."""
        ...

    async def bind(
        self, code: str, *, name: str = "", room: str | None = None, language: str | None = None, by: str, guesser: str
    ) -> DeviceRecord:
        """Take the device that shows this code into the household; a name is made if none is given.

        Raises: InvalidInputError, OverloadedError once `guesser` has guessed wrong too often.
        """
        ...

    async def change(
        self,
        device: str,
        *,
        name: str | None = None,
        room: str | None = None,
        language: str | None = None,
        by: str,
    ) -> DeviceRecord:
        """Change what is not None; an empty `room` or `language` clears it. Raises: InvalidInputError."""
        ...

    async def revoke(self, device: str, *, by: str) -> DeviceRecord:
        """End a device's access; it stays known, so that it can't be bound by accident. Raises: InvalidInputError."""
        ...

    async def forget(self, device: str, *, by: str) -> DeviceRecord:
        """Remove a device; it may be bound again as a new one. Raises: InvalidInputError."""
        ...
