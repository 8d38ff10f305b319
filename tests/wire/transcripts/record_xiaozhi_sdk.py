"""Record what the unmodified `xiaozhi-sdk` sends and accepts: a transcript as JSON lines on standard output.

Usage: record_xiaozhi_sdk.py FOLDER, where `pip install --target FOLDER xiaozhi-sdk==0.5.1` has been run.
The audio is a tone of ours; the other side answers as the protocol's description has it and echoes that audio.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import sys
from typing import Any

from aiohttp import WSMsgType, web

DEVICE = "02:11:22:33:44:55"
POLLS_BEFORE_BOUND = 1
SPOKEN_FRAMES = 12
TOOL = "self.audio_speaker.set_volume"
HOST_FIELDS = {"platform": "Linux", "system_version": "#1 SMP", "node": "host", "ip": "192.0.2.17", "cpu_count": 2}
"""What the client tells of the machine that it runs on, replaced in the transcript."""

CLIENT = f"""
import asyncio, sys
import numpy as np
from xiaozhi_sdk import XiaoZhiWebsocket

tool = {{"name": "{TOOL}", "description": "Set the volume", "is_async": False,
        "inputSchema": {{"type": "object", "required": ["volume"],
                        "properties": {{"volume": {{"type": "integer", "minimum": 0, "maximum": 100}}}}}},
        "tool_func": lambda arguments: (True, False)}}
stopped = asyncio.Event()

async def told(message):
    if message["type"] == "tts" and message.get("state") == "stop":
        stopped.set()

async def main(ota_url):
    device = XiaoZhiWebsocket(told, ota_url=ota_url)
    await device.set_mcp_tool([tool])
    assert await device.init_connection("{DEVICE.upper()}")
    while device.wait_device_activated:
        await asyncio.sleep(0.1)
    tone = (8000 * np.sin(np.arange(1440 * {SPOKEN_FRAMES}) * 2 * np.pi * 440 / 24000)).astype(np.int16)
    for start in range(0, len(tone), 1440):
        await device.send_audio(tone[start : start + 1440].tobytes())
        await asyncio.sleep(0.06)
    await stopped.wait()
    await device.send_abort()
    await asyncio.sleep(0.5)
    await device.close()

asyncio.run(main(sys.argv[1]))
"""


class Recorder:
    """A server that plays its part and writes everything down."""

    def __init__(self) -> None:
        self.polls = 0
        self.port = 0
        self.connections = 0
        self.echoed: list[bytes] = []

    def note(self, side: str, kind: str, **content: Any) -> None:
        """Write one line."""
        print(json.dumps({"from": side, "kind": kind} | content, ensure_ascii=False), flush=True)

    async def configure(self, request: web.Request) -> web.Response:
        """The configuration request; unbound until the code was confirmed."""
        body = await request.json()
        for part in (body["application"], body["board"]):
            part.update({name: value for name, value in HOST_FIELDS.items() if name in part})
        headers = dict(request.headers) | {"User-Agent": "Linux host/0.5.1"}
        self.note("client", "http", path=request.path, headers=headers, body=body)
        answer: dict[str, Any] = {
            "server_time": {"timestamp": 1_790_000_000_000, "timezone_offset": 120},
            "firmware": {"version": "0.5.1", "url": ""},
            "websocket": {"url": f"ws://127.0.0.1:{self.port}/xiaozhi/v1/", "token": "token-1", "version": 1},
            "activation": {"code": "482913", "message": "example\n482913", "challenge": "c1", "timeout_ms": 30_000},
        }
        self.note("server", "http", status=200, body=answer)
        return web.json_response(answer)

    async def activate(self, request: web.Request) -> web.Response:
        """A poll for the binding."""
        headers = dict(request.headers) | {"User-Agent": "Linux host/0.5.1"}
        self.note("client", "http", path=request.path, headers=headers, body=await request.json())
        self.polls += 1
        status = 202 if self.polls <= POLLS_BEFORE_BOUND else 200
        self.note("server", "http", status=status)
        return web.Response(status=status)

    async def converse(self, request: web.Request) -> web.WebSocketResponse:
        """A connection."""
        self.connections += 1
        self.note("client", "upgrade", path=request.path, headers=dict(request.headers))
        socket = web.WebSocketResponse(compress=False, autoping=False)
        await socket.prepare(request)
        async for message in socket:
            if message.type is WSMsgType.BINARY:
                self.note("client", "binary", base64=base64.b64encode(message.data).decode())
                self.echoed.append(message.data)
                if len(self.echoed) == SPOKEN_FRAMES:
                    await self.reply(socket)
            elif message.type is WSMsgType.TEXT:
                self.note("client", "text", text=message.data)
                await self.answer(socket, json.loads(message.data))
            else:
                self.note("client", message.type.name.lower(), length=len(message.data))
                await socket.pong(message.data)
        self.note("client", "closed", code=socket.close_code)
        return socket

    async def answer(self, socket: web.WebSocketResponse, message: dict[str, Any]) -> None:
        """What the other side says to one message."""
        if message["type"] == "hello":
            sound = {"format": "opus", "sample_rate": 24_000, "channels": 1, "frame_duration": 60}
            await self.send(socket, type="hello", transport="websocket", audio_params=sound)
            vision = {"url": f"http://127.0.0.1:{self.port}/vision", "token": "v_1"}
            asked = {"protocolVersion": "2024-11-05", "capabilities": {"vision": vision}}
            await self.call(socket, 1, "initialize", asked | {"clientInfo": {"name": "recorder", "version": "1.0"}})
            await self.call(socket, 2, "tools/list", {"cursor": "", "withUserTools": False})
            await self.call(socket, 3, "tools/call", {"name": TOOL, "arguments": {"volume": 40}})
        elif message["type"] == "abort":
            await self.send(socket, type="tts", state="stop")

    async def reply(self, socket: web.WebSocketResponse) -> None:
        """A spoken reply."""
        await self.send(socket, type="stt", text="what time is it")
        await self.send(socket, type="tts", state="start")
        await self.send(socket, type="llm", emotion="happy", text="🙂")
        await self.send(socket, type="tts", state="sentence_start", text="It is half past nine.")
        for packet in self.echoed:
            self.note("server", "binary", base64=base64.b64encode(packet).decode())
            await socket.send_bytes(packet)
        await self.send(socket, type="tts", state="stop")

    async def call(self, socket: web.WebSocketResponse, number: int, method: str, params: dict[str, Any]) -> None:
        """One request to the device's tools."""
        payload = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
        await self.send(socket, type="mcp", payload=payload)

    async def send(self, socket: web.WebSocketResponse, **message: Any) -> None:
        """One message."""
        text = json.dumps({"session_id": f"s-{self.connections}"} | message, ensure_ascii=False)
        self.note("server", "text", text=text)
        await socket.send_str(text)


async def record(folder: str) -> None:
    """Serve one device until it has ended."""
    recorder = Recorder()
    app = web.Application()
    app.router.add_post("/xiaozhi/ota/", recorder.configure)
    app.router.add_post("/xiaozhi/ota/activate", recorder.activate)
    app.router.add_get("/xiaozhi/v1/", recorder.converse)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    recorder.port = runner.addresses[0][1]
    ota_url = f"http://127.0.0.1:{recorder.port}/xiaozhi/ota/"
    environment = os.environ | {"PYTHONPATH": folder, "NO_PROXY": "127.0.0.1"}
    client = await asyncio.create_subprocess_exec(sys.executable, "-c", CLIENT, ota_url, env=environment)
    await client.wait()
    await runner.cleanup()


if __name__ == "__main__":
    asyncio.run(record(sys.argv[1]))
