"""Rollouts of brands: what staff do with them, what devices are told and say, and what goes on by itself."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import msgspec

from entendre.core.clock import Clock
from entendre.core.errors import ConflictError, InvalidInputError, NotFoundError, StaleError
from entendre.fleet import updates
from entendre.fleet.rollouts import MAX_QUERY_CHARS, Plan, RolloutState, after, check_plan, limit_of
from entendre.fleet.updates import FAILED
from entendre.fleet.versions import MAX_NUMBER_CHARS
from entendre.ports.rollouts import (
    GroupProgress,
    Offer,
    ReleaseReport,
    RolloutDevice,
    RolloutEvent,
    RolloutOperation,
    RolloutRecord,
)
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet import rollout_lists as lists
from entendre.store.fleet import rollout_offers as offers
from entendre.store.fleet.rollout_rows import RolloutRow, RolloutRows
from entendre.store.gatherer import Gatherer
from entendre.system import new_id

T = TypeVar("T")

MAX_NAME_CHARS = 128
MAX_PLAN_BYTES = 128 * 1024
ASKED_AT_ONCE = 200
"""Devices that one transaction makes offers to."""

_RECORD = (
    "SELECT o.id, o.brand, o.release, r.number, r.product, o.name, o.query, o.plan, o.state, o.grp, o.reason,"
    " o.created_at_s, o.created_by, o.started_at_s, o.finished_at_s, o.version"
    " FROM rollouts o JOIN releases r ON r.region = o.region AND r.id = o.release"
)
_DEVICE = (
    "SELECT rollout, device, grp, state, attempt, from_firmware, running, detail, offered_at_s, changed_at_s"
    " FROM rollout_devices"
)
_EVENT = "SELECT id, rollout, device, event, detail, by_whom, at_s FROM rollout_events"


class Rollouts:
    """Implements `RolloutBook`, `DeviceReleases` and `RolloutWork` of ports/rollouts.py for one region."""

    def __init__(self, database: Database, clock: Clock, region: str, find_ids: lists.FindIds) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._find_ids = find_ids
        self._asking: Gatherer[tuple[str, str], Offer | None] = Gatherer(database, self._ask_all)
        self._reporting: Gatherer[tuple[str, str, ReleaseReport], None] = Gatherer(database, self._report_all)
        self.on_changed: Callable[[], None] = lambda: None
        """Called after somebody did something with a rollout, so that it need not wait."""

    # -- for staff ---------------------------------------------------------------------------------------------------

    async def create(self, brand: str, release: str, name: str, query: str, plan: str, *, by: str) -> RolloutRecord:
        """A draft. Raises: InvalidInputError, NotFoundError, ConflictError for a release that is not published."""
        if len(name) > MAX_NAME_CHARS or len(query) > MAX_QUERY_CHARS:
            raise InvalidInputError(f"A name has at most {MAX_NAME_CHARS} characters, a query {MAX_QUERY_CHARS}.")
        read = read_plan(plan)
        lists.check_queries(query, read)
        text = msgspec.json.encode(read).decode()

        def work(rows: RolloutRows) -> RolloutRecord:
            sql = "SELECT state, number FROM releases WHERE region = ? AND brand = ? AND id = ?"
            found = rows.connection.execute(sql, (self._region, brand, release)).fetchone()
            if found is None:
                raise NotFoundError("There is no such release.")
            if found[0] != "published":
                raise ConflictError(f"The release is {found[0]}. Publish it first.")
            rollout = new_id()
            rows.connection.execute(
                "INSERT INTO rollouts (region, id, brand, release, name, query, plan, state, grp, rate_left, rate_at_s,"
                " created_at_s, created_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, -1, 0, ?, ?, ?, 1)",
                (
                    *(self._region, rollout, brand, release, name or str(found[1]), query, text),
                    *(RolloutState.DRAFT.value, rows.now_s, rows.now_s, by),
                ),
            )
            self._note(rows, self._row(rows, brand, rollout), "created", by)
            return self._one(rows, brand, rollout)

        return await self._write(work)

    async def rollouts(
        self, brand: str, *, release: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[RolloutRecord, ...]:
        """Rollouts in the order of their ids, after one."""
        of_release, named = (" AND o.release = ?", (release,)) if release is not None else ("", ())

        def work(rows: RolloutRows) -> tuple[RolloutRecord, ...]:
            sql = f"{_RECORD} WHERE o.region = ? AND o.brand = ? AND o.id > ?{of_release} ORDER BY o.id LIMIT ?"
            found = rows.connection.execute(sql, (self._region, brand, after, *named, limit)).fetchall()
            return tuple(_record(row, rows) for row in found)

        return await self._read(work)

    async def rollout(self, brand: str, rollout: str) -> RolloutRecord:
        """One rollout. Raises: NotFoundError."""
        return await self._read(lambda rows: self._one(rows, brand, rollout))

    async def operate(
        self, brand: str, rollout: str, operation: RolloutOperation, *, by: str, version: int | None = None
    ) -> RolloutRecord:
        """Start, pause, resume, abort, retry what failed, approve. Raises: NotFoundError, StaleError, ConflictError."""

        def work(rows: RolloutRows) -> RolloutRecord:
            row = self._row(rows, brand, rollout)
            if version is not None and version != self._one(rows, brand, rollout).version:
                raise StaleError("The rollout was changed since you read it.")
            self._operate(rows, row, operation, by)
            return self._one(rows, brand, rollout)

        found = await self._write(work)
        self.on_changed()
        return found

    async def devices(
        self, brand: str, rollout: str, *, state: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[RolloutDevice, ...]:
        """Devices of a rollout in the order of their ids, after one. Raises: NotFoundError."""
        in_state, named = (" AND state = ?", (state,)) if state is not None else ("", ())

        def work(rows: RolloutRows) -> tuple[RolloutDevice, ...]:
            self._row(rows, brand, rollout)
            sql = f"{_DEVICE} WHERE region = ? AND rollout = ? AND device > ?{in_state} ORDER BY device LIMIT ?"
            found = rows.connection.execute(sql, (self._region, rollout, after, *named, limit)).fetchall()
            return tuple(RolloutDevice(*row) for row in found)

        return await self._read(work)

    async def events(self, brand: str, rollout: str, *, after: str = "", limit: int = 50) -> tuple[RolloutEvent, ...]:
        """What happened, in order, after an event. Raises: NotFoundError."""

        def work(rows: RolloutRows) -> tuple[RolloutEvent, ...]:
            self._row(rows, brand, rollout)
            sql = f"{_EVENT} WHERE region = ? AND rollout = ? AND id > ? ORDER BY id LIMIT ?"
            found = rows.connection.execute(sql, (self._region, rollout, after, limit)).fetchall()
            return tuple(RolloutEvent(*row) for row in found)

        return await self._read(work)

    async def history(self, brand: str, device: str, *, after: str = "", limit: int = 50) -> tuple[RolloutEvent, ...]:
        """What happened to one device in every rollout, in order, after an event."""

        def work(rows: RolloutRows) -> tuple[RolloutEvent, ...]:
            sql = f"{_EVENT} WHERE region = ? AND device = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"
            found = rows.connection.execute(sql, (self._region, device, brand, after, limit)).fetchall()
            return tuple(RolloutEvent(*row) for row in found)

        return await self._read(work)

    # -- for devices -------------------------------------------------------------------------------------------------

    async def ask(self, brand: str, device: str) -> Offer | None:
        """What to install now; None for nothing. Raises: StoreError, OverloadedError."""

        def look(rows: RolloutRows) -> tuple[Offer | None, bool]:
            places = rows.rollouts_of_device(brand, device)
            return offers.standing_offer(places), offers.may_want(places)

        standing, may_want = await self._read(look)
        return await self._asking.put((brand, device)) if standing is None and may_want else standing

    async def waits(self, brand: str, device: str) -> bool:
        """Whether a device may have an offer soon, because its group was started. Raises: StoreError."""
        return await self._read(lambda rows: offers.waits(rows.rollouts_of_device(brand, device)))

    async def report(self, brand: str, device: str, report: ReleaseReport) -> None:
        """Take down what a device says; it counts once this returns. Raises: StoreError, OverloadedError."""
        if len(report.running) > MAX_NUMBER_CHARS:
            raise InvalidInputError(f"A version has at most {MAX_NUMBER_CHARS} characters.")
        places = await self._read(lambda rows: rows.rollouts_of_device(brand, device))
        if places:
            await self._reporting.put((brand, device, report))

    def _ask_all(self, connection: Connection, items: Sequence[tuple[str, str]]) -> list[Offer | None]:
        rows = self._rows(connection)
        answers = [offers.ask(rows, brand, device)[0] for brand, device in items]
        rows.write_counts()
        return answers

    def _report_all(self, connection: Connection, items: Sequence[tuple[str, str, ReleaseReport]]) -> list[None]:
        rows = self._rows(connection)
        for brand, device, said in items:
            offers.report(rows, brand, device, said)
        rows.write_counts()
        return [None] * len(items)

    # -- by itself ---------------------------------------------------------------------------------------------------

    async def prepare(self) -> bool:
        """List and group the devices of the oldest rollout that was started; whether there may be more to do."""
        found = await self._read(lambda rows: rows.open_rollouts(RolloutState.PREPARING))
        if not found:
            return False
        rollout = found[0]
        if await self._list(rollout) and await self._group(rollout):
            await self._write(lambda rows: lists.begin(rows, rollout.id))
        return True

    async def tick(self) -> bool:
        """Time out some devices, tidy up after aborted rollouts; whether there is more to do."""
        timed_out = await self._write(offers.time_out)
        return await self._write(offers.cancel_aborted) or timed_out

    async def sweep(self) -> None:
        """Take devices off the lists that were revoked or forgotten since."""
        gone = await self._read(offers.gone)
        if gone:
            await self._write(lambda rows: offers.cancel_gone(rows, gone))

    async def offer_to(self, devices: Sequence[tuple[str, str]]) -> tuple[Offer, ...]:
        """Make offers to those of these devices (brand, id) that may have one; each is told of once."""
        wanting = await self._read(lambda rows: offers.wanting(rows, devices))
        made: list[Offer] = []
        for at in range(0, len(wanting), ASKED_AT_ONCE):
            some = wanting[at : at + ASKED_AT_ONCE]
            made += await self._write(lambda rows, some=some: offers.ask_all(rows, some))  # type: ignore[misc]
        return tuple(made)

    async def _list(self, rollout: RolloutRow) -> bool:
        query = lists.query_of(rollout)
        after = await self._read(lambda rows: lists.last_listed(rows, rollout.id))
        while found := await self._find_ids(rollout.brand, query, after, lists.AT_ONCE):
            page = tuple(found)
            if not await self._write(lambda rows, page=page: lists.add_devices(rows, rollout.id, page)):  # type: ignore[misc]
                return False
            after = page[-1]
        return True

    async def _group(self, rollout: RolloutRow) -> bool:
        for number, group in enumerate(rollout.plan.groups):
            if group.query is not None and not await self._group_by_query(rollout, number, group.query):
                return False
            if group.percent is not None:
                await self._group_by_percent(rollout, number, group.percent)
        return True

    async def _group_by_query(self, rollout: RolloutRow, group: int, query: str) -> bool:
        after, wanted = "", lists.query_of(rollout, query)
        while found := await self._find_ids(rollout.brand, wanted, after, lists.AT_ONCE):
            page = tuple(found)
            after = page[-1]
            if not await self._write(
                lambda rows, page=page: lists.put_into_group(rows, rollout.id, group, page)  # type: ignore[misc]
            ):
                return False
        return True

    async def _group_by_percent(self, rollout: RolloutRow, group: int, percent: float) -> None:
        while await self._write(lambda rows: lists.fill_group(rows, rollout.id, group, percent)):
            pass

    # -- inside ------------------------------------------------------------------------------------------------------

    def _operate(self, rows: RolloutRows, row: RolloutRow, operation: RolloutOperation, by: str) -> None:
        state = after(operation, row.state)
        if operation == "start":
            rows.connection.execute(
                "UPDATE rollouts SET started_at_s = ? WHERE region = ? AND id = ?", (rows.now_s, self._region, row.id)
            )
        if operation == "retry":
            self._retry(rows, row, by)
        row = rows.enter(row, state, by=by) if state != row.state else row
        if operation == "approve":
            row = rows.start_group(row, row.group + 1, by=by)
        record(rows.connection, self._region, rows.now_s, Act(by, f"rollout.{operation}", row.id, row.brand))
        rows.settle(row)

    def _retry(self, rows: RolloutRows, row: RolloutRow, by: str) -> None:
        """Let every device that failed have another try."""
        failed = rows.devices(row.id, "d.state IN (?, ?)", tuple(each.value for each in FAILED))
        if not failed:
            raise ConflictError("No device of this rollout failed.")
        for device in failed:
            rows.move(row, device, updates.let_in_again(device.update), event="retried", by=by)

    def _note(self, rows: RolloutRows, row: RolloutRow, change: str, by: str) -> None:
        rows.note(row, change, by=by)
        rows.announce(row, change)
        act = Act(by, f"rollout.{change}", row.id, row.brand, detail={"release": row.release})
        record(rows.connection, self._region, rows.now_s, act)

    def _row(self, rows: RolloutRows, brand: str, rollout: str) -> RolloutRow:
        row = rows.rollout(rollout)
        if row is None or row.brand != brand:
            raise NotFoundError("There is no such rollout.")
        return row

    def _one(self, rows: RolloutRows, brand: str, rollout: str) -> RolloutRecord:
        sql = f"{_RECORD} WHERE o.region = ? AND o.brand = ? AND o.id = ?"
        row = rows.connection.execute(sql, (self._region, brand, rollout)).fetchone()
        if row is None:
            raise NotFoundError("There is no such rollout.")
        return _record(row, rows)

    async def _read(self, work: Callable[[RolloutRows], T]) -> T:
        return await self._database.read(lambda connection: work(self._rows(connection)))

    async def _write(self, work: Callable[[RolloutRows], T]) -> T:
        def whole(connection: Connection) -> T:
            rows = self._rows(connection)
            result = work(rows)
            rows.write_counts()
            return result

        return await self._database.write(whole)

    def _rows(self, connection: Connection) -> RolloutRows:
        return RolloutRows(connection, self._region, self._clock.wall())


def read_plan(text: str) -> Plan:
    """The plan of a JSON text. Raises: InvalidInputError."""
    if len(text) > MAX_PLAN_BYTES:
        raise InvalidInputError(f"A plan has at most {MAX_PLAN_BYTES} characters.")
    try:
        plan = msgspec.json.decode(text, type=Plan)
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidInputError(f"This is no plan of a rollout: {error}") from error
    check_plan(plan)
    return plan


def _record(row: Any, rows: RolloutRows) -> RolloutRecord:
    values = list(row)
    plan, started = msgspec.json.decode(values[7], type=Plan), int(values[9])
    numbers = rows.numbers(str(values[0]))
    groups = []
    for index, group in enumerate(plan.groups):
        found = numbers.get(index, {})
        states = [found.get(each, 0) for each in ("total", *(state.value for state in updates.DeviceState))]
        shown = (index, group.name, index <= started, limit_of(group, states[0]))
        groups.append(GroupProgress(*shown, *states))
    values.insert(11, tuple(groups))
    return RolloutRecord(*values)
