"""Reads the spoken cases and scores a planner on them by what it does: right, wrong, or none.

A line is `home room: sentence => what is wanted`. Wanted actions are joined by `; ` and ways that are as good by `|`:
`id.trait=value`, `id.trait+` or `-` for a step, `scene id`, `timer seconds name`, `alarm time …`, `reminder text @ …`,
`add list item` and so on. `~words` wants an answer with these words and no action, `~~` introduces ways, `?` wants a
question, `-` that nothing is done.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from entendre.core.actions import action_to_json
from entendre.core.home import HomeSnapshot
from entendre.core.plan import DeviceView, Plan, World
from entendre.core.understanding import Understanding
from entendre.home.document import load_home

HERE = Path(__file__).parent
DAY = (2026, 11, 25, 10, 0)


@dataclass(frozen=True)
class Case:
    """One sentence in a room of a home, and what is wanted (empty: nothing may be done)."""

    home: str
    room: str
    text: str
    wanted: str


def cases(name: str) -> Iterator[Case]:
    """The cases of a file."""
    for line in (HERE / name).read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            place, _, rest = line.partition(": ")
            text, _, wanted = rest.partition(" => ")
            home, room = place.split()
            yield Case(home, room, text, wanted)


def homes() -> dict[str, HomeSnapshot]:
    """The homes of the cases."""
    return {path.stem: load_home(path) for path in sorted(HERE.glob("*.json"))}


def world_of(case: Case, home: HomeSnapshot) -> World:
    """The world that a case is said in: a Wednesday morning."""
    now = datetime(*DAY, tzinfo=ZoneInfo(home.time_zone))
    return World(now=now, home=home, device=DeviceView(id="speaker", room=case.room, volume=40))


def score(case: Case, understanding: Understanding, plan: Plan) -> str:
    """`right`, `wrong` (something else is done) or `none` (nothing is, and it should be)."""
    done = sorted(written(action_to_json(action)) for action in plan.actions)
    wanted = case.wanted
    if wanted in ("", "-"):
        return "wrong" if done else "right"
    if wanted == "?":
        return "wrong" if done else "right" if plan.expects_reply else "none"
    if wanted.startswith("~~"):
        ways = [way.split("; ") for way in wanted[2:].split("|")]
        if any(_fits(done, way) for way in ways):
            return "right"
        return "wrong" if done else "none"
    if wanted.startswith("~"):
        if done:
            return "wrong"
        answered = understanding.understood and wanted[1:] in plan.reply.casefold()
        return "right" if answered else "none"
    if _fits(done, wanted.split("; ")):
        return "right"
    return "wrong" if done else "none"


def _fits(done: list[str], wanted: list[str]) -> bool:
    return len(done) == len(wanted) and all(
        is_.startswith(want) for is_, want in zip(done, sorted(wanted), strict=True)
    )


def written(action: dict[str, Any]) -> str:
    """An action as the cases write it."""
    kind = action["type"]
    get = action.get
    if kind == "set_trait":
        value = get("value")
        return (
            f"{get('appliance')}.{get('trait')}={str(value).lower() if isinstance(value, bool | str) else f'{value:g}'}"
        )
    if kind == "adjust_trait":
        return f"{get('appliance')}.{get('trait')}{_sign(action)}"
    forms = {
        "activate_scene": "scene {scene}",
        "start_timer": "timer {seconds} {name}",
        "create_alarm": "alarm {time} {date} {days}",
        "create_reminder": "reminder {text} @ {date} {time} {days} {every}",
        "add_item": "add {list} {item}",
        "remove_item": "remove {list} {item}",
        "complete_item": "complete {list} {item}",
        "set_volume": "volume={percent:g}",
        "adjust_volume": "volume" + _sign(action),
        "set_muted": "muted={muted}",
        "control_media": "media {command} {query} {appliance}",
        "broadcast": "broadcast {text}",
        "stop_speaking": "stop",
        "stop_ringing": "stop",
    }
    values = {name: " ".join(value) if isinstance(value, list) else value for name, value in action.items()}
    if "muted" in values:
        values["muted"] = str(values["muted"]).lower()
    text = forms.get(kind, kind).format_map(_Blank(values))
    return " ".join(text.split())


def _sign(action: dict[str, Any]) -> str:
    return "+" if action.get("delta", 0) > 0 else "-"


class _Blank(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""
