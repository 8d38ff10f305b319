"""Which rings a device sounds by itself, so that ours is not spoken over them, and when it has fallen silent."""

from __future__ import annotations

STARTED = "started"
OVER = frozenset({"cancelled", "ended"})
FINISHED = frozenset({"finished", "ringing"})

EVIDENCE_S = 3.0
"""A device that is not known to ring has so long to be seen sounding something; then we ring instead."""


class SelfRinging:
    """The rings of one device. One that shows timers rings when it is told that a timer of its own has finished.

    What a ring belongs to is not said, so each finished timer claims one timer ring, in whichever order they come.
    """

    def __init__(self, *, shows_timers: bool, known_to_ring: bool) -> None:
        """`known_to_ring`: a make of which we know it; others may show timers and ring nothing."""
        self._shows_timers = shows_timers
        self._known_to_ring = known_to_ring
        self._finished = 0
        self._finished_at = 0.0
        self._sounded = False
        self._deaf = False
        self._unclaimed: list[str] = []
        self._current: set[str] = set()
        self._own: list[str] = []

    def timer_finished(self, now: float) -> None:
        """The device was told, so it begins to ring. `now`: monotonic seconds."""
        if self._shows_timers and not self._deaf:
            self._finished += 1
            self._finished_at = now
            self._claim()

    def started(self, ring: str, kind: str) -> None:
        """Something rings on this device."""
        self._current.add(ring)
        if self._shows_timers and kind == "timer":
            self._unclaimed.append(ring)
            self._claim()

    def stopped(self, ring: str) -> bool:
        """It no longer rings; whether the device itself still sounds it."""
        self._current.discard(ring)
        if ring in self._unclaimed:
            self._unclaimed.remove(ring)
        if ring not in self._own:
            return False
        self._own.remove(ring)
        return not self._own

    def interrupted(self) -> None:
        """Another sound took the place of its ring: it takes no note of further timers until it is used again."""
        self._deaf = True

    def used(self) -> tuple[str, ...]:
        """Somebody talks to it, which ends its ring: the rings that it sounded, to be dismissed everywhere."""
        self._deaf = False
        return self.silenced()

    def silenced(self) -> tuple[str, ...]:
        """It fell silent: the rings that it sounded, to be dismissed everywhere."""
        own, self._own = tuple(self._own), []
        self._finished = 0
        self._sounded = False
        return own

    def sounding(self) -> None:
        """Its media player was seen to sound something."""
        if self._own:
            self._sounded = True

    @property
    def has_sounded(self) -> bool:
        """Whether it was seen to sound a ring of its own."""
        return bool(self._own) and self._sounded

    @property
    def any(self) -> bool:
        """Whether anything rings here."""
        return bool(self._current)

    def sounds_all(self, now: float) -> bool:
        """Whether the device sounds all that rings, so that nothing is left for us to sound."""
        if not self._own or not self._current <= set(self._own):
            return False
        return self._known_to_ring or self._sounded or now - self._finished_at < EVIDENCE_S

    def _claim(self) -> None:
        while self._finished and self._unclaimed:
            self._finished -= 1
            self._own.append(self._unclaimed.pop(0))
