"""A rollout drawn in a terminal, once or for as long as it goes on."""

from __future__ import annotations

import asyncio
import re
import shutil
import sys
from typing import TYPE_CHECKING, Any, TextIO

from entendre.cli.fleet.records import plain
from entendre.cli.fleet.terminal import colour_of, coloured, moment, short, table, wants_colour, width_of

if TYPE_CHECKING:
    from entendre.clients.api import Entendre

EVERY_S = 1.0
WAITS = frozenset({"draft", "awaiting_approval", "paused", "stopped", "finished", "aborted"})
"""States that a rollout does not leave by itself."""
FAILED_STATES = frozenset({"stopped", "aborted"})
BAR = 30
_CODES = re.compile(r"\x1b\[[0-9;]*m")
_UNDER_WAY = ("offered", "downloading", "installing")


def drawn(record: object, stream: TextIO | None = None) -> str:
    """A rollout: a line of its own, a bar for each group, and what can be done next."""
    stream = stream or sys.stdout
    rollout = plain(record)
    colour = wants_colour(stream)
    name = rollout["name"] or short(rollout["id"])
    why = f" ({rollout['reason'].replace('_', ' ')})" if rollout["reason"] else ""
    state = coloured(rollout["state"].replace("_", " ") + why, colour_of(rollout["state"]), colour)
    head = f"{name}: release {rollout['number']}  {state}"
    if rollout["started_at_s"] is not None:
        head += f"  started {moment(rollout['started_at_s'])}"
    lines = [head]
    if rollout["groups"]:
        lines += ["", _groups(rollout["groups"], stream)]
    hint = _hint(rollout)
    return "\n".join([*lines, *(["", hint] if hint else [])])


def _groups(groups: list[dict[str, Any]], stream: TextIO) -> str:
    titles = ("GROUP", "", "DONE", "WAIT", "UNDER WAY", "FAILED", "MAY FAIL")
    rows = []
    for each in groups:
        failed = each["failed"] + each["timed_out"]
        under_way = sum(each[name] for name in _UNDER_WAY)
        name = each["name"] or str(each["number"] + 1)
        done = f"{each['succeeded']}/{each['total']}"
        rows.append(
            (name, _bar(each, failed), done, str(each["waiting"]), str(under_way), str(failed), str(each["limit"]))
        )
    return table(titles, rows, stream)


def _bar(group: dict[str, Any], failed: int) -> str:
    total = int(group["total"]) or 1
    good = round(int(group["succeeded"]) / total * BAR)
    bad = min(BAR - good, max(round(failed / total * BAR), 1 if failed else 0))
    going = min(BAR - good - bad, round(sum(int(group[name]) for name in _UNDER_WAY) / total * BAR))
    return "█" * good + "×" * bad + "▒" * going + "░" * (BAR - good - bad - going)


def _hint(rollout: dict[str, Any]) -> str:
    named = str(rollout["name"]) or short(str(rollout["id"]))
    match str(rollout["state"]):
        case "finished" if not any(each["total"] for each in rollout["groups"]):
            return "No device was in it: it takes those of the product that connected once and run nothing newer."
        case "draft":
            return f"entendre rollout start {named}"
        case "awaiting_approval":
            return f"The next group waits for you: entendre rollout approve {named}"
        case "paused":
            return f"entendre rollout resume {named}"
        case "stopped":
            return f"It stopped itself. entendre rollout devices {named} --state failed, then retry or abort"
    return ""


async def watch(client: Entendre, brand: str, rollout: str, *, as_json: bool = False) -> int:
    """Draw a rollout until it ends or waits for somebody; the exit status, 1 if it stopped itself or was aborted."""
    import json

    view = _Screen(sys.stdout)
    last: object = None
    try:
        while True:
            record = await client.rollouts.get(brand, rollout)
            if as_json:
                if plain(record) != last:
                    print(json.dumps(plain(record), ensure_ascii=False), flush=True)
                last = plain(record)
            else:
                view.show(drawn(record))
            state = str(plain(record)["state"])
            if state in WAITS:
                return 1 if state in FAILED_STATES else 0
            await asyncio.sleep(EVERY_S)
    finally:
        view.leave()


class _Screen:
    """Draws over what it drew before, on a terminal; elsewhere prints what is new."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self._live = stream.isatty()
        self._lines = 0
        self._last = ""

    def show(self, text: str) -> None:
        if text == self._last:
            return
        if not self._live:
            self._stream.write(f"{text}\n" if not self._last else f"\n{text}\n")
        else:
            up = f"\x1b[{self._lines}F" if self._lines else "\x1b[?25l"
            columns = shutil.get_terminal_size().columns
            lines = text.split("\n")
            self._stream.write(up + "".join(f"\x1b[2K{line}\n" for line in lines) + "\x1b[J")
            self._lines = sum(max(1, -(-width_of(_CODES.sub("", line)) // columns)) for line in lines)
        self._stream.flush()
        self._last = text

    def leave(self) -> None:
        if self._live:
            self._stream.write("\x1b[?25h")
            self._stream.flush()
