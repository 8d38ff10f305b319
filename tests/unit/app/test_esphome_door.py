"""The settings of ESPHome devices do what they say."""

from __future__ import annotations

import asyncio
import base64
import builtins
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from types import SimpleNamespace
from typing import Any, cast

import pytest
from device_box import Box
from esphome_bench import settled
from scripted_conversation import ScriptedFactory

from entendre.app.application import App
from entendre.app.esphome import open_esphome, start_esphome
from entendre.config import Settings, load_settings
from entendre.core.errors import ConfigurationError, MissingExtraError
from entendre.core.plan import TimerView

KEY = base64.b64encode(bytes(range(32))).decode()


def chosen(**values: object) -> Settings:
    return load_settings(flags={f"esphome.{name}": each for name, each in values.items()})


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as stack:
        yield stack
    # aioesphomeapi reads the machine's time zone in a thread, and leaves that to end by itself.
    reading = [task for task in asyncio.all_tasks() if getattr(task.get_coro(), "__name__", "") == "get_timezone"]
    await asyncio.gather(*reading)


def app_with(settings: Settings, stack: AsyncExitStack) -> App:
    """As much of the application as the door touches."""

    async def dismiss_ring(ring: str) -> None:
        """No ring is known."""

    timers = (TimerView("t1", "tea", 60, 30.0, device="esphome-kitchen"), TimerView("t2", None, 60, 30.0, device="x"))
    parts = {
        "settings": settings, "stack": stack, "households": ScriptedFactory(), "port": 8770, "doors": [],
        "problems": list,
        "timers": lambda: timers, "dismiss_ring": dismiss_ring,
    }  # fmt: skip
    return cast(App, SimpleNamespace(**parts))


async def test_without_devices_there_is_nothing(stack: AsyncExitStack) -> None:
    app = app_with(chosen(), stack)
    assert open_esphome(app) is None
    assert app.doors == []
    await start_esphome(app, None)


async def test_every_setting_reaches_the_gateway(stack: AsyncExitStack) -> None:
    settings = chosen(
        devices=["kitchen@kitchen=127.0.0.1:1"], noise_keys=[f"kitchen={KEY}"], wake_words=["alexa"], chime=False,
        dial_in_port=6054, dial_in_host="127.0.0.1",
    )  # fmt: skip
    app = app_with(settings, stack)
    door = open_esphome(app)
    assert {each.path for each in app.doors} == {"/replies/{name}", "/wake-words/{name}"}
    assert app.problems() == []
    await start_esphome(app, door)
    assert door is not None
    assert door.runner is not None
    (device,) = door.runner._devices
    assert (device.device, device.room, device.key) == ("esphome-kitchen", "kitchen", KEY)
    gateway = door.runner._settings
    assert (gateway.wake_words, gateway.chime, gateway.discover) == (("alexa",), False, False)
    assert (gateway.dial_in_port, gateway.dial_in_host) == (6054, "127.0.0.1")
    house = door.runner._house
    assert "okay_nabu" in {each.id for each in house.wake_words}
    assert [each.timer for each in house.timers("esphome-kitchen")] == ["t1"]
    await settled(app.problems)
    assert app.problems()[0].startswith("esphome-kitchen: ")


async def test_a_served_device_is_no_problem(stack: AsyncExitStack) -> None:
    box = Box()
    async with box.switched_on(), stack:
        app = app_with(chosen(devices=[f"127.0.0.1:{box.port}"]), stack)
        await start_esphome(app, open_esphome(app))
        await settled(lambda: box.subscribed)
        assert app.problems() == []


async def test_discovery_alone_opens_the_door(stack: AsyncExitStack) -> None:
    assert open_esphome(app_with(chosen(discover=True), stack)) is not None


async def test_a_server_that_devices_can_not_reach_says_so(
    stack: AsyncExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    app = app_with(chosen(devices=["192.0.2.1:1"]), stack)
    with caplog.at_level(logging.WARNING, "entendre"):
        await start_esphome(app, open_esphome(app))
    assert "set server.host" in caplog.text


@pytest.mark.parametrize("values", [{"devices": ["a=h:http"]}, {"devices": ["a=h"], "noise_keys": ["a=short"]}])
async def test_what_is_written_wrong_is_said_at_the_start(stack: AsyncExitStack, values: dict[str, Any]) -> None:
    app = app_with(chosen(**values), stack)
    with pytest.raises(ConfigurationError):
        await start_esphome(app, open_esphome(app))


async def test_without_its_extra_it_says_what_to_install(
    stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = builtins.__import__

    def without_library(name: str, *args: Any, **options: Any) -> Any:
        if name.startswith(("aioesphomeapi", "entendre.gateways.esphome.runner")):
            raise ImportError(name)
        return real(name, *args, **options)

    app = app_with(chosen(devices=["h"]), stack)
    door = open_esphome(app)
    monkeypatch.setattr(builtins, "__import__", without_library)
    with pytest.raises(MissingExtraError, match=r"entendre\[esphome\]"):
        await start_esphome(app, door)
