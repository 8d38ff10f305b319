"""Simulated devices in the load benchmark: what counts as an answer, how replies arrive, and how devices are bound."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import numpy as np
import pytest
from aiohttp import web

pytest.importorskip("opuslib_next", reason="needs the extra xiaozhi")

from entendre.bench import device_talk, devices
from entendre.bench.device_talk import DeviceTalker, Downlink, SpokenClip
from entendre.bench.devices import bound_speakers
from entendre.bench.talk import Clip
from entendre.clients.xiaozhi import Habits, XiaozhiSpeaker
from entendre.clients.xiaozhi_boot import Configuration, Hardware
from entendre.clients.xiaozhi_links import WebSocketLink
from entendre.clients.xiaozhi_playback import uplink_packets

SOUND = {"format": "opus", "sample_rate": 24_000, "channels": 1, "frame_duration": 60}
QUIET = uplink_packets(np.zeros(960, np.int16))
LOUD = uplink_packets((9000 * np.sin(np.arange(960 * 4) / 5)).astype(np.int16))
CLIP = SpokenClip(Clip("c", "what time is it", (), 0.06), LOUD[:2])


class Server:
    """Answers when it has heard the clip: what the test asks for, after the loud packets have come."""

    def __init__(self, *, ring_first: bool = False, deaf: bool = False) -> None:
        self.ring_first, self.deaf = ring_first, deaf

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        loud = 0
        async for message in socket:
            if message.type is web.WSMsgType.BINARY:
                loud += len(message.data) > 60
                if loud == len(CLIP.packets) and not self.deaf:
                    loud = 99
                    await self.reply(socket)
            elif message.json()["type"] == "hello":
                hello = {"type": "hello", "transport": "websocket", "session_id": "s", "audio_params": SOUND}
                await socket.send_json(hello)
        return socket

    async def reply(self, socket: web.WebSocketResponse) -> None:
        if self.ring_first:
            await self.speak(socket, "")
        await socket.send_json({"type": "stt", "text": "what time is it"})
        await self.speak(socket, "It is nine.")

    async def speak(self, socket: web.WebSocketResponse, text: str) -> None:
        await socket.send_json({"type": "tts", "state": "start"})
        await asyncio.sleep(0.03)
        if text:
            await socket.send_json({"type": "tts", "state": "sentence_start", "text": text})
        for packet in (*QUIET, *LOUD[2:]):
            await socket.send_bytes(packet)
        await socket.send_json({"type": "tts", "state": "stop"})
        if not text:  # the device plays it to its end before it obeys the next
            await asyncio.sleep(0.4)


@asynccontextmanager
async def talker_of(server: Server) -> AsyncIterator[DeviceTalker]:
    app = web.Application()
    app.router.add_get("/ws", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"ws://127.0.0.1:{runner.addresses[0][1]}/ws"
    link = WebSocketLink({"url": url, "version": 1}, Hardware("02:00:5e:00:00:01", "u"))
    async with XiaozhiSpeaker(link, Habits(noise=QUIET, start_takes_s=0.0)).running() as speaker:
        yield DeviceTalker(speaker)
    await runner.cleanup()


async def said_to(server: Server) -> tuple[Any, XiaozhiSpeaker]:
    async with talker_of(server) as talker:
        return await talker.say(CLIP), talker.speaker


async def test_the_gap_ends_when_a_packet_that_is_not_silence_sounds() -> None:
    began_s = time.monotonic()
    turn, speaker = await said_to(Server())
    assert (turn.transcript, turn.reply, turn.replied, turn.cut_off) == ("what time is it", "It is nine.", True, False)
    reply = speaker.replies[0]
    assert turn.first_audio_s == reply.packets[1].starts_s
    assert turn.gap_s is not None
    assert 0.0 < turn.gap_s < time.monotonic() - began_s


async def test_a_ring_before_any_words_is_no_answer() -> None:
    turn, speaker = await said_to(Server(ring_first=True))
    assert len(speaker.replies) == 2
    assert turn.first_audio_s == speaker.replies[1].packets[1].starts_s


async def test_who_is_not_answered_waited_to_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device_talk, "REPLY_S", 0.3)
    turn, _ = await said_to(Server(deaf=True))
    assert not turn.replied
    assert turn.gap_s is None


async def test_gaps_are_between_packets_and_silences_are_those_of_the_queue() -> None:
    figures = Downlink()
    _, speaker = await said_to(Server())
    speaker.queue.underruns_s.append(0.25)
    figures.add(speaker)
    document = figures.document()
    packets = len(speaker.replies[0].packets)
    assert document["packets"] == packets
    assert len(figures.gaps_s) == packets - 1
    assert (document["underruns"], document["underrun_max_s"]) == (1, 0.25)
    assert document["overflows"] == document["discarded"] == 0


async def test_devices_are_bound_by_the_codes_that_they_show(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(devices, "ASK_AGAIN_S", 0.01)
    codes = itertools.count(100_000)
    shown: dict[str, str] = {}
    bound: set[str] = set()
    asked = 0

    async def ota(request: web.Request) -> web.Response:
        nonlocal asked
        asked += 1
        if asked == 2:
            return web.Response(status=429)
        mac = request.headers["Device-Id"]
        settings: dict[str, Any] = {"websocket": {"url": "ws://x", "token": f"token of {mac}"}}
        if mac not in bound:
            code = str(next(codes))
            shown[code] = mac
            settings["activation"] = {"code": code, "challenge": "c"}
        return web.json_response(settings)

    async def bind(request: web.Request) -> web.Response:
        assert request.headers["Authorization"] == "Bearer k"
        bound.add(shown[(await request.json())["code"]])
        return web.json_response({}, status=201)

    app = web.Application()
    app.add_routes([web.post("/xiaozhi/ota/", ota), web.post("/v1/devices", bind)])
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    speakers = await bound_speakers(f"http://127.0.0.1:{runner.addresses[0][1]}", "k", 3)
    await runner.cleanup()
    macs = [each.hardware.mac for each in speakers]
    assert set(macs) == bound
    assert [each.configuration for each in speakers] == [
        Configuration({"url": "ws://x", "token": f"token of {mac}"}, {}, {}, {}) for mac in macs
    ]
