"""A log that strangers can't fill."""

from __future__ import annotations

import logging

import pytest

from entendre.cli.repeats import LINES_BURST, LINES_PER_S, MAX_KINDS, Repeats


class Log:
    """A logger's handler with the filter, on a clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.repeats = Repeats(lambda: self.now_s)
        self.lines: list[str] = []

    def say(self, text: str, *args: object, level: int = logging.INFO, name: str = "door") -> None:
        record = logging.LogRecord(name, level, "", 0, text, args, None)
        if self.repeats.filter(record):
            self.lines.append(record.getMessage())


@pytest.fixture
def log() -> Log:
    return Log()


def test_what_repeats_is_counted_and_said_once_there_is_room(log: Log) -> None:
    for number in range(10_000):
        log.say("refused: %d", number)
    assert len(log.lines) == LINES_BURST
    log.now_s += 1 / LINES_PER_S
    log.say("refused: %d", 10_000)
    assert log.lines[-1] == f"refused: 10000 (and {10_000 - LINES_BURST} more)"
    log.now_s += 1 / LINES_PER_S
    log.say("refused: %d", 10_001)
    assert log.lines[-1] == "refused: 10001"


def test_one_kind_of_line_costs_no_other_its_place(log: Log) -> None:
    for _ in range(10_000):
        log.say("refused")
    log.say("ready")
    log.say("refused", name="window")
    assert log.lines[-2:] == ["ready", "refused"]


def test_every_error_is_written(log: Log) -> None:
    for _ in range(2 * LINES_BURST):
        log.say("broken", level=logging.ERROR)
    assert len(log.lines) == 2 * LINES_BURST


def test_kinds_are_bounded(log: Log) -> None:
    for number in range(3 * MAX_KINDS):
        log.say(f"line {number}")
    assert len(log.lines) == 3 * MAX_KINDS
    assert len(log.repeats._kinds) <= MAX_KINDS
