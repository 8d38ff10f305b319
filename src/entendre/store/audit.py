"""The audit log, written: every administrative act, in the transaction that does it.

Rows are only added: the database refuses to change or delete them. Each hash covers its row and the hash before it, so
that a row which was taken out or changed behind the database's back shows (`first_broken`).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from entendre.store.connection import Connection
from entendre.system import new_id

_COLUMNS = "id, brand, household, actor, act, target, detail, at_s"


@dataclass(frozen=True, slots=True)
class Act:
    """An administrative act. Ids, roles and names of settings; never what people said, or a secret.

    `act` is what was done, as in "device.revoked"; `target` is the id of what it was done to.
    """

    actor: str
    act: str
    target: str
    brand: str | None = None
    household: str | None = None
    detail: Any = None


def record(connection: Connection, region: str, now_s: float, act: Act) -> None:
    """Write an act into the log."""
    record_all(connection, region, now_s, [act])


def record_all(connection: Connection, region: str, now_s: float, acts: Sequence[Act]) -> None:
    """Write acts into the log, in order."""
    if not acts:
        return
    last, rows = _last_hash(connection, region), []
    for act in acts:
        detail = json.dumps(act.detail, ensure_ascii=False, sort_keys=True)
        row = (new_id(), act.brand, act.household, act.actor, act.act, act.target, detail, now_s)
        last = _chained(last, row)
        rows.append((region, *row, last))
    sql = f"INSERT INTO audit (region, {_COLUMNS}, hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    connection.executemany(sql, rows)


def first_broken(connection: Connection, region: str) -> int | None:
    """The number (`seq`) of the first row that does not follow from the one before it; None if all do."""
    last = b""
    for seq, *row, found in connection.execute(
        f"SELECT seq, {_COLUMNS}, hash FROM audit WHERE region = ? ORDER BY seq", (region,)
    ):
        if bytes(found) != _chained(last, tuple(row)):
            return int(seq)
        last = bytes(found)
    return None


def _last_hash(connection: Connection, region: str) -> bytes:
    sql = "SELECT hash FROM audit WHERE region = ? ORDER BY seq DESC LIMIT 1"
    found = connection.execute(sql, (region,)).fetchone()
    return b"" if found is None else bytes(found[0])


def _chained(last: bytes, row: tuple[Any, ...]) -> bytes:
    return hashlib.sha256(last + json.dumps(row, ensure_ascii=False).encode()).digest()
