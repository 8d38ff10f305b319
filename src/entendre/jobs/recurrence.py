"""When an alarm or a reminder is due: local wall times, days and repetitions as Unix seconds in a zone.

Wall time is what people mean, so an instant is computed from it each time and never by adding 24 hours. A wall time
that a spring change skips means the first instant after the gap; one that an autumn change repeats, the first of both.
"""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Every = Literal["day", "week", "month", "year"]


@dataclass(frozen=True, slots=True)
class WallTime:
    """A local time and the dates it comes on: from `start` on the weekdays `days`, or once in `every`, or once.

    `start` None: today or tomorrow, whichever comes first. The 31st and the 29th of February come on the last day of a
    shorter month.
    """

    at: time
    start: date | None = None
    days: frozenset[int] = frozenset()
    every: Every | None = None

    @property
    def repeats(self) -> bool:
        """Whether there is more than one occurrence."""
        return bool(self.days) or self.every is not None


def instant(day: date, at: time, zone: ZoneInfo) -> float:
    """Unix seconds of a local date and time."""
    local = datetime.combine(day, at)
    early = local.replace(tzinfo=zone, fold=0)
    after_gap = early.astimezone(UTC)
    if after_gap.astimezone(zone).replace(tzinfo=None) == local:
        return after_gap.timestamp()
    before_gap = local.replace(tzinfo=zone, fold=1).astimezone(UTC)
    return _change_of_offset(int(before_gap.timestamp()), int(after_gap.timestamp()), zone)


def next_due(wall: WallTime, after_s: float, zone: ZoneInfo, *, skip_through: date | None = None) -> float | None:
    """Unix seconds of the first occurrence after an instant, on a date after `skip_through`; None if there is none."""
    # A day earlier than the local date: a gap can carry an occurrence past midnight.
    first = _local_date(after_s, zone) - timedelta(days=1)
    if skip_through is not None:
        first = max(first, skip_through + timedelta(days=1))
    for day in _dates(wall, first):
        due_s = instant(day, wall.at, zone)
        if due_s > after_s:
            return due_s
    return None


def latest_due(
    wall: WallTime, due_s: float, now_s: float, zone: ZoneInfo, *, skip_through: date | None = None
) -> float:
    """The last occurrence that is not after `now_s`, given that one was at `due_s`."""
    while wall.repeats:
        later_s = next_due(wall, due_s, zone, skip_through=skip_through)
        if later_s is None or later_s > now_s:
            break
        due_s = later_s
    return due_s


def _dates(wall: WallTime, first: date) -> Iterator[date]:
    """Dates of a wall time from `first` on, in order."""
    if wall.start is not None and not wall.repeats:
        if wall.start >= first:
            yield wall.start
        return
    start = wall.start or date.min
    if wall.days:
        yield from (day for day in _every_day(max(first, start)) if day.weekday() in wall.days)
    elif wall.every in ("month", "year"):
        yield from (day for day in _every_months(wall.start or first, wall.every == "year", first) if day >= first)
    else:
        weekly = wall.every == "week"
        yield from (day for day in _every_day(max(first, start)) if not weekly or (day - start).days % 7 == 0)


def _every_day(first: date) -> Iterator[date]:
    ordinal = first.toordinal()
    while ordinal <= date.max.toordinal():
        yield date.fromordinal(ordinal)
        ordinal += 1


def _every_months(start: date, yearly: bool, first: date) -> Iterator[date]:
    """The day of `start` in its month of each year, or in each month, from the month before `first` on."""
    step = 12 if yearly else 1
    month = start.year * 12 + start.month - 1
    behind = first.year * 12 + first.month - 1 - month
    month += max(0, behind // step) * step
    while month // 12 <= date.max.year:
        year, index = divmod(month, 12)
        last = calendar.monthrange(year, index + 1)[1]
        yield date(year, index + 1, min(start.day, last))
        month += step


def _local_date(at_s: float, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(at_s, zone).date()


def _change_of_offset(low_s: int, high_s: int, zone: ZoneInfo) -> float:
    """The instant in (low, high] from which on the offset is that of `high`."""
    after = _offset(high_s, zone)
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if _offset(middle_s, zone) == after:
            high_s = middle_s
        else:
            low_s = middle_s
    return float(high_s)


def _offset(at_s: int, zone: ZoneInfo) -> timedelta:
    return datetime.fromtimestamp(at_s, zone).utcoffset() or timedelta()
