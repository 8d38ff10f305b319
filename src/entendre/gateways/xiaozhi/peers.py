"""Rates of peers, each with an allowance of its own; how many are remembered is bounded."""

from __future__ import annotations

from collections import OrderedDict

from entendre.core.allowance import Allowance
from entendre.core.clock import Clock

MAX_PEERS = 10_000


class PeerRates:
    """An allowance for each peer; the one longest unseen is forgotten first."""

    def __init__(self, clock: Clock, *, per_s: float, burst: int) -> None:
        self._clock = clock
        self._per_s = per_s
        self._burst = burst
        self._peers: OrderedDict[str, Allowance] = OrderedDict()

    def take(self, peer: str) -> bool:
        """Use one up; False when this peer has none left."""
        now_s = self._clock.monotonic()
        allowance = self._peers.pop(peer, None) or Allowance(self._per_s, self._burst, now_s)
        self._peers[peer] = allowance
        if len(self._peers) > MAX_PEERS:
            self._peers.popitem(last=False)
        return allowance.take(now_s)
