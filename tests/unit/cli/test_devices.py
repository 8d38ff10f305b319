"""`entendre devices` on a database that a server uses at the same time."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from entendre.cli import main
from entendre.core.device import Admission, DeviceIdentity, Refusal, Refused, Unbound
from entendre.store import Database, Devices
from entendre.system import SystemClock

BOX = DeviceIdentity("02:11:22:33:44:55", "a-client", board="esp-box-3", firmware="2.4.2")
Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*words: str) -> tuple[int, str]:
        status = main(["devices", *words, "--data-dir", str(tmp_path)])
        said = capsys.readouterr()
        return status, said.out + said.err

    return command


def announced(folder: Path, identity: DeviceIdentity = BOX) -> Admission:
    async def announce() -> Admission:
        database = Database(folder / "entendre.db")
        try:
            return await Devices(database, SystemClock()).announce(identity, "192.0.2.1")
        finally:
            await database.close()

    return asyncio.run(announce())


def code_of(folder: Path, identity: DeviceIdentity = BOX) -> str:
    shown = announced(folder, identity)
    assert isinstance(shown, Unbound)
    return shown.code


def test_a_device_is_bound_named_moved_and_ended(run: Run, tmp_path: Path) -> None:
    assert run("list")[1].startswith("No devices yet.")
    code = code_of(tmp_path)
    status, listed = run("list")
    assert status == 0
    assert BOX.hardware in listed
    assert code not in listed
    status, said = run("bind", code, "--name", "Box", "--room", "Kitchen", "--language", "de")
    assert (status, said) == (0, "bound Box (02:11:22:33:44:55), room: kitchen\n")
    shown = json.loads(run("list", "--json")[1])
    assert shown["waiting"] == []
    assert [(each["name"], each["room"], each["language"], each["bound_by"]) for each in shown["devices"]] == [
        ("Box", "kitchen", "de", "cli")
    ]
    assert "a-client" not in json.dumps(shown)
    assert run("rename", "box", "Radio")[0] == 0
    assert run("room", "radio", "bedroom")[1] == "moved Radio (02:11:22:33:44:55), room: bedroom\n"
    assert json.loads(run("room", "Radio", "", "--json")[1])["room"] is None
    assert run("revoke", BOX.hardware)[0] == 0
    assert "revoked" in run("list")[1]
    assert announced(tmp_path) == Refused(Refusal.REVOKED)
    assert run("forget", "Radio")[0] == 0
    assert isinstance(announced(tmp_path), Unbound)


def test_an_unknown_room_is_refused_with_those_there_are_and_binds_nothing(run: Run, tmp_path: Path) -> None:
    code = code_of(tmp_path)
    status, said = run("bind", code, "--room", "dungeon")
    assert status == 1
    assert "kitchen" in said
    assert json.loads(run("list", "--json")[1])["devices"] == []


def test_a_wrong_code_is_refused(run: Run, tmp_path: Path) -> None:
    code = code_of(tmp_path)
    status, said = run("bind", f"{(int(code) + 1) % 1_000_000:06d}")
    assert status == 1
    assert "[invalid_input]" in said


def test_a_device_with_other_ids_is_shown_as_one_that_was_bound_before(run: Run, tmp_path: Path) -> None:
    run("bind", code_of(tmp_path), "--name", "Box")
    code_of(tmp_path, DeviceIdentity(BOX.hardware, "erased", board="esp-box-3"))
    assert "was bound before" in run("list")[1]


@pytest.mark.parametrize("content", [b"\x01" * 32, b"01" * 32, b"01" * 16 + b"\n" + b"01" * 16 + b"\n"])
def test_a_key_is_enrolled_from_a_file(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    assert run("enrol", "SERIAL", str(file)) == (0, "enrolled SERIAL\n")
    identity = DeviceIdentity(BOX.hardware, BOX.client, serial="SERIAL")
    status, said = run("bind", code_of(tmp_path, identity))
    assert status == 1
    assert "proven" in said


@pytest.mark.parametrize("content", [b"", b"\x01" * 31, b"01" * 31, b"zz" * 32, b"01" * 2_000])
def test_a_file_without_a_key_is_refused(run: Run, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "key"
    file.write_bytes(content)
    assert run("enrol", "SERIAL", str(file))[0] == 1
    assert run("enrol", "SERIAL", str(tmp_path / "nowhere"))[0] == 1
