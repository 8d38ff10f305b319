"""Queued commands to a device whose connection breaks at any moment: each has effect once, and none is lost."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entendre.cloud.changes import LiveChanges
from entendre.cloud.commands import Commands
from entendre.cloud.links import LiveLinks
from entendre.core.errors import OfflineError
from entendre.ports.changes import Interest
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.links import SPEAKS
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.system import SystemClock, new_id

REGION, BRAND, DEVICE = "eu", "acme", "d1"
FATES = ("arrives", "lost", "answer_lost", "answered_twice", "breaks", "restarts")
"""What becomes of one delivery: the device never sees it, its answer never comes, the connection breaks after it …"""


class Device:
    """A device that follows the rule: a command that it did before is answered as before, and not done again.

    What it did outlives its restarts; what it has not answered yet does not.
    """

    def __init__(self, commands: Commands, links: LiveLinks, fates: list[str]) -> None:
        self.commands = commands
        self.links = links
        self.fates = fates
        self.effects: Counter[str] = Counter()
        self.done: dict[str, Any] = {}
        self.broken = 0

    def connect(self) -> None:
        self.link = Link(self)
        self.detach = self.links.attach(DEVICE, BRAND, self.link)

    def reconnect(self) -> None:
        self.broken += 1
        self.detach()
        self.connect()

    async def handed(self, link: Link, command: CommandRecord) -> None:
        fate = self.fates.pop() if self.fates else "arrives"
        if fate == "lost":
            self.reconnect()
            raise OfflineError("gone")
        if command.id not in self.done:
            self.effects[command.id] += 1
            self.done[command.id] = json.loads(command.payload)
        if fate in ("answer_lost", "restarts"):
            self.reconnect()
            return
        for _ in range(2 if fate == "answered_twice" else 1):
            await self.commands.answered(DEVICE, command.id, CommandAnswer(200, self.done[command.id]))
        if fate == "breaks":
            self.reconnect()


class Link:
    kind = "test"
    rank = SPEAKS

    def __init__(self, device: Device) -> None:
        self.device = device

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        raise OfflineError("not asked here")

    async def deliver(self, command: CommandRecord) -> None:
        await self.device.handed(self, command)

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        pass

    def close(self, reason: str) -> None:
        pass


async def play(folder: Path, count: int, fates: list[str], connects_after: int) -> None:
    database = await asyncio.to_thread(Database, folder / "entendre.db")
    clock = SystemClock()

    def work(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, state, firmware, online,"
            " created_at_s, created_by, changed_at_s, changed_by, version)"
            " VALUES (?, ?, ?, 'p', 'speaker', 's', 'n', 'active', '', 0, 0.0, 't', 0.0, 't', 1)",
            (REGION, DEVICE, BRAND),
        )

    await database.write(work)
    feed = LiveChanges(ChangeRows(database, clock, REGION), poll_s=0.01)
    await feed.open()
    database.on_written = feed.wake
    links = LiveLinks(feed)
    store = CommandRows(database, clock, REGION)

    async def brand_of(device: str) -> str | None:
        return BRAND

    commands = Commands(store, links, feed, clock, brand_of=brand_of, new_id=new_id)
    links.on_attached(commands.delivery.came)
    running = [asyncio.create_task(each) for each in (feed.run(), links.run(), commands.delivery.run())]
    device = Device(commands, links, list(fates))
    try:
        ids = []
        for number in range(count):
            if number == connects_after:
                device.connect()
            ids.append((await commands.queue(BRAND, DEVICE, "do", {"n": number}, key=f"k{number}", by="t")).id)
            await commands.queue(BRAND, DEVICE, "do", {"n": number}, key=f"k{number}", by="t")
        if connects_after >= count:
            device.connect()
        answered = feed.follow(Interest(topics=("command",)), 0)
        done = 0
        async with asyncio.timeout(20):
            while done < count:
                done += sum(each.change == "done" for each in (await anext(answered)).changes)
        await answered.aclose()  # type: ignore[attr-defined]
        assert device.effects == Counter(ids)
        for number, each in enumerate(ids):
            record = await store.get(BRAND, DEVICE, each)
            assert (record.state, json.loads(record.result or "")) == ("done", {"n": number})
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)
        await database.close()


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    count=st.integers(1, 8),
    fates=st.lists(st.sampled_from(FATES), max_size=12),
    connects_after=st.integers(0, 8),
)
def test_each_command_has_effect_once_and_none_is_lost(count: int, fates: list[str], connects_after: int) -> None:
    with TemporaryDirectory() as folder:
        asyncio.run(play(Path(folder), count, fates, min(connects_after, count)))
