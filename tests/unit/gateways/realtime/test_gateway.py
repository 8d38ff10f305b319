"""Connections: what they cost, how they end, and that one does not disturb another."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import re
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, ClientWebSocketResponse, WSMsgType, web
from scripted import ScriptedConversation, Served, serve
from yarl import URL

from entendre.core.errors import OverloadedError
from entendre.gateways.realtime import RealtimeSettings
from entendre.gateways.realtime import connection as connection_module
from entendre.gateways.realtime import gateway as gateway_module
from entendre.session import api
from entendre.wire.realtime_client import _READERS

SILENCE = base64.b64encode(bytes(4_800)).decode()


def address(served: Served, query: str = "") -> str:
    return f"http://127.0.0.1:{served.port}/v1/realtime{query}"


async def receive(socket: ClientWebSocketResponse) -> dict[str, Any]:
    async with asyncio.timeout(3):
        document: dict[str, Any] = json.loads((await socket.receive()).data)
        return document


async def append(socket: ClientWebSocketResponse) -> None:
    await socket.send_json({"type": "input_audio_buffer.append", "audio": SILENCE})


async def ended(socket: ClientWebSocketResponse) -> int | None:
    """The close code after whatever else was sent."""
    async with asyncio.timeout(3):
        while (await socket.receive()).type not in (WSMsgType.CLOSE, WSMsgType.CLOSED, WSMsgType.ERROR):
            pass
    return socket.close_code


async def test_nothing_heavy_exists_before_the_first_audio(served: Served) -> None:
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        assert (await receive(socket))["type"] == "session.created"
        await socket.send_json({"type": "session.update", "session": {"instructions": "x"}})
        assert (await receive(socket))["type"] == "session.updated"
        assert served.factory.opened == [] and served.gateway.connections == 1
        await append(socket)
        await socket.send_json({"type": "input_audio_buffer.clear"})
        assert (await receive(socket))["type"] == "input_audio_buffer.cleared"
        assert len(served.factory.opened) == 1
    assert served.conversation.calls[0] == ("start_listening", api.ListenMode.CONTINUOUS)


async def test_the_query_names_the_device(served: Served) -> None:
    query = "?device=kitchen-tablet&room=kitchen&language=pt-BR"
    async with ClientSession() as client, client.ws_connect(address(served, query)) as socket:
        await append(socket)
        await socket.send_json({"type": "input_audio_buffer.clear"})
        await receive(socket)
        await receive(socket)
    profile = served.conversation.profile
    assert (profile.device, profile.room, profile.language) == ("kitchen-tablet", "kitchen", "pt-BR")


async def language_of(socket: ClientWebSocketResponse, served: Served) -> tuple[str, ...]:
    await append(socket)
    await socket.send_json({"type": "input_audio_buffer.clear"})
    while (await receive(socket))["type"] != "input_audio_buffer.cleared":
        pass
    return served.conversation.profile.languages


@pytest.mark.parametrize(
    ("query", "problem", "languages"),
    [
        ("xx", "There is no language 'xx'; there are en, es,", ("en",)),
        ("th,klingon", "There is no language 'klingon'; there are en,", ("th",)),
        ("%D8%A7", "There is no language '\\u0627'; there are en,", ("en",)),
        ("th,zh,ta,ru", "At most 3 languages can be told apart.", ("th", "zh", "ta")),
        ("th-TH", "", ("th-TH",)),
        ("TH", "", ("TH",)),
        ("", "", ("en",)),
    ],
)
async def test_a_language_of_the_query_that_nobody_taught_is_told(
    served: Served, query: str, problem: str, languages: tuple[str, ...]
) -> None:
    url = address(served, f"?language={query}")
    async with ClientSession() as client, client.ws_connect(URL(url, encoded=True)) as socket:
        assert (await receive(socket))["type"] == "session.created"
        if problem:
            error = (await receive(socket))["error"]
            assert (error["code"], error["param"]) == ("unsupported_language", "language")
            assert error["message"].startswith(problem)
        assert await language_of(socket, served) == languages


async def test_a_session_keeps_its_settings_if_it_asks_for_a_language_that_nobody_taught(served: Served) -> None:
    def update(language: str, **session: object) -> dict[str, object]:
        audio = {"input": {"transcription": {"language": language}}}
        return {"type": "session.update", "event_id": "e1", "session": {"type": "realtime", "audio": audio} | session}

    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        await socket.send_json(update("th-TH"))
        assert (await receive(socket))["type"] == "session.updated"
        for language in ("xx", "th,zh,ta,ru"):
            await socket.send_json(update(language, instructions="be brief"))
            error = (await receive(socket))["error"]
            assert (error["code"], error["event_id"]) == ("unsupported_language", "e1")
        await socket.send_json(update("th-TH"))
        updated = (await receive(socket))["session"]
        assert updated["instructions"] != "be brief"
        await socket.send_json(update("de", type="transcription"))
        assert (await receive(socket))["type"] == "session.updated", "a recognizer may know it"
        await socket.send_json(update("de"))
        assert (await receive(socket))["error"]["code"] == "unsupported_language"


async def test_changed_settings_reach_the_conversation(served: Served) -> None:
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        await append(socket)
        for session in (
            {"turn_detection": {"type": "server_vad", "silence_duration_ms": 700, "interrupt_response": False}},
            {"instructions": "no effect"},
            {"turn_detection": {"type": "semantic_vad", "eagerness": "high", "create_response": False}},
            {"turn_detection": None},
        ):
            await socket.send_json({"type": "session.update", "session": session})
            await receive(socket)
        await append(socket)
        await socket.send_json({"type": "input_audio_buffer.clear"})
        await receive(socket)
    profiles = [call[1] for call in served.conversation.calls if call[0] == "reconfigure"]
    assert [(p.semantic, p.silence_s, p.listens_while_speaking) for p in profiles] == [
        (False, 0.7, False),
        (True, 0.5, True),
        (False, 0.5, False),
    ]
    assert [(p.auto_respond, p.eager_end) for p in profiles] == [(True, 1.0), (False, 0.7), (False, 1.0)]
    modes = [call[1] for call in served.conversation.calls if call[0] == "start_listening"]
    assert modes == [api.ListenMode.CONTINUOUS, api.ListenMode.MANUAL]


async def test_the_conversation_ends_with_its_client(served: Served) -> None:
    ended_with = asyncio.Event()

    async def hear(conversation: ScriptedConversation, heard: int) -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended_with.set()

    served.factory.on["hear"] = hear
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await append(socket)
        await socket.send_json({"type": "input_audio_buffer.clear"})
        await receive(socket)
        await receive(socket)
    async with asyncio.timeout(2):
        await ended_with.wait()
        while served.gateway.connections:  # noqa: ASYNC110 the gateway has no event to wait for
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("failure", [RuntimeError("a bug"), OverloadedError("Too slow.")])
async def test_a_conversation_that_breaks_ends_its_own_connection_only(served: Served, failure: Exception) -> None:
    async with (
        ClientSession() as client,
        client.ws_connect(address(served)) as bad,
        client.ws_connect(address(served)) as good,
    ):
        await receive(bad)
        await receive(good)
        await append(bad)
        await bad.send_json({"type": "input_audio_buffer.clear"})
        await receive(bad)
        served.conversation.failure = failure
        served.conversation.close()
        error = await receive(bad)
        assert error["type"] == "error" and "a bug" not in error["error"]["message"]
        assert await ended(bad) == 1011
        await good.send_json({"type": "input_audio_buffer.clear"})
        assert (await receive(good))["type"] == "input_audio_buffer.cleared"


async def test_a_refusal_of_the_session_is_told_and_the_connection_goes_on(served: Served) -> None:
    def too_much(self: ScriptedConversation, pcm16: bytes) -> None:
        raise OverloadedError("Too much audio is waiting.")

    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        await append(socket)
        await socket.send_json({"type": "input_audio_buffer.clear"})
        await receive(socket)
        served.conversation.hear = too_much.__get__(served.conversation)  # type: ignore[method-assign]
        await socket.send_json({"type": "input_audio_buffer.append", "event_id": "e", "audio": SILENCE})
        error = (await receive(socket))["error"]
        assert (error["code"], error["type"], error["event_id"]) == ("overloaded", "server_error", "e")
        await socket.send_json({"type": "input_audio_buffer.clear"})
        assert (await receive(socket))["type"] == "input_audio_buffer.cleared"


@pytest.mark.parametrize(
    ("sent", "code", "closed"),
    [(b"\0", "binary_event", 1003), ("{", "invalid_json", 1007), ("[]", "invalid_json", 1007)],
)
async def test_a_broken_protocol_is_answered_and_ended(
    served: Served, sent: str | bytes, code: str, closed: int
) -> None:
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        await (socket.send_bytes(sent) if isinstance(sent, bytes) else socket.send_str(sent))
        assert (await receive(socket))["error"]["code"] == code
        assert await ended(socket) == closed


async def test_a_message_beyond_the_limit_ends_the_connection(served: Served) -> None:
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        with contextlib.suppress(ConnectionError):  # it is cut off while it still sends
            await socket.send_str("x" * (4 * 1024 * 1024 + 1))
        assert await ended(socket) in (1009, 1006)


async def test_idle_clients_are_closed_by_one_sweeper() -> None:
    served, runner = await serve(RealtimeSettings(idle_timeout_s=0.1))
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        assert await ended(socket) == 1008
    await served.gateway.close()
    await runner.cleanup()


async def test_clients_whose_key_was_revoked_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gateway_module, "SWEEP_S", 0.05)
    revoked: set[str] = set()

    async def may_stay(request: web.Request) -> bool:
        return request.query.get("device") not in revoked

    served, runner = await serve(may_stay=may_stay)
    async with (
        ClientSession() as client,
        client.ws_connect(address(served, "?device=lost")) as lost,
        client.ws_connect(address(served, "?device=kept")) as kept,
    ):
        await receive(lost)
        await receive(kept)
        revoked.add("lost")
        assert await ended(lost) == 1008
        await append(kept)
        await kept.send_json({"type": "input_audio_buffer.clear"})
        assert (await receive(kept))["type"] == "input_audio_buffer.cleared"
    await served.gateway.close()
    await runner.cleanup()


async def test_a_client_that_takes_nothing_is_dropped(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "SEND_TIMEOUT_S", 0.2)
    done = asyncio.Event()

    async def flood(conversation: ScriptedConversation, heard: int) -> None:
        try:
            await conversation.link.deliver(api.ReplyStarted("r", "", "x", 24_000))
            for _ in range(600):
                await conversation.link.deliver(api.ReplyAudio("r", bytes(48_000)))
        finally:
            done.set()

    served.factory.on["hear"] = flood
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port, limit=1024)
    lines = ["GET /v1/realtime HTTP/1.1", "Host: 127.0.0.1", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "", ""]
    writer.write("\r\n".join(lines).encode())
    await reader.readuntil(b"\r\n\r\n")
    event = json.dumps({"type": "input_audio_buffer.append", "audio": base64.b64encode(bytes(96)).decode()}).encode()
    masked = bytes([0x81, 0xFE]) + len(event).to_bytes(2, "big") + bytes(4) + event
    writer.write(masked)
    async with asyncio.timeout(5):
        await done.wait()
        while served.gateway.connections:  # noqa: ASYNC110 the gateway has no event to wait for
            await asyncio.sleep(0.02)
    writer.close()


async def test_beyond_the_limit_of_connections_clients_come_back_later() -> None:
    served, runner = await serve(RealtimeSettings(max_connections=1))
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        async with client.get(address(served), headers={"Upgrade": "websocket"}) as answer:
            assert (answer.status, answer.headers["Retry-After"]) == (503, "30")
    await served.gateway.close()
    await runner.cleanup()


async def test_a_server_that_shuts_down_says_goodbye(served: Served) -> None:
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        closing = asyncio.create_task(served.gateway.close())
        assert await ended(socket) == 1001
        await closing


async def test_announcements_rings_and_timers_reach_clients_that_want_them(served: Served) -> None:
    async def hear(conversation: ScriptedConversation, heard: int) -> None:
        link = conversation.link
        await link.deliver(api.RingStarted("g", "timer", "pasta"))
        await link.deliver(api.TimerChanged("t", "started", "pasta", 60, 59.5, False))
        await link.deliver(api.ReplyStarted("r", "", "Pasta is done.", 24_000))
        await link.deliver(api.ReplyEnded("r", "", 1.0))
        await link.deliver(api.RingStopped("g"))

    served.factory.on["hear"] = hear
    async with ClientSession() as client, client.ws_connect(address(served)) as socket:
        await receive(socket)
        include = ["entendre.ring", "entendre.timer"]
        await socket.send_json({"type": "session.update", "session": {"include": include}})
        await receive(socket)
        await append(socket)
        events = [await receive(socket)]
        while events[-1].get("ringing") is not False:
            events.append(await receive(socket))
    assert (events[0]["type"], events[0]["kind"], events[0]["name"]) == ("entendre.ring", "timer", "pasta")
    assert (events[1]["type"], events[1]["remaining_s"]) == ("entendre.timer", 59.5)
    assert events[2]["response"]["metadata"] == {"entendre": "announcement"}


def test_every_error_code_is_documented(repository: Path) -> None:
    documented = (repository / "docs/realtime.md").read_text()
    sources = [
        *repository.glob("src/entendre/gateways/realtime/*.py"),
        *repository.glob("src/entendre/wire/realtime*.py"),
    ]
    pattern = r'(?:Refused|ProtocolFailed|_refuse|invalid)\(\s*"(\w+)"'
    codes = {code for source in sources for code in re.findall(pattern, source.read_text())}
    assert len(codes) > 10
    assert not [code for code in codes if f"`{code}`" not in documented]


def test_every_event_of_the_client_is_documented(repository: Path) -> None:
    documented = (repository / "docs/realtime.md").read_text()
    parts = {name.rpartition(".")[2] for name in _READERS} - {"update"}
    assert not [part for part in parts if part not in documented]
