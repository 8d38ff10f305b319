"""A line that says how far a long command is; only where a person looks at it."""

from __future__ import annotations

import sys
import time
from typing import Self

EVERY_S = 0.1


class ProgressLine:
    """`with ProgressLine() as line`, then `line.show(what, done, total)` from any thread."""

    def __init__(self) -> None:
        self._shown_s = 0.0
        self._what = ""
        self._seen = sys.stderr.isatty()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._seen and self._what:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()

    def show(self, what: str, done: int, total: int) -> None:
        """Say how far it is, ten times a second at most."""
        now_s = time.monotonic()
        if not self._seen or (what == self._what and now_s - self._shown_s < EVERY_S):
            return
        self._shown_s, self._what = now_s, what
        sys.stderr.write(f"\r\x1b[K{what}  {done:,} of {total:,}")
        sys.stderr.flush()
