"""What a sentence was understood to mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

SlotValue = Any
"""A canonical slot value: str, int, float, bool, or a list or mapping of these; always JSON-ready."""


class Completeness(StrEnum):
    """Whether a speaker has said enough; decides how much silence ends the turn."""

    COMPLETE = "complete"
    """A whole command that nothing usual can follow ("turn off the kitchen lights", "stop")."""
    EXTENDABLE = "extendable"
    """A whole command that often goes on ("set a timer for ten minutes" … "called pasta")."""
    INCOMPLETE = "incomplete"
    """Surely unfinished ("turn on the", "set a timer for")."""
    UNKNOWN = "unknown"
    """Not understood, so nothing is known about its end."""


@dataclass(frozen=True, slots=True)
class Command:
    """One intent of a sentence with its canonical slots."""

    intent: str
    slots: Mapping[str, SlotValue] = field(default_factory=dict)
    confidence: float = 1.0
    text: str = ""
    skill: str = ""


@dataclass(frozen=True, slots=True)
class Understanding:
    """A sentence: its commands in the order spoken, none if it was not understood."""

    text: str
    language: str
    commands: tuple[Command, ...] = ()
    completeness: Completeness = Completeness.UNKNOWN
    confidence: float = 0.0

    @property
    def understood(self) -> bool:
        """Whether there is anything to plan."""
        return bool(self.commands)
