"""Typed access to a command's canonical slots, the same for every skill."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from entendre.core.home import Names, all_names
from entendre.skills.base import Request

WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
"""Canonical day names in `datetime.weekday()` order."""


def text(request: Request, name: str) -> str | None:
    """A text slot without outer spaces; None when missing or empty."""
    value = request.command.slots.get(name)
    if value is None:
        return None
    return str(value).strip() or None


def flag(request: Request, name: str) -> bool:
    """Whether a sentence set a flag such as `all`."""
    return bool(request.command.slots.get(name))


def number(request: Request, name: str) -> float | None:
    """A number slot, whole numbers as int."""
    value = request.command.slots.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if value == int(value) else value


def seconds(request: Request, name: str) -> int | None:
    """A duration slot in whole seconds."""
    value = number(request, name)
    return None if value is None else round(value)


def weekdays(request: Request, name: str = "days") -> tuple[str, ...]:
    """A days slot in week order, each day once."""
    value = request.command.slots.get(name) or ()
    given = {value} if isinstance(value, str) else set(value)
    return tuple(day for day in WEEKDAYS if day in given)


def mapping(request: Request, name: str) -> Mapping[str, Any]:
    """A structured slot such as a date and time; empty when missing."""
    value = request.command.slots.get(name)
    return value if isinstance(value, Mapping) else {}


def same_name(known: str, asked: str) -> bool:
    """Whether two names that people gave are the same, whatever their case and spaces."""
    return _folded(known) == _folded(asked)


def has_name(names: Names, asked: str) -> bool:
    """Whether a thing of the home goes by this name in any language."""
    return any(same_name(name, asked) for name in all_names(names))


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("-", " ").replace("'", "").split())
