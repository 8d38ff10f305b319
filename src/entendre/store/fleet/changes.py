"""The change feed, read from its table."""

from __future__ import annotations

from typing import Any

from entendre.core.clock import Clock
from entendre.ports.changes import ChangePage, FeedChange, Interest
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.retention import DAY_S, kept_since_s

SCANNED_ROWS = 2_000
"""Rows that one read looks at; whoever wants few of them reads on."""
KEPT_DAYS = 7.0
"""How long changes are kept where the brand has no rule, and those of brands that are no more."""
_COLUMNS = "seq, brand, household, topic, subject, change, version, data, at_s"


class ChangeRows:
    """Implements `ports.changes.ChangeSource`."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def after(self, seq: int, interest: Interest, limit: int, *, through: int | None = None) -> ChangePage:
        """Changes after a position, at most `limit`, none beyond `through`. Raises: StoreError."""
        rows = await self._database.read(lambda connection: self._scanned(connection, seq, interest, through))
        wanted: list[FeedChange] = []
        for row in rows:
            change = FeedChange(*row)
            if not interest.takes(change):
                continue
            if len(wanted) == limit:
                return ChangePage(tuple(wanted), wanted[-1].seq, more=True)
            wanted.append(change)
        more = len(rows) == SCANNED_ROWS
        last = int(rows[-1][0]) if rows else seq
        return ChangePage(tuple(wanted), last if more or through is None else max(seq, through), more=more)

    async def last(self) -> int:
        """The position of the newest change; 0 if there is none. Raises: StoreError."""
        return await self._database.read(lambda connection: self._end(connection, "DESC"))

    async def first(self) -> int:
        """The position of the oldest change that is kept; 0 if there is none. Raises: StoreError."""
        return await self._database.read(lambda connection: self._end(connection, "ASC"))

    async def prune(self, limit: int) -> int:
        """Forget changes past their brands' retention, at most so many; returns how many. Raises: StoreError."""

        def old(connection: Connection) -> list[int]:
            now_s = self._clock.wall()
            rules = dict(kept_since_s(connection, self._region, "changes", now_s, KEPT_DAYS))
            sql = "SELECT seq, brand, at_s FROM changes WHERE region = ? AND at_s < ? ORDER BY at_s LIMIT ?"
            newest_s = max(rules.values(), default=now_s - KEPT_DAYS * DAY_S)
            rows = connection.execute(sql, (self._region, newest_s, limit)).fetchall()
            otherwise_s = now_s - KEPT_DAYS * DAY_S
            return [int(seq) for seq, brand, at_s in rows if at_s < rules.get(brand, otherwise_s)]

        gone = await self._database.read(old)
        if gone:
            sql = "DELETE FROM changes WHERE region = ? AND seq = ?"
            keys = [(self._region, seq) for seq in gone]
            await self._database.write(lambda connection: connection.executemany(sql, keys).rowcount)
        return len(gone)

    def _scanned(self, connection: Connection, seq: int, interest: Interest, through: int | None) -> list[Any]:
        where, values = ["region = ?", "seq > ?"], [self._region, seq]
        if through is not None:
            where.append("seq <= ?")
            values.append(through)
        if interest.brand is not None:
            where.append("brand = ?")
            values.append(interest.brand)
        if interest.household is not None:
            where.append("household = ?")
            values.append(interest.household)
        if interest.subject is not None:
            where.append("subject = ?")
            values.append(interest.subject)
        sql = f"SELECT {_COLUMNS} FROM changes WHERE {' AND '.join(where)} ORDER BY seq LIMIT {SCANNED_ROWS}"
        return connection.execute(sql, values).fetchall()

    def _end(self, connection: Connection, order: str) -> int:
        sql = f"SELECT seq FROM changes WHERE region = ? ORDER BY seq {order} LIMIT 1"
        found = connection.execute(sql, (self._region,)).fetchone()
        return 0 if found is None else int(found[0])
