"""What docs/skills.md shows works as it stands."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from worlds import EMPTY

from entendre.core.actions import Broadcast
from entendre.core.plan import Plan
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills
from entendre.skills.weather.local import FileWeather
from entendre.skills.weather.provider import CONDITIONS


def block(page: str, language: str) -> str:
    found = re.search(rf"```{language}\n(.*?)```", page, flags=re.DOTALL)
    assert found is not None
    return found.group(1)


@pytest.fixture
def page(repository: Path) -> str:
    return (repository / "docs" / "skills.md").read_text(encoding="utf-8")


async def test_the_skill_of_the_page_rolls(page: str, tmp_path: Path) -> None:
    folder = tmp_path / "dice"
    folder.mkdir()
    (folder / "skill.py").write_text(block(page, "python"))
    (folder / "en.yaml").write_text(block(page, "yaml"))
    loaded = load_skills([tmp_path])
    planner = Planner(replace(loaded, plugins=tuple(one for one in loaded.plugins if one.name == "dice")), EMPTY.home)

    async def ask(text: str) -> Plan:
        return await planner.plan(planner.understand(text, "en", EMPTY), EMPTY)

    assert await ask("throw the dice") == Plan("You rolled 1.")
    assert await ask("roll a dice with 1 sides") == Plan("A dice has two sides at least.", refusal=True)
    assert (await ask("roll the dice for everyone")).actions == (Broadcast("You rolled 1."),)


async def test_the_weather_file_of_the_page_is_read(page: str, tmp_path: Path) -> None:
    file = tmp_path / "weather.json"
    file.write_text(block(page, "json"))
    assert json.loads(file.read_text())
    forecast = await FileWeather(file).forecast("oslo", date(2026, 11, 23), "en")
    assert forecast is not None and forecast.place == "Oslo"
    assert not [condition for condition in CONDITIONS if f"`{condition}`" not in page]
