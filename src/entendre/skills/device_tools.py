"""Tools that a device offers with sentences of their own: understood before everything else, called as they are."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from hassil import Intents, recognize_best
from hassil.errors import HassilError
from hassil.parser import ParseError

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import Mentioned, Plan, ToolDefinition, World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.skills.planner import Planner

log = logging.getLogger(__name__)

INTENT = "CallDeviceTool"
KEPT_DEVICES = 256
"""Devices whose compiled tools are kept; one with other tools takes the place of the oldest."""
REPLY = "tool_called"
_SLOT = re.compile(r"\{(\w+)")


class DeviceTools:
    """A planner that knows the tools of the device that was spoken to, and leaves the rest to another planner."""

    def __init__(self, planner: Planner) -> None:
        self._planner = planner

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        """What a sentence means. See `session.assistant.Planner`."""
        tools = world.device.tool_definitions
        called = _called(text, language, tools) if any(tool.sentences for tool in tools) else None
        return called or self._planner.understand(text, language, world, alternatives)

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        """What to say and do."""
        if not understanding.understood or understanding.commands[0].intent != INTENT:
            return await self._planner.plan(understanding, world)
        slots = understanding.commands[0].slots
        arguments = json.dumps(slots["arguments"], ensure_ascii=False)
        return Plan(
            self._planner.phrase(REPLY, understanding.language), (CallDeviceTool(str(slots["tool"]), arguments),)
        )

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        """What the next turn may refer to."""
        return self._planner.mentioned(world, understanding, plan)

    def phrase(self, key: str, language: str, **values: object) -> str:
        """A reply of the conversation itself."""
        return self._planner.phrase(key, language, **values)


def _called(text: str, language: str, tools: tuple[ToolDefinition, ...]) -> Understanding | None:
    intents = _compiled(tools, language)
    words = text.strip().rstrip(".!?。！？")
    found = recognize_best(words, intents, language=language.split("-")[0]) if intents is not None else None
    if found is None:
        return None
    tool = next(tool for tool in tools if tool.name == found.intent.name)
    arguments = {name: _value(tool, name, entity.value) for name, entity in found.entities.items()}
    # Free words may still go on; a sentence that ends with a known word is over.
    open_end = any(entity.is_wildcard for entity in found.entities.values())
    completeness = Completeness.EXTENDABLE if open_end else Completeness.COMPLETE
    command = Command(INTENT, {"tool": tool.name, "arguments": arguments}, text=words, skill="device_tools")
    return Understanding(text, language, (command,), completeness, 1.0)


@lru_cache(maxsize=KEPT_DEVICES)
def _compiled(tools: tuple[ToolDefinition, ...], language: str) -> Intents | None:
    """The matcher of a device's tools; a tool whose sentences can't be read is left out."""
    documents: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    for tool in tools:
        document = {"data": [{"sentences": list(tool.sentences)}]}
        named: dict[str, dict[str, Any]] = {name: {} for sentence in tool.sentences for name in _SLOT.findall(sentence)}
        slots = {name: _slot_list(schema) for name, schema in (named | _properties(tool)).items()}
        if tool.sentences and _readable(tool.name, document, {**lists, **slots}, language):
            documents[tool.name] = document
            lists |= slots
    return _intents(documents, lists, language) if documents else None


def _readable(name: str, document: Mapping[str, Any], lists: Mapping[str, Any], language: str) -> bool:
    try:
        recognize_best(name, _intents({name: document}, lists, language), language=language.split("-")[0])
    except (ParseError, HassilError, ValueError, KeyError):
        log.info("the sentences of a device's tool can't be read")
        return False
    return True


def _intents(documents: Mapping[str, Any], lists: Mapping[str, Any], language: str) -> Intents:
    return Intents.from_dict({"language": language, "intents": dict(documents), "lists": dict(lists)})


def _properties(tool: ToolDefinition) -> dict[str, dict[str, Any]]:
    schema = json.loads(tool.parameters)
    properties = schema.get("properties") if isinstance(schema, dict) else None
    found = properties.items() if isinstance(properties, dict) else ()
    return {name: value for name, value in found if isinstance(value, dict)}


def _slot_list(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a parameter may be: its enumeration, a range of whole numbers, or any words."""
    choices = schema.get("enum")
    if isinstance(choices, list) and choices and all(isinstance(choice, str) for choice in choices):
        return {"values": choices}
    if schema.get("type") in ("integer", "number"):
        low, high = schema.get("minimum", 0), schema.get("maximum", 1_000)
        if isinstance(low, int | float) and isinstance(high, int | float):
            return {"range": {"from": int(low), "to": int(high)}}
    return {"wildcard": True}


def _value(tool: ToolDefinition, name: str, value: Any) -> Any:
    kind = _properties(tool).get(name, {}).get("type")
    if kind == "integer" and isinstance(value, float):
        return int(value)
    return value.strip() if isinstance(value, str) else value
