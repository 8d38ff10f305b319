"""Keeps strangers from filling the log: of lines that come again and again some are written, the rest counted."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from entendre.core.allowance import Allowance

LINES_PER_S = 5.0
LINES_BURST = 500
MAX_KINDS = 1_000
"""Kinds of lines that are told apart; beyond that all are forgotten, and written again."""


class Repeats(logging.Filter):
    """Bounds how often each kind of line is written; errors always are."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock = clock
        self._kinds: dict[tuple[str, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to write a line. One that follows others that were not written says how many."""
        if record.levelno >= logging.ERROR:
            return True
        kind = self._kind(record.name, str(record.msg))
        if not kind.allowance.take(self._clock()):
            kind.unwritten += 1
            return False
        if kind.unwritten:
            record.msg, record.args = f"{record.getMessage()} (and {kind.unwritten} more)", ()
            kind.unwritten = 0
        return True

    def _kind(self, name: str, line: str) -> _Kind:
        key = (name, line)
        if key not in self._kinds:
            if len(self._kinds) >= MAX_KINDS:
                self._kinds.clear()
            self._kinds[key] = _Kind(Allowance(LINES_PER_S, LINES_BURST, self._clock()))
        return self._kinds[key]


class _Kind:
    """Lines of one logger with the same text before its values are filled in."""

    __slots__ = ("allowance", "unwritten")

    def __init__(self, allowance: Allowance) -> None:
        self.allowance = allowance
        self.unwritten = 0
