"""The set-up says what is missing instead of failing in the middle."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX shell")
LACKS_VENV = """#!/bin/sh
case "$1 $2" in "-m venv"|"-m pip"|"-m virtualenv") exit 1;; esac
exec {python} "$@"
"""
TOO_OLD = "#!/bin/sh\nexit 1\n"


def set_up(repository: Path, tmp_path: Path, interpreter: str, path: str) -> subprocess.CompletedProcess[str]:
    stub = tmp_path / "python"
    stub.write_text(interpreter.format(python=sys.executable))
    stub.chmod(0o755)
    return subprocess.run(
        ["/bin/sh", "scripts/setup.sh", str(tmp_path / "venv")],
        env={"PATH": path, "PYTHON": str(stub)},
        capture_output=True,
        text=True,
        cwd=repository,
        check=False,
    )


def tools(tmp_path: Path) -> str:
    """A path with the shell's own tools and no Python or uv."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("rm", "cat"):
        found = next(place for place in ("/bin", "/usr/bin") if (Path(place) / name).exists())
        (folder / name).symlink_to(Path(found) / name)
    return str(folder)


def test_a_missing_venv_module_is_named_with_its_package(repository: Path, tmp_path: Path) -> None:
    done = set_up(repository, tmp_path, LACKS_VENV, tools(tmp_path))
    assert done.returncode == 1
    assert f"apt install python3.{sys.version_info[1]}-venv" in done.stderr
    assert not (tmp_path / "venv").exists()


def test_a_missing_python_is_named_with_how_to_get_it(repository: Path, tmp_path: Path) -> None:
    done = set_up(repository, tmp_path, TOO_OLD, tools(tmp_path))
    assert done.returncode == 1
    assert "Python 3.11 or newer is needed" in done.stderr
    assert "Building" not in done.stderr


@pytest.mark.parametrize("script", ["scripts/setup.sh", ".ci/run"])
def test_scripts_are_valid_for_a_plain_shell(repository: Path, script: str) -> None:
    assert subprocess.run(["/bin/sh", "-n", script], cwd=repository, check=False).returncode == 0
    assert os.access(repository / script, os.X_OK)
