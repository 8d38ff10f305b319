"""What rings on one device: repeated until it is silenced, with the microphone open in between."""

from __future__ import annotations

from dataclasses import dataclass

from entendre.core.clock import Clock

REPEAT_S = 4.0
"""Pause between two soundings, in which "stop" is heard without a wake word."""

MAX_RINGS = 16


@dataclass(slots=True)
class Ring:
    """One thing that rings."""

    id: str
    kind: str
    name: str | None
    text: str
    language: str = ""
    sounded: int = 0


class Rings:
    """The rings of one device, oldest first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._rings: dict[str, Ring] = {}
        self._next_at = 0.0
        self.news: list[tuple[str, Ring]] = []

    def start(self, ring: str, kind: str, name: str | None, text: str, language: str = "") -> None:
        """Begin to ring; a known ring goes on as it is."""
        if ring in self._rings or len(self._rings) >= MAX_RINGS:
            return
        self._rings[ring] = Ring(ring, kind, name, text, language)
        self.news.append(("started", self._rings[ring]))
        self._next_at = min(self._next_at, self._clock.monotonic())

    def stop(self, ring: str) -> None:
        """It was silenced."""
        stopped = self._rings.pop(ring, None)
        if stopped is not None:
            self.news.append(("stopped", stopped))

    def next_at(self) -> float | None:
        """When to sound next, in monotonic seconds."""
        return self._next_at if self._rings else None

    def sounding(self) -> list[Ring]:
        """What is to be sounded now: all that ring together, if it is time."""
        if not self._rings or self._clock.monotonic() < self._next_at:
            return []
        return list(self._rings.values())

    def sounded(self) -> None:
        """They were sounded once more."""
        for ring in self._rings.values():
            ring.sounded += 1
        self._next_at = self._clock.monotonic() + REPEAT_S

    def current(self) -> frozenset[str]:
        """Ids of what rings."""
        return frozenset(self._rings)
