"""The weather now and in the coming days, from whatever provider is configured."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from entendre.core.errors import ConfigurationError
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.clock.places import plain_place
from entendre.skills.slots import WEEKDAYS, flag, text
from entendre.skills.weather.local import FileWeather
from entendre.skills.weather.open_meteo import Home, OpenMeteoWeather
from entendre.skills.weather.provider import WET, Day, Forecast, WeatherError, WeatherProvider
from entendre.skills.when import calendar_date, moment

LIKELY_PERCENT = 50
"""A chance of rain from which the answer is yes."""

MAX_SPOKEN_DAYS = 5

DEFAULT_URL = "https://api.open-meteo.com"
DEFAULT_GEOCODING_URL = "https://geocoding-api.open-meteo.com"


def build(settings: Mapping[str, Any]) -> WeatherSkill:
    """The skill with the provider of `[skills.weather]`: `provider` is "file" or "open-meteo"; without one, none.

    Raises: ConfigurationError.
    """
    match settings.get("provider"):
        case None | "none":
            return WeatherSkill(None)
        case "file" if "file" in settings:
            return WeatherSkill(FileWeather(Path(settings["file"])))
        case "open-meteo":
            home = None
            if "latitude" in settings and "longitude" in settings:
                home = Home(float(settings["latitude"]), float(settings["longitude"]))
            url = str(settings.get("url", DEFAULT_URL))
            return WeatherSkill(OpenMeteoWeather(url, str(settings.get("geocoding_url", DEFAULT_GEOCODING_URL)), home))
        case other:
            raise ConfigurationError(f"skills.weather: provider {other!r} is unknown or lacks its settings.")


class WeatherSkill:
    """Answers about the weather."""

    name = "weather"
    intents = frozenset({"WeatherGet", "WeatherRain", "WeatherTemperature"})
    by_sound = intents

    def __init__(self, provider: WeatherProvider | None) -> None:
        self._provider = provider

    async def plan(self, request: Request) -> Plan:
        """An answer from the provider, or why there is none."""
        if self._provider is None:
            return Plan(request.say("weather_no_provider"), refusal=True)
        place = _said_place(request) or request.world.home.place
        today = request.world.now.date()
        try:
            forecast = await self._provider.forecast(place, today, request.language)
            if forecast is None and text(request, "place") is None:
                forecast = await self._provider.forecast(None, today, request.language)
        except WeatherError:
            return Plan(request.say("weather_failed"), refusal=True)
        if forecast is None:
            return Plan(request.say("weather_no_place", place=place), refusal=True)
        return _answer(request, forecast)


def _answer(request: Request, forecast: Forecast) -> Plan:
    days = _days(request, forecast)
    if not days:
        return Plan(request.say("weather_no_day"), refusal=True)
    match request.command.intent:
        case "WeatherRain":
            reply = _rain(request, forecast, days)
        case "WeatherTemperature":
            reply = _temperature(request, forecast, days)
        case _:
            reply = _weather(request, forecast, days)
    return Plan(reply)


def _days(request: Request, forecast: Forecast) -> list[Day]:
    """The days asked about, in order; today unless others are said."""
    today = request.world.now.date()
    wanted = {_asked_date(request) or today}
    if text(request, "period") == "weekend":
        wanted = _weekend(today)
    if text(request, "period") == "week":
        wanted = {today + timedelta(days=offset) for offset in range(MAX_SPOKEN_DAYS)}
    return [day for day in forecast.days if day.date in wanted]


def _asked_date(request: Request) -> date | None:
    said = moment(request)
    return calendar_date(request) or (said.date() if said else None)


def _weekend(today: date) -> set[date]:
    saturday = WEEKDAYS.index("sat")
    if today.weekday() > saturday:
        return {today}
    first = today + timedelta(days=saturday - today.weekday())
    return {first, first + timedelta(days=1)}


def _is_now(request: Request) -> bool:
    return _asked_date(request) is None and text(request, "period") is None


def _weather(request: Request, forecast: Forecast, days: list[Day]) -> str:
    lines = [_day(request, day) for day in days]
    now = forecast.current
    if now is not None and _is_now(request):
        current = request.say(
            "weather_now",
            temperature=_degrees(request, now.temperature_c),
            condition=now.condition,
            place=_asked_place(request, forecast),
        )
        return " ".join([current, *lines])
    return " ".join(lines)


def _day(request: Request, day: Day) -> str:
    return request.say(
        "weather_day",
        date=day.date.isoformat(),
        condition=day.condition,
        high=_degrees(request, day.high_c),
        low=_degrees(request, day.low_c),
        percent=day.rain_percent if day.condition in WET else None,
    )


def _rain(request: Request, forecast: Forecast, days: list[Day]) -> str:
    asked = text(request, "kind") or "rain"
    if flag(request, "now") and forecast.current is not None and _is_now(request):
        is_so = forecast.current.condition in _CONDITIONS_OF[asked]
        return request.say(f"weather_{asked}_now" if is_so else f"weather_{asked}_not_now")
    expected = [day for day in days if _expects(day, asked)]
    if expected:
        return request.say(f"weather_{asked}_yes", date=expected[0].date.isoformat(), percent=expected[0].rain_percent)
    return request.say(f"weather_{asked}_no", date=days[0].date.isoformat())


_CONDITIONS_OF = {"rain": WET, "snow": frozenset({"snow", "sleet"}), "sun": frozenset({"clear", "partly_cloudy"})}


def _expects(day: Day, asked: str) -> bool:
    likely = asked == "rain" and day.condition != "snow" and (day.rain_percent or 0) >= LIKELY_PERCENT
    return likely or day.condition in _CONDITIONS_OF[asked]


def _asked_place(request: Request, forecast: Forecast) -> str | None:
    """The place to name, if one was asked for."""
    asked = _said_place(request)
    return (forecast.place or asked) if asked else None


def _said_place(request: Request) -> str | None:
    """The place of the question, in its first case: a service of the world knows no others."""
    said = text(request, "place")
    return plain_place(said, request.language) if said else None


def _temperature(request: Request, forecast: Forecast, days: list[Day]) -> str:
    now = forecast.current
    if now is not None and _is_now(request) and text(request, "extreme") is None:
        return request.say(
            "weather_temperature_now",
            temperature=_degrees(request, now.temperature_c),
            place=_asked_place(request, forecast),
        )
    return " ".join(
        request.say(
            "weather_temperature_day",
            date=day.date.isoformat(),
            high=_degrees(request, day.high_c),
            low=_degrees(request, day.low_c),
        )
        for day in days
    )


def _degrees(request: Request, celsius: float) -> int:
    """Whole degrees in the home's unit."""
    if request.world.home.temperature_unit == "F":
        return round(celsius * 9 / 5 + 32)
    return round(celsius)
