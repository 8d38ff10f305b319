"""How a release reaches many devices without reaching too many: groups, thresholds, and when a rollout stops itself.

The rule. A group of N devices with the error threshold E percent has the limit L = max(1, E·N/100 rounded down). A
device without a failed attempt is offered the release only while the devices of its group that failed, that wait for
another attempt after a failed one, and that are under way are fewer than L together. So if everything under way fails,
no more than L devices have failed. Only a device that reported success and then its old version again comes on top.

The rollout stops itself as soon as
- L devices failed and others are left,
- or more than E percent of the group's devices failed,
- or, once `minimum` devices have ended, more than E percent of those that ended failed,
- or all devices of a group have ended and fewer than its success threshold succeeded.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from entendre.core.errors import ConflictError, InvalidInputError
from entendre.fleet.windows import Window, check_window

MAX_GROUPS = 32
MAX_QUERY_CHARS = 2_000
MAX_TIMEOUT_S = 30 * 86_400.0

Percent = Annotated[float, Meta(ge=0, le=100)]


class Group(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Devices that get a release together: `percent` of those in no group before, or those of them that `query` finds.

    `minimum`: devices that must have ended before the error threshold is applied to those that ended.
    `approval`: somebody must approve before it starts.
    """

    name: Annotated[str, Meta(max_length=64)] = ""
    percent: Annotated[float, Meta(gt=0, le=100)] | None = None
    query: Annotated[str, Meta(min_length=1, max_length=MAX_QUERY_CHARS)] | None = None
    success_percent: Percent = 95.0
    error_percent: Percent = 5.0
    minimum: Annotated[int, Meta(ge=1, le=1_000_000)] = 50
    approval: bool = False


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a rollout goes. `timeout_s`: how long one device may take; `max_parallel`: devices under way at once."""

    groups: Annotated[tuple[Group, ...], Meta(min_length=1, max_length=MAX_GROUPS)] = (Group(percent=100.0),)
    window: Window | None = None
    max_attempts: Annotated[int, Meta(ge=1, le=10)] = 1
    timeout_s: Annotated[float, Meta(ge=1, le=MAX_TIMEOUT_S)] = 86_400.0
    max_parallel: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000
    rate_per_min: Annotated[int, Meta(ge=1, le=1_000_000)] = 1_000


def check_plan(plan: Plan) -> None:
    """Raises: InvalidInputError, which says what to change."""
    for index, group in enumerate(plan.groups):
        if (group.percent is None) == (group.query is None):
            raise InvalidInputError(f"Group {index + 1} needs either percent or query.")
    if plan.groups[-1].percent != 100:
        raise InvalidInputError("The last group takes all that are left: its percent is 100.")
    if plan.window is not None:
        check_window(plan.window)


class RolloutState(StrEnum):
    """Where a rollout stands. `preparing`: its devices are being listed; `stopped`: by itself, by a threshold."""

    DRAFT = "draft"
    PREPARING = "preparing"
    RUNNING = "running"
    AWAITING_APPROVAL = "awaiting_approval"
    PAUSED = "paused"
    STOPPED = "stopped"
    FINISHED = "finished"
    ABORTED = "aborted"


OFFERING = frozenset({RolloutState.RUNNING, RolloutState.AWAITING_APPROVAL})
"""States in which the groups that were started get offers. While one is awaited, the earlier ones go on."""
SHOWN = OFFERING | {RolloutState.PAUSED}
"""States in which an offer that was made holds."""

Operation = Literal["start", "pause", "resume", "abort", "retry", "approve"]
_R = RolloutState
_OPERATIONS: dict[Operation, dict[RolloutState, RolloutState]] = {
    "start": {_R.DRAFT: _R.PREPARING},
    "pause": {_R.RUNNING: _R.PAUSED, _R.AWAITING_APPROVAL: _R.PAUSED},
    "resume": {_R.PAUSED: _R.RUNNING},
    "abort": dict.fromkeys(set(_R) - {_R.FINISHED, _R.ABORTED}, _R.ABORTED),
    "retry": {
        _R.RUNNING: _R.RUNNING,
        _R.AWAITING_APPROVAL: _R.AWAITING_APPROVAL,
        _R.PAUSED: _R.PAUSED,
        _R.STOPPED: _R.RUNNING,
        _R.FINISHED: _R.RUNNING,
    },
    "approve": {_R.AWAITING_APPROVAL: _R.RUNNING},
}


def after(operation: Operation, state: RolloutState) -> RolloutState:
    """The state that a person's operation leads to. Raises: ConflictError."""
    found = _OPERATIONS[operation].get(state)
    if found is None:
        raise ConflictError(f"A rollout that is {state.value.replace('_', ' ')} can't {_VERBS[operation]}.")
    return found


_VERBS: dict[Operation, str] = {
    "start": "be started",
    "pause": "be paused",
    "resume": "be resumed",
    "abort": "be aborted",
    "retry": "be retried",
    "approve": "be approved",
}


@dataclass(frozen=True, slots=True)
class Counts:
    """The devices of a group by where they stand.

    `failed` counts those that timed out too. `struck_waiting` and `struck_under_way`: those of `waiting` and
    `under_way` whose last attempt failed.
    """

    total: int = 0
    waiting: int = 0
    under_way: int = 0
    succeeded: int = 0
    failed: int = 0
    cancelled: int = 0
    struck_waiting: int = 0
    struck_under_way: int = 0

    @property
    def left(self) -> int:
        """Devices that have not ended."""
        return self.waiting + self.under_way

    @property
    def ended(self) -> int:
        """Devices that succeeded or failed."""
        return self.succeeded + self.failed


def limit_of(group: Group, total: int) -> int:
    """The most devices of a group of this size that may fail: it takes one to know."""
    return max(1, int(group.error_percent * total / 100 + 1e-9))


def room_in(group: Group, counts: Counts) -> int:
    """How many more devices without a failed attempt may be offered the release now."""
    fresh_under_way = counts.under_way - counts.struck_under_way
    failing = counts.failed + counts.struck_waiting + counts.struck_under_way
    return max(0, limit_of(group, counts.total) - failing - fresh_under_way)


def room_for_all(plan: Plan, counts: Sequence[Counts], rate_left: int) -> int:
    """How many more offers the rollout as a whole may make now."""
    return max(0, min(rate_left, plan.max_parallel - sum(each.under_way for each in counts)))


@dataclass(frozen=True, slots=True)
class Stop:
    """Stop by itself, because of this group."""

    group: int
    reason: str


@dataclass(frozen=True, slots=True)
class StartGroup:
    """Let this group's devices have offers."""

    group: int


@dataclass(frozen=True, slots=True)
class AwaitApproval:
    """Wait for somebody to approve this group."""

    group: int


@dataclass(frozen=True, slots=True)
class Finish:
    """Every device has ended."""


Decision = Stop | StartGroup | AwaitApproval | Finish


def advance(plan: Plan, state: RolloutState, started: int, counts: Sequence[Counts]) -> Decision | None:
    """What a rollout does next by itself; None while it has to wait. `started`: the last group that was, -1 for none.

    Ask again after each decision was carried out.
    """
    if state not in SHOWN:
        return None
    for index in range(started + 1):
        reason = stop_reason(plan.groups[index], counts[index])
        if reason is not None:
            return Stop(index, reason)
    if state != RolloutState.RUNNING:
        return None
    if started + 1 < len(plan.groups):
        if started >= 0 and not _has_succeeded(plan.groups[started], counts[started]):
            return None
        return AwaitApproval(started + 1) if plan.groups[started + 1].approval else StartGroup(started + 1)
    return None if any(each.left for each in counts) else Finish()


def stop_reason(group: Group, counts: Counts) -> str | None:
    """Why a group has to stop its rollout; None if it has not."""
    failed, threshold = counts.failed, group.error_percent
    if failed and failed >= limit_of(group, counts.total) and counts.left:
        return "error_threshold"
    if _exceeds(failed, threshold, counts.total):
        return "error_threshold"
    if counts.ended >= group.minimum and _exceeds(failed, threshold, counts.ended):
        return "error_threshold"
    if not counts.left and not _has_succeeded(group, counts):
        return "success_threshold"
    return None


def _exceeds(part: int, percent: float, whole: int) -> bool:
    return part * 100 > percent * whole + 1e-9


def _has_succeeded(group: Group, counts: Counts) -> bool:
    """Whether enough of a group succeeded for the next one to start; devices that were cancelled don't count."""
    return counts.succeeded * 100 >= group.success_percent * (counts.total - counts.cancelled) - 1e-9


def rank_of(rollout: str, device: str) -> str:
    """Where a device stands in the order of a rollout: by chance, and always the same."""
    return hashlib.sha256(f"{rollout}\n{device}".encode()).hexdigest()[:16]


def share_of(percent: float, remaining: int) -> int:
    """How many of the remaining devices a group takes: rounded up, so that a group of few is not empty."""
    return min(remaining, -int(-percent * remaining / 100 // 1)) if remaining else 0


def rate_left(plan: Plan, left: float, left_at_s: float, now_s: float) -> float:
    """Offers that the rate allows now, after `left` at `left_at_s`. It saves up one second's, at least one offer."""
    per_s = plan.rate_per_min / 60
    return min(max(1.0, per_s), left + max(0.0, now_s - left_at_s) * per_s)
