"""Requests that carry an Idempotency-Key, and what they were answered."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answered:
    """What a request was answered; no `status` while it is under way."""

    request_hash: bytes
    status: int | None
    body: str | None


@dataclass(frozen=True, slots=True)
class Whose:
    """Whom an answer is about: it goes when they are erased."""

    household: str | None = None
    account: str | None = None
    device: str | None = None


NOBODYS = Whose()


class AnsweredRequests(Protocol):
    """Keeps answers, so that a request which is sent again does nothing again. `id` covers caller, route and key."""

    async def begin(self, id: str, request_hash: bytes, whose: Whose = NOBODYS) -> Answered | None:
        """None: carry it out, then `finish` or `forget`. Otherwise what is known of the one before."""
        ...

    async def finish(self, id: str, status: int, body: str) -> None:
        """Keep an answer."""
        ...

    async def forget(self, id: str) -> None:
        """It did nothing: it may be sent again."""
        ...
