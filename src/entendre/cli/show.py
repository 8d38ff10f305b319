"""A turn drawn for a terminal: words, meaning, actions, and a bar of its time."""

from __future__ import annotations

import json

from entendre.cli.hearing import HeardTurn
from entendre.core.actions import action_to_json

BAR_CHARS = 48
_STAGES = (
    ("speech_end_s", "speech ended"),
    ("draft_s", "words"),
    ("understood_s", "understood"),
    ("commit_s", "committed"),
    ("first_audio_s", "reply began"),
)
_TYPED = (("understood", "understood"), ("first_audio", "reply began"))


def turn_lines(title: str, turn: HeardTurn, duration_s: float) -> list[str]:
    """Everything about one turn; `duration_s` is 0 for one that was typed."""
    understanding, plan = turn.understanding, turn.plan
    came = "heard" if duration_s else "given"
    lines = [f"● {title}", f"   {came}       {turn.transcript or '(nothing)'}"]
    for command in understanding.commands if understanding else ():
        slots = json.dumps(dict(command.slots), ensure_ascii=False)
        lines.append(f"   understood  {command.intent} {slots}  ({command.confidence:.2f})")
    if understanding is None or not understanding.commands:
        lines.append(f"   understood  (nothing)  outcome {turn.outcome}")
    for action in plan.actions if plan else ():
        document = action_to_json(action)
        kind = document.pop("type")
        values = " ".join(f"{name}={_value(value)}" for name, value in document.items())
        lines.append(f"   did         {kind} {values}")
    lines.append(f"   said        {turn.reply_text or '(nothing)'}")
    if not duration_s:
        waits = (f"{text} +{turn.waited_s[name] * 1000:.0f} ms" for name, text in _TYPED if name in turn.waited_s)
        return [*lines, "   time        " + "  ".join(waits)]
    return lines + timeline_lines(turn.trace, duration_s)


def misheard_lines(title: str, turn: HeardTurn) -> list[str]:
    """What was heard of a command that was not what was said; nothing comes of it."""
    heard = f"   heard       {turn.transcript or '(nothing)'}"
    return [f"● {title}", heard, "   misheard    that is not what was said, so it goes on as text:"]


def timeline_lines(trace: dict[str, float], duration_s: float) -> list[str]:
    """A turn's times as a bar: ▓ speech, ░ waiting and working, ▶ the reply."""
    end_s, reply_s = trace.get("speech_end_s"), trace.get("first_audio_s")
    if end_s is None:
        return []
    last_s = max(duration_s, reply_s or 0.0, trace.get("commit_s", 0.0)) + 0.1

    def column(at_s: float) -> int:
        return min(BAR_CHARS - 1, max(0, round(at_s / last_s * BAR_CHARS)))

    bar = [" "] * BAR_CHARS
    begun, ended = column(trace.get("speech_start_s", 0.0)), column(end_s)
    bar[begun:ended] = "▓" * (ended - begun)
    until = column(reply_s if reply_s is not None else trace.get("commit_s", end_s))
    bar[ended:until] = "░" * (until - ended)
    if reply_s is not None:
        bar[until:] = "▶" * (BAR_CHARS - until)
    stages = "  ".join(f"{text} {(at_s - end_s) * 1000:+.0f} ms" for at_s, text in _in_order(trace))
    return [f"   time        │{''.join(bar)}│ speech ended at {end_s:.2f} s", f"               {stages}"]


def _in_order(trace: dict[str, float]) -> list[tuple[float, str]]:
    """When each stage came: a second look at the words may come after the turn's end."""
    return sorted((trace[name], text) for name, text in _STAGES[1:] if name in trace)


def _value(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
