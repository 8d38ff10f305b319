"""Rollouts: how a release reaches devices. The rules are in fleet/rollouts.py; plans travel as JSON texts here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, Protocol

RolloutOperation = Literal["start", "pause", "resume", "abort", "retry", "approve"]
Said = Literal["downloading", "installing", "failed"]


@dataclass(frozen=True, slots=True)
class GroupProgress:
    """The devices of a group by where they stand. `limit`: how many of them may fail."""

    number: int
    name: str
    started: bool
    limit: int
    total: int
    waiting: int
    offered: int
    downloading: int
    installing: int
    succeeded: int
    failed: int
    timed_out: int
    cancelled: int


@dataclass(frozen=True, slots=True)
class RolloutRecord:
    """A rollout as it stands. `group`: the last group that was started, counted from 0; -1 for none."""

    id: str
    brand: str
    release: str
    number: str
    product: str
    name: str
    query: str
    plan: str
    state: str
    group: int
    reason: str | None
    groups: tuple[GroupProgress, ...]
    created_at_s: float
    created_by: str
    started_at_s: float | None
    finished_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class RolloutDevice:
    """A device's place in a rollout. `group` is -1 while it has none."""

    rollout: str
    device: str
    group: int
    state: str
    attempt: int
    from_firmware: str
    running: str
    detail: str | None
    offered_at_s: float | None
    changed_at_s: float


@dataclass(frozen=True, slots=True)
class RolloutEvent:
    """Something that happened in a rollout; without `device` to the rollout itself."""

    id: str
    rollout: str
    device: str | None
    event: str
    detail: str | None
    by: str
    at_s: float


@dataclass(frozen=True, slots=True)
class Offer:
    """What a device is to install. It installs what its maker signed: `manifest`, by `signature`."""

    rollout: str
    brand: str
    device: str
    release: str
    attempt: int
    state: str
    number: str
    kind: str
    channel: str
    manifest: str
    signature: bytes
    signing_key: str


@dataclass(frozen=True, slots=True)
class ReleaseReport:
    """What a device says. `running`: the version that it runs; `said`, `rollout` and `attempt`: how an update goes."""

    running: str = ""
    rollout: str = ""
    attempt: int = 0
    said: Said | None = None
    detail: str | None = None


class RolloutBook(Protocol):
    """The rollouts of brands, for their staff."""

    async def create(self, brand: str, release: str, name: str, query: str, plan: str, *, by: str) -> RolloutRecord:
        """A draft. Raises: InvalidInputError, NotFoundError, ConflictError for a release that is not published."""
        ...

    async def rollouts(
        self, brand: str, *, release: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[RolloutRecord, ...]:
        """Rollouts in the order of their ids, after one."""
        ...

    async def rollout(self, brand: str, rollout: str) -> RolloutRecord:
        """One rollout. Raises: NotFoundError."""
        ...

    async def operate(
        self, brand: str, rollout: str, operation: RolloutOperation, *, by: str, version: int | None = None
    ) -> RolloutRecord:
        """Start, pause, resume, abort, retry what failed, approve. Raises: NotFoundError, StaleError, ConflictError."""
        ...

    async def devices(
        self, brand: str, rollout: str, *, state: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[RolloutDevice, ...]:
        """Devices of a rollout in the order of their ids, after one. Raises: NotFoundError."""
        ...

    async def events(self, brand: str, rollout: str, *, after: str = "", limit: int = 50) -> tuple[RolloutEvent, ...]:
        """What happened, in order, after an event. Raises: NotFoundError."""
        ...

    async def history(self, brand: str, device: str, *, after: str = "", limit: int = 50) -> tuple[RolloutEvent, ...]:
        """What happened to one device in every rollout, in order, after an event."""
        ...


class DeviceReleases(Protocol):
    """A device about its own releases."""

    async def ask(self, brand: str, device: str) -> Offer | None:
        """What to install now; None for nothing. Raises: StoreError, OverloadedError."""
        ...

    async def waits(self, brand: str, device: str) -> bool:
        """Whether a device may have an offer soon, because its group was started. Raises: StoreError."""
        ...

    async def report(self, brand: str, device: str, report: ReleaseReport) -> None:
        """Take down what a device says; it counts once this returns. Raises: StoreError, OverloadedError."""
        ...


class RolloutWork(Protocol):
    """What the runner has to do; each call is bounded, and may be cut off anywhere and be made again."""

    async def prepare(self) -> bool:
        """List some more devices of rollouts that were started; whether there is more to do."""
        ...

    async def tick(self) -> bool:
        """Time out some devices, tidy up after aborted rollouts; whether there is more to do."""
        ...

    async def sweep(self) -> None:
        """Take devices off the lists that were revoked or forgotten since."""
        ...

    async def offer_to(self, devices: Sequence[tuple[str, str]]) -> tuple[Offer, ...]:
        """Make offers to those of these devices (brand, id) that may have one; each is told of once."""
        ...
