"""kill -9 of the whole server: what it acknowledged is there afterwards, once."""

from __future__ import annotations

import asyncio
import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

TEXT_ONLY = {"ENTENDRE_SPEECH_RECOGNIZER": "none", "ENTENDRE_SPEECH_VOICE": "none"}
WORDS = ["apples", "bread", "cheese", "dates", "eggs", "flour", "grapes", "honey", "jam", "kale", "lemons", "mangoes"]
KILLS = 6


def ask(url: str, text: str, *, act: bool = True, device: str = "kitchen") -> dict[str, Any]:
    body = json.dumps({"text": text, "act": act, "device": device}).encode()
    request = urllib.request.Request(f"{url}/v1/ask", body, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


def items_of(url: str) -> list[str]:
    reply = ask(url, "what's on my shopping list", act=False)["plan"]["reply"].lower()
    return [word for word in WORDS for _ in range(reply.count(word))]


def test_killed_while_lists_change(serve: Callable[..., Any], tmp_path: Path) -> None:
    acknowledged: list[str] = []
    chance = random.Random(7)
    waiting = list(WORDS)
    for _ in range(KILLS):
        server = serve(data_dir=tmp_path / "data", environment=TEXT_ONLY)
        kill = threading.Timer(chance.uniform(0.005, 0.12), server.process.kill)
        kill.start()
        try:
            while waiting:
                done = ask(server.url, f"add {waiting[0]} to my shopping list")
                assert done["failed"] == []
                acknowledged.append(waiting.pop(0))
        except (OSError, urllib.error.URLError, json.JSONDecodeError):
            if waiting:
                waiting.pop(0)  # nobody knows whether this one was added
        kill.join()
        server.process.wait()
    server = serve(data_dir=tmp_path / "data", environment=TEXT_ONLY)
    items = items_of(server.url)
    assert set(acknowledged) <= set(items)
    assert len(items) == len(set(items))


class Speaker:
    """A device on `/v1/realtime` that notes what happens to it."""

    def __init__(self, url: str, device: str = "kitchen") -> None:
        self._url = f"{url}/v1/realtime?device={device}"
        self.events: list[dict[str, Any]] = []

    async def __aenter__(self) -> Speaker:
        self._http = aiohttp.ClientSession()
        self._socket = await self._http.ws_connect(self._url)
        await self.send({"type": "session.update", "session": {"type": "realtime", "include": ["entendre.turn"]}})
        self._reading = asyncio.create_task(self._read())
        return self

    async def __aexit__(self, *_: object) -> None:
        self._reading.cancel()
        await asyncio.gather(self._reading, return_exceptions=True)
        await self._socket.close()
        await self._http.close()

    async def send(self, event: dict[str, Any]) -> None:
        await self._socket.send_str(json.dumps(event))

    async def _read(self) -> None:
        async for message in self._socket:
            self.events.append(json.loads(message.data))

    async def say(self, text: str) -> None:
        content = [{"type": "input_text", "text": text}]
        await self.send(
            {"type": "conversation.item.create", "item": {"type": "message", "role": "user", "content": content}}
        )
        await self.send({"type": "response.create"})

    async def until(self, wanted: Callable[[dict[str, Any]], bool], timeout_s: float = 6.0) -> dict[str, Any]:
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            found = next((event for event in self.events if wanted(event)), None)
            if found is not None:
                return found
            await asyncio.sleep(0.02)
        pytest.fail(f"not seen in {timeout_s} s; saw {[event['type'] for event in self.events]}")

    def audio_events(self) -> int:
        return sum(event["type"] == "response.output_audio.delta" for event in self.events)


def sounds(event: dict[str, Any]) -> bool:
    return event["type"] == "response.output_audio.delta"


def done(event: dict[str, Any]) -> bool:
    return event["type"] == "response.done"


def ended(event: dict[str, Any]) -> bool:
    """A turn is over: what it did was written. When it is understood nothing was done yet."""
    return event["type"] == "entendre.turn" and event["stage"] == "ended"


async def test_killed_while_a_timer_rings(serve: Callable[..., Any], tmp_path: Path) -> None:
    data = tmp_path / "data"
    server = serve(data_dir=data, environment=TEXT_ONLY)
    async with Speaker(server.url) as speaker:
        await speaker.say("set a timer for one second")
        await speaker.until(done)
        await speaker.until(sounds)
        server.kill()
    server = serve(data_dir=data, environment=TEXT_ONLY)
    async with Speaker(server.url) as speaker:
        await speaker.until(sounds)
        await speaker.say("stop")
        await speaker.until(ended, 8.0)
        server.kill()
    server = serve(data_dir=data, environment=TEXT_ONLY)
    async with Speaker(server.url) as speaker:
        await asyncio.sleep(2.5)
        assert speaker.audio_events() == 0, "an acknowledged ring never comes back"
        timers = await asyncio.to_thread(ask, server.url, "how much time is left on my timer")
        assert timers["plan"]["actions"] == []


async def test_killed_in_the_middle_of_a_turn(serve: Callable[..., Any], tmp_path: Path) -> None:
    data, chance = tmp_path / "data", random.Random(11)
    acknowledged: list[str] = []
    for word in WORDS[:4]:
        server = serve(data_dir=data, environment=TEXT_ONLY)
        async with Speaker(server.url) as speaker:
            await speaker.say(f"add {word} to my shopping list")
            await asyncio.sleep(chance.uniform(0.0, 0.05))
            server.kill()
            await asyncio.sleep(0.05)
            if any(done(event) and event["response"]["status"] == "completed" for event in speaker.events):
                acknowledged.append(word)
    server = serve(data_dir=data, environment=TEXT_ONLY)
    items = await asyncio.to_thread(items_of, server.url)
    assert set(acknowledged) <= set(items)
    assert len(items) == len(set(items))
