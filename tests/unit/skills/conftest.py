"""What the tests of skills share: one planner, since compiling every sentence takes a while."""

from __future__ import annotations

from pathlib import Path

import pytest
from worlds import EMPTY

from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def shared_planner() -> Planner:
    """A planner of the built-in skills with the weather of a file."""
    weather = {"provider": "file", "file": str(HERE / "weather.json")}
    return Planner(load_skills([], {"weather": weather}), EMPTY.home)


@pytest.fixture
def planner(shared_planner: Planner) -> Planner:
    """The shared planner, in the demo home."""
    shared_planner.set_home(EMPTY.home)
    return shared_planner
