"""A whole server and a device of the fleet that holds one connection: a conversation opened with its own token."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from openai import AsyncOpenAI
from town import eventually

from entendre.app import App
from entendre.config import load_settings

FLEET = "entendre.command,entendre.twin.desired"


class Device:
    """A laptop's program: what it hears waits for the test."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self.socket = socket

    async def send(self, kind: str, **members: Any) -> None:
        await self.socket.send_json({"type": kind, **members})

    async def until(self, kind: str) -> dict[str, Any]:
        async with asyncio.timeout(10):
            while True:
                event: dict[str, Any] = await self.socket.receive_json()
                if event["type"] == kind:
                    return event


class Server:
    """A server, and its operator's HTTP."""

    def __init__(self, url: str, http: aiohttp.ClientSession) -> None:
        self.url = url
        self.http = http

    async def call(self, method: str, path: str, body: Any = None) -> Any:
        async with self.http.request(method, f"{self.url}/api/v1{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json() if answer.status != 204 else None

    async def device(self) -> tuple[str, str]:
        """A device that its maker registers: the path of its resource and its token."""
        made = await self.call("POST", "/brands/home/devices", {"product": "speaker", "serial": "s1"})
        path = f"/brands/home/devices/{made['id']}"
        return path, (await self.call("POST", f"{path}/tokens"))["token"]

    @asynccontextmanager
    async def connected(self, token: str | None, include: str = "") -> AsyncIterator[Device]:
        headers = {} if token is None else {"Authorization": f"Bearer {token}"}
        address = f"{self.url}/v1/realtime?include={include}"
        async with self.http.ws_connect(address, headers=headers) as socket:
            device = Device(socket)
            created = await device.until("session.created")
            assert created["session"]["include"] == (include.split(",") if include else None)
            yield device


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    silent = {"speech.recognizer": "none", "speech.voice": "none", "speech.vad": "none"}
    app = App(load_settings(flags=silent | {"server.port": 0, "server.data_dir": tmp_path}))
    await app.start()
    try:
        async with aiohttp.ClientSession() as http:
            yield Server(f"http://127.0.0.1:{app.port}", http)
    finally:
        await app.close()


async def test_all_of_the_fleet_goes_over_the_connection_that_it_holds(server: Server) -> None:
    path, token = await server.device()
    queued = await server.call("POST", f"{path}/commands", {"name": "blink", "payload": {"n": 2}})
    await server.call("PATCH", f"{path}/twin/desired", {"volume": 30})
    async with server.connected(token, FLEET) as device:
        waited = await device.until("entendre.command")
        assert (waited["id"], waited["name"], waited["payload"]) == (queued["id"], "blink", {"n": 2})
        await device.send("entendre.command.answer", id=waited["id"], status=200, event_id="e1")
        assert (await device.until("entendre.command.kept"))["request"] == "e1"
        assert (await server.call("GET", f"{path}/commands/{queued['id']}"))["state"] == "done"

        beep = {"name": "beep", "payload": {"times": 1}, "timeout_s": 10}
        asking = asyncio.create_task(server.call("POST", f"{path}/call", beep))
        asked = await device.until("entendre.command")
        assert asked["mode"] == "direct", "the queued command came once"
        await device.send("entendre.command.answer", id=asked["id"], result={"beeped": 1})
        done = await asking
        assert (done["state"], done["result"]) == ("done", {"beeped": 1})

        await device.send("entendre.twin.get")
        twin = await device.until("entendre.twin")
        assert twin["desired"] == {"volume": 30}
        await server.call("PATCH", f"{path}/twin/desired", {"volume": 40})
        change = await device.until("entendre.twin.desired")
        assert (change["patch"], change["version"]) == ({"volume": 40}, twin["desired_version"] + 1)
        await device.send("entendre.twin.report", patch={"volume": 40})
        await device.until("entendre.twin.reported")
        assert (await server.call("GET", f"{path}/twin"))["reported"] == {"volume": 40}

        for _ in range(2):  # sent again, it is the same message
            await device.send("entendre.telemetry", messages=[{"body": {"t": 21.5}, "id": "m1"}], request="r1")
            assert (await device.until("entendre.telemetry.kept"))["request"] == "r1"
        kept = (await server.call("GET", f"{path}/telemetry"))["data"]
        assert [each["body"] for each in kept] == [{"t": 21.5}]

        await device.send("entendre.release.report", running="1.2.0")
        assert (await device.until("entendre.release"))["offer"] is None
        assert (await server.call("GET", path))["firmware"] == "1.2.0"

        await device.send("entendre.twin.report", patch=7, event_id="bad")
        assert (await device.until("error"))["error"]["event_id"] == "bad"
        await device.send("conversation.item.create", item=typed("what time is it"))
        await device.send("response.create")
        assert (await device.until("response.done"))["response"]["status"] == "completed"


def typed(text: str) -> dict[str, Any]:
    return {"type": "message", "role": "user", "content": [{"type": "input_text", "text": text}]}


async def test_a_revoked_device_is_sent_away(server: Server) -> None:
    path, token = await server.device()
    async with server.connected(token) as device:
        await server.call("POST", f"{path}/revoke")
        async with asyncio.timeout(10):
            async for _ in device.socket:
                pass
        assert device.socket.close_code in (1008, 1011)  # sent away as a device, or as one that is in no home
    with pytest.raises(aiohttp.WSServerHandshakeError, match="401"):
        async with server.connected(token):
            pass


async def test_only_a_device_with_its_own_token_may_ask(server: Server) -> None:
    async with server.connected(None, FLEET) as device:
        await device.send("entendre.twin.get", event_id="e1")
        error = (await device.until("error"))["error"]
        assert (error["code"], error["event_id"]) == ("forbidden", "e1")
        await device.send("session.update", session={"include": []})
        await device.until("session.updated")


async def test_a_device_opts_in_later_by_the_openai_sdk_too(server: Server) -> None:
    path, token = await server.device()
    address = server.url.removeprefix("http://")
    client = AsyncOpenAI(base_url=f"http://{address}/v1", websocket_base_url=f"ws://{address}/v1", api_key=token)
    async with asyncio.timeout(20), client.realtime.connect(model="entendre") as connection:
        await connection.recv()
        session: Any = {"type": "realtime", "include": FLEET.split(",")}
        await connection.session.update(session=session)
        updated: Any = await connection.recv()
        assert updated.type == "session.updated"
        asking = asyncio.create_task(server.call("POST", f"{path}/call", {"name": "beep"}))
        asked: Any = await connection.recv()
        assert asked.type == "entendre.command"
        answer: Any = {"type": "entendre.command.answer", "id": asked.id, "status": 404}
        await connection.send(answer)
        assert (await asking)["status"] == 404
    await client.close()


async def said(device: Device, text: str) -> str:
    await device.send("conversation.item.create", item=typed(text))
    await device.send("response.create")
    content = (await device.until("response.done"))["response"]["output"][0]["content"][0]
    return str(content.get("text") or content.get("transcript"))


async def until_it_is(device: Device, name: str) -> None:
    async def is_it() -> bool:
        return (await said(device, "what is your name")).startswith(f"I'm {name},")

    await eventually(is_it)


async def test_a_lent_device_is_the_partners_until_the_partner_ends(server: Server) -> None:
    for name in ("acme", "globex"):
        assistant = {"name": f"{name}bot", "voice": "none-such", "language": "en"}
        await server.call("POST", "/brands", {"name": name, "display_name": name, "assistant": assistant})
    product = {"name": "one", "display_name": "One", "kind": "speaker"}
    await server.call("POST", "/brands/acme/products", product)
    made = await server.call("POST", "/brands/acme/devices", {"product": "one", "serial": "s1"})
    token = (await server.call("POST", f"/brands/acme/devices/{made['id']}/tokens"))["token"]
    partner = (await server.call("GET", "/brands/globex"))["id"]
    async with server.connected(token) as device:
        await until_it_is(device, "acmebot")
        await server.call("POST", "/brands/acme/partnerships", {"partner": partner})
        await until_it_is(device, "globexbot")
        await server.call("DELETE", "/brands/globex")
        await until_it_is(device, "acmebot")
    async with server.connected(token) as device:
        assert (await said(device, "what is your name")).startswith("I'm acmebot,")


async def test_the_newest_connection_that_opts_in_stays(server: Server) -> None:
    _, token = await server.device()
    opened = (server.connected(token, FLEET), server.connected(token), server.connected(token, FLEET))
    async with opened[0] as older, opened[1] as other, opened[2] as newer:
        async with asyncio.timeout(10):
            async for _ in older.socket:
                pass
        assert older.socket.close_code == 1008
        for device in (newer, other):
            await device.send("entendre.twin.get")
            await device.until("entendre.twin")
