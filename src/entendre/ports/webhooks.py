"""Webhooks: addresses of a brand that hear of its changes, at least once and in order."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class WebhookRecord:
    """A webhook. `delivered_seq`: it has heard of everything up to there. `failures`: in a row."""

    id: str
    brand: str
    url: str
    secret: bytes
    topics: tuple[str, ...]
    enabled: bool
    delivered_seq: int
    failures: int
    next_at_s: float | None
    last_status: int | None
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class WebhookChanges:
    """What to change: None leaves it. `enabled` begins anew after failures."""

    url: str | None = None
    topics: tuple[str, ...] | None = None
    enabled: bool | None = None
    secret: bytes | None = None


Post = Callable[[str, bytes, Mapping[str, str]], Awaitable[int]]
"""Posts a body to an address; the status, 0 if nobody answered. Never raises for what is at the other end."""


class WebhookStore(Protocol):
    """The rows of webhooks."""

    async def add(self, record: WebhookRecord) -> WebhookRecord:
        """Keep a new one. Raises: TooLargeError when the brand has too many."""
        ...

    async def get(self, brand: str, webhook: str) -> WebhookRecord:
        """One webhook. Raises: NotFoundError."""
        ...

    async def webhooks(self, brand: str, *, after: str, limit: int) -> tuple[WebhookRecord, ...]:
        """Webhooks of a brand in the order of their ids, after one."""
        ...

    async def change(
        self, brand: str, webhook: str, changes: WebhookChanges, *, by: str, version: int | None
    ) -> WebhookRecord:
        """Change one, if it has that version still. Raises: NotFoundError, StaleError."""
        ...

    async def remove(self, brand: str, webhook: str, *, by: str, version: int | None) -> None:
        """Remove one. Raises: NotFoundError, StaleError."""
        ...

    async def enabled(self) -> tuple[WebhookRecord, ...]:
        """Every webhook that is to be delivered to."""
        ...

    async def delivered(self, record: WebhookRecord, seq: int, status: int) -> None:
        """It took everything up to a position."""
        ...

    async def failed(self, record: WebhookRecord, status: int, next_at_s: float, *, gives_up: bool) -> None:
        """It did not take what it was sent; `gives_up` disables it."""
        ...


class Webhooks(Protocol):
    """What a brand's staff do with webhooks."""

    async def create(self, brand: str, url: str, topics: tuple[str, ...], *, by: str) -> tuple[WebhookRecord, str]:
        """A new one that hears of what changes from now on, and its secret.

        Raises: InvalidInputError, TooLargeError.
        """
        ...

    async def get(self, brand: str, webhook: str) -> WebhookRecord:
        """One webhook. Raises: NotFoundError."""
        ...

    async def webhooks(self, brand: str, *, after: str, limit: int) -> tuple[WebhookRecord, ...]:
        """Webhooks of a brand in the order of their ids, after one."""
        ...

    async def change(
        self, brand: str, webhook: str, changes: WebhookChanges, *, by: str, version: int | None = None
    ) -> WebhookRecord:
        """Change one. Raises: NotFoundError, StaleError, InvalidInputError."""
        ...

    async def rotate(self, brand: str, webhook: str, *, by: str) -> tuple[WebhookRecord, str]:
        """Give one a new secret. Raises: NotFoundError."""
        ...

    async def remove(self, brand: str, webhook: str, *, by: str, version: int | None = None) -> None:
        """Remove one. Raises: NotFoundError, StaleError."""
        ...

    async def test(self, brand: str, webhook: str) -> int:
        """Send it something at once; the status, 0 if nobody answered. Raises: NotFoundError, ThrottledError."""
        ...
