"""The unmodified linux-voice-assistant holds spoken conversations with `entendre serve`, over PulseAudio's null sinks.

It is not on PyPI: ENTENDRE_LVA names a checkout of github.com/OHF-Voice/linux-voice-assistant in which its own
`script/setup` was run. PulseAudio and libmpv come from the system (`apt install pulseaudio pulseaudio-utils libmpv2`).
"""

from __future__ import annotations

import io
import json
import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rapidfuzz import fuzz

pytestmark = [pytest.mark.e2e, pytest.mark.speech, pytest.mark.slow]

RATE_HZ = 16_000
ANSWER_S = 25.0
LOUD = 500
GAP_S = 1.5
"""Longest pause between a command and the answer; 0.5 s on two idle cores, of which the player takes 0.1 s."""
PULSE = """\
load-module module-native-protocol-unix
load-module module-null-sink sink_name=speaker
load-module module-null-sink sink_name=microphone
load-module module-remap-source source_name=ears master=microphone.monitor
set-default-sink speaker
set-default-source ears
"""


@pytest.fixture(scope="session")
def lva() -> Path:
    """A checkout of linux-voice-assistant with its environment."""
    folder = Path(os.environ.get("ENTENDRE_LVA", ""))
    needed = (folder / ".venv" / "bin" / "python", folder / "linux_voice_assistant")
    if not all(each.exists() for each in needed):
        pytest.skip("no linux-voice-assistant: set ENTENDRE_LVA to a checkout in which its script/setup was run")
    for program in ("pulseaudio", "paplay", "parec", "pactl"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program}: install pulseaudio and pulseaudio-utils")
    return folder


@pytest.fixture
def pulse(tmp_path: Path, lva: Path) -> Iterator[dict[str, str]]:
    """A sound server of our own; the environment in which programs find it."""
    folder = tmp_path / "pulse"
    folder.mkdir(mode=0o700)
    (folder / "default.pa").write_text(PULSE)
    environment = os.environ | {"XDG_RUNTIME_DIR": str(folder), "HOME": str(folder)}
    options = ("-n", "-F", str(folder / "default.pa"), "--exit-idle-time=-1", "--disable-shm=yes", "--use-pid-file=no")
    with (folder / "pulse.log").open("wb") as log:
        server = subprocess.Popen(["pulseaudio", *options], env=environment, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 10
        while subprocess.run(["pactl", "info"], env=environment, capture_output=True, check=False).returncode:
            if time.monotonic() > deadline:
                pytest.skip(f"pulseaudio does not start here: {(folder / 'pulse.log').read_text()[-300:]}")
            time.sleep(0.1)
        yield environment
    finally:
        server.terminate()
        server.wait(10)


class Speaker:
    """linux-voice-assistant as a process, what it is told, and the sound that it makes."""

    def __init__(self, lva: Path, pulse: dict[str, str], folder: Path, program: Path | None = None) -> None:
        """`program`: a changed copy of its folder, without its environment."""
        self._pulse = pulse
        self._folder = folder
        self._sound = folder / "speaker.raw"
        self._voice = folder / "microphone.raw"
        self._log = folder / "lva.log"
        self.port = _free_port()
        command = [str(lva / ".venv" / "bin" / "python"), "-m", "linux_voice_assistant", "--debug"]
        command += ["--name", "kitchen", "--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--audio-input-device", "ears", "--peripheral-host", "127.0.0.1"]
        command += ["--peripheral-port", str(_free_port())]
        command += ["--preferences-file", str(folder / "preferences.json"), "--download-dir", str(folder / "local")]
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                command, env=pulse, cwd=program or lva, stdout=log, stderr=log, start_new_session=True
            )
            self._recorders = [
                self._record("speaker.monitor", self._sound),
                self._record("microphone.monitor", self._voice),
            ]
        self.wait(lambda: "Server started" in self.log, "linux-voice-assistant did not start", 60.0)

    def close(self) -> None:
        """End it and the recording."""
        os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)
        for recorder in self._recorders:
            recorder.terminate()
            recorder.wait(10)

    def _record(self, source: str, file: Path) -> subprocess.Popen[bytes]:
        options = ("--format=s16le", f"--rate={RATE_HZ}", "--channels=1", "--latency-msec=20")
        with file.open("wb") as sound:
            return subprocess.Popen(
                ["parec", "-d", source, *options], env=self._pulse, stdout=sound, stderr=subprocess.DEVNULL
            )

    def gap_s(self) -> float:
        """From the last sound that was said to it to the next sound that it made; both end now."""
        sounds = [
            np.frombuffer(file.read_bytes()[: file.stat().st_size & ~1], "<i2") for file in (self._voice, self._sound)
        ]
        size = min(map(len, sounds))
        said, made = (np.flatnonzero(np.abs(each[-size:].astype(int)) > LOUD) for each in sounds)
        return float((made[made > said[-1] + RATE_HZ // 20][0] - said[-1]) / RATE_HZ)

    @property
    def log(self) -> str:
        return self._log.read_text(errors="replace")

    def say(self, *pieces: np.ndarray) -> None:
        """Somebody speaks into its microphone; returns when all was said."""
        soundfile = pytest.importorskip("soundfile")
        file = self._folder / "said.wav"
        soundfile.write(file, np.concatenate([*pieces, _silence(0.2)]), RATE_HZ)
        subprocess.run(["paplay", "--device=microphone", str(file)], env=self._pulse, check=True, timeout=60)

    def told(self, event: str) -> list[dict[str, str]]:
        """The data of every event of this kind that it was told."""
        marker = f"Voice event: type=VOICE_ASSISTANT_{event}, data="
        lines = [line.partition(marker)[2] for line in self.log.splitlines() if marker in line]
        return [
            json.loads(line.replace("'", '"').replace('"s ', "'s ")) if event != "TTS_START" else {"text": line}
            for line in lines
        ]

    def now(self) -> int:
        """Where its sound is, for `heard_since`."""
        return self._sound.stat().st_size & ~1

    def sound_since(self, mark: int) -> np.ndarray:
        return np.frombuffer(self._sound.read_bytes()[mark:][: (self.now() - mark) & ~1], dtype="<i2")

    def wait(self, condition: Callable[[], object], failure: str, limit_s: float = ANSWER_S) -> None:
        deadline = time.monotonic() + limit_s
        while not condition():
            if time.monotonic() > deadline:
                log = [line for line in self.log.splitlines() if "Player" not in line and "entity" not in line.lower()]
                pytest.fail(f"{failure}; its log ends with\n" + "\n".join(log[-30:]))
            time.sleep(0.05)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _silence(seconds: float) -> np.ndarray:
    return np.zeros(int(seconds * RATE_HZ), dtype="<i2")


def _file(path: Path) -> np.ndarray:
    soundfile, soxr = pytest.importorskip("soundfile"), pytest.importorskip("soxr")
    audio, rate = soundfile.read(path, dtype="int16")
    return np.asarray(soxr.resample(audio, rate, RATE_HZ), dtype="<i2")


class Service:
    """What the server's API says and hears."""

    def __init__(self, port: int) -> None:
        self._base = f"http://127.0.0.1:{port}"

    def _post(self, path: str, body: bytes, kind: str) -> bytes:
        request = urllib.request.Request(self._base + path, body, {"Content-Type": kind})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return bytes(answer.read())

    def spoken(self, text: str) -> np.ndarray:
        """A text in our own voice."""
        soundfile, soxr = pytest.importorskip("soundfile"), pytest.importorskip("soxr")
        body = json.dumps({"input": text, "model": "x", "voice": "x", "response_format": "flac"}).encode()
        audio, rate = soundfile.read(
            io.BytesIO(self._post("/v1/audio/speech", body, "application/json")), dtype="int16"
        )
        return np.asarray(soxr.resample(audio, rate, RATE_HZ), dtype="<i2")

    def hears(self, audio: np.ndarray) -> str:
        """What our recognizer understands."""
        soundfile = pytest.importorskip("soundfile")
        file = io.BytesIO()
        soundfile.write(file, audio, RATE_HZ, format="WAV")
        parts = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.wav"\r\n\r\n' + file.getvalue()
        parts += b'\r\n--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nx\r\n--x--\r\n'
        answer = self._post("/v1/audio/transcriptions", parts, "multipart/form-data; boundary=x")
        return str(json.loads(answer)["text"])

    def ask(self, text: str) -> dict[str, Any]:
        """Do what a typed sentence says."""
        body = json.dumps({"text": text, "act": True}).encode()
        answer: dict[str, Any] = json.loads(self._post("/v1/ask", body, "application/json"))
        return answer

    def announce(self, text: str) -> None:
        """Have a text announced everywhere."""
        self._post("/v1/announcements", json.dumps({"text": text}).encode(), "application/json")


@pytest.fixture
def speaker(lva: Path, pulse: dict[str, str], tmp_path: Path) -> Iterator[Speaker]:
    started = Speaker(lva, pulse, tmp_path)
    yield started
    started.close()


def _words(text: str) -> str:
    return "".join(letter for letter in text.lower() if letter.isalnum() or letter == " ")


def test_it_is_woken_answers_asks_back_rings_is_stopped_and_announces(
    serve: Callable[..., Any], speaker: Speaker, speech_data: Path
) -> None:
    settings = {"ENTENDRE_ESPHOME_DEVICES": f"kitchen@kitchen=127.0.0.1:{speaker.port}"}
    server = serve(environment=settings)
    service = Service(server.port)
    speaker.wait(lambda: "ESPHome device serving" in server.log, "it is not served", 60.0)
    okay_nabu = _file(speech_data / "commands/en/rhvoice_slt_wake_okay_nabu_00.flac")
    lights = next(
        row["path"]
        for row in map(json.loads, (speech_data / "commands/manifest.jsonl").read_text().splitlines())
        if row["text"] == "turn on the kitchen lights"
    )

    mark = speaker.now()
    speaker.say(_silence(0.5), okay_nabu, _silence(1.2), _file(speech_data / "commands" / lights), _silence(1.0))
    speaker.wait(lambda: speaker.told("STT_END"), "the command was not heard")
    assert "kitchen light" in speaker.told("STT_END")[0]["text"].lower()
    speaker.wait(lambda: speaker.log.count("TTS response finished") >= 1, "the answer was not played")
    assert speaker.gap_s() < GAP_S
    said = speaker.told("TTS_START")[0]["text"]
    heard = service.hears(speaker.sound_since(mark))
    assert fuzz.partial_ratio(_words(heard), _words(said)) > 75, (said, heard)

    speaker.say(okay_nabu, _silence(1.2), service.spoken("Set a timer."), _silence(0.5))
    speaker.wait(lambda: len(speaker.told("INTENT_END")) >= 2, "the question was not asked")
    assert speaker.told("INTENT_END")[1]["continue_conversation"] == "1"
    speaker.wait(lambda: "Continued conversation started" in speaker.log, "it does not listen for the answer")
    speaker.say(_silence(0.3), service.spoken("Eight seconds."), _silence(0.5))
    speaker.wait(lambda: len(speaker.told("STT_END")) >= 3, "the answer was not heard")
    speaker.wait(lambda: "type=VOICE_ASSISTANT_TIMER_STARTED" in speaker.log, "it shows no timer")

    speaker.wait(lambda: "VOICE_ASSISTANT_TIMER_FINISHED" in speaker.log, "the timer did not ring")
    time.sleep(2.0)
    announced = speaker.log.count("satellite:Announcing")
    mark = speaker.now()
    time.sleep(4.0)
    assert np.abs(speaker.sound_since(mark)).max() > 500, "it is silent"
    assert speaker.log.count("satellite:Announcing") == announced == 0, "ours is spoken over its own ring"
    speaker.say(okay_nabu, _silence(1.2), service.spoken("Stop."), _silence(0.5))
    speaker.wait(lambda: len(speaker.told("RUN_END")) >= 4, "the word was not answered")
    time.sleep(2.0)
    mark = speaker.now()
    time.sleep(5.0)
    assert np.abs(speaker.sound_since(mark)).max() < 500, "it rings on"
    assert "it rings" not in str(service.ask("How long is left on my timer?")).lower()

    mark = speaker.now()
    service.ask("Tell everyone that dinner is ready.")
    speaker.wait(lambda: "satellite:Announcing" in speaker.log, "nothing was announced")
    speaker.wait(lambda: "Playlist finished" in speaker.log.rpartition("satellite:Announcing")[2], "it was not played")
    time.sleep(1.0)
    assert "dinner is ready" in _words(service.hears(speaker.sound_since(mark)))
    assert "was not" not in server.log, server.log[-2000:]
    assert server.stop() == 0


def test_its_own_stop_word_ends_what_is_said(serve: Callable[..., Any], speaker: Speaker, speech_data: Path) -> None:
    settings = {"ENTENDRE_ESPHOME_DEVICES": f"kitchen@kitchen=127.0.0.1:{speaker.port}"}
    server = serve(environment=settings)
    service = Service(server.port)
    speaker.wait(lambda: "ESPHome device serving" in server.log, "it is not served", 60.0)
    service.announce("The meeting on the first floor begins at nine. " * 6)
    speaker.wait(lambda: "satellite:Announcing" in speaker.log, "nothing was announced")
    speaker.wait(lambda: "Playing next URL from playlist" in speaker.log, "the chime does not end")
    time.sleep(1.5)
    rows = list(map(json.loads, (speech_data / "commands/manifest.jsonl").read_text().splitlines()))
    for row in [row for row in rows if row["text"] == "stop"][:5]:
        speaker.say(_file(speech_data / "commands" / row["path"]), _silence(0.5))
        if "TTS response stopped manually" in speaker.log:
            break
    assert "TTS response stopped manually" in speaker.log, "it did not hear its own stop word"
    time.sleep(1.5)
    mark = speaker.now()
    time.sleep(2.0)
    assert np.abs(speaker.sound_since(mark)).max() < 500, "it talks on"
    asked = time.monotonic()
    service.announce("Lunch is ready.")
    speaker.wait(lambda: speaker.log.count("satellite:Announcing") == 2, "the next announcement waits for the first")
    assert time.monotonic() - asked < 8.0
    assert server.stop() == 0


def test_a_wake_word_that_it_lacks_is_downloaded_from_here(
    serve: Callable[..., Any], lva: Path, pulse: dict[str, str], speech_data: Path, tmp_path: Path
) -> None:
    program = tmp_path / "program"
    for part in ("linux_voice_assistant", "sounds", "wakewords"):
        shutil.copytree(lva / part, program / part)
    for file in ("version.txt", "version_githash.txt"):
        shutil.copy(lva / file, program)
    for file in (program / "wakewords").rglob("hey_mycroft*"):
        file.unlink()
    speaker = Speaker(lva, pulse, tmp_path, program)
    try:
        settings = {
            "ENTENDRE_ESPHOME_DEVICES": f"kitchen@kitchen=127.0.0.1:{speaker.port}",
            "ENTENDRE_ESPHOME_WAKE_WORDS": "hey mycroft",
        }
        server = serve(environment=settings)
        speaker.wait(lambda: "Wake word set: hey_mycroft" in speaker.log, "it did not take the wake word", 60.0)
        assert (tmp_path / "local/external_wake_words/hey_mycroft.tflite").exists()
        rows = map(json.loads, (speech_data / "commands/manifest.jsonl").read_text().splitlines())
        for row in [row for row in rows if row["text"].lower() == "hey mycroft"][:6]:
            speaker.say(_silence(0.5), _file(speech_data / "commands" / row["path"]), _silence(1.5))
            if "Detected wake word: Hey Mycroft" in speaker.log:
                break
        assert "Detected wake word: Hey Mycroft" in speaker.log
        assert server.stop() == 0
    finally:
        speaker.close()
