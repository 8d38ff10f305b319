"""A simulated fleet against a real server: a faulty release stops by itself, also when the server is killed."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from entendre.cli.simulate import QUIET

pytestmark = [pytest.mark.e2e, pytest.mark.slow]
SMALL = ("--groups", "10,30,100", "--threshold", "10", "--fail", "20", "--json")


def test_it_stops_in_group_two_and_finishes_when_mended() -> None:
    command = [sys.executable, "-m", "entendre", "simulate", "fleet", "--devices", "300", "--download", "5", *SMALL]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr[-2_000:]
    figures = json.loads(ended.stdout)
    stopped = figures["stopped"]
    assert (stopped["group"], stopped["of"], stopped["limit"]) == (2, 81, 8)
    assert 1 <= stopped["failed"] <= 8
    assert (figures["updated"], figures["unexpected"]) == (300, [])


def test_a_server_that_is_killed_goes_on(serve: Callable[..., Any], tmp_path: Path) -> None:
    settings = [word for each in QUIET for word in ("--set", each)]
    server = serve(*settings)
    command = [sys.executable, "-m", "entendre", "simulate", "fleet", "--devices", "200", "--download", "0", *SMALL]
    with (tmp_path / "simulated.log").open("w") as log:
        simulated = subprocess.Popen([*command, "--url", server.url], stdout=subprocess.PIPE, stderr=log, text=True)
    for wanted in (1, 2, 5):  # so many groups were started, over both rollouts
        wait_for_groups(server, simulated, wanted)
        server.kill()
        server = serve(*settings, data_dir=server.data_dir, port=server.port)
    output, _ = simulated.communicate(timeout=600)
    assert simulated.returncode == 0, output + (tmp_path / "simulated.log").read_text()
    assert json.loads(output)["updated"] == 200
    assert server.stop() == 0
    check_rows(server.data_dir / "entendre.db")


def wait_for_groups(server: Any, simulated: subprocess.Popen[str], wanted: int) -> None:
    """Until so many groups of all rollouts were started, or the simulation is over."""
    while simulated.poll() is None:
        started = 0
        for brand in asked(server, "/brands")["data"]:
            for rollout in asked(server, f"/brands/{brand['id']}/rollouts")["data"]:
                started += rollout["group"] + 1
        if started >= wanted:
            return
        time.sleep(0.05)


def asked(server: Any, path: str) -> Any:
    with urllib.request.urlopen(f"{server.url}/api/v1{path}", timeout=30) as answer:
        return json.load(answer)


def check_rows(file: Path) -> None:
    """Counts are what the rows are, and nobody succeeded twice."""
    with sqlite3.connect(file) as database:
        twice = (
            "SELECT rollout, device FROM rollout_events WHERE event = 'succeeded' GROUP BY rollout, device"
            " HAVING count(*) > 1"
        )
        assert database.execute(twice).fetchall() == []
        for state in ("waiting", "offered", "downloading", "installing", "succeeded", "failed", "cancelled"):
            wrong = (
                f"SELECT g.rollout, g.grp, g.{state} FROM rollout_groups g WHERE g.{state} != (SELECT count(*)"
                " FROM rollout_devices d WHERE d.rollout = g.rollout AND d.grp = g.grp AND d.state = ?)"
            )
            assert database.execute(wrong, (state,)).fetchall() == []
    database.close()
