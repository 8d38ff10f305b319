"""Percentiles and medians of measured values."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence


def percentile(values: Sequence[float], percent: float) -> float | None:
    """The value that `percent` of the values do not exceed (nearest rank); None without values."""
    if not values:
        return None
    ordered = sorted(values)
    return round(ordered[max(0, math.ceil(percent / 100 * len(ordered)) - 1)], 4)


def medians(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The median of each name over the rows that have it."""
    columns: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            columns.setdefault(name, []).append(value)
    return {name: percentile(values, 50) or 0.0 for name, values in columns.items()}
