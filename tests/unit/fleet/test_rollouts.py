"""Rollouts: no interleaving of reports, time-outs, retries and pauses takes a group past its limit."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.core.errors import ConflictError, InvalidInputError
from entendre.fleet import updates
from entendre.fleet.rollouts import (
    OFFERING,
    AwaitApproval,
    Counts,
    Finish,
    Group,
    Plan,
    RolloutState,
    StartGroup,
    Stop,
    advance,
    after,
    check_plan,
    limit_of,
    rank_of,
    rate_left,
    room_for_all,
    room_in,
    share_of,
)
from entendre.fleet.updates import FAILED, UNDER_WAY, DeviceState, Update
from entendre.fleet.windows import Window

NUMBER, BEFORE = "2.0.0", "1.0.0"


@dataclass
class Simulated:
    """A rollout in memory, by the rules alone."""

    plan: Plan
    groups: list[list[Update]]
    state: RolloutState = RolloutState.RUNNING
    started: int = -1
    went_back: list[int] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.went_back = [0] * len(self.groups)

    def counts(self) -> list[Counts]:
        return [counted(devices) for devices in self.groups]

    def settle(self) -> None:
        while (decision := advance(self.plan, self.state, self.started, self.counts())) is not None:
            match decision:
                case Stop():
                    self.state = RolloutState.STOPPED
                    self.groups = [[updates.recalled(each) for each in devices] for devices in self.groups]
                case StartGroup(group):
                    self.started = group
                case AwaitApproval():
                    self.state = RolloutState.AWAITING_APPROVAL
                case Finish():
                    self.state = RolloutState.FINISHED

    def offer(self, group: int, index: int) -> None:
        """A device asks, or is told."""
        update, counts = self.groups[group][index], self.counts()
        if self.state not in OFFERING or group > self.started or update.state != DeviceState.WAITING:
            return
        if room_for_all(self.plan, counts, 1_000) < 1:
            return
        if update.failures or room_in(self.plan.groups[group], counts[group]):
            self.groups[group][index] = updates.offered(update)

    def operate(self, operation: str) -> None:
        try:
            self.state = after(operation, self.state)  # type: ignore[arg-type]
        except ConflictError:
            return
        if operation == "approve":
            self.started += 1
        if operation == "retry":
            self.groups = [[updates.let_in_again(each) for each in devices] for devices in self.groups]
            self.went_back = [0] * len(self.groups)

    def change(self, group: int, index: int, changed: Update) -> None:
        self.groups[group][index] = changed


def counted(devices: list[Update]) -> Counts:
    return Counts(
        total=len(devices),
        waiting=sum(each.state == DeviceState.WAITING for each in devices),
        under_way=sum(each.state in UNDER_WAY for each in devices),
        succeeded=sum(each.state == DeviceState.SUCCEEDED for each in devices),
        failed=sum(each.state in FAILED for each in devices),
        cancelled=sum(each.state == DeviceState.CANCELLED for each in devices),
        struck_waiting=sum(each.struck and each.state == DeviceState.WAITING for each in devices),
        struck_under_way=sum(each.struck and each.state in UNDER_WAY for each in devices),
    )


PLANS = st.builds(
    lambda errors, minimum, attempts, parallel, approval: Plan(
        groups=(
            Group(percent=30.0, error_percent=errors[0], minimum=minimum, success_percent=60.0),
            Group(percent=100.0, error_percent=errors[1], minimum=minimum, success_percent=50.0, approval=approval),
        ),
        max_attempts=attempts,
        max_parallel=parallel,
    ),
    st.tuples(st.sampled_from([0.0, 2.0, 10.0, 25.0, 60.0]), st.sampled_from([0.0, 5.0, 20.0, 100.0])),
    st.integers(1, 12),
    st.integers(1, 3),
    st.integers(1, 40),
    st.booleans(),
)
ACTS = st.sampled_from(
    ["offer"] * 6
    + ["downloading", "installing", "succeeded", "succeeded", "failed", "failed", "late", "time_out", "old"]
    + ["pause", "resume", "retry", "approve"]
)
STEPS = st.lists(st.tuples(ACTS, st.integers(0, 1), st.integers(0, 39)), max_size=250)


def act(rollout: Simulated, what: str, group: int, index: int) -> None:
    index %= len(rollout.groups[group])
    update, attempts = rollout.groups[group][index], rollout.plan.max_attempts
    match what:
        case "offer":
            rollout.offer(group, index)
        case "downloading" | "installing" | "failed":
            rollout.change(group, index, updates.said(update, what, update.attempt, None, attempts))
        case "late":
            rollout.change(group, index, updates.said(update, "failed", update.attempt - 1, None, attempts))
        case "succeeded":
            if update.attempt:
                rollout.change(group, index, updates.runs(update, NUMBER, NUMBER))
        case "old":
            changed = updates.runs(update, BEFORE, NUMBER)
            rollout.went_back[group] += changed.state == DeviceState.FAILED and update.state == DeviceState.SUCCEEDED
            rollout.change(group, index, changed)
        case "time_out":
            rollout.change(group, index, updates.timed_out(update, attempts))
        case _:
            rollout.operate(what)


@settings(max_examples=300, deadline=None)
@given(PLANS, st.integers(1, 30), st.integers(1, 60), STEPS)
def test_no_interleaving_takes_a_group_past_its_limit(
    plan: Plan, first: int, second: int, steps: list[tuple[str, int, int]]
) -> None:
    rollout = Simulated(plan, [[Update()] * first, [Update()] * second])
    rollout.settle()
    for what, group, index in steps:
        act(rollout, what, group, index)
        rollout.settle()
        for number, counts in enumerate(rollout.counts()):
            limit = limit_of(plan.groups[number], counts.total)
            assert counts.failed <= limit + rollout.went_back[number]
            fresh = counts.under_way - counts.struck_under_way
            failing = counts.failed + counts.struck_waiting + counts.struck_under_way
            assert failing + fresh <= limit + rollout.went_back[number]


@settings(max_examples=60, deadline=None)
@given(PLANS, st.integers(1, 40), st.integers(0, 10_000), st.integers(0, 100))
def test_a_rollout_always_comes_to_an_end(plan: Plan, size: int, seed: int, bad_percent: int) -> None:
    """Whatever fails: it stops itself or finishes, and a group that stays within its threshold is not stopped early."""
    chance = random.Random(seed)
    rollout = Simulated(plan, [[Update()] * size, [Update()] * size])
    bad = {(g, i) for g in (0, 1) for i in range(size) if chance.randrange(100) < bad_percent}
    for _ in range(size * 30 + 50):
        rollout.settle()
        if rollout.state in (RolloutState.STOPPED, RolloutState.FINISHED):
            break
        if rollout.state == RolloutState.AWAITING_APPROVAL:
            rollout.operate("approve")
        for group in (0, 1):
            for index in chance.sample(range(size), size):
                rollout.offer(group, index)
                update = rollout.groups[group][index]
                if update.state in UNDER_WAY:
                    fails = (group, index) in bad
                    act(rollout, "failed" if fails else "succeeded", group, index)
    assert rollout.state in (RolloutState.STOPPED, RolloutState.FINISHED)
    if not bad:
        assert rollout.state == RolloutState.FINISHED
        assert all(each.state == DeviceState.SUCCEEDED for devices in rollout.groups for each in devices)


def group_of(**values: object) -> Group:
    return Group(percent=100.0, **values)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("percent", "total", "limit"), [(2, 990, 19), (2, 100, 2), (2, 3, 1), (0, 1000, 1), (100, 7, 7), (29, 100, 29)]
)
def test_limits(percent: float, total: int, limit: int) -> None:
    assert limit_of(group_of(error_percent=percent), total) == limit


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        (Counts(total=100, waiting=98, failed=2), "error_threshold"),
        (Counts(total=100, succeeded=98, failed=2), None),
        (Counts(total=100, succeeded=97, failed=3), "error_threshold"),
        (Counts(total=100, waiting=90, succeeded=9, failed=1), None),
        (Counts(total=100, waiting=80, succeeded=19, failed=1), "error_threshold"),
        (Counts(total=100, cancelled=60, succeeded=39, failed=1), "error_threshold"),
        (Counts(total=100, cancelled=100), None),
        (Counts(total=0), None),
    ],
)
def test_when_a_group_stops_its_rollout(counts: Counts, reason: str | None) -> None:
    plan = Plan(groups=(group_of(error_percent=2.0, minimum=20, success_percent=95.0),))
    decision = advance(plan, RolloutState.RUNNING, 0, [counts])
    assert (decision.reason if isinstance(decision, Stop) else None) == reason


def test_a_group_that_ends_below_its_success_threshold_stops() -> None:
    plan = Plan(groups=(group_of(error_percent=50.0, success_percent=90.0),))
    found = advance(plan, RolloutState.RUNNING, 0, [Counts(total=10, succeeded=8, failed=2)])
    assert found == Stop(0, "success_threshold")


def test_the_next_group_starts_while_some_of_the_last_are_asleep() -> None:
    plan = Plan(groups=(Group(percent=10.0, success_percent=80.0), group_of(approval=True)))
    counts = [Counts(total=10, waiting=2, succeeded=8), Counts(total=90, waiting=90)]
    assert advance(plan, RolloutState.RUNNING, 0, counts) == AwaitApproval(1)
    assert advance(plan, RolloutState.PAUSED, 0, counts) is None
    assert advance(plan, RolloutState.RUNNING, 1, [counts[0], Counts(total=90, succeeded=90)]) is None
    done = [Counts(total=10, succeeded=10), Counts(total=90, succeeded=90)]
    assert advance(plan, RolloutState.RUNNING, 1, done) == Finish()


def test_a_pause_does_not_keep_it_from_stopping() -> None:
    plan = Plan(groups=(group_of(error_percent=2.0),))
    counts = [Counts(total=100, waiting=98, failed=2)]
    for state in (RolloutState.RUNNING, RolloutState.AWAITING_APPROVAL, RolloutState.PAUSED):
        assert advance(plan, state, 0, counts) == Stop(0, "error_threshold")
    for state in (RolloutState.DRAFT, RolloutState.STOPPED, RolloutState.ABORTED, RolloutState.FINISHED):
        assert advance(plan, state, 0, counts) is None


def test_another_attempt_takes_no_more_room() -> None:
    group = group_of(error_percent=2.0)
    assert room_in(group, Counts(total=100, waiting=99, under_way=1)) == 1
    assert room_in(group, Counts(total=100, waiting=100, struck_waiting=2)) == 0
    assert room_in(group, Counts(total=100, waiting=98, under_way=2, struck_under_way=2)) == 0
    assert room_for_all(Plan(max_parallel=3), [Counts(under_way=1), Counts(under_way=1)], 9) == 1


def test_operations_of_people() -> None:
    assert after("start", RolloutState.DRAFT) == RolloutState.PREPARING
    assert after("retry", RolloutState.STOPPED) == RolloutState.RUNNING
    with pytest.raises(ConflictError, match="awaiting approval can't be resumed"):
        after("resume", RolloutState.AWAITING_APPROVAL)
    with pytest.raises(ConflictError):
        after("resume", RolloutState.STOPPED)
    with pytest.raises(ConflictError):
        after("abort", RolloutState.ABORTED)


@pytest.mark.parametrize(
    "plan",
    [
        Plan(groups=(Group(percent=10.0),)),
        Plan(groups=(Group(), Group(percent=100.0))),
        Plan(groups=(Group(percent=5.0, query="tags.site = 'lab'"), Group(percent=100.0))),
        Plan(window=Window("02:00", "05:00", zone="Nowhere")),
    ],
)
def test_plans_that_make_no_sense(plan: Plan) -> None:
    with pytest.raises(InvalidInputError):
        check_plan(plan)


def test_a_plan_of_queries_and_percents() -> None:
    check_plan(Plan(groups=(Group(query="tags.site = 'lab'"), Group(percent=1.0), Group(percent=100.0))))


def test_shares_round_up_and_ranks_are_stable() -> None:
    assert [share_of(*each) for each in ((1, 300), (1, 301), (100, 7), (0.1, 1), (50, 0))] == [3, 4, 7, 1, 0]
    assert rank_of("r", "d") == rank_of("r", "d") != rank_of("r2", "d")


@given(st.integers(1, 100_000), st.lists(st.floats(0, 30), max_size=50))
def test_the_rate_is_kept(rate: int, pauses: list[float]) -> None:
    plan, left, at_s, now_s, made = Plan(rate_per_min=rate), 0.0, 0.0, 0.0, 0
    for pause_s in pauses:
        now_s += pause_s
        left, at_s = rate_left(plan, left, at_s, now_s), now_s
        made += int(left)
        left -= int(left)
    assert made <= rate / 60 * now_s + 1
