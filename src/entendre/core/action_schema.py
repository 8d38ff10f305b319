"""The JSON Schema of one action, made from the action types; docs/actions.schema.json is this, written out."""

from __future__ import annotations

import types
from dataclasses import MISSING, fields
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from entendre.core.actions import ACTION_TYPES, Trait

_SIMPLE: dict[Any, dict[str, Any]] = {
    str: {"type": "string"},
    int: {"type": "integer"},
    float: {"type": "number"},
    bool: {"type": "boolean"},
    Trait: {"enum": [trait.value for trait in Trait]},
}

_PATTERNS: dict[str, dict[str, Any]] = {
    "time": {"pattern": "^([01][0-9]|2[0-3]):[0-5][0-9]$"},
    "date": {"format": "date"},
    "days": {"items": {"enum": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"]}, "uniqueItems": True, "minItems": 1},
    "percent": {"minimum": 0, "maximum": 100},
}
"""What a field's name says beyond its type."""


def action_schema() -> dict[str, Any]:
    """A JSON Schema (2020-12) that accepts exactly what `action_to_json` writes."""
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Entendre action",
        "oneOf": [_object(name, kind) for name, kind in ACTION_TYPES.items()],
    }


def _object(name: str, kind: Any) -> dict[str, Any]:
    hints = get_type_hints(kind)
    properties: dict[str, Any] = {"type": {"const": name}}
    required = ["type"]
    for field in fields(kind):
        properties[field.name] = _of(hints[field.name]) | _PATTERNS.get(field.name, {})
        if field.default is MISSING:
            required.append(field.name)
    return {
        "title": str(kind.__doc__).strip().splitlines()[0],
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }


def _of(hint: Any) -> dict[str, Any]:
    origin = get_origin(hint)
    if origin is Literal:
        return {"enum": list(get_args(hint))}
    if origin is tuple:
        return {"type": "array"}
    if origin in (Union, types.UnionType):
        options = [_of(option) for option in get_args(hint) if option is not type(None)]
        return options[0] if len(options) == 1 else {"anyOf": options}
    return dict(_SIMPLE[hint])
