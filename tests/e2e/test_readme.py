"""The program in the README runs as it is printed."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.speech]
pytest.importorskip("ctranslate2", reason="needs the extra [speech]")
PROGRAM_S = 60


def test_the_readme_program_speaks_and_hears(repository: Path, tmp_path: Path, serve: Callable[..., Any]) -> None:
    [program] = re.findall(
        r"```python\n(.*?)```", (repository / "README.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    assert "127.0.0.1:8770" in program
    server = serve()
    program = program.replace("127.0.0.1:8770", f"127.0.0.1:{server.port}")
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=PROGRAM_S, cwd=tmp_path, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "dinner is ready" in done.stdout.lower()
