"""xiaozhi devices are served by default, by their settings, and not without the extra."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import aiohttp
import pytest

pytest.importorskip("opuslib_next")

from entendre.app import App
from entendre.app.xiaozhi import gateway_settings, next_ring_s
from entendre.config import Settings, load_settings
from entendre.core.errors import ConfigurationError, MissingExtraError
from entendre.core.plan import TimerView
from entendre.gateways.xiaozhi import opus

DEVICE = {"Device-Id": "02:11:22:33:44:55", "Client-Id": "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"}


def chosen(folder: Path, **values: object) -> Settings:
    silent = {"speech.recognizer": "none", "speech.voice": "none", "server.port": 0, "server.data_dir": folder}
    return load_settings(flags=silent | {name.replace("__", "."): value for name, value in values.items()})


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[str]:
    app = App(settings)
    await app.start()
    try:
        yield f"http://127.0.0.1:{app.port}"
    finally:
        await app.close()


async def configured(http: aiohttp.ClientSession, base: str) -> dict[str, Any]:
    async with http.post(f"{base}/xiaozhi/ota", headers=DEVICE, json={"application": {"version": "2.4.2"}}) as answer:
        assert answer.status == 200
        body: dict[str, Any] = await answer.json()
        return body


async def test_a_device_is_told_where_to_connect_and_greeted_there(tmp_path: Path) -> None:
    async with served(chosen(tmp_path)) as base, aiohttp.ClientSession() as http:
        told = (await configured(http, base))["websocket"]
        assert told["url"] == f"{base.replace('http', 'ws')}/xiaozhi/v1/"
        assert told["version"] == 2
        headers = DEVICE | {"Authorization": f"Bearer {told['token']}"}
        async with http.ws_connect(told["url"], headers=headers) as socket:
            await socket.send_str('{"type":"hello","transport":"websocket"}')
            assert (await socket.receive_json(timeout=5))["type"] == "hello"
        async with http.get(f"{base}/xiaozhi/v1", headers=headers) as answer:
            assert answer.status == 426


async def test_settings_change_what_devices_are_told(tmp_path: Path) -> None:
    settings = chosen(tmp_path, server__public_url="https://voice.example.org", xiaozhi__framing=3)
    async with served(settings) as base, aiohttp.ClientSession() as http:
        told = (await configured(http, base))["websocket"]
    assert told["url"] == "wss://voice.example.org/xiaozhi/v1/"
    assert told["version"] == 3
    with pytest.raises(ConfigurationError, match="framing"):
        async with served(chosen(tmp_path, xiaozhi__framing=4)):
            pass


async def test_nothing_is_served_when_it_is_off_or_the_extra_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def missing() -> None:
        raise MissingExtraError("pip install 'entendre[xiaozhi]'")

    async with aiohttp.ClientSession() as http:
        async with served(chosen(tmp_path, xiaozhi__enabled=False)) as base, http.post(f"{base}/xiaozhi/ota") as off:
            assert off.status == 404
        monkeypatch.setattr(opus, "require_opus", missing)
        async with served(chosen(tmp_path)) as base, http.post(f"{base}/xiaozhi/ota") as without:
            assert without.status == 404


@dataclass
class Timers:
    """As much of an application as is asked for rings."""

    settings: Settings
    running: tuple[TimerView, ...] = ()

    @property
    def households(self) -> Timers:
        return self

    def where(self, device: str) -> Timers:
        return self

    def timers(self) -> tuple[TimerView, ...]:
        return self.running


def test_the_next_ring_is_that_of_the_devices_own_running_timers(tmp_path: Path) -> None:
    running = (
        TimerView("a", None, 600, 300.0, device="box"),
        TimerView("b", None, 600, 20.0, device="box", paused=True),
        TimerView("c", None, 600, 10.0, device="other"),
        TimerView("d", None, 600, 60.0, device="box"),
    )
    app = cast(App, Timers(chosen(tmp_path), running))
    assert next_ring_s(app, "box") == 60.0
    assert next_ring_s(app, "nobody") is None


def test_wake_words_are_the_firmwares_and_the_owners(tmp_path: Path) -> None:
    settings = chosen(tmp_path, xiaozhi__wake_words=("Hey Box",), xiaozhi__idle_s=45.0, xiaozhi__hold_for_rings_s=60.0)
    made = gateway_settings(cast(App, Timers(settings)))
    assert {"Hi, ESP", "你好小智", "Hey Box"} <= set(made.wake_words)
    assert not any(word.startswith("#") for word in made.wake_words)
    assert (made.idle_s, made.hold_for_rings_s) == (45.0, 60.0)
