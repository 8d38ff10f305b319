"""Tools that devices offer under well-known names, found by what they are for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

from entendre.core.actions import CallDeviceTool
from entendre.core.plan import DeviceView
from entendre.markets.loader import read_yaml

TABLE = Path(__file__).parent / "device" / "tools.yaml"
NEVER = "never"
PERCENT = "percent"
_FULL_PERCENT = 100
_NO_LETTER = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class KnownTool:
    """How a device's tool is called. `arguments`: its parameter -> our value; `fixed`: what is always so."""

    name: str
    arguments: Mapping[str, str] = field(default_factory=dict)
    fixed: Mapping[str, Any] = field(default_factory=dict)


@lru_cache(maxsize=1)
def known_tools() -> Mapping[str, tuple[KnownTool, ...]]:
    """Use -> tools, the likeliest first."""
    table: Mapping[str, list[Mapping[str, Any]]] = read_yaml(TABLE)
    return {
        str(use): tuple(
            KnownTool(plain(str(one["tool"])), one.get("arguments") or {}, one.get("fixed") or {}) for one in tools
        )
        for use, tools in table.items()
    }


def plain(name: str) -> str:
    """A tool's name without its punctuation, which gateways replace for language models' sake."""
    return _NO_LETTER.sub("_", name.lower())


def is_harmful(name: str) -> bool:
    """Whether a tool may not be called by voice, or by a model."""
    return plain(name) in {tool.name for tool in known_tools()[NEVER]}


def call_for(device: DeviceView, use: str, **values: Any) -> CallDeviceTool | None:
    """The call of the device's tool for a use, with our values; None if it has none."""
    offered = {plain(name): name for name in device.tools}
    for known in known_tools()[use]:
        if known.name in offered and not is_harmful(known.name):
            name = offered[known.name]
            limits = _maxima(device, name)
            given = {
                parameter: _fit(values[value], value, limits.get(parameter))
                for parameter, value in known.arguments.items()
            }
            return CallDeviceTool(name, json.dumps({**known.fixed, **given}, ensure_ascii=False, sort_keys=True))
    return None


def _fit(value: Any, kind: str, maximum: float | None) -> Any:
    """A percent value on the scale of its parameter."""
    if kind != PERCENT or maximum is None:
        return value
    return round(value * maximum / _FULL_PERCENT)


def _maxima(device: DeviceView, tool: str) -> dict[str, float]:
    """The largest values of a tool's parameters, from its JSON Schema."""
    schema = next((each.parameters for each in device.tool_definitions if each.name == tool), "{}")
    try:
        properties = json.loads(schema)["properties"]
        return {str(name): float(one["maximum"]) for name, one in properties.items() if "maximum" in one}
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return {}
