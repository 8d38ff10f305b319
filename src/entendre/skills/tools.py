"""Tools that a device offers, called by voice: each tool brings the sentences that mean it."""

from __future__ import annotations

import json
import logging
import re
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from entendre.core.actions import CallDeviceTool
from entendre.core.errors import InvalidInputError
from entendre.core.home import HomeSnapshot
from entendre.core.plan import Plan, ToolDefinition, World
from entendre.core.understanding import Command, Understanding
from entendre.language.pack import LanguagePack
from entendre.language.sentences import SentenceFile, sentence_file
from entendre.language.understander import Understander
from entendre.skills.offered import is_harmful

log = logging.getLogger(__name__)

INTENT_PREFIX = "DeviceTool."
COMPILED_LIMIT = 64
"""Compiled sets of tools that are kept; devices of one product share theirs."""
MAX_SENTENCES = 200
MAX_ANSWER_CHARS = 600
"""Longest answer of a tool that is read aloud; about forty seconds."""
_MACHINE_MARKS = frozenset('{[<"')
_MACHINE_WORDS = frozenset({"true", "false", "null", "none", "ok", "OK", "success"})
_SENTENCE_ENDS = ".!?。！？"
_NUMBERS = frozenset({"integer", "number"})
_SLOT = re.compile(r"\{(\w+)\}")


class DeviceTools:
    """Understands the sentences of whatever tools the asking device has."""

    def __init__(self, pack_of: Callable[[str], LanguagePack]) -> None:
        self._pack_of = pack_of
        self._compiled: OrderedDict[tuple[str, tuple[ToolDefinition, ...]], Understander | None] = OrderedDict()

    def understand(self, text: str, language: str, world: World) -> Understanding | None:
        """The tool call that a sentence means; None if the device has no tool that it could."""
        offered = world.device.tool_definitions
        tools = tuple(tool for tool in offered if tool.sentences and not is_harmful(tool.name))
        understander = self._understander(language, tools) if tools else None
        if understander is None:
            return None
        found = understander.understand(text, world)
        return replace(found, language=language) if found.understood else None

    def plan(self, command: Command, reply: str) -> Plan | None:
        """The call of a command that `understand` found; None for any other command."""
        if not command.intent.startswith(INTENT_PREFIX):
            return None
        tool = command.intent.removeprefix(INTENT_PREFIX)
        arguments = json.dumps(dict(command.slots), ensure_ascii=False, sort_keys=True)
        return Plan(reply, (CallDeviceTool(tool, arguments),))

    def _understander(self, language: str, tools: tuple[ToolDefinition, ...]) -> Understander | None:
        key = (language, tools)
        if key not in self._compiled:
            self._compiled[key] = self._compile(language, tools)
            while len(self._compiled) > COMPILED_LIMIT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(key)
        return self._compiled[key]

    def _compile(self, language: str, tools: tuple[ToolDefinition, ...]) -> Understander | None:
        """A device's own sentences may be nonsense; then its tools are silent and everything else works."""
        try:
            return Understander(self._pack_of(language), [_sentences(language, tools)], HomeSnapshot())
        except InvalidInputError as error:
            log.warning("device tools left out", extra={"code": error.code, "tools": len(tools)})
            return None


_UNREADABLE = re.compile("[\\x00-\\x1f\\x7f-\\x9f\\u202a-\\u202e\\u2066-\\u2069\\ud800-\\udfff]")
"""Control characters, turns of the writing direction, and halves of characters: no voice reads them."""


def spoken_answer(answer: str) -> str:
    """A tool's answer as it may be read aloud; empty for what is written for machines, as JSON is."""
    said = " ".join(_UNREADABLE.sub(" ", answer).split())
    if not any(letter.isalpha() for letter in said) or said[0] in _MACHINE_MARKS or said in _MACHINE_WORDS:
        return ""
    if len(said) <= MAX_ANSWER_CHARS:
        return said
    cut = said[:MAX_ANSWER_CHARS]
    ends = max(cut.rfind(mark) for mark in _SENTENCE_ENDS)
    return cut[: ends + 1] if ends > 0 else cut.rsplit(" ", 1)[0] + "…"


def _sentences(language: str, tools: tuple[ToolDefinition, ...]) -> SentenceFile:
    """One sentence file for all tools. Raises: InvalidInputError."""
    if sum(len(tool.sentences) for tool in tools) > MAX_SENTENCES:
        raise InvalidInputError(f"A device may bring {MAX_SENTENCES} sentences for its tools.")
    intents: dict[str, Any] = {}
    lists: dict[str, Any] = {}
    for tool in tools:
        numbers = _number_parameters(tool)
        texts = [_typed(sentence, numbers) for sentence in tool.sentences]
        words = {name for sentence in tool.sentences for name in _SLOT.findall(sentence)} - numbers
        lists.update({name: {"wildcard": True} for name in words})
        intents[INTENT_PREFIX + tool.name] = {"data": [{"sentences": texts}]}
    return sentence_file("device_tools", {"language": language, "intents": intents, "lists": lists})


def _typed(sentence: str, numbers: frozenset[str]) -> str:
    """A sentence with the slots of numeric parameters read as numbers."""
    return _SLOT.sub(lambda slot: f"{{number:{slot[1]}}}" if slot[1] in numbers else slot[0], sentence)


def _number_parameters(tool: ToolDefinition) -> frozenset[str]:
    """Names of a tool's numeric parameters, from its JSON Schema."""
    try:
        properties = json.loads(tool.parameters).get("properties", {})
        return frozenset(name for name, schema in properties.items() if schema.get("type") in _NUMBERS)
    except (ValueError, AttributeError):
        return frozenset()
