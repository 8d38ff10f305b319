"""How often one caller, and one address, may ask."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable

from entendre.core.allowance import Allowance
from entendre.core.errors import ThrottledError

MAX_KNOWN = 20_000
"""Callers whose rate is known at once; the one that asked longest ago is forgotten first."""


class Rates:
    """A token bucket for each caller."""

    def __init__(self, per_s: float, burst: int, monotonic: Callable[[], float]) -> None:
        self._per_s = per_s
        self._burst = burst
        self._monotonic = monotonic
        self._known: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, caller: str) -> None:
        """Count one request. Raises: ThrottledError."""
        now_s = self._monotonic()
        allowance = self._known.get(caller)
        if allowance is None:
            allowance = self._known[caller] = Allowance(self._per_s, self._burst, now_s)
            if len(self._known) > MAX_KNOWN:
                self._known.popitem(last=False)
        self._known.move_to_end(caller)
        if not allowance.take(now_s):
            raise ThrottledError(retry_after_s=allowance.wait_s())
