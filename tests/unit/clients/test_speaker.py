"""The speaker against a server that follows the protocol: what it sends, plays and stops."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web

from entendre.clients.realtime import ConnectionFailedError, RealtimeClient, RealtimeOptions
from entendre.clients.speaker import Collected, Speaker, paced
from entendre.core.errors import UnauthorizedError

REPLY = bytes(range(256)) * 10


class Server:
    """Answers after some audio; interrupts itself when told to."""

    def __init__(self, *, interrupt: bool = False, key: str = "") -> None:
        self.received: list[dict[str, Any]] = []
        self.interrupt = interrupt
        self.key = key
        self.url = ""

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.key and request.headers.get("Authorization") != f"Bearer {self.key}":
            return web.json_response({}, status=401)
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            event = json.loads(message.data)
            self.received.append(event)
            if len(self.appended) == 3 and event["type"] == "input_audio_buffer.append":
                for each in self.answer():
                    await socket.send_json(each)
        return socket

    def answer(self) -> list[dict[str, Any]]:
        audio = {"item_id": "item_1", "delta": base64.b64encode(REPLY).decode()}
        events = [{"type": "response.created"}, {"type": "response.output_audio.delta"} | audio]
        if self.interrupt:
            events.append({"type": "input_audio_buffer.speech_started"})
        return [*events, {"type": "response.done"}]

    @property
    def appended(self) -> list[bytes]:
        return [base64.b64decode(e["audio"]) for e in self.received if e["type"] == "input_audio_buffer.append"]


@pytest.fixture
async def start() -> AsyncIterator[Any]:
    runners: list[web.AppRunner] = []

    async def starter(server: Server) -> Server:
        app = web.Application()
        app.router.add_get("/v1/realtime", server.handle)
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        runners.append(runner)
        server.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        return server

    yield starter
    for runner in runners:
        await runner.cleanup()


async def test_it_sends_the_microphone_and_plays_the_reply(start: Any) -> None:
    server = await start(Server())
    sound = bytes(range(200)) * 24  # 0.1 s at 24 kHz
    player = Collected()
    async with RealtimeClient(server.url, options=RealtimeOptions(language="pt")) as client:
        answered = await Speaker(client, player).run(paced(sound, 24_000, after_s=2.0), replies=1)
    assert answered
    assert bytes(player.pcm16) == REPLY
    update = server.received[0]["session"]
    assert update["audio"]["input"]["transcription"]["language"] == "pt"
    assert update["audio"]["input"]["turn_detection"] == {"type": "semantic_vad"}
    assert sound.startswith(b"".join(server.appended[:3]))


async def test_speech_during_a_reply_silences_it_and_tells_how_much_was_heard(start: Any) -> None:
    server = await start(Server(interrupt=True))
    async with RealtimeClient(server.url) as client:
        await Speaker(client, Collected()).run(paced(bytes(9600), 24_000, after_s=2.0), replies=1)
        await asyncio.sleep(0.05)
    cut = [event for event in server.received if event["type"] == "conversation.item.truncate"]
    assert [(event["item_id"], event["audio_end_ms"]) for event in cut] == [("item_1", round(len(REPLY) / 48))]


async def test_a_microphone_that_ends_ends_the_talk(start: Any) -> None:
    server = await start(Server())
    async with RealtimeClient(server.url) as client:
        assert not await Speaker(client, Collected()).run(paced(bytes(960), 24_000, after_s=0.0), replies=1)


async def test_a_missing_key_is_told(start: Any) -> None:
    server = await start(Server(key="right"))
    with pytest.raises(UnauthorizedError):
        async with RealtimeClient(server.url, key="wrong"):
            pass
    async with RealtimeClient(server.url, key="right"):
        pass


async def test_a_dead_server_is_told(free_port: int) -> None:
    with pytest.raises(ConnectionFailedError):
        async with RealtimeClient(f"http://127.0.0.1:{free_port}"):
            pass


async def test_a_recording_arrives_at_the_speed_of_sound() -> None:
    started = asyncio.get_running_loop().time()
    chunks = [chunk async for chunk in paced(bytes(4800 * 2), 24_000, after_s=0.1)]
    assert asyncio.get_running_loop().time() - started == pytest.approx(0.3, abs=0.08)
    assert len(b"".join(chunks)) == 4800 * 2 + 2400 * 2
