"""The command line as a whole: what it lists, what it imports, and how it fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from entendre.cli import COMMANDS, available_commands, main


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, entendre.cli\n"
        "try: entendre.cli.main(['--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'aiohttp', 'asyncio', 'uvloop', 'hassil', 'entendre.config'} & set(sys.modules)\n"
        "print('heavy:', sorted(heavy))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "heavy: []"
    unwrapped = " ".join(done.stdout.split())
    for command in available_commands():
        assert command.summary in unwrapped


@pytest.mark.skipif(not Path("/proc/self/task").is_dir(), reason="threads are counted in /proc")
def test_matrix_products_take_no_second_thread() -> None:
    code = (
        "import pathlib, entendre.cli as cli; cli.main([]); import numpy as np; "
        "np.ones((512, 512), np.float32) @ np.ones((512, 512), np.float32); "
        "print(len(list(pathlib.Path('/proc/self/task').iterdir())))"
    )
    environment = {name: value for name, value in os.environ.items() if name != "OPENBLAS_NUM_THREADS"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split()[-1] == "1"


@pytest.mark.parametrize("command", available_commands(), ids=lambda command: command.name)
def test_every_command_has_its_help(command, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([command.name, "--help"])
    assert ended.value.code == 0
    assert f"usage: entendre {command.name}" in capsys.readouterr().out


def test_all_commands_are_there() -> None:
    assert [command.name for command in available_commands()] == [command.name for command in COMMANDS]


def test_no_command_shows_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "COMMAND" in capsys.readouterr().out


def test_an_error_is_one_line_with_its_code(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--config", str(tmp_path / "none.toml")]) == 1
    said = capsys.readouterr().err
    assert "can't be read" in said
    assert "[configuration]" in said
    assert "Traceback" not in said


def test_set_reaches_any_setting_and_flags_win(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "entendre.toml"
    file.write_text('[server]\ndata_dir = "/nowhere"\n')
    main(["doctor", "--json", "--config", str(file), "--data-dir", str(tmp_path), "--set", "speech.recognizer=none"])
    checks = {check["name"]: check for check in json.loads(capsys.readouterr().out)["checks"]}
    assert str(tmp_path) in checks["data folder"]["found"]
    assert checks["recognizer"]["found"] == "none"


def test_set_without_a_value_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--set", "speech.threads"]) == 1
    assert "KEY=VALUE" in capsys.readouterr().err
