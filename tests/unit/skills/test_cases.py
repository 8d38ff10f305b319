"""Every intent and every reply of the built-in skills, from the words said to the actions: `cases/<skill>.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from worlds import WORLDS

from entendre.core.actions import action_to_json
from entendre.language.replies import Replies
from entendre.skills.planner import Planner
from entendre.skills.plugins import BUILT_IN, load_skills

HERE = Path(__file__).parent

SKILLS = sorted(path.stem for path in (HERE / "cases").glob("*.yaml"))
CASES = [
    (skill, case) for skill in SKILLS for case in yaml.safe_load((HERE / "cases" / f"{skill}.yaml").read_text("utf-8"))
]


@pytest.fixture(scope="module")
def said() -> Iterator[set[str]]:
    """Keys of all replies that were said while the module's tests ran."""
    keys: set[str] = set()
    say = Replies.say

    def recorded(self: Replies, key: str, **values: Any) -> str:
        keys.add(key)
        return say(self, key, **values)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Replies, "say", recorded)
        yield keys


@pytest.mark.parametrize(("skill", "case"), CASES, ids=[f"{skill}-{case['in']}-{case['say']}" for skill, case in CASES])
async def test_what_is_said_is_understood_answered_and_done(
    planner: Planner, said: set[str], skill: str, case: dict[str, Any]
) -> None:
    world = WORLDS[case["in"]]
    planner.set_home(world.home)
    understanding = planner.understand(case["say"], "en", world)
    plan = await planner.plan(understanding, world)
    assert "+".join(command.intent for command in understanding.commands) == case["intent"]
    assert plan.reply == case["reply"]
    assert [action_to_json(action) for action in plan.actions] == case.get("do", [])
    assert plan.refusal == case.get("refusal", False)
    assert (plan.question if plan.expects_reply else None) == case.get("asks")


@pytest.mark.parametrize("skill", SKILLS)
def test_every_intent_of_a_skill_has_a_case_and_sentences(planner: Planner, skill: str) -> None:
    plugin = next(plugin for plugin in load_skills().plugins if plugin.name == skill)
    tried = {intent for owner, case in CASES if owner == skill for intent in case["intent"].split("+")}
    taught = set(yaml.safe_load((plugin.folder / "en.yaml").read_text("utf-8"))["intents"])
    assert plugin.skill.intents - tried == set()
    assert taught == plugin.skill.intents


@pytest.mark.parametrize("skill", SKILLS)
def test_every_reply_of_a_skill_was_said_by_a_case(said: set[str], skill: str) -> None:
    if len(said) < 100:
        pytest.skip("only meaningful after all cases ran")
    replies = yaml.safe_load((BUILT_IN / skill / "en.yaml").read_text("utf-8"))["replies"]
    assert set(replies) - said == UNREACHED.get(skill, set())


UNREACHED = {
    "weather": {"weather_no_provider", "weather_failed"},
    "device": {"battery_is", "battery_charging", "battery_none", "screen_is", "photo_nothing"},
}
"""Replies that test_weather.py and test_device.py reach instead."""


def test_cases_hold_for_every_built_in_skill_but_the_home() -> None:
    folders = {path.parent.name for path in BUILT_IN.glob("*/skill.py")}
    assert set(SKILLS) == folders - {"home"}


def test_replies_are_sentences_that_end_and_begin_well() -> None:
    for _, case in CASES:
        reply = case["reply"]
        assert not reply or re.fullmatch(r"[^a-z].*[.?!]", reply), reply
        assert "  " not in reply
        assert not re.search(r"[{}\[\]|]", reply), reply
