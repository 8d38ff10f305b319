"""`entendre backup` and `restore` from the terminal: what they say, and what they refuse."""

from __future__ import annotations

from pathlib import Path

import pytest

from entendre.cli import main


def test_a_backup_of_a_database_that_is_not_there_is_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["backup", str(tmp_path / "a.backup"), "--data-dir", str(tmp_path / "mistyped")]) == 1
    assert "There is no database" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_backup_says_its_size_and_comes_back(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    there = ["--data-dir", str(tmp_path / "data")]
    assert main(["keys", "add", "ci", *there]) == 0
    file = str(tmp_path / "a.backup")
    assert main(["backup", file, *there]) == 0
    assert " KiB" in capsys.readouterr().out
    assert main(["restore", file, "--data-dir", str(tmp_path / "moved")]) == 0
    assert main(["keys", "list", "--data-dir", str(tmp_path / "moved")]) == 0
    assert " ci " in capsys.readouterr().out
    assert main(["restore", file, *there]) == 1
    assert "--replace" in capsys.readouterr().err
