"""kill -9 at random moments: nothing acknowledged is lost, nothing happens twice."""

from __future__ import annotations

import json
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import pytest

PROGRAM = Path(__file__).parent / "programs" / "jobs_under_fire.py"
ROUNDS = 30
LIFE_S = 0.25
TIMEOUT_S = 60.0


@dataclass
class Witness:
    """What the process said over all its lives, in order."""

    begun: set[int] = field(default_factory=set)
    acked: set[int] = field(default_factory=set)
    rings_of_job: dict[str, set[str]] = field(default_factory=dict)
    silenced: set[str] = field(default_factory=set)
    rung_again: int = 0
    faults: list[str] = field(default_factory=list)

    def hear(self, lines: list[str]) -> None:
        """Take the lines of one life."""
        rung_now: set[str] = set()
        for line in lines:
            word, *rest = line.split(" ", 2)
            if word == "begun":
                self.begun.add(int(rest[0]))
            elif word == "acked":
                self.acked.add(int(rest[0]))
            elif word == "silenced":
                self.silenced.add(rest[0])
            elif word == "rang":
                self._rang(rest[0], rest[1], rung_now)

    def _rang(self, ring: str, job: str, rung_now: set[str]) -> None:
        if ring in self.silenced:
            self.faults.append(f"{job} rang after it was silenced")
        if ring in rung_now:
            self.faults.append(f"{job} rang twice in one life")
        self.rung_again += ring in {each for rings in self.rings_of_job.values() for each in rings}
        rung_now.add(ring)
        self.rings_of_job.setdefault(job, set()).add(ring)

    def retries(self) -> list[int]:
        """Turns without an answer, and a few that got one."""
        answered = sorted(self.acked)
        return sorted(self.begun - self.acked) + random.sample(answered, min(4, len(answered)))


def live(path: Path, witness: Witness, *, kill_after_s: float | None) -> None:
    """One life of the process: until it is killed, or until all its jobs rang and were silenced."""
    first = max(witness.begun, default=-1) + 1
    options = {"path": str(path), "first": first, "draining": kill_after_s is None, "retries": witness.retries()}
    process = subprocess.Popen([sys.executable, str(PROGRAM), json.dumps(options)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        if kill_after_s is None:
            output = process.communicate(timeout=TIMEOUT_S)[0]
            assert process.returncode == 0
        else:
            assert select.select([process.stdout], [], [], TIMEOUT_S)[0], "it did not start"
            time.sleep(kill_after_s)
            process.send_signal(signal.SIGKILL)
            output = process.communicate(timeout=TIMEOUT_S)[0]
    finally:
        process.kill()
        process.wait()
    witness.hear(output.decode().splitlines())


@pytest.mark.e2e
def test_nothing_acknowledged_is_lost_and_nothing_happens_twice(tmp_path: Path) -> None:
    path, witness = tmp_path / "entendre.db", Witness()
    for _ in range(ROUNDS):
        live(path, witness, kill_after_s=random.random() * LIFE_S)
    killed_with = len(witness.acked)
    live(path, witness, kill_after_s=None)

    assert killed_with > 2 * ROUNDS
    assert witness.rung_again > 0, "no ring survived a kill: the test tested nothing"
    assert witness.faults == []
    assert witness.acked == witness.begun
    connection = sqlite3.connect(path)
    _check_jobs(connection, witness)
    _check_items(connection, witness)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    connection.close()


def _check_jobs(connection: sqlite3.Connection, witness: Witness) -> None:
    """One job per turn that asked for one, one ring per job, and every ring was heard and silenced."""
    asked = {f"job {turn}" for turn in witness.acked if turn % 4 != 0 and not (turn % 4 == 1 and turn > 40)}
    jobs = Counter(text for (text,) in connection.execute("SELECT text FROM jobs"))
    assert jobs == Counter(asked)
    rings = Counter(text for (text,) in connection.execute("SELECT text FROM rings"))
    assert rings == Counter(asked)
    assert {job: len(heard) for job, heard in witness.rings_of_job.items()} == dict.fromkeys(asked, 1)
    assert connection.execute("SELECT DISTINCT state FROM rings").fetchall() == [("silenced",)]


def _check_items(connection: sqlite3.Connection, witness: Witness) -> None:
    """Every item that was added is there once, unless its removal was acknowledged."""
    added = {f"item {turn}" for turn in witness.acked if turn % 4 == 0}
    removed = {f"item {turn - 41}" for turn in witness.acked if turn % 4 == 1 and turn > 40}
    items = Counter(text for (text,) in connection.execute("SELECT text FROM list_items"))
    assert items == Counter(added - removed)
