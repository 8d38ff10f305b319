"""Reminders: say a text at a time, once or again and again; list and cancel them."""

from __future__ import annotations

import calendar
from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from typing import Literal

from entendre.core.actions import ChangeReminder, CreateReminder
from entendre.core.plan import Plan, ReminderView
from entendre.skills.base import Request
from entendre.skills.slots import WEEKDAYS, flag, number, text, weekdays
from entendre.skills.when import after, calendar_date, clock_time, hhmm, moment, next_date, wall_now

Every = Literal["day", "week", "month", "year"]
_EVERY: dict[str, Every] = {"day": "day", "week": "week", "month": "month", "year": "year"}

WORDS_ALIKE = 0.5
"""Share of the asked words that a reminder's text must hold to be the one meant."""


class RemindersSkill:
    """Plans everything about reminders."""

    name = "reminders"
    intents = frozenset({"ReminderCreate", "ReminderList", "ReminderNext", "ReminderCancel"})

    async def plan(self, request: Request) -> Plan:
        """A plan for one reminder command."""
        match request.command.intent:
            case "ReminderCreate":
                return _create(request)
            case "ReminderList":
                return _list(request)
            case "ReminderNext":
                return _next(request)
            case _:
                return _cancel(request)


def _create(request: Request) -> Plan:
    what = text(request, "text")
    if what is None:
        return Plan(request.say("reminder_ask_text"), expects_reply=True, question="text")
    at = _time(request)
    if at is None:
        on_day = calendar_date(request)
        if on_day is not None and on_day < wall_now(request).date():
            return Plan(request.say("reminder_past"), refusal=True)
        question = "time" if calendar_date(request) or weekdays(request) or text(request, "every") else "datetime"
        return Plan(request.say(f"reminder_ask_{question}"), expects_reply=True, question=question)
    days = weekdays(request)
    every = _EVERY.get(text(request, "every") or "")
    if len(days) == len(WEEKDAYS):
        days, every = (), "day"
    on = _date(request, at, days)
    if datetime.combine(on, at) <= wall_now(request):
        return Plan(request.say("reminder_past"), refusal=True)
    values = {"time": hhmm(at), "date": on.isoformat(), "days": days, "text": _to_user(request, what)}
    key = "reminder_set_days" if days else f"reminder_set_every_{every}" if every else "reminder_set"
    return Plan(request.say(key, **values), (CreateReminder(what, on.isoformat(), hhmm(at), days, every),))


def _time(request: Request) -> time | None:
    at = clock_time(request)
    if at is not None:
        return at
    said = moment(request) or after(request)
    if said is not None:
        return said.time()
    part = request.terms("day_part").get(text(request, "date_part") or "")
    return time.fromisoformat(part) if part else None


def _date(request: Request, at: time, days: tuple[str, ...]) -> date:
    on = calendar_date(request)
    if on is not None:
        return on
    said = moment(request) or after(request)
    if said is not None and not days:
        return said.date()
    month_day = number(request, "month_day")
    if month_day is not None:
        return _next_month_day(wall_now(request), int(month_day), at)
    return next_date(request, at, days)


def _next_month_day(now: datetime, day: int, at: time) -> date:
    """The next such day of a month; short months end it early, -1 is the last day."""
    first = now.date().replace(day=1)
    while True:
        last = calendar.monthrange(first.year, first.month)[1]
        candidate = first.replace(day=last if day < 0 else min(day, last))
        if datetime.combine(candidate, at) > now:
            return candidate
        first = (first + timedelta(days=31)).replace(day=1)


def _list(request: Request) -> Plan:
    on = calendar_date(request)
    reminders = _by_time(request.world.reminders)
    if on is not None:
        reminders = [reminder for reminder in reminders if reminder.next_at.date() == on]
    if not reminders:
        return Plan(request.say("reminder_none_then" if on else "reminder_none", date=on and on.isoformat()))
    parts = [_one(request, reminder) for reminder in reminders]
    return Plan(" ".join([request.say("reminder_count", count=len(reminders)), *parts]))


def _next(request: Request) -> Plan:
    reminders = _by_time(request.world.reminders)
    if not reminders:
        return Plan(request.say("reminder_none"))
    return Plan(_one(request, reminders[0]))


def _cancel(request: Request) -> Plan:
    reminders = _by_time(request.world.reminders)
    if not reminders:
        return Plan(request.say("reminder_none"), refusal=True)
    fitting = _matching(request, reminders)
    if not fitting:
        return Plan(request.say("reminder_no_such"), refusal=True)
    if flag(request, "next"):
        fitting = fitting[:1]
    if len(fitting) > 1 and not flag(request, "all"):
        labels = tuple(_to_user(request, reminder.text) for reminder in fitting)
        reply = request.say("reminder_ask_which", labels=labels)
        return Plan(reply, expects_reply=True, refusal=True, question="text")
    if len(fitting) > 1:
        reply = request.say("reminder_cancelled_all", count=len(fitting))
        if len(fitting) == len(reminders):
            return Plan(reply, (ChangeReminder("all", "cancel"),))
        return Plan(reply, tuple(ChangeReminder(reminder.id, "cancel") for reminder in fitting))
    reply = request.say("reminder_cancelled", text=_to_user(request, fitting[0].text))
    return Plan(reply, (ChangeReminder(fitting[0].id, "cancel"),))


def _matching(request: Request, reminders: Sequence[ReminderView]) -> list[ReminderView]:
    on, asked = calendar_date(request), text(request, "text")
    at = clock_time(request)
    found = [
        reminder
        for reminder in reminders
        if (on is None or reminder.next_at.date() == on) and (at is None or reminder.next_at.time() == at)
    ]
    if asked is None:
        return found
    scored = [(_alike(asked, reminder.text), reminder) for reminder in found]
    best = max((score for score, _ in scored), default=0.0)
    return [reminder for score, reminder in scored if score == best and score >= WORDS_ALIKE]


def _alike(asked: str, known: str) -> float:
    """Share of the asked words that the known text holds, 0 to 1."""
    words = asked.casefold().split()
    held = set(known.casefold().split())
    if len(words) == len(held) == 1:  # also how texts look whose language writes without spaces
        return float(asked.casefold() in known.casefold())
    return sum(word in held for word in words) / len(words)


def _by_time(reminders: Sequence[ReminderView]) -> list[ReminderView]:
    return sorted(reminders, key=lambda reminder: reminder.next_at)


def _one(request: Request, reminder: ReminderView) -> str:
    return request.say(
        "reminder_one",
        date=reminder.next_at.date().isoformat(),
        time=hhmm(reminder.next_at.time()),
        text=_to_user(request, reminder.text),
    )


def _to_user(request: Request, said: str) -> str:
    """A text as said back to the person ("call my mom" becomes "call your mom")."""
    return request.say("reminder_text", text=said)


SKILL = RemindersSkill()
