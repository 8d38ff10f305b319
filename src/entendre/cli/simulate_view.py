"""What `entendre simulate fleet` shows: a screen that is drawn again in place, or lines where there is no terminal."""

from __future__ import annotations

import asyncio
import shutil
import sys
import time
from typing import Any, TextIO

from entendre.bench.simulate.fleet import FleetProgress

EVERY_S = 0.25
EVENTS = 7
BAR_CHARS = 24
WIDEST_CHARS = 100
_UP, _CLEAR_LINE, _CLEAR_BELOW = "\x1b[{0}A", "\x1b[2K", "\x1b[J"
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"
_BOLD, _DIM, _GREEN, _RED, _YELLOW, _PLAIN = "\x1b[1m", "\x1b[2m", "\x1b[32m", "\x1b[31m", "\x1b[33m", "\x1b[0m"
_STATES = {"finished": _GREEN, "running": _GREEN, "stopped": _RED, "aborted": _DIM, "paused": _YELLOW}


class Screen:
    """Draws in place until it is closed."""

    def __init__(self, progress: FleetProgress, out: TextIO) -> None:
        self._progress = progress
        self._out = out
        self._height = 0
        self._last = (time.monotonic(), 0)
        self._per_s = 0.0

    async def run(self) -> None:
        """Draw again and again, until cancelled."""
        self._out.write(_HIDE)
        try:
            while True:
                self._draw()
                await asyncio.sleep(EVERY_S)
        finally:
            self._draw()
            self._out.write(_SHOW)
            self._out.flush()

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        width = min(size.columns, WIDEST_CHARS) - 1
        lines = [cut(line, width) for line in self._lines()][: max(4, size.lines - 1)]
        up = _UP.format(self._height) if self._height else ""
        self._out.write(up + "".join(f"{_CLEAR_LINE}{line}{_PLAIN}\n" for line in lines) + _CLEAR_BELOW)
        self._out.flush()
        self._height = len(lines)

    def _lines(self) -> list[str]:
        progress = self._progress
        since = clock(time.monotonic() - progress.started_s)
        lines = [
            f"{_BOLD}Simulated fleet{_PLAIN}  {progress.devices:,} devices  {since}",
            "",
            *(f"  {_GREEN}✓{_PLAIN} {name:<18} {seconds:7.1f} s" for name, seconds in progress.steps),
        ]
        if progress.phase not in (name for name, _ in progress.steps):
            bar = f"  {bar_of(progress.done, 0, progress.devices)} {progress.done:,}" if progress.done else ""
            lines.append(f"  {_YELLOW}›{_PLAIN} {progress.phase:<18}{bar}")
        lines += ["", *rollout_lines(progress.rollout), *self._numbers(), ""]
        lines += [f"  {_DIM}{clock(at_s)}{_PLAIN}  {text}" for at_s, text in list(progress.events)[-EVENTS:]]
        return lines

    def _numbers(self) -> list[str]:
        progress, now_s = self._progress, time.monotonic()
        sent, again = (progress.requests.sent, progress.requests.again) if progress.requests is not None else (0, 0)
        since_s = now_s - self._last[0]
        if since_s >= 1.0:
            self._per_s = (sent - self._last[1]) / since_s
            self._last = (now_s, sent)
        versions = "   ".join(f"{each} {number:,}" for each, number in sorted(progress.firmware.items()) if number)
        return [
            f"  {'firmware':<10}{versions or '-'}",
            f"  {'requests':<10}{sent:,}   {self._per_s:,.0f}/s   {again:,} sent again",
        ]


def rollout_lines(rollout: dict[str, Any] | None) -> list[str]:
    """A rollout's groups, each with a bar: succeeded, failed, and what is left."""
    if rollout is None:
        return []
    state = f"{_STATES.get(rollout['state'], _YELLOW)}{rollout['state'].replace('_', ' ')}{_PLAIN}"
    reason = f" ({rollout['reason'].replace('_', ' ')})" if rollout["reason"] else ""
    lines = [f"  {_BOLD}{rollout['number']}{_PLAIN}  {state}{reason}"]
    for group in rollout["groups"]:
        failed = group["failed"] + group["timed_out"]
        under_way = group["offered"] + group["downloading"] + group["installing"]
        color = "" if group["started"] else _DIM
        said = f"{group['succeeded']:>6,} of {group['total']:<6,} failed {failed} of at most {group['limit']}"
        name = group["name"] or f"group {group['number'] + 1}"
        lines.append(
            f"  {color}{name[:9]:<10}{bar_of(group['succeeded'], failed, group['total'])}{color} {said}"
            f"  {under_way} under way"
        )
    return [*lines, ""]


class Lines:
    """Says what happens, line by line."""

    def __init__(self, progress: FleetProgress, out: TextIO) -> None:
        self._progress = progress
        self._out = out
        self._said: tuple[float, str] | None = None

    async def run(self) -> None:
        """Say what is new again and again, until cancelled."""
        try:
            while True:
                self._say()
                await asyncio.sleep(EVERY_S)
        finally:
            self._say()

    def _say(self) -> None:
        events = list(self._progress.events)
        start = events.index(self._said) + 1 if self._said in events else 0
        for at_s, text in events[start:]:
            print(f"{clock(at_s)}  {text}", file=self._out, flush=True)
        self._said = events[-1] if events else self._said


def view_of(progress: FleetProgress, *, as_json: bool) -> Screen | Lines:
    """The view for where output goes: events go to standard error where figures are to be read by a program."""
    if as_json:
        return Lines(progress, sys.stderr)
    return Screen(progress, sys.stdout) if sys.stdout.isatty() else Lines(progress, sys.stdout)


def bar_of(succeeded: int, failed: int, total: int) -> str:
    """A bar of what succeeded, what failed and what is left."""
    whole = max(1, total)
    bad = min(BAR_CHARS, -(-failed * BAR_CHARS // whole))
    good = min(BAR_CHARS - bad, succeeded * BAR_CHARS // whole)
    return f"{_GREEN}{'█' * good}{_RED}{'█' * bad}{_PLAIN}{_DIM}{'░' * (BAR_CHARS - good - bad)}{_PLAIN}"


def clock(seconds: float) -> str:
    """Minutes and seconds."""
    return f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"


def cut(line: str, width: int) -> str:
    """A line as wide as the terminal at most; colours take no room."""
    shown, at = 0, 0
    while at < len(line):
        if line[at] == "\x1b":
            at = line.index("m", at) + 1
            continue
        shown += 1
        if shown > width:
            return line[:at]
        at += 1
    return line
