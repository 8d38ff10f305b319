"""Alarms: set once or for weekdays, snooze, skip, move, switch on and off, ask."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Literal

from entendre.core.actions import ChangeAlarm, CreateAlarm, StopRinging
from entendre.core.plan import AlarmView, Plan
from entendre.skills.base import Request
from entendre.skills.slots import flag, same_name, seconds, text, weekdays
from entendre.skills.when import after, calendar_date, clock_time, hhmm, in_morning, is_ambiguous, moment, wall_now

DEFAULT_SNOOZE_S = 9 * 60
MAX_SNOOZE_S = 12 * 3600

FIRST_MORNING_HOUR = 4
"""An alarm for four to eleven o'clock is meant for the morning unless somebody says otherwise."""

Change = Literal["cancel", "enable", "disable", "skip", "move"]

_CHANGES: dict[str, Change] = {
    "AlarmCancel": "cancel",
    "AlarmEnable": "enable",
    "AlarmDisable": "disable",
    "AlarmSkip": "skip",
    "AlarmMove": "move",
}


class AlarmsSkill:
    """Plans everything about alarms."""

    name = "alarms"
    intents = frozenset({"AlarmSet", "AlarmSnooze", "AlarmNext", "AlarmList", *_CHANGES})
    by_sound = frozenset({"AlarmNext", "AlarmList"})

    async def plan(self, request: Request) -> Plan:
        """A plan for one alarm command."""
        match request.command.intent:
            case "AlarmSet":
                return _set(request)
            case "AlarmSnooze":
                return _snooze(request)
            case "AlarmNext":
                return _next(request)
            case "AlarmList":
                return _list(request)
            case intent:
                return _change(request, _CHANGES[intent])


@dataclass(frozen=True, slots=True)
class _Spoken:
    """The time and date that were said."""

    at: time
    on: date | None


def _spoken(request: Request, prefix: str = "") -> _Spoken | None:
    """The wall time of `time` and `date`, `datetime` or `duration` slots; None when none was said."""
    at, on = clock_time(request, f"{prefix}time"), calendar_date(request, f"{prefix}date")
    if at is not None:
        return _Spoken(_meant(request, at, f"{prefix}time", on), on)
    said = moment(request, f"{prefix}datetime")
    if said is not None:
        # A clock time alone is never past, so a past one of today was said with the word for today.
        today = said.date() == wall_now(request).date() and said > wall_now(request)
        at = _meant(request, said.time(), f"{prefix}datetime", None if today else said.date())
        return _Spoken(at, None if today else said.date())
    later = after(request)
    return None if later is None else _Spoken(later.time(), later.date())


def _meant(request: Request, at: time, slot: str, on: date | None) -> time:
    """The time that an alarm's hour most likely means: the morning, unless that has passed on the day said."""
    morning = in_morning(at)
    if not is_ambiguous(request, slot) or morning.hour == 0:
        return at
    if morning.hour < FIRST_MORNING_HOUR and not flag(request, "wake"):
        return at
    passed = on is not None and datetime.combine(on, morning) <= wall_now(request)
    return at if passed else morning


def _set(request: Request) -> Plan:
    days = weekdays(request)
    spoken = _spoken(request)
    name = text(request, "name")
    if spoken is None:
        return Plan(request.say("alarm_ask_time"), expects_reply=True, question="time")
    on = None if days else spoken.on
    if on is not None and datetime.combine(on, spoken.at) <= wall_now(request):
        return Plan(request.say("alarm_past"), refusal=True)
    at = hhmm(spoken.at)
    key = "alarm_set_days" if days else "alarm_set"
    reply = request.say(key, time=at, date=on.isoformat() if on else None, days=days, name=name)
    return Plan(reply, (CreateAlarm(at, on.isoformat() if on else None, days, name),))


def _snooze(request: Request) -> Plan:
    ringing = [alarm for alarm in request.world.alarms if alarm.ringing]
    if not ringing:
        return Plan(request.say("alarm_not_ringing"), refusal=True)
    length_s = seconds(request, "duration") or DEFAULT_SNOOZE_S
    if not 0 < length_s <= MAX_SNOOZE_S:
        return Plan(request.say("alarm_bad_snooze"), refusal=True)
    actions = tuple(ChangeAlarm(alarm.id, "snooze", seconds=length_s) for alarm in ringing)
    return Plan(request.say("alarm_snoozed", duration=length_s), actions)


def _next(request: Request) -> Plan:
    coming = [alarm for alarm in request.world.alarms if alarm.enabled and alarm.next_at is not None]
    if not coming:
        return Plan(request.say("alarm_none"))
    first = min(coming, key=lambda alarm: _when(alarm, request))
    return Plan(request.say("alarm_next", **_described(request, first)))


def _list(request: Request) -> Plan:
    alarms = sorted(request.world.alarms, key=lambda alarm: _when(alarm, request))
    days, on = weekdays(request), calendar_date(request)
    if days:
        alarms = [alarm for alarm in alarms if set(days) <= set(alarm.days)]
    if on is not None:
        alarms = [alarm for alarm in alarms if alarm.next_at and alarm.next_at.date() == on]
    if not alarms:
        return Plan(request.say("alarm_none_then" if on else "alarm_none"))
    if len(alarms) == 1:
        key = "alarm_one" if alarms[0].enabled else "alarm_one_off"
        return Plan(request.say(key, **_described(request, alarms[0])))
    labels = tuple(_label(request, alarm) for alarm in alarms)
    return Plan(request.say("alarm_several", count=len(alarms), labels=labels))


def _change(request: Request, change: Change) -> Plan:
    if change == "cancel" and any(a.ringing for a in request.world.alarms) and not _has_choice(request):
        return Plan(request.say("alarm_stopped"), (StopRinging(),))
    chosen = _resolve(request, change)
    if isinstance(chosen, Plan):
        return chosen
    if change == "move":
        return _move(request, chosen)
    reply_values = {"count": len(chosen), "label": _label(request, chosen[0])}
    reply = request.say(f"alarm_{change}" if len(chosen) == 1 else f"alarm_{change}_all", **reply_values)
    if len(chosen) > 1 and len(chosen) == len(request.world.alarms):
        return Plan(reply, (ChangeAlarm("all", change),))
    return Plan(reply, tuple(ChangeAlarm(alarm.id, change) for alarm in chosen))


def _move(request: Request, chosen: Sequence[AlarmView]) -> Plan:
    target = _spoken(request, "new_")
    if target is None:
        return Plan(request.say("alarm_ask_time"), expects_reply=True, question="new_time")
    at = hhmm(target.at)
    reply = request.say("alarm_move", label=_label(request, chosen[0]), time=at)
    return Plan(reply, tuple(ChangeAlarm(alarm.id, "move", time=at) for alarm in chosen))


def _has_choice(request: Request) -> bool:
    slots = request.command.slots
    return any(slots.get(name) for name in ("all", "name", "time", "datetime", "days", "date"))


def _resolve(request: Request, change: Change) -> Sequence[AlarmView] | Plan:
    """The alarms meant, or a plan that says none or asks which."""
    alarms = request.world.alarms
    if not alarms:
        return Plan(request.say("alarm_none"), refusal=True)
    fitting = [alarm for alarm in alarms if _matches(request, alarm)]
    if not fitting:
        return Plan(request.say("alarm_no_such"), refusal=True)
    state_fits = [alarm for alarm in fitting if _fits(alarm, change)]
    if not state_fits:
        return Plan(request.say(f"alarm_already_{change}", label=_label(request, fitting[0])))
    if flag(request, "all") or len(state_fits) == 1:
        return state_fits
    if change in ("skip", "move") or flag(request, "next"):
        coming = [alarm for alarm in state_fits if alarm.next_at is not None]
        if coming and (flag(request, "next") or change == "skip"):
            return [min(coming, key=lambda alarm: _when(alarm, request))]
    labels = tuple(_label(request, alarm) for alarm in state_fits)
    reply = request.say("alarm_ask_which", count=len(labels), labels=labels)
    return Plan(reply, expects_reply=True, refusal=True, question="time")


def _fits(alarm: AlarmView, change: Change) -> bool:
    if change == "enable":
        return not alarm.enabled
    if change in ("disable", "skip"):
        return alarm.enabled
    return True


def _matches(request: Request, alarm: AlarmView) -> bool:
    name, days, on = text(request, "name"), weekdays(request), calendar_date(request)
    at = clock_time(request)
    said = moment(request)
    if said is not None:
        at = said.time()
    slot = "time" if said is None else "datetime"
    if at is not None and not _same_time(alarm, at, ambiguous=is_ambiguous(request, slot)):
        return False
    if name and not (alarm.name and same_name(alarm.name, name)):
        return False
    if days and not set(days) <= set(alarm.days):
        return False
    return on is None or (alarm.next_at is not None and alarm.next_at.date() == on)


def _same_time(alarm: AlarmView, at: time, *, ambiguous: bool) -> bool:
    known = time.fromisoformat(alarm.time)
    return known == at or (ambiguous and in_morning(known) == in_morning(at))


def _when(alarm: AlarmView, request: Request) -> tuple[bool, float, str]:
    """Sorts alarms by their next ring, those without one last."""
    if alarm.next_at is None or not alarm.enabled:
        return True, 0.0, alarm.time
    return False, (alarm.next_at - request.world.now).total_seconds(), alarm.time


def _described(request: Request, alarm: AlarmView) -> dict[str, object]:
    on = alarm.next_at.date().isoformat() if alarm.next_at else alarm.date
    return {"time": alarm.time, "date": on, "days": alarm.days, "name": alarm.name, "label": _label(request, alarm)}


def _label(request: Request, alarm: AlarmView) -> str:
    on = alarm.next_at.date().isoformat() if alarm.next_at and not alarm.days else None
    return request.say("alarm_label", time=alarm.time, days=alarm.days, date=on, name=alarm.name)


SKILL = AlarmsSkill()
