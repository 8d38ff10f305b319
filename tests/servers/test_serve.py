"""`entendre serve` as a process: it becomes ready, refuses what is unsafe, and ends cleanly."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.e2e
QUIET = ("--set", "speech.recognizer=none", "--set", "speech.voice=none")
REFUSAL_S = 30


def refused(tmp_path: Path, *arguments: str) -> str:
    """What a server says that does not start; it must give up by itself."""
    command = [sys.executable, "-m", "entendre", "serve", "--data-dir", str(tmp_path / "data"), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=REFUSAL_S, cwd=tmp_path, check=False)
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_it_stops_on_sigterm_within_a_second_or_two(serve: Callable[..., Any]) -> None:
    server = serve(*QUIET)
    started = time.monotonic()
    assert server.stop() == 0
    assert time.monotonic() - started < 5
    assert "Traceback" not in server.log


def test_two_servers_do_not_share_a_port(serve: Callable[..., Any], tmp_path: Path) -> None:
    server = serve(*QUIET)
    elsewhere = tmp_path / "other"
    elsewhere.mkdir()
    said = refused(elsewhere, *QUIET, "--port", str(server.port))
    assert "[configuration]" in said
    assert str(server.port) in said


def test_two_servers_do_not_share_a_data_folder_but_a_killed_one_leaves_it(serve: Callable[..., Any]) -> None:
    first = serve(*QUIET)
    folder = ("--data-dir", str(first.data_dir))
    command = [sys.executable, "-m", "entendre", "serve", "--port", "0", *folder, *QUIET]
    done = subprocess.run(command, capture_output=True, text=True, timeout=REFUSAL_S, check=False)
    assert done.returncode == 1
    assert "Another server uses the data folder" in done.stderr
    first.kill()
    assert serve(*QUIET, data_dir=first.data_dir).stop() == 0


def test_a_data_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file, not a folder")
    said = refused(tmp_path, *QUIET, "--port", "0")
    assert str(tmp_path / "data") in said


def test_it_may_hold_more_connections_than_the_system_allows_at_first(tmp_path: Path) -> None:
    resource = pytest.importorskip("resource")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    script = f"import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, {hard})); "
    script += "from entendre.cli.serve import allow_files; allow_files(); "
    script += "print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert int(done.stdout) > 256


@pytest.mark.parametrize("host", ["0.0.0.0", "::"])
def test_it_refuses_other_machines_without_a_key(tmp_path: Path, host: str, free_port: int) -> None:
    if host == "::" and not socket.has_ipv6:
        pytest.skip("no IPv6 here")
    said = refused(tmp_path, *QUIET, "--host", host, "--port", str(free_port))
    assert "keys" in said


def test_with_a_key_it_serves_others_and_asks_for_it(serve: Callable[..., Any], tmp_path: Path) -> None:
    data_dir = tmp_path / "keyed"
    made = subprocess.run(
        [sys.executable, "-m", "entendre", "keys", "create", "test", "--json", "--data-dir", str(data_dir)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
    )
    token = json.loads(made.stdout)["token"]
    server = serve(*QUIET, "--host", "0.0.0.0", data_dir=data_dir)
    with pytest.raises(urllib.error.HTTPError) as refusal:
        urllib.request.urlopen(f"{server.url}/v1/models", timeout=5)
    assert refusal.value.code == 401
    request = urllib.request.Request(f"{server.url}/v1/models", headers={"Authorization": f"Bearer {token}"})
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.status == 200
    assert token not in server.log
    assert token.encode() not in (data_dir / "entendre.db").read_bytes()


def test_an_unknown_setting_stops_it(tmp_path: Path) -> None:
    assert "server.port" in refused(tmp_path, "--set", "server.prot=1")
