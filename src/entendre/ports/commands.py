"""Commands to devices: records, the store that keeps them, and what people and devices do with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

CommandState = Literal["queued", "delivered", "done", "failed", "expired", "cancelled"]


@dataclass(frozen=True, slots=True)
class CommandRecord:
    """A command. `payload` and `result` are JSON texts; `status` is the device's, as of HTTP."""

    id: str
    brand: str
    device: str
    name: str
    payload: str
    mode: Literal["direct", "queued"]
    state: CommandState
    created_at_s: float
    created_by: str
    expires_at_s: float
    delivered_at_s: float | None = None
    deliveries: int = 0
    finished_at_s: float | None = None
    status: int | None = None
    result: str | None = None
    job: str | None = None
    idempotency_key: str | None = None
    version: int = 1


@dataclass(frozen=True, slots=True)
class CommandAnswer:
    """What a device answered. `result` is plain JSON data."""

    status: int
    result: Any = None


@dataclass(frozen=True, slots=True)
class CommandJob:
    """A command for every device that a query finds. `payload` is a JSON text.

    `queued` and `refused` count devices so far; `states` counts its commands by state, only where one is asked for.
    """

    id: str
    brand: str
    query: str
    name: str
    payload: str
    ttl_s: float
    state: Literal["running", "queued", "cancelled", "failed"]
    reached: str
    queued: int
    refused: int
    created_at_s: float
    created_by: str
    finished_at_s: float | None = None
    version: int = 1
    states: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class DeviceAnswer:
    """A device's answer to a queued command, as it is to be kept. `result` is a JSON text."""

    device: str
    command: str
    status: int
    result: str


class CommandStore(Protocol):
    """The rows of commands. Every change is durable when it returns."""

    async def queue(self, record: CommandRecord) -> CommandRecord:
        """Keep a command that waits, or return the one of the same idempotency key.

        Raises: NotFoundError, ThrottledError when the device's queue is full.
        """
        ...

    async def queue_batch(self, job: CommandJob, records: Sequence[CommandRecord]) -> CommandJob:
        """Keep the commands of a job's next devices and how far it came; full queues are counted as refused."""
        ...

    async def begin(self, record: CommandRecord) -> CommandRecord:
        """Keep a direct command before it is sent, or return the one of the same idempotency key."""
        ...

    async def note(self, record: CommandRecord) -> None:
        """Keep a direct command with its end."""
        ...

    async def claim(self, device: str, *, again: bool, limit: int) -> tuple[CommandRecord, ...]:
        """Commands to deliver now, oldest first, counted as delivered; `again`: those under a lock too."""
        ...

    async def finish(self, answer: DeviceAnswer) -> CommandRecord | None:
        """Keep a device's answer, the first one for ever; None for no command of this device."""
        ...

    async def cancel(self, brand: str, device: str, command: str, by: str) -> CommandRecord:
        """End a command that waits. Raises: NotFoundError, ConflictError when it is over."""
        ...

    async def get(self, brand: str, device: str, command: str) -> CommandRecord:
        """One command. Raises: NotFoundError."""
        ...

    async def commands(
        self, brand: str, device: str, *, state: str | None, after: str | None, limit: int
    ) -> tuple[CommandRecord, ...]:
        """Commands of a device, newest first; `after` is an id."""
        ...

    async def expire(self, limit: int) -> int:
        """End commands whose time is over; returns how many."""
        ...

    async def add_job(self, job: CommandJob) -> CommandJob:
        """Keep a job."""
        ...

    async def job(self, brand: str, job: str) -> CommandJob:
        """A job with its progress. Raises: NotFoundError."""
        ...

    async def jobs(self, brand: str, *, after: str | None, limit: int) -> tuple[CommandJob, ...]:
        """Jobs of a brand, newest first, without counts by state."""
        ...

    async def running_jobs(self) -> tuple[CommandJob, ...]:
        """Jobs that still have devices to reach, oldest first."""
        ...

    async def end_job(self, brand: str, job: str, state: Literal["cancelled", "failed"], by: str) -> CommandJob:
        """End a job, and with it its commands that no device has. Raises: NotFoundError."""
        ...

    async def prune(self, limit: int) -> int:
        """Forget finished commands past their retention; returns how many."""
        ...


class CommandDesk(Protocol):
    """What people do with commands; `by` goes into the audit log."""

    async def direct(
        self,
        brand: str,
        device: str,
        name: str,
        payload: Any,
        *,
        timeout_s: float | None = None,
        key: str | None = None,
        by: str,
    ) -> CommandRecord:
        """Have a device that is connected do something now, and wait for its answer.

        Raises: OfflineError, NoAnswerError, NotFoundError, OverloadedError, InvalidInputError, TooLargeError.
        """
        ...

    async def queue(
        self,
        brand: str,
        device: str,
        name: str,
        payload: Any,
        *,
        ttl_s: float | None = None,
        key: str | None = None,
        by: str,
    ) -> CommandRecord:
        """Have a device do something once it can. Raises: NotFoundError, ThrottledError, InvalidInputError."""
        ...

    async def cancel(self, brand: str, device: str, command: str, *, by: str) -> CommandRecord:
        """End a command that waits. Raises: NotFoundError, ConflictError."""
        ...

    async def get(self, brand: str, device: str, command: str) -> CommandRecord:
        """One command. Raises: NotFoundError."""
        ...

    async def commands(
        self, brand: str, device: str, *, state: str | None, after: str | None, limit: int
    ) -> tuple[CommandRecord, ...]:
        """Commands of a device, newest first."""
        ...


class CommandJobDesk(Protocol):
    """What people do with jobs, which command many devices."""

    async def start_job(
        self, brand: str, query: str, name: str, payload: Any, *, ttl_s: float | None = None, by: str
    ) -> CommandJob:
        """Queue a command for every device that a query finds. Raises: InvalidInputError, TooLargeError."""
        ...

    async def job(self, brand: str, job: str) -> CommandJob:
        """A job with its progress. Raises: NotFoundError."""
        ...

    async def jobs(self, brand: str, *, after: str | None, limit: int) -> tuple[CommandJob, ...]:
        """Jobs of a brand, newest first."""
        ...

    async def cancel_job(self, brand: str, job: str, *, by: str) -> CommandJob:
        """Stop a job; commands that devices have are left to them. Raises: NotFoundError."""
        ...


class CommandInbox(Protocol):
    """What a device does with its own commands."""

    async def waiting(self, device: str, *, wait_s: float, again: bool = False) -> tuple[CommandRecord, ...]:
        """Commands to do now, oldest first; waits for one at most so long. Each comes again until it is answered.

        `again`: those too that were handed out within the last minute.
        """
        ...

    async def answered(self, device: str, command: str, answer: CommandAnswer) -> CommandRecord | None:
        """Keep an answer; durable when it returns. None for no command of this device. Raises: TooLargeError."""
        ...
