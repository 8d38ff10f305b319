"""The book kept in step with the database: every change is on the disk before the book or anybody else knows of it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from dataclasses import replace
from zoneinfo import ZoneInfo

from entendre.core.actions import Action, action_to_json
from entendre.core.clock import Clock
from entendre.core.errors import ConflictError
from entendre.core.plan import TimerView
from entendre.jobs.book import Book, timer_view
from entendre.jobs.ring import Ring, ring_of
from entendre.jobs.rules import Edit, Moment, RingEnd, closed_if_over
from entendre.jobs.subscribers import Subscribers
from entendre.ports import ActionKey, Change, JobRow, OutboxEvent, RingRow, Store

RING_FOR_S = 600.0
ATTEMPTS = 8
"""Times that a change is tried when others change the same rows."""


class Ledger:
    """Writes changes, notes them in the book, and tells subscribers."""

    def __init__(self, store: Store, clock: Clock, zone: ZoneInfo) -> None:
        self.zone = zone
        self.book = Book()
        self.wake = asyncio.Event()
        self.started: Subscribers[[Ring]] = Subscribers()
        self.stopped: Subscribers[[Ring]] = Subscribers()
        self.timer_changed: Subscribers[[TimerView, str]] = Subscribers()
        self._store = store
        self._clock = clock
        self._rings_until_s: dict[str, float] = {}
        """Rings that subscribers were told of -> when they go off by themselves."""
        self._writes: set[asyncio.Task[bool]] = set()
        self._one_by_one = asyncio.Lock()

    def moment(self) -> Moment:
        """Now, as rules need it."""
        return Moment(self._clock.wall(), self.zone, self.book.ringing_jobs())

    def rings_until_s(self, ring: RingRow) -> float:
        """When a ring goes off by itself."""
        return self._rings_until_s.get(ring.id, ring.started_at_s + RING_FOR_S)

    async def change(
        self, edit_of: Callable[[Moment], Edit], once: ActionKey | None = None, action: Action | None = None
    ) -> tuple[Ring, ...]:
        """Make an edit of the book durable; made anew when someone else changed the same rows. Returns ended rings.

        Jobs are independent, so changes run side by side; those that met on one job go on one by one.
        """
        try:
            return await self._attempt(edit_of, once, action)
        except ConflictError:
            async with self._one_by_one:
                for _ in range(ATTEMPTS):
                    await self.reload()
                    try:
                        return await self._attempt(edit_of, once, action)
                    except ConflictError:
                        continue
                raise

    async def _attempt(
        self, edit_of: Callable[[Moment], Edit], once: ActionKey | None, action: Action | None
    ) -> tuple[Ring, ...]:
        at = self.moment()
        edit = edit_of(at)
        change = self._change_of(edit, at, once, action)
        if once is None and not (change.jobs or change.rings):
            return ()
        if not await self.write(change):
            return ()
        self.tell_timers(edit.jobs)
        return tuple(ring_of(row, self.zone) for row in change.rings)

    def _change_of(self, edit: Edit, at: Moment, once: ActionKey | None, action: Action | None) -> Change:
        jobs = tuple(closed_if_over(row, at) if row.id in edit.ring_ends else row for row, _ in edit.jobs)
        rings = tuple(
            ended(ring, end, at.now_s)
            for job, end in edit.ring_ends.items()
            if (ring := self.book.ring_of_job(job)) is not None
        )
        events = tuple(OutboxEvent("job", row.id, change) for row, change in edit.jobs)
        events += tuple(OutboxEvent("ring", ring.id, ring.state) for ring in rings)
        document = "null" if action is None else json.dumps(action_to_json(action), ensure_ascii=False)
        return Change(once=once, action=document, jobs=jobs, rings=rings, events=events)

    async def write(self, change: Change) -> bool:
        """Write, bring the book in step and tell subscribers of rings. False: it was done before.

        A caller that is cancelled meanwhile does not leave the book behind the database.
        """
        task = asyncio.create_task(self._write_and_note(change))
        self._writes.add(task)
        task.add_done_callback(self._writes.discard)
        return await asyncio.shield(task)

    async def _write_and_note(self, change: Change) -> bool:
        if await self._store.write(change) is not None:
            return False
        for job in change.jobs:
            self.book.put_job(replace(job, version=job.version + 1))
        for ring in change.rings:
            self.book.put_ring(replace(ring, version=ring.version + 1))
            self.note_ring(ring)
        self.wake.set()
        return True

    def note_ring(self, ring: RingRow) -> None:
        """Start or stop the ten minutes of a ring and tell subscribers."""
        if ring.state != "ringing":
            if self._rings_until_s.pop(ring.id, None) is not None:
                self.stopped.tell(ring_of(ring, self.zone))
        elif ring.id not in self._rings_until_s:
            self._rings_until_s[ring.id] = self._clock.wall() + RING_FOR_S
            self.started.tell(ring_of(ring, self.zone))

    async def reload(self) -> None:
        """Read the database again."""
        before = self.book.marks()
        jobs, rings = await asyncio.gather(self._store.jobs(), self._store.rings())
        self.book.replace_all(jobs, rings, before)
        self.wake.set()

    def tell_timers(self, rows: Iterable[tuple[JobRow, str]]) -> None:
        """Tell subscribers how timers among these jobs changed."""
        now_s, ringing = self._clock.wall(), self.book.ringing_jobs()
        for row, change in rows:
            if row.kind == "timer":
                self.timer_changed.tell(timer_view(row, now_s, ringing=row.id in ringing), change)

    async def close(self) -> None:
        """Finish the writes that are under way and end what subscribers still do."""
        await asyncio.gather(*self._writes, return_exceptions=True)
        for subscribers in (self.started, self.stopped, self.timer_changed):
            await subscribers.close()


def ended(ring: RingRow, end: RingEnd, now_s: float) -> RingRow:
    """A ring that no longer rings."""
    return replace(ring, state=end, ended_at_s=now_s)
