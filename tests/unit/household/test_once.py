"""What a turn did is not done twice, on the real database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from entendre.core.actions import (
    AddItem,
    AdjustTrait,
    Broadcast,
    CallDeviceTool,
    ControlMedia,
    StartTimer,
    StopRinging,
    Trait,
)
from entendre.core.errors import UnsupportedActionError
from entendre.core.home import Room
from entendre.core.plan import DeviceView, Mentioned, Plan, World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.home.demo import demo_home
from entendre.home.graph import HomeGraph
from entendre.home.lists import Lists
from entendre.jobs.scheduler import Scheduler
from entendre.session.announcing import Announcement, Audience, Speaker
from entendre.session.assistant import Assistant
from entendre.session.household import LiveHousehold
from entendre.session.silent import NoEars, NoVad
from entendre.session.text import answer_text
from entendre.store.database import Database
from entendre.store.sqlite import SqliteStore

DO_ALL = "do everything"
LAMP = "living_room_ceiling"
"""On, at 80 %."""


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


class OnePlan:
    """Understands everything, and always plans the same."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    def prepare(self, languages: Sequence[str]) -> None:
        """Every language is ready."""

    async def ready(self, languages: Sequence[str]) -> None:
        """Every language is."""

    def respelling(self, language: str) -> None:
        return None

    def understand(self, text: str, language: str, world: World, alternatives: Sequence[str] = ()) -> Understanding:
        return Understanding(text, language, (Command("Any"),), Completeness.COMPLETE, 1.0)

    async def plan(self, understanding: Understanding, world: World) -> Plan:
        return self._plan

    def mentioned(self, world: World, understanding: Understanding, plan: Plan) -> Mentioned:
        return Mentioned()

    def told(self, understanding: Understanding, world: World, call: CallDeviceTool, answer: str) -> str:
        return answer

    def phrase(self, key: str, language: str, **values: object) -> str:
        return key


class Speakers:
    """Counts what is announced."""

    def __init__(self) -> None:
        self.said: list[str] = []

    def control_media(self, action: ControlMedia, audience: Audience) -> tuple[Speaker, ...]:
        return ()

    def announce(self, announcement: Announcement, audience: Audience) -> tuple[Speaker, ...]:
        self.said.append(announcement.text)
        return (Speaker("d2", None),)


class Parts:
    """A household over one database file, and the assistant around it."""

    def __init__(self, path: Path) -> None:
        self.clock = HandClock()
        self.database = Database(path)
        store = SqliteStore(self.database, self.clock, "home")
        home = demo_home()
        self.lamp = next(each for each in home.appliances if each.id == LAMP)
        self.graph = HomeGraph(home)
        self.jobs = Scheduler(store, self.clock, "UTC")
        self.lists = Lists(store)
        self.household = LiveHousehold(
            store=store,
            clock=self.clock,
            graph=self.graph,
            scheduler=self.jobs,
            lists=self.lists,
            speaker_rooms=lambda: (),
            rings_on=lambda device: frozenset(ring.id for ring in self.jobs.ringing()),
        )
        self.speakers = Speakers()

    async def start(self, plan: Plan) -> Assistant:
        await self.jobs.load()
        await self.lists.load()
        return Assistant(
            clock=self.clock,
            recognizer=NoEars(),
            voices={},
            vad=NoVad(),
            planner=OnePlan(plan),
            household=self.household,
            announcer=self.speakers,
        )

    async def close(self) -> None:
        await self.jobs.close()
        await self.lists.close()
        await self.database.close()


@pytest.fixture
async def parts(tmp_path: Path) -> AsyncIterator[Parts]:
    made = Parts(tmp_path / "e.sqlite")
    yield made
    await made.close()


async def test_a_request_that_is_sent_again_does_nothing_twice(parts: Parts) -> None:
    lamp = parts.lamp.id
    plan = Plan(
        "Done.",
        (StartTimer(600), AddItem("shopping", "tea"), AdjustTrait(lamp, Trait.BRIGHTNESS, 7), Broadcast("dinner")),
    )
    assistant = await parts.start(plan)
    device = DeviceView(id="phone")
    answers = [
        await answer_text(assistant, DO_ALL, device=device, language="en", act=True, turn="request:1") for _ in range(3)
    ]
    assert [answer.failed for answer in answers] == [(), (), ()]
    world = parts.household.world(device, Mentioned())
    assert len(world.timers) == 1
    assert parts.lists.snapshot()[0].items == ("tea",)
    lit = next(each for each in world.home.appliances if each.id == lamp)
    assert lit.state[Trait.BRIGHTNESS] == 87
    assert parts.speakers.said == ["dinner"]
    await answer_text(assistant, DO_ALL, device=device, language="en", act=True, turn="request:2")
    assert len(parts.household.world(device, Mentioned()).timers) == 2, "another request is done"


async def test_stopping_again_does_not_silence_what_rings_since(parts: Parts) -> None:
    assistant = await parts.start(Plan("", (StopRinging(),)))
    device = DeviceView(id="phone")
    for expected in (0, 1):
        await parts.jobs.execute(StartTimer(1), turn=f"timer-{expected}", index=0, device="phone", language="en")
        parts.clock.now_s += 2
        await parts.jobs.tick()
        assert len(parts.jobs.ringing()) == 1
        await answer_text(assistant, DO_ALL, device=device, language="en", act=True, turn="request:stop")
        assert len(parts.jobs.ringing()) == expected


async def test_media_of_an_appliance_is_its_own_trait(parts: Parts) -> None:
    graph = parts.graph
    player = next(each for each in graph.snapshot().appliances if Trait.PLAYING in each.traits)
    await parts.start(Plan())
    said = {"turn": "t", "device": "d1", "language": "en"}
    await parts.household.execute(ControlMedia("resume", appliance=player.id), index=0, **said)
    playing = {each.id: each.state.get(Trait.PLAYING) for each in graph.snapshot().appliances}
    assert playing[player.id] is True
    for index, odd in enumerate((ControlMedia("next", appliance=player.id), ControlMedia("play", "x", player.id)), 1):
        with pytest.raises(UnsupportedActionError):
            await parts.household.execute(odd, index=index, **said)


async def test_rooms_are_found_by_their_names_and_ids(parts: Parts) -> None:
    named = parts.household.room_named
    assert [named("Living room"), named("LIVING-ROOM"), named("living_room")] == ["living_room"] * 3
    assert named("moon base") == "moon base"
    parts.graph.put_room(Room("moon", {"en": ("Moon base",)}))
    assert named("moon base") == "moon"
