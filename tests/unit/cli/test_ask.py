"""`entendre ask`: one sentence or many, as JSON and for people, on a fresh copy of the home."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest

from entendre.cli import main
from entendre.core.actions import action_from_json

NOW = ["--now", "2026-11-23T10:00"]


def test_one_sentence_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "set a pizza timer for ten minutes", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [command["intent"] for command in document.pop("commands")] == ["TimerStart"]
    assert document == {
        "text": "set a pizza timer for ten minutes",
        "language": "en",
        "intent": "TimerStart",
        "slots": {"name": "pizza", "duration": 600},
        "confidence": pytest.approx(0.98, abs=0.03),
        "completeness": "complete",
        "plan": {
            "reply": "Pizza timer: 10 minutes, starting now.",
            "actions": [{"type": "start_timer", "seconds": 600, "name": "pizza"}],
            "expects_reply": False,
            "refusal": False,
        },
    }


def test_many_sentences_each_on_a_fresh_home(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    lines = [
        "turn off the lights",
        "",
        "remind me to call mom tomorrow at five",
        "clear the shopping list",
        "blah blah",
    ]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join([*lines, "what's on the shopping list"])))
    home = tmp_path / "home.json"
    home.write_text(
        json.dumps(
            {
                "rooms": [{"id": "den", "names": {"en": ["den"]}}],
                "appliances": [{"id": "lamp", "kind": "light", "names": {"en": ["lamp"]}, "room": "den"}],
                "lists": [{"id": "shopping", "names": {"en": ["shopping list"]}, "items": ["milk"]}],
            }
        )
    )
    assert main(["ask", "--file", "-", "--json", "--home", str(home), "--room", "Den", *NOW]) == 0
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [answer["text"] for answer in answers] == [line for line in lines if line] + ["what's on the shopping list"]
    assert answers[0]["plan"]["actions"] == [{"type": "set_trait", "appliance": "lamp", "trait": "on", "value": False}]
    assert answers[1]["plan"]["actions"][0]["date"] == "2026-11-24"
    assert answers[3]["intent"] is None and answers[3]["plan"]["refusal"]
    assert answers[4]["plan"]["reply"] == "On the shopping list: milk."
    for answer in answers:
        for action in answer["plan"]["actions"]:
            action_from_json(action)


def test_several_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["ask", "set the volume to 30 percent and set a timer for ten minutes", "--json"])
    document = json.loads(capsys.readouterr().out)
    assert document["intent"] == "VolumeSet"
    assert [command["intent"] for command in document["commands"]] == ["VolumeSet", "TimerStart"]


def test_what_is_not_understood_is_a_failure_of_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["ask", "colourless green ideas"]) == 1
    assert "I didn't get that." in capsys.readouterr().out


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["hello", "--file", "-"],
        ["--file", "/nowhere/lines.txt"],
        ["hello", "--now", "yesterday"],
        ["hello", "--room", "dungeon"],
        ["hello", "--home", "/nowhere/home.json"],
        ["hello", "--language", "xx"],
        ["hello", "--skills", "/nowhere"],
    ],
)
def test_mistakes_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["ask", *arguments]) == 1
    assert capsys.readouterr().err.startswith("entendre: ")


def test_it_starts_without_engines_or_a_web_server() -> None:
    code = (
        "import sys, entendre.cli\n"
        "entendre.cli.main(['ask', 'what can you do'])\n"
        "heavy = {'aiohttp', 'onnxruntime', 'ctranslate2', 'numpy', 'entendre.app', 'entendre.speech'}\n"
        "print(sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
