"""What a person reads in a terminal: columns that line up, times in words, colours where they are wanted, progress."""

from __future__ import annotations

import os
import shutil
import sys
import time
import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import TextIO

MINUTE_S, HOUR_S, DAY_S = 60.0, 3_600.0, 86_400.0
TAIL_CHARS = 8
"""How much of an id is shown: its end is random, its beginning the time."""
MIN_COLUMN = 6
BAR_WIDTH = 28
_GREEN, _YELLOW, _RED, _DIM, _BOLD = "32", "33", "31", "2", "1"
_GOOD = frozenset(
    {"active", "online", "published", "done", "finished", "succeeded", "complete", "enabled", "given", "yes"}
)
_WAITING = frozenset(
    {"paused", "queued", "delivered", "draft", "waiting", "registered", "running", "offered", "installing", "pending"}
)
_BAD = frozenset({"failed", "revoked", "aborted", "stopped", "withdrawn", "expired", "disabled", "erased"})


def wants_colour(stream: TextIO) -> bool:
    """Colours are for terminals, and for nobody who set NO_COLOR. Source: no-color.org."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def coloured(text: str, code: str, wanted: bool) -> str:
    """The text in a colour."""
    return f"\x1b[{code}m{text}\x1b[0m" if wanted and text.strip() else text


def printable(text: str) -> str:
    """A text on one line that steers no terminal, whatever it holds."""
    return "".join(each if each.isprintable() else "·" for each in text)


def width_of(text: str) -> int:
    """The columns that a text takes."""
    return sum(_width(each) for each in text)


def _width(character: str) -> int:
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in ("W", "F") else 1


def cut(text: str, width: int) -> str:
    """A text within a number of columns, an ellipsis for what was left out."""
    if width_of(text) <= width:
        return text
    kept, used = "", 0
    for character in text:
        used += _width(character)
        if used > width - 1:
            break
        kept += character
    return f"{kept}…"


def padded(text: str, width: int) -> str:
    """A text filled up with spaces."""
    return text + " " * max(0, width - width_of(text))


def table(titles: Sequence[str], rows: Sequence[Sequence[str]], stream: TextIO | None = None) -> str:
    """Rows under titles, aligned; cut to the terminal's width where it is one, whole in a pipe."""
    stream = stream or sys.stdout
    colour = wants_colour(stream)
    cells = [[printable(cell) or "-" for cell in row] for row in rows]
    widths = [max([width_of(title), *(width_of(row[at]) for row in cells)]) for at, title in enumerate(titles)]
    if stream.isatty():
        narrow(widths, [width_of(title) for title in titles], shutil.get_terminal_size().columns)
    lines = [coloured(_line(titles, widths), _BOLD, colour)]
    for row in cells:
        shown = [padded(cut(cell, width), width) for cell, width in zip(row, widths, strict=True)]
        lines.append("  ".join(coloured(cell, colour_of(cell.strip()), colour) for cell in shown).rstrip())
    return "\n".join(lines)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(padded(cut(cell, width), width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def narrow(widths: list[int], least: Sequence[int], columns: int) -> None:
    """Take from the widest columns what does not fit."""
    floor = [max(MIN_COLUMN, each) for each in least]
    while sum(widths) + 2 * (len(widths) - 1) > columns:
        at = max(range(len(widths)), key=lambda each: widths[each] - floor[each])
        if widths[at] <= floor[at]:
            return
        widths[at] -= 1


def colour_of(cell: str) -> str:
    """The colour of a state; plain for what is none."""
    word = cell.split(" ")[0]
    if word in _GOOD:
        return _GREEN
    if word in _WAITING:
        return _YELLOW
    return _RED if word in _BAD else "0"


def fields(pairs: Sequence[tuple[str, str]], stream: TextIO | None = None) -> str:
    """One thing, a line for each of its fields."""
    stream = stream or sys.stdout
    colour = wants_colour(stream)
    width = max((width_of(name) for name, _ in pairs), default=0)
    lines = []
    for name, value in pairs:
        first, *more = [printable(line) for line in value.split("\n")] or [""]
        shown = coloured(first or "-", colour_of(first), colour)
        lines.append(f"{coloured(padded(name, width), _DIM, colour)}  {shown}".rstrip())
        lines += [f"{' ' * width}  {line}" for line in more]
    return "\n".join(lines)


def short(id_: str) -> str:
    """The end of an id: enough to name it by."""
    return id_[-TAIL_CHARS:] if len(id_) == 36 else id_


def moment(at_s: float | None, now_s: float | None = None) -> str:
    """A time in words, or as the local date where it is far away."""
    if at_s is None:
        return "-"
    away_s = at_s - (time.time() if now_s is None else now_s)
    if abs(away_s) >= DAY_S:
        return datetime.fromtimestamp(at_s).strftime("%Y-%m-%d %H:%M")
    text = span(abs(away_s))
    if text == "0 s":
        return "now"
    return f"in {text}" if away_s > 0 else f"{text} ago"


def span(seconds: float) -> str:
    """A length of time, one number."""
    if seconds < MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < HOUR_S:
        return f"{seconds / MINUTE_S:.0f} min"
    return f"{seconds / HOUR_S:.0f} h" if seconds < 2 * DAY_S else f"{seconds / DAY_S:.0f} days"


def size(count_bytes: float) -> str:
    """A number of bytes that a person can compare."""
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count_bytes < 1024 or unit == "GiB":
            return f"{count_bytes:.0f} {unit}" if unit == "B" else f"{count_bytes:.1f} {unit}"
        count_bytes /= 1024
    return ""


def bar(part: float, whole: float, width: int = BAR_WIDTH) -> str:
    """A bar and a percentage."""
    share = min(1.0, part / whole) if whole > 0 else 0.0
    full = int(share * width)
    return f"{'█' * full}{'░' * (width - full)} {share:4.0%}"


class Progress:
    """A line that is written over while something runs; silent where nobody watches."""

    def __init__(self, label: str, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._label = label
        self._shown = self._stream.isatty() and not quiet
        self._next = 0.0

    def __call__(self, part: int, whole: int) -> None:
        """Show how far it is; at most ten times a second."""
        now = time.monotonic()
        if not self._shown or (now < self._next and part < whole):
            return
        self._next = now + 0.1
        line = f"{self._label}  {bar(part, whole)}  {size(part)} of {size(whole)}"
        self._stream.write(f"\r\x1b[2K{cut(line, shutil.get_terminal_size().columns - 1)}")
        self._stream.flush()

    def done(self) -> None:
        """Leave the line."""
        if self._shown:
            self._stream.write("\r\x1b[2K")
            self._stream.flush()
