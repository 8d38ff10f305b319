"""Skills from folders: found, loaded, and left out with a reason when they are broken."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from worlds import EMPTY

from entendre.core.errors import ConfigurationError
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

HANDLER = """
from entendre.core.plan import Plan

class Dice:
    name = "dice"
    intents = frozenset({"DiceRoll"})

    async def plan(self, request):
        return Plan(request.say("rolled", number=4))

SKILL = Dice()
"""

SENTENCES = """
language: en
intents:
  DiceRoll:
    data:
      - sentences: ["(roll|throw) (a|the) dice"]
replies:
  rolled: "You rolled {number}."
"""


def write(folder: Path, handler: str = HANDLER, sentences: str | None = SENTENCES) -> Path:
    folder.mkdir()
    (folder / "skill.py").write_text(handler)
    if sentences is not None:
        (folder / "en.yaml").write_text(sentences)
    return folder


def planner_of(*folders: Path) -> Planner:
    """A planner of the clock and the folders' skills, which is quicker to compile than of all."""
    loaded = load_skills(folders)
    return Planner(
        replace(loaded, plugins=tuple(one for one in loaded.plugins if one.name in ("clock", "dice"))), EMPTY.home
    )


async def ask(planner: Planner, text: str) -> str:
    return (await planner.plan(planner.understand(text, "en", EMPTY), EMPTY)).reply


async def test_a_skill_of_ones_own_works_beside_the_built_in_ones(tmp_path: Path) -> None:
    write(tmp_path / "dice")
    planner = planner_of(tmp_path)
    assert planner.broken == ()
    assert await ask(planner, "roll the dice") == "You rolled 4."
    assert await ask(planner, "what time is it") == "It's 10 AM."


async def test_the_folder_of_one_skill_may_be_named_itself(tmp_path: Path) -> None:
    planner = planner_of(write(tmp_path / "dice"))
    assert await ask(planner, "throw a dice") == "You rolled 4."


@pytest.mark.parametrize(
    ("handler", "sentences", "reason"),
    [
        ("import nothing_like_this", SENTENCES, "nothing_like_this"),
        ("def broken(:", SENTENCES, "SyntaxError"),
        ("SKILL = None", SENTENCES, "neither SKILL nor build"),
        ("SKILL = object()", SENTENCES, "no name"),
        ("raise SystemExit(3)", SENTENCES, "SystemExit"),
        (HANDLER.replace('frozenset({"DiceRoll"})', "None"), SENTENCES, "TypeError"),
        (HANDLER.replace('"dice"', "None"), SENTENCES, "name is no text"),
        (HANDLER, None, "no sentence file"),
        (HANDLER, "language: [", "en.yaml"),
        (HANDLER, SENTENCES.replace("DiceRoll", "Another"), "Another"),
        (HANDLER, SENTENCES.replace("(roll", "(roll|(("), "en.yaml"),
        (HANDLER, SENTENCES.replace("{number}", "[{number}"), "en.yaml"),
        (HANDLER, SENTENCES.replace("{number}", "{number:roman}"), "en.yaml"),
        (HANDLER.replace('"DiceRoll"', '"TimeNow"'), SENTENCES, "belongs to the skill clock"),
    ],
)
async def test_a_broken_skill_is_reported_and_takes_nothing_down(
    tmp_path: Path, handler: str, sentences: str | None, reason: str
) -> None:
    write(tmp_path / "dice", handler, sentences)
    planner = planner_of(tmp_path)
    assert [broken.name for broken in planner.broken] == ["dice"]
    assert reason in planner.broken[0].reason
    assert await ask(planner, "what time is it") == "It's 10 AM."


@pytest.mark.parametrize("nonsense", ["None", "'four'", "Plan(4)", "Plan('', ('roll',))"])
async def test_a_plan_that_is_none_is_the_skills_failure(tmp_path: Path, nonsense: str) -> None:
    planner = planner_of(write(tmp_path / "dice", HANDLER.replace('Plan(request.say("rolled", number=4))', nonsense)))
    assert await ask(planner, "roll the dice") == "Sorry, that went wrong."


def test_a_folder_that_is_not_there_is_a_mistake_of_the_configuration(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError):
        load_skills([tmp_path / "nowhere"])


def test_every_built_in_skill_loads() -> None:
    loaded = load_skills()
    assert loaded.broken == ()
    assert {plugin.name for plugin in loaded.plugins} >= {"timers", "alarms", "reminders", "lists", "home", "clock"}
    assert all("en" in plugin.sentence_files for plugin in loaded.plugins)
