"""What a person reads: aligned whatever the script, never wider than the terminal, and steering it by nothing."""

from __future__ import annotations

import io
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from entendre.cli.fleet.terminal import (
    Progress,
    bar,
    cut,
    fields,
    moment,
    narrow,
    padded,
    printable,
    short,
    size,
    span,
    table,
    wants_colour,
    width_of,
)


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 40 columns that takes colours."""
    monkeypatch.setattr("shutil.get_terminal_size", lambda: os.terminal_size((40, 24)))
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    return Terminal()


def test_columns_line_up_whatever_the_script() -> None:
    text = table(("NAME", "STATE"), [("kitchen", "active"), ("厨房的音箱", "revoked"), ("é", "")], io.StringIO())
    assert text.splitlines() == [
        "NAME        STATE",
        "kitchen     active",
        "厨房的音箱  revoked",
        "é           -",
    ]


def test_a_pipe_gets_everything_and_no_colour() -> None:
    text = table(("NAME",), [("x" * 500,)], io.StringIO())
    assert text == f"NAME\n{'x' * 500}"


def test_a_terminal_gets_what_fits_and_colours(terminal: Terminal) -> None:
    text = table(("NAME", "STATE"), [("x" * 80, "failed")], terminal)
    plain = text.replace("\x1b[0m", "").replace("\x1b[31m", "").replace("\x1b[1m", "")
    assert "\x1b[31mfailed" in text
    assert max(width_of(line) for line in plain.splitlines()) == 40
    assert "…" in plain


@pytest.mark.parametrize(("name", "value"), [("NO_COLOR", "1"), ("TERM", "dumb")])
def test_nobody_gets_colours_who_does_not_want_them(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    assert wants_colour(terminal)
    monkeypatch.setenv(name, value)
    assert not wants_colour(terminal)
    assert "\x1b" not in table(("STATE",), [("failed",)], terminal)
    assert "\x1b" not in fields([("state", "failed")], terminal)


def test_a_name_steers_no_terminal() -> None:
    assert printable("a\x1b]0;x\x07b\nc\u202e") == "a·]0;x·b·c·"
    assert "\x1b" not in table(("NAME",), [("\x1b[2J",)], io.StringIO())
    assert "\x1b" not in fields([("name", "\x1b[2J\nline")], io.StringIO())


@given(st.text("ab厨é́ ", max_size=12), st.integers(1, 12))
def test_a_cut_text_fits(text: str, width: int) -> None:
    assert width_of(cut(text, width)) <= width
    assert width_of(padded(cut(text, width), width)) == width


@given(st.lists(st.integers(1, 200), min_size=1, max_size=8), st.integers(20, 200))
def test_columns_give_way_to_the_widest_first(widths: list[int], columns: int) -> None:
    before = list(widths)
    narrow(widths, [1] * len(widths), columns)
    assert all(new <= old for new, old in zip(widths, before, strict=True))
    assert sum(widths) + 2 * (len(widths) - 1) <= columns or all(
        new <= max(6, 0) or new == old for new, old in zip(widths, before, strict=True)
    )


@pytest.mark.parametrize(
    ("at_s", "text"),
    [
        (None, "-"),
        (1000.0, "now"),
        (990.0, "10 s ago"),
        (1000.0 - 130, "2 min ago"),
        (1000.0 + 7200, "in 2 h"),
    ],
)
def test_a_time_is_said_as_a_person_would(at_s: float | None, text: str) -> None:
    assert moment(at_s, 1000.0) == text


def test_a_time_far_away_is_a_date() -> None:
    assert moment(0.0, 10**9).startswith(("1970-01-01", "1969-12-31"))
    assert span(3 * 86_400) == "3 days"


def test_sizes_and_bars() -> None:
    assert [size(each) for each in (0, 1023, 1536, 5 * 1024**3)] == ["0 B", "1023 B", "1.5 KiB", "5.0 GiB"]
    assert bar(1, 2, 4) == "██░░  50%"
    assert bar(0, 0, 4) == "░░░░   0%"
    assert bar(9, 2, 4) == "████ 100%"


def test_an_id_is_named_by_its_end() -> None:
    assert short("0193a1b2-0000-7000-8000-0000deadbeef") == "deadbeef"
    assert short("kitchen") == "kitchen"


def test_progress_writes_over_its_line_and_only_for_a_person(terminal: Terminal) -> None:
    progress = Progress("upload", terminal)
    for part in range(101):
        progress(part, 100)
    progress.done()
    assert terminal.getvalue().count("\n") == 0
    assert 2 <= terminal.getvalue().count("\r") < 50
    pipe = io.StringIO()
    Progress("upload", pipe)(1, 2)
    assert pipe.getvalue() == ""
