"""What is said of a device's status and pictures, and which of its tools are never called."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from worlds import WORLDS

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import ToolDefinition
from entendre.skills.device.skill import DeviceSkill
from entendre.skills.offered import NEVER, call_for, is_harmful, known_tools
from entendre.skills.planner import Planner
from entendre.skills.status import DeviceStatus, parse_status

STATUS = json.dumps(
    {
        "audio_speaker": {"volume": 70},
        "screen": {"brightness": 100, "theme": "light"},
        "battery": {"level": 50, "charging": True},
        "network": {"type": "wifi", "ssid": "Home", "signal": "strong"},
    }
)


@pytest.mark.parametrize(
    ("sentence", "answer", "said"),
    [
        ("what's your battery", STATUS, "My battery is at 50 percent, and charging."),
        ("are you charging", '{"battery": {"level": 9, "charging": false}}', "My battery is at 9 percent."),
        ("what's your battery", '{"audio_speaker": {"volume": 3}}', "I have no battery, I run on mains."),
        ("what's your battery", "true", "This speaker doesn't tell me that."),
        ("what's your battery", '{"battery": {"level": "full"}}', "I have no battery, I run on mains."),
        ("how bright is the screen", STATUS, "The screen is at 100 percent."),
        ("how bright is the screen", "{}", "This speaker has no screen that I can change."),
        ("what's the volume", STATUS, "The volume is at 70 percent."),
        ("what's the volume", "nonsense", "I don't know this speaker's volume."),
        ("what do you see", "A red cup on a table.", "A red cup on a table."),
        ("what do you see", "", "I can't make out what that is."),
        ("take a picture", '{"success": false}', "I can't make out what that is."),
    ],
)
async def test_what_a_tool_answers_is_said_in_words(planner: Planner, sentence: str, answer: str, said: str) -> None:
    world = WORLDS["device"]
    planner.set_home(world.home)
    understanding = planner.understand(sentence, "en", world)
    plan = await planner.plan(understanding, world)
    [call] = plan.actions
    assert isinstance(call, CallDeviceTool) and plan.reply == ""
    assert planner.told(understanding, world, call, answer) == said


@pytest.mark.parametrize("answer", ["[]", "null", "[" * 5000, '"x"', "1"])
def test_what_is_no_status_is_none(answer: str) -> None:
    assert parse_status(answer) is None


def test_odd_parts_of_a_status_are_left_out() -> None:
    odd = '{"audio_speaker": 4, "screen": {"brightness": true}, "battery": {"level": 400, "charging": "yes"}}'
    assert parse_status(odd) == DeviceStatus()


@pytest.mark.parametrize("name", ["self.reboot", "self_upgrade_firmware", "Self.Assets.Set_Download_URL"])
def test_what_can_harm_is_never_called_even_if_the_device_has_sentences_for_it(planner: Planner, name: str) -> None:
    assert is_harmful(name)
    tool = ToolDefinition(name, sentences=("restart yourself completely",))
    device = replace(WORLDS["empty"].device, tools=(name,), tool_definitions=(tool,))
    world = replace(WORLDS["empty"], device=device)
    assert not planner.understand("restart yourself completely", "en", world).understood


def test_no_use_has_a_tool_that_can_harm() -> None:
    harmful = {tool.name for tool in known_tools()[NEVER]}
    assert not harmful & {tool.name for use, tools in known_tools().items() if use != NEVER for tool in tools}


@pytest.mark.parametrize("schema", ["", "[]", '{"properties": 3}', '{"properties": {"brightness": {"maximum": "x"}}}'])
def test_an_odd_schema_leaves_percent_as_it_is(schema: str) -> None:
    name = "self.screen.set_brightness"
    device = replace(WORLDS["empty"].device, tools=(name,), tool_definitions=(ToolDefinition(name, parameters=schema),))
    call = call_for(device, "screen_brightness", percent=40)
    assert call is not None and json.loads(call.arguments) == {"brightness": 40}


def test_a_skill_that_fails_to_word_an_answer_is_answered_for(
    planner: Planner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(self: DeviceSkill, request: object, call: object, answer: str) -> str:
        raise ValueError("broken")

    monkeypatch.setattr(DeviceSkill, "told", broken)
    world = WORLDS["device"]
    planner.set_home(world.home)
    understanding = planner.understand("what's your battery", "en", world)
    call = CallDeviceTool("self.get_device_status", "{}")
    assert planner.told(understanding, world, call, STATUS) == planner.phrase("skill_failed", "en")


def test_an_answer_that_no_skill_words_is_read_aloud_if_it_is_text(planner: Planner) -> None:
    world = WORLDS["device"]
    understanding = planner.understand("thank you", "en", world)
    call = CallDeviceTool("greet", "{}")
    assert planner.told(understanding, world, call, "You're welcome.") == "You're welcome."
    assert planner.told(understanding, world, call, '{"ok": true}') == ""
