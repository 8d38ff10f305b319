"""The weather port and what it answers: conditions and days as data, in Celsius, km/h and percent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import ClassVar, Protocol

from entendre.core.errors import EntendreError

CONDITIONS = frozenset(
    {"clear", "partly_cloudy", "cloudy", "fog", "drizzle", "rain", "showers", "sleet", "snow", "thunderstorm", "windy"}
)
"""Every value of `condition`."""

WET = frozenset({"drizzle", "rain", "showers", "sleet", "thunderstorm"})
"""Conditions that an umbrella helps against."""


class WeatherError(EntendreError):
    """A weather provider could not be reached or answered nonsense."""

    code: ClassVar[str] = "weather_unavailable"
    retryable: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class Conditions:
    """The weather at one moment."""

    condition: str
    temperature_c: float
    feels_like_c: float | None = None
    humidity_percent: int | None = None
    wind_kmh: float | None = None


@dataclass(frozen=True, slots=True)
class Day:
    """The weather of one day."""

    date: date
    condition: str
    high_c: float
    low_c: float
    rain_percent: int | None = None


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a provider knows of a place: now, and days from today on."""

    place: str | None
    current: Conditions | None
    days: tuple[Day, ...]


class WeatherProvider(Protocol):
    """Answers for a place by name, or for home when there is none."""

    async def forecast(self, place: str | None, today: date, language: str) -> Forecast | None:
        """The forecast, or None when the place is not known.

        Raises: WeatherError.
        """
        ...
