"""The audit log, read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class AuditEntry:
    """An administrative act: who did what to what, and when. Entries are never changed."""

    seq: int
    id: str
    brand: str | None
    household: str | None
    actor: str
    act: str
    target: str
    detail: Any
    at_s: float


@dataclass(frozen=True, slots=True)
class AuditState:
    """Whether every entry follows from the one before; `first_broken` is the `seq` of the first that does not."""

    intact: bool
    first_broken: int | None


class AuditLog(Protocol):
    """Administrative acts of a region, of a brand or of a household, newest first."""

    async def entries(
        self, *, brand: str | None = None, household: str | None = None, before: int | None = None, limit: int = 50
    ) -> tuple[AuditEntry, ...]:
        """Entries, those before a `seq`."""
        ...

    async def state(self) -> AuditState:
        """Check the chain."""
        ...
