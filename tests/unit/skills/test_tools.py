from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import DeviceView, ToolDefinition, World
from entendre.core.understanding import Command
from entendre.home.demo import demo_home
from entendre.markets.loader import load_pack
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills
from entendre.skills.tools import MAX_ANSWER_CHARS, DeviceTools, spoken_answer

OPEN_APP = ToolDefinition("open_app", sentences=("(open|launch|start) {app}",))
ZOOM = ToolDefinition(
    "zoom",
    parameters=json.dumps({"properties": {"percent": {"type": "integer"}}}),
    sentences=("zoom [the screen] to {percent} [percent]",),
)


def world(*tools: ToolDefinition) -> World:
    names = tuple(tool.name for tool in tools)
    return World(now=datetime(2026, 1, 5, tzinfo=UTC), device=DeviceView("d", tools=names, tool_definitions=tools))


@pytest.fixture(scope="module")
def device_tools() -> DeviceTools:
    return DeviceTools(load_pack)


@pytest.mark.parametrize(
    ("sentence", "tool", "arguments"),
    [
        ("open the calculator", "open_app", {"app": "the calculator"}),
        ("please launch firefox", "open_app", {"app": "firefox"}),
        ("zoom the screen to one hundred fifty percent", "zoom", {"percent": 150}),
    ],
)
def test_a_tools_own_sentences_call_it(
    device_tools: DeviceTools, sentence: str, tool: str, arguments: dict[str, object]
) -> None:
    found = device_tools.understand(sentence, "en", world(OPEN_APP, ZOOM))
    assert found is not None
    plan = device_tools.plan(found.commands[0], "OK.")
    assert plan is not None
    [call] = plan.actions
    assert isinstance(call, CallDeviceTool)
    assert (call.tool, json.loads(call.arguments)) == (tool, arguments)


def test_other_sentences_and_devices_without_tools_mean_nothing(device_tools: DeviceTools) -> None:
    assert device_tools.understand("who won the world cup", "en", world(OPEN_APP)) is None
    assert device_tools.understand("open the calculator", "en", world()) is None
    assert device_tools.understand("open the calculator", "en", world(ToolDefinition("open_app"))) is None
    assert device_tools.plan(Command("Stop"), "OK.") is None


@pytest.mark.parametrize("sentences", [("open {app",), ("<nothing>",), tuple("say {x}" for _ in range(500))])
def test_nonsense_from_a_device_silences_only_its_tools(device_tools: DeviceTools, sentences: tuple[str, ...]) -> None:
    broken = ToolDefinition("t", parameters="not json", sentences=sentences)
    assert device_tools.understand("open it", "en", world(broken)) is None


async def test_the_planner_prefers_a_skill_that_is_sure_and_else_asks_the_tools() -> None:
    planner = Planner(load_skills(), demo_home())
    here = world(OPEN_APP)
    call = planner.understand("launch the calculator", "en", here)
    plan = await planner.plan(call, here)
    assert [action.type for action in plan.actions] == ["call_device_tool"]
    assert plan.reply
    assert planner.understand("open the garage door", "en", here).commands[0].intent == "HomeOpen"
    assert not planner.understand("launch the calculator", "en", world()).understood


@pytest.mark.parametrize("answer", ["", " ", "42", '{"battery": {"level": 80}}', "[1, 2]", "<b>x</b>", "true", '"x"'])
def test_what_is_written_for_machines_is_not_read_aloud(answer: str) -> None:
    assert spoken_answer(answer) == ""


def test_a_tools_words_are_read_aloud_up_to_a_bound() -> None:
    assert spoken_answer("A red cup\n on a table. ") == "A red cup on a table."
    assert spoken_answer("\x00A \x1b\u202ered\ud800 cup.\x9c") == "A red cup."
    long = "There is a cup. " * 100
    assert len(spoken_answer(long)) <= MAX_ANSWER_CHARS
    assert spoken_answer(long).endswith("a cup.")
    assert spoken_answer("word " * 500).endswith("word…")
