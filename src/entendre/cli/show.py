"""A turn drawn for a terminal: words, meaning, actions, and a bar of its time."""

from __future__ import annotations

import json

from entendre.cli.hearing import HeardTurn
from entendre.core.actions import action_to_json

BAR_CHARS = 48
_STAGES = (
    ("speech_end_s", "speech ended"),
    ("draft_s", "words were there"),
    ("understood_s", "understood"),
    ("commit_s", "turn committed"),
    ("first_audio_s", "reply began"),
)


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
        lines.append(f"   did         {kind} " + " ".join(f"{name}={value}" for name, value in document.items()))
    lines.append(f"   said        {turn.reply_text or '(nothing)'}")
    if not duration_s:
        return [*lines, f"   time        understood, done and spoken {turn.took_s * 1000:.0f} ms after the text came"]
    return lines + timeline_lines(turn.trace, duration_s)


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
    stages = "  ".join(f"{text} {(trace[name] - end_s) * 1000:+.0f} ms" for name, text in _STAGES[1:] if name in trace)
    return [f"   time        │{''.join(bar)}│ speech ended at {end_s:.2f} s", f"               {stages}"]
