"""Sentences of languages whose verbs come last: several things for one verb, and one verb for what follows it."""

from __future__ import annotations

import pytest
from spoken.scoring import Case, homes, world_of, written

from entendre.core.actions import action_to_json
from entendre.skills.planner import Planner


@pytest.mark.parametrize(
    ("language", "said", "done"),
    [
        ("hi", "टीवी बंद कर दो और कूलर भी", ["tv.on=false", "cooler.on=false"]),
        ("hi", "टीवी और कूलर बंद कर दो", ["tv.on=false", "cooler.on=false"]),
        ("ta", "டிவியை அணை, சரவிளக்கையும் கூட", ["tv.on=false", "chandelier.on=false"]),
        ("ta", "டிவியையும் சரவிளக்கையும் அணை", ["tv.on=false", "chandelier.on=false"]),
    ],
)
async def test_a_verb_serves_what_stands_on_either_side(
    planner: Planner, language: str, said: str, done: list[str]
) -> None:
    home = homes()[language]
    planner.set_home(home)
    world = world_of(Case(language, "hall", said, ""), home)
    plan = await planner.plan(planner.understand(said, language, world), world)
    assert [written(action_to_json(action)) for action in plan.actions] == done
