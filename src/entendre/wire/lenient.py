"""Reading of JSON that a device concatenated by hand: what is missing or wrong becomes a default, nothing raises."""

from __future__ import annotations

import json
from typing import Any

from entendre.wire.realtime_checks import Json, without_surrogates

__all__ = [
    "Json",
    "compact",
    "count_of",
    "flag_of",
    "is_too_deep",
    "object_of",
    "objects_of",
    "parse_object",
    "text_of",
]

MAX_DEPTH = 64
"""Of objects and lists inside each other: deeper than any peer writes, and far from where Python itself gives up."""


def parse_object(text: str | bytes) -> Json | None:
    """The JSON object in this text, None if it is none or too deep; NaN and infinities are read as null."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=_nothing)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) and not is_too_deep(text, value) else None


def is_too_deep(text: str, value: Any) -> bool:
    """Whether this value, read from this text, is nested so deeply that to write it again could fail."""
    if text.count("[") + text.count("{") <= MAX_DEPTH:
        return False
    level: list[Any] = [value] if isinstance(value, dict | list) else []
    for _ in range(MAX_DEPTH):
        held = (each.values() if isinstance(each, dict) else each for each in level)
        level = [item for items in held for item in items if isinstance(item, dict | list)]
    return bool(level)


def text_of(document: Json, key: str, limit_chars: int, default: str = "") -> str:
    """A string, cut at `limit_chars`; the default where the member is missing or no string."""
    value = document.get(key)
    return without_surrogates(value[:limit_chars]) if isinstance(value, str) else default


def count_of(document: Json, key: str, default: int = 0, highest: int = 2**31 - 1) -> int:
    """A whole number from 0 to `highest`, also where it came as a string of digits; else the default."""
    value = document.get(key)
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 10:
        value = int(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return value if type(value) is int and 0 <= value <= highest else default


def flag_of(document: Json, key: str) -> bool:
    """Whether the member is exactly true."""
    return document.get(key) is True


def object_of(document: Json, key: str) -> Json:
    """An object, empty where the member is missing or something else."""
    value = document.get(key)
    return value if isinstance(value, dict) else {}


def objects_of(document: Json, key: str, limit: int) -> tuple[Json, ...]:
    """The objects of a list, at most `limit`; empty where the member is missing or something else."""
    value = document.get(key)
    return tuple(item for item in value[:limit] if isinstance(item, dict)) if isinstance(value, list) else ()


def compact(document: Any) -> str:
    """JSON without spaces, always valid UTF-8."""
    return without_surrogates(json.dumps(document, separators=(",", ":"), ensure_ascii=False))


def _nothing(_: str) -> None:
    return None
