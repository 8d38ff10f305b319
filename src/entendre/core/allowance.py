"""A bounded rate: so many at once, and so many a second after that."""

from __future__ import annotations


class Allowance:
    """A token bucket on somebody else's clock."""

    __slots__ = ("_at_s", "_burst", "_left", "_per_s")

    def __init__(self, per_s: float, burst: int, now_s: float) -> None:
        self._per_s = per_s
        self._burst = float(burst)
        self._left = float(burst)
        self._at_s = now_s

    def take(self, now_s: float) -> bool:
        """Use one up; False when none is left."""
        self._left = min(self._burst, self._left + (now_s - self._at_s) * self._per_s)
        self._at_s = now_s
        if self._left < 1.0:
            return False
        self._left -= 1.0
        return True

    def wait_s(self) -> float:
        """Seconds from the last `take` until there is one again."""
        return max(0.0, (1.0 - self._left) / self._per_s)
