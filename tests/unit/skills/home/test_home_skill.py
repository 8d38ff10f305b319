"""Home commands as plans: which appliances, which values, what is asked before acting."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from entendre.core.actions import ActivateScene, AdjustTrait, SetTrait, Trait, TraitValue
from entendre.core.home import HomeSnapshot
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Command
from entendre.home import demo_home, load_home
from entendre.language.replies import Replies
from entendre.skills.base import Request
from entendre.skills.home import skill as home_skill
from entendre.skills.home.skill import SKILL

FILE = yaml.safe_load((Path(home_skill.__file__).parent / "en.yaml").read_text())
REPLIES = Replies("en", FILE["replies"], FILE["terms"], {"list": " and ".join, "choice": " or ".join, "number": str})
DEMO = demo_home()


async def plan(
    intent: str,
    *,
    at: str | None = "living_room",
    sure: float = 1.0,
    home: HomeSnapshot = DEMO,
    mentioned: tuple[str, ...] = (),
    **slots: Any,
) -> Plan:
    world = World(datetime.now(UTC), home, DeviceView(room=at), mentioned=Mentioned(appliances=mentioned))
    command = Command(intent, slots, sure)
    return await SKILL.plan(Request(command, "en", world, REPLIES.say))


def values(made: Plan, trait: Trait | None = None) -> dict[str, TraitValue]:
    """Appliance -> value of every SetTrait, which must all be of one trait; one action an appliance."""
    actions = [action for action in made.actions if isinstance(action, SetTrait)]
    assert len({action.appliance for action in actions}) == len(made.actions) == len(actions)
    assert trait is None or {action.trait for action in actions} == {trait}
    return {action.appliance: action.value for action in actions}


def steps(made: Plan) -> dict[str, tuple[Trait, float]]:
    return {each.appliance: (each.trait, each.delta) for each in made.actions if isinstance(each, AdjustTrait)}


LIVING = {"living_room_ceiling", "floor_lamp", "tv_backlight"}
ALL_LIGHTS = {each.id for each in DEMO.appliances if each.kind == "light"}


async def test_a_name_is_one_action() -> None:
    made = await plan("HomeTurnOn", appliance=["desk_lamp"])
    assert values(made, Trait.ON) == {"desk_lamp": True}
    assert made.reply == "Turned on the desk lamp."


async def test_a_kind_means_the_speakers_room() -> None:
    assert set(values(await plan("HomeTurnOff", kind="light"), Trait.ON)) == LIVING
    assert set(values(await plan("HomeTurnOff", kind="light", at="office"), Trait.ON)) == {
        "desk_lamp",
        "office_ceiling",
    }


async def test_a_kind_that_the_room_lacks_is_asked_never_the_whole_house() -> None:
    home = load_home(
        {
            "rooms": [{"id": "hall", "names": "hall"}, {"id": "a", "names": "a"}, {"id": "b", "names": "b"}],
            "appliances": [{"id": room, "kind": "light", "names": "lamp", "room": room} for room in ("a", "b")],
        }
    )
    for at in ("hall", None):
        made = await plan("HomeTurnOff", kind="light", at=at, home=home)
        assert (made.actions, made.expects_reply, made.reply) == ((), True, "In which room?")


async def test_the_only_one_of_the_home_needs_no_room() -> None:
    assert values(await plan("HomeTurnOn", kind="vacuum", at="office"), Trait.CLEANING) == {"vacuum": True}
    assert values(await plan("HomeClose", kind="garage_door", at="office")) == {"garage_door": 0}


async def test_rooms_floors_and_everywhere() -> None:
    assert set(values(await plan("HomeTurnOff", kind="light", room="kitchen"))) == {"kitchen_ceiling", "counter_light"}
    upstairs = {"bedside_lamp", "bedroom_ceiling", "night_light", "kids_ceiling", "bathroom_light"}
    made = await plan("HomeTurnOff", kind="light", room="upstairs")
    assert set(values(made)) == upstairs
    assert made.reply == "Turned off the upstairs lights."
    assert set(values(await plan("HomeTurnOff", kind="light", room="everywhere"))) == ALL_LIGHTS
    assert set(values(await plan("HomeTurnOff", kind="light", all=True))) == ALL_LIGHTS
    assert set(values(await plan("HomeTurnOff", kind="light", room="here", at="garage"))) == {"garage_light"}


async def test_a_room_alone_means_its_lights() -> None:
    made = await plan("HomeTurnOn", room="kitchen")
    assert set(values(made)) == {"kitchen_ceiling", "counter_light"}


async def test_everything_leaves_safety_alone() -> None:
    made = await plan("HomeTurnOff", everything=True, room="downstairs")
    found = set(values(made))
    assert {"kitchen_ceiling", "coffee_machine", "tv", "air_conditioner", "desk_lamp"} <= found
    assert not found & {"front_door", "water_valve", "bedroom_ceiling", "kitchen_window"}


@pytest.mark.parametrize(
    ("exception", "left"),
    [
        ({"except_room": "kitchen"}, {"kitchen_ceiling", "counter_light"}),
        (
            {"except_room": "upstairs"},
            {"bedside_lamp", "bedroom_ceiling", "night_light", "kids_ceiling", "bathroom_light"},
        ),
        ({"except_appliance": ["desk_lamp"]}, {"desk_lamp"}),
        ({"except_room": "office", "except_kind": "light"}, {"desk_lamp", "office_ceiling"}),
    ],
)
async def test_exceptions(exception: Mapping[str, Any], left: set[str]) -> None:
    assert set(values(await plan("HomeTurnOff", kind="light", all=True, **exception))) == ALL_LIGHTS - left


async def test_an_excepted_room_means_the_rest_of_the_house() -> None:
    made = await plan("HomeTurnOff", kind="light", except_room="kitchen")
    assert set(values(made)) == ALL_LIGHTS - {"kitchen_ceiling", "counter_light"}


async def test_shared_names_are_asked_unless_one_is_able_or_all_are_meant() -> None:
    home = load_home(
        {
            "rooms": [{"id": "a", "names": "attic"}, {"id": "b", "names": "bedroom"}],
            "appliances": [
                {"id": "lamp_a", "kind": "light", "names": "lamp", "room": "a"},
                {"id": "lamp_b", "kind": "light", "names": "lamp", "room": "b"},
                {"id": "door_contact", "kind": "door", "names": "door", "room": "a"},
                {"id": "door_lock", "kind": "lock", "names": "door", "room": "a"},
            ],
        }
    )
    lamps, doors = ["lamp_a", "lamp_b"], ["door_contact", "door_lock"]
    made = await plan("HomeTurnOn", appliance=lamps, home=home, at=None)
    assert (made.actions, made.expects_reply) == ((), True)
    assert made.reply == "Which one: lamp in the attic or lamp in the bedroom?"
    assert values(await plan("HomeTurnOn", appliance=lamps, home=home, at="b")) == {"lamp_b": True}
    assert values(await plan("HomeTurnOn", appliance=lamps, room="a", home=home)) == {"lamp_a": True}
    assert set(values(await plan("HomeTurnOn", appliance=lamps, home=home, mentioned=("lamp_a", "lamp_b")))) == set(
        lamps
    )
    assert values(await plan("HomeLock", appliance=doors, home=home)) == {"door_lock": True}


async def test_all_of_a_name_is_asked_of_the_whole_home() -> None:
    home = load_home(
        {
            "rooms": [{"id": "a", "names": "attic"}, {"id": "b", "names": "bedroom"}],
            "appliances": [{"id": room, "kind": "light", "names": "spot", "room": room} for room in ("a", "b")],
        }
    )
    made = await plan("HomeTurnOn", appliance=["a"], all=True, home=home, at="a")
    assert values(made) == {"a": True, "b": True}
    assert made.reply == "Turned on the spot in the attic and the spot in the bedroom."


async def test_unknown_names_and_wrong_rooms_do_nothing_and_say_so() -> None:
    made = await plan("HomeTurnOn", name="flux capacitor")
    assert (made.actions, made.refusal, made.reply) == ((), True, "I don't know anything called flux capacitor.")
    made = await plan("HomeTurnOn", appliance=["desk_lamp"], room="kitchen")
    assert (made.actions, made.refusal) == ((), True)
    made = await plan("HomeSet", appliance=["kettle"], percent=30)
    assert (made.actions, made.reply) == ((), "I can't do that with the kettle.")
    made = await plan("HomeTurnOn", kind="fan", room="kitchen")
    assert (made.actions, made.refusal) == ((), True)


@pytest.mark.parametrize(
    ("intent", "appliance", "value"), [("HomeUnlock", "front_door", False), ("HomeOpen", "garage_door", 100)]
)
async def test_letting_in_needs_a_sure_match_or_a_yes(intent: str, appliance: str, value: TraitValue) -> None:
    assert values(await plan(intent, appliance=[appliance], sure=0.95)) == {appliance: value}
    unsure = await plan(intent, appliance=[appliance], sure=0.8)
    assert (unsure.actions, unsure.expects_reply) == ((), True)
    assert values(await plan(intent, appliance=[appliance], sure=0.8, confirmed=True)) == {appliance: value}
    refused = await plan(intent, appliance=[appliance], sure=1.0, confirmed=False)
    assert (refused.actions, refused.reply) == ((), "Okay, I won't.")


async def test_locking_and_closing_are_never_asked() -> None:
    assert values(await plan("HomeLock", appliance=["front_door"], sure=0.5)) == {"front_door": True}
    assert values(await plan("HomeClose", appliance=["garage_door"], sure=0.5)) == {"garage_door": 0}


async def test_every_way_of_opening_a_garage_is_guarded() -> None:
    for intent, slots in (("HomeSet", {"percent": 50}), ("HomeAdjust", {"direction": "up"}), ("HomeToggle", {})):
        made = await plan(intent, appliance=["garage_door"], sure=0.7, **slots)
        assert (made.actions, made.expects_reply) == ((), True), intent


async def test_several_doors_are_confirmed_before_unlocking() -> None:
    home = load_home({"appliances": [{"id": name, "kind": "lock", "names": name} for name in ("front", "back")]})
    made = await plan("HomeUnlock", kind="lock", all=True, home=home)
    assert (made.actions, made.expects_reply) == ((), True)
    assert (await plan("HomeUnlock", kind="lock", home=home)).reply == "Which one: front or back?"
    assert values(await plan("HomeLock", kind="door", several=True, home=home)) == {"front": True, "back": True}


@pytest.mark.parametrize(
    ("slots", "expected"),
    [
        ({"appliance": ["floor_lamp"], "percent": 30}, {("floor_lamp", Trait.BRIGHTNESS, 30)}),
        ({"appliance": ["living_room_blinds"], "percent": 50}, {("living_room_blinds", Trait.POSITION, 50)}),
        ({"appliance": ["thermostat"], "percent": 22}, {("thermostat", Trait.TEMPERATURE, 22)}),
        ({"appliance": ["tv"], "level": 50}, {("tv", Trait.VOLUME, 50)}),
        ({"appliance": ["bedroom_fan"], "level": 100}, {("bedroom_fan", Trait.SPEED, 100)}),
        ({"appliance": ["floor_lamp"], "color": "red"}, {("floor_lamp", Trait.COLOR, "red")}),
        ({"appliance": ["desk_lamp"], "kelvin": 4000}, {("desk_lamp", Trait.COLOR_TEMPERATURE, 4000)}),
        ({"appliance": ["tv_backlight"], "kelvin": 2700}, {("tv_backlight", Trait.COLOR, "warmwhite")}),
        ({"appliance": ["air_conditioner"], "mode": "dry"}, {("air_conditioner", Trait.MODE, "dry")}),
        ({"temperature": 21.5, "trait": "temperature"}, {("thermostat", Trait.TEMPERATURE, 21.5)}),
        (
            {"kind": "light", "color": "blue"},
            {("floor_lamp", Trait.COLOR, "blue"), ("tv_backlight", Trait.COLOR, "blue")},
        ),
        ({"kind": "blind", "all": True, "percent": 50}, {("living_room_blinds", Trait.POSITION, 50)}),
        ({"kind": "fan", "room": "bedroom", "fan_speed": 40}, {("bedroom_fan", Trait.SPEED, 40)}),
    ],
)
async def test_values_go_to_the_trait_that_takes_them(slots: dict[str, Any], expected: set[tuple[object, ...]]) -> None:
    made = await plan("HomeSet", **slots)
    assert {(each.appliance, each.trait, each.value) for each in made.actions if isinstance(each, SetTrait)} == expected


async def test_values_out_of_reach_are_refused() -> None:
    for slots in ({"appliance": ["thermostat"], "temperature": 90}, {"appliance": ["floor_lamp"], "percent": 130}):
        made = await plan("HomeSet", **slots)
        assert (made.actions, made.refusal) == ((), True)
    assert (await plan("HomeSet", appliance=["air_conditioner"], mode="eco")).actions == ()
    assert (await plan("HomeSet", appliance=["floor_lamp"])).expects_reply


async def test_steps_by_kind_size_and_amount() -> None:
    assert steps(await plan("HomeAdjust", appliance=["floor_lamp"], direction="up")) == {
        "floor_lamp": (Trait.BRIGHTNESS, 20)
    }
    made = await plan("HomeAdjust", appliance=["tv"], direction="down", size="small")
    assert steps(made) == {"tv": (Trait.VOLUME, -5)}
    made = await plan("HomeAdjust", trait="temperature", direction="up", at="bedroom", amount=2)
    assert steps(made) == {"thermostat": (Trait.TEMPERATURE, 2)}
    made = await plan("HomeAdjust", trait="temperature", direction="down", at="bathroom")
    assert steps(made) == {"bathroom_heater": (Trait.TEMPERATURE, -1)}
    fahrenheit = load_home({"temperature_unit": "F", "appliances": [{"id": "t", "kind": "thermostat", "names": "t"}]})
    assert steps(await plan("HomeAdjust", trait="temperature", direction="up", home=fahrenheit)) == {
        "t": (Trait.TEMPERATURE, 2)
    }


async def test_too_dark_brightens_what_is_lit_or_switches_on() -> None:
    said = {"trait": "brightness", "direction": "up", "implicit": True, "kind": "light"}
    assert steps(await plan("HomeAdjust", **said)) == {"living_room_ceiling": (Trait.BRIGHTNESS, 20)}
    assert values(await plan("HomeAdjust", at="office", **said)) == {"desk_lamp": True, "office_ceiling": True}
    said["direction"] = "down"
    assert (await plan("HomeAdjust", at="office", **said)).actions == ()


async def test_half_a_command_is_about_what_was_mentioned_or_asks() -> None:
    assert values(await plan("HomeTurnOff", bare=True, mentioned=("desk_lamp",))) == {"desk_lamp": False}
    asked = await plan("HomeTurnOff", bare=True)
    assert (asked.actions, asked.expects_reply, asked.question) == ((), True, "appliance")


async def test_brighter_without_a_name_is_about_what_was_mentioned() -> None:
    made = await plan("HomeAdjust", trait="brightness", direction="up", mentioned=("desk_lamp",))
    assert steps(made) == {"desk_lamp": (Trait.BRIGHTNESS, 20)}


async def test_what_has_no_switch_does_what_comes_nearest() -> None:
    assert values(await plan("HomeTurnOff", appliance=["thermostat"]), Trait.MODE) == {"thermostat": "off"}
    assert values(await plan("HomeTurnOn", appliance=["thermostat"]), Trait.MODE) == {"thermostat": "heat"}
    assert values(await plan("HomeTurnOn", appliance=["sprinkler"]), Trait.POSITION) == {"sprinkler": 100}


async def test_covers_toggle_and_stop_where_they_are() -> None:
    assert values(await plan("HomeToggle", appliance=["bedroom_curtains"])) == {"bedroom_curtains": 100}
    assert values(await plan("HomeStop", kind="blind")) == {"living_room_blinds": 100}
    assert values(await plan("HomeOpen", kind="blind", at="bedroom")) == {"bedroom_curtains": 100}


async def test_small_commands() -> None:
    assert values(await plan("HomeClean", room="bedroom")) == {"vacuum": True}
    assert values(await plan("HomeDock")) == {"vacuum": False}
    assert values(await plan("HomeOscillate", at="bedroom")) == {"bedroom_fan": True}
    assert values(await plan("HomeOscillate", at="bedroom", value=False)) == {"bedroom_fan": False}
    assert values(await plan("HomeMute", appliance=["tv"]), Trait.MUTED) == {"tv": True}
    assert values(await plan("HomePlay", appliance=["tv"], value=False), Trait.PLAYING) == {"tv": False}


async def test_scenes() -> None:
    assert (await plan("HomeScene", scene="movie_time")).actions == (ActivateScene("movie_time"),)
    assert (await plan("HomeScene")).expects_reply
    unknown = await plan("HomeScene", name="volcano")
    assert (unknown.actions, unknown.refusal) == ((), True)


@pytest.mark.parametrize(
    ("intent", "slots", "reply"),
    [
        ("HomeAskState", {"appliance": ["front_door"], "state": "locked"}, "Yes, the front door is locked."),
        ("HomeAskState", {"appliance": ["front_door"], "state": "open"}, "No, the front door is locked."),
        ("HomeAskState", {"kind": "window", "state": "open", "question": "any"}, "Yes: the kitchen window."),
        (
            "HomeAskState",
            {"kind": "light", "state": "on", "question": "which", "room": "upstairs"},
            "The bedroom light and the night light.",
        ),
        (
            "HomeAskState",
            {"kind": "light", "state": "on", "question": "count", "room": "kitchen"},
            "1: the kitchen light.",
        ),
        (
            "HomeAskState",
            {"kind": "light", "state": "off", "question": "all", "room": "office"},
            "Yes, all lights in the office are off.",
        ),
        (
            "HomeAskState",
            {"kind": "light", "state": "on", "question": "any", "room": "office"},
            "No lights in the office are on.",
        ),
        ("HomeAskState", {"state": "motion", "question": "any", "kind": "sensor"}, "There is no motion."),
        ("HomeAskValue", {"trait": "current_temperature", "room": "bedroom"}, "It's 19.5 degrees in the bedroom."),
        (
            "HomeAskValue",
            {"trait": "current_temperature", "room": "kitchen"},
            "I don't know the temperature in the kitchen.",
        ),
        (
            "HomeAskValue",
            {"trait": "current_humidity", "room": "bedroom"},
            "The humidity is 48 percent in the bedroom.",
        ),
        ("HomeAskValue", {"trait": "temperature", "appliance": ["thermostat"]}, "The thermostat is at 21 degrees."),
        (
            "HomeAskValue",
            {"trait": "brightness", "appliance": ["kitchen_ceiling"]},
            "The kitchen light is at 100 percent.",
        ),
        ("HomeAskValue", {"trait": "brightness", "appliance": ["desk_lamp"]}, "The desk lamp is off."),
        ("HomeAskValue", {"trait": "position", "appliance": ["bedroom_curtains"]}, "The bedroom curtains are closed."),
        ("HomeAskValue", {"trait": "mode", "appliance": ["thermostat"]}, "The thermostat is set to heating."),
        ("HomeAskValue", {"trait": "battery", "appliance": ["vacuum"]}, "The vacuum is at 100 percent."),
        ("HomeAskValue", {"appliance": ["front_door"]}, "The front door is locked."),
    ],
)
async def test_questions_are_answered_from_the_state(intent: str, slots: dict[str, Any], reply: str) -> None:
    made = await plan(intent, **slots)
    assert (made.reply, made.actions) == (reply, ())


async def test_an_unreachable_appliance_is_said_to_be() -> None:
    home = load_home({"appliances": [{"id": "l", "kind": "light", "names": "lamp", "available": False}]})
    made = await plan("HomeTurnOn", appliance=["l"], home=home)
    assert (made.actions, made.reply) == ((), "I can't reach the lamp right now.")


def test_every_intent_has_sentences_and_a_planner() -> None:
    assert set(FILE["intents"]) == set(SKILL.intents)
    for word in {each.kind for each in DEMO.appliances}:
        assert word in FILE["terms"]["kinds"]
