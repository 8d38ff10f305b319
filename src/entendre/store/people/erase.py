"""Erasing somebody inside the database: every table, as `subjects` says, in one transaction."""

from __future__ import annotations

from entendre.fleet.households import Standing, heir
from entendre.ports.households import ErasedKind
from entendre.store.audit import Act, record
from entendre.store.connection import HOME, Connection
from entendre.store.feed import FeedEntry, announce
from entendre.store.people.subjects import TABLES, Table, bound
from entendre.system import new_id

LOT_ROWS = 5_000
"""Rows of one table that one transaction deletes before the last, so that nobody waits long for them."""
_EXISTS: dict[ErasedKind, tuple[str, ...]] = {
    "household": ("households",),
    "account": ("accounts",),
    "device": ("fleet_devices", "devices"),
}


def exists(connection: Connection, region: str, kind: ErasedKind, subject: str) -> bool:
    """Whether there is such a household, account or device."""
    sql = "SELECT 1 FROM {} WHERE region = ? AND id = ?"
    found = (connection.execute(sql.format(table), (region, subject)).fetchone() for table in _EXISTS[kind])
    return any(row is not None for row in found)


def erase_lot(connection: Connection, region: str, kind: ErasedKind, subject: str) -> int:
    """Delete one lot of what there may be millions of; 0 once little is left."""
    for table in TABLES:
        condition = table.condition(kind)
        if not table.bulk or condition is None or kind in table.kept or kind in table.cleared:
            continue
        where, values = bound(condition, region, subject)
        key = ", ".join(table.key)
        some = f"SELECT {key} FROM {table.name} WHERE region = ? AND {where} LIMIT {LOT_ROWS}"
        sql = f"DELETE FROM {table.name} WHERE region = ? AND ({key}) IN ({some})"
        gone = connection.execute(sql, (region, region, *values)).rowcount
        if gone == LOT_ROWS:
            return gone
    return 0


def erase(
    connection: Connection,
    region: str,
    kind: ErasedKind,
    subject: str,
    *,
    by: str,
    now_s: float,
    erasure: str | None = None,
) -> int:
    """Erase somebody from every table, and note it; how many rows went or were emptied. Harmless if done again.

    Households where an account was the only adult go with it. `erasure`: the id of the note, of an erasure that is
    done again on a restored backup.
    """
    brand, connected = _brand_of(connection, region, kind, subject), _devices_of(connection, region, kind, subject)
    rows = _leave_households(connection, region, subject, by, now_s) if kind == "account" else 0
    rows += sum(_erase_from(connection, region, table, kind, subject) for table in TABLES)
    erasure = erasure or new_id()
    sql = (
        "INSERT INTO erasures (region, id, kind, subject, at_s, by_whom, rows_gone) VALUES (?, ?, ?, ?, ?, ?, ?)"
        " ON CONFLICT DO NOTHING"
    )
    connection.execute(sql, (region, erasure, kind, subject, now_s, by, rows))
    household = subject if kind == "household" else None
    record(connection, region, now_s, Act(by, f"{kind}.erased", subject, brand, household, {"rows": rows}))
    entries = [FeedEntry(brand, kind, subject, "erased", household=household)]
    entries += [FeedEntry(of, "device", device, "released") for device, of in connected if kind == "household"]
    announce(connection, region, now_s, entries)
    for device, _ in connected:
        _end_connections(connection, region, device, now_s)
    return rows


def reset_device(connection: Connection, region: str, device: str, now_s: float) -> int:
    """Bring a device that leaves its household to the state it had in its box: it keeps its credential alone."""
    rows = 0
    for table in TABLES:
        condition = table.device
        if condition is None or "household" in table.kept or table.name in ("audit", "erasures"):
            continue
        where, values = bound(condition, region, device)
        if "household" in table.cleared:
            sets = ", ".join(f"{name} = {value}" for name, value in table.cleared["household"].items())
            sql = f"UPDATE {table.name} SET {sets} WHERE region = ? AND {where}"
        else:
            sql = f"DELETE FROM {table.name} WHERE region = ? AND {where}"
        rows += connection.execute(sql, (region, *values)).rowcount
    _end_connections(connection, region, device, now_s)
    return rows


def _erase_from(connection: Connection, region: str, table: Table, kind: ErasedKind, subject: str) -> int:
    condition = table.condition(kind)
    if condition is None or kind in table.kept:
        return 0
    where, values = bound(condition, region, subject)
    if kind in table.cleared:
        sets = ", ".join(f"{name} = {value}" for name, value in table.cleared[kind].items())
        return connection.execute(
            f"UPDATE {table.name} SET {sets} WHERE region = ? AND {where}", (region, *values)
        ).rowcount
    return connection.execute(f"DELETE FROM {table.name} WHERE region = ? AND {where}", (region, *values)).rowcount


def _leave_households(connection: Connection, region: str, account: str, by: str, now_s: float) -> int:
    """Every household of an account gets another owner if it needs one; those without another adult are erased.

    The server's own household has whoever runs the server, too: only its owner takes it along.
    """
    sql = "SELECT household, role FROM members WHERE region = ? AND account = ? AND role IN ('owner', 'adult')"
    rows = 0
    for household, role in connection.execute(sql, (region, account)).fetchall():
        sql = "SELECT id, account, role, joined_at_s, expires_at_s FROM members WHERE region = ? AND household = ?"
        members = [Standing(*row) for row in connection.execute(sql, (region, household))]
        following = heir(members, account)
        if following is None and household == HOME and role != "owner":
            continue
        if following is None:
            rows += erase(connection, region, "household", household, by=by, now_s=now_s)
        elif following.role != "owner":
            sql = "UPDATE members SET role = 'owner', version = version + 1 WHERE region = ? AND id = ?"
            connection.execute(sql, (region, following.member))
            act = Act(by, "member.changed", following.member, household=household, detail={"role": "owner"})
            record(connection, region, now_s, act)
    return rows


def _brand_of(connection: Connection, region: str, kind: ErasedKind, subject: str) -> str:
    table = {"household": "households", "device": "fleet_devices"}.get(kind)
    if table is None:
        return HOME
    found = connection.execute(f"SELECT brand FROM {table} WHERE region = ? AND id = ?", (region, subject)).fetchone()
    return HOME if found is None else str(found[0])


def _devices_of(connection: Connection, region: str, kind: ErasedKind, subject: str) -> list[tuple[str, str]]:
    """Devices whose connections end or move, with their brands."""
    column = {"household": "household", "device": "id"}.get(kind)
    if column is None:
        return []
    fleet = f"SELECT id, brand FROM fleet_devices WHERE region = ? AND {column} = ?"
    found = connection.execute(fleet, (region, subject)).fetchall()
    bound_ones = f"SELECT id FROM devices WHERE region = ? AND {column} = ?"
    known = {row[0] for row in found}
    others = [row[0] for row in connection.execute(bound_ones, (region, subject)) if row[0] not in known]
    return [(str(device), str(brand)) for device, brand in found] + [(str(device), HOME) for device in others]


def _end_connections(connection: Connection, region: str, device: str, now_s: float) -> None:
    """Tell what holds a connection by a code's binding that it is no more."""
    columns = "region, household, id, topic, subject, change, at_s"
    sql = f"INSERT INTO outbox ({columns}) VALUES (?, ?, ?, 'device', ?, 'forgotten', ?)"
    connection.execute(sql, (region, HOME, new_id(), device, now_s))
