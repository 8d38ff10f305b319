"""The truth: rows that outlive a crash, and the store that keeps them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from entendre.core.home import Names


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
