"""Routines: what starts them, and the actions that they may hold."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from entendre.core.actions import ACTION_TYPES, Trait, action_from_json
from entendre.core.errors import InvalidInputError

MAX_ROUTINES = 100
MAX_ACTIONS = 20
MAX_ACTION_CHARS = 2_000
MAX_PHRASE_CHARS = 200
WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_TIME = re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d", re.ASCII)


def checked_trigger(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """`{"say": phrase}` or `{"time": "HH:MM", "days": […]}`, as it is kept. Raises: InvalidInputError."""
    if set(trigger) == {"say"}:
        phrase = trigger["say"]
        if isinstance(phrase, str) and 0 < len(phrase.strip()) <= MAX_PHRASE_CHARS:
            return {"say": phrase.strip()}
    elif "time" in trigger and set(trigger) <= {"time", "days"}:
        at, days = trigger["time"], trigger.get("days", [])
        named = isinstance(days, list | tuple) and all(each in WEEKDAYS for each in days)
        if isinstance(at, str) and _TIME.fullmatch(at) and named:
            return {"time": at, "days": [each for each in WEEKDAYS if each in days]}
    raise InvalidInputError('A routine starts by {"say": "good night"} or {"time": "22:30", "days": ["mon"]}.')


def checked_actions(actions: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Actions as docs/actions.md says, as they are kept. Raises: InvalidInputError."""
    if not 0 < len(actions) <= MAX_ACTIONS:
        raise InvalidInputError(f"A routine has 1 to {MAX_ACTIONS} actions.")
    return [_checked_action(dict(each), number) for number, each in enumerate(actions, start=1)]


def _checked_action(document: dict[str, Any], number: int) -> dict[str, Any]:
    try:
        if len(json.dumps(document, ensure_ascii=False)) > MAX_ACTION_CHARS:
            raise ValueError("too long")
        action_from_json(document)
        kind: Any = ACTION_TYPES[document["type"]]
        hints = get_type_hints(kind)
        for field in fields(kind):
            if field.name in document and not _fits(document[field.name], hints[field.name]):
                raise ValueError(f"{field.name} is of another type")
    except (ValueError, TypeError, RecursionError) as problem:
        raise InvalidInputError(f"Action {number} is none (docs/actions.md).", detail=str(problem)[:200]) from None
    return document


def _fits(value: Any, hint: Any) -> bool:
    """Whether a JSON value is of the type of a field."""
    origin = get_origin(hint)
    if origin in (Union, UnionType):
        return any(_fits(value, option) for option in get_args(hint))
    if origin is Literal:
        return value in get_args(hint)
    if origin is tuple:
        return isinstance(value, list | tuple) and all(isinstance(each, str) for each in value)
    if hint is Trait:
        return value in set(Trait)
    if hint in (int, float):
        return isinstance(value, (int, float) if hint is float else int) and not isinstance(value, bool)
    return value is None if hint is type(None) else isinstance(value, hint)
