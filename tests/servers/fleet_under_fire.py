"""Clients of a server that dies at any moment. They write down what it acknowledged, and say again what it did not.

Commands, reminders and telemetry have names (idempotency keys, ids of messages) and are simply said again; now and then
also what was acknowledged. A change of a twin has none: after an answer that was lost its writer reads what is there,
and says it again only if it is not, and only to the twin that it read (`If-Match`).
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from entendre.clients.api.errors import NotReachedError
from entendre.clients.device.commands import Command, CommandAnswer, CommandBook
from entendre.clients.device.http import HttpLink
from entendre.clients.device.link import DeviceLink, LinkRefusedError
from entendre.clients.device.mqtt import MqttLink
from entendre.clients.device.runner import DeviceRunner
from entendre.clients.device.telemetry import Reading

PATIENCE_S = 60.0
"""Longer than the server waits for its database: without an answer by then something hangs, and the test fails."""
AGAIN_S = 0.05
PACE_S = 0.02
SAID_AGAIN = 0.1
"""Share of what was acknowledged that is said again, as by a client that lost the answer."""
BATCH = 4
MOST_WAITING = 20
"""Commands that wait for one device; the server refuses more than 50."""

Section = tuple[str, str]
"""A device, and `desired` or `reported`."""


@dataclass
class Device:
    """One that the server knows."""

    id: str
    token: str


@dataclass
class Witness:
    """What was acknowledged, and what should not have been seen."""

    patches: dict[tuple[Section, str, int], int | None] = field(default_factory=dict)
    """By section, key and value: the version that was answered, or None where reading showed that it was done."""
    commands: dict[tuple[str, int], str] = field(default_factory=dict)
    """By device and number: its id."""
    effects: Counter[str] = field(default_factory=Counter)
    done: set[str] = field(default_factory=set)
    """Commands whose answer was acknowledged."""
    effects_of: Counter[str] = field(default_factory=Counter)
    """How many each device did."""
    reminders: set[str] = field(default_factory=set)
    rows: set[tuple[str, str]] = field(default_factory=set)
    """By device and id of the message."""
    counts: Counter[str] = field(default_factory=Counter)
    """How much was acknowledged, by kind."""
    lost_answers: Counter[str] = field(default_factory=Counter)
    repeated: Counter[str] = field(default_factory=Counter)
    """What was said again after it was acknowledged."""
    faults: list[str] = field(default_factory=list)

    def acknowledged(self, kind: str) -> None:
        """Count."""
        self.counts[kind] += 1

    def unknown(self) -> int:
        """Changes of twins whose answer was lost and that were done."""
        return sum(version is None for version in self.patches.values())


class Client:
    """HTTP to one server, by one caller."""

    def __init__(self, url: str, http: aiohttp.ClientSession, token: str | None = None) -> None:
        self._url = url
        self._http = http
        self._headers = {"Authorization": f"Bearer {token}"} if token else {}

    async def say(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any] | None:
        """The answer; None if there was none, or none that says what was done. Raises: TimeoutError, AssertionError."""
        sent = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            async with self._http.request(method, f"{self._url}{path}", json=body, headers=sent) as answer:
                document = await answer.json()
        except (aiohttp.ClientError, ConnectionError):
            return None
        if answer.status < 500:
            return answer.status, document
        assert answer.status == 503, f"{method} {path} was answered {answer.status} {document}"
        return None

    async def until_answered(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        """Say it until it is answered, however often that takes; what may be said again, or only reads."""
        for _ in range(int(PATIENCE_S / AGAIN_S)):
            answer = await self.say(method, path, body, **headers)
            if answer is not None and not _under_way(answer):
                status, document = answer
                assert status < 300, f"{method} {path} was answered {status} {document}"
                return document
            await asyncio.sleep(AGAIN_S)
        raise AssertionError(f"{method} {path} is not answered")


def _under_way(answer: tuple[int, Any]) -> bool:
    status, document = answer
    return status == 409 and "under way" in document["error"]["message"]


class WitnessedHttp(HttpLink):
    """A device's link that says when an answer of it was acknowledged."""

    on_answered: Callable[[str], None]

    async def answer(self, command: str, answer: CommandAnswer) -> None:
        """As `HttpLink.answer`."""
        await super().answer(command, answer)
        self.on_answered(command)


class WitnessedMqtt(MqttLink):
    """As `WitnessedHttp`."""

    on_answered: Callable[[str], None]

    async def answer(self, command: str, answer: CommandAnswer) -> None:
        """As `MqttLink.answer`."""
        await super().answer(command, answer)
        self.on_answered(command)


class RunningDevice:
    """A device that does its commands; what it did outlives its own restarts."""

    def __init__(self, device: Device, witness: Witness, file: Path, link: Callable[[], DeviceLink]) -> None:
        self.device = device
        self._witness = witness
        self._file = file
        self._link = link
        self.runner: DeviceRunner
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Switch it on."""
        link: Any = self._link()
        link.on_answered = self._answered
        book = CommandBook(self._file)
        book.on("note", self._note)
        self.runner = DeviceRunner(link, commands=book, first_pause_s=AGAIN_S)
        self._task = asyncio.create_task(self.runner.run())

    async def stop(self) -> None:
        """Switch it off."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    async def restart(self) -> None:
        """Off and on."""
        await self.stop()
        self.start()

    async def _note(self, command: Command) -> Any:
        self._witness.effects[command.id] += 1
        self._witness.effects_of[self.device.id] += 1
        return command.payload

    def _answered(self, command: str) -> None:
        if command not in self._witness.done:
            self._witness.done.add(command)
            self._witness.acknowledged("answer")


class Load:
    """Everybody who wants something of the server, until `stop`."""

    def __init__(
        self, url: str, mqtt_port: int, devices: list[Device], folder: Path, http: aiohttp.ClientSession
    ) -> None:
        self.witness = Witness()
        self.people = Client(url, http)
        self.devices = devices
        self._own = {each.id: Client(url, http, each.token) for each in devices}
        first, second = devices
        self.running = {
            first.id: RunningDevice(
                first, self.witness, folder / "first.json", lambda: WitnessedHttp(url, first.token, wait_s=5.0)
            ),
            second.id: RunningDevice(
                second,
                self.witness,
                folder / "second.json",
                lambda: WitnessedMqtt("127.0.0.1", mqtt_port, second.id, second.token),
            ),
        }
        self._stopping = False
        self._tasks: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begin."""
        first, second = self.devices
        for each in self.running.values():
            each.start()
        works: list[Awaitable[None]] = [self._remind()]
        works += [self._patch(first, "desired", f"writer{number}", self._by_staff(first)) for number in range(2)]
        works += [self._patch(second, "desired", "writer", self._by_staff(second))]
        works += [self._patch(first, "reported", f"part{number}", self._by_device(first)) for number in range(2)]
        works += [self._patch(second, "reported", "part", self._by_link(second))]
        works += [self._command(each) for each in self.devices]
        works += [self._measure(first, self._batch_by_http(first)), self._measure(second, self._batch_by_link(second))]
        self._tasks = [asyncio.ensure_future(each) for each in works]

    def check(self) -> None:
        """Raise what ended a client."""
        for each in self._tasks:
            if each.done() and not self._stopping:
                each.result()
        assert not self.witness.faults, self.witness.faults

    async def finish(self) -> None:
        """Have everybody end what they began. The server must be there."""
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def cancel(self) -> None:
        """Leave nobody."""
        for each in self._tasks:
            each.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for running in self.running.values():
            await running.stop()

    # -- twins -------------------------------------------------------------------------------------------------------

    async def _patch(self, device: Device, section: str, key: str, say: Callable[[dict[str, int]], Any]) -> None:
        """Count up a key of one's own, each number once."""
        number, where = 0, (device.id, section)
        while not self._stopping:
            number += 1
            version = await say({key: number})
            if version is None:
                self.witness.lost_answers["patch"] += 1
                version = await self._patch_again(device, section, key, number)
            self.witness.patches[where, key, number] = version
            self.witness.acknowledged(section)
            await asyncio.sleep(random.random() * PACE_S)

    async def _patch_again(self, device: Device, section: str, key: str, number: int) -> int | None:
        """Its version once it is done; None if it was done already."""
        own, path = self._writer_of(device, section)
        while True:
            twin = await self.people.until_answered("GET", f"{path_of(device)}/twin")
            found = twin[section].get(key, 0)
            if found == number:
                return None
            if found != number - 1:
                self.witness.faults.append(f"{section} {key} is {found}: {number - 1} was acknowledged")
            answer = await own.say("PATCH", path, {key: number}, If_Match=f'"{twin["etag"]}"')
            if answer is not None and answer[0] == 200:
                return int(answer[1]["version"])
            assert answer is None or answer[0] == 412, answer
            await asyncio.sleep(0 if answer else AGAIN_S)

    def _writer_of(self, device: Device, section: str) -> tuple[Client, str]:
        if section == "desired":
            return self.people, f"{path_of(device)}/twin/desired"
        return self._own[device.id], "/api/v1/device/twin/reported"

    def _by_staff(self, device: Device) -> Callable[[dict[str, int]], Any]:
        return lambda patch: _version(self.people, f"{path_of(device)}/twin/desired", patch)

    def _by_device(self, device: Device) -> Callable[[dict[str, int]], Any]:
        return lambda patch: _version(self._own[device.id], "/api/v1/device/twin/reported", patch)

    def _by_link(self, device: Device) -> Callable[[dict[str, int]], Any]:
        async def report(patch: dict[str, int]) -> int | None:
            try:
                return await (await self._connected(device)).report(patch)
            except (NotReachedError, LinkRefusedError):
                return None

        return report

    async def _connected(self, device: Device) -> DeviceLink:
        """Its link. It may be switched off and on meanwhile."""
        running = self.running[device.id]

        def connected() -> bool:  # of the runner of now
            return running.runner.connected.is_set()

        await until(connected, f"{device.id} connects")
        return running.runner.link

    # -- commands ----------------------------------------------------------------------------------------------------

    async def _command(self, device: Device) -> None:
        number, witness = 0, self.witness
        while not self._stopping:
            number += 1
            witness.commands[device.id, number] = await self._queue(device, number)
            witness.acknowledged("command")
            if random.random() < SAID_AGAIN:
                again = random.randint(1, number)
                if await self._queue(device, again) != witness.commands[device.id, again]:
                    witness.faults.append(f"command {again} of {device.id} was queued twice")
                witness.repeated["command"] += 1
            while witness.effects_of[device.id] + MOST_WAITING < number:
                if self._stopping:
                    return
                await asyncio.sleep(AGAIN_S)
            await asyncio.sleep(random.random() * PACE_S)

    async def _queue(self, device: Device, number: int) -> str:
        body = {"name": "note", "payload": {"number": number}, "ttl_s": 86_400}
        key = f"{device.id}-{number}"
        return str((await self._insisted("command", f"{path_of(device)}/commands", body, key))["id"])

    async def _insisted(self, kind: str, path: str, body: Any, key: str) -> Any:
        answer = await self.people.say("POST", path, body, Idempotency_Key=key)
        if answer is not None and answer[0] < 300:
            return answer[1]
        self.witness.lost_answers[kind] += 1
        return await self.people.until_answered("POST", path, body, Idempotency_Key=key)

    # -- reminders ---------------------------------------------------------------------------------------------------

    async def _remind(self) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._asked(number)
            self.witness.reminders.add(f"water plant {number}")
            self.witness.acknowledged("reminder")
            if random.random() < SAID_AGAIN:
                await self._asked(random.randint(1, number))
                self.witness.repeated["reminder"] += 1
            await asyncio.sleep(random.random() * PACE_S)

    async def _asked(self, number: int) -> None:
        sentence = f"remind me to water plant {number} tomorrow at 9 pm"
        body = {"text": sentence, "act": True, "device": "kitchen"}
        document = await self._insisted("reminder", "/v1/ask", body, f"reminder-{number}")
        while document["failed"]:
            self.witness.lost_answers["reminder"] += 1
            await asyncio.sleep(AGAIN_S)
            document = await self._insisted("reminder", "/v1/ask", body, f"reminder-{number}")
        planned = [each["text"] for each in document["plan"]["actions"]]
        if planned != [f"water plant {number}"]:
            self.witness.faults.append(f"{sentence}: planned {planned}")

    # -- telemetry ---------------------------------------------------------------------------------------------------

    async def _measure(self, device: Device, send: Callable[[list[Reading]], Awaitable[bool]]) -> None:
        number = 0
        while not self._stopping:
            number += 1
            await self._sent(number, send)
            self.witness.rows |= {(device.id, each.id) for each in _readings(number)}
            self.witness.acknowledged("telemetry")
            if random.random() < SAID_AGAIN:
                await self._sent(random.randint(1, number), send)
                self.witness.repeated["telemetry"] += 1
            await asyncio.sleep(random.random() * PACE_S)

    async def _sent(self, number: int, send: Callable[[list[Reading]], Awaitable[bool]]) -> None:
        while not await send(_readings(number)):
            self.witness.lost_answers["telemetry"] += 1
            await asyncio.sleep(AGAIN_S)

    def _batch_by_http(self, device: Device) -> Callable[[list[Reading]], Awaitable[bool]]:
        async def send(readings: list[Reading]) -> bool:
            messages = [{"id": each.id, "at_s": each.at_s, "body": each.body} for each in readings]
            answer = await self._own[device.id].say("POST", "/api/v1/device/telemetry", {"messages": messages})
            assert answer is None or answer[0] == 200, answer
            return answer is not None

        return send

    def _batch_by_link(self, device: Device) -> Callable[[list[Reading]], Awaitable[bool]]:
        async def send(readings: list[Reading]) -> bool:
            try:
                await (await self._connected(device)).send(readings)
            except (NotReachedError, LinkRefusedError):
                return False
            return True

        return send


def path_of(device: Device) -> str:
    """Where a device is in the API."""
    return f"/api/v1/brands/home/devices/{device.id}"


async def _version(client: Client, path: str, patch: dict[str, int]) -> int | None:
    answer = await client.say("PATCH", path, patch)
    assert answer is None or answer[0] == 200, answer
    return int(answer[1]["version"]) if answer is not None else None


def _readings(batch: int) -> list[Reading]:
    return [Reading(f"{batch}-{number}", 1_790_000_000.0 + batch, {"batch": batch}) for number in range(BATCH)]


def open_http() -> aiohttp.ClientSession:
    """Connections that come and go with the server."""
    return aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=PATIENCE_S))


async def until(condition: Callable[[], bool], what: str, wait_s: float = PATIENCE_S) -> None:
    """Wait for something. Raises: AssertionError."""
    for _ in range(round(wait_s / 0.01)):
        if condition():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"{what}: not within {wait_s:g} s")
