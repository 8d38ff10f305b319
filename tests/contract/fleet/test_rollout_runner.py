"""The task that drives rollouts: it lists devices, and tells those that are connected, also when one is deaf."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from makers import REGION, Maker, make_brand, make_devices

from entendre.cloud.downloads import SignedDownloads
from entendre.cloud.rollouts import COMMAND, RolloutRunner
from entendre.core.errors import OfflineError
from entendre.ports.commands import CommandAnswer
from entendre.ports.rollouts import ReleaseReport
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.rollouts import Rollouts
from entendre.system import SystemClock

WITHIN_S = 20.0


class Link:
    """A connection that keeps what it was called with."""

    kind = "test"

    def __init__(self, *, hears: bool = True) -> None:
        self.heard: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._hears = hears

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        self.heard.put_nowait((name, payload))
        if not self._hears:
            raise OfflineError("Gone.")
        return CommandAnswer(200, None)

    async def deliver(self, command: object) -> None:
        raise NotImplementedError

    def desired(self, patch: Any, version: int) -> None:
        raise NotImplementedError

    def close(self, reason: str) -> None:
        raise NotImplementedError


class Links:
    """The devices that are connected."""

    def __init__(self, links: dict[str, Link]) -> None:
        self._links = links

    @property
    def devices(self) -> tuple[str, ...]:
        return tuple(self._links)

    def attach(self, device: str, brand: str, link: Any) -> Callable[[], None]:
        raise NotImplementedError

    def link(self, device: str) -> Link | None:
        return self._links.get(device)

    def brand_of(self, device: str) -> str | None:
        return "acme" if device in self._links else None


@asynccontextmanager
async def working(runner: RolloutRunner) -> AsyncIterator[None]:
    task = asyncio.create_task(runner.run())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_connected_devices_are_told_one_after_the_other(database: Database, tmp_path: Path) -> None:
    await make_brand(database)
    await make_devices(database, ["deaf", "keen", "asleep"])
    clock = SystemClock()
    maker = Maker(database, tmp_path)

    async def find_ids(brand: str, query: str, after: str, limit: int) -> Sequence[str]:
        def work(connection: Connection) -> list[str]:
            sql = "SELECT id FROM fleet_devices WHERE region = ? AND id > ? ORDER BY id"
            return [str(row[0]) for row in connection.execute(sql, (REGION, after)).fetchall()]

        return await database.read(work)

    rollouts = Rollouts(database, clock, REGION, find_ids)
    deaf, keen = Link(hears=False), Link()
    tokens = SignedDownloads(b"k" * 32, clock)
    runner = RolloutRunner(rollouts, clock, tokens, Links({"deaf": deaf, "keen": keen}), "https://voice.example.org")
    rollouts.on_changed = runner.wake
    release = await maker.published("2.0.0")
    plan = json.dumps({"groups": [{"percent": 100, "error_percent": 70}], "rate_per_min": 100_000})
    rollout = await rollouts.create("acme", release.id, "", "", plan, by="test")
    async with working(runner), asyncio.timeout(WITHIN_S):
        await rollouts.operate("acme", rollout.id, "start", by="test")
        await deaf.heard.get()
        name, payload = await keen.heard.get()
        assert (name, payload["number"]) == (COMMAND, "2.0.0")
        assert payload["artifacts"][0]["url"].startswith("https://voice.example.org/api/v1/downloads/")
        assert await rollouts.ask("acme", "deaf") is not None, "the offer stands for one that did not hear"
        assert await rollouts.ask("acme", "asleep") is None, "two may fail, and two are under way"
        assert await rollouts.waits("acme", "asleep")
        for device in ("deaf", "keen"):
            await rollouts.report("acme", device, ReleaseReport(running="2.0.0"))
        assert await rollouts.ask("acme", "asleep") is not None
    assert deaf.heard.empty()
    assert keen.heard.empty()
