"""What the database and the scheduler hold: durable writes a second, how long one waits, how late timers ring."""

from __future__ import annotations

import asyncio
import math
import tempfile
import time
from pathlib import Path
from typing import Any

from entendre.bench.machine import describe_machine
from entendre.core.actions import StartTimer
from entendre.jobs import Ring, Scheduler
from entendre.ports import ActionKey, Change, JobRow, OutboxEvent, Store
from entendre.store import SqliteStore
from entendre.system import SystemClock, new_id

WRITERS = 16
LASTS_S = 3.0
TIMERS = 500
TIMER_S = 2


def measure() -> dict[str, Any]:
    """Figures of a fresh database in the system's temporary folder. Units: writes a second, seconds."""
    with tempfile.TemporaryDirectory(prefix="entendre-bench-") as folder:
        return asyncio.run(_measure(Path(folder) / "entendre.db"))


async def _measure(path: Path) -> dict[str, Any]:
    store = await SqliteStore.open(path, SystemClock())
    try:
        one = await _write_for(store, 1)
        many = await _write_for(store, WRITERS)
        lateness_s = await _ring_together(store)
    finally:
        await store.close()
    return {
        "machine": describe_machine(),
        "writers": WRITERS,
        "writes_per_s": round(len(many) / LASTS_S, 1),
        "p50_s": _percentile(many, 50),
        "p99_s": _percentile(many, 99),
        "single_writes_per_s": round(len(one) / LASTS_S, 1),
        "single_p50_s": _percentile(one, 50),
        "single_p99_s": _percentile(one, 99),
        "timers_due_together": len(lateness_s),
        "lateness_p50_s": _percentile(lateness_s, 50),
        "lateness_max_s": _percentile(lateness_s, 100),
    }


async def _write_for(store: Store, writers: int) -> list[float]:
    """How long each write of that many concurrent writers took; a write is what starting a timer writes."""
    took_s: list[float] = []
    until_s = time.perf_counter() + LASTS_S

    async def writer() -> None:
        while (began_s := time.perf_counter()) < until_s:
            job = JobRow(new_id(), "timer", "bench", "en", time.time(), total_s=60, ended_at_s=time.time())
            event = OutboxEvent("job", job.id, "started")
            await store.write(Change(once=ActionKey(new_id(), 0), jobs=(job,), events=(event,)))
            took_s.append(time.perf_counter() - began_s)

    await asyncio.gather(*(writer() for _ in range(writers)))
    return took_s


async def _ring_together(store: Store) -> list[float]:
    """How late each of many timers rang that were due within moments of each other."""
    scheduler = Scheduler(store, SystemClock(), "UTC")
    lateness_s: list[float] = []
    all_rang = asyncio.Event()

    def rang(ring: Ring) -> None:
        lateness_s.append(time.time() - ring.due.timestamp())
        if len(lateness_s) == TIMERS:
            all_rang.set()

    scheduler.subscribe(rang)
    running = asyncio.create_task(scheduler.run())
    for _ in range(TIMERS // WRITERS + 1):
        starts = [
            scheduler.execute(StartTimer(TIMER_S), turn=new_id(), index=0, device="bench", language="en")
            for _ in range(WRITERS)
        ]
        await asyncio.gather(*starts)
    await all_rang.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await scheduler.close()
    return lateness_s[:TIMERS]


def _percentile(values_s: list[float], percent: float) -> float:
    ordered = sorted(values_s)
    return round(ordered[max(0, math.ceil(len(ordered) * percent / 100) - 1)], 6)
