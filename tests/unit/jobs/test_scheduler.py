from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from entendre.core.actions import (
    Action,
    ChangeAlarm,
    ChangeReminder,
    ChangeTimer,
    CreateAlarm,
    CreateReminder,
    StartTimer,
    StopSpeaking,
)
from entendre.core.errors import ActionError, InvalidInputError, StoreError, UnknownTargetError
from entendre.jobs import Ring, Scheduler
from entendre.jobs.ledger import RING_FOR_S
from entendre.jobs.scheduler import LATE_S
from entendre.ports import Change
from entendre.store import SqliteStore
from entendre.system import new_id

PARIS = "Europe/Paris"


class HandClock:
    """A clock that a test moves."""

    def __init__(self, now_s: float) -> None:
        self.now_s = now_s

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


class Bench:
    """A scheduler on a hand-moved clock, and what its subscribers were told."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.clock = HandClock(datetime(2026, 5, 4, 6, 0, tzinfo=ZoneInfo(PARIS)).timestamp())  # a Monday
        self.rung: list[Ring] = []
        self.stopped: list[Ring] = []
        self.timer_changes: list[tuple[str, str]] = []

    async def open(self, zone: str = PARIS) -> None:
        self.store = await SqliteStore.open(self.path, self.clock)
        self.jobs = Scheduler(self.store, self.clock, zone)
        self.jobs.subscribe(self.rung.append, self.stopped.append)
        self.jobs.subscribe_timers(lambda view, change: self.timer_changes.append((view.name or "", change)))
        await self.jobs.load()

    async def close(self) -> None:
        await self.jobs.close()
        await self.store.close()

    async def restart(self, zone: str = PARIS, down_s: float = 0.0) -> None:
        """Die and come back: nothing but the file is kept."""
        await self.close()
        self.clock.now_s += down_s
        await self.open(zone)
        self.jobs._resume_rings()
        await self.jobs.tick()

    async def pass_time(self, seconds: float) -> None:
        self.clock.now_s += seconds
        await self.jobs.tick()

    async def until(self, text: str, zone: str = PARIS) -> None:
        await self.pass_time(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp() - self.clock.now_s)

    async def do(self, action: Action, turn: str | None = None, device: str = "kitchen") -> None:
        await self.jobs.execute(action, turn=turn or new_id(), index=0, device=device, language="en")

    @property
    def now(self) -> datetime:
        return datetime.fromtimestamp(self.clock.now_s, UTC)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    made = Bench(tmp_path / "entendre.db")
    await made.open()
    yield made
    await made.close()


async def test_a_timer_rings_once_at_its_time_on_its_device(bench: Bench) -> None:
    await bench.do(StartTimer(60, "pasta"))
    await bench.pass_time(59.9)
    assert bench.rung == []
    assert bench.jobs.timers(bench.now)[0].remaining_s == pytest.approx(0.1, abs=1e-3)
    await bench.pass_time(0.2)
    (ring,) = bench.rung
    assert (ring.kind, ring.name, ring.device, ring.language, ring.state) == (
        "timer",
        "pasta",
        "kitchen",
        "en",
        "ringing",
    )
    assert ring.due.isoformat() == "2026-05-04T06:01:00+02:00"
    (view,) = bench.jobs.timers(bench.now)
    assert (view.ringing, view.remaining_s) == (True, 0.0)
    for _ in range(5):
        await bench.pass_time(1.0)
    assert len(bench.rung) == 1
    assert [each.id for each in await bench.jobs.stop_ringing("kitchen")] == [ring.id]
    assert [each.state for each in bench.stopped] == ["silenced"]
    assert bench.jobs.timers(bench.now) == ()
    assert bench.timer_changes == [("pasta", "started"), ("pasta", "ringing"), ("pasta", "ended")]


async def test_actions_run_once_per_turn_even_when_retried(bench: Bench) -> None:
    for _ in range(3):
        await bench.do(StartTimer(60, "a"), turn="turn-1")
    (timer,) = bench.jobs.timers(bench.now)
    for _ in range(3):
        await bench.do(ChangeTimer(timer.id, "add", 30), turn="turn-2")
    assert bench.jobs.timers(bench.now)[0].remaining_s == 90
    for _ in range(2):
        await bench.do(ChangeTimer(timer.id, "cancel"), turn="turn-3")
    await bench.restart()
    await bench.do(ChangeTimer(timer.id, "cancel"), turn="turn-3")
    await bench.do(StartTimer(60, "a"), turn="turn-1")
    assert bench.jobs.timers(bench.now) == ()
    with pytest.raises(UnknownTargetError):
        await bench.do(ChangeTimer(timer.id, "cancel"), turn="turn-4")


async def test_timers_pause_resume_lengthen_and_restart(bench: Bench) -> None:
    await bench.do(StartTimer(100, "tea"))
    (timer,) = bench.jobs.timers(bench.now)

    async def then(change: str, seconds: int | None = None) -> float:
        await bench.do(ChangeTimer(timer.id, change, seconds))  # type: ignore[arg-type]
        return bench.jobs.timers(bench.now)[0].remaining_s

    await bench.pass_time(40)
    assert await then("pause") == 60
    await bench.pass_time(1000)
    assert bench.jobs.timers(bench.now)[0].paused
    await bench.restart(down_s=500)
    assert await then("add", 20) == 80
    assert await then("resume") == 80
    assert await then("add", -30) == 50
    await bench.pass_time(10)
    assert await then("restart") == 90
    await bench.pass_time(89)
    assert bench.rung == []
    await bench.pass_time(1)
    assert len(bench.rung) == 1
    assert await then("add", 60) == 60  # while it rings
    assert [ring.state for ring in bench.stopped] == ["silenced"]
    assert not bench.jobs.timers(bench.now)[0].ringing
    await bench.pass_time(60)
    assert len(bench.rung) == 2


async def test_all_timers_can_be_cancelled_and_only_timers(bench: Bench) -> None:
    for seconds in (10, 20, 30):
        await bench.do(StartTimer(seconds))
    await bench.do(CreateAlarm("07:00"))
    await bench.pass_time(12)
    await bench.do(ChangeTimer("all", "cancel"))
    assert bench.jobs.timers(bench.now) == ()
    assert len(bench.jobs.alarms(bench.now)) == 1
    assert [ring.state for ring in bench.stopped] == ["silenced"]
    await bench.do(ChangeTimer("all", "cancel"))


async def test_an_alarm_rings_on_its_days_at_its_wall_time(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon", "wed"), name="work"))
    (alarm,) = bench.jobs.alarms(bench.now)
    assert alarm.next_at == datetime(2026, 5, 4, 7, tzinfo=ZoneInfo(PARIS))
    await bench.until("2026-05-04T07:00")
    (alarm,) = bench.jobs.alarms(bench.now)
    assert alarm.ringing
    assert alarm.next_at == datetime(2026, 5, 6, 7, tzinfo=ZoneInfo(PARIS))
    await bench.jobs.stop_ringing("kitchen")
    await bench.until("2026-05-06T06:59:59")
    assert len(bench.rung) == 1
    await bench.until("2026-05-06T07:00")
    assert len(bench.rung) == 2
    assert [ring.due.isoformat() for ring in bench.rung] == ["2026-05-04T07:00:00+02:00", "2026-05-06T07:00:00+02:00"]


async def test_a_single_alarm_is_gone_after_it_rang(bench: Bench) -> None:
    await bench.do(CreateAlarm("05:00"))
    assert bench.jobs.alarms(bench.now)[0].next_at == datetime(2026, 5, 5, 5, tzinfo=ZoneInfo(PARIS))
    await bench.until("2026-05-05T05:00")
    assert await bench.jobs.dismiss(bench.rung[0])
    assert not await bench.jobs.dismiss(bench.rung[0])
    assert bench.jobs.alarms(bench.now) == ()


async def test_alarms_skip_move_disable_and_cancel(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon", "tue", "wed")))

    async def then(change: str, **values: object) -> str | None:
        alarm = bench.jobs.alarms(bench.now)[0].id
        await bench.do(ChangeAlarm(alarm, change, **values))  # type: ignore[arg-type]
        next_at = bench.jobs.alarms(bench.now)[0].next_at
        return None if next_at is None else next_at.replace(tzinfo=None).isoformat(timespec="minutes")

    assert await then("skip") == "2026-05-05T07:00"
    assert await then("skip") == "2026-05-06T07:00"
    assert await then("move", time="08:30") == "2026-05-06T08:30"
    assert await then("disable") is None
    assert not bench.jobs.alarms(bench.now)[0].enabled
    await bench.restart()
    assert await then("enable") == "2026-05-06T08:30"
    await bench.do(ChangeAlarm("all", "cancel"))
    assert bench.jobs.alarms(bench.now) == ()


async def test_snoozing_rings_again_and_only_then(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", name="up"))
    await bench.until("2026-05-04T07:00")
    with pytest.raises(InvalidInputError):
        await bench.jobs.snooze("kitchen", -5)
    (snoozed,) = await bench.jobs.snooze("kitchen", 540)
    assert snoozed.state == "snoozed"
    assert bench.jobs.ringing() == ()
    await bench.restart(down_s=100)
    await bench.pass_time(439)
    assert len(bench.rung) == 1
    await bench.pass_time(1)
    assert [ring.name for ring in bench.rung] == ["up", "up"]
    await bench.do(ChangeAlarm(bench.rung[1].job, "snooze", seconds=60))
    await bench.pass_time(60)
    assert len(bench.rung) == 3
    await bench.jobs.stop_ringing()
    assert bench.jobs.alarms(bench.now) == ()
    with pytest.raises(UnknownTargetError):
        await bench.do(ChangeAlarm("all", "snooze", seconds=60))


async def test_a_ring_goes_on_after_a_crash_until_it_is_acknowledged(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon",)))
    await bench.until("2026-05-04T07:00")
    await bench.restart(down_s=30)
    await bench.restart(down_s=30)
    assert len({ring.id for ring in bench.rung}) == 1
    assert len(bench.rung) == 3
    await bench.jobs.stop_ringing("kitchen")
    await bench.restart(down_s=30)
    await bench.pass_time(3600)
    assert len(bench.rung) == 3
    assert bench.jobs.ringing() == ()


async def test_a_ring_ends_by_itself_and_a_missed_alarm_is_reported_once(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", name="up"))
    await bench.do(StartTimer(3600))
    await bench.until("2026-05-04T07:00")
    for ring in bench.rung:
        await bench.jobs.delivered(ring.id, "kitchen")
    await bench.pass_time(RING_FOR_S - 1)
    assert len(bench.jobs.ringing("kitchen")) == 2
    await bench.pass_time(1)
    assert bench.jobs.ringing() == ()
    assert sorted(ring.state for ring in bench.stopped) == ["expired", "missed"]
    await bench.restart()
    (missed,) = bench.jobs.missed()
    assert (missed.kind, missed.name) == ("alarm", "up")
    await bench.jobs.report_missed(bench.jobs.missed())
    assert bench.jobs.missed() == ()
    await bench.restart()
    assert bench.jobs.missed() == ()
    assert bench.jobs.alarms(bench.now) == ()


async def test_a_timer_that_no_device_sounded_is_missed(bench: Bench) -> None:
    await bench.do(StartTimer(60, "tea"))
    await bench.pass_time(60)
    await bench.pass_time(RING_FOR_S)
    assert [ring.name for ring in bench.jobs.missed()] == ["tea"]
    assert bench.jobs.timers(bench.now) == ()


async def test_what_fell_due_while_the_server_was_down(bench: Bench) -> None:
    await bench.do(CreateAlarm("06:30", name="old"))
    await bench.do(CreateAlarm("06:50", days=("mon", "tue"), name="recent"))
    await bench.do(StartTimer(60, "old timer"))
    await bench.do(StartTimer(3000, "recent timer"))
    await bench.do(CreateReminder("pills", "2026-05-04", "06:10"))
    await bench.restart(down_s=3600)
    assert sorted(ring.name or "" for ring in bench.rung) == ["pills", "recent", "recent timer"]
    assert sorted(ring.name or "" for ring in bench.jobs.missed()) == ["old", "old timer"]
    assert [alarm.name for alarm in bench.jobs.alarms(bench.now)] == ["recent"]


async def test_a_long_absence_rings_the_last_occurrence_only(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")))
    await bench.restart(down_s=10 * 86_400 + 3600 + LATE_S)
    assert [ring.due.isoformat() for ring in bench.rung] == ["2026-05-14T07:00:00+02:00"]
    assert bench.jobs.missed() == ()
    assert bench.jobs.alarms(bench.now)[0].next_at == datetime(2026, 5, 15, 7, tzinfo=ZoneInfo(PARIS))


async def test_a_reminder_waits_for_a_device_to_say_it(bench: Bench) -> None:
    await bench.do(CreateReminder("pills", "2026-05-04", "07:00"))
    assert bench.jobs.reminders(bench.now)[0].next_at == datetime(2026, 5, 4, 7, tzinfo=ZoneInfo(PARIS))
    await bench.until("2026-05-04T07:00")
    await bench.restart(down_s=5 * 3600)
    (ring,) = bench.jobs.ringing("kitchen")
    await bench.jobs.delivered(ring.id, "hall")
    assert bench.jobs.ringing("kitchen") == ()
    assert [each.id for each in bench.jobs.ringing("hall")] == [ring.id]
    await bench.pass_time(RING_FOR_S)
    assert bench.jobs.ringing() == ()
    assert bench.jobs.missed() == ()


async def test_reminders_repeat_and_can_be_cancelled(bench: Bench) -> None:
    await bench.do(CreateReminder("rent", "2026-05-31", "09:00", every="month"))
    await bench.do(CreateReminder("bins", "2026-05-05", "20:00", days=("tue",)))
    await bench.until("2026-05-31T09:00")
    dates = {view.text: view.next_at.date().isoformat() for view in bench.jobs.reminders(bench.now)}
    assert dates == {"rent": "2026-06-30", "bins": "2026-06-02"}
    await bench.do(ChangeReminder(bench.jobs.reminders(bench.now)[0].id, "cancel"))
    assert [view.text for view in bench.jobs.reminders(bench.now)] == ["bins"]
    await bench.do(ChangeReminder("all", "cancel"))
    assert bench.jobs.reminders(bench.now) == ()


async def test_a_change_of_zone_keeps_wall_times_and_lets_timers_go_on(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon", "tue", "wed", "thu", "fri", "sat", "sun")))
    await bench.do(CreateReminder("call", "2026-05-10", "10:00"))
    await bench.do(StartTimer(600))
    await bench.jobs.set_time_zone("America/New_York")
    new_york = ZoneInfo("America/New_York")
    assert bench.jobs.alarms(bench.now)[0].next_at == datetime(2026, 5, 4, 7, tzinfo=new_york)
    assert bench.jobs.reminders(bench.now)[0].next_at == datetime(2026, 5, 10, 10, tzinfo=new_york)
    assert bench.jobs.timers(bench.now)[0].remaining_s == 600
    await bench.restart("Asia/Tokyo")  # changed in the configuration while it was down
    assert bench.jobs.alarms(bench.now)[0].next_at == datetime(2026, 5, 5, 7, tzinfo=ZoneInfo("Asia/Tokyo"))
    with pytest.raises(InvalidInputError):
        await bench.jobs.set_time_zone("Mars/Olympus")
    assert bench.jobs.time_zone == "Asia/Tokyo"


async def test_a_clock_that_goes_back_rings_nothing_twice(bench: Bench) -> None:
    await bench.do(CreateAlarm("07:00", days=("mon", "tue")))
    await bench.until("2026-05-04T07:00")
    await bench.jobs.stop_ringing()
    bench.clock.now_s -= 7200
    await bench.jobs.set_time_zone(PARIS)
    await bench.restart()
    await bench.until("2026-05-04T07:00")
    await bench.until("2026-05-04T07:30")
    assert len(bench.rung) == 1
    await bench.until("2026-05-05T07:00")
    assert len(bench.rung) == 2


async def test_an_occurrence_that_rang_elsewhere_does_not_ring_here(bench: Bench) -> None:
    await bench.do(StartTimer(60))
    other = Scheduler(bench.store, bench.clock, PARIS)
    told: list[Ring] = []
    other.subscribe(told.append)
    await other.load()
    bench.clock.now_s += 60
    await asyncio.gather(bench.jobs.tick(), other.tick())
    assert len(told) + len(bench.rung) == 1
    await bench.jobs.stop_ringing()
    await other.stop_ringing()
    await other.tick()
    await bench.jobs.tick()
    assert len(told) + len(bench.rung) == 1
    assert await bench.store.rings() == ()
    await other.close()


async def test_many_changes_of_one_timer_at_once_all_count(bench: Bench) -> None:
    await bench.do(StartTimer(100))
    (timer,) = bench.jobs.timers(bench.now)
    await asyncio.gather(*(bench.do(ChangeTimer(timer.id, "add", 10)) for _ in range(20)))
    assert bench.jobs.timers(bench.now)[0].remaining_s == 300
    await bench.restart()
    assert bench.jobs.timers(bench.now)[0].remaining_s == 300


async def test_a_caller_that_goes_away_leaves_memory_and_database_in_step(bench: Bench) -> None:
    call = asyncio.ensure_future(bench.do(StartTimer(60)))
    await asyncio.sleep(0)
    call.cancel()
    await asyncio.gather(call, return_exceptions=True)
    await bench.jobs.close()
    assert {view.id for view in bench.jobs.timers(bench.now)} == {row.id for row in await bench.store.jobs()}


async def test_a_failing_subscriber_harms_nobody(bench: Bench) -> None:
    heard = asyncio.Event()

    async def fails(ring: Ring) -> None:
        raise RuntimeError("no speaker")

    async def hears(ring: Ring) -> None:
        heard.set()

    def fails_at_once(ring: Ring) -> None:
        raise RuntimeError("no speaker")

    for callback in (fails, fails_at_once, hears):
        bench.jobs.subscribe(callback)
    await bench.do(StartTimer(1))
    await bench.pass_time(1)
    async with asyncio.timeout(1):
        await heard.wait()
    assert len(bench.rung) == 1


async def test_one_who_unsubscribed_hears_nothing_more(bench: Bench) -> None:
    heard: list[Ring] = []
    unsubscribe = bench.jobs.subscribe(heard.append, heard.append)
    unsubscribe()
    await bench.do(StartTimer(1))
    await bench.pass_time(1)
    await bench.jobs.stop_ringing()
    assert heard == []


@pytest.mark.parametrize(
    "action",
    [
        StartTimer(0),
        StartTimer(10**9),
        StartTimer(5, "x" * 2000),
        CreateAlarm("7 o'clock"),
        CreateAlarm("07:00", date="2026-13-01"),
        CreateAlarm("07:00", date="2026-05-03"),
        CreateAlarm("07:00", days=("someday",)),
        CreateReminder("x", "2020-01-01", "07:00"),
        CreateReminder("x", "0001-01-01", "00:00"),
        CreateReminder("x", "9999-12-31", "23:59", every="day"),
        CreateReminder("half a pair \ud800", "2027-01-01", "07:00"),
    ],
)
async def test_malformed_actions_are_refused(bench: Bench, action: Action) -> None:
    with pytest.raises(InvalidInputError):
        await bench.do(action)
    assert await bench.store.jobs() == ()


async def test_other_actions_are_refused(bench: Bench) -> None:
    with pytest.raises(ActionError):
        await bench.do(StopSpeaking())


async def test_a_reminder_for_the_passing_minute_is_said_at_once(bench: Bench) -> None:
    await bench.pass_time(30)
    await bench.do(CreateReminder("now", "2026-05-04", "06:00"))
    await bench.pass_time(0)
    assert [ring.name for ring in bench.rung] == ["now"]


async def test_what_could_not_be_written_rings_when_it_can(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.do(StartTimer(10))
    write: Callable[[Change], Awaitable[object]] = bench.store.write

    async def refuses(change: Change) -> object:
        raise StoreError("disk full")

    monkeypatch.setattr(bench.store, "write", refuses)
    with pytest.raises(StoreError):
        await bench.pass_time(10)
    assert bench.rung == []
    monkeypatch.setattr(bench.store, "write", write)
    await bench.pass_time(1)
    assert len(bench.rung) == 1


async def test_what_cannot_be_rung_does_not_silence_the_rest(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    await bench.do(StartTimer(10, "poison"))
    await bench.do(StartTimer(10, "good"))
    write: Callable[[Change], Awaitable[object]] = bench.store.write

    async def refuses(change: Change) -> object:
        if any(ring.text == "poison" for ring in change.rings):
            raise RuntimeError("a bug")
        return await write(change)

    monkeypatch.setattr(bench.store, "write", refuses)
    bench.clock.now_s += 10
    rang = asyncio.Event()
    bench.jobs.subscribe(lambda ring: rang.set())
    running = asyncio.create_task(bench.jobs.run())
    async with asyncio.timeout(2.0):
        await rang.wait()
    assert [ring.name for ring in bench.rung] == ["good"]
    await asyncio.sleep(0.01)
    assert not running.done()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_run_rings_within_a_second_even_if_the_clock_jumps(bench: Bench) -> None:
    await bench.do(StartTimer(3600))
    rang = asyncio.Event()
    bench.jobs.subscribe(lambda ring: rang.set())
    running = asyncio.create_task(bench.jobs.run())
    await asyncio.sleep(0.05)
    assert not rang.is_set()
    bench.clock.now_s += 3600
    async with asyncio.timeout(1.0):
        await rang.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


async def test_every_change_is_announced_in_the_outbox_without_what_was_said(bench: Bench) -> None:
    await bench.do(StartTimer(10, "secret name"))
    await bench.pass_time(10)
    await bench.jobs.stop_ringing()
    events = await bench.store.outbox(0, 100)
    assert [(event.topic, event.change) for event in events] == [
        ("job", "started"), ("ring", "ringing"), ("job", "ended"), ("ring", "silenced"),
    ]  # fmt: skip
    assert "secret" not in repr(events)
