"""The real clock and real randomness: the only place that asks the operating system for either."""

from __future__ import annotations

import os
import time

from entendre.core.ids import ENTROPY_BYTES, uuid7


class SystemClock:
    """The machine's clocks."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        return time.monotonic()

    def wall(self) -> float:
        """Unix seconds, UTC."""
        return time.time()


def new_id() -> str:
    """A fresh UUIDv7."""
    return uuid7(time.time_ns() // 1_000_000, os.urandom(ENTROPY_BYTES))
