"""A recognizer finishes small words for people who pause after them; that must not end their turn."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from entendre.core.plan import World
from entendre.core.understanding import Completeness
from entendre.home.demo import demo_home
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(load_skills(), demo_home())


WORLD = World(now=datetime(2026, 1, 5, 10, tzinfo=UTC), home=demo_home())


@pytest.mark.parametrize("heard", ["Remind me too.", "Open the blinds in there."])
def test_a_last_word_that_is_likely_misheard_leaves_the_sentence_open(planner: Planner, heard: str) -> None:
    assert planner.understand(heard, "en", WORLD).completeness is Completeness.INCOMPLETE


@pytest.mark.parametrize("said", ["turn on the bedroom lamp too", "set the volume to two", "add milk to my list"])
def test_such_a_word_with_a_use_ends_it_as_any_other(planner: Planner, said: str) -> None:
    assert planner.understand(said, "en", WORLD).completeness is not Completeness.INCOMPLETE
