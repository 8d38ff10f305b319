"""How fast telemetry is kept, and how long a direct command takes there and back, without a network in between."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from entendre.cloud.changes import LiveChanges
from entendre.cloud.commands import Commands
from entendre.cloud.links import LiveLinks
from entendre.ports.commands import CommandAnswer, CommandRecord
from entendre.ports.links import SPEAKS
from entendre.ports.telemetry import TelemetryRow
from entendre.store.database import Database
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.store.fleet.telemetry import TelemetryRows
from entendre.system import SystemClock, new_id

BRAND = "bench"
REGION = "home"
BATCH = 500
DEVICES = 200
BODY = '{"temperature_c":21.5,"volume":40,"signal_dbm":-61}'


async def measure_telemetry(
    database: Database, *, rows: int = 200_000, batch: int = BATCH, senders: int = 64
) -> dict[str, Any]:
    """Rows a second, each durable before its sender goes on. `senders` devices send batches at the same time."""
    clock = SystemClock()
    store = TelemetryRows(database, clock, REGION)
    batches = iter(range(rows // batch))

    async def send() -> None:
        for number in batches:
            now_s = clock.wall()
            device = f"bench-{number % DEVICES}"
            first = new_id()
            await store.add([TelemetryRow(device, f"{first}.{n}", BRAND, now_s, now_s, BODY) for n in range(batch)])

    began_s = time.perf_counter()
    await asyncio.gather(*(send() for _ in range(senders)))
    took_s = time.perf_counter() - began_s
    kept = rows // batch * batch
    return {"rows": kept, "batch": batch, "senders": senders, "seconds": took_s, "telemetry_rows_per_s": kept / took_s}


class _Echo:
    """A device that answers at once."""

    kind = "bench"
    rank = SPEAKS

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        await asyncio.sleep(0)
        return CommandAnswer(200, payload)

    async def deliver(self, command: CommandRecord) -> None:
        return

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        return

    def close(self, reason: str) -> None:
        return


async def measure_commands(database: Database, *, commands: int = 5_000, at_once: int = 4) -> dict[str, Any]:
    """Seconds of a direct command there and back, with its history being written behind it."""
    clock = SystemClock()
    feed = LiveChanges(ChangeRows(database, clock, REGION))
    await feed.open()
    links = LiveLinks(feed)
    detach = [links.attach(f"bench-{number}", BRAND, _Echo()) for number in range(DEVICES)]

    async def brand_of(device: str) -> str | None:
        return BRAND

    desk = Commands(CommandRows(database, clock, REGION), links, feed, clock, brand_of=brand_of, new_id=new_id)
    numbers, took_s = iter(range(commands)), []

    async def ask() -> None:
        for number in numbers:
            began_s = time.perf_counter()
            await desk.direct(BRAND, f"bench-{number % DEVICES}", "ping", {"n": number}, by="bench")
            took_s.append(time.perf_counter() - began_s)
            await asyncio.sleep(0)

    began_s = time.perf_counter()
    await asyncio.gather(*(ask() for _ in range(at_once)))
    all_s = time.perf_counter() - began_s
    await desk.settle()
    for end in detach:
        end()
    took_s.sort()
    return {
        "commands": commands,
        "at_once": at_once,
        "commands_per_s": commands / all_s,
        "command_p50_s": took_s[len(took_s) // 2],
        "command_p99_s": took_s[int(len(took_s) * 0.99)],
    }
