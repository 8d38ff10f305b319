"""A process that starts timers and alarms, rings, acknowledges and changes a list until somebody kills it.

It writes a line once something is acknowledged: `begun N`, `acked N`, `rang RING JOB-NAME`, `silenced RING`. Turns
`from … from+∞` are new; those on the command line are retried first, as a client does that never got an answer.
Time runs ten times as fast as the machine's clock, so that a timer of a second takes 100 ms.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from entendre.core.actions import Action, AddItem, CreateAlarm, RemoveItem, StartTimer
from entendre.home.lists import Lists
from entendre.jobs import Ring, Scheduler
from entendre.store import SqliteStore

SPEED = 10.0
EPOCH_S = 1_790_000_000.0
WORKERS = 4


class FastClock:
    """The machine's clock, sped up; the same in every process."""

    def monotonic(self) -> float:
        return time.monotonic() * SPEED

    def wall(self) -> float:
        return EPOCH_S + (time.time() - EPOCH_S) * SPEED


def say(line: str) -> None:
    os.write(1, (line + "\n").encode())  # unbuffered: what was acknowledged is out


def action_of(turn: int, now_s: float) -> Action:
    """What a turn asks for; the kind depends on its number only, so that a retry asks for the same."""
    if turn % 4 == 0:
        return AddItem("shopping", f"item {turn}")
    if turn % 4 == 1 and turn > 40:
        return RemoveItem("shopping", f"item {turn - 41}")
    if turn % 9 == 0:
        next_minute = datetime.fromtimestamp(now_s, UTC) + timedelta(minutes=1)
        return CreateAlarm(next_minute.strftime("%H:%M"), name=f"job {turn}")
    return StartTimer(1 + turn % 3, f"job {turn}")


class Fire:
    """One life of the process."""

    def __init__(self, store: SqliteStore, draining: bool) -> None:
        self.clock = FastClock()
        self.lists = Lists(store)
        self.jobs = Scheduler(store, self.clock, "UTC")
        self.draining = draining
        self.stopped = asyncio.Event()

    async def do(self, turn: int) -> None:
        say(f"begun {turn}")
        action = action_of(turn, self.clock.wall())
        if isinstance(action, AddItem | RemoveItem):
            await self.lists.execute(action, turn=f"turn-{turn}", index=0)
        else:
            await self.jobs.execute(action, turn=f"turn-{turn}", index=0, device="kitchen", language="en")
        say(f"acked {turn}")

    async def rang(self, ring: Ring) -> None:
        say(f"rang {ring.id} {ring.name}")
        if self.draining or random.random() < 0.7:
            await asyncio.sleep(random.random() * 0.02)
            if await self.jobs.dismiss(ring):
                say(f"silenced {ring.id}")

    async def work(self, retries: list[int], first: int) -> None:
        for turn in retries:
            await self.do(turn)
        if self.draining:
            while self.jobs.timers(datetime.now(UTC)) or self.jobs.alarms(datetime.now(UTC)):
                self.stopped.clear()
                await self.stopped.wait()
            return
        turns = iter(range(first, sys.maxsize))

        async def worker() -> None:
            while True:
                await self.do(next(turns))
                await asyncio.sleep(random.random() * 0.03)

        await asyncio.gather(*(worker() for _ in range(WORKERS)))


async def main(path: Path, first: int, draining: bool, retries: list[int]) -> None:
    store = await SqliteStore.open(path, FastClock())
    fire = Fire(store, draining)
    await fire.lists.load()
    await fire.jobs.load()
    fire.jobs.subscribe(fire.rang, lambda ring: fire.stopped.set())
    running = asyncio.create_task(fire.jobs.run())
    say("ready")
    await fire.work(retries, first)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await fire.jobs.close()
    await fire.lists.close()
    await store.close()
    say("drained")


if __name__ == "__main__":
    options = json.loads(sys.argv[1])
    asyncio.run(main(Path(options["path"]), options["first"], options["draining"], options["retries"]))
