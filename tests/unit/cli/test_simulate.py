"""What `entendre simulate fleet` shows and takes."""

from __future__ import annotations

import io
import re

import pytest

from entendre.bench.simulate.fleet import FleetProgress
from entendre.cli import main
from entendre.cli.simulate_view import BAR_CHARS, Screen, bar_of, clock, cut, rollout_lines


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text)


@pytest.mark.parametrize(("succeeded", "failed", "total"), [(0, 0, 0), (5, 1, 9), (9, 0, 9), (8, 1, 9), (0, 9, 9)])
def test_a_bar_is_always_as_long(succeeded: int, failed: int, total: int) -> None:
    bar = plain(bar_of(succeeded, failed, total))
    assert len(bar) == BAR_CHARS
    assert ("█" in bar) is bool(succeeded or failed)


def test_a_line_is_cut_without_its_colours_counting() -> None:
    assert cut("\x1b[32mabc\x1b[0mdef", 4) == "\x1b[32mabc\x1b[0md"
    assert cut("abc", 3) == "abc"
    assert clock(125.9) == "02:05"


def test_a_screen_is_drawn_in_place() -> None:
    progress = FleetProgress(10)
    progress.rollout = {
        "number": "2.0.0",
        "state": "stopped",
        "reason": "error_threshold of group 1",
        "groups": [
            {"name": "", "number": 0, "started": True, "limit": 1, "total": 10, "succeeded": 3, "failed": 1}
            | {"timed_out": 0, "offered": 1, "downloading": 0, "installing": 1}
        ],
    }
    lines = [plain(each) for each in rollout_lines(progress.rollout)]
    assert lines[0] == "  2.0.0  stopped (error threshold of group 1)"
    assert "3 of 10" in lines[1]
    assert "failed 1 of at most 1" in lines[1]
    assert "2 under way" in lines[1]
    out = io.StringIO()
    screen = Screen(progress, out)
    screen._draw()
    first = out.getvalue().count("\n")
    screen._draw()
    assert f"\x1b[{first}A" in out.getvalue()


@pytest.mark.parametrize(
    "flags", [["--groups", "1,100"], ["--groups", "1,10,90"], ["--fail", "x"], ["--devices", "1"], ["--fail", "101"]]
)
def test_what_makes_no_sense_is_refused(flags: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["simulate", "fleet", *flags]) == 1
    assert "invalid_input" in capsys.readouterr().err
