"""Timers, alarms and reminders: rows in the database that go off within a second of their time, once.

Whatever this reports as done is on the disk first. A ring is durable before anybody hears of it and goes on after a
crash until it is acknowledged; an acknowledged ring never comes back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import replace
from datetime import datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from entendre.core.actions import (
    Action,
    ChangeAlarm,
    ChangeReminder,
    ChangeTimer,
    CreateAlarm,
    CreateReminder,
    StartTimer,
)
from entendre.core.clock import Clock
from entendre.core.errors import ActionError, ConflictError, EntendreError, InvalidInputError, OverloadedError
from entendre.core.plan import AlarmView, ReminderView, TimerView
from entendre.jobs.ledger import Ledger, ended
from entendre.jobs.ring import Ring, ring_of
from entendre.jobs.rules import (
    Edit,
    JobAction,
    Moment,
    RingEnd,
    changed,
    closed_if_over,
    created,
    replanned,
    rung,
    snoozed,
)
from entendre.ports import ActionKey, Change, JobRow, OutboxEvent, RingRow, Store
from entendre.system import new_id

log = logging.getLogger(__name__)

RingCallback = Callable[[Ring], Awaitable[None] | None]
TimerCallback = Callable[[TimerView, str], Awaitable[None] | None]

JOB_ACTIONS = (StartTimer, ChangeTimer, CreateAlarm, ChangeAlarm, CreateReminder, ChangeReminder)
LOOK_EVERY_S = 0.5
"""The wall clock is read this often, because it can jump (NTP, a machine that slept)."""
IDLE_LOOK_S = 60.0
"""As often while nothing is to ring: what is added wakes it, and thousands of households may be open."""
LATE_S = 900.0
"""What fell due longer ago than this is missed instead of ringing now; reminders are always said."""
REMINDER_WAITS_S = 7 * 86_400.0
"""How long a reminder waits for a device that can say it."""
KEEP_S = 7 * 86_400.0
"""How long what is over is kept, which is also how long a retry is recognised."""
PRUNE_EVERY_S = 3_600.0
MAX_OPEN_JOBS = 10_000
MAX_DUE_AT_ONCE = 256


class Scheduler:
    """The jobs of one household. `await load()`, then keep `run()` as a task."""

    def __init__(
        self, store: Store, clock: Clock, time_zone: str, region: str = "home", *, prunes: bool = True
    ) -> None:
        """`prunes`: it forgets what is over of every household. Raises: InvalidInputError for an unknown time zone."""
        self.region = region
        self._prunes = prunes
        self._store = store
        self._clock = clock
        self._ledger = Ledger(store, clock, _zone(time_zone))
        self._book = self._ledger.book
        self._pruned_at_s = float("-inf")

    @property
    def time_zone(self) -> str:
        """The IANA name of the home's zone."""
        return self._ledger.zone.key

    def timers(self, now: datetime) -> tuple[TimerView, ...]:
        """Running, paused and ringing timers in the order they were started."""
        return self._book.timers(now.timestamp())

    def alarms(self, now: datetime) -> tuple[AlarmView, ...]:
        """Alarms that will ring, ring, or are disabled."""
        return self._book.alarms(self._ledger.zone)

    def reminders(self, now: datetime) -> tuple[ReminderView, ...]:
        """Reminders that are still to come."""
        return self._book.reminders(self._ledger.zone)

    def ringing(self, device: str | None = None) -> tuple[Ring, ...]:
        """What rings now, on one device or anywhere."""
        return tuple(ring_of(row, self._ledger.zone) for row in self._ringing_on(device))

    def missed(self) -> tuple[Ring, ...]:
        """Rings that nobody heard, until `report_missed`."""
        return tuple(ring_of(row, self._ledger.zone) for row in self._book.missed.values())

    def subscribe(self, started: RingCallback, stopped: RingCallback | None = None) -> Callable[[], None]:
        """Call `started` for every ring that begins or goes on after a restart, `stopped` when it no longer rings.

        Returns what ends the subscription. What rings already is not repeated: ask `ringing`.
        """
        ends = [self._ledger.started.add(started)]
        if stopped is not None:
            ends.append(self._ledger.stopped.add(stopped))

        def unsubscribe() -> None:
            for end in ends:
                end()

        return unsubscribe

    def subscribe_timers(self, callback: TimerCallback) -> Callable[[], None]:
        """Call back when a timer was started, paused, resumed, restarted, lengthened or cancelled, rings or ended."""
        return self._ledger.timer_changed.add(callback)

    async def load(self) -> None:
        """Read the database, and compute due times anew in case the zone's rules changed. Raises: StoreError."""
        await self._ledger.reload()
        await self._replan()

    async def reload(self) -> None:
        """Read the database again: somebody changed jobs there. Raises: StoreError."""
        rings, jobs = dict(self._book.rings), dict(self._book.jobs)
        await self._ledger.reload()
        for ring in (each for id, each in rings.items() if id not in self._book.rings):
            self._ledger.note_ring(replace(ring, state="silenced"))
        self._ledger.tell_timers((each, "cancelled") for id, each in jobs.items() if id not in self._book.jobs)

    async def run(self) -> None:
        """Ring what is due for as long as this runs; first what rang when the last process died."""
        self._resume_rings()
        while True:
            try:
                await self.tick()
                await self._sleep()
            except Exception as error:  # a task root: one row that cannot be written must not silence the others
                code = error.code if isinstance(error, EntendreError) else EntendreError.code
                log.exception("jobs could not be rung, trying again", extra={"code": code})
                await asyncio.sleep(LOOK_EVERY_S)

    async def close(self) -> None:
        """Finish the writes that are under way and end what subscribers still do. Cancel `run` first."""
        await self._ledger.close()

    async def tick(self) -> None:
        """Ring what is due now and end what rang long enough. Raises: StoreError, after having tried everything."""
        due = self._book.take_due(self._clock.wall(), MAX_DUE_AT_ONCE)
        results = await asyncio.gather(*(self._fire(row) for row in due), return_exceptions=True)
        for row in due:
            if self._book.jobs.get(row.id) is row:
                self._book.put_back(row)
        await self._end_old_rings()
        await self._prune()
        for error in results:
            if isinstance(error, BaseException):
                raise error

    async def execute(self, action: Action, *, turn: str, index: int, device: str, language: str) -> None:
        """Do an action of a committed plan, once per turn and index however often it is called.

        Raises: UnknownTargetError, InvalidInputError, OverloadedError, StoreError; ActionError for other actions.
        """
        if not isinstance(action, JOB_ACTIONS):
            raise ActionError("That is no timer, alarm or reminder.", detail=f"not a job action: {action.type}")
        key = ActionKey(turn, index)
        try:
            await self._ledger.change(lambda at: self._edit_of(action, device, language, at), key, action)
        except (ActionError, InvalidInputError, OverloadedError):
            if await self._store.executed(key) is None:
                raise

    async def stop_ringing(self, device: str | None = None) -> tuple[Ring, ...]:
        """Silence what rings on a device, or everywhere; returns what did."""
        return await self._end_rings(lambda: self._ringing_on(device), "silenced")

    async def dismiss(self, ring: str | Ring) -> bool:
        """Acknowledge one ring; False if it did not ring any more."""
        ring_id = ring.id if isinstance(ring, Ring) else ring
        return bool(await self._end_rings(lambda: _only(self._book.rings.get(ring_id)), "silenced"))

    async def snooze(self, target: str, seconds: float) -> tuple[Ring, ...]:
        """Silence what rings on a device, or one ringing job, and ring again after `seconds`; returns what did."""

        def edit_of(at: Moment) -> Edit:
            edit = Edit()
            for ring in self._book.rings.values():
                if target in (_sounds_on(ring), ring.job) and ring.job in self._book.jobs:
                    edit.put(snoozed(self._book.jobs[ring.job], seconds, at), "snoozed", ends_ring="snoozed")
            return edit

        return await self._ledger.change(edit_of)

    async def delivered(self, ring: str, device: str) -> None:
        """Note that a device sounds a ring."""
        row = self._book.rings.get(ring)
        if row is None or row.delivered_to == device:
            return
        row = replace(row, delivered_to=device, delivered_at_s=self._clock.wall())
        try:
            await self._ledger.write(Change(rings=(row,)))
        except ConflictError:  # it ended meanwhile, or another device was quicker
            await self._ledger.reload()

    async def report_missed(self, rings: Iterable[Ring]) -> None:
        """Note that the household was told of missed rings."""
        known = (self._book.missed.get(ring.id) for ring in rings)
        rows = tuple(replace(row, reported=True) for row in known if row is not None)
        try:
            await self._ledger.write(Change(rings=rows))
        except ConflictError:  # another conversation told them at the same moment
            await self._ledger.reload()

    async def set_time_zone(self, time_zone: str) -> None:
        """Move the home: alarms and reminders keep their wall time, timers go on. Raises: InvalidInputError."""
        self._ledger.zone = _zone(time_zone)
        await self._replan()

    def _edit_of(self, action: JobAction, device: str, language: str, at: Moment) -> Edit:
        if not isinstance(action, StartTimer | CreateAlarm | CreateReminder):
            return changed(action, self._book.jobs.values(), at)
        if len(self._book.jobs) >= MAX_OPEN_JOBS:
            raise OverloadedError("There are too many timers, alarms and reminders.")
        kinds: dict[type[object], str] = {StartTimer: "timer", CreateAlarm: "alarm", CreateReminder: "reminder"}
        row = JobRow(new_id(), kinds[type(action)], device, language, at.now_s)  # type: ignore[arg-type]
        return Edit([(created(action, row, at), "started" if isinstance(action, StartTimer) else "created")])

    async def _fire(self, row: JobRow) -> None:
        """Ring one due job. If someone else rang it, only take note."""
        at = self._ledger.moment()
        after, due_s = rung(row, at)
        late = row.kind != "reminder" and at.now_s - due_s > LATE_S
        ring = RingRow(
            new_id(), row.id, row.kind, row.text, row.device, row.language, due_s,
            "missed" if late else "ringing", at.now_s, ended_at_s=at.now_s if late else None,
        )  # fmt: skip
        before = self._book.ring_of_job(row.id)
        rings = (ring,) if before is None else (ended(before, "expired", at.now_s), ring)
        after = closed_if_over(after, at) if late else after
        try:
            await self._ledger.write(
                Change(jobs=(after,), rings=rings, events=(OutboxEvent("ring", ring.id, ring.state),))
            )
        except ConflictError:
            await self._ledger.reload()
            if self._book.jobs.get(row.id) is row:  # this very occurrence rang before a clock went back
                await self._ledger.write(Change(jobs=(after,)))
            return
        if late:
            log.warning("a job was missed", extra={"job": row.id, "kind": row.kind})
        self._ledger.tell_timers([(after, "ended" if late else "ringing")])

    async def _replan(self) -> None:
        def edit_of(at: Moment) -> Edit:
            rows = ((row, replanned(row, at)) for row in self._book.jobs.values())
            return Edit([(after, "replanned") for before, after in rows if after != before])

        await self._ledger.change(edit_of)

    def _resume_rings(self) -> None:
        """Ring on what rang when the process ended, unless it is too late for that."""
        now_s = self._clock.wall()
        for ring in tuple(self._book.rings.values()):
            if _waits_for_device(ring, now_s) or now_s - ring.started_at_s <= LATE_S:
                self._ledger.note_ring(ring)

    async def _end_old_rings(self) -> None:
        old = self._old_rings()
        if old:
            await self._end_rings(lambda: [ring for ring in self._old_rings() if _unheard(ring)], "missed")
            await self._end_rings(self._old_rings, "expired")

    def _old_rings(self) -> list[RingRow]:
        now_s = self._clock.wall()
        return [
            ring
            for ring in self._book.rings.values()
            if self._ledger.rings_until_s(ring) <= now_s and not _waits_for_device(ring, now_s)
        ]

    async def _prune(self) -> None:
        now_s = self._clock.wall()
        if not self._prunes or abs(now_s - self._pruned_at_s) < PRUNE_EVERY_S:
            return
        if await self._store.prune(now_s - KEEP_S) == 0:  # else there is more: go on at the next tick
            self._pruned_at_s = now_s

    async def _end_rings(self, chosen: Callable[[], Iterable[RingRow]], end: RingEnd) -> tuple[Ring, ...]:
        def edit_of(at: Moment) -> Edit:
            edit = Edit()
            for ring in chosen():
                edit.ring_ends[ring.job] = end
                if (row := self._book.jobs.get(ring.job)) is not None and closed_if_over(row, at) is not row:
                    edit.put(closed_if_over(row, at), "ended")
            return edit

        return await self._ledger.change(edit_of)

    def _ringing_on(self, device: str | None) -> list[RingRow]:
        return [ring for ring in self._book.rings.values() if device is None or _sounds_on(ring) == device]

    async def _sleep(self) -> None:
        """Until the next job is due, something changed, or the clock may have jumped."""
        self._ledger.wake.clear()
        next_s = self._book.next_s()
        idle = next_s is None and not self._book.rings
        wait_s = IDLE_LOOK_S if idle else LOOK_EVERY_S
        if next_s is not None:
            wait_s = min(wait_s, max(0.0, next_s - self._clock.wall()))
        try:
            async with asyncio.timeout(wait_s):
                await self._ledger.wake.wait()
        except TimeoutError:
            return


def _sounds_on(ring: RingRow) -> str:
    return ring.delivered_to or ring.device


def _unheard(ring: RingRow) -> bool:
    """An alarm that nobody stopped woke nobody; anything else was heard if a device sounded it."""
    return ring.kind == "alarm" or ring.delivered_at_s is None


def _waits_for_device(ring: RingRow, now_s: float) -> bool:
    return ring.kind == "reminder" and ring.delivered_at_s is None and now_s - ring.started_at_s < REMINDER_WAITS_S


def _only(ring: RingRow | None) -> list[RingRow]:
    return [] if ring is None else [ring]


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise InvalidInputError(
            f"There is no time zone {name[:40]!r}. Use an IANA name such as Europe/Paris."
        ) from None
