"""What every command on a server shares: confirmation, values, where the key comes from, and what JSON it prints."""

from __future__ import annotations

import argparse
import io
from pathlib import Path

import pytest

from entendre.cli import main
from entendre.cli.fleet.connection import key_of, url_of
from entendre.cli.fleet.records import as_json, described, label, shown
from entendre.cli.fleet.verbs import NotConfirmedError, confirmed, key_values
from entendre.core.errors import InvalidInputError


def test_what_can_not_be_undone_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with pytest.raises(NotConfirmedError, match="--yes"):
        confirmed("Erase it?")

    class Person(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr("sys.stdin", Person("no\n"))
    with pytest.raises(NotConfirmedError, match="Nothing was changed"):
        confirmed("Erase it?")
    monkeypatch.setattr("sys.stdin", Person("Y\n"))
    confirmed("Erase it?")


def test_pairs_become_a_document() -> None:
    pairs = ["volume=7", "name=Küche", "led.colour=red", "led.on=true", "old=null", 'tags=["a"]']
    assert key_values(pairs) == {
        "volume": 7,
        "name": "Küche",
        "led": {"colour": "red", "on": True},
        "old": None,
        "tags": ["a"],
    }
    for wrong in (["volume"], ["=7"], ["a=1", "a.b=2"]):
        with pytest.raises(InvalidInputError):
            key_values(wrong)


def test_the_key_comes_from_a_file_or_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENTENDRE_KEY", "from-environment")
    assert key_of(argparse.Namespace(key_file=None)) == "from-environment"
    file = tmp_path / "key"
    file.write_text("from-file\n")
    assert key_of(argparse.Namespace(key_file=file)) == "from-file"
    for content in (b"", b"two words", b"\xff\xfe", b"x" * 2_000):
        file.write_bytes(content)
        with pytest.raises(InvalidInputError):
            key_of(argparse.Namespace(key_file=file))
    with pytest.raises(InvalidInputError):
        key_of(argparse.Namespace(key_file=tmp_path / "none"))


def test_the_address_comes_from_the_flag_or_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ENTENDRE_URL", raising=False)
    assert url_of(argparse.Namespace(url=None)) == "http://127.0.0.1:8770"
    monkeypatch.setenv("ENTENDRE_URL", "https://voice.example.org/")
    assert url_of(argparse.Namespace(url=None)) == "https://voice.example.org"
    assert url_of(argparse.Namespace(url="http://other")) == "http://other"


def test_where_no_server_answers_it_says_how_to_start_one(
    capsys: pytest.CaptureFixture[str], free_port: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("ENTENDRE_URL", f"http://127.0.0.1:{free_port}")
    assert main(["api", "get_openapi"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(f"entendre: No server answers at http://127.0.0.1:{free_port}.")
    assert "[no_server]" in said.err


@pytest.mark.parametrize(
    "arguments", [["dance"], ["get_openapi", "a=1"], ["get_openapi", "a"], ["get_openapi", "--url", "nowhere"]]
)
def test_mistakes_are_explained(capsys: pytest.CaptureFixture[str], arguments: list[str]) -> None:
    assert main(["api", *arguments]) == 1
    assert "[invalid_input]" in capsys.readouterr().err


def test_a_field_is_shown_as_its_name_asks() -> None:
    assert shown("size_bytes", 2048) == "2.0 KiB"
    assert shown("ttl_s", 3_600.0) == "1 h"
    assert shown("online", True) == "yes"
    assert shown("wake_words", ["a", "b"]) == "a, b"
    assert shown("household", None) == "-"
    assert label("created_at_s") == "created"
    assert described({"name": "box", "tags": {"a": 1}, "room": None}).splitlines()[0] == "name  box"


def test_json_is_the_records_own() -> None:
    assert as_json([{"id": "ü"}]) == '[\n  {\n    "id": "ü"\n  }\n]'
