"""Which rings a device sounds by itself, so that ours is not spoken over them, and when it has fallen silent."""

from __future__ import annotations

STARTED = "started"
OVER = frozenset({"cancelled", "ended"})
FINISHED = frozenset({"finished", "ringing"})


class SelfRinging:
    """The rings of one device. One that shows timers rings when it is told that a timer of its own has finished.

    What a ring belongs to is not said, so each finished timer claims one timer ring, in whichever order they come.
    """

    def __init__(self, rings_itself: bool) -> None:
        self._rings_itself = rings_itself
        self._finished = 0
        self._unclaimed: list[str] = []
        self._current: set[str] = set()
        self._own: list[str] = []
        self.sounded = False
        """Whether the device was seen to sound one of its own rings."""

    def timer_finished(self) -> None:
        """The device was told, so it begins to ring."""
        if self._rings_itself:
            self._finished += 1
            self._claim()

    def started(self, ring: str, kind: str) -> None:
        """Something rings on this device."""
        self._current.add(ring)
        if self._rings_itself and kind == "timer":
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

    def silenced(self) -> tuple[str, ...]:
        """The device fell silent: the rings that it sounded, which are to be dismissed everywhere."""
        own, self._own = tuple(self._own), []
        self._finished = 0
        self.sounded = False
        return own

    @property
    def sounds_own(self) -> bool:
        """Whether the device sounds a ring by itself."""
        return bool(self._own)

    @property
    def sounds_all(self) -> bool:
        """Whether the device sounds all that rings, so that nothing is left for us to sound."""
        return bool(self._own) and self._current <= set(self._own)

    @property
    def any(self) -> bool:
        """Whether anything rings here."""
        return bool(self._current)

    def _claim(self) -> None:
        while self._finished and self._unclaimed:
            self._finished -= 1
            self._own.append(self._unclaimed.pop(0))
