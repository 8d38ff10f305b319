"""What an action, a moment and a zone make of a job: rows in, rows out. No clock, no database."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Literal, cast
from zoneinfo import ZoneInfo

from entendre.core.actions import (
    ChangeAlarm,
    ChangeReminder,
    ChangeTimer,
    CreateAlarm,
    CreateReminder,
    StartTimer,
)
from entendre.core.errors import InvalidInputError, UnknownTargetError
from entendre.jobs.recurrence import WEEKDAYS, Every, WallTime, instant, latest_due, next_due
from entendre.ports import JobRow

JobAction = StartTimer | ChangeTimer | CreateAlarm | ChangeAlarm | CreateReminder | ChangeReminder
RingEnd = Literal["silenced", "snoozed", "expired", "missed"]

MAX_TIMER_S = 366 * 86_400
MAX_TEXT_CHARS = 1_000
JUST_PAST_S = 60.0
"""Times are said to the minute: one of the minute that is passing is meant for now."""
YEARS = range(1971, 9_000)
"""Years whose every instant is a time in every zone."""
ALL = "all"


@dataclass(frozen=True, slots=True)
class Moment:
    """Now, where the home is, and which jobs ring."""

    now_s: float
    zone: ZoneInfo
    ringing: frozenset[str] = frozenset()


@dataclass(slots=True)
class Edit:
    """Jobs as they become, with what to call the change, and how the rings of jobs end."""

    jobs: list[tuple[JobRow, str]] = field(default_factory=list)
    ring_ends: dict[str, RingEnd] = field(default_factory=dict)

    def put(self, row: JobRow, change: str, *, ends_ring: RingEnd | None = None) -> None:
        """Add a job, whose ring ends if it has one."""
        self.jobs.append((row, change))
        if ends_ring is not None:
            self.ring_ends[row.id] = ends_ring


def next_ring_s(row: JobRow) -> float | None:
    """When a job goes off next."""
    if row.ended_at_s is not None:
        return None
    return min((at for at in (row.due_at_s, row.snoozed_until_s) if at is not None), default=None)


def wall_time(row: JobRow) -> WallTime:
    """The wall time of an alarm or a reminder."""
    start = date.fromisoformat(row.date) if row.date else None
    days = frozenset(WEEKDAYS.index(day) for day in row.days)
    return WallTime(_time(row.time or ""), start, days, cast(Every | None, row.every))


def created(action: StartTimer | CreateAlarm | CreateReminder, row: JobRow, at: Moment) -> JobRow:
    """A new job; `row` gives its id, device and language. Raises: InvalidInputError."""
    if isinstance(action, StartTimer):
        if not 0 < action.seconds <= MAX_TIMER_S:
            raise InvalidInputError(f"A timer lasts from 1 to {MAX_TIMER_S} seconds.")
        text = _bounded(action.name)
        return replace(row, text=text, total_s=action.seconds, due_at_s=at.now_s + action.seconds)
    _check_wall_fields(action.time, action.date, action.days)
    if isinstance(action, CreateAlarm):
        row = replace(row, text=_bounded(action.name), time=action.time, date=action.date, days=action.days)
    else:
        text = _bounded(action.text)
        row = replace(row, text=text, time=action.time, date=action.date, days=action.days, every=action.every)
    due_s = _due_again(row, at)
    if due_s is None or (row.date and not _repeats(row) and due_s < at.now_s - JUST_PAST_S):
        raise InvalidInputError("That time is in the past.")
    return replace(row, due_at_s=due_s)


def changed(action: ChangeTimer | ChangeAlarm | ChangeReminder, rows: Iterable[JobRow], at: Moment) -> Edit:
    """The edit that an action makes to the open jobs. Raises: UnknownTargetError, InvalidInputError."""
    edit = Edit()
    if isinstance(action, ChangeTimer):
        for row in _chosen(rows, "timer", action.timer):
            _change_timer(edit, row, action, at)
    elif isinstance(action, ChangeAlarm):
        for row in _chosen(rows, "alarm", action.alarm):
            _change_alarm(edit, row, action, at)
        if action.change == "snooze" and not edit.jobs:
            raise UnknownTargetError("No alarm rings.")
    else:
        for row in _chosen(rows, "reminder", action.reminder):
            edit.put(_ended(row, at), "cancelled", ends_ring="silenced")
    return edit


def snoozed(row: JobRow, seconds: float, at: Moment) -> JobRow:
    """A job that rings again after `seconds`. Raises: InvalidInputError."""
    if not 0 < seconds <= MAX_TIMER_S:
        raise InvalidInputError(f"A snooze lasts from 1 to {MAX_TIMER_S} seconds.")
    return replace(row, snoozed_until_s=at.now_s + seconds, ended_at_s=None)


def rung(row: JobRow, at: Moment) -> tuple[JobRow, float]:
    """A due job after it went off, and the due time that it rings for: the last one, if several passed."""
    snooze_s, due_s = row.snoozed_until_s, row.due_at_s
    if due_s is None or due_s > at.now_s:
        return replace(row, snoozed_until_s=None), snooze_s if snooze_s is not None else at.now_s
    following_s = None
    if row.kind != "timer":
        wall = wall_time(row)
        due_s = latest_due(wall, due_s, at.now_s, at.zone)
        following_s = next_due(wall, max(due_s, at.now_s), at.zone) if wall.repeats else None
    after = replace(row, due_at_s=following_s, snoozed_until_s=None, skip_through=None, rang_due_at_s=due_s)
    return after, due_s


def closed_if_over(row: JobRow, at: Moment) -> JobRow:
    """A job that will never ring again is over."""
    waits = row.due_at_s is not None or row.snoozed_until_s is not None or row.paused_s is not None
    return row if waits or not row.enabled or row.ended_at_s is not None else _ended(row, at)


def replanned(row: JobRow, at: Moment) -> JobRow:
    """A job whose next ring is computed anew, because the zone or its rules may have changed."""
    if row.kind == "timer" or row.due_at_s is None or row.due_at_s <= at.now_s:
        return row
    return replace(row, due_at_s=_due_again(row, at))


def _change_timer(edit: Edit, row: JobRow, action: ChangeTimer, at: Moment) -> None:
    left_s = row.paused_s if row.paused_s is not None else max(0.0, (row.due_at_s or at.now_s) - at.now_s)
    if action.change == "cancel":
        edit.put(_ended(row, at), "cancelled", ends_ring="silenced")
    elif action.change == "pause" and row.due_at_s is not None:
        edit.put(replace(row, paused_s=left_s, due_at_s=None), "paused")
    elif action.change == "resume" and row.paused_s is not None:
        edit.put(replace(row, paused_s=None, due_at_s=at.now_s + left_s), "resumed")
    elif action.change == "restart":
        due_s = at.now_s + row.total_s
        edit.put(replace(row, paused_s=None, due_at_s=due_s, snoozed_until_s=None), "restarted", ends_ring="silenced")
    elif action.change == "add":
        _lengthen(edit, row, left_s, action.seconds or 0, at)


def _lengthen(edit: Edit, row: JobRow, left_s: float, seconds: int, at: Moment) -> None:
    if abs(seconds) > MAX_TIMER_S:
        raise InvalidInputError(f"A timer lasts from 1 to {MAX_TIMER_S} seconds.")
    left_s = min(max(0.0, left_s + seconds), float(MAX_TIMER_S))
    total_s = min(max(1, row.total_s + seconds), MAX_TIMER_S)
    if row.paused_s is not None:
        edit.put(replace(row, paused_s=left_s, total_s=total_s), "lengthened")
    elif row.due_at_s is not None or seconds > 0:
        longer = replace(row, due_at_s=at.now_s + left_s, total_s=total_s, snoozed_until_s=None)
        edit.put(longer, "lengthened", ends_ring="silenced")


def _change_alarm(edit: Edit, row: JobRow, action: ChangeAlarm, at: Moment) -> None:
    if action.change == "cancel":
        edit.put(_ended(row, at), "cancelled", ends_ring="silenced")
    elif action.change == "disable":
        off = replace(row, enabled=False, due_at_s=None, snoozed_until_s=None)
        edit.put(off, "disabled", ends_ring="silenced")
    elif action.change == "enable":
        if not row.enabled:
            edit.put(_moved(replace(row, enabled=True), at), "enabled")
    elif action.change == "skip":
        _skip(edit, row, at)
    elif action.change == "move":
        _time(action.time or "")
        moved = replace(row, time=action.time, enabled=True, snoozed_until_s=None)
        edit.put(_moved(moved, at), "moved", ends_ring="silenced")
    elif row.id in at.ringing or row.snoozed_until_s is not None:
        edit.put(snoozed(row, action.seconds or 0, at), "snoozed", ends_ring="snoozed")


def _skip(edit: Edit, row: JobRow, at: Moment) -> None:
    if row.due_at_s is None:
        return
    if not _repeats(row):
        edit.put(_ended(row, at), "skipped")
        return
    skipped = datetime.fromtimestamp(row.due_at_s, at.zone).date().isoformat()
    row = replace(row, skip_through=skipped)
    edit.put(replace(row, due_at_s=_due_again(row, at)), "skipped")


def _moved(row: JobRow, at: Moment) -> JobRow:
    """A row with its next ring; an alarm of a date whose time is past rings at the next such time instead."""
    due_s = _due_again(row, at)
    if due_s is None or due_s <= at.now_s:
        row = replace(row, date=None)
        due_s = _due_again(row, at)
    return replace(row, due_at_s=due_s)


def _due_again(row: JobRow, at: Moment) -> float | None:
    """The next due time by wall time; that of a single date may be past."""
    wall = wall_time(row)
    if wall.start is not None and not wall.repeats:
        return instant(wall.start, wall.at, at.zone)
    skip = date.fromisoformat(row.skip_through) if row.skip_through else None
    after_s = at.now_s if row.rang_due_at_s is None else max(at.now_s, row.rang_due_at_s)
    return next_due(wall, after_s, at.zone, skip_through=skip)


def _chosen(rows: Iterable[JobRow], kind: str, target: str) -> list[JobRow]:
    chosen = [row for row in rows if row.kind == kind and target in (row.id, ALL)]
    if not chosen and target != ALL:
        raise UnknownTargetError("There is no such timer, alarm or reminder.", detail=f"no {kind} {target}")
    return chosen


def _ended(row: JobRow, at: Moment) -> JobRow:
    return replace(row, due_at_s=None, snoozed_until_s=None, paused_s=None, ended_at_s=at.now_s)


def _repeats(row: JobRow) -> bool:
    return bool(row.days) or row.every is not None


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text).replace(tzinfo=None)
    except ValueError:
        raise InvalidInputError("A time is HH:MM.", detail=f"not a time: {text[:20]!r}") from None


def _check_wall_fields(at: str, day: str | None, days: tuple[str, ...]) -> None:
    _time(at)
    try:
        if day is not None and date.fromisoformat(day).year not in YEARS:
            raise ValueError
    except ValueError:
        raise InvalidInputError("A date is YYYY-MM-DD.", detail=f"not a date: {day!r:.20}") from None
    if not set(days) <= set(WEEKDAYS):
        raise InvalidInputError(f"Days are {', '.join(WEEKDAYS)}.")


def _bounded(text: str | None) -> str | None:
    if text is not None and len(text) > MAX_TEXT_CHARS:
        raise InvalidInputError(f"A name or a reminder has at most {MAX_TEXT_CHARS} characters.")
    return text
