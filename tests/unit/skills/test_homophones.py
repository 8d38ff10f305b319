"""Chinese words that were heard for others that sound the same."""

from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from spoken.scoring import cases, homes, world_of

from entendre.core.actions import Trait
from entendre.core.home import Appliance, HomeSnapshot
from entendre.core.plan import Plan, World
from entendre.core.understanding import Understanding
from entendre.markets.loader import load_pack
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills


@pytest.fixture(scope="module")
def planner() -> Planner:
    return Planner(load_skills([], {}), HomeSnapshot(), "zh")


def respelled(planner: Planner, text: str, world: World) -> Understanding | None:
    respelling = planner.respelling("zh")
    assert respelling is not None
    return respelling(text, world)


def planned(planner: Planner, understanding: Understanding, world: World) -> Plan:
    return asyncio.run(planner.plan(understanding, world))


@pytest.mark.parametrize(
    ("heard", "said"),
    [
        ("麻烦你把储柜灯开一下。", "麻烦你把橱柜灯开一下。"),
        ("烧水糊开了吧", "烧水壶开了吧"),
        ("等待调成紫色", "灯带调成紫色"),
        ("主我空调关了", "主卧空调关了"),
    ],
)
def test_what_whisper_heard_is_what_was_said(planner: Planner, heard: str, said: str) -> None:
    case = next(each for each in cases("zh.txt") if each.text.strip("。") == said.strip("。"))
    home = homes()[case.home]
    planner, world = planner.at(home), world_of(case, home)
    as_heard = planner.understand(heard, "zh", world)
    assert not as_heard.understood, "what is typed is taken as it is"
    meant = respelled(planner, heard, world)
    assert meant is not None
    assert meant.text == said
    typed = planned(planner, planner.understand(said, "zh", world), world)
    assert planned(planner, meant, world).actions == typed.actions != ()


def named(*names: str) -> HomeSnapshot:
    appliances = tuple(
        Appliance(f"a{index}", "light", {"zh": (name,)}, traits=frozenset({Trait.ON}))
        for index, name in enumerate(names)
    )
    return replace(HomeSnapshot(), appliances=appliances)


def test_two_names_that_sound_the_same_are_none(planner: Planner) -> None:
    case = next(iter(cases("zh.txt")))
    for names, found in ((("梅花灯",), True), (("梅花灯", "美化灯"), False)):
        home = named(*names)
        at_home = planner.at(home)
        world = replace(world_of(case, homes()[case.home]), home=home)
        assert (respelled(at_home, "打开没话灯", world) is not None) is found


@pytest.mark.parametrize(
    "heard", ["把牛奶加到够五清淡", "打开落地灯然后掉到百分之二十一路上小心呀各位先生", "你好吗", "hello"]
)
def test_free_words_long_talk_and_other_words_are_left_alone(planner: Planner, heard: str) -> None:
    case = next(iter(cases("zh.txt")))
    home = homes()[case.home]
    assert respelled(planner.at(home), heard, world_of(case, home)) is None


def test_what_is_delicate_is_never_taken_from_its_sound(planner: Planner) -> None:
    delicate = {"HomeUnlock", "HomeLock", "ListClear", "ListRemove", "AlarmCancel", "TimerCancel", "ReminderCancel"}
    delicate |= {"AlarmSet", "TimerStart"}
    skills = load_skills([], {}).by_intent
    assert delicate <= set(skills)
    named = {intent for plugin in skills.values() for intent in getattr(plugin.skill, "by_sound", ())}
    assert named <= set(skills)
    assert not delicate & named


def test_other_scripts_have_none_of_it(planner: Planner) -> None:
    assert planner.respelling("en") is None


def test_talk_in_other_spellings_is_no_command(planner: Planner) -> None:
    """Sentences that must do nothing, with every third character for another that sounds the same."""
    syllables, chance = load_pack("zh").words.syllables, random.Random(4)
    alike: dict[str, list[str]] = {}
    for character, sounds in syllables.items():
        for sound in sounds:
            alike.setdefault(sound, []).append(character)
    for case in cases("zh_outside.txt"):
        home = homes()[case.home]
        at_home, world = planner.at(home), world_of(case, home)
        spelled = "".join(
            chance.choice(alike[min(syllables[each])]) if each in syllables and chance.random() < 0.3 else each
            for each in case.text
        )
        meant = respelled(at_home, spelled, world)
        actions = planned(at_home, meant, world).actions if meant is not None else ()
        assert not actions, (case.text, spelled)
