"""The unmodified `wyoming-satellite` as a process holds spoken conversations with `entendre serve`."""

from __future__ import annotations

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import wave
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rapidfuzz import fuzz
from wyoming.asr import Transcribe, Transcript
from wyoming.audio import AudioChunk, AudioStart, AudioStop
from wyoming.client import AsyncTcpClient
from wyoming.tts import Synthesize

pytestmark = [pytest.mark.e2e, pytest.mark.speech]

BOX = Path(__file__).with_name("wyoming_box")
SATELLITE = "wyoming-satellite==1.0.0"
"""The newest on PyPI. It pins its own wyoming 1.4.1 and zeroconf, so it lives in a folder of its own."""
SPEAKER_RATE_HZ = 22_050
ANSWER_S = 20.0


@pytest.fixture(scope="session")
def satellite_path(request: pytest.FixtureRequest) -> Path:
    """A folder with the satellite and its dependencies, installed once and kept."""
    assert request.config.cache is not None
    folder = Path(request.config.cache.mkdir("wyoming-satellite-1.0.0"))
    if not (folder / "complete").exists():
        command = [sys.executable, "-m", "pip", "install", "-q", "--upgrade", "--target", str(folder), SATELLITE]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            pytest.skip(f"{SATELLITE} can't be installed here: {done.stderr[-300:]}")
        (folder / "complete").touch()
    return folder


class Box:
    """One satellite process: a microphone that plays recordings, a speaker that keeps what it is sent."""

    def __init__(self, path: Path, folder: Path, port: int, name: str, *options: str) -> None:
        self.port = port
        self.folder = folder
        self._recording = folder / "recording.raw"
        self._trigger = folder / "trigger"
        self._notes = folder / "notes.jsonl"
        self._log = folder / "satellite.log"
        (folder / "speaker").mkdir(parents=True)
        self._recording.write_bytes(b"")
        self._environment = os.environ | {"PYTHONPATH": str(path)}
        self._command = [
            *(sys.executable, "-m", "wyoming_satellite", "--no-zeroconf", "--name", name, "--area", "kitchen"),
            *("--uri", f"tcp://127.0.0.1:{port}", "--debug"),
            *("--mic-command", _script("microphone.py", self._recording, self._trigger)),
            *("--snd-command", _script("speaker.py", folder / "speaker", SPEAKER_RATE_HZ)),
            *("--detection-command", _script("note.py", self._notes, "detection")),
            *("--transcript-command", _script("note.py", self._notes, "transcript")),
            *("--synthesize-command", _script("note.py", self._notes, "synthesize")),
            *("--error-command", _script("note.py", self._notes, "error")),
            *options,
        ]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def start(self) -> None:
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                self._command, env=self._environment, stdout=log, stderr=log, start_new_session=True
            )
        _wait(lambda: "Connected to mic service" in self.log, "the satellite did not start", self)

    def stop(self) -> None:
        """End the satellite and the programs that it runs."""
        if self.process is not None and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def say(self, *pieces: Path | np.ndarray) -> None:
        """Somebody speaks into its microphone."""
        audio = [piece if isinstance(piece, np.ndarray) else _pcm_16_khz(piece) for piece in pieces]
        self._recording.write_bytes(np.concatenate(audio).tobytes())
        self._trigger.touch()

    def noted(self, kind: str) -> list[str]:
        """What it was told so far."""
        if not self._notes.exists():
            return []
        notes = [json.loads(line) for line in self._notes.read_text().splitlines()]
        return [text for name, text in notes if name == kind]

    def replies(self) -> list[Path]:
        """The replies that its speaker has played to their end."""
        return sorted((self.folder / "speaker").glob("*.wav"))


def _script(name: str, *arguments: object) -> str:
    return shlex.join([sys.executable, str(BOX / name), *map(str, arguments)])


def _pcm_16_khz(recording: Path) -> np.ndarray:
    soundfile = pytest.importorskip("soundfile")
    soxr = pytest.importorskip("soxr")
    audio, rate = soundfile.read(recording, dtype="int16")
    return np.asarray(soxr.resample(audio, rate, 16_000), dtype="<i2")


def _wait(condition: Callable[[], object], failure: str, box: Box, timeout_s: float = ANSWER_S) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            chat = [line for line in box.log.splitlines() if "audio-chunk" not in line]
            pytest.fail(f"{failure}; the satellite's log ends with\n" + "\n".join(chat[-25:]))
        time.sleep(0.05)


async def _recognised(port: int, wav: Path) -> str:
    """What our own recognizer hears in a reply, asked over Wyoming."""
    with wave.open(str(wav)) as file:
        audio, rate = file.readframes(file.getnframes()), file.getframerate()
    async with AsyncTcpClient("127.0.0.1", port) as client:
        events: list[Any] = [Transcribe(language="en"), AudioStart(rate, 2, 1)]
        events += [AudioChunk(rate, 2, 1, audio[start : start + 8192]) for start in range(0, len(audio), 8192)]
        for event in [*events, AudioStop()]:
            await client.write_event(event.event())
        answer = await client.read_event()
        assert answer is not None
        return Transcript.from_event(answer).text


async def _spoken(port: int, text: str) -> np.ndarray:
    """A text in our own voice, asked over Wyoming. Shape: (n,) int16 at 16 kHz."""
    soxr = pytest.importorskip("soxr")
    audio, rate = b"", 0
    async with AsyncTcpClient("127.0.0.1", port) as client:
        await client.write_event(Synthesize(text).event())
        while (event := await client.read_event()) is not None and not AudioStop.is_type(event.type):
            if AudioChunk.is_type(event.type):
                chunk = AudioChunk.from_event(event)
                audio, rate = audio + chunk.audio, chunk.rate
    return np.asarray(soxr.resample(np.frombuffer(audio, dtype="<i2"), rate, 16_000), dtype="<i2")


def _words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")


@pytest.fixture
def boxes(satellite_path: Path, tmp_path: Path) -> Iterator[Callable[..., Box]]:
    made: list[Box] = []

    def make(port: int, name: str, *options: str) -> Box:
        box = Box(satellite_path, tmp_path / name, port, name, *options)
        made.append(box)
        return box

    yield make
    for box in made:
        box.stop()


@pytest.fixture
def ports() -> tuple[int, int, int]:
    import socket

    sockets = [socket.socket() for _ in range(3)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return tuple(each.getsockname()[1] for each in sockets)  # type: ignore[return-value]
    finally:
        for each in sockets:
            each.close()


def _silence(seconds: float) -> np.ndarray:
    """Nothing, counted by the microphone's own clock, which a busy machine slows down with everything else."""
    return np.zeros(int(seconds * 16_000), dtype="<i2")


def _wait_until_it_listens_for_its_wake_word(box: Box) -> None:
    for line in ("Waiting for wake word", "Connected to wake service"):
        _wait(lambda line=line: line in box.log, f"no {line!r}", box)  # type: ignore[misc]


def _environment(satellite_port: int, service_port: int, name: str = "hall") -> dict[str, str]:
    return {
        "ENTENDRE_WYOMING_SATELLITES": f"{name}@kitchen=127.0.0.1:{satellite_port}",
        "ENTENDRE_WYOMING_SERVICE_PORT": str(service_port),
        "ENTENDRE_SPEECH_WAKE_WORDS": "okay nabu",
        "ENTENDRE_SERVER_LOG_LEVEL": "debug",
    }


def _hear_reply(box: Box, service_port: int, number: int) -> tuple[str, str]:
    """The text of the reply that the satellite was told, and what its speaker's sound says."""
    _wait(lambda: len(box.replies()) >= number, f"reply {number} was not played", box)
    return box.noted("synthesize")[number - 1], asyncio.run(_recognised(service_port, box.replies()[number - 1]))


def test_a_satellite_that_always_streams_is_woken_by_our_wake_word(
    serve: Callable[..., Any], boxes: Callable[..., Box], ports: tuple[int, int, int], speech_data: Path
) -> None:
    box = boxes(ports[0], "hall")
    box.start()
    server = serve(environment=_environment(ports[0], ports[1]))
    _wait(lambda: "run-pipeline" in box.log or "Streaming audio" in box.log, "it was not run", box)
    box.say(speech_data / "commands/en/rhvoice_slt_wake_okay_nabu_01.flac")
    said, heard = _hear_reply(box, ports[1], 1)
    assert len(box.noted("detection")) == 1
    assert "kitchen light" in box.noted("transcript")[0].lower()
    assert fuzz.ratio(_words(said), _words(heard)) > 75, (said, heard)
    box.say(speech_data / "commands/en/rhvoice_slt_wake_okay_nabu_01.flac")
    _hear_reply(box, ports[1], 2)
    assert not box.noted("error")
    assert server.stop() == 0


def test_a_satellite_with_its_own_wake_word_holds_a_conversation_and_survives_a_restart(
    serve: Callable[..., Any], boxes: Callable[..., Box], ports: tuple[int, int, int], speech_data: Path
) -> None:
    wake = ("--wake-uri", f"tcp://127.0.0.1:{ports[1]}", "--wake-word-name", "ok_nabu")
    server = serve(environment=_environment(ports[0], ports[1]))
    for number in (1, 2):
        box = boxes(ports[0], f"hall-{number}", *wake)
        box.start()
        _wait_until_it_listens_for_its_wake_word(box)
        box.say(_silence(1.0), speech_data / "commands/en/rhvoice_slt_wake_okay_nabu_01.flac")
        said, heard = _hear_reply(box, ports[1], 1)
        assert "kitchen light" in box.noted("transcript")[0].lower()
        assert fuzz.ratio(_words(said), _words(heard)) > 75, (said, heard)
        box.stop()
    assert server.stop() == 0


def test_a_question_is_answered_without_a_wake_word_and_the_timer_rings_until_it_is_stopped(
    serve: Callable[..., Any], boxes: Callable[..., Box], ports: tuple[int, int, int], speech_data: Path
) -> None:
    server = serve(environment=_environment(ports[0], ports[1]))
    box = boxes(ports[0], "hall", "--wake-uri", f"tcp://127.0.0.1:{ports[1]}", "--wake-word-name", "ok_nabu")
    box.start()
    okay_nabu = _pcm_16_khz(speech_data / "commands/en/rhvoice_slt_wake_okay_nabu_00.flac")
    _wait_until_it_listens_for_its_wake_word(box)
    box.say(_silence(1.0), okay_nabu, _silence(0.2), asyncio.run(_spoken(ports[1], "Set a timer.")))
    _wait(box.replies, "the question was not asked", box)
    assert box.noted("transcript") == []
    # It does not cancel echo, so the server is deaf for the tail of its own question.
    box.say(_silence(0.8), asyncio.run(_spoken(ports[1], "Six seconds.")))
    _wait(lambda: len(box.replies()) >= 2, "the answer was not heard", box)
    assert "6" in box.noted("transcript")[0] or "six" in box.noted("transcript")[0].lower()
    _wait(lambda: len(box.noted("synthesize")) >= 3, "the timer did not ring", box)
    box.say(okay_nabu, _silence(0.2), asyncio.run(_spoken(ports[1], "Stop.")))
    _wait(lambda: len(box.noted("transcript")) >= 2, "it was not interrupted", box)
    time.sleep(2.0)
    rung = len(box.noted("synthesize"))
    time.sleep(6.0)
    assert len(box.noted("synthesize")) == rung, "it rings on"
    assert not box.noted("error")
    assert server.stop() == 0


def test_a_second_server_reports_that_the_satellite_is_taken(
    serve: Callable[..., Any], boxes: Callable[..., Box], ports: tuple[int, int, int], tmp_path: Path
) -> None:
    box = boxes(ports[0], "hall")
    box.start()
    first = serve(environment=_environment(ports[0], ports[1]))
    _wait(lambda: "satellite serving" in first.log, f"it was not served: {first.log[-2000:]}", box)
    second = serve(environment=_environment(ports[0], ports[2]), data_dir=tmp_path / "other")
    _wait(lambda: "satellite busy" in second.log, f"it was not reported: {second.log[-2000:]}", box)
    assert "satellite lost" not in first.log
