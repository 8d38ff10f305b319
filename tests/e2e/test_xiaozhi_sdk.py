"""The unmodified `xiaozhi-sdk` as a process: bound by its code, then spoken with, rung, silenced and announced to."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from rapidfuzz import fuzz
from talking import PCM_24KHZ, audio_of, person, recording, words

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

pytest.importorskip("opuslib_next", reason="needs the extra xiaozhi")

SDK = "xiaozhi-sdk==0.5.1"
"""The newest on PyPI. It wants PyAV, sounddevice and its own opuslib, so it lives in a folder of its own."""
PROGRAM = Path(__file__).with_name("programs") / "xiaozhi_sdk_device.py"
MAC = "02:11:22:33:44:66"
ANSWER_S = 30.0
LISTENS_AGAIN_S = 0.8
"""It is deaf for 0.5 s after a reply, counted by its own clock."""
QUIET_S = 5.0
"""Longer than the pause between two soundings of a ring."""


@pytest.fixture(scope="session")
def sdk_path(request: pytest.FixtureRequest) -> Path:
    """A folder with the SDK and its dependencies, installed once and kept."""
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("xiaozhi-sdk-0.5.1"))
    if not (folder / "complete").exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", str(folder), SDK]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"{SDK} can't be installed here: {done.stderr[-300:]}")
        (folder / "complete").touch()
    return folder


class Device:
    """The SDK's process, and what it has told so far."""

    def __init__(self, sdk: Path, folder: Path, url: str) -> None:
        folder.mkdir(parents=True)
        self.folder = folder
        self.told: list[dict[str, Any]] = []
        self._changed = threading.Condition()
        self._log = (folder / "device.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, str(PROGRAM), f"{url}/xiaozhi/ota/", MAC, str(folder)],
            env=os.environ | {"PYTHONPATH": str(sdk), "NO_PROXY": "127.0.0.1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        threading.Thread(target=self._read, daemon=True).start()

    def stop(self) -> None:
        """End the process."""
        self.process.kill()
        self.process.wait()
        self._log.close()

    def say(self, audio: bytes) -> None:
        """Somebody speaks into its microphone, after a moment."""
        file = self.folder / f"said-{len(self.told)}.raw"
        file.write_bytes(bytes(PCM_24KHZ.byte_count(LISTENS_AGAIN_S)) + audio)
        self._order(say=str(file))

    def type_text(self, text: str) -> None:
        """Have it send a text as it sends a wake word."""
        self._order(type=text)

    def of(self, kind: str, state: str | None = None) -> list[dict[str, Any]]:
        """What it was told of one kind so far."""
        return [each for each in self.told if each["type"] == kind and each.get("state") == state]

    def wait(self, condition: Callable[[], Any], failure: str, limit_s: float = ANSWER_S) -> Any:
        """What the condition gives once it is true."""
        until_s = time.monotonic() + limit_s
        with self._changed:
            while not (found := condition()):
                left_s = until_s - time.monotonic()
                if left_s <= 0 or self.process.poll() is not None:
                    log = (self.folder / "device.log").read_text(errors="replace")
                    pytest.fail(f"{failure}; it was told {self.told[-12:]}\n{log[-2000:]}")
                self._changed.wait(min(left_s, 0.5))
            return found

    def reply(self, since: int, failure: str) -> tuple[str, Path]:
        """The sentences and the sound of the first reply that began after so many messages, once it was ended."""
        begin, end = self.wait(lambda: self._span(since), failure)
        sentences = [each["text"] for each in self.told[begin:end] if each.get("state") == "sentence_start"]
        return " ".join(sentences), Path(self.told[end]["sound"])

    def answer(self, audio: bytes, failure: str) -> tuple[str, str, Path]:
        """What was heard of it, and the reply to it, when somebody speaks."""
        since = len(self.told)
        self.say(audio)
        heard = self.wait(
            lambda: [at for at, each in enumerate(self.told) if at >= since and each["type"] == "stt"], failure
        )
        said, sound = self.reply(heard[0], failure)
        return str(self.told[heard[0]]["text"]), said, sound

    def _span(self, since: int) -> tuple[int, int] | None:
        """Where a reply begins and ends among the messages."""
        places: list[int] = []
        for at, each in enumerate(self.told[since:], since):
            if each["type"] == "tts" and each["state"] == ("stop" if places else "start"):
                places.append(at)
            if len(places) == 2:
                return places[0], places[1]
        return None

    def _order(self, **order: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(order) + "\n")
        self.process.stdin.flush()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._changed:
                self.told.append(json.loads(line))
                self._changed.notify_all()


class Home:
    """What the owner does by HTTP."""

    def __init__(self, url: str) -> None:
        self.url = url

    def post(self, path: str, body: dict[str, Any]) -> bytes:
        """The answer's body; a refusal fails the test."""
        data, headers = json.dumps(body).encode(), {"Content-Type": "application/json"}
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}{path}", data, headers), timeout=60) as answer:
            return bytes(answer.read())

    def spoken(self, text: str) -> bytes:
        """A text in the server's own voice, PCM16 at 24 kHz."""
        body = {"model": "default", "voice": "default", "input": text, "response_format": "pcm", "language": "en"}
        return self.post("/v1/audio/speech", body)

    def heard(self, wav: Path) -> str:
        """What the recognizer hears in a sound."""
        head = '--b\r\nContent-Disposition: form-data; name="model"\r\n\r\nwhisper-1\r\n'
        file = '--b\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n'
        data = (head + file).encode() + wav.read_bytes() + b"\r\n--b--\r\n"
        headers = {"Content-Type": "multipart/form-data; boundary=b"}
        request = urllib.request.Request(f"{self.url}/v1/audio/transcriptions", data, headers)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return str(json.load(answer)["text"])


@pytest.fixture
def device(sdk_path: Path, tmp_path: Path) -> Iterator[Callable[[str], Device]]:
    made: list[Device] = []

    def make(url: str) -> Device:
        made.append(Device(sdk_path, tmp_path / "device", url))
        return made[-1]

    yield make
    for each in made:
        each.stop()


def _understandable(home: Home, said: str, sound: Path) -> None:
    heard = home.heard(sound)
    assert fuzz.ratio(" ".join(words(said)), " ".join(words(heard))) > 70, (said, heard)


def test_from_the_box_to_an_announcement(
    serve: Callable[..., Any], device: Callable[[str], Device], speech_data: Path
) -> None:
    server = serve()
    home = Home(server.url)
    box = device(server.url)

    # It connects although nobody owns it, says "hi", and is told its code.
    said, _ = box.reply(0, "it was not asked to be bound")
    code = "".join(re.findall(r"\d", said))
    assert len(code) == 6, said
    home.post("/v1/devices", {"code": code, "name": "Box", "room": "kitchen"})

    # It polls, connects again with its first token, and says "hi" again: the first words that are answered.
    box.wait(lambda: box.of("stt"), "it did not come back after it was bound")
    assert box.of("stt")[0]["text"] == "hi"
    box.reply(box.told.index(box.of("stt")[0]), "its first word was not answered")

    # A person asks.
    heard, said, sound = box.answer(audio_of(person(speech_data, "what's the temperature"), PCM_24KHZ), "no answer")
    assert "temperature" in heard.lower()
    assert "degrees" in said
    _understandable(home, said, sound)

    # Its own tool is used.
    box.answer(audio_of(recording(speech_data, "set the volume to fifty percent"), PCM_24KHZ), "no volume")
    assert box.wait(lambda: box.of("tool"), "its tool was not called")[0]["arguments"] == {"volume": 50}

    # A question is answered without a wake word.
    heard, said, _ = box.answer(home.spoken("Set a timer."), "the question was not asked")
    assert said.endswith("?"), (heard, said)
    heard, _, _ = box.answer(home.spoken("Six seconds."), "the answer was not answered")
    assert "6" in heard or "six" in heard.lower()

    # It rings until it is stopped.
    box.reply(len(box.told), "the timer did not ring")
    heard, said, _ = box.answer(audio_of(recording(speech_data, "stop"), PCM_24KHZ), "it was not heard while it rang")
    assert (words(heard), said) == (["stop"], "")
    told = len(box.told)
    time.sleep(QUIET_S)
    assert not [each for each in box.told[told:] if each["type"] == "tts"], ("it rings on", box.told[-14:])

    # It is told something.
    since = len(box.told)
    home.post("/v1/announcements", {"text": "Dinner is ready."})
    said, sound = box.reply(since, "it was not announced")
    assert said == "Dinner is ready."
    _understandable(home, said, sound)

    # What was typed is answered as what was said, and each reply ended once.
    since = len(box.told)
    box.type_text("what time is it")
    box.reply(since, "typed text was not answered")
    assert len(box.of("tts", "start")) == len(box.of("tts", "stop"))
    assert "error" not in (box.folder / "device.log").read_text()
    assert server.stop() == 0
