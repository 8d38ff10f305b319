"""Commands that hear and speak, with the real engines on recordings."""

from __future__ import annotations

import json
import subprocess
import sys
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from entendre.cli import main

pytestmark = [pytest.mark.e2e, pytest.mark.speech]
pytest.importorskip("ctranslate2", reason="needs the extra [speech]")
LIGHTS = "commands/en/kokoro_af_heart_cmd00.flac"
COMMAND_S = 120
TIMES = ["speech_end_s", "draft_s", "commit_s", "understood_s", "first_audio_s"]


def loudness(file: Path) -> float:
    with wave.open(str(file)) as sound:
        samples = np.frombuffer(sound.readframes(sound.getnframes()), dtype="<i2")
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2))) if len(samples) else 0.0


def entendre(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "entendre", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=COMMAND_S, cwd=tmp_path, check=False)


def test_hear_prints_what_was_heard_understood_and_planned(speech_data: Path, tmp_path: Path) -> None:
    done = entendre(tmp_path, "hear", str(speech_data / LIGHTS), "--json", "--output", str(tmp_path / "replies"))
    assert done.returncode == 0, done.stderr
    [line] = done.stdout.splitlines()
    document = json.loads(line)
    assert "kitchen" in document["transcript"].lower()
    assert document["language"] == "en"
    assert document["drafts"]
    actions = document["plan"]["actions"]
    assert {action["type"] for action in actions} == {"set_trait"}
    assert all(action["trait"] == "on" and action["value"] is True for action in actions)
    timeline = document["timeline"]
    assert list(timeline) == TIMES
    assert all(isinstance(value, float) for value in timeline.values())
    assert timeline["speech_end_s"] < timeline["draft_s"] <= timeline["commit_s"] <= timeline["first_audio_s"]
    [reply] = (tmp_path / "replies").glob("*.wav")
    assert loudness(reply) > 100


def test_hear_gives_each_file_a_fresh_home(speech_data: Path, tmp_path: Path) -> None:
    file = str(speech_data / LIGHTS)
    done = entendre(tmp_path, "hear", file, file, "--json", "--fast")
    first, second = (json.loads(line) for line in done.stdout.splitlines())
    assert first["plan"] == second["plan"]
    assert first["plan"]["actions"]


def test_hear_says_when_nobody_spoke(tmp_path: Path) -> None:
    silence = tmp_path / "silence.wav"
    with wave.open(str(silence), "wb") as sink:
        sink.setnchannels(1)
        sink.setsampwidth(2)
        sink.setframerate(16_000)
        sink.writeframes(bytes(32_000))
    done = entendre(tmp_path, "hear", str(silence), "--json", "--fast")
    assert done.returncode == 1
    document = json.loads(done.stdout)
    assert document["intent"] is None
    assert document["plan"]["actions"] == []
    assert document["timeline"]["commit_s"] is None


def test_speaker_says_a_recording_and_writes_the_reply(
    speech_data: Path, tmp_path: Path, serve: Callable[..., Any]
) -> None:
    server = serve()
    reply = tmp_path / "reply.wav"
    said = entendre(tmp_path, "speaker", "--url", server.url, "--wav", str(speech_data / LIGHTS), "-o", str(reply))
    assert said.returncode == 0, said.stderr
    assert "kitchen" in said.stdout.lower()
    assert loudness(reply) > 100
    assert "kitchen" not in server.log.lower()


def test_demo_shows_turns_without_recordings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    missing = {"file": "none.flac", "by": "nobody", "text": "turn it up"}
    script = {"language": "en", "recordings": [missing], "sentences": ["turn on the kitchen lights"]}
    monkeypatch.setattr("entendre.cli.demo._script", lambda language: script)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--data", str(tmp_path), "--data-dir", str(tmp_path / "data")]) == 0
    shown = capsys.readouterr().out
    assert "its own voice only" in shown
    for part in ("heard", "understood", "did         set_trait", "said", "reply began", "1 of 1 understood"):
        assert part in shown
    [reply] = (tmp_path / "out").glob("*.wav")
    assert loudness(reply) > 100


def test_demo_goes_on_as_text_with_what_it_misheard(
    speech_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    recording = {"file": LIGHTS, "by": "a voice", "text": "turn off the bedroom lamp"}
    script = {"language": "en", "recordings": [recording], "sentences": []}
    monkeypatch.setattr("entendre.cli.demo._script", lambda language: script)
    monkeypatch.chdir(tmp_path)
    assert main(["demo", "--data", str(speech_data), "--data-dir", str(tmp_path / "data")]) == 0
    shown = capsys.readouterr().out
    assert "misheard" in shown
    assert "value=true" not in shown
    assert "trait=on value=false" in shown
    assert "1 of 1 understood, 1 of them given as text" in shown
