"""How often somebody may guess: failures use an allowance up, successes give back what they took."""

from __future__ import annotations

from collections import OrderedDict

from entendre.core.errors import ThrottledError

MAX_KNOWN = 50_000
"""Guessers that are known at once; the one that guessed longest ago is forgotten first."""


class Attempts:
    """So many wrong guesses at once of each guesser, and one more after each `recovery_s`; on somebody else's clock."""

    def __init__(self, burst: int, recovery_s: float) -> None:
        self._burst = burst
        self._recovery_s = recovery_s
        self._known: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, guesser: str, now_s: float) -> None:
        """Count a guess as wrong, before it is known to be. Raises: ThrottledError."""
        used = self._used(guesser, now_s)
        if used + 1.0 > self._burst:
            wait_s = (used + 1.0 - self._burst) * self._recovery_s
            raise ThrottledError("Too many wrong attempts. Wait a little.", retry_after_s=wait_s)
        self._keep(guesser, used + 1.0, now_s)

    def give_back(self, guesser: str, now_s: float) -> None:
        """It was right: it does not count."""
        self._keep(guesser, max(0.0, self._used(guesser, now_s) - 1.0), now_s)

    def _used(self, guesser: str, now_s: float) -> float:
        used, at_s = self._known.get(guesser, (0.0, now_s))
        return max(0.0, used - (now_s - at_s) / self._recovery_s)

    def _keep(self, guesser: str, used: float, now_s: float) -> None:
        self._known[guesser] = (used, now_s)
        self._known.move_to_end(guesser)
        if len(self._known) > MAX_KNOWN:
            self._known.popitem(last=False)
