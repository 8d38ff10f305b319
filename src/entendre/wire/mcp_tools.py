"""The tools that a device offers: which are its owner's alone, and their names as language models can say them."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from entendre.wire.lenient import Json, compact, object_of, objects_of, text_of

MAX_NAME_CHARS = 128
MAX_DESCRIPTION_CHARS = 2_000
MAX_SCHEMA_BYTES = 8_000
"""A device's page of tools is no longer."""
MAX_ALIAS_CHARS = 64
"""The longest function name that language models accept."""

USER_ONLY_TOOLS = frozenset(
    {
        "self.reboot",
        "self.upgrade_firmware",
        "self.assets.set_download_url",
        "self.get_system_info",
        "self.system.reconfigure_wifi",  # offered to anybody by 22 boards, and takes the device off the network
    }
)
_SCREEN = "self.screen."
_SCREEN_FOR_ALL = frozenset({"self.screen.set_brightness", "self.screen.set_theme"})
_NOT_IN_ALIAS = re.compile(r"[^A-Za-z0-9_-]")
_EMPTY_SCHEMA: Json = {"type": "object", "properties": {}}


@dataclass(frozen=True, slots=True)
class DeviceTool:
    """One tool. `user_only` ones never reach a language model."""

    name: str
    description: str
    schema: Json
    user_only: bool = False

    @property
    def size_bytes(self) -> int:
        """About how much memory it takes."""
        return len(self.name) + len(self.description) + len(compact(self.schema))


def is_user_only(name: str, annotations: Json | None = None) -> bool:
    """Whether only the device's owner may use this tool: by its name, or because the device says so."""
    lower = name.strip().lower()
    if lower in USER_ONLY_TOOLS or (lower.startswith(_SCREEN) and lower not in _SCREEN_FOR_ALL):
        return True
    audience: Any = (annotations or {}).get("audience")
    return audience == "user" or (isinstance(audience, list) and "user" in audience and "assistant" not in audience)


def read_tools(result: Json, limit: int, limit_bytes: int) -> list[DeviceTool]:
    """The tools of one page, as many as the limits allow; one that can't be read is left out."""
    tools: list[DeviceTool] = []
    for document in objects_of(result, "tools", limit):
        tool = _tool(document)
        if tool is None:
            continue
        limit_bytes -= tool.size_bytes
        if limit_bytes < 0:
            break
        tools.append(tool)
    return tools


def _tool(document: Json) -> DeviceTool | None:
    name = document.get("name")
    if not isinstance(name, str) or not 0 < len(name) <= MAX_NAME_CHARS or not name.isprintable():
        return None
    return DeviceTool(
        name=name,
        description=text_of(document, "description", MAX_DESCRIPTION_CHARS),
        schema=_schema(document),
        user_only=is_user_only(name, object_of(document, "annotations")),
    )


def _schema(document: Json) -> Json:
    schema = object_of(document, "inputSchema")
    if schema.get("type") != "object" or len(compact(schema)) > MAX_SCHEMA_BYTES:
        return _EMPTY_SCHEMA
    return schema if isinstance(schema.get("properties"), dict) else schema | {"properties": {}}


class ToolAliases:
    """Names that language models accept, one for each tool: `self_led_set_color` for `self.led.set_color`."""

    __slots__ = ("_alias_of", "_name_of")

    def __init__(self, names: Iterable[str]) -> None:
        self._alias_of: dict[str, str] = {}
        self._name_of: dict[str, str] = {}
        for name in names:
            if name not in self._alias_of:
                self._alias_of[name] = alias = self._free(_NOT_IN_ALIAS.sub("_", name)[:MAX_ALIAS_CHARS])
                self._name_of[alias] = name

    def alias(self, name: str) -> str:
        """The alias of a tool that is there. Raises: KeyError."""
        return self._alias_of[name]

    def name(self, alias: str) -> str | None:
        """The tool's own name; None for an alias that nobody was told."""
        return self._name_of.get(alias)

    def _free(self, wanted: str) -> str:
        alias, number = wanted, 1
        while alias in self._name_of:
            number += 1
            ending = f"_{number}"
            alias = wanted[: MAX_ALIAS_CHARS - len(ending)] + ending
        return alias
