"""Tools that a device names sentences for."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from worlds import EMPTY

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import ToolDefinition, World
from entendre.core.understanding import Completeness
from entendre.skills.device_tools import DeviceTools
from entendre.skills.planner import Planner

OPEN = ToolDefinition("open_app", sentences=("open {app}", "(start|launch) {app}"))
FAN = ToolDefinition(
    "fan",
    parameters=json.dumps(
        {
            "properties": {
                "level": {"type": "integer", "maximum": 9},
                "side": {"type": "string", "enum": ["left", "right"]},
            }
        }
    ),
    sentences=("put the [{side}] fan on level {level}",),
)
BROKEN = ToolDefinition("broken", sentences=("open (the {app",))


def world_with(*tools: ToolDefinition) -> World:
    device = replace(EMPTY.device, tools=tuple(tool.name for tool in tools), tool_definitions=tools)
    return replace(EMPTY, device=device)


@pytest.mark.parametrize(
    ("text", "tool", "arguments", "completeness"),
    [
        ("Open Mail.", "open_app", {"app": "Mail"}, Completeness.EXTENDABLE),
        ("launch visual studio code", "open_app", {"app": "visual studio code"}, Completeness.EXTENDABLE),
        ("put the fan on level 5", "fan", {"level": 5}, Completeness.COMPLETE),
        ("put the left fan on level five", "fan", {"side": "left", "level": 5}, Completeness.COMPLETE),
    ],
)
async def test_a_sentence_calls_its_tool(
    planner: Planner, text: str, tool: str, arguments: dict[str, object], completeness: Completeness
) -> None:
    tools, world = DeviceTools(planner), world_with(BROKEN, OPEN, FAN)
    understanding = tools.understand(text, "en", world)
    assert understanding.completeness is completeness
    plan = await tools.plan(understanding, world)
    action = plan.actions[0]
    assert isinstance(action, CallDeviceTool) and action.tool == tool
    assert json.loads(action.arguments) == arguments
    assert plan.reply


@pytest.mark.parametrize("text", ["set a timer for ten minutes", "put the fan on level 50", ""])
async def test_everything_else_is_left_to_the_planner(planner: Planner, text: str) -> None:
    tools, world = DeviceTools(planner), world_with(OPEN, FAN)
    understanding = tools.understand(text, "en", world)
    assert understanding == planner.understand(text, "en", world)
    assert await tools.plan(understanding, world) == await planner.plan(understanding, world)


def test_another_device_does_not_have_the_tool(planner: Planner) -> None:
    assert not any(
        command.intent == "CallDeviceTool"
        for command in DeviceTools(planner).understand("launch mail", "en", EMPTY).commands
    )
