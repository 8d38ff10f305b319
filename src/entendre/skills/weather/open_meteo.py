"""Weather from any server that answers as Open-Meteo does; its address is a setting and there is no key.

Source: open-meteo.com/en/docs (forecast) and /en/docs/geocoding-api; condition codes are WMO 4677.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from entendre.skills.weather.provider import Conditions, Day, Forecast, WeatherError

TIMEOUT_S = 2.5
"""Shorter than a plan's own limit, so that the reply can say what is wrong."""

CACHE_S = 600.0
MAX_CACHED_PLACES = 64
FORECAST_DAYS = 8

_CURRENT = "temperature_2m,apparent_temperature,relative_humidity_2m,weather_code,wind_speed_10m"
_DAILY = "weather_code,temperature_2m_max,temperature_2m_min,precipitation_probability_max"

_CODES: tuple[tuple[int, str], ...] = (
    (0, "clear"),
    (2, "partly_cloudy"),
    (3, "cloudy"),
    (48, "fog"),
    (55, "drizzle"),
    (57, "sleet"),
    (65, "rain"),
    (67, "sleet"),
    (77, "snow"),
    (82, "showers"),
    (86, "snow"),
    (99, "thunderstorm"),
)
"""Highest WMO code of each run of codes that we call the same."""


@dataclass(frozen=True, slots=True)
class Home:
    """Where home or another place is, in degrees."""

    latitude: float
    longitude: float
    name: str | None = None


class OpenMeteoWeather:
    """Asks over HTTP and remembers answers for ten minutes."""

    def __init__(
        self, url: str, geocoding_url: str, home: Home | None, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._url = url.rstrip("/")
        self._geocoding_url = geocoding_url.rstrip("/")
        self._home = home
        self._monotonic = monotonic
        self._cache: dict[tuple[str, date], tuple[float, Forecast]] = {}

    async def forecast(self, place: str | None, today: date, language: str) -> Forecast | None:
        """The forecast of home or of a place that the geocoder finds."""
        key = ((place or "").casefold(), today)
        cached = self._cache.get(key)
        if cached and self._monotonic() - cached[0] < CACHE_S:
            return cached[1]
        found = await self._ask(place, language)
        if found is not None:
            while len(self._cache) >= MAX_CACHED_PLACES:
                self._cache.pop(next(iter(self._cache)))
            self._cache[key] = (self._monotonic(), found)
        return found

    async def _ask(self, place: str | None, language: str) -> Forecast | None:
        import aiohttp  # half of what starting `entendre ask` would cost

        timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
        try:
            async with aiohttp.ClientSession(timeout=timeout, raise_for_status=True) as http:

                async def get(url: str, **query: str) -> Any:
                    async with http.get(url, params=query) as response:
                        return await response.json(content_type=None)

                where = self._home
                if place is not None:
                    found = await get(
                        f"{self._geocoding_url}/v1/search", name=place, count="1", language=language.split("-")[0]
                    )
                    where = _first_place(found)
                if where is None:
                    return None
                return _forecast(where.name, await get(f"{self._url}/v1/forecast", **_query(where)))
        except (aiohttp.ClientError, TimeoutError, OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise WeatherError("The weather service does not answer.", detail=type(error).__name__) from error


def _query(where: Home) -> dict[str, str]:
    return {
        "latitude": str(where.latitude),
        "longitude": str(where.longitude),
        "current": _CURRENT,
        "daily": _DAILY,
        "timezone": "auto",
        "forecast_days": str(FORECAST_DAYS),
    }


def _first_place(document: dict[str, Any]) -> Home | None:
    results = document.get("results") or []
    if not results:
        return None
    return Home(float(results[0]["latitude"]), float(results[0]["longitude"]), str(results[0]["name"]))


def _forecast(place: str | None, document: dict[str, Any]) -> Forecast:
    now, daily = document["current"], document["daily"]
    current = Conditions(
        _condition(now["weather_code"]),
        float(now["temperature_2m"]),
        now.get("apparent_temperature"),
        now.get("relative_humidity_2m"),
        now.get("wind_speed_10m"),
    )
    rain = daily.get("precipitation_probability_max") or [None] * len(daily["time"])
    days = tuple(
        Day(date.fromisoformat(day), _condition(code), float(high), float(low), chance)
        for day, code, high, low, chance in zip(
            daily["time"],
            daily["weather_code"],
            daily["temperature_2m_max"],
            daily["temperature_2m_min"],
            rain,
            strict=True,
        )
    )
    return Forecast(place, current, days)


def _condition(code: int) -> str:
    return next((name for highest, name in _CODES if code <= highest), "cloudy")
