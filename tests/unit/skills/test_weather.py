"""Weather providers, and what is said without one."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from worlds import EMPTY

from entendre.core.errors import ConfigurationError
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills
from entendre.skills.weather.local import FileWeather
from entendre.skills.weather.open_meteo import Home, OpenMeteoWeather
from entendre.skills.weather.provider import CONDITIONS, Day, WeatherError
from entendre.skills.weather.skill import build

TODAY = date(2026, 11, 23)


async def answer(settings: dict[str, object], text: str) -> str:
    loaded = load_skills([], {"weather": settings})
    planner = Planner(
        replace(loaded, plugins=tuple(one for one in loaded.plugins if one.name == "weather")), EMPTY.home
    )
    return (await planner.plan(planner.understand(text, "en", EMPTY), EMPTY)).reply


async def test_without_a_provider_it_says_so() -> None:
    assert await answer({}, "what's the weather") == "No weather service is set up."


async def test_a_provider_that_fails_is_spoken_of(tmp_path: Path) -> None:
    settings = {"provider": "file", "file": tmp_path / "missing.json"}
    assert await answer(settings, "what's the weather") == "I can't reach the weather service."


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"places": {"": {"days": [{"condition": "rain"}]}}}',
        '{"places": {"": {"current": {"condition": "x"}}}}',
    ],
)
async def test_a_malformed_file_is_a_weather_error(tmp_path: Path, text: str) -> None:
    file = tmp_path / "weather.json"
    file.write_text(text)
    with pytest.raises(WeatherError):
        await FileWeather(file).forecast(None, TODAY, "en")


@pytest.mark.parametrize("settings", [{"provider": "file"}, {"provider": "crystal ball"}])
def test_unknown_providers_are_a_mistake_of_the_configuration(settings: dict[str, object]) -> None:
    with pytest.raises(ConfigurationError):
        build(settings)


class Service:
    """A server that answers as Open-Meteo does."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200

    async def search(self, request: web.Request) -> web.Response:
        self.asked.append(f"search {request.query['name']} {request.query['language']}")
        found = [{"name": "Oslo", "latitude": 59.9, "longitude": 10.7}] if request.query["name"] == "oslo" else []
        return web.json_response({"results": found} if found else {})

    async def forecast(self, request: web.Request) -> web.Response:
        self.asked.append(f"forecast {request.query['latitude']}")
        if self.status != 200:
            return web.Response(status=self.status, text="busy")
        return web.json_response(
            {
                "current": {
                    "temperature_2m": 3.5,
                    "apparent_temperature": 1.0,
                    "relative_humidity_2m": 80,
                    "weather_code": 61,
                    "wind_speed_10m": 12.0,
                },
                "daily": {
                    "time": ["2026-11-23", "2026-11-24"],
                    "weather_code": [95, 1],
                    "temperature_2m_max": [5.0, 6.0],
                    "temperature_2m_min": [-1.0, 0.0],
                    "precipitation_probability_max": [90, None],
                },
            }
        )


@pytest.fixture
async def service():  # type: ignore[no-untyped-def]
    service = Service()
    app = web.Application()
    app.router.add_get("/v1/search", service.search)
    app.router.add_get("/v1/forecast", service.forecast)
    async with TestServer(app) as server:
        service.url = str(server.make_url("/"))  # type: ignore[attr-defined]
        yield service


def provider(service: Service, clock: list[float]) -> OpenMeteoWeather:
    url = service.url  # type: ignore[attr-defined]
    return OpenMeteoWeather(url, url, Home(48.8, 2.3), lambda: clock[0])


async def test_open_meteo_answers_for_home_and_is_remembered(service: Service) -> None:
    clock = [0.0]
    weather = provider(service, clock)
    forecast = await weather.forecast(None, TODAY, "en")
    assert forecast is not None and forecast.current is not None
    assert (forecast.current.condition, forecast.current.temperature_c) == ("rain", 3.5)
    assert forecast.days == (
        Day(TODAY, "thunderstorm", 5.0, -1.0, 90),
        Day(date(2026, 11, 24), "partly_cloudy", 6.0, 0.0, None),
    )
    clock[0] = 599.0
    assert await weather.forecast(None, TODAY, "en") is forecast
    assert service.asked == ["forecast 48.8"]
    clock[0] = 601.0
    await weather.forecast(None, TODAY, "en")
    assert len(service.asked) == 2


async def test_open_meteo_finds_places_in_the_language(service: Service) -> None:
    weather = provider(service, [0.0])
    forecast = await weather.forecast("oslo", TODAY, "nb-NO")
    assert forecast is not None and forecast.place == "Oslo"
    assert service.asked == ["search oslo nb", "forecast 59.9"]
    assert await weather.forecast("atlantis", TODAY, "en") is None


async def test_open_meteo_failures_are_weather_errors(service: Service) -> None:
    service.status = 503
    with pytest.raises(WeatherError):
        await provider(service, [0.0]).forecast(None, TODAY, "en")
    with pytest.raises(WeatherError):
        await OpenMeteoWeather("http://127.0.0.1:9", "http://127.0.0.1:9", Home(0, 0)).forecast(None, TODAY, "en")


def test_every_weather_code_has_a_condition() -> None:
    from entendre.skills.weather.open_meteo import _condition

    assert {_condition(code) for code in range(100)} <= CONDITIONS
    assert [_condition(code) for code in (0, 1, 3, 45, 51, 61, 66, 71, 80, 85, 95)] == [
        "clear",
        "partly_cloudy",
        "cloudy",
        "fog",
        "drizzle",
        "rain",
        "sleet",
        "snow",
        "showers",
        "snow",
        "thunderstorm",
    ]
