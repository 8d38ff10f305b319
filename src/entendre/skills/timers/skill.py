"""Timers: start, lengthen, pause, cancel and ask, one or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from entendre.core.actions import ChangeTimer, StartTimer, StopRinging
from entendre.core.plan import Plan, TimerView
from entendre.skills.base import Request, Say
from entendre.skills.slots import flag, number, same_name, seconds, text

MAX_TIMER_S = 7 * 24 * 3600
"""A longer countdown is a reminder, not a timer."""

Change = Literal["pause", "resume", "cancel", "restart", "add"]

_CHANGES: dict[str, Change] = {
    "TimerPause": "pause",
    "TimerResume": "resume",
    "TimerCancel": "cancel",
    "TimerRestart": "restart",
}


class TimersSkill:
    """Plans everything about countdowns."""

    name = "timers"
    intents = frozenset({"TimerStart", "TimerAdd", "TimerRemove", "TimerStatus", *_CHANGES})
    by_sound = frozenset({"TimerStatus", "TimerPause", "TimerResume"})

    async def plan(self, request: Request) -> Plan:
        """A plan for one timer command."""
        match request.command.intent:
            case "TimerStart":
                return _start(request)
            case "TimerStatus":
                return _status(request)
            case "TimerAdd" | "TimerRemove":
                return _add(request)
            case intent:
                return _change(request, _CHANGES[intent])


def _start(request: Request) -> Plan:
    length_s, name = seconds(request, "duration"), text(request, "name")
    if length_s is None:
        return Plan(request.say("timer_ask_length", name=name), expects_reply=True, question="duration")
    if length_s <= 0 or length_s > MAX_TIMER_S:
        return Plan(request.say("timer_bad_length"), refusal=True)
    lengths = (length_s,) if (first_s := _first_s(request, length_s)) is None else (first_s, length_s)
    replies = [request.say("timer_started", duration=each, name=name) for each in lengths]
    return Plan(" ".join(replies), tuple(StartTimer(each, name) for each in lengths))


def _first_s(request: Request, length_s: int) -> int | None:
    """The other length of two that were said at once; a bare number is in the unit of the last ("5 and 10 minutes")."""
    count = number(request, "first_count")
    if count is None:
        return seconds(request, "first")
    unit_s = next(unit_s for unit_s in (3600, 60, 1) if length_s % unit_s == 0)
    return int(count * unit_s)


def _status(request: Request) -> Plan:
    chosen = _matching(request)
    if not chosen:
        return Plan(_none(request))
    if len(chosen) == 1:
        return Plan(_one_status(request.say, chosen[0], named=chosen[0].name is not None))
    parts = [_one_status(request.say, timer, named=True) for timer in sorted(chosen, key=lambda t: t.remaining_s)]
    return Plan(" ".join([request.say("timer_count", count=len(chosen)), *parts]))


def _one_status(say: Say, timer: TimerView, *, named: bool) -> str:
    key = "timer_ringing" if timer.ringing else "timer_paused_left" if timer.paused else "timer_left"
    label = say("timer_that", label=_label(say, timer)) if named else say("timer_this")
    return say(key, duration=_left_s(timer), label=label)


def _added_s(request: Request) -> int | None:
    """The length to add or take off: "five minutes", or "five more minutes" as a count and a unit."""
    count, unit_s = number(request, "count"), number(request, "time_unit")
    if count is not None and unit_s is not None:
        return round(count * unit_s)
    return seconds(request, "duration")


def _add(request: Request) -> Plan:
    length_s = _added_s(request)
    if length_s is None:
        return Plan(request.say("timer_ask_change"), expects_reply=True, question="duration")
    chosen = _resolve(request, _running(request))
    if isinstance(chosen, Plan):
        return chosen
    signed_s = length_s if request.command.intent == "TimerAdd" else -length_s
    if any(timer.remaining_s + signed_s <= 0 for timer in chosen):
        return Plan(request.say("timer_too_short", duration=_left_s(chosen[0])), refusal=True)
    key = "timer_added" if signed_s > 0 else "timer_removed"
    reply = request.say(key, duration=length_s, left=_left_s(chosen[0]) + signed_s if len(chosen) == 1 else None)
    return Plan(reply, tuple(ChangeTimer(timer.id, "add", signed_s) for timer in chosen))


def _change(request: Request, change: Change) -> Plan:
    candidates = _matching(request)
    if change == "cancel" and _only_ringing(request, candidates):
        return Plan(request.say("timer_stopped"), (StopRinging(),))
    fitting = [timer for timer in candidates if _fits(timer, change)]
    if candidates and not fitting:
        return Plan(request.say(f"timer_already_{change}", count=len(candidates)))
    chosen = _resolve(request, fitting)
    if isinstance(chosen, Plan):
        return chosen
    if len(chosen) == 1:
        reply = request.say(f"timer_{change}", label=_reply_label(request, chosen[0]), duration=_left_s(chosen[0]))
        return Plan(reply, (ChangeTimer(chosen[0].id, change),))
    reply = request.say(f"timer_{change}_all", count=len(chosen))
    if len(chosen) == len(request.world.timers):
        return Plan(reply, (ChangeTimer("all", change),))
    return Plan(reply, tuple(ChangeTimer(timer.id, change) for timer in chosen))


def _only_ringing(request: Request, candidates: Sequence[TimerView]) -> bool:
    named = text(request, "name") or seconds(request, "length") is not None
    return not flag(request, "all") and any(t.ringing for t in candidates) and (not named or len(candidates) == 1)


def _fits(timer: TimerView, change: Change) -> bool:
    if change == "pause":
        return not timer.paused and not timer.ringing
    if change == "resume":
        return timer.paused
    return True


def _running(request: Request) -> list[TimerView]:
    return [timer for timer in _matching(request) if not timer.ringing]


def _matching(request: Request) -> list[TimerView]:
    """Timers that fit the name or the length asked for; without either, all of them."""
    timers = list(request.world.timers)
    length_s, name = seconds(request, "length"), text(request, "name")
    if length_s is not None:
        timers = [timer for timer in timers if timer.total_s == length_s]
    if name:
        timers = [timer for timer in timers if timer.name and same_name(timer.name, name)]
    return timers


def _resolve(request: Request, timers: Sequence[TimerView]) -> Sequence[TimerView] | Plan:
    """The timers meant, or a plan that says none or asks which."""
    if not timers:
        return Plan(_none(request), refusal=True)
    if flag(request, "all") or len(timers) == 1:
        return timers
    here = [timer for timer in timers if timer.device and timer.device == request.world.device.id]
    if len(here) == 1:
        return here
    labels = tuple(_label(request.say, timer) for timer in timers)
    reply = request.say("timer_ask_which", count=len(timers), labels=labels)
    return Plan(reply, expects_reply=True, refusal=True, question="name")


def _none(request: Request) -> str:
    name, length_s = text(request, "name"), seconds(request, "length")
    if request.world.timers and (name or length_s is not None):
        return request.say("timer_no_such", name=name, length=length_s)
    return request.say("timer_none")


def _reply_label(request: Request, timer: TimerView) -> str:
    if len(request.world.timers) == 1 and timer.name is None:
        return request.say("timer_this")
    return request.say("timer_that", label=_label(request.say, timer))


def _label(say: Say, timer: TimerView) -> str:
    if timer.name:
        return say("timer_label_name", name=timer.name)
    return say("timer_label_length", duration=timer.total_s)


def _left_s(timer: TimerView) -> int:
    return max(0, round(timer.remaining_s))


SKILL = TimersSkill()
