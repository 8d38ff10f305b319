"""Dates and times of commands: canonical slots to wall times in the home's zone."""

from __future__ import annotations

from datetime import date, datetime, time, timedelta

from entendre.skills.base import Request
from entendre.skills.slots import WEEKDAYS, flag, seconds, text

NOON_HOUR = 12


def clock_time(request: Request, name: str = "time") -> time | None:
    """A `{time}` slot."""
    value = text(request, name)
    return time.fromisoformat(value) if value else None


def calendar_date(request: Request, name: str = "date") -> date | None:
    """A `{date}` slot."""
    value = text(request, name)
    return date.fromisoformat(value) if value else None


def moment(request: Request, name: str = "datetime") -> datetime | None:
    """A `{datetime}` slot as the wall time that people said, without a zone."""
    value = text(request, name)
    return datetime.fromisoformat(value) if value else None


def after(request: Request, name: str = "duration") -> datetime | None:
    """The wall time that a `{duration}` from now is, in whole minutes, rounded up."""
    length_s = seconds(request, name)
    if length_s is None:
        return None
    exact = wall_now(request) + timedelta(seconds=length_s)
    whole = exact.replace(second=0, microsecond=0)
    return whole if exact == whole else whole + timedelta(minutes=1)


def wall_now(request: Request) -> datetime:
    """The home's wall time, without a zone."""
    return request.world.now.replace(tzinfo=None)


def next_date(request: Request, at: time, days: tuple[str, ...] = ()) -> date:
    """The first date, today or later, on which `at` (on one of `days`, if any) is still to come."""
    now = wall_now(request)
    for offset in range(8):
        candidate = now.date() + timedelta(days=offset)
        if datetime.combine(candidate, at) > now and (not days or WEEKDAYS[candidate.weekday()] in days):
            return candidate
    raise AssertionError("a week holds every weekday")


def is_ambiguous(request: Request, name: str) -> bool:
    """Whether a time was said without morning or afternoon."""
    return flag(request, f"{name}_ambiguous")


def in_morning(at: time) -> time:
    """The same clock face before noon."""
    return at.replace(hour=at.hour % NOON_HOUR)


def hhmm(at: time) -> str:
    """The canonical time of actions."""
    return f"{at.hour:02d}:{at.minute:02d}"
