"""The devices of a rollout, listed and put into groups: in bounded steps, each of which may be made again."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from entendre.fleet.queries import parse_query
from entendre.fleet.rollouts import Plan, RolloutState, rank_of, share_of
from entendre.fleet.updates import DeviceState
from entendre.fleet.versions import is_newer, is_same
from entendre.store.fleet.rollout_rows import RolloutRow, RolloutRows

AT_ONCE = 1_000
"""Devices of one transaction."""

FindIds = Callable[[str, str, str, int], Awaitable[Sequence[str]]]
"""Ids of a brand's devices that a query finds, in order: brand, query, the id to go on after, how many at most."""


def check_queries(query: str, plan: Plan) -> None:
    """Raises: InvalidInputError for a query that can't be read."""
    for each in (query, *(group.query for group in plan.groups if group.query is not None)):
        parse_query(each)


def query_of(rollout: RolloutRow, also: str | None = None) -> str:
    """What finds a rollout's devices; each part was read alone, so that none reaches beyond its parentheses."""
    parts = [f"product = '{rollout.product}'", "state = 'active'"]
    parts += [f"({each})" for each in (rollout.query, also) if each]
    return " and ".join(parts)


def last_listed(rows: RolloutRows, rollout: str) -> str:
    """The device after which listing goes on."""
    sql = "SELECT max(device) FROM rollout_devices WHERE region = ? AND rollout = ?"
    return str(rows.connection.execute(sql, (rows.region, rollout)).fetchone()[0] or "")


def add_devices(rows: RolloutRows, rollout: str, devices: Sequence[str]) -> bool:
    """List some devices; whether the rollout still wants that."""
    row = _preparing(rows, rollout)
    if row is None:
        return False
    marks = ", ".join("?" for _ in devices)
    sql = (
        "SELECT f.id, f.firmware, coalesce(h.time_zone, '') FROM fleet_devices f"
        " LEFT JOIN households h ON h.region = f.region AND h.id = f.household"
        f" WHERE f.region = ? AND f.brand = ? AND f.id IN ({marks})"
    )
    found = rows.connection.execute(sql, (rows.region, row.brand, *devices)).fetchall()
    rows.connection.executemany(
        "INSERT INTO rollout_devices (region, rollout, device, brand, grp, place, zone, state, attempt, failures,"
        " from_firmware, running, detail, changed_at_s) VALUES (?, ?, ?, ?, -1, ?, ?, ?, 0, 0, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING",
        [
            (
                *(rows.region, row.id, device, row.brand, rank_of(row.id, device), zone),
                *(_state(firmware, row.number).value, firmware, firmware, _detail(firmware, row.number), rows.now_s),
            )
            for device, firmware, zone in found
        ],
    )
    return True


def put_into_group(rows: RolloutRows, rollout: str, group: int, devices: Sequence[str]) -> bool:
    """Give those of these devices that have no group to this one; whether the rollout still wants that."""
    if _preparing(rows, rollout) is None:
        return False
    marks = ", ".join("?" for _ in devices)
    rows.connection.execute(
        f"UPDATE rollout_devices SET grp = ? WHERE region = ? AND rollout = ? AND grp = -1 AND device IN ({marks})",
        (group, rows.region, rollout, *devices),
    )
    return True


def fill_group(rows: RolloutRows, rollout: str, group: int, percent: float) -> bool:
    """Give a group some of the devices that it has still to get; whether there are more."""
    if _preparing(rows, rollout) is None:
        return False
    sql = (
        "SELECT coalesce(sum(CASE WHEN grp = ? THEN 1 ELSE 0 END), 0),"
        " coalesce(sum(CASE WHEN grp = -1 OR grp >= ? THEN 1 ELSE 0 END), 0)"
        " FROM rollout_devices WHERE region = ? AND rollout = ?"
    )
    has, remaining = rows.connection.execute(sql, (group, group, rows.region, rollout)).fetchone()
    wanted = share_of(percent, int(remaining)) - int(has)
    taken = rows.connection.execute(
        "UPDATE rollout_devices SET grp = ? WHERE region = ? AND rollout = ? AND device IN"
        " (SELECT device FROM rollout_devices WHERE region = ? AND rollout = ? AND grp = -1"
        " ORDER BY place, device LIMIT ?)",
        (group, rows.region, rollout, rows.region, rollout, max(0, min(wanted, AT_ONCE))),
    ).rowcount
    return wanted > AT_ONCE and taken > 0


def begin(rows: RolloutRows, rollout: str) -> None:
    """Every device has its group: count them, and go on by the rules."""
    row = _preparing(rows, rollout)
    if row is None:
        return
    rows.recount(row)
    rows.settle(rows.enter(row, RolloutState.RUNNING))


def _preparing(rows: RolloutRows, rollout: str) -> RolloutRow | None:
    row = rows.rollout(rollout)
    return row if row is not None and row.state == RolloutState.PREPARING else None


def _state(firmware: str, number: str) -> DeviceState:
    if is_same(firmware, number):
        return DeviceState.SUCCEEDED
    return DeviceState.CANCELLED if is_newer(firmware, number) else DeviceState.WAITING


def _detail(firmware: str, number: str) -> str | None:
    return f"runs {firmware}, which is newer" if is_newer(firmware, number) else None
