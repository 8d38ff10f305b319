"""`entendre keys` with brands and roles."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from entendre.cli import main


def run(capsys: pytest.CaptureFixture[str], folder: Path, *words: str) -> tuple[int, str]:
    status = main(["keys", *words, "--data-dir", str(folder)])
    return status, capsys.readouterr().out


def test_a_key_has_a_brand_and_a_role(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    status, text = run(capsys, tmp_path, "create", "ci", "--brand", "home", "--role", "engineer", "--json")
    made = json.loads(text)
    assert (status, made["brand"], made["role"]) == (0, "home", "engineer")
    assert json.loads(run(capsys, tmp_path, "create", "reader", "--brand", "home", "--json")[1])["role"] == "viewer"
    assert json.loads(run(capsys, tmp_path, "create", "all", "--json")[1])["brand"] is None
    lines = run(capsys, tmp_path, "list")[1].splitlines()
    assert lines[0].split()[:4] == ["ID", "NAME", "BRAND", "ROLE"]
    assert [line.split()[1:4] for line in lines[1:]] == [
        ["ci", "home", "engineer"],
        ["reader", "home", "viewer"],
        ["all", "-", "-"],
    ]


def test_an_unknown_brand_and_a_role_without_one_are_refused(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert run(capsys, tmp_path, "create", "ci", "--brand", "nobody")[0] != 0
    assert run(capsys, tmp_path, "create", "ci", "--role", "admin")[0] != 0
    assert run(capsys, tmp_path, "list")[1].count("\n") == 1
