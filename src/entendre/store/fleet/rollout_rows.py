"""Rollouts as rows, inside one transaction: their groups' counts, the moves of devices, and what follows from them.

Every move of a device changes its row and its group's counts together, and `settle` then carries out what the rules
decide, so a rollout is at every commit where its devices put it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import msgspec

from entendre.fleet import updates
from entendre.fleet.rollouts import (
    AwaitApproval,
    Counts,
    Finish,
    Plan,
    RolloutState,
    StartGroup,
    Stop,
    advance,
)
from entendre.fleet.updates import UNDER_WAY, DeviceState, Update
from entendre.store.connection import Connection
from entendre.store.feed import FeedEntry, announce
from entendre.system import new_id

BY_ITSELF = "rollout"
"""Who did what a rollout does by itself."""
STATES = tuple(DeviceState)
_COUNTED = (*(each.value for each in STATES), "struck_waiting", "struck_under_way")

_ROLLOUT = (
    "SELECT o.id, o.brand, o.release, o.plan, o.state, o.grp, o.rate_left, o.rate_at_s, o.query, r.product, r.number,"
    " r.kind, r.channel, r.manifest, r.signature, r.signing_key, r.state"
    " FROM rollouts o JOIN releases r ON r.region = o.region AND r.id = o.release"
)
_DEVICE = "SELECT d.device, d.grp, d.zone, d.state, d.attempt, d.failures, d.running, d.detail FROM rollout_devices d"


@dataclass(frozen=True, slots=True)
class RolloutRow:
    """A rollout with what its release says."""

    id: str
    brand: str
    release: str
    plan: Plan
    state: RolloutState
    group: int
    rate_left: float
    rate_at_s: float
    query: str
    product: str
    number: str
    kind: str
    channel: str
    manifest: str
    signature: bytes
    signing_key: str
    release_state: str


@dataclass(frozen=True, slots=True)
class DeviceRow:
    """A device's place in a rollout."""

    device: str
    group: int
    zone: str
    running: str
    update: Update


class RolloutRows:
    """The rows of one region within one transaction, at one moment."""

    def __init__(self, connection: Connection, region: str, now_s: float) -> None:
        self.connection = connection
        self.region = region
        self.now_s = now_s
        self._changed: dict[tuple[str, int], list[int]] = {}

    # -- reading -----------------------------------------------------------------------------------------------------

    def rollout(self, rollout: str) -> RolloutRow | None:
        """One rollout."""
        sql = f"{_ROLLOUT} WHERE o.region = ? AND o.id = ?"
        row = self.connection.execute(sql, (self.region, rollout)).fetchone()
        return None if row is None else _rollout(row)

    def open_rollouts(self, *states: RolloutState) -> tuple[RolloutRow, ...]:
        """Rollouts in these states in which something is left to do, oldest first."""
        marks = ", ".join("?" for _ in states)
        sql = f"{_ROLLOUT} WHERE o.region = ? AND o.finished_at_s IS NULL AND o.state IN ({marks}) ORDER BY o.id"
        values = (self.region, *(each.value for each in states))
        return tuple(_rollout(row) for row in self.connection.execute(sql, values).fetchall())

    def rollouts_of_device(self, brand: str, device: str) -> tuple[tuple[RolloutRow, DeviceRow], ...]:
        """The open rollouts that a device is in, newest first."""
        # Two steps, because SQLite reads every device of the region for anything that is not in the device's index.
        sql = "SELECT rollout FROM rollout_devices WHERE region = ? AND device = ?"
        of_device = self.connection.execute(sql, (self.region, device)).fetchall()
        found = []
        for (rollout,) in sorted(of_device, reverse=True):
            sql = f"{_ROLLOUT} WHERE o.region = ? AND o.id = ? AND o.brand = ? AND o.finished_at_s IS NULL"
            row = self.connection.execute(sql, (self.region, rollout, brand)).fetchone()
            place = None if row is None else self.device(rollout, device)
            if place is not None:
                found.append((_rollout(row), place))
        return tuple(found)

    def device(self, rollout: str, device: str) -> DeviceRow | None:
        """A device's place in a rollout."""
        sql = f"{_DEVICE} WHERE d.region = ? AND d.rollout = ? AND d.device = ?"
        row = self.connection.execute(sql, (self.region, rollout, device)).fetchone()
        return None if row is None else _device(row)

    def devices(self, rollout: str, where: str, values: Iterable[Any]) -> tuple[DeviceRow, ...]:
        """Devices of a rollout that a condition is true of."""
        sql = f"{_DEVICE} WHERE d.region = ? AND d.rollout = ? AND {where}"
        found = self.connection.execute(sql, (self.region, rollout, *values)).fetchall()
        return tuple(_device(row) for row in found)

    def counts(self, rollout: RolloutRow) -> list[Counts]:
        """How the devices of each group stand, by the rules' words."""
        found = self.numbers(rollout.id)
        return [_counts(found.get(index, {})) for index in range(len(rollout.plan.groups))]

    def numbers(self, rollout: str) -> dict[int, dict[str, int]]:
        """How many devices of each group are in each state."""
        self.write_counts()
        sql = f"SELECT grp, total, {', '.join(_COUNTED)} FROM rollout_groups WHERE region = ? AND rollout = ?"
        rows = self.connection.execute(sql, (self.region, rollout)).fetchall()
        return {int(row[0]): dict(zip(("total", *_COUNTED), row[1:], strict=True)) for row in rows}

    # -- moving ------------------------------------------------------------------------------------------------------

    def move(self, rollout: RolloutRow, row: DeviceRow, update: Update, *, event: str = "", by: str = "") -> DeviceRow:
        """Put a device where it stands now, with its counts and its history."""
        if update == row.update:
            return row
        offers = update.attempt != row.update.attempt
        under_way = update.state in UNDER_WAY
        deadline_s = self.now_s + rollout.plan.timeout_s if offers else None
        self.connection.execute(
            "UPDATE rollout_devices SET state = ?, attempt = ?, failures = ?, detail = ?, changed_at_s = ?,"
            " offered_at_s = coalesce(?, offered_at_s), deadline_s = CASE WHEN ? = 0 THEN NULL"
            " ELSE coalesce(?, deadline_s) END WHERE region = ? AND rollout = ? AND device = ?",
            (
                *(update.state.value, update.attempt, update.failures, update.detail, self.now_s),
                *(self.now_s if offers else None, int(under_way), deadline_s, self.region, rollout.id, row.device),
            ),
        )
        self._count(rollout.id, row, -1)
        moved = replace(row, update=update)
        self._count(rollout.id, moved, 1)
        said = event or update.state.value
        self.note(rollout, said, update.detail, device=row.device, by=by or f"device:{row.device}")
        if update.state in (DeviceState.SUCCEEDED, DeviceState.FAILED, DeviceState.TIMED_OUT):
            data = {"device": row.device, "attempt": update.attempt, "detail": update.detail}
            self.announce(rollout, f"device_{update.state.value}", data)
        return moved

    def note(
        self,
        rollout: RolloutRow,
        event: str,
        detail: str | None = None,
        *,
        device: str | None = None,
        by: str = BY_ITSELF,
    ) -> None:
        """Write something into the history."""
        self.connection.execute(
            "INSERT INTO rollout_events (region, id, brand, rollout, device, event, detail, by_whom, at_s)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (self.region, new_id(), rollout.brand, rollout.id, device, event, detail, by, self.now_s),
        )

    def announce(self, rollout: RolloutRow, change: str, data: Any = None) -> None:
        """Tell the feed."""
        entry = FeedEntry(rollout.brand, "rollout", rollout.id, change, data=data)
        announce(self.connection, self.region, self.now_s, [entry])

    def set_running(self, rollout: RolloutRow, row: DeviceRow, version: str) -> DeviceRow:
        """Note which version a device says it runs."""
        if row.running == version:
            return row
        self.connection.execute(
            "UPDATE rollout_devices SET running = ? WHERE region = ? AND rollout = ? AND device = ?",
            (version, self.region, rollout.id, row.device),
        )
        return replace(row, running=version)

    def set_rate(self, rollout: RolloutRow, left: float) -> None:
        """Note how many offers the rate allows still."""
        self.connection.execute(
            "UPDATE rollouts SET rate_left = ?, rate_at_s = ? WHERE region = ? AND id = ?",
            (left, self.now_s, self.region, rollout.id),
        )

    def recount(self, rollout: RolloutRow) -> None:
        """Make the counts of every group from the rows: once, when all devices have their groups."""
        self.connection.execute(
            "DELETE FROM rollout_groups WHERE region = ? AND rollout = ?", (self.region, rollout.id)
        )
        sql = "SELECT grp, state, count(*) FROM rollout_devices WHERE region = ? AND rollout = ? GROUP BY grp, state"
        found: dict[int, dict[str, int]] = {index: {} for index in range(len(rollout.plan.groups))}
        for group, state, number in self.connection.execute(sql, (self.region, rollout.id)).fetchall():
            found.setdefault(int(group), {})[str(state)] = int(number)
        marks = ", ".join("?" for _ in range(5 + len(_COUNTED)))
        self.connection.executemany(
            f"INSERT INTO rollout_groups (region, rollout, grp, brand, total, {', '.join(_COUNTED)}) VALUES ({marks})",
            [
                (
                    *(self.region, rollout.id, group, rollout.brand, sum(states.values())),
                    *(states.get(each, 0) for each in _COUNTED),
                )
                for group, states in found.items()
            ],
        )

    def _count(self, rollout: str, row: DeviceRow, by: int) -> None:
        changed = self._changed.setdefault((rollout, row.group), [0] * len(_COUNTED))
        changed[STATES.index(row.update.state)] += by
        if row.update.struck:
            changed[len(STATES) + (row.update.state in UNDER_WAY)] += by

    def write_counts(self) -> None:
        """Write what moves changed, once for each group: at the end of every transaction that moved anything."""
        changed, self._changed = self._changed, {}
        if not changed:
            return
        sets = ", ".join(f"{each} = {each} + ?" for each in _COUNTED)
        self.connection.executemany(
            f"UPDATE rollout_groups SET {sets} WHERE region = ? AND rollout = ? AND grp = ?",
            [(*deltas, self.region, rollout, group) for (rollout, group), deltas in changed.items() if any(deltas)],
        )

    # -- what follows ------------------------------------------------------------------------------------------------

    def settle(self, rollout: RolloutRow) -> RolloutRow:
        """Carry out what the rules decide now; the rollout as it is then. Call after every move."""
        self.write_counts()
        while True:
            decision = advance(rollout.plan, rollout.state, rollout.group, self.counts(rollout))
            match decision:
                case None:
                    return rollout
                case Stop(group, reason):
                    rollout = self.enter(rollout, RolloutState.STOPPED, f"{reason} of group {group + 1}")
                    self._recall(rollout)
                case StartGroup(group):
                    rollout = self.start_group(rollout, group)
                case AwaitApproval(group):
                    rollout = self.enter(rollout, RolloutState.AWAITING_APPROVAL, f"group {group + 1}")
                case Finish():
                    rollout = self.enter(rollout, RolloutState.FINISHED)

    def start_group(self, rollout: RolloutRow, group: int, *, by: str = BY_ITSELF) -> RolloutRow:
        """Let the devices of a group have offers."""
        self.connection.execute(
            "UPDATE rollouts SET grp = ?, version = version + 1 WHERE region = ? AND id = ?",
            (group, self.region, rollout.id),
        )
        self.note(rollout, "group_started", f"group {group + 1}", by=by)
        self.announce(rollout, "group_started", {"group": group})
        return replace(rollout, group=group)

    def enter(
        self, rollout: RolloutRow, state: RolloutState, reason: str | None = None, *, by: str = BY_ITSELF
    ) -> RolloutRow:
        """Put a rollout into a state."""
        self.connection.execute(
            "UPDATE rollouts SET state = ?, reason = ?, finished_at_s = ?, version = version + 1"
            " WHERE region = ? AND id = ?",
            (state.value, reason, self.now_s if state == RolloutState.FINISHED else None, self.region, rollout.id),
        )
        self.note(rollout, state.value, reason, by=by)
        self.announce(rollout, state.value, {"reason": reason})
        return replace(rollout, state=state)

    def _recall(self, rollout: RolloutRow) -> None:
        """Take back offers that devices have not begun with; at most as many as may be under way."""
        for row in self.devices(rollout.id, "d.state = ?", (DeviceState.OFFERED.value,)):
            self.move(rollout, row, updates.recalled(row.update), event="recalled", by=BY_ITSELF)


def _counts(found: Mapping[str, int]) -> Counts:
    def of(*names: str) -> int:
        return sum(found.get(each, 0) for each in names)

    return Counts(
        total=of("total"),
        waiting=of("waiting"),
        under_way=of("offered", "downloading", "installing"),
        succeeded=of("succeeded"),
        failed=of("failed", "timed_out"),
        cancelled=of("cancelled"),
        struck_waiting=of("struck_waiting"),
        struck_under_way=of("struck_under_way"),
    )


def _rollout(row: Any) -> RolloutRow:
    values = list(row)
    values[3] = msgspec.json.decode(values[3], type=Plan)
    values[4] = RolloutState(values[4])
    values[14] = bytes(values[14])
    return RolloutRow(*values)


def _device(row: Any) -> DeviceRow:
    device, group, zone, state, attempt, failures, running, detail = row
    return DeviceRow(device, group, zone, running, Update(DeviceState(state), attempt, failures, detail))
