"""Lists, timers, alarms and reminders of a household, read and changed beside the speakers that keep them.

Rows carry versions: a running household that remembers an older one is refused and reads again.
"""

from __future__ import annotations

from dataclasses import replace

from entendre.core.actions import AddItem
from entendre.core.errors import NotFoundError
from entendre.home.lists import Lists
from entendre.jobs.rules import next_ring_s
from entendre.ports import Change, ItemRow, JobRow, ListRow, OutboxEvent
from entendre.ports.households import HouseholdNews, HouseItem, HouseJob, HouseList
from entendre.store.people.within import OfPeople, check_version
from entendre.store.sqlite import SqliteStore


class ThingStore(OfPeople):
    """Implements `ports.households.HouseThings`."""

    async def lists(self, household: str) -> tuple[HouseList, ...]:
        """Every list."""
        return tuple(_list(row, items) for row, items in await self._store(household).lists())

    async def add_item(
        self, household: str, name: str, text: str, quantity: str | None, *, language: str, turn: str
    ) -> HouseList:
        """Put an item on a list, which is made if it is missing, once per `turn`. Raises: InvalidInputError."""
        lists = Lists(self._store(household))
        await lists.load()
        await lists.execute(AddItem(name, text, quantity), turn=turn, index=0, language=language)
        await self._tell(household, "lists")
        row, items = await self._list_row(household, lists.id_of(name) or name)
        return _list(row, items)

    async def change_item(
        self, household: str, name: str, item: str, *, done: bool | None, expected: int | None
    ) -> HouseList:
        """Tick an item or not; `done` None removes it. Raises: NotFoundError, StaleError, ConflictError."""
        row, items = await self._list_row(household, name)
        check_version(row.version, expected)
        found = next((each for each in items if each.id == item), None)
        if found is None:
            raise NotFoundError("There is no such item.")
        put = () if done is None else (replace(found, done=done),)
        event = OutboxEvent("list", row.id, "changed")
        change = Change(lists=(row,), items=put, dropped_items=() if put else (item,), events=(event,))
        await self._store(household).write(change)
        await self._tell(household, "lists")
        kept = [each for each in items if each.id != item] + list(put)
        return _list(replace(row, version=row.version + 1), tuple(sorted(kept, key=lambda each: each.position)))

    async def jobs(self, household: str) -> tuple[HouseJob, ...]:
        """Timers, alarms and reminders that are not over."""
        return tuple(_job(row) for row in await self._store(household).jobs())

    async def cancel(self, household: str, job: str, *, expected: int | None) -> None:
        """End one, and its ring. Raises: NotFoundError, StaleError, ConflictError."""
        store = self._store(household)
        row = next((each for each in await store.jobs() if each.id == job), None)
        if row is None:
            raise NotFoundError("There is no such timer, alarm or reminder.")
        check_version(row.version, expected)
        now_s = self._clock.wall()
        over = replace(row, due_at_s=None, snoozed_until_s=None, paused_s=None, ended_at_s=now_s)
        ringing = [each for each in await store.rings() if each.job == job and each.state == "ringing"]
        silenced = tuple(replace(each, state="silenced", ended_at_s=now_s) for each in ringing)
        events = (
            OutboxEvent("job", job, "cancelled"),
            *(OutboxEvent("ring", each.id, "silenced") for each in silenced),
        )
        await store.write(Change(jobs=(over,), rings=silenced, events=events))
        await self._tell(household, "jobs")

    def _store(self, household: str) -> SqliteStore:
        return SqliteStore(self._database, self._clock, self._region, household)

    async def _list_row(self, household: str, name: str) -> tuple[ListRow, tuple[ItemRow, ...]]:
        for row, items in await self._store(household).lists():
            if row.id == name:
                return row, items
        raise NotFoundError("There is no such list.")

    async def _tell(self, household: str, what: HouseholdNews) -> None:
        if self.changed is not None:
            await self.changed(household, what)


def _list(row: ListRow, items: tuple[ItemRow, ...]) -> HouseList:
    shown = tuple(HouseItem(each.id, each.text, each.quantity, each.done) for each in items)
    return HouseList(row.id, row.names, shown, row.version)


def _job(row: JobRow) -> HouseJob:
    when = (row.time, row.date, row.days, row.every, row.enabled)
    return HouseJob(row.id, row.kind, row.device, row.text, *when, next_ring_s(row), row.version)
