"""The server under measurement, as a process of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from entendre.core.errors import EntendreError

READY_S = 60.0
STOP_S = 15.0


class ServerNotReadyError(EntendreError):
    """The server that should be measured did not start."""

    code = "server_not_ready"


@dataclass(frozen=True, slots=True)
class MeasuredServer:
    """Where it listens; `pid` is 0 for a server that somebody else started. `cold_start_s`: from start to ready."""

    url: str
    pid: int = 0
    cold_start_s: float = 0.0


@contextlib.contextmanager
def measured_server(url: str | None = None, *arguments: str) -> Iterator[MeasuredServer]:
    """The server at `url`, or a fresh one with its own empty data folder that ends with the block.

    Raises: ServerNotReadyError.
    """
    if url:
        yield MeasuredServer(url.rstrip("/"))
        return
    with tempfile.TemporaryDirectory(prefix="entendre-bench-") as folder:
        port = _free_port()
        log_file = Path(folder) / "server.log"
        command = [sys.executable, "-m", "entendre", "serve", "--port", str(port), "--data-dir", folder, *arguments]
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}
        started_s = time.monotonic()
        with log_file.open("wb") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, cwd=folder)
        try:
            _wait(process, f"http://127.0.0.1:{port}", log_file)
            yield MeasuredServer(f"http://127.0.0.1:{port}", process.pid, round(time.monotonic() - started_s, 3))
        finally:
            _stop(process)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(process: subprocess.Popen[bytes], url: str, log_file: Path) -> None:
    deadline_s = time.monotonic() + READY_S
    while time.monotonic() < deadline_s and process.poll() is None:
        with (
            contextlib.suppress(OSError, json.JSONDecodeError),
            urllib.request.urlopen(f"{url}/readyz", timeout=1) as answer,
        ):
            json.load(answer)
            return
        time.sleep(0.02)
    tail = log_file.read_text(encoding="utf-8", errors="replace")[-2000:]
    ended = process.poll() is not None
    what = "ended before it was ready" if ended else f"was not ready within {READY_S:.0f} s"
    raise ServerNotReadyError(f"The server {what}.", detail=tail)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
