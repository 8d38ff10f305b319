"""What only makes sense after what was said before: answers to "which one?", "and eggs", "set them to 40"."""

from __future__ import annotations

from dataclasses import replace

import pytest
from spoken.scoring import Case, homes, world_of, written

from entendre.core.actions import action_to_json
from entendre.skills.planner import Planner


async def talk(planner: Planner, room: str, said: str, language: str = "en") -> list[str]:
    """What the last of several sentences does."""
    name = "loft" if language == "en" else language
    home = homes()[name]
    planner.set_home(home)
    world = world_of(Case(name, room, "", ""), home)
    done: list[str] = []
    for sentence in said.split(" / "):
        understanding = planner.understand(sentence, language, world)
        plan = await planner.plan(understanding, world)
        world = replace(world, mentioned=planner.mentioned(world, understanding, plan))
        done = [written(action_to_json(action)) for action in plan.actions]
    return done


@pytest.mark.parametrize(
    ("said", "done"),
    [
        ("turn off the lamp", []),
        ("turn off the lamp / the reading lamp", ["reading.on=false"]),
        ("turn off the lamp / the one in the study", ["reading.on=false"]),
        ("turn off the lamp / the bedside one", ["bedside.on=false"]),
        ("turn off the lamp / both of them", ["reading.on=false", "bedside.on=false"]),
        ("turn off the lamp / never mind", []),
        ("turn on the lights in the attic and set them to 40 percent", ["standing.on=true", "standing.brightness=40"]),
        ("turn on the sofa light / make it red", ["sofa.color=red"]),
        ("add bread to the packing list / and brown soap", ["add packing brown soap"]),
        ("add bread to the packing list / and then he left", []),
        ("turn on the tv / and eggs", []),
        ("set two timers for 5 and 10 minutes", ["timer 300", "timer 600"]),
        ("turn off the lights in ten minutes", []),
        ("turn off the lights when i leave", []),
        ("delete milk in my shopping list", ["remove shopping milk"]),
    ],
)
async def test_what_is_done_after_what_was_said(planner: Planner, said: str, done: list[str]) -> None:
    assert await talk(planner, "hallway", said) == done


@pytest.mark.parametrize(
    ("room", "said", "reply"),
    [
        ("nursery", "what's the temperature", "20.5"),
        ("kitchen", "what's the temperature", "19"),
        ("kitchen", "what's the temperature outside", "7"),
        ("kitchen", "what is the outdoor humidity", "81"),
    ],
)
async def test_what_the_home_measures_is_answered(planner: Planner, room: str, said: str, reply: str) -> None:
    home = homes()["loft"]
    planner.set_home(home)
    world = world_of(Case("loft", room, "", ""), home)
    plan = await planner.plan(planner.understand(said, "en", world), world)
    assert f" {reply} " in plan.reply


@pytest.mark.parametrize(
    ("language", "said", "done"),
    [
        ("zh", "定个倒计时 / 十分钟", ["timer 600"]),
        ("zh", "打开落地灯 / 再亮一点", ["floor_lamp.brightness+"]),
        ("zh", "开灯 / 主卧也要", ["bedside.on=true", "master_top.on=true"]),
        ("zh", "把空调调到26度 / 主卧也是", ["master_ac.temperature=26"]),
        ("zh", "提醒我交房租 / 明天早上九点", ["reminder 交房租 @ 2026-11-26 09:00"]),
        ("zh", "购物清单加酱油 / 走吧", []),
        ("th", "จับเวลา / สิบนาที", ["timer 600"]),
        ("th", "เปิดโคมไฟตั้งพื้น / ปิดมัน", ["floor_lamp.on=false"]),
        ("th", "เปิดไฟ / ห้องนอนด้วย", ["bedside.on=true", "bedroom_light.on=true"]),
    ],
)
async def test_what_was_said_before_counts_in_languages_without_spaces(
    planner: Planner, language: str, said: str, done: list[str]
) -> None:
    assert await talk(planner, "living", said, language) == done
