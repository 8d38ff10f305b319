"""The planner: several commands, answers to questions, confirmation, failing skills, what the next turn may mean."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from worlds import EMPTY, WORLDS

from entendre.config import ServerSettings, Settings, SkillSettings
from entendre.core.actions import AddItem, ChangeTimer, CreateReminder, SetTrait, SetVolume, StartTimer, Trait
from entendre.core.home import HomeSnapshot, Room
from entendre.core.plan import Mentioned, Plan, World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.skills import planner as planner_module
from entendre.skills.base import Request
from entendre.skills.planner import Planner, weather_settings
from entendre.skills.plugins import LoadedSkills, Plugin, load_skills


async def turn(planner: Planner, text: str, world: World) -> tuple[Plan, World]:
    """One turn's plan, and the world of the next turn."""
    understanding = planner.understand(text, "en", world)
    plan = await planner.plan(understanding, world)
    return plan, replace(world, mentioned=planner.mentioned(world, understanding, plan))


def understood(*commands: Command, confidence: float = 1.0) -> Understanding:
    return Understanding("do something", "en", commands, Completeness.COMPLETE, confidence)


async def test_several_commands_make_one_plan_in_the_order_spoken(planner: Planner) -> None:
    plan, _ = await turn(planner, "set the volume to 30 percent and set a timer for ten minutes", EMPTY)
    assert plan.actions == (SetVolume(30), StartTimer(600))
    assert plan.reply == "Volume 30 percent. 10 minutes, starting now."


async def test_home_and_other_skills_share_a_sentence(planner: Planner) -> None:
    plan, _ = await turn(planner, "turn off the floor lamp and add eggs to the shopping list", EMPTY)
    assert plan.actions == (SetTrait("floor_lamp", Trait.ON, False), AddItem("shopping", "eggs"))


@pytest.mark.parametrize(
    "text",
    [
        "tomorrow turn off the floor lamp and turn on the fan",
        "in an hour turn off the floor lamp and turn on the fan",
        "if it rains turn off the floor lamp and turn on the fan",
        "turn off the floor lamp and turn on the fan in ten minutes",
    ],
)
async def test_what_is_put_off_with_another_command_is_not_done_now(planner: Planner, text: str) -> None:
    plan, _ = await turn(planner, text, EMPTY)
    assert (plan.actions, plan.reply[:27]) == ((), "I can only do that right aw")


async def test_other_skills_do_their_part_of_what_is_put_off(planner: Planner) -> None:
    plan, _ = await turn(planner, "tomorrow turn off the floor lamp and set a timer for ten minutes", EMPTY)
    assert plan.actions == (StartTimer(600),)


async def test_what_was_not_understood_is_refused_and_does_nothing(planner: Planner) -> None:
    plan, after = await turn(planner, "colourless green ideas sleep furiously", EMPTY)
    assert plan == Plan("I didn't get that.", refusal=True)
    assert after.mentioned.intent is None


async def test_a_language_that_nobody_taught_is_refused_in_the_default_one(planner: Planner) -> None:
    understanding = planner.understand("sytytä valot", "fi-FI", EMPTY)
    assert not understanding.understood
    assert (await planner.plan(understanding, EMPTY)).reply == "I didn't get that."


async def test_any_number_of_unknown_languages_is_not_remembered(planner: Planner) -> None:
    for number in range(200):
        assert not planner.understand("what time is it", f"q{number}", EMPTY).understood
    assert len(planner._understanders) <= 64
    assert planner.understand("what time is it", "en", EMPTY).understood


async def test_region_of_a_language_makes_no_difference(planner: Planner) -> None:
    understanding = planner.understand("set a timer for ten minutes", "en-US", EMPTY)
    assert understanding.language == "en"
    assert (await planner.plan(understanding, EMPTY)).actions == (StartTimer(600),)


async def test_a_reminder_is_asked_for_its_time_and_its_day(planner: Planner) -> None:
    plan, world = await turn(planner, "remind me to call mom", EMPTY)
    assert plan.expects_reply
    plan, world = await turn(planner, "tomorrow", world)
    assert (plan.reply, plan.expects_reply) == ("At what time?", True)
    plan, world = await turn(planner, "at five", world)
    assert plan.actions == (CreateReminder("call mom", "2026-11-24", "17:00"),)
    assert world.mentioned.question is None


async def test_free_words_answer_a_question_for_them(planner: Planner) -> None:
    plan, world = await turn(planner, "add to my shopping list", EMPTY)
    plan, _ = await turn(planner, "eggs and butter", world)
    assert plan.actions == (AddItem("shopping", "eggs"), AddItem("shopping", "butter"))


@pytest.mark.parametrize(
    ("answer", "timer"), [("the pizza one", "t-pizza"), ("pizza", "t-pizza"), ("the five minute one", "t-plain")]
)
async def test_which_timer_is_asked_and_answered(planner: Planner, answer: str, timer: str) -> None:
    plan, world = await turn(planner, "cancel the timer", WORLDS["timers"])
    assert plan.reply == "Which one: pizza timer, timer for 5 minutes, or tea timer?"
    plan, _ = await turn(planner, answer, world)
    assert [action.timer for action in plan.actions] == [timer]


async def test_all_of_them_answers_which_one(planner: Planner) -> None:
    _, world = await turn(planner, "cancel the timer", WORLDS["timers"])
    plan, _ = await turn(planner, "all of them", world)
    assert plan.actions == (ChangeTimer("all", "cancel"),)


async def test_another_command_instead_of_an_answer_is_taken_as_such(planner: Planner) -> None:
    _, world = await turn(planner, "cancel the timer", WORLDS["timers"])
    plan, _ = await turn(planner, "never mind", world)
    assert plan == Plan("OK.")


async def test_an_unsure_command_is_confirmed_before_it_acts(planner: Planner) -> None:
    unsure = understood(Command("VolumeSet", {"percent": 100}, 0.62), confidence=0.62)
    plan = await planner.plan(unsure, EMPTY)
    assert (plan.actions, plan.expects_reply, plan.question) == ((), True, "confirm")
    assert plan.reply == "Did you say: do something?"
    asked = replace(EMPTY, mentioned=planner.mentioned(EMPTY, unsure, plan))
    confirmed, _ = await turn(planner, "yes", asked)
    assert confirmed.actions == (SetVolume(100),)
    declined, _ = await turn(planner, "no", asked)
    assert declined == Plan("OK.")


async def test_an_unsure_question_is_simply_answered(planner: Planner) -> None:
    plan = await planner.plan(understood(Command("TimeNow", {}, 0.62), confidence=0.62), EMPTY)
    assert plan.reply == "It's 10 AM."


class Faulty:
    """A skill whose handler raises or never ends."""

    name = "timers"
    intents = frozenset({"TimerStart", "TimerCancel"})

    async def plan(self, request: Request) -> Plan:
        if request.command.intent == "TimerStart":
            raise ZeroDivisionError
        await asyncio.sleep(30)
        return Plan("too late", (StartTimer(1),))


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch) -> Planner:
    monkeypatch.setattr(planner_module, "PLAN_TIMEOUT_S", 0.01)
    timers = next(plugin for plugin in load_skills().plugins if plugin.name == "timers")
    return Planner(LoadedSkills((Plugin("timers", Faulty(), timers.folder, timers.sentence_files),)), EMPTY.home)


async def test_a_skill_that_raises_apologises_and_does_nothing(faulty: Planner) -> None:
    plan, _ = await turn(faulty, "set a timer for ten minutes", EMPTY)
    assert plan == Plan("Sorry, that went wrong.", refusal=True)


async def test_a_skill_that_takes_too_long_apologises_and_does_nothing(faulty: Planner) -> None:
    plan, _ = await turn(faulty, "cancel the timer", EMPTY)
    assert plan == Plan("Sorry, that takes too long right now.", refusal=True)


async def test_mentioned_keeps_what_the_next_turn_may_mean(planner: Planner) -> None:
    _, world = await turn(planner, "turn on the floor lamp", EMPTY)
    assert world.mentioned.appliances == ("floor_lamp",)
    assert world.mentioned.at_s == EMPTY.now.timestamp()
    _, world = await turn(planner, "set a timer for ten minutes", world)
    assert (world.mentioned.intent, world.mentioned.slots) == ("TimerStart", {"duration": 600})
    assert world.mentioned.appliances == ("floor_lamp",)
    plan, world = await turn(planner, "repeat that", world)
    assert plan.reply == "10 minutes, starting now."
    plan, _ = await turn(planner, "mumble mumble mumble", world)
    assert plan.refusal


def test_mentioned_of_a_silent_plan_keeps_the_last_reply(planner: Planner) -> None:
    world = replace(EMPTY, mentioned=Mentioned(reply="It's 10 AM."))
    assert planner.mentioned(world, understood(Command("Stop")), Plan("")).reply == "It's 10 AM."


async def test_another_home_has_other_names(planner: Planner) -> None:
    attic = HomeSnapshot(rooms=(Room("attic", {"en": ("attic",)}),))
    planner.set_home(attic)
    plan, _ = await turn(planner, "announce in the attic that dinner is ready", replace(EMPTY, home=attic))
    assert plan.reply == "I've announced it in the attic."


def test_phrases_fall_back_to_a_general_apology(planner: Planner) -> None:
    assert planner.phrase("overloaded", "en") == "I'm too busy right now. Please try again."
    assert planner.phrase("some_new_code", "en") == "Sorry, that didn't work."
    assert planner.phrase("timer_rings", "en", name="pizza", time="10:00") == "Your pizza timer is done."
    assert planner.phrase("timer_rings", "en", name="", time="10:00") == "Timer is done."
    assert planner.phrase("alarm_rings", "en", name="", time="07:30") == "It's 7:30 AM."
    assert planner.phrase("reminder_rings", "en", name="call mom", time="07:30") == "Reminder: call mom."


def test_load_takes_the_settings_of_a_server() -> None:
    settings = Settings(server=ServerSettings(language="en-GB"))
    planner = Planner.load(settings, EMPTY.home)
    assert planner.understand("what time is it", "en-GB", EMPTY).language == "en"
    assert planner.broken == ()


def test_a_weather_file_comes_before_a_weather_service() -> None:
    file = Path("weather.json")
    assert weather_settings(SkillSettings()) == {}
    service = SkillSettings(weather_url="http://meteo.local", weather_latitude=48.8, weather_longitude=2.3)
    assert weather_settings(service) == {
        "provider": "open-meteo",
        "url": "http://meteo.local",
        "geocoding_url": "https://geocoding-api.open-meteo.com",
        "latitude": 48.8,
        "longitude": 2.3,
    }
    assert weather_settings(replace(service, weather_file=file)) == {"provider": "file", "file": file}


@pytest.mark.parametrize(
    ("heard", "other", "asks"),
    [
        ("Set a timer for 15 minutes.", "Set a timer for 50 minutes.", True),
        ("Set an alarm for 7:15 a.m.", "Set an alarm for 7:50 a.m.", True),
        ("Set a timer for fourteen minutes", "set a timer for 40 minutes", True),
        ("Set a timer for 15 minutes.", "Set a timer for fifteen minutes.", False),
        ("Set a timer for 15 minutes.", "Set a timer for 16 minutes.", False),
        ("Set a timer for 15 minutes.", "Set a time of 50 minutes, please.", False),
    ],
)
async def test_numbers_that_sound_alike_are_asked_back(planner: Planner, heard: str, other: str, asks: bool) -> None:
    understanding = planner.understand(heard, "en", EMPTY, [other])
    plan = await planner.plan(understanding, EMPTY)
    assert (plan.question == planner_module.CONFIRM) is asks
    assert bool(plan.actions) is not asks


async def test_the_number_of_an_alternative_is_not_guessed_either(planner: Planner) -> None:
    others = ["Set a timer for 15 minutes.", "Set a timer for 50 minutes."]
    plan = await planner.plan(planner.understand("Sitter tie more for 15 men it's", "en", EMPTY, others), EMPTY)
    assert plan.reply == "Did you say: Set a timer for 15 minutes?"


def test_an_open_question_is_answered_by_the_first_reading(planner: Planner) -> None:
    asked = replace(EMPTY, mentioned=Mentioned(intent="ListAdd", question="item"))
    understanding = planner.understand("brie", "en", asked, ["Pause."])
    assert understanding.commands[0].slots["item"] == "brie"


def test_small_talk_is_no_second_reading(planner: Planner) -> None:
    assert not planner.understand("Okay, Sue, late again, man.", "en", EMPTY, ["See you later."]).understood
    assert planner.understand("See you later.", "en", EMPTY).understood
