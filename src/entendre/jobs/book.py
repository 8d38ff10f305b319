"""The open jobs and rings in memory, in step with the database, and when the next one goes off."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from entendre.core.plan import AlarmView, ReminderView, TimerView
from entendre.jobs.rules import next_ring_s
from entendre.ports import JobRow, RingRow


class Book:
    """Rows by id; a row replaces another only if it is newer, so that late answers do no harm."""

    def __init__(self) -> None:
        self.jobs: dict[str, JobRow] = {}
        self.rings: dict[str, RingRow] = {}
        self.missed: dict[str, RingRow] = {}
        self._ring_of_job: dict[str, str] = {}
        self._queue: list[tuple[float, str, int]] = []

    def put_job(self, row: JobRow) -> None:
        """Take a job as it is stored; one that is over leaves the book."""
        known = self.jobs.get(row.id)
        if known is not None and known.version >= row.version:
            return
        if row.ended_at_s is not None:
            self.jobs.pop(row.id, None)
            return
        self.jobs[row.id] = row
        at_s = next_ring_s(row)
        if at_s is not None:
            heapq.heappush(self._queue, (at_s, row.id, row.version))

    def put_ring(self, row: RingRow) -> None:
        """Take a ring as it is stored; one that ended leaves the book, a missed one stays until it is reported."""
        known = self.rings.get(row.id) or self.missed.get(row.id)
        if known is not None and known.version >= row.version:
            return
        self._forget_ring(row.id)
        if row.state == "ringing":
            self.rings[row.id] = row
            self._ring_of_job[row.job] = row.id
        elif row.state == "missed" and not row.reported:
            self.missed[row.id] = row

    def replace_all(self, jobs: Iterable[JobRow], rings: Iterable[RingRow], before: frozenset[tuple[str, int]]) -> None:
        """Take what the database holds. `before`: `marks` as they were when it was asked; rows that came since stay."""
        jobs, rings = tuple(jobs), tuple(rings)
        stored = {job.id for job in jobs} | {ring.id for ring in rings}
        for row_id, version in before:
            if row_id in stored:
                continue
            if row_id in self.jobs and self.jobs[row_id].version == version:
                del self.jobs[row_id]
            elif row_id in self.rings and self.rings[row_id].version == version:
                self._forget_ring(row_id)
        for job in jobs:
            self.put_job(job)
        for ring in rings:
            self.put_ring(ring)

    def marks(self) -> frozenset[tuple[str, int]]:
        """Ids and versions of everything in the book."""
        jobs = ((job.id, job.version) for job in self.jobs.values())
        return frozenset((*jobs, *((ring.id, ring.version) for ring in self.rings.values())))

    def ring_of_job(self, job: str) -> RingRow | None:
        """The ring of a job that rings."""
        return self.rings.get(self._ring_of_job.get(job, ""))

    def ringing_jobs(self) -> frozenset[str]:
        """Ids of the jobs that ring."""
        return frozenset(self._ring_of_job)

    def next_s(self) -> float | None:
        """When the next job goes off."""
        while self._queue:
            at_s, job, version = self._queue[0]
            row = self.jobs.get(job)
            if row is not None and row.version == version:
                return at_s
            heapq.heappop(self._queue)
        return None

    def take_due(self, now_s: float, limit: int) -> list[JobRow]:
        """Jobs that are due. Each is given once per version; `put_back` one that could not be rung."""
        due: list[JobRow] = []
        while len(due) < limit and (at_s := self.next_s()) is not None and at_s <= now_s:
            due.append(self.jobs[heapq.heappop(self._queue)[1]])
        return due

    def put_back(self, row: JobRow) -> None:
        """Queue a job again."""
        at_s = next_ring_s(row)
        if at_s is not None:
            heapq.heappush(self._queue, (at_s, row.id, row.version))

    def _forget_ring(self, ring: str) -> None:
        row = self.rings.pop(ring, None)
        self.missed.pop(ring, None)
        if row is not None and self._ring_of_job.get(row.job) == ring:
            del self._ring_of_job[row.job]

    def timers(self, now_s: float) -> tuple[TimerView, ...]:
        """Running, paused and ringing timers in the order they were started."""
        return tuple(timer_view(row, now_s, ringing=row.id in self._ring_of_job) for row in self._of("timer"))

    def alarms(self, zone: ZoneInfo) -> tuple[AlarmView, ...]:
        """Alarms that will ring, ring, or are disabled."""
        return tuple(_alarm_view(row, zone, ringing=row.id in self._ring_of_job) for row in self._of("alarm"))

    def reminders(self, zone: ZoneInfo) -> tuple[ReminderView, ...]:
        """Reminders that are still to come."""
        rows = ((row, next_ring_s(row)) for row in self._of("reminder"))
        return tuple(_reminder_view(row, at_s, zone) for row, at_s in rows if at_s is not None)

    def _of(self, kind: str) -> list[JobRow]:
        return [row for row in self.jobs.values() if row.kind == kind]


def timer_view(row: JobRow, now_s: float, *, ringing: bool) -> TimerView:
    """A timer as planning sees it."""
    paused = row.paused_s is not None
    left_s = row.paused_s if row.paused_s is not None else max(0.0, (next_ring_s(row) or now_s) - now_s)
    return TimerView(row.id, row.text, row.total_s, 0.0 if ringing else left_s, paused, ringing, row.device)


def _alarm_view(row: JobRow, zone: ZoneInfo, *, ringing: bool) -> AlarmView:
    """An alarm as planning sees it."""
    at_s = next_ring_s(row)
    next_at = None if at_s is None else datetime.fromtimestamp(at_s, zone)
    return AlarmView(row.id, row.time or "", row.days, row.date, row.text, row.enabled, ringing, next_at)


def _reminder_view(row: JobRow, at_s: float, zone: ZoneInfo) -> ReminderView:
    """A reminder that is still to come as planning sees it."""
    return ReminderView(row.id, row.text or "", datetime.fromtimestamp(at_s, zone), row.days, row.every)
