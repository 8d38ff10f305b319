"""The WebSocket door of xiaozhi devices with a real database, hub and socket, and a device written out by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import WSMsgType, web
from aiohttp.test_utils import TestServer
from parts import Stage

from entendre.core.device import Admitted, DeviceIdentity, DeviceRecord, Unbound
from entendre.gateways.xiaozhi.gateway import Surroundings, XiaozhiGateway
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.session.hub import Hub
from entendre.store import Database, Devices
from entendre.system import SystemClock
from entendre.wire.mcp import Vision
from entendre.wire.xiaozhi_frames import AudioFrame, decode_frame, encode_frame

HELLO: dict[str, Any] = {
    "type": "hello",
    "version": 1,
    "features": {},
    "transport": "websocket",
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}


@dataclass
class Speaker:
    """A device's end of a socket: everything that came, in order."""

    socket: aiohttp.ClientWebSocketResponse
    framing: int
    came: list[Any] = field(default_factory=list)
    times: list[float] = field(default_factory=list)
    closed: str | None = None
    _changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def read(self) -> None:
        async for message in self.socket:
            if message.type is WSMsgType.TEXT:
                self.came.append(json.loads(message.data))
            else:
                self.came.append(decode_frame(self.framing, message.data))
            self.times.append(asyncio.get_running_loop().time())
            self._changed.set()
        self.closed = str(self.socket.close_code)
        self._changed.set()

    async def say(self, **message: Any) -> None:
        await self.socket.send_str(json.dumps({"session_id": "", **message}))

    async def listen(self, mode: str = "auto") -> None:
        await self.say(type="listen", state="start", mode=mode)

    async def sound(self, packets: tuple[bytes, ...], timestamp_ms: int = 0) -> None:
        """Packets as fast as the socket takes them."""
        for packet in packets:
            await self.socket.send_bytes(encode_frame(self.framing, packet, timestamp_ms))

    async def until(self, name: str, count: int = 1, timeout_s: float = 10.0) -> dict[str, Any]:
        async with asyncio.timeout(timeout_s):
            while len(found := self.all(name)) < count:
                assert self.closed is None or name == "closed", self.steps()
                self._changed.clear()
                await self._changed.wait()
        return found[count - 1]

    async def until_true(self, condition: Callable[[], Any], timeout_s: float = 5.0) -> None:
        """Wait until something holds that what comes may change."""
        async with asyncio.timeout(timeout_s):
            while not condition():
                self._changed.clear()
                await self._changed.wait()

    async def until_closed(self, timeout_s: float = 5.0) -> str:
        async with asyncio.timeout(timeout_s):
            while self.closed is None:
                self._changed.clear()
                await self._changed.wait()
        return self.closed

    def all(self, name: str) -> list[dict[str, Any]]:
        return [each for each in self.came if isinstance(each, dict) and name_of(each) == name]

    def packets(self) -> list[AudioFrame]:
        return [each for each in self.came if isinstance(each, AudioFrame)]

    def steps(self) -> list[str]:
        """What came, audio in one step however long, tools left out."""
        names: list[str] = []
        for each in self.came:
            name = name_of(each) if isinstance(each, dict) else "audio"
            if name != "mcp" and not (name == "audio" and names[-1:] == ["audio"]):
                names.append(name)
        return names


def name_of(message: dict[str, Any]) -> str:
    return f"tts {message['state']}" if message["type"] == "tts" else str(message["type"])


@dataclass
class Door:
    """Everything that serves devices by WebSocket."""

    stage: Stage
    hub: Hub
    devices: Devices
    gateway: XiaozhiGateway
    server: TestServer
    http: aiohttp.ClientSession

    async def bind(self, number: int = 1) -> tuple[DeviceIdentity, str, DeviceRecord]:
        """A device of the household and its token."""
        identity = DeviceIdentity(f"02:00:00:00:00:{number:02x}", f"client-{number}")
        shown = await self.devices.announce(identity, "127.0.0.1")
        assert isinstance(shown, Unbound)
        await self.devices.bind(shown.code, name=f"Speaker {number}", room="kitchen", by="cli", guesser="cli")
        admitted = await self.devices.announce(identity, "127.0.0.1")
        assert isinstance(admitted, Admitted)
        return identity, admitted.token, admitted.record

    def url(self, path: str = "/xiaozhi/v1/") -> str:
        return str(self.server.make_url(path))

    @asynccontextmanager
    async def speaker(
        self,
        identity: DeviceIdentity,
        token: str,
        *,
        framing: int = 1,
        hello: dict[str, Any] | None = None,
        in_query: bool = False,
    ) -> AsyncIterator[Speaker]:
        """A device that connects and says hello."""
        said = {
            "Device-Id": identity.hardware,
            "Client-Id": identity.client,
            "Protocol-Version": str(framing),
            **({"Authorization": f"Bearer {token}"} if token else {}),
        }
        query = {name.lower(): value for name, value in said.items()} if in_query else {}
        headers = {} if in_query else said
        async with self.http.ws_connect(self.url(), headers=headers, params=query, max_msg_size=0) as socket:
            speaker = Speaker(socket, framing)
            reading = asyncio.create_task(speaker.read())
            try:
                if hello != {}:
                    await socket.send_str(json.dumps(HELLO if hello is None else hello))
                    await speaker.until("hello")
                yield speaker
            finally:
                await socket.close()
                await asyncio.gather(reading, return_exceptions=True)


@asynccontextmanager
async def door(tmp_path: Path, stage: Stage, settings: XiaozhiSettings | None = None) -> AsyncIterator[Door]:
    """A gateway that serves."""
    clock, hub, database = SystemClock(), Hub(), Database(tmp_path / "entendre.db")
    hub.attach(stage.assistant)
    devices = Devices(database, clock)
    surroundings = Surroundings(
        voice_for=lambda language: stage.voice,
        say_code=lambda code, language: " ".join(code),
        vision=lambda request, admitted: Vision("http://entendre/vision", "v_token"),
    )
    gateway = XiaozhiGateway(hub, devices, clock, settings or XiaozhiSettings(), surroundings)
    app = web.Application()
    app.router.add_get("/xiaozhi/v1/", gateway.handle)
    server = TestServer(app)
    await server.start_server()
    running = asyncio.create_task(devices.run())
    try:
        async with aiohttp.ClientSession() as http:
            yield Door(stage, hub, devices, gateway, server, http)
    finally:
        await gateway.close()
        await server.close()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        await database.close()
        await stage.assistant.keeper.close()
