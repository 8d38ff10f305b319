"""`entendre serve --database postgresql://…` as a process, while PostgreSQL comes and goes."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from entendre.bench.real_postgres import NoPostgresError, RealPostgres

QUIET = ("--set", "speech.recognizer=none", "--set", "speech.voice=none")


@pytest.fixture
def server() -> Iterator[RealPostgres]:
    """A PostgreSQL that the test may kill."""
    try:
        made = RealPostgres(durable=False)
    except NoPostgresError as error:
        pytest.skip(str(error))
    made.start()
    yield made
    made.close()


def devices(url: str) -> Any:
    with urllib.request.urlopen(f"{url}/v1/devices", timeout=30) as answer:
        return json.load(answer)


@pytest.mark.e2e
def test_a_server_survives_its_database_and_has_it_for_itself(
    server: RealPostgres, serve: Callable[..., Any], tmp_path: Path
) -> None:
    running = serve("--database", server.url(), *QUIET)
    before = devices(running.url)
    server.kill()
    server.start()
    assert devices(running.url) == before
    data = str(tmp_path / "other")
    command = [sys.executable, "-m", "entendre", "serve", "--port", "0", "--data-dir", data, *QUIET]
    second = subprocess.run(
        [*command, "--database", server.url()], check=False, capture_output=True, text=True, timeout=60
    )
    assert second.returncode == 1
    assert "Another server writes the region home" in second.stderr
    assert devices(running.url) == before
    assert running.stop() == 0
    assert not (running.data_dir / "entendre.db").exists()
    assert server.url() not in running.log
