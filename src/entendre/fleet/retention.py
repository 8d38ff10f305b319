"""How long each kind of data is kept: by household, and by brand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from entendre.core.errors import InvalidInputError

DAY_S = 86_400.0
MAX_DAYS = 3_660.0
HOUSEHOLD_DAYS: dict[str, float | None] = {"history": 0.0, "rings": 7.0, "turns": 7.0, "notes": None}
"""Kinds of a household and the days that they are kept unless it says otherwise; None is until they are deleted."""
MOST_HOUSEHOLD_DAYS = {"history": 400.0, "rings": 7.0, "turns": 7.0, "notes": MAX_DAYS}
LEAST_HOUSEHOLD_DAYS = {"rings": 1.0, "turns": 1.0}
"""So long a repeated request is recognised, and a ring that nobody heard waits to be told."""
BRAND_DAYS: dict[str, float] = {"telemetry": 30.0, "commands": 30.0, "changes": 7.0, "history": 400.0}
"""Kinds of a brand. `history` caps what its households may keep."""
SHORTEST_CHANGES_DAYS = 1.0
"""A reader that was away for a night finds the feed where it left it."""


def household_days(stored: str) -> dict[str, float | None]:
    """What a household keeps, from the column that holds what it changed."""
    own = json.loads(stored or "{}")
    return {kind: own.get(kind, default) for kind, default in HOUSEHOLD_DAYS.items()}


def with_changes(stored: str, wanted: Mapping[str, Any], brand: Mapping[str, float]) -> str:
    """The column after a change. `brand`: days of the household's brand. Raises: InvalidInputError."""
    own = dict(json.loads(stored or "{}"))
    for kind, days in wanted.items():
        if kind not in HOUSEHOLD_DAYS:
            raise InvalidInputError(f"Kinds of data of a household: {', '.join(HOUSEHOLD_DAYS)}.")
        if days is None and HOUSEHOLD_DAYS[kind] is not None:
            own.pop(kind, None)
            continue
        most = MOST_HOUSEHOLD_DAYS[kind]
        if kind == "history":
            most = min(most, brand.get("history", BRAND_DAYS["history"]))
        least = LEAST_HOUSEHOLD_DAYS.get(kind, 0.0)
        own[kind] = None if days is None else _bounded(kind, days, least, most)
    return json.dumps(own, sort_keys=True)


def brand_days(rules: Mapping[str, float]) -> dict[str, float]:
    """What a brand keeps, from the rules that it made."""
    return {kind: rules.get(kind, default) for kind, default in BRAND_DAYS.items()}


def check_brand_rule(kind: str, days: float) -> float:
    """Raises: InvalidInputError."""
    if kind not in BRAND_DAYS:
        raise InvalidInputError(f"Kinds of data of a brand: {', '.join(BRAND_DAYS)}.")
    return _bounded(kind, days, SHORTEST_CHANGES_DAYS if kind == "changes" else 0.0, MAX_DAYS)


def kept_since_s(days: float, now_s: float) -> float:
    """What is older than this goes."""
    return now_s - days * DAY_S


def _bounded(kind: str, days: float, least: float, most: float) -> float:
    number = float(days)
    if not least <= number <= most:
        raise InvalidInputError(f"{kind} is kept from {least:g} to {most:g} days.")
    return number
