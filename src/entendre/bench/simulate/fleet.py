"""A fleet from the factory to a finished rollout: the first release is faulty, stops by itself, and is mended."""

from __future__ import annotations

import asyncio
import math
import random
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from entendre.bench.simulate.devices import FAULTY, MENDED, OLD, Device, Factory, come_up, enrol, look_for_release
from entendre.bench.simulate.maker import Maker
from entendre.bench.simulate.requests import Requests, UnexpectedAnswerError

WORKERS = 64
WATCH_EVERY_S = 0.5
EAGER_TURNS = 4
"""Every so many turns a worker takes a device that need not ask soon."""
MAX_EVENTS = 200
FLAKY_PERCENT = 0.5
IDLE_S = 0.3
"""How long a worker rests after a device that was offered nothing: those that update come first."""
PATIENCE_S = 900.0
"""A step that takes longer has gone wrong."""


@dataclass(frozen=True, slots=True)
class FleetOptions:
    """What to simulate. `groups`: percents; `download_percent`: of all devices, that fetch the files too.

    `fail_percent`: of the second group, that cannot run the first release; `threshold_percent`: how many may.
    """

    devices: int = 10_000
    groups: tuple[float, ...] = (1.0, 10.0, 100.0)
    fail_percent: float = 3.0
    threshold_percent: float = 2.0
    download_percent: float = 0.0
    install_s: float = 0.1
    seed: int = 1


@dataclass(slots=True)
class FleetProgress:
    """What is to be seen while it runs. `rollout`: as the server tells of it; `steps`: what was done, with seconds."""

    devices: int
    phase: str = "starting"
    done: int = 0
    steps: list[tuple[str, float]] = field(default_factory=list)
    rollout: dict[str, Any] | None = None
    firmware: dict[str, int] = field(default_factory=dict)
    events: deque[tuple[float, str]] = field(default_factory=lambda: deque(maxlen=MAX_EVENTS))
    started_s: float = field(default_factory=time.monotonic)
    requests: Requests | None = None
    wrong: list[str] = field(default_factory=list)

    def say(self, text: str) -> None:
        """Something happened."""
        self.events.append((time.monotonic() - self.started_s, text))

    def check(self, is_right: bool, text: str) -> None:
        """Note what is not as it should be."""
        if not is_right:
            self.wrong.append(text)
            self.say(f"UNEXPECTED: {text}")


async def simulate_fleet(
    url: str, token: str | None, brand: str, options: FleetOptions, progress: FleetProgress
) -> dict[str, Any]:
    """Run all of it; the figures. What was unexpected is in `progress.wrong`. Raises: EntendreError."""
    async with Requests(url, token) as requests:
        progress.requests = requests
        return await _Simulation(requests, brand, options, progress).run()


class _Simulation:
    def __init__(self, requests: Requests, brand: str, options: FleetOptions, progress: FleetProgress) -> None:
        self._requests = requests
        self._options = options
        self._progress = progress
        self._chance = random.Random(options.seed)
        self._maker = Maker(requests, brand, options.seed)
        self._factory: Factory
        self._devices = [Device(f"SIM{number:07d}") for number in range(options.devices)]
        self._figures: dict[str, Any] = {"devices": options.devices}

    async def run(self) -> dict[str, Any]:
        say = self._progress.say
        self._factory = await self._maker.found()
        say("the maker has a brand, a product, an enrolment group and a signing key")
        for device in self._chance.sample(self._devices, self._share(self._options.download_percent, self._devices)):
            device.downloads = True
        await self._each("enrol", lambda each: enrol(self._requests, self._factory, each))
        await self._each("twin, telemetry", lambda each: come_up(self._requests, each))
        self._progress.firmware = {OLD: len(self._devices)}
        release = await self._faulty()
        await self._mended(release)
        self._figures |= {
            "requests": self._requests.sent,
            "sent_again": self._requests.again,
            "seconds": round(time.monotonic() - self._progress.started_s, 1),
            "steps_s": {name: round(seconds, 1) for name, seconds in self._progress.steps},
            "unexpected": list(self._progress.wrong),
        }
        return self._figures

    # -- rollouts ----------------------------------------------------------------------------------------------------

    async def _faulty(self) -> str:
        """Roll out a release that some devices of the second group cannot run."""
        release = await self._maker.release(FAULTY)
        rollout = await self._maker.roll_out(release, "faulty", self._plan(approval=True))
        async with self._step(f"rollout of {FAULTY}"), self._polling(FAULTY), self._watching(rollout):
            if await self._until(rollout, "awaiting_approval"):
                await self._break_some(rollout)
                await self._maker.operate(rollout, "approve")
                self._progress.say("group 2 is approved")
            found = await self._until(rollout, "stopped", "finished")
        self._check_stopped(found)
        await self._maker.operate(rollout, "abort")
        await self._maker.withdraw(release)
        self._progress.say(f"{FAULTY} is withdrawn")
        return release

    async def _break_some(self, rollout: str) -> None:
        members = set(await self._maker.members(rollout, 1))
        some = [each for each in self._devices if each.id in members]
        broken = self._chance.sample(some, self._share(self._options.fail_percent, some))
        for device in broken:
            device.cannot_run.add(FAULTY)
        self._progress.say(f"{len(broken)} of {len(some)} devices of group 2 cannot run {FAULTY}")
        self._figures["cannot_run"] = len(broken)

    def _check_stopped(self, found: dict[str, Any] | None) -> None:
        check = self._progress.check
        if found is None:
            check(False, f"the rollout of {FAULTY} came to no end")
            return
        if self._options.fail_percent <= self._options.threshold_percent:
            check(found["state"] == "finished", f"the rollout of {FAULTY} is {found['state']}")
            return
        second = found["groups"][1]
        failed = second["failed"] + second["timed_out"]
        reached = sum(each["succeeded"] for each in found["groups"])
        check(found["state"] == "stopped", f"a rollout that failed too often is {found['state']}")
        check(failed <= second["limit"], f"{failed} devices failed, at most {second['limit']} may")
        check(found["group"] == 1, "the third group was started")
        check(
            all(each.firmware != FAULTY or not each.cannot_run for each in self._devices),
            "a device runs what it cannot",
        )
        self._progress.say(f"it stopped by itself: {failed} failed of {second['total']}, {second['limit']} may")
        self._figures["stopped"] = {
            "group": found["group"] + 1,
            "reason": found["reason"],
            "failed": failed,
            "limit": second["limit"],
            "of": second["total"],
            "updated_before": reached,
        }

    async def _mended(self, faulty: str) -> None:
        """Roll out the mended release to all; some of the last group fail once, and are tried again."""
        release = await self._maker.release(MENDED)
        rollout = await self._maker.roll_out(release, "mended", self._plan(approval=False))
        async with self._step(f"rollout of {MENDED}"), self._polling(MENDED), self._watching(rollout):
            await self._make_flaky(rollout)
            found = await self._until(rollout, "finished", "stopped")
            if found is not None and found["state"] == "finished" and self._failed(found):
                self._figures["failed_once"] = self._failed(found)
                self._progress.say(f"{self._failed(found)} devices failed by bad luck: retried")
                await self._maker.operate(rollout, "retry")
                found = await self._until(rollout, "finished", "stopped")
        check, total = self._progress.check, len(self._devices)
        check(found is not None and found["state"] == "finished", f"the rollout of {MENDED} did not finish")
        if found is not None:
            updated = sum(each["succeeded"] for each in found["groups"])
            check(updated == total, f"{updated} of {total} devices are updated")
        said = sum(each.firmware == MENDED for each in self._devices)
        known = await self._maker.running(MENDED)
        check(said == total, f"{said} of {total} devices run {MENDED}")
        check(known == total, f"the server knows of {known} of {total} devices that they run {MENDED}")
        self._figures["updated"] = known
        self._progress.say(f"{known} of {total} devices run {MENDED}")

    async def _make_flaky(self, rollout: str) -> None:
        """Bad luck for some devices of the last group."""
        await self._until(rollout, "running", "finished", "stopped")
        members = set(await self._maker.members(rollout, len(self._options.groups) - 1))
        some = [each for each in self._devices if each.id in members]
        for device in self._chance.sample(some, self._share(FLAKY_PERCENT, some)):
            device.flaky = 1

    def _plan(self, *, approval: bool) -> dict[str, Any]:
        groups = [
            {
                "name": f"group {number}",
                "percent": percent,
                "error_percent": self._options.threshold_percent,
                "minimum": 100,
            }
            | {"success_percent": 95.0, "approval": approval and number == 2}
            for number, percent in enumerate(self._options.groups, 1)
        ]
        return {"groups": groups, "rate_per_min": 100_000, "max_parallel": 500, "timeout_s": 300}

    def _failed(self, found: dict[str, Any]) -> int:
        return sum(int(each["failed"]) + int(each["timed_out"]) for each in found["groups"])

    # -- time --------------------------------------------------------------------------------------------------------

    async def _until(self, rollout: str, *states: str) -> dict[str, Any] | None:
        """The rollout once it is in one of these states; None if that takes too long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    found = await self._maker.rollout(rollout)
                    if found["state"] in states:
                        return found
                    await asyncio.sleep(WATCH_EVERY_S)
        return None

    @asynccontextmanager
    async def _step(self, name: str) -> AsyncIterator[None]:
        started_s = time.monotonic()
        self._progress.phase, self._progress.done = name, 0
        self._progress.say(name)
        yield
        self._progress.steps.append((name, time.monotonic() - started_s))

    @asynccontextmanager
    async def _polling(self, number: str) -> AsyncIterator[None]:
        """Meanwhile every device that does not run a version yet asks now and then what to install."""
        waiting, soon = deque(self._chance.sample(self._devices, len(self._devices))), deque[Device]()

        async def worker(turn: int) -> None:
            while True:
                turn += 1
                first, second = (waiting, soon) if turn % EAGER_TURNS == 0 else (soon, waiting)
                queue = first or second
                if not queue:
                    await asyncio.sleep(WATCH_EVERY_S)
                    continue
                device = queue.popleft()
                before = device.firmware
                asked = await look_for_release(self._requests, self._factory, device, self._options.install_s)
                self._note_firmware(before, device.firmware)
                if device.firmware != number:
                    (soon if asked == "soon" else waiting).append(device)
                if asked != "tried":
                    await asyncio.sleep(IDLE_S)

        async with _in_background(worker(turn) for turn in range(min(WORKERS, len(self._devices)))):
            yield

    @asynccontextmanager
    async def _watching(self, rollout: str) -> AsyncIterator[None]:
        """Meanwhile what is shown follows the rollout."""

        async def watch() -> None:
            group = -1
            while True:
                found = await self._maker.rollout(rollout)
                self._progress.rollout = found
                if found["group"] > group:
                    group = found["group"]
                    self._progress.say(f"group {group + 1} of {len(found['groups'])} is started")
                await asyncio.sleep(WATCH_EVERY_S)

        async with _in_background([watch()]):
            yield
        self._progress.rollout = await self._maker.rollout(rollout)

    async def _each(self, name: str, work: Callable[[Device], Coroutine[Any, Any, None]]) -> None:
        """Do something with every device, so many at a time."""
        waiting = deque(self._devices)

        async def worker() -> None:
            while waiting:
                await work(waiting.popleft())
                self._progress.done += 1

        async with self._step(name), asyncio.TaskGroup() as tasks:
            for _ in range(WORKERS):
                tasks.create_task(worker())

    def _note_firmware(self, before: str, after: str) -> None:
        if before != after:
            counts = self._progress.firmware
            counts[before] = counts.get(before, 0) - 1
            counts[after] = counts.get(after, 0) + 1

    def _share(self, percent: float, of: list[Device]) -> int:
        return min(len(of), math.ceil(percent * len(of) / 100))


@asynccontextmanager
async def _in_background(works: Iterable[Coroutine[Any, Any, None]]) -> AsyncIterator[None]:
    """Run these until the block ends. Raises: what one of them raises, at the end of the block."""
    tasks = [asyncio.create_task(each) for each in works]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
    failed = [each for each in ended if isinstance(each, Exception)]
    if failed:
        raise failed[0] if isinstance(failed[0], UnexpectedAnswerError) else UnexpectedAnswerError(str(failed[0]))
