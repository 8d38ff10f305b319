"""Weather from a JSON file, for demonstrations, tests and homes that write their own.

The file: `{"places": {"": {"current": {...}, "days": [{...}, ...]}, "Paris": {...}}}`. "" is home; the first day is
today. Keys are the field names of `Conditions` and `Day`; a day needs no date.
"""

from __future__ import annotations

import asyncio
import json
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from entendre.skills.weather.provider import CONDITIONS, Conditions, Day, Forecast, WeatherError


class FileWeather:
    """Reads the file at each question, so that it may change."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def forecast(self, place: str | None, today: date, language: str) -> Forecast | None:
        """The forecast of a place in the file."""
        document = await asyncio.to_thread(self._read)
        for name, entry in document.get("places", {}).items():
            if name.casefold() == (place or "").casefold():
                return _forecast(name or None, entry, today)
        return None

    def _read(self) -> dict[str, Any]:
        try:
            document = json.loads(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise WeatherError("The weather file can't be read.", detail=str(error)) from error
        if not isinstance(document, dict):
            raise WeatherError("The weather file is no JSON object.")
        return document


def _forecast(place: str | None, entry: dict[str, Any], today: date) -> Forecast:
    try:
        current = Conditions(**entry["current"]) if "current" in entry else None
        days = tuple(
            Day(**{**day, "date": today + timedelta(days=offset)}) for offset, day in enumerate(entry.get("days", ()))
        )
    except (TypeError, KeyError) as error:
        raise WeatherError("The weather file is malformed.", detail=str(error)) from error
    conditions = {part.condition for part in (*days, *((current,) if current else ()))}
    if not conditions <= CONDITIONS:
        raise WeatherError("The weather file has an unknown condition.", detail=str(conditions - CONDITIONS))
    return Forecast(place, current, days)
