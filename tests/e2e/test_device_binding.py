"""A device from its first boot to the end of its access: the server, and the command in another process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytestmark = pytest.mark.e2e

TEXT_ONLY = {"ENTENDRE_SPEECH_RECOGNIZER": "none", "ENTENDRE_SPEECH_VOICE": "none"}
MAC, CLIENT = "02:11:22:33:44:55", "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"
HEADERS = {"Device-Id": MAC, "Client-Id": CLIENT, "Activation-Version": "1", "User-Agent": "esp-box-3/2.4.2"}
HELLO = {
    "type": "hello",
    "version": 1,
    "transport": "websocket",
    "features": {"mcp": True},
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}


def devices(folder: Path, *words: str) -> Any:
    """What `entendre devices …` prints, from a process of its own."""
    command = [sys.executable, "-m", "entendre", "devices", *words, "--json", "--data-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder, check=True)
    return json.loads(done.stdout)


async def boot(session: aiohttp.ClientSession, url: str) -> dict[str, Any]:
    report = {"application": {"version": "2.4.2"}, "board": {"type": "esp-box-3", "name": "esp-box-3"}}
    async with session.post(f"{url}/xiaozhi/ota/", json=report, headers=HEADERS) as answer:
        assert answer.status == 200
        body: dict[str, Any] = await answer.json()
        return body


async def greeted(session: aiohttp.ClientSession, offer: dict[str, Any]) -> aiohttp.ClientWebSocketResponse:
    headers = HEADERS | {"Authorization": f"Bearer {offer['token']}", "Protocol-Version": "1"}
    socket = await session.ws_connect(offer["url"], headers=headers)
    await socket.send_json(HELLO)
    assert (await socket.receive_json(timeout=5))["type"] == "hello"
    return socket


async def test_a_device_is_bound_beside_a_running_server_and_cut_off_when_revoked(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    pytest.importorskip("opuslib_next", reason="needs the extra xiaozhi")
    folder = tmp_path / "data"
    server = serve(data_dir=folder, environment=TEXT_ONLY)
    async with aiohttp.ClientSession() as session:
        first = await boot(session, server.url)
        bound = devices(folder, "bind", first["activation"]["code"], "--name", "Box", "--room", "kitchen")
        assert (bound["name"], bound["room"], bound["hardware"]) == ("Box", "kitchen", MAC)
        async with session.post(f"{server.url}/xiaozhi/ota/activate", json={}, headers=HEADERS) as answer:
            assert answer.status == 200
        second = await boot(session, server.url)
        assert "activation" not in second
        socket = await greeted(session, second["websocket"])
        async with session.get(f"{server.url}/v1/devices") as answer:
            assert [each["name"] for each in (await answer.json())["data"]] == ["Box"]
        devices(folder, "revoke", "Box")
        revoked_s = time.monotonic()
        while (await socket.receive(timeout=5)).type is not aiohttp.WSMsgType.CLOSE:
            assert time.monotonic() - revoked_s < 2.5
        assert time.monotonic() - revoked_s < 2.5
        third = await boot(session, server.url)
        assert third["websocket"]["token"] == ""
        with pytest.raises(aiohttp.WSServerHandshakeError):
            await greeted(session, second["websocket"])
