"""The clock port: everything that needs the time is given one of these."""

from __future__ import annotations

from typing import Protocol


class Clock(Protocol):
    """Two clocks: one that never goes back, one that people read."""

    def monotonic(self) -> float:
        """Seconds since an arbitrary start; never goes back."""
        ...

    def wall(self) -> float:
        """Unix seconds, UTC."""
        ...
