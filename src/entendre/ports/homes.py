"""Households as the server that speaks for them needs them: whose a device is, what a home is like, what is due."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from entendre.core.home import Room
from entendre.core.roles import Place


@dataclass(frozen=True, slots=True)
class StoredHome:
    """A household's home. `document`: JSON in the format of docs/home.md, None without one; `version` is its own.

    `rooms`: those that its members named, beside those of the document.
    """

    household: str
    language: str | None = None
    time_zone: str | None = None
    rooms: tuple[Room, ...] = ()
    document: str | None = None
    version: int = 0
    country: str | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """How far the announcements of changes were read."""

    changes: int
    outbox: int


@dataclass(frozen=True, slots=True)
class News:
    """What concerns running households. `devices` and `households` may have changed; in those of `due` something is
    to ring, or rings already. `brands`: numbers of changes of brands and of what they lend."""

    position: Position
    devices: frozenset[str] = frozenset()
    households: frozenset[str] = frozenset()
    due: frozenset[str] = frozenset()
    brands: frozenset[int] = frozenset()


class Homes(Protocol):
    """Whose devices are, and what homes are like. Every answer is of this moment. Raises: StoreError."""

    async def household_of(self, device: str) -> str | None:
        """The household of a device whose identity was proven; None for one that nobody has taken home.

        While nobody made a household beside the server's own, such a device belongs there.
        """
        ...

    async def places_of(self, account: str) -> Mapping[str, Place]:
        """The households that a person is a member of now, and as what."""
        ...

    async def home(self, household: str) -> StoredHome | None:
        """A household's home; None if there is no such household."""
        ...

    async def news(self, since: Position | None, due_before_s: float) -> News:
        """What changed since a position (None: from now on), and whose jobs ring before a time."""
        ...

    async def put_document(
        self, household: str, document: str | None, *, by: str, version: int | None = None
    ) -> StoredHome:
        """Keep, or with None remove, a household's home document, which was checked; `version`: only if it is that one.

        Raises: NotFoundError, StaleError.
        """
        ...
