"""What a skill is: intents, and a function from a request to a plan."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import Plan, World
from entendre.core.understanding import Command

Say = Callable[..., str]
"""`say("timer_started", duration=600)`: a reply of the skill's language file, its values spoken as people say them."""

Terms = Callable[[str], Mapping[str, str]]
"""`terms("condition")`: a table of words of the skill's language file, empty when it has none of that name."""


def _no_terms(table: str) -> Mapping[str, str]:
    return {}


@dataclass(frozen=True, slots=True)
class Request:
    """One command to plan, with everything that planning may read."""

    command: Command
    language: str
    world: World
    say: Say
    terms: Terms = _no_terms


class Teller(Protocol):
    """A skill that has its own words for what a device's tool answers; for plans that say nothing themselves."""

    def told(self, request: Request, call: CallDeviceTool, answer: str) -> str:
        """What to say of the answer; empty for nothing."""
        ...


class Skill(Protocol):
    """A plugin: its folder holds this handler and one sentence file per language."""

    name: str
    intents: frozenset[str]

    async def plan(self, request: Request) -> Plan:
        """A plan for one command. Reads the request's world, writes nothing, raises nothing for a user's mistake."""
        ...
