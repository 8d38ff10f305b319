"""Several households over one database, with real sentences and lists, without engines."""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from entendre.app.households import plan_of
from entendre.config import Settings
from entendre.core.actions import Action
from entendre.core.home import HOME, HomeSnapshot
from entendre.core.plan import DeviceView
from entendre.session.api import DeviceLink, DeviceProfile, ReplyStarted, RingStarted, SessionEvent, TurnEnded
from entendre.session.assistant import Assistant
from entendre.session.households import Households
from entendre.session.runtime import HouseholdPlan, HouseholdRuntime
from entendre.session.silent import NoEars, NoVad
from entendre.session.text import Answer, answer_text
from entendre.skills.planner import Planner
from entendre.store.database import Database
from entendre.store.homes import StoredHomes
from entendre.store.sqlite import SqliteStore
from entendre.system import new_id


@functools.cache
def sentences() -> Planner:
    """English, compiled once for all tests."""
    return Planner.load(Settings(), HomeSnapshot())


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@dataclass
class Speaker(DeviceLink):
    """A device that notes what it is told."""

    events: list[SessionEvent] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def deliver(self, event: SessionEvent) -> None:
        self.events.append(event)
        self.news.set()

    async def perform(self, action: Action) -> bool | str:
        return False

    def of(self, kind: type[Any]) -> list[Any]:
        return [event for event in self.events if isinstance(event, kind)]

    async def until(self, kind: type[Any], count: int = 1) -> Any:
        async with asyncio.timeout(5):
            while len(self.of(kind)) < count:
                self.news.clear()
                await self.news.wait()
        return self.of(kind)[count - 1]

    @property
    def said(self) -> list[str]:
        return [event.text for event in self.of(ReplyStarted)]

    @property
    def rings(self) -> list[RingStarted]:
        return self.of(RingStarted)


class Town:
    """Households over one database."""

    def __init__(self, database: Database, *, most: int = 100) -> None:
        self.database = database
        self.clock = HandClock()
        self.homes = StoredHomes(database, self.clock)
        plan = HouseholdPlan(HOME, HomeSnapshot(), "en", "UTC")
        self.households = Households(self._make(plan), self.homes, self.clock, self._make, _plan_of, most=most)

    def _make(self, plan: HouseholdPlan) -> HouseholdRuntime:
        store = SqliteStore(self.database, self.clock, "home", plan.id)
        return HouseholdRuntime(plan, store, self.clock, sentences().at(plan.home), self._assemble)

    def _assemble(self, runtime: HouseholdRuntime) -> Assistant:
        return Assistant(
            clock=self.clock,
            recognizer=NoEars(),
            voices={},
            vad=NoVad(),
            planner=runtime.planner,
            household=runtime.household,
            announcer=runtime.hub,
            new_id=new_id,
        )

    async def sql(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        """Run a statement as somebody who administers the database."""
        return await self.database.write(lambda connection: list(connection.execute(statement, values)))

    async def build(self, household: str, rooms: dict[str, str] | None = None, language: str = "en") -> str:
        """A household with rooms, id to name."""
        sql = (
            "INSERT INTO households (region, id, brand, name, language, time_zone, retention, created_at_s, created_by,"
            " version) VALUES ('home', ?, 'home', ?, ?, 'UTC', '{}', 0, 'test', 1)"
        )
        await self.sql(sql, household, household, language)
        for id, name in (rooms or {}).items():
            sql = "INSERT INTO rooms (region, id, household, name, names, version) VALUES ('home', ?, ?, ?, ?, 1)"
            await self.sql(sql, f"{household}-{id}", household, name, json.dumps({"en": [name]}))
        return household

    async def deliver(self, device: str, household: str | None) -> str:
        """A device of the fleet, in a household or still in its box."""
        sql = (
            "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, household, state, firmware,"
            " online, created_at_s, created_by, changed_at_s, changed_by, version)"
            " VALUES ('home', ?, 'home', 'p', 'speaker', ?, ?, ?, 'active', '1', 0, 0, 'test', 0, 'test', 1)"
        )
        await self.sql(sql, device, device, device, household)
        return device

    async def move(self, device: str, household: str | None, change: str = "claimed") -> None:
        """A device comes into another household, and the feed says so."""
        await self.sql("UPDATE fleet_devices SET household = ? WHERE region = 'home' AND id = ?", household, device)
        sql = (
            "INSERT INTO changes (region, brand, household, topic, subject, change, at_s)"
            " VALUES ('home', 'home', ?, 'device', ?, ?, 0)"
        )
        await self.sql(sql, household, device, change)

    @asynccontextmanager
    async def talking(self, device: str, **profile: Any) -> AsyncIterator[tuple[Any, Speaker, asyncio.Task[None]]]:
        """A device that is connected: its conversation, what it hears, and the task that runs it."""
        speaker = Speaker()
        values: dict[str, Any] = {"proven": True, "replies_aloud": False} | profile
        conversation = self.households.open(DeviceProfile(device, **values), speaker)
        task = asyncio.create_task(conversation.run())
        try:
            yield conversation, speaker, task
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def ask(self, device: str, text: str, **profile: Any) -> str:
        """What a connected device is answered."""
        async with self.talking(device, **profile) as (conversation, speaker, _):
            conversation.respond(text)
            await speaker.until(TurnEnded)
            return " ".join(speaker.said)

    async def type(self, household: str, text: str, *, device: str = "web", turn: str | None = None) -> Answer:
        """What a household is asked by HTTP."""
        async with self.households.using(household) as runtime:
            view = DeviceView(id=device)
            return await answer_text(runtime.assistant, text, device=view, language="en", act=True, turn=turn)


def _plan_of(stored: Any) -> HouseholdPlan:
    return plan_of(Settings(), stored)


async def eventually(found: Callable[[], Awaitable[object] | object]) -> None:
    """Wait until something holds."""
    for _ in range(500):
        result = found()
        if await result if isinstance(result, Awaitable) else result:
            return
        await asyncio.sleep(0.01)
    raise AssertionError("it never held")


@asynccontextmanager
async def town(folder: Path, **limits: int) -> AsyncIterator[Town]:
    """A town that is closed at the end."""
    database = Database(folder / "entendre.db")
    built = Town(database, **limits)
    await built.households.own.start()
    try:
        yield built
    finally:
        await built.households.close()
        await built.households.own.close()
        await database.close()
