"""Every row of a world, in every table there is."""

from __future__ import annotations

import hashlib
from typing import Any

from two_worlds import World

from entendre.store.connection import Connection
from entendre.store.people.subjects import TABLES, Table, bound

REGION = "home"
FILLED = (
    "history",
    "executed",
    "jobs",
    "rings",
    "code_guesses",
    "devices",
    "device_tokens",
    "pending_devices",
    "outbox",
)
"""What no operation writes, or only speech does."""
OF_NOBODY = frozenset(
    {"directory", "used_challenges", "cell_secrets", "device_keys", "oauth_clients", "download_keys", "erasures"}
)
"""Tables of the whole region: hashes, its own secrets, its programs; and erasures, of which there were none."""
_CHOICES = {
    ("executed", "state"): "done",
    ("jobs", "kind"): "timer",
    ("rings", "kind"): "timer",
    ("rings", "state"): "silenced",
    ("code_guesses", "kind"): "member",
    ("devices", "kind"): "xiaozhi",
    ("pending_devices", "kind"): "xiaozhi",
    ("jobs", "days"): "[]",
    ("jobs", "date"): None,
    ("jobs", "time"): None,
    ("jobs", "every"): None,
    ("jobs", "skip_through"): None,
    ("jobs", "due_at_s"): 4e9,
    ("jobs", "language"): "en",
    ("rings", "language"): "en",
    ("history", "account"): None,
    ("executed", "action"): "{}",
    ("executed", "result"): "{}",
    ("pending_devices", "expires_at_s"): 4e9,
}
_NEVER = frozenset({"ended_at_s", "revoked_at_s", "snoozed_until_s", "rang_due_at_s", "paused_s"})


def fill(connection: Connection, world: World) -> None:
    """A row in every table that the API itself does not fill."""
    for table in FILLED:
        columns = connection.execute(f"SELECT name, type FROM pragma_table_info('{table}')").fetchall()
        row = {name: _filling(world, table, name, kind) for name, kind in columns if name != "seq"}
        marks = ", ".join("?" * len(row))
        connection.execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        if table == "jobs":
            world.ids["jobs"].append(row["id"])


def _filling(world: World, table: str, name: str, kind: str) -> Any:
    if (table, name) in _CHOICES:
        return _CHOICES[table, name]
    known = {
        "region": REGION,
        "household": world.household,
        "device": world.devices["claimed"],
        "account": world.accounts["owner"],
        "guesser": world.accounts["owner"],
    }
    if name in known:
        return known[name]
    if table == "devices" and name == "id":
        return world.devices["claimed"]
    if name in _NEVER:
        return None
    return {"TEXT": world.word(name.replace("_", "")), "INTEGER": 1, "REAL": 1.9e9, "BLOB": world.mark.encode()}[kind]


def belongings(connection: Connection, world: World) -> dict[str, dict[str, str]]:
    """A hash of every row of a world, by table and key."""
    found: dict[str, dict[str, str]] = {}
    for table in TABLES:
        where, values = _of(connection, table, world)
        if not where:
            continue
        key = ", ".join(table.key)
        rows = connection.execute(f"SELECT {key}, * FROM {table.name} WHERE {where}", values).fetchall()
        count = len(table.key)
        found[table.name] = {
            "/".join(map(str, row[:count])): hashlib.sha256(repr(row[count:]).encode()).hexdigest() for row in rows
        }
    return found


def _of(connection: Connection, table: Table, world: World) -> tuple[str, tuple[Any, ...]]:
    columns = {row[0] for row in connection.execute(f"SELECT name FROM pragma_table_info('{table.name}')")}
    conditions: list[str] = []
    values: list[Any] = []
    for column in ({"brand", "partner"} & columns) | ({"id"} if table.name == "brands" else set()):
        conditions.append(f"{column} IN ({', '.join('?' * len(world.ids['brands']))})")
        values += world.ids["brands"]
    subjects = [("household", world.household)]
    subjects += [("account", each) for each in world.accounts.values()]
    subjects += [("device", each) for each in world.devices.values()]
    for kind, subject in subjects:
        condition = table.condition(kind)  # type: ignore[arg-type]
        if condition is not None:
            text, given = bound(condition, REGION, subject)
            conditions.append(f"(region = '{REGION}' AND {text})")
            values += given
    return " OR ".join(conditions), tuple(values)
