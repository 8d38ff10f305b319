"""The change feed, read: what changed in brands and households, in order, by those who wait for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Protocol

FLEET_TOPICS = (
    *("brand", "product", "enrolment_group", "device", "presence", "twin", "command", "command_job"),
    *("release", "rollout"),
)
"""What a maker may follow. Everything else is what people do in their homes, and is for those who live there."""


@dataclass(frozen=True, slots=True)
class FeedChange:
    """A change that was announced. `seq` only rises; `data` is a JSON text of what readers need, None for nothing."""

    seq: int
    brand: str
    household: str | None
    topic: str
    subject: str
    change: str
    version: int | None
    data: str | None
    at_s: float


@dataclass(frozen=True, slots=True)
class Interest:
    """Which changes are wanted; None and () are all. A topic takes in those below it: "twin" has "twin.desired".

    `fleet_only` leaves out what people do in their homes.
    """

    brand: str | None = None
    household: str | None = None
    topics: tuple[str, ...] = ()
    subject: str | None = None
    fleet_only: bool = False

    def takes(self, change: FeedChange) -> bool:
        """Whether a change is one of these."""
        return (
            self.brand in (None, change.brand)
            and self.household in (None, change.household)
            and self.subject in (None, change.subject)
            and (not self.topics or any(_below(each, change.topic) for each in self.topics))
            and (not self.fleet_only or any(_below(each, change.topic) for each in FLEET_TOPICS))
        )


@dataclass(frozen=True, slots=True)
class ChangePage:
    """Changes in order. `next_seq`: read on from there; nothing that is wanted lies between."""

    changes: tuple[FeedChange, ...]
    next_seq: int
    more: bool


@dataclass(frozen=True, slots=True)
class Heard:
    """What a subscriber was told. `missed`: it was too slow, and has to read again from its last `seq`."""

    changes: tuple[FeedChange, ...]
    missed: bool = False


class ChangeSource(Protocol):
    """The rows of the feed."""

    async def after(self, seq: int, interest: Interest, limit: int, *, through: int | None = None) -> ChangePage:
        """Changes after a position, at most `limit`, none beyond `through`. Raises: StoreError."""
        ...

    async def last(self) -> int:
        """The position of the newest change; 0 if there is none. Raises: StoreError."""
        ...

    async def first(self) -> int:
        """The position of the oldest change that is kept; 0 if there is none. Raises: StoreError."""
        ...


class Subscription(Protocol):
    """One subscriber of the feed; close it."""

    async def wait(self, timeout_s: float | None = None) -> Heard:
        """What came since the last call; waits for the first, and returns nothing after `timeout_s`."""
        ...

    def close(self) -> None:
        """Be told of nothing more."""
        ...


class ChangeFeed(Protocol):
    """The change feed as this process follows it."""

    @property
    def position(self) -> int:
        """Everything up to here was read; later ones may still come."""
        ...

    async def after(self, seq: int, interest: Interest, limit: int) -> ChangePage:
        """Changes after a position, up to the present one. Raises: StoreError."""
        ...

    async def first(self) -> int:
        """The position of the oldest change that is kept; 0 if there is none. Raises: StoreError."""
        ...

    def subscribe(self, interest: Interest) -> Subscription:
        """Be told of changes from now on. Raises: OverloadedError when there are too many subscribers."""
        ...

    def follow(self, interest: Interest, after: int) -> AsyncIterator[Heard]:
        """Everything after a position, without gaps, for as long as it is asked; nothing now and then as a heartbeat.

        Raises: StoreError, OverloadedError.
        """
        ...

    def wake(self) -> None:
        """Something was written here: look at once. From any thread."""
        ...


def _below(topic: str, found: str) -> bool:
    return found == topic or found.startswith(f"{topic}.")
