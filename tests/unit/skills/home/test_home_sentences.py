"""English sentences through the real understander and the home skill, on the demo home."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
import yaml

from entendre.core.actions import Action, ActivateScene, AdjustTrait, SetTrait
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Understanding
from entendre.home import demo_home
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

SENTENCES: dict[str, list[str] | str | None] = yaml.safe_load(
    (Path(__file__).parent / "sentences_en.yaml").read_text(encoding="utf-8")
)
HOME = demo_home()


@cache
def planner() -> Planner:
    return Planner(load_skills([], {}), HOME, "en")


def world(room: str | None = "living_room", mentioned: Mentioned | None = None) -> World:
    return World(datetime.now(UTC), HOME, DeviceView(room=room), mentioned=mentioned or Mentioned())


async def ask(text: str, now: World) -> tuple[Understanding, Plan]:
    understanding = planner().understand(text, "en", now)
    return understanding, await planner().plan(understanding, now)


def written(action: Action) -> str:
    if isinstance(action, SetTrait):
        return f"{action.appliance}.{action.trait.value} = {json.dumps(action.value)}"
    if isinstance(action, AdjustTrait):
        return f"{action.appliance}.{action.trait.value} += {json.dumps(action.delta)}"
    return f"scene {action.scene}" if isinstance(action, ActivateScene) else action.type


@pytest.mark.parametrize("text", SENTENCES)
async def test_sentence(text: str) -> None:
    expected = SENTENCES[text]
    understanding, plan = await ask(text, world())
    done = [written(action) for action in plan.actions]
    if isinstance(expected, list):
        assert sorted(done) == sorted(expected), understanding
    else:
        assert done == []
        assert (plan.reply if understanding.understood else None) == expected


async def talk(*turns: str, room: str | None = "living_room") -> list[list[str]]:
    """The actions of each turn of a conversation."""
    mentioned, done = Mentioned(), []
    for text in turns:
        now = world(room, mentioned)
        understanding, plan = await ask(text, now)
        mentioned = planner().mentioned(now, understanding, plan)
        done.append([written(action) for action in plan.actions])
    return done


@pytest.mark.parametrize(
    ("turns", "last"),
    [
        (("turn on the desk lamp", "turn it off"), ["desk_lamp.on = false"]),
        (("turn on the desk lamp", "set it to 40 percent"), ["desk_lamp.brightness = 40"]),
        (("turn on the desk lamp", "turn it up"), ["desk_lamp.brightness += 20"]),
        (("turn on the tv", "turn it down"), ["tv.volume += -10"]),
        (("turn on the tv", "mute it"), ["tv.muted = true"]),
        (("dim the kitchen light", "a bit more"), ["kitchen_ceiling.brightness += -10"]),
        (("turn off the lights in the kitchen", "and in the bathroom too"), ["bathroom_light.on = false"]),
        (("is the front door locked", "unlock it"), ["front_door.locked = false"]),
        (("set the brightness of the floor lamp", "50 percent"), ["floor_lamp.brightness = 50"]),
    ],
)
async def test_what_was_mentioned(turns: tuple[str, ...], last: list[str]) -> None:
    assert (await talk(*turns))[-1] == last


async def test_a_room_is_asked_and_its_answer_taken() -> None:
    asked, answered = await talk("turn on the lights", "in the bathroom", room=None)
    assert (asked, answered) == ([], ["bathroom_light.on = true"])


@pytest.mark.parametrize(("answer", "done"), [("yes", ["front_door.locked = false"]), ("no", [])])
async def test_an_unsure_unlock_waits_for_a_yes(answer: str, done: list[str]) -> None:
    sure = planner().understand("unlock the front door", "en", world())
    unsure = replace(sure, commands=(replace(sure.commands[0], confidence=0.8),), confidence=0.8)
    asked = await planner().plan(unsure, world())
    assert (asked.actions, asked.reply) == ((), "Should I unlock the front door?")
    _, answered = await ask(answer, world(mentioned=planner().mentioned(world(), unsure, asked)))
    assert [written(action) for action in answered.actions] == done
