"""A speaker that connects by MQTT and talks by UDP from its first boot to an announcement, with `entendre serve`."""

from __future__ import annotations

import asyncio
import io
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
import soundfile
from talking import audio_of, person, recording, words

from entendre.clients.xiaozhi import State, XiaozhiSpeaker
from entendre.clients.xiaozhi_boot import Hardware, configure
from entendre.clients.xiaozhi_links import MqttLink
from entendre.clients.xiaozhi_playback import Reply, uplink_packets
from entendre.core.audio import AudioFormat, samples_of

pytestmark = pytest.mark.e2e

pytest.importorskip("aiomqtt", reason="needs the extra mqtt")
pytest.importorskip("opuslib_next", reason="needs the extra xiaozhi")

TEXT_ONLY = {"ENTENDRE_SPEECH_RECOGNIZER": "none", "ENTENDRE_SPEECH_VOICE": "none"}
HARDWARE = Hardware("02:11:22:33:44:55", "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11")
MICROPHONE = AudioFormat(16_000)
ANSWER_S = 20.0


@dataclass
class Home:
    """A server with its MQTT port, and what is asked of it by HTTP."""

    server: Any
    http: aiohttp.ClientSession

    async def bound(self) -> dict[str, Any]:
        """Take the speaker into the household; what it is told of MQTT."""
        first = await configure(self.http, f"{self.server.url}/xiaozhi/ota/", HARDWARE)
        assert not first.mqtt, "a device that belongs to nobody is told of the WebSocket, which asks to bind it"
        body = {"code": first.code, "name": "Box", "room": "kitchen"}
        async with self.http.post(f"{self.server.url}/v1/devices", json=body) as answer:
            assert answer.status == 201
        offer = (await configure(self.http, f"{self.server.url}/xiaozhi/ota/", HARDWARE)).mqtt
        assert offer["publish_topic"] == "device-server"
        return offer

    async def announce(self, text: str) -> None:
        """Have something said on every speaker."""
        async with self.http.post(f"{self.server.url}/v1/announcements", json={"text": text}) as answer:
            assert answer.status == 200, await answer.text()

    async def transcript(self, reply: Reply, rate_hz: int) -> str:
        """What a recogniser makes of a reply."""
        file = io.BytesIO()
        soundfile.write(file, reply.sound(rate_hz), rate_hz, format="WAV")
        form = aiohttp.FormData()
        form.add_field("file", file.getvalue(), filename="reply.wav")
        form.add_field("model", "whisper-1")
        async with self.http.post(f"{self.server.url}/v1/audio/transcriptions", data=form) as answer:
            return str((await answer.json())["text"])


@asynccontextmanager
async def home(
    serve: Callable[..., Any], environment: dict[str, str] | None = None, **where: Any
) -> AsyncIterator[Home]:
    ports = where.pop("ports", None) or (_free(socket.SOCK_STREAM), _free(socket.SOCK_DGRAM))
    chosen = {"ENTENDRE_DEVICE_MQTT_PORT": str(ports[0]), "ENTENDRE_DEVICE_MQTT_UDP_PORT": str(ports[1])}
    server = serve(environment=chosen | (environment or {}), **where)
    async with aiohttp.ClientSession() as http:
        yield Home(server, http)


def _free(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def spoken(path: Path) -> tuple[bytes, ...]:
    """A recording as the microphone hears it."""
    return uplink_packets(samples_of(audio_of(path, MICROPHONE)))


async def replied(speaker: XiaozhiSpeaker, count: int) -> Reply:
    """The reply of that number, once it was told to its end."""
    ended = lambda: len(speaker.replies) >= count and speaker.replies[count - 1].stopped_s  # noqa: E731
    assert await speaker.until(ended, ANSWER_S), [each.get("state", each["type"]) for each in speaker.messages]
    return speaker.replies[count - 1]


def alerts(speaker: XiaozhiSpeaker) -> list[dict[str, Any]]:
    return [each for each in speaker.messages if each["type"] == "alert"]


@pytest.mark.speech
async def test_a_conversation_a_timer_that_rings_and_an_announcement(
    serve: Callable[..., Any], speech_data: Path
) -> None:
    async with home(serve) as at_home:
        speaker = XiaozhiSpeaker(MqttLink(await at_home.bound()))
        async with speaker.running():
            await speaker.start()
            await speaker.wake()
            speaker.say(spoken(person(speech_data, "set a timer for 30 seconds")))
            reply = await replied(speaker, 1)
            assert reply.sound(speaker.down_rate_hz).std() > 200, "the reply is speech, not noise or silence"
            heard = words(await at_home.transcript(reply, speaker.down_rate_hz))
            told = words(" ".join(reply.sentences))
            assert "30" in told or "thirty" in told, told
            assert len(set(told) & set(heard)) >= len(set(told)) / 2, f"{heard} was heard of {told}"

            assert await speaker.until(lambda: speaker.listening, 10)
            speaker.say(spoken(person(speech_data, "cancel timer")))
            assert words(" ".join((await replied(speaker, 2)).sentences))

            assert await speaker.until(lambda: speaker.listening, 10)
            await speaker.type_text("set a timer for two seconds")
            ring = await replied(speaker, 4)
            assert ring.packets
            assert await speaker.until(lambda: speaker.listening, 10)
            speaker.say(spoken(recording(speech_data, "stop")))
            assert await speaker.until(lambda: _silenced(speaker), ANSWER_S)
            assert not speaker.discarded
            assert speaker.link.audio is not None
            assert not speaker.link.audio.rejected

            before = len(speaker.replies)
            await at_home.announce("Dinner is ready.")
            assert await speaker.until(lambda: any("Dinner is ready." in e.sentences for e in speaker.replies), 10)
            await replied(speaker, before + 1)

            await speaker.hang_up()
            await at_home.announce("The door is open.")
            assert await speaker.until(lambda: alerts(speaker), 10)
            assert alerts(speaker)[0]["message"] == "The door is open."
            assert alerts(speaker)[0]["status"] == "Box"


def _silenced(speaker: XiaozhiSpeaker) -> bool:
    return any(words(each.get("text", "")) == ["stop"] for each in speaker.messages if each["type"] == "stt")


async def test_a_timer_of_a_sleeping_speaker_is_shown_and_stops_when_it_is_told_to(serve: Callable[..., Any]) -> None:
    async with home(serve, TEXT_ONLY) as at_home:
        speaker = XiaozhiSpeaker(MqttLink(await at_home.bound()))
        async with speaker.running():
            await speaker.start()
            await speaker.press()
            await speaker.type_text("set a timer for one second called pasta")
            assert await speaker.until(lambda: any(each["type"] == "stt" for each in speaker.messages), 10)
            await speaker.hang_up()
            assert await speaker.until(lambda: alerts(speaker), 10)
            assert "pasta" in alerts(speaker)[0]["message"].lower()
            await speaker.press()
            await speaker.type_text("stop")
            assert await speaker.until(lambda: any(each.get("text") == "stop" for each in speaker.messages), 10)
            await speaker.hang_up()
            shown = len(alerts(speaker))
            await asyncio.sleep(5)
            assert len(alerts(speaker)) == shown, "it was stopped, and is not shown any more"


async def test_a_speaker_that_has_just_hung_up_is_reached(serve: Callable[..., Any]) -> None:
    async with home(serve, TEXT_ONLY) as at_home:
        speaker = XiaozhiSpeaker(MqttLink(await at_home.bound()))
        async with speaker.running():
            await speaker.start()
            for count in range(1, 21):
                await speaker.press()
                await speaker.hang_up()
                await at_home.announce(f"Number {count}.")
                assert await speaker.until(lambda: len(alerts(speaker)) >= count, 10)  # noqa: B023
                assert alerts(speaker)[-1]["message"] == f"Number {count}."


async def test_a_server_that_was_killed_is_found_again_with_the_same_login(
    serve: Callable[..., Any], tmp_path: Path
) -> None:
    ports = _free(socket.SOCK_STREAM), _free(socket.SOCK_DGRAM)
    async with home(serve, TEXT_ONLY, ports=ports, data_dir=tmp_path / "data") as at_home:
        offer = await at_home.bound()
        speaker = XiaozhiSpeaker(MqttLink(offer))
        async with speaker.running():
            await speaker.start()
            await speaker.press()
            at_home.server.kill()
            assert await speaker.until(lambda: speaker.state is State.IDLE, 10)
    async with home(serve, TEXT_ONLY, ports=ports, data_dir=tmp_path / "data"):
        again = XiaozhiSpeaker(MqttLink(offer))
        async with again.running():
            await again.start()
            await again.press()
            await again.type_text("what time is it")
            assert await again.until(lambda: any(each["type"] == "stt" for each in again.messages), 10)


async def test_the_server_holds_while_strangers_flood_its_ports(serve: Callable[..., Any]) -> None:
    async with home(serve, TEXT_ONLY) as at_home:
        offer = await at_home.bound()
        speaker = XiaozhiSpeaker(MqttLink(offer))
        async with speaker.running():
            await speaker.start()
            await speaker.press()
            port = int(next(each for each in speaker.messages if each["type"] == "hello")["udp"]["port"])
            await asyncio.to_thread(_flood, port)
            await speaker.type_text("what time is it")
            assert await speaker.until(lambda: any(each["type"] == "stt" for each in speaker.messages), 10)


def _flood(port: int) -> None:
    dice = np.random.default_rng(5)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for _ in range(10_000):
            stranger.sendto(b"\x01" + dice.bytes(120), ("127.0.0.1", port))
