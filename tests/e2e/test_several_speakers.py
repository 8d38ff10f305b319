"""Several speakers on one running assistant: what rings where, announcements over HTTP, and a station that plays."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aiohttp import ClientSession, web

from entendre.app import App
from entendre.config import Settings
from entendre.config.sections import HomeSettings, ServerSettings, SpeechSettings
from entendre.core.actions import Action
from entendre.session.api import (
    Conversation,
    DeviceProfile,
    ListenMode,
    ReplyAudio,
    ReplyEnded,
    ReplyStarted,
    RingStarted,
    RingStopped,
    SessionEvent,
    TurnEnded,
)

soundfile = pytest.importorskip("soundfile", reason="needs the speech extra to make sounds")
pytestmark = pytest.mark.e2e


@dataclass
class Speaker:
    """A speaker that takes what it is sent and can do nothing itself."""

    talk: Conversation = field(init=False)
    events: list[SessionEvent] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, event: SessionEvent) -> None:
        self.events.append(event)
        self.changed.set()

    async def perform(self, action: Action) -> bool:
        return False

    def of(self, kind: type) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    def said(self) -> list[str]:
        return [reply.text for reply in self.of(ReplyStarted)]

    async def until(self, kind: type, count: int = 1) -> None:
        async with asyncio.timeout(10):
            while len(self.of(kind)) < count:
                self.changed.clear()
                await self.changed.wait()

    async def ask(self, text: str) -> None:
        before = len(self.of(TurnEnded))
        self.talk.respond(text)
        await self.until(TurnEnded, before + 1)


@dataclass
class Home:
    """The assistant with a kitchen and a bedroom speaker."""

    app: App
    kitchen: Speaker
    bedroom: Speaker

    async def announce(self, client: ClientSession, key: str = "", **body: Any) -> tuple[int, dict[str, Any]]:
        headers = {"Idempotency-Key": key} if key else {}
        url = f"http://127.0.0.1:{self.app.port}/v1/announcements"
        async with client.post(url, json=body, headers=headers) as answer:
            return answer.status, await answer.json()


@pytest.fixture
async def station() -> AsyncIterator[str]:
    """A recording of 30 s on a server of this machine."""
    wave = 0.2 * np.sin(2 * np.pi * 440 * np.arange(30 * 24_000) / 24_000)
    file = io.BytesIO()
    soundfile.write(file, wave, 24_000, format="MP3", subtype="MPEG_LAYER_III")

    async def song(request: web.Request) -> web.Response:
        return web.Response(body=file.getvalue(), content_type="audio/mpeg")

    server = web.Application()
    server.router.add_get("/song.mp3", song)
    runner = web.AppRunner(server)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    yield f"http://127.0.0.1:{runner.addresses[0][1]}/song.mp3"
    await runner.cleanup()


@pytest.fixture
async def home(tmp_path: Path, station: str) -> AsyncIterator[Home]:
    rooms = [{"id": "k", "names": "kitchen"}, {"id": "b", "names": "bedroom"}]
    file = tmp_path / "HOME.json"
    file.write_text(json.dumps({"rooms": rooms, "media": [{"id": "jazz", "names": "Jazz FM", "url": station}]}))
    settings = Settings(
        server=ServerSettings(port=0, data_dir=tmp_path / "data"),
        speech=SpeechSettings(recognizer="none", voice="none"),
        home=HomeSettings(file=file),
    )
    app = App(settings)
    await app.start()
    speakers, tasks = [Speaker(), Speaker()], []
    for speaker, room in zip(speakers, ("Kitchen", "bedroom"), strict=True):
        speaker.talk = app.open(DeviceProfile(device=f"{room}-speaker", room=room, mode=ListenMode.AUTO), speaker)
        tasks.append(asyncio.create_task(speaker.talk.run()))
    yield Home(app, *speakers)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await app.close()


async def test_a_request_that_is_repeated_before_it_was_answered_is_said_once(home: Home) -> None:
    async with ClientSession() as client:
        answers = await asyncio.gather(*[home.announce(client, "k-1", text="Dinner.") for _ in range(20)])
    assert all(answer == answers[0] for answer in answers)
    assert answers[0][0] == 200
    await asyncio.sleep(1)
    assert (home.kitchen.said(), home.bedroom.said()) == (["Dinner."], ["Dinner."])


async def test_a_timer_rings_where_it_was_set_and_stops_there(home: Home) -> None:
    await home.kitchen.ask("set a timer for one second")
    await home.kitchen.until(RingStarted)
    await home.bedroom.ask("stop")
    await asyncio.sleep(0.3)
    assert home.bedroom.of(RingStarted) == []
    assert home.kitchen.of(RingStopped) == [], "the bedroom stops what rings in the bedroom"
    async with ClientSession() as client:
        status, taken = await home.announce(client, text="Dinner is ready.")
    assert (status, taken["count"]) == (200, 2)
    await asyncio.sleep(0.5)
    assert home.bedroom.said() == ["Dinner is ready."]
    assert "Dinner is ready." not in home.kitchen.said(), "an announcement waits for what rings"
    await home.kitchen.ask("stop")
    await home.kitchen.until(RingStopped)
    await home.kitchen.until(ReplyStarted, len(home.kitchen.said()) + ("Dinner is ready." not in home.kitchen.said()))
    assert home.kitchen.said()[-1] == "Dinner is ready."


async def test_announcements_reach_rooms_by_name_once_a_key(home: Home) -> None:
    async with ClientSession() as client:
        for _ in range(2):
            status, taken = await home.announce(client, "once", text="The bus is here.", room="bedroom")
            assert (status, taken) == (200, {"count": 1, "speakers": [{"device": "bedroom-speaker", "room": "b"}]})
        status, answer = await home.announce(client, text="Hello.", room="attic")
        assert (status, answer["error"]["code"]) == (404, "no_speaker")
    await home.bedroom.until(ReplyEnded)
    await asyncio.sleep(0.3)
    assert (home.bedroom.said(), home.kitchen.said()) == (["The bus is here."], [])


async def test_tell_everyone_and_tell_a_room(home: Home) -> None:
    await home.kitchen.ask("tell everyone dinner is ready")
    await home.bedroom.until(ReplyEnded)
    await home.bedroom.ask("announce in the kitchen that it smells good")
    await home.kitchen.until(ReplyEnded, 2)
    assert home.bedroom.said()[0] == "dinner is ready"
    assert home.kitchen.said()[-1] == "it smells good"


async def test_a_station_plays_makes_way_and_goes_on(home: Home) -> None:
    pytest.importorskip("miniaudio", reason="needs the media extra")
    kitchen = home.kitchen
    await kitchen.ask("play jazz fm")
    await kitchen.until(ReplyAudio, 10)
    sound = np.frombuffer(b"".join(event.pcm for event in kitchen.of(ReplyAudio)), dtype="<i2")[2_000:]
    assert np.abs(sound).max() > 3_000, "the tone is there"
    await kitchen.ask("what's playing")
    assert "This is Jazz FM." in kitchen.said()
    before = len(kitchen.of(ReplyAudio))
    await kitchen.until(ReplyAudio, before + 10)
    await kitchen.ask("stop the music")
    await asyncio.sleep(0.5)
    count = len(kitchen.of(ReplyAudio))
    await asyncio.sleep(0.5)
    assert len(kitchen.of(ReplyAudio)) == count
    await kitchen.ask("play the lottery")
    assert kitchen.said()[-1] == "I don't know a station called the lottery."
    await kitchen.ask("play some polka")
    assert kitchen.said()[-1] == "I don't know a station called polka that I could play."


async def test_media_is_controlled_over_http(home: Home) -> None:
    pytest.importorskip("miniaudio", reason="needs the media extra")
    url = f"http://127.0.0.1:{home.app.port}/v1/media"
    async with ClientSession() as client:
        async with client.post(url, json={"station": "jazz fm", "room": "bedroom"}) as answer:
            assert (answer.status, (await answer.json())["count"]) == (200, 1)
        await home.bedroom.until(ReplyAudio, 5)
        assert (home.bedroom.said(), home.kitchen.said()) == (["Jazz FM"], [])
        async with client.post(url, json={"command": "stop"}) as answer:
            assert (await answer.json())["count"] == 2
        await home.bedroom.until(ReplyEnded)
        async with client.post(url, json={"station": "polka"}) as answer:
            assert (answer.status, (await answer.json())["error"]["code"]) == (404, "unknown_station")


@pytest.mark.parametrize("one_answers", [True, False])
async def test_whether_one_answers_is_a_setting(tmp_path: Path, one_answers: bool) -> None:
    settings = Settings(
        server=ServerSettings(data_dir=tmp_path),
        speech=SpeechSettings(recognizer="none", voice="none"),
        home=HomeSettings(one_answers=one_answers),
    )
    app = App(settings, listen=False)
    await app.start()
    assert (app.assistant.arbiter is not None) is one_answers
    await app.close()


async def test_a_client_of_the_realtime_protocol_asks_while_music_plays(home: Home) -> None:
    pytest.importorskip("miniaudio", reason="needs the media extra")
    async with ClientSession() as client, client.ws_connect(f"ws://127.0.0.1:{home.app.port}/v1/realtime") as socket:

        async def ask(text: str) -> None:
            part = {"type": "input_text", "text": text}
            item = {"type": "message", "role": "user", "content": [part]}
            await socket.send_json({"type": "conversation.item.create", "item": item})
            await socket.send_json({"type": "response.create"})

        async def until(kind: str) -> dict[str, Any]:
            async with asyncio.timeout(10):
                while (event := await socket.receive_json())["type"] != kind:
                    assert event["type"] != "error", event
            found: dict[str, Any] = event
            return found

        async def transcript(words: str) -> None:
            while words not in (await until("response.output_audio_transcript.done"))["transcript"]:
                pass

        await ask("play jazz fm")
        await transcript("Playing Jazz FM.")
        for _ in range(10):
            await until("response.output_audio.delta")
        await ask("what's playing")
        await transcript("This is Jazz FM.")
        for _ in range(10):
            await until("response.output_audio.delta")
        await ask("stop the music")
        await transcript("Stopped.")
