"""Two families on one server: what one says, owns and is rung for never reaches the other, after kill -9 too."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytestmark = pytest.mark.e2e

TEXT_ONLY = {"ENTENDRE_SPEECH_RECOGNIZER": "none", "ENTENDRE_SPEECH_VOICE": "none"}
LAMP = {"id": "lamp", "kind": "light", "names": "kitchen lamp"}


def call(url: str, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{url}{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(request, timeout=10) as answer:
        document: dict[str, Any] = json.load(answer)
    return document


def ask(url: str, text: str, household: str | None = None) -> str:
    body = {"text": text, "act": True, "device": "kitchen"} | ({} if household is None else {"household": household})
    reply: str = call(url, "POST", "/v1/ask", body)["plan"]["reply"]
    return reply.lower()


def family(url: str, name: str) -> str:
    """A household with a kitchen; its id."""
    made: str = call(url, "POST", "/api/v1/households", {"name": name, "time_zone": "UTC"})["id"]
    call(url, "POST", f"/api/v1/households/{made}/rooms", {"name": "kitchen"})
    return made


class Client:
    """A speaker of the Realtime protocol, in a household."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self.events: list[dict[str, Any]] = []

    async def until(self, kind: str, limit_s: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(limit_s):
            async for message in self._socket:
                self.events.append(json.loads(message.data))
                if self.events[-1]["type"] == kind:
                    return self.events[-1]
        raise AssertionError(f"closed without {kind}")

    async def ask(self, text: str) -> str:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        await self._socket.send_json({"type": "conversation.item.create", "item": item})
        await self._socket.send_json({"type": "response.create"})
        done = await self.until("response.done")
        content = done["response"]["output"][0]["content"][0]
        return str(content.get("text") or content.get("transcript")).lower()

    async def silent(self, for_s: float) -> list[str]:
        """What came although nothing should."""
        before = len(self.events)
        with suppress(TimeoutError):
            await self.until("never", for_s)
        return [event["type"] for event in self.events[before:]]


@asynccontextmanager
async def connected(url: str, household: str) -> AsyncIterator[Client]:
    address = f"{url}/v1/realtime?device=kitchen&household={household}"
    async with aiohttp.ClientSession() as http, http.ws_connect(address) as socket:
        await socket.send_json(
            {"type": "session.update", "session": {"type": "realtime", "output_modalities": ["text"]}}
        )
        client = Client(socket)
        await client.until("session.updated")
        yield client


def rings_of(data_dir: Path, household: str) -> int:
    with closing(sqlite3.connect(data_dir / "entendre.db")) as database:
        found = database.execute("SELECT count(*) FROM rings WHERE household = ?", (household,)).fetchone()
    return int(found[0])


async def test_neither_hears_sees_or_is_rung_for_the_other(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve(data_dir=tmp_path / "data", environment=TEXT_ONLY)
    url, (one, other) = server.url, (family(server.url, "Berg"), family(server.url, "Thal"))
    call(url, "PUT", f"/api/v1/households/{one}/home", {"appliances": [LAMP]})
    ask(url, "add lentils to my shopping list", one)
    ask(url, "add noodles to my shopping list", other)
    async with connected(url, one) as berg, connected(url, other) as thal:
        assert "lentils" in (heard := await berg.ask("what's on my shopping list")) and "noodles" not in heard
        assert "noodles" in (heard := await thal.ask("what's on my shopping list")) and "lentils" not in heard
        assert "lentils" not in ask(url, "what's on my shopping list")
        assert call(url, "POST", "/v1/ask", {"text": "turn on the kitchen lamp", "household": one})["plan"]["actions"]
        refused = call(url, "POST", "/v1/ask", {"text": "turn on the kitchen lamp", "household": other})["plan"]
        assert refused["actions"] == []
        told = call(url, "POST", "/v1/announcements", {"text": "Dinner is ready.", "household": one})
        assert told["count"] == 1
        await berg.until("response.done")
        await berg.ask("set a timer for two seconds")
        ring = await berg.until("response.created")
        assert ring
        assert await thal.silent(2.0) == []
    assert (rings_of(tmp_path / "data", one), rings_of(tmp_path / "data", other)) == (1, 0)


def test_both_are_there_after_a_power_cut_and_the_timer_of_an_idle_one_rings(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    server = serve(data_dir=tmp_path / "data", environment=TEXT_ONLY)
    one, other = family(server.url, "Berg"), family(server.url, "Thal")
    ask(server.url, "add lentils to my shopping list", one)
    ask(server.url, "add noodles to my shopping list", other)
    ask(server.url, "set a timer for three seconds", other)
    server.kill()
    server = serve(data_dir=tmp_path / "data", environment=TEXT_ONLY)
    deadline = time.monotonic() + 10
    while not rings_of(tmp_path / "data", other):
        assert time.monotonic() < deadline, "nobody woke the household"
        time.sleep(0.1)
    assert rings_of(tmp_path / "data", one) == 0
    assert "lentils" in (heard := ask(server.url, "what's on my shopping list", one)) and "noodles" not in heard
    assert "noodles" in (heard := ask(server.url, "what's on my shopping list", other)) and "lentils" not in heard
    with pytest.raises(urllib.error.HTTPError) as refused:
        ask(server.url, "what's on my shopping list", "nobody")
    assert refused.value.code == 404
