from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, web

from entendre.clients.realtime import ConnectionFailedError
from entendre.clients.xiaozhi import Habits, State, XiaozhiSpeaker
from entendre.clients.xiaozhi_boot import Hardware, configure_when_bound
from entendre.clients.xiaozhi_links import UdpAudio, WebSocketLink
from entendre.clients.xiaozhi_playback import QUEUE_PACKETS, PlaybackQueue, framed, unframed, uplink_packets
from entendre.clients.xiaozhi_tools import DeviceTools

SOUND = {"format": "opus", "sample_rate": 24_000, "channels": 1, "frame_duration": 60}
HELLO = {"type": "hello", "transport": "websocket", "session_id": "s-1", "audio_params": SOUND}
TONE = uplink_packets((8000 * np.sin(np.arange(9600) / 6)).astype(np.int16))


class FakeLink:
    """A server in the same room: it answers the hello, and keeps what it is sent."""

    transport, version = "websocket", 1

    def __init__(self) -> None:
        self.inbox: asyncio.Queue[str | bytes | None] = asyncio.Queue()
        self.sent: list[dict[str, Any]] = []
        self.packets = 0

    async def open(self) -> None: ...

    async def opened(self, hello: dict[str, Any]) -> None: ...

    async def send_json(self, message: dict[str, Any]) -> None:
        self.sent.append(message)
        if message["type"] == "hello":
            self.tell(**HELLO)

    async def send_opus(self, opus: bytes) -> None:
        self.packets += 1

    async def receive(self) -> str | bytes | None:
        return await self.inbox.get()

    async def close_channel(self, session_id: str) -> None: ...

    async def close(self) -> None: ...

    def tell(self, **message: Any) -> None:
        self.inbox.put_nowait(json.dumps(message))

    def reply(self, packets: int) -> None:
        for _ in range(packets):
            self.inbox.put_nowait(TONE[3])

    def listens(self) -> int:
        return sum(message.get("state") == "start" for message in self.sent)


def quick(mode: str = "auto") -> Habits:
    return Habits(mode, start_takes_s=0.0)


async def test_a_turn_in_mode_auto_ends_with_listening_again_once_the_queue_is_played() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick()).running() as speaker:
        await speaker.wake("hi jarvis", TONE[:2])
        assert link.packets == 2
        assert [each.get("state") for each in link.sent] == [None, "detect", "start"]
        assert await speaker.until(lambda: speaker.listening, 1)
        link.tell(type="tts", state="start")
        link.tell(type="tts", state="sentence_start", text="It is nine.")
        link.reply(3)
        link.tell(type="tts", state="stop")
        assert await speaker.until(lambda: speaker.replies and speaker.replies[0].stopped_s, 1)
        assert not speaker.listening
        assert link.listens() == 1
        assert await speaker.until(lambda: speaker.listening, 2)
        assert link.listens() == 2
        reply = speaker.replies[0]
        assert reply.sentences == ["It is nine."]
        assert len(reply.sound(24_000)) == 3 * 1440
        assert reply.audible_s(24_000) == reply.packets[0].starts_s
        assert reply.packets[2].starts_s - reply.packets[0].starts_s == pytest.approx(0.12)


async def test_sound_is_lost_unless_the_speaker_speaks() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick()).running() as speaker:
        await speaker.press()
        link.reply(2)
        assert await speaker.until(lambda: speaker.discarded == 2, 1)
        link.tell(type="tts", state="start")
        link.reply(1)
        link.tell(type="tts", state="stop")
        link.reply(1)
        link.tell(type="tts", state="start")  # obeyed when the queue is played, after the microphone was asked to open
        assert await speaker.until(lambda: len(speaker.replies) == 2, 2)
        assert (speaker.discarded, link.listens()) == (3, 2)
        assert speaker.state is State.SPEAKING


async def test_sound_right_behind_the_start_comes_too_early() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, Habits(start_takes_s=0.2)).running() as speaker:
        await speaker.press()
        link.tell(type="tts", state="start")
        link.reply(1)
        assert await speaker.until(lambda: speaker.discarded == 1, 1)


async def test_push_to_talk_is_idle_after_its_reply_and_realtime_never_stops_listening() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick("manual")).running() as speaker:
        await speaker.press()
        await speaker.release()
        assert speaker.state is State.IDLE
        link.tell(type="tts", state="start")
        link.tell(type="tts", state="stop")
        assert await speaker.until(lambda: speaker.replies and speaker.replies[0].stopped_s, 1)
        assert speaker.state is State.IDLE
        assert link.sent[-1] == {"session_id": "s-1", "type": "listen", "state": "stop"}
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick("realtime")).running() as speaker:
        await speaker.press()
        link.tell(type="tts", state="start")
        assert await speaker.until(lambda: speaker.state is State.SPEAKING, 1)
        before = link.packets
        assert await speaker.until(lambda: link.packets > before or speaker.messages, 1)
        await asyncio.sleep(0.15)
        assert link.packets > before
        link.tell(type="tts", state="stop")
        assert await speaker.until(lambda: speaker.listening, 1)
        assert link.listens() == 1


async def test_the_wake_word_interrupts_a_reply() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick()).running() as speaker:
        await speaker.press()
        link.tell(type="tts", state="start")
        link.reply(30)
        assert await speaker.until(lambda: speaker.replies and len(speaker.replies[0].packets) == 30, 1)
        await speaker.wake("hi jarvis")
        assert {"session_id": "s-1", "type": "abort", "reason": "wake_word_detected"} in link.sent
        assert speaker.listening


def test_the_queue_holds_forty_packets_and_notes_silences() -> None:
    queue = PlaybackQueue()
    assert all(queue.push(0.0, 0.06) is not None for _ in range(QUEUE_PACKETS))
    assert queue.push(0.0, 0.06) is None
    assert queue.overflows == 1
    assert queue.push(0.07, 0.06) == pytest.approx(2.4)
    assert queue.push(2.6, 0.06) == 2.6
    assert queue.underruns_s == [pytest.approx(0.14)]
    queue.clear()
    assert queue.push(9.0, 0.06) == 9.0
    assert len(queue.underruns_s) == 1


def test_frames_of_each_version() -> None:
    for version in (1, 2, 3):
        assert unframed(version, framed(version, b"abc")) == b"abc"
    assert framed(2, b"a") == bytes.fromhex("00020000 00000000 00000000 00000001") + b"a"
    assert framed(3, b"abc") == bytes.fromhex("00000003") + b"abc"
    with pytest.raises(ValueError, match="says that it carries"):
        unframed(3, bytes.fromhex("00000009") + b"abc")


def test_silence_costs_packets_of_a_few_bytes() -> None:
    packets = uplink_packets(np.zeros(16_000, dtype=np.int16))
    assert len(packets) == 17
    assert sum(len(packet) <= 3 for packet in packets) > 8


def test_audio_over_udp_is_encrypted_by_its_own_header_and_takes_no_packet_twice() -> None:
    delivered: list[bytes] = []
    nonce = bytes.fromhex("01000000c0ffee010000000000000000")
    audio = UdpAudio(bytes(range(16)), nonce, delivered.append)
    sent: list[bytes] = []

    class Transport:
        def sendto(self, data: bytes) -> None:
            sent.append(data)

    audio.connection_made(Transport())
    audio.send(b"Hello!!!")
    assert sent[0].hex() == "01000008c0ffee010000000000000001c26050450898287a"
    for data in (sent[0], sent[0], b"\x02" + sent[0][1:], sent[0] + b"x", b""):
        audio.datagram_received(data, ("127.0.0.1", 1))
    assert delivered == [b"Hello!!!"]
    assert audio.rejected == 4


def test_tools_are_listed_in_pages_and_called_as_the_firmware_does() -> None:
    tools = DeviceTools(page_bytes=400)
    listed, cursor = [], ""
    for number in range(9):
        request = {"jsonrpc": "2.0", "id": number, "method": "tools/list", "params": {"cursor": cursor}}
        answer = tools.answer(request)
        assert answer is not None
        listed += [tool["name"] for tool in answer["result"]["tools"]]
        cursor = answer["result"].get("nextCursor", "")
        if not cursor:
            break
    assert listed == ["self.get_device_status", "self.audio_speaker.set_volume", "self.screen.set_brightness"]
    assert number > 0
    call = {"jsonrpc": "2.0", "id": 7, "method": "tools/call"}
    volume = {"name": "self.audio_speaker.set_volume", "arguments": {"volume": 40}}
    answer = tools.answer(call | {"params": volume})
    assert answer is not None
    assert answer["result"]["content"] == [{"type": "text", "text": "true"}]
    assert tools.volume == 40
    answer = tools.answer(call | {"params": volume | {"arguments": {"volume": "40"}}})
    assert answer is not None
    assert "code" not in answer["error"]
    assert tools.answer(call | {"id": "7", "params": volume}) is None
    assert tools.answer({"jsonrpc": "2.0", "method": "notifications/initialized"}) is None


async def test_it_polls_until_it_is_bound_and_connects_with_what_it_is_then_given() -> None:
    polls: list[dict[str, Any]] = []
    upgrades: list[dict[str, str]] = []

    async def ota(request: web.Request) -> web.Response:
        settings = {"url": f"ws://127.0.0.1:{request.url.port}/ws", "token": f"t-{len(polls)}", "version": 3}
        activation = {} if len(polls) > 1 else {"activation": {"code": "123456", "challenge": "c"}}
        return web.json_response({"websocket": settings} | activation)

    async def poll(request: web.Request) -> web.Response:
        polls.append(await request.json())
        return web.Response(status=202 if len(polls) == 1 else 200)

    async def converse(request: web.Request) -> web.WebSocketResponse:
        upgrades.append(dict(request.headers))
        socket = web.WebSocketResponse()
        await socket.prepare(request)
        async for message in socket:
            if message.type is web.WSMsgType.TEXT:
                await socket.send_json(HELLO)
        return socket

    app = web.Application()
    app.add_routes([web.post("/ota/", ota), web.post("/ota/activate", poll), web.get("/ws", converse)])
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/ota/"
    hardware = Hardware("02:11:22:33:44:55", "uuid", serial="s" * 32, hmac_key=b"key")
    async with ClientSession() as http:
        configuration = await configure_when_bound(http, url, hardware, every_s=0.01)
    assert [each["challenge"] for each in polls] == ["c", "c"]
    assert polls[0]["hmac"] == "3ce40a0edc208379991d07674df03ea00875cb3810336bc550a7f37741591d0a"
    assert configuration.websocket["token"] == "t-2"
    async with XiaozhiSpeaker(WebSocketLink(configuration.websocket, hardware), quick()).running() as speaker:
        await speaker.press()
        assert speaker.listening
    await runner.cleanup()
    assert upgrades[0]["Authorization"] == "Bearer t-2"
    assert upgrades[0]["Protocol-Version"] == "3"


async def test_a_link_that_is_gone_while_something_is_answered_ends_the_channel() -> None:
    link = FakeLink()
    async with XiaozhiSpeaker(link, quick()).running() as speaker:
        await speaker.wake("hi jarvis", TONE[:2])
        assert await speaker.until(lambda: speaker.listening, 1)
        answered = asyncio.Event()

        async def gone(message: dict[str, Any]) -> None:
            answered.set()
            raise ConnectionFailedError("The MQTT connection is gone.")

        link.send_json = gone  # type: ignore[method-assign]
        request = {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {}}
        link.tell(type="mcp", payload=request)
        assert await speaker.until(lambda: speaker.state is State.IDLE, 2)
        assert answered.is_set()
