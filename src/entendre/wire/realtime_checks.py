"""Typed, bounded access to a peer's JSON; every refusal names the parameter."""

from __future__ import annotations

from typing import Any

Json = dict[str, Any]

MAX_ID_CHARS = 64
"""Longest id a client may choose for an item, a call or an event."""
MAX_NAME_CHARS = 64
"""Longest name of a voice, a model, a language or a tool."""


class Refused(Exception):
    """A parameter is missing or wrong. Stays inside the codec, which turns it into a `Rejected` event."""

    def __init__(self, code: str, message: str, param: str | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.param = param


def wrong_type(param: str, wanted: str) -> Refused:
    """A refusal of a value of the wrong JSON type."""
    return Refused("invalid_type", f"{param} must be {wanted}.", param)


def without_surrogates(text: str) -> str:
    """The text with unpaired surrogates replaced, so that it can always be written as UTF-8."""
    if text.isascii():
        return text
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


def string_at(document: Json, key: str, path: str, *, limit: int = MAX_ID_CHARS, default: str | None = None) -> str:
    """A string of at most `limit` characters; `default` where the key is absent or null, else it is required."""
    value = document.get(key)
    param = f"{path}{key}"
    if value is None:
        if default is None:
            raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
        return default
    if not isinstance(value, str):
        raise wrong_type(param, "a string")
    if len(value) > limit:
        raise Refused("string_above_max_length", f"{param} is longer than {limit} characters.", param)
    return without_surrogates(value)


def optional_string_at(document: Json, key: str, path: str, *, limit: int = MAX_ID_CHARS) -> str | None:
    """A string of at most `limit` characters, None where the key is absent or null."""
    return None if document.get(key) is None else string_at(document, key, path, limit=limit)


def choice_at(document: Json, key: str, path: str, choices: tuple[str, ...], default: str | None = None) -> str:
    """One of the strings in `choices`."""
    value = string_at(document, key, path, default=default)
    if value not in choices:
        listed = ", ".join(f"'{choice}'" for choice in choices)
        raise Refused("invalid_value", f"{path}{key} must be one of {listed}.", f"{path}{key}")
    return value


def number_at(document: Json, key: str, path: str, low: float, high: float, default: float) -> float:
    """A number within bounds; `default` where the key is absent or null."""
    value = document.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise wrong_type(f"{path}{key}", "a number")
    if not low <= value <= high:
        raise Refused("invalid_value", f"{path}{key} must be from {low:g} to {high:g}.", f"{path}{key}")
    return float(value)


def integer_at(document: Json, key: str, path: str, low: int, high: int, default: int | None = None) -> int:
    """A whole number within bounds; `default` where the key is absent or null, else it is required."""
    value = document.get(key)
    param = f"{path}{key}"
    if value is None and default is not None:
        return default
    if value is None:
        raise Refused("missing_required_parameter", f"Missing required parameter: '{param}'.", param)
    if isinstance(value, bool) or not isinstance(value, int):
        raise wrong_type(param, "an integer")
    if not low <= value <= high:
        raise Refused("invalid_value", f"{param} must be from {low} to {high}.", param)
    return value


def flag_at(document: Json, key: str, path: str, default: bool) -> bool:
    """A boolean; `default` where the key is absent or null."""
    value = document.get(key)
    if value is None:
        return default
    if not isinstance(value, bool):
        raise wrong_type(f"{path}{key}", "a boolean")
    return value


def object_at(document: Json, key: str, path: str) -> Json | None:
    """A JSON object, None where the key is absent or null."""
    value = document.get(key)
    if value is None:
        return None
    if not isinstance(value, dict):
        raise wrong_type(f"{path}{key}", "an object")
    return value


def list_at(document: Json, key: str, path: str, limit: int) -> list[Any]:
    """A JSON array of at most `limit` elements, empty where the key is absent or null."""
    value = document.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise wrong_type(f"{path}{key}", "an array")
    if len(value) > limit:
        raise Refused("array_above_max_length", f"{path}{key} has more than {limit} elements.", f"{path}{key}")
    return value
