"""kill -9 of server, PostgreSQL, and both, under load from outside: nothing acknowledged is lost or done twice.

`ENTENDRE_KILL_ROUNDS=200 pytest -s tests/servers/test_kill_fleet.py` runs more rounds and shows what happened.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from fleet_under_fire import BATCH, PATIENCE_S, Client, Device, Load, open_http, path_of, until

from entendre.bench.real_postgres import NoPostgresError, RealPostgres

pytest.importorskip("aiomqtt", reason="needs the mqtt extra")
pytestmark = [pytest.mark.e2e, pytest.mark.slow]

PROGRAM = Path(__file__).parent / "programs" / "forking_server.py"
ROUNDS = int(os.environ.get("ENTENDRE_KILL_ROUNDS", "5"))
LIFE_S = 0.4
STILLBORN = 0.1
"""Share of the servers that are killed while they start."""
RESTART_DEVICE = 4
"""Rounds after which a device is switched off and on."""
SHOWN = 20
"""Rounds after which it is shown how far it is."""
KINDS = ("desired", "reported", "command", "answer", "reminder", "telemetry")
TEXT_ONLY = {"ENTENDRE_SPEECH_RECOGNIZER": "none", "ENTENDRE_SPEECH_VOICE": "none", "ENTENDRE_API_REQUESTS_PER_S": "0"}


class Fork:
    """Servers on one port, one after the other."""

    def __init__(self, folder: Path, ports: list[int], environment: dict[str, str]) -> None:
        self._log = folder / "server.log"
        self.data = folder / "data"
        self.url, self.mqtt_port = f"http://127.0.0.1:{ports[0]}", ports[1]
        self.environment = environment | {
            "ENTENDRE_DEVICE_MQTT_PORT": str(ports[1]),
            "ENTENDRE_DEVICE_MQTT_UDP_PORT": str(ports[2]),
        }
        command = [sys.executable, str(PROGRAM), str(self._log), "serve", "--port", str(ports[0])]
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("ENTENDRE_")}
        self._process = subprocess.Popen(
            [*command, "--data-dir", str(self.data)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=inherited | self.environment,
            cwd=folder,
            text=True,
        )
        self._server = 0

    async def start(self) -> None:
        """Start one."""
        self._server = int(await self._tell("start"))

    async def kill(self) -> None:
        """End it as a power cut does."""
        server, self._server = self._server, 0
        os.kill(server, signal.SIGKILL)
        status = await self._tell("reap")
        assert os.WTERMSIG(int(status)) == signal.SIGKILL, f"it had ended by itself:\n{self.log()}"

    async def ready(self, http: aiohttp.ClientSession) -> None:
        """Wait until it serves."""
        client = Client(self.url, http)
        deadline = time.monotonic() + PATIENCE_S
        while (answer := await client.say("GET", "/readyz")) is None or answer[0] != 200:
            assert time.monotonic() < deadline, f"it did not start:\n{self.log()}"
            await asyncio.sleep(0.02)

    def log(self) -> str:
        """The end of what it wrote."""
        return self._log.read_text(errors="replace")[-4_000:]

    def close(self) -> None:
        """End everything."""
        if self._server:
            os.kill(self._server, signal.SIGKILL)
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()

    async def _tell(self, word: str) -> str:
        stdin, stdout = self._process.stdin, self._process.stdout
        assert stdin is not None
        assert stdout is not None
        stdin.write(f"{word}\n")
        stdin.flush()
        said = await asyncio.to_thread(stdout.readline)
        assert said, self.log()
        return said


@pytest.fixture(params=["sqlite", "postgresql"])
def postgres(request: pytest.FixtureRequest) -> Iterator[RealPostgres | None]:
    """A PostgreSQL that waits for the disk, as one in use does; None where the database is a file."""
    if request.param == "sqlite":
        yield None
        return
    try:
        made = RealPostgres(durable=True)
    except NoPostgresError as error:
        pytest.skip(str(error))
    made.start()
    yield made
    made.close()


@pytest.fixture
def fork(tmp_path: Path, postgres: RealPostgres | None) -> Iterator[Fork]:
    """Servers over that database."""
    database = {"ENTENDRE_SERVER_DATABASE": postgres.url()} if postgres is not None else {}
    made = Fork(tmp_path, free_ports(3), TEXT_ONLY | database)
    yield made
    made.close()


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody listens on."""
    with contextlib.ExitStack() as probes:
        found = [probes.enter_context(socket.socket()) for _ in range(count)]
        for each in found:
            each.bind(("127.0.0.1", 0))
        return [int(each.getsockname()[1]) for each in found]


class Killing:
    """Kills and restarts, and how long they took."""

    def __init__(self, fork: Fork, postgres: RealPostgres | None, load: Load, http: aiohttp.ClientSession) -> None:
        self._fork = fork
        self._postgres = postgres
        self._load = load
        self._http = http
        self.killed: Counter[str] = Counter()
        self.restarts_s: list[float] = []
        self.rounds_s: list[float] = []

    async def round(self) -> None:
        """Kill somebody at a random moment, and go on until everybody was served again."""
        began_s = time.monotonic()
        await asyncio.sleep(random.random() * LIFE_S)
        victims = random.choice(["server", "database", "both"]) if self._postgres is not None else "server"
        self.killed[victims] += 1
        killed_s, before = time.monotonic(), Counter(self._load.witness.counts)
        await self._kill_and_start(victims)
        await self._fork.ready(self._http)
        self.restarts_s.append(time.monotonic() - killed_s)
        for kind in KINDS:
            await until(lambda kind=kind: self._served(kind, before), f"{kind} after a restart of {victims}")
        self._load.check()
        await check_commands(self._load)
        self.rounds_s.append(time.monotonic() - began_s)
        if len(self.rounds_s) % SHOWN == 0:
            report(self, self._load)

    def _served(self, kind: str, before: Counter[str]) -> bool:
        self._load.check()
        return self._load.witness.counts[kind] > before[kind]

    async def _kill_and_start(self, victims: str) -> None:
        if victims != "database":
            await self._fork.kill()
        if self._postgres is not None and victims != "server":
            await asyncio.to_thread(self._postgres.kill)
            await asyncio.to_thread(self._postgres.start)
        if victims != "database":
            await self._fork.start()
            while random.random() < STILLBORN:
                self.killed["starting"] += 1
                await asyncio.sleep(random.random())
                await self._fork.kill()
                await self._fork.start()


async def test_nothing_acknowledged_is_lost_and_nothing_is_done_twice(
    fork: Fork,
    postgres: RealPostgres | None,
    tmp_path: Path,
    serve: Callable[..., Any],
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with open_http() as http:
        await fork.start()
        await fork.ready(http)
        load = Load(fork.url, fork.mqtt_port, await registered(Client(fork.url, http)), tmp_path, http)
        killing = Killing(fork, postgres, load, http)
        load.start()
        try:
            for number in range(ROUNDS):
                await killing.round()
                if number % RESTART_DEVICE == RESTART_DEVICE - 1:
                    await random.choice(list(load.running.values())).restart()
            await load.finish()
            for device in load.running.values():
                await device.restart()
            await everything_answered(load)
            await check_commands(load)
            await check_twins_of_devices(load)
        finally:
            await load.cancel()
        report(killing, load)
        assert min(load.witness.counts[kind] for kind in KINDS) > ROUNDS
        assert load.witness.faults == []
        assert "never retrieved" not in caplog.text
        await fork.kill()
    rows = reader(fork.data / "entendre.db", postgres)
    check_database(load, rows)
    assert postgres is not None or rows("PRAGMA integrity_check") == [("ok",)]
    server = serve(data_dir=fork.data, environment=fork.environment)
    async with open_http() as http:
        load.people = Client(server.url, http)
        await check_commands(load, of_each=20)


async def registered(operator: Client) -> list[Device]:
    """Two devices with tokens."""
    devices = []
    for serial in ("SN-1", "SN-2"):
        body = {"product": "speaker", "serial": serial}
        made = await operator.until_answered("POST", "/api/v1/brands/home/devices", body)
        token = await operator.until_answered("POST", f"/api/v1/brands/home/devices/{made['id']}/tokens")
        devices.append(Device(made["id"], token["token"]))
    return devices


async def everything_answered(load: Load) -> None:
    """Wait until no command waits for a device."""
    deadline = time.monotonic() + PATIENCE_S
    for device in load.devices:
        for state in ("queued", "delivered"):
            waiting = f"{path_of(device)}/commands?state={state}&limit=1"
            while (await load.people.until_answered("GET", waiting))["data"]:
                assert time.monotonic() < deadline, f"a command of {device.id} stays {state}"
                await asyncio.sleep(0.05)


async def check_commands(load: Load, of_each: int = 3) -> None:
    """Commands whose answers were acknowledged are done, as the API says: the last, and some of all."""
    witness = load.witness
    for device in load.devices:
        known = [each for (owner, _), each in witness.commands.items() if owner == device.id and each in witness.done]
        for each in {*known[-of_each:], *random.sample(known, min(of_each, len(known)))}:
            found = await load.people.until_answered("GET", f"{path_of(device)}/commands/{each}")
            assert (found["state"], found["status"], found["result"]) == ("done", 200, found["payload"])


async def check_twins_of_devices(load: Load) -> None:
    """What each device thinks that it should be is what the cloud says."""
    for device in load.devices:
        twin = await load.people.until_answered("GET", f"{path_of(device)}/twin")
        desired = load.running[device.id].runner.desired
        await until(lambda twin=twin, desired=desired: desired.version == twin["desired_version"], "its device")
        assert desired.document == twin["desired"]


def report(killing: Killing, load: Load) -> None:
    """Show what happened."""
    witness = load.witness
    print(f"\n{len(killing.rounds_s)} rounds, killed {dict(killing.killed)}")
    print(f"acknowledged {dict(witness.counts)}, telemetry rows {len(witness.rows)}")
    print(f"answers lost {dict(witness.lost_answers)}, of those twin changes that were done {witness.unknown()}")
    print(f"said again after their acknowledgement {dict(witness.repeated)}")
    print(
        f"restart {statistics.median(killing.restarts_s):.2f} s in the median, {max(killing.restarts_s):.2f} s at most;"
        f" round {statistics.median(killing.rounds_s):.2f} s"
    )


# -- what the database holds -----------------------------------------------------------------------------------------

Rows = Callable[[str], list[tuple[Any, ...]]]


def reader(path: Path, postgres: RealPostgres | None) -> Rows:
    """Reads the database, past the server."""

    def of_file(sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(path)) as file:
            return file.execute(sql).fetchall()

    def of_server(sql: str) -> list[tuple[Any, ...]]:
        import psycopg

        assert postgres is not None
        with psycopg.connect(postgres.url()) as connection:
            return connection.execute(sql.encode()).fetchall()

    return of_file if postgres is None else of_server


def check_database(load: Load, rows: Rows) -> None:
    """Everything that was acknowledged is there, once, and nothing else."""
    check_twins(load, rows)
    witness = load.witness
    reminders = Counter(text for (text,) in rows("SELECT text FROM jobs"))
    assert reminders == Counter(witness.reminders)
    telemetry = rows("SELECT device, id FROM telemetry")
    assert Counter(telemetry) == Counter(witness.rows)
    assert len(telemetry) == BATCH * witness.counts["telemetry"]

    kept = rows("SELECT id, device, idempotency_key, payload, state, status, result FROM commands")
    assert Counter((device, key) for _, device, key, *_ in kept) == Counter(
        (device, f"{device}-{number}") for device, number in witness.commands
    )
    for id, device, key, payload, state, status, result in kept:
        number = int(key.rpartition("-")[2])
        assert witness.commands[device, number] == id
        assert json.loads(payload) == {"number": number}
        assert (state, status, json.loads(result)) == ("done", 200, {"number": number})
    assert witness.effects == Counter({id: 1 for id, *_ in kept})


def check_twins(load: Load, rows: Rows) -> None:
    """Each change is one version, and the only one of its version; all of them together are the twin."""
    witness = load.witness
    twins = {
        row[0]: row[1:] for row in rows("SELECT id, desired, desired_version, reported, reported_version FROM twins")
    }
    made: dict[tuple[tuple[str, str], str, int], int] = {}
    sql = "SELECT subject, topic, version, data FROM changes WHERE topic IN ('twin.desired', 'twin.reported')"
    for device, topic, version, data in rows(sql):
        ((key, number),) = json.loads(data)["patch"].items()
        change = ((device, topic.removeprefix("twin.")), key, number)
        assert change not in made, f"{change} was done twice"
        made[change] = version
    assert made.keys() == witness.patches.keys()
    assert {
        change: version for change, version in witness.patches.items() if version is not None
    }.items() <= made.items()
    for device in load.devices:
        desired, desired_version, reported, reported_version = twins[device.id]
        sections = {"desired": (desired, desired_version), "reported": (reported, reported_version)}
        for section, (document, last) in sections.items():
            here = {change: version for change, version in made.items() if change[0] == (device.id, section)}
            assert sorted(here.values()) == list(range(last - len(here) + 1, last + 1))
            assert last == len(here) + 1, "a version that nobody made"
            wanted: dict[str, int] = {}
            for (_, key, number), _ in sorted(here.items(), key=lambda item: item[1]):
                assert number == wanted.get(key, 0) + 1, f"{key} went from {wanted.get(key, 0)} to {number}"
                wanted[key] = number
            assert json.loads(document) == wanted
