"""Who may open a connection: limits in all and by address, before anything of it is read."""

from __future__ import annotations

from collections import Counter, OrderedDict
from collections.abc import Callable

FORGET_REFUSALS_S = 60.0
REMEMBERED_ADDRESSES = 4096
"""Addresses with wrong passwords that are remembered; the oldest is forgotten first."""


class Admission:
    """Counts connections and wrong passwords by address."""

    def __init__(self, *, connections: int, per_address: int, wrong_passwords: int, clock: Callable[[], float]) -> None:
        self._limit = connections
        self._per_address = per_address
        self._wrong_passwords = wrong_passwords
        self._clock = clock
        self._open: Counter[str] = Counter()
        self._total = 0
        self._refused: OrderedDict[str, tuple[float, int]] = OrderedDict()

    @property
    def connections(self) -> int:
        """Connections admitted and not yet left."""
        return self._total

    def enter(self, address: str) -> str | None:
        """Admit a connection, or say why not."""
        if self._total >= self._limit:
            return "too_many_connections"
        if self._open[address] >= self._per_address:
            return "too_many_from_address"
        if self._barred(address):
            return "too_many_refusals"
        self._open[address] += 1
        self._total += 1
        return None

    def leave(self, address: str) -> None:
        """An admitted connection ended."""
        self._total -= 1
        self._open[address] -= 1
        if not self._open[address]:
            del self._open[address]

    def refused(self, address: str) -> None:
        """Credentials from here did not fit."""
        since, count = self._refused.pop(address, (self._clock(), 0))
        if self._clock() - since > FORGET_REFUSALS_S:
            since, count = self._clock(), 0
        self._refused[address] = (since, count + 1)
        while len(self._refused) > REMEMBERED_ADDRESSES:
            self._refused.popitem(last=False)

    def _barred(self, address: str) -> bool:
        since, count = self._refused.get(address, (0.0, 0))
        return count >= self._wrong_passwords and self._clock() - since <= FORGET_REFUSALS_S
