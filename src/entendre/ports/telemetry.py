"""What devices measure and report: kept at least once, the same message once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class TelemetryMessage:
    """A message of a device. `id` is the device's own; a message of the same id is the same message."""

    body: Any
    id: str | None = None
    at_s: float | None = None


@dataclass(frozen=True, slots=True)
class TelemetryRow:
    """A message as it is kept. `body` is a JSON text; `at_s` is when it was made, by the device's clock."""

    device: str
    id: str
    brand: str
    at_s: float
    received_at_s: float
    body: str


class TelemetryStore(Protocol):
    """The rows of telemetry."""

    async def add(self, rows: Sequence[TelemetryRow]) -> None:
        """Keep rows, except those whose ids are known. Durable when it returns."""
        ...

    async def of_device(
        self,
        brand: str,
        device: str,
        *,
        from_s: float,
        to_s: float,
        after: tuple[float, str] | None,
        limit: int,
    ) -> tuple[TelemetryRow, ...]:
        """Rows of a device within a time, oldest first; `after` is the time and id of the last one read."""
        ...

    async def newest(self, brand: str, *, limit: int) -> tuple[TelemetryRow, ...]:
        """The rows of a brand that came last, newest first."""
        ...

    async def prune(self, limit: int) -> int:
        """Forget rows past their brands' retention; returns how many."""
        ...


class Telemetry(Protocol):
    """What devices send and people read."""

    async def take(self, brand: str, device: str, messages: Sequence[TelemetryMessage]) -> int:
        """Keep a batch; durable when it returns. How many messages it had.

        Raises: ThrottledError, TooLargeError, InvalidInputError, OverloadedError.
        """
        ...

    async def of_device(
        self, brand: str, device: str, *, from_s: float, to_s: float, after: tuple[float, str] | None, limit: int
    ) -> tuple[TelemetryRow, ...]:
        """Rows of a device within a time, oldest first."""
        ...

    async def newest(self, brand: str, *, limit: int) -> tuple[TelemetryRow, ...]:
        """The rows of a brand that came last, newest first."""
        ...
