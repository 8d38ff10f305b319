"""Fixtures that every room shares: recordings, free ports, a running server, and the check for leaked tasks."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from entendre.bench.real_postgres import Databases, NoPostgresError, RealPostgres

REPOSITORY = Path(__file__).resolve().parent.parent
READY_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 15.0


@pytest.fixture(scope="session")
def repository() -> Path:
    """The root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def speech_data() -> Path:
    """The folder of recordings (`commands/`, `speech/`); the test is skipped where there is none."""
    folder = Path(os.environ.get("ENTENDRE_SPEECH_DATA") or REPOSITORY.parent / "shared" / "data")
    if not (folder / "commands" / "manifest.jsonl").is_file():
        pytest.skip(f"no recordings in {folder}: set ENTENDRE_SPEECH_DATA to a folder with commands/ and speech/")
    return folder


@pytest.fixture(scope="session")
def postgres_databases() -> Iterator[Databases]:
    """Fresh databases of a real PostgreSQL; the test is skipped where there is none."""
    given = os.environ.get("ENTENDRE_TEST_DATABASE")
    server = None
    if not given:
        try:
            server = RealPostgres(durable=False)
        except NoPostgresError as error:
            pytest.skip(str(error))
        server.start()
    databases = Databases(given or server.url())  # type: ignore[union-attr]
    yield databases
    databases.close(drop=server is None)
    if server is not None:
        server.close()


@pytest.fixture(scope="session", autouse=True)
def usual_hasher() -> Iterator[Any]:
    """Have this process hash passwords at the smallest cost, which no test is about; the hasher of the product."""
    try:
        import argon2
    except ImportError:
        yield None
        return
    usual = argon2.PasswordHasher
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(argon2, "PasswordHasher", partial(usual, time_cost=1, memory_cost=8, parallelism=1))
        yield usual


@pytest.fixture
def free_port() -> int:
    """A TCP port of loopback that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(autouse=True)
def no_leaked_tasks(request: pytest.FixtureRequest) -> None:
    """Fail an async test that leaves a task of its loop running."""
    if inspect.iscoroutinefunction(inspect.unwrap(getattr(request, "function", no_leaked_tasks))):
        request.getfixturevalue("task_guard")


@pytest.fixture
async def task_guard() -> AsyncIterator[None]:
    """Set up first and torn down last, so that what other fixtures start must have ended."""
    before = asyncio.all_tasks()
    yield
    for _ in range(5):  # callbacks that end a cancelled task need a few turns of the loop
        await asyncio.sleep(0)
    leaked = asyncio.all_tasks() - before - {asyncio.current_task()}
    for task in leaked:
        task.cancel()
    if leaked:
        pytest.fail("the test left tasks running: " + "; ".join(sorted(str(task.get_coro()) for task in leaked)))


@dataclass
class RunningServer:
    """`entendre serve` as a subprocess."""

    process: subprocess.Popen[bytes]
    port: int
    data_dir: Path
    log_file: Path

    @property
    def url(self) -> str:
        """Its address, without a slash at the end."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        """What it wrote to its standard streams so far."""
        return self.log_file.read_text(errors="replace")

    def stop(self) -> int:
        """Ask it to end, as a service manager does; returns its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            pytest.fail(f"the server did not stop in {STOP_TIMEOUT_S} s:\n{self.log[-4000:]}")

    def kill(self) -> None:
        """End it as a power cut does."""
        self.process.kill()
        self.process.wait()


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., RunningServer]]:
    """Start servers: `serve("--set", "…", data_dir=…, port=…, environment={…})`; each is ready when returned."""
    started: list[RunningServer] = []

    def start(
        *arguments: str, data_dir: Path | None = None, port: int = 0, environment: dict[str, str] | None = None
    ) -> RunningServer:
        port = port or _free_port()
        data_dir = data_dir or tmp_path / "data"
        log_file = tmp_path / f"server-{len(started)}.log"
        command = [sys.executable, "-m", "entendre", "serve", "--port", str(port), "--data-dir", str(data_dir)]
        with log_file.open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments],
                stdout=log,
                stderr=subprocess.STDOUT,
                env=_clean_environment() | (environment or {}),
                cwd=tmp_path,
            )
        server = RunningServer(process, port, data_dir, log_file)
        started.append(server)
        _wait_until_ready(server)
        return server

    yield start
    for server in started:
        if server.process.poll() is None:
            server.stop()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _clean_environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}


def _wait_until_ready(server: RunningServer) -> None:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            pytest.fail(f"the server ended with {server.process.returncode}:\n{server.log[-4000:]}")
        try:
            with urllib.request.urlopen(f"{server.url}/readyz", timeout=1) as answer:
                json.load(answer)
                return
        except (OSError, urllib.error.URLError, json.JSONDecodeError):
            time.sleep(0.05)
    server.kill()
    pytest.fail(f"the server was not ready in {READY_TIMEOUT_S} s:\n{server.log[-4000:]}")
