"""The time and the date, here and elsewhere, and how far away dates are."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.clock.places import find_place
from entendre.skills.slots import WEEKDAYS, text
from entendre.skills.when import calendar_date, clock_time, hhmm, moment, wall_now

DAYS_A_WEEK = 7


class ClockSkill:
    """Answers what time and what day it is."""

    name = "clock"
    intents = frozenset(
        {"TimeNow", "TimeDifference", "TimeUntil", "DateNow", "DayOfWeek", "DaysUntil", "WeeksUntil", "WeekNumber"}
        | {"MonthNow", "YearNow"}
    )
    by_sound = intents

    async def plan(self, request: Request) -> Plan:
        """An answer; the clock changes nothing."""
        match request.command.intent:
            case "TimeNow":
                return _time(request)
            case "TimeDifference":
                return _difference(request)
            case "TimeUntil":
                return _until_time(request)
            case "DaysUntil" | "WeeksUntil":
                return _until_date(request)
            case _:
                return _date(request)


def _time(request: Request) -> Plan:
    asked = text(request, "place")
    now = request.world.now
    if asked is None:
        return Plan(request.say("time_here", time=hhmm(now.time())))
    place = find_place(asked, request.language)
    if place is None:
        return Plan(request.say("place_unknown", place=asked), refusal=True)
    there = now.astimezone(ZoneInfo(place.zone))
    day = there.date().isoformat() if there.date() != now.date() else None
    return Plan(request.say("time_there", time=hhmm(there.time()), date=day, place=place.name))


def _difference(request: Request) -> Plan:
    asked = [text(request, "place"), text(request, "other_place")]
    places = [name and find_place(name, request.language) for name in asked]
    for name, place in zip(asked, places, strict=True):
        if name and not place:
            return Plan(request.say("place_unknown", place=name), refusal=True)
    now = request.world.now
    here = now.utcoffset() or timedelta(0)
    first, second = places
    first_offset = _offset(now, first.zone) if first else here
    second_offset = _offset(now, second.zone) if second else here
    ahead_s = round((first_offset - second_offset).total_seconds())
    key = "difference_none" if ahead_s == 0 else "difference_ahead" if ahead_s > 0 else "difference_behind"
    names = {"place": first and first.name, "other": second and second.name}
    if second is None:
        key += "_here"
    return Plan(request.say(key, duration=abs(ahead_s), **names))


def _offset(now: datetime, zone: str) -> timedelta:
    return now.astimezone(ZoneInfo(zone)).utcoffset() or timedelta(0)


def _until_time(request: Request) -> Plan:
    at, said = clock_time(request), moment(request)
    now = wall_now(request)
    if said is None:
        if at is None:
            return Plan(request.say("until_ask"), expects_reply=True, question="time")
        said = datetime.combine(now.date(), at)
        said += timedelta(days=1 if said <= now else 0)
    left_s = (said - now).total_seconds()
    if left_s < 0:
        return Plan(request.say("until_past"))
    return Plan(request.say("until_time", duration=60 * round(left_s / 60), time=hhmm(said.time())))


def _until_date(request: Request) -> Plan:
    on = calendar_date(request)
    if on is None:
        return Plan(request.say("until_ask"), expects_reply=True, question="date")
    days = (on - request.world.now.date()).days
    if days == 0:
        return Plan(request.say("until_today"))
    if days < 0:
        return Plan(request.say("since_days", count=-days))
    if request.command.intent == "WeeksUntil":
        weeks, rest = divmod(days, DAYS_A_WEEK)
        return Plan(request.say("until_weeks", weeks=weeks or None, rest=rest or None))
    return Plan(request.say("until_days", count=days))


_NOW_REPLIES = {"WeekNumber": "week", "MonthNow": "month", "YearNow": "year"}


def _date(request: Request) -> Plan:
    today = request.world.now.date()
    key = _NOW_REPLIES.get(request.command.intent)
    if key is not None:
        return Plan(request.say(key, week=today.isocalendar().week, month=str(today.month), year=today.year))
    on = calendar_date(request) or today
    key = "date" if request.command.intent == "DateNow" else "weekday"
    return Plan(request.say(f"{key}_{_tense(on, today)}", weekday=WEEKDAYS[on.weekday()], date=on.isoformat()))


def _tense(on: date, today: date) -> str:
    return "today" if on == today else "past" if on < today else "other"


SKILL = ClockSkill()
