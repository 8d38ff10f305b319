"""A device made of aioesphomeapi's own messages holds spoken conversations with `entendre serve`.

The unmodified linux-voice-assistant does the same in test_esphome_lva.py, where it is installed.
"""

from __future__ import annotations

import asyncio
import base64
import io
import json
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from aioesphomeapi import VoiceAssistantFeature as Feature
from aioesphomeapi import api_pb2 as pb
from device_box import VOICE, Box
from rapidfuzz import fuzz

soundfile = pytest.importorskip("soundfile")
soxr = pytest.importorskip("soxr")

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

RATE_HZ = 16_000
PIECE_S = 0.032
ANSWER_S = 25.0
AHEAD_S = 0.4
"""A bare speaker's board holds 0.512 s; ours are at most 0.36 s ahead, and the clocks differ a little."""
KEY = base64.b64encode(bytes(range(32))).decode()


class Talk:
    """A device in a room with people, and the API of the server that it is connected to."""

    def __init__(self, box: Box, port: int) -> None:
        self.box = box
        self._base = f"http://127.0.0.1:{port}"

    async def say(self, audio: np.ndarray, *, word: str = "Okay Nabu") -> None:
        """Wake it and speak at the speed of speech, until it is told that it heard all."""
        ends = self.box.events().count("STT_VAD_END") + self.box.events().count("ERROR")
        starts = self.box.events().count("STT_START")
        self.box.wake(word)
        await self.until(lambda: self.box.events().count("STT_START") > starts, "it does not listen")
        await self.stream(audio, ends)

    async def stream(self, audio: np.ndarray, ends: int = 0) -> None:
        """Speak at the speed of speech and be silent, until it was told once more than `ends` that it heard all."""
        audio = np.concatenate([audio, np.zeros(4 * RATE_HZ, dtype="<i2")])
        step = int(PIECE_S * RATE_HZ)
        for start in range(0, len(audio), step):
            if self.box.events().count("STT_VAD_END") + self.box.events().count("ERROR") > ends:
                return
            self.box.send(pb.VoiceAssistantAudio(data=audio[start : start + step].tobytes()))
            await asyncio.sleep(PIECE_S)

    async def until(self, condition: Callable[[], object], failure: str, limit_s: float = ANSWER_S) -> None:
        try:
            async with asyncio.timeout(limit_s):
                while not condition():  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
        except TimeoutError:
            pytest.fail(f"{failure} after {self.box.events()}")

    async def answer(self, number: int) -> tuple[str, str]:
        """The text of the answer of a turn (from 1), and what its sound says; the device reports it as played."""
        await self.until(lambda: len(self.box.data("TTS_END")) >= number, f"no answer {number}")
        heard = await self.hears(await self.fetch(self.box.data("TTS_END")[number - 1]["url"]))
        self.box.send(pb.VoiceAssistantAnnounceFinished())
        return self.box.data("TTS_START")[number - 1]["text"], heard

    async def fetch(self, url: str) -> bytes:
        """What is behind a URL."""
        return await asyncio.to_thread(lambda: urllib.request.urlopen(url, timeout=30).read())

    async def hears(self, file: bytes) -> str:
        """What our recognizer understands of a sound file."""
        parts = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a"\r\n\r\n' + file
        parts += b'\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--x--\r\n'
        answer = await self._post("/v1/audio/transcriptions", parts, "multipart/form-data; boundary=x")
        return str(json.loads(answer)["text"])

    async def spoken(self, text: str) -> np.ndarray:
        """A text in our own voice. Shape: (n,) int16 at 16 kHz."""
        body = json.dumps({"input": text, "model": "x", "voice": "x", "response_format": "flac"}).encode()
        return _samples(io.BytesIO(await self._post("/v1/audio/speech", body, "application/json")))

    async def ask(self, text: str) -> str:
        """Do what a typed sentence says; the answer."""
        body = json.dumps({"text": text, "act": True}).encode()
        answer: dict[str, Any] = json.loads(await self._post("/v1/ask", body, "application/json"))
        return str(answer["plan"]["reply"])

    async def announce(self, text: str) -> None:
        """Have a text announced in the kitchen."""
        body = json.dumps({"text": text, "room": "kitchen"}).encode()
        await self._post("/v1/announcements", body, "application/json")

    async def _post(self, path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(self._base + path, body, {"Content-Type": kind})
        return await asyncio.to_thread(lambda: urllib.request.urlopen(request, timeout=30).read())


def _samples(file: Any) -> np.ndarray:
    audio, rate = soundfile.read(file, dtype="int16")
    return np.asarray(soxr.resample(audio, rate, RATE_HZ), dtype="<i2")


def _recording(folder: Path, text: str) -> np.ndarray:
    rows = map(json.loads, (folder / "commands/manifest.jsonl").read_text().splitlines())
    return _samples(folder / "commands" / next(row["path"] for row in rows if row["text"] == text))


def _words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")


def _alike(said: str, heard: str) -> bool:
    return fuzz.partial_ratio(_words(said), _words(heard)) > 75


async def test_a_conversation_from_the_wake_word_to_an_announcement(
    serve: Callable[..., Any], speech_data: Path
) -> None:
    box = Box(key=KEY, name="kitchen")
    async with box.switched_on():
        settings = {
            "ENTENDRE_ESPHOME_DEVICES": f"kitchen@kitchen=127.0.0.1:{box.port}",
            "ENTENDRE_ESPHOME_NOISE_KEYS": f"kitchen={KEY}",
            "ENTENDRE_ESPHOME_WAKE_WORDS": "hey mycroft",
        }
        server = await asyncio.to_thread(lambda: serve(environment=settings))
        talk = Talk(box, server.port)
        await talk.until(lambda: box.subscribed, "it is not served")
        await talk.until(lambda: box.active == ["hey_mycroft"], "its wake word was not changed")
        offered = [each for m in box.all(pb.VoiceAssistantConfigurationRequest) for each in m.external_wake_words]
        mycroft = next(each for each in offered if each.id == "hey_mycroft")
        assert len(await talk.fetch(mycroft.url.replace(".json", ".tflite"))) == mycroft.model_size

        await talk.say(_recording(speech_data, "turn on the kitchen lights"))
        said, heard = await talk.answer(1)
        assert "kitchen light" in box.data("STT_END")[0]["text"].lower()
        assert _alike(said, heard), (said, heard)

        await talk.say(await talk.spoken("Set a timer."))
        await talk.answer(2)
        assert box.data("INTENT_END")[1]["continue_conversation"] == "1"
        await talk.say(await talk.spoken("Eight seconds."), word="")
        await talk.answer(3)
        await talk.until(lambda: box.all(pb.VoiceAssistantTimerEventResponse), "it shows no timer")

        finished = pb.VOICE_ASSISTANT_TIMER_FINISHED
        timers = box.all(pb.VoiceAssistantTimerEventResponse)
        await talk.until(
            lambda: any(each.event_type == finished for each in box.all(type(timers[0]))), "the timer did not ring"
        )
        await asyncio.sleep(4.0)
        assert not box.all(pb.VoiceAssistantAnnounceRequest), "ours is spoken over its own ring"
        await talk.say(await talk.spoken("Stop."))
        await talk.until(lambda: len(box.data("STT_END")) >= 4, "the word was not heard")
        await asyncio.sleep(0.5)
        assert "timer" not in (await talk.ask("What is ringing?")).lower()

        await talk.announce("Dinner is ready.")
        await talk.until(lambda: box.all(pb.VoiceAssistantAnnounceRequest), "nothing was announced")
        (announced,) = box.all(pb.VoiceAssistantAnnounceRequest)
        assert "dinner is ready" in _words(await talk.hears(await talk.fetch(announced.media_id)))
        box.send(pb.VoiceAssistantAnnounceFinished(success=False))
        assert await asyncio.to_thread(server.stop) == 0


async def test_a_timer_rings_on_a_device_that_does_not_ring_itself_until_it_is_stopped_without_a_wake_word(
    serve: Callable[..., Any],
) -> None:
    announce = pb.VoiceAssistantAnnounceRequest
    features = int(VOICE) | 16 | 32
    box = Box(features=features, project="somebody.speaker")
    async with box.switched_on():
        settings = {"ENTENDRE_ESPHOME_DEVICES": f"hall@hallway=127.0.0.1:{box.port}"}
        server = await asyncio.to_thread(lambda: serve(environment=settings))
        talk = Talk(box, server.port)
        await talk.until(lambda: box.subscribed, "it is not served")
        await talk.say(await talk.spoken("Set a pasta timer for five seconds."))
        await talk.answer(1)
        await talk.until(lambda: box.all(announce), "it does not ring")
        rung = box.all(announce)[0]
        assert rung.start_conversation
        heard = await talk.hears(await talk.fetch(rung.media_id))
        assert "timer" in heard.lower(), heard
        box.send(pb.VoiceAssistantAnnounceFinished())
        await talk.say(await talk.spoken("Stop."), word="")
        await talk.until(lambda: len(box.data("STT_END")) >= 2, "the word was not heard")
        await asyncio.sleep(1.0)
        rings = len(box.all(announce))
        await asyncio.sleep(6.0)
        assert len(box.all(announce)) == rings, "it rings on"
        assert await asyncio.to_thread(server.stop) == 0


async def test_a_bare_board_streams_for_our_wake_word_and_is_pushed_the_answer_in_time(
    serve: Callable[..., Any], speech_data: Path
) -> None:
    arrived: list[tuple[float, int]] = []

    def note(message: Any) -> tuple[Any, ...]:
        if isinstance(message, pb.VoiceAssistantAudio):
            arrived.append((time.monotonic(), len(message.data)))
        return ()

    box = Box(features=int(VOICE | Feature.SPEAKER), player=False, hears=note)
    async with box.switched_on():
        settings = {
            "ENTENDRE_ESPHOME_DEVICES": f"board@kitchen=127.0.0.1:{box.port}",
            "ENTENDRE_SPEECH_WAKE_WORDS": "okay nabu",
        }
        server = await asyncio.to_thread(lambda: serve(environment=settings))
        talk = Talk(box, server.port)
        await talk.until(lambda: box.subscribed, "it is not served")
        box.wake("", flags=pb.VOICE_ASSISTANT_REQUEST_USE_WAKE_WORD)
        await talk.until(lambda: "WAKE_WORD_START" in box.events(), "it is not listened to")
        await talk.stream(_recording(speech_data, "Okay Nabu. turn on the kitchen lights"))
        await talk.until(lambda: "TTS_STREAM_END" in box.events(), "it was not answered")
        assert [each for each in box.events() if "WAKE" in each] == ["WAKE_WORD_START", "WAKE_WORD_END"]
        audio = b"".join(each.data for each in box.all(pb.VoiceAssistantAudio))
        file = io.BytesIO()
        soundfile.write(file, np.frombuffer(audio, dtype="<i2"), RATE_HZ, format="WAV")
        said, heard = box.data("TTS_START")[0]["text"], await talk.hears(file.getvalue())
        assert _alike(said, heard), (said, heard)
        sent_s, ahead_s = 0.0, []
        for at_s, size in arrived:
            sent_s += size / 2 / RATE_HZ
            ahead_s.append(sent_s - (at_s - arrived[0][0]))
        assert max(ahead_s) <= AHEAD_S
        assert max(size for _, size in arrived) <= 1024
        assert await asyncio.to_thread(server.stop) == 0
