"""`entendre models`: what a person reads about a model."""

from __future__ import annotations

from pathlib import Path

import pytest

from entendre.cli import main


def test_sizes_are_told_only_where_they_are_known(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["models", "list", "--models-dir", str(tmp_path)]) == 0
    shown = capsys.readouterr().out
    assert "whisper-base  (recognizer, 140 MB," in shown
    assert "whisper-small  (recognizer, size not known," in shown
    assert " 0 MB" not in shown
