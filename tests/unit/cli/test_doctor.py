"""Doctor finds what is missing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from entendre.cli.doctor import MISSING, OK, OPTIONAL, Check, examine
from entendre.config import load_settings


def checks(tmp_path: Path, **flags: object) -> dict[str, Check]:
    given = {"server.data_dir": str(tmp_path), "server.port": 0} | {
        name.replace("_", ".", 1): value for name, value in flags.items()
    }
    return {check.name: check for check in examine(load_settings(None, {}, given))}


def test_what_is_not_ok_says_what_to_do(tmp_path: Path) -> None:
    assert all(check.remedy for check in checks(tmp_path).values() if check.state != OK)


def test_a_used_port_is_found(tmp_path: Path) -> None:
    with socket.socket() as user:
        user.bind(("127.0.0.1", 0))
        user.listen()
        port = user.getsockname()[1]
        assert checks(tmp_path, server_port=port)["port"].state == MISSING
    assert checks(tmp_path, server_port=port)["port"].state == OK


def test_an_open_address_is_pointed_out(tmp_path: Path) -> None:
    assert "keys" in checks(tmp_path, server_host="0.0.0.0")["port"].remedy


def test_a_dead_broker_is_found_and_its_password_is_not_told(tmp_path: Path, free_port: int) -> None:
    broker = checks(tmp_path, home_mqtt_url=f"mqtt://me:secret@127.0.0.1:{free_port}")["broker"]
    assert broker.state == MISSING
    assert "secret" not in f"{broker.found} {broker.remedy}"


def test_a_living_broker_is_found(tmp_path: Path) -> None:
    with socket.socket() as broker:
        broker.bind(("127.0.0.1", 0))
        broker.listen()
        url = f"mqtt://127.0.0.1:{broker.getsockname()[1]}"
        assert checks(tmp_path, home_mqtt_url=url)["broker"].state == OK


def test_a_data_folder_that_can_not_be_made_is_found(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    assert checks(tmp_path, server_data_dir=str(file / "below"))["data folder"].state == MISSING


def test_a_broken_home_file_is_found(tmp_path: Path) -> None:
    home = tmp_path / "home.json"
    home.write_text('{"rooms": 3}')
    assert checks(tmp_path, home_file=str(home))["home"].state == MISSING


@pytest.mark.parametrize("setting", ["none", "tcp://127.0.0.1:10300", "https://ears.example/v1"])
def test_a_recognizer_elsewhere_needs_no_model(tmp_path: Path, setting: str) -> None:
    assert checks(tmp_path, speech_recognizer=setting)["recognizer"].state == OK


def test_an_unknown_model_is_found(tmp_path: Path) -> None:
    assert checks(tmp_path, speech_voice="no-such-voice")["voice"].state == MISSING


def test_extras_nobody_asked_for_are_optional(tmp_path: Path) -> None:
    assert checks(tmp_path)["[mqtt]"].state in (OK, OPTIONAL)


def test_a_missing_package_is_named_with_its_extra(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("entendre.cli.doctor._installed", lambda package: package != "ctranslate2")
    found = checks(tmp_path)
    assert found["[speech]"].state == MISSING
    assert "ctranslate2" in found["[speech]"].found
    assert "entendre[speech]" in found["[speech]"].remedy
    assert found["[wyoming]"].state == OK
