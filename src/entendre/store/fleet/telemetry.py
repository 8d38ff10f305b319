"""Telemetry in the database: batches of many devices in one transaction, forgotten by rule."""

from __future__ import annotations

from collections.abc import Sequence

from entendre.core.clock import Clock
from entendre.fleet.telemetry import KEPT_DAYS
from entendre.ports.telemetry import TelemetryRow
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.retention import kept_since_s
from entendre.store.gatherer import Gatherer

BATCHES_AT_ONCE = 64
"""Batches of one transaction: at most 32,000 rows, so that nobody waits long for them."""
_COLUMNS = ("region", "device", "id", "brand", "at_s", "received_at_s", "body")
_ROW = "device, id, brand, at_s, received_at_s, body"


class TelemetryRows:
    """Implements `ports.telemetry.TelemetryStore`."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._batches: Gatherer[Sequence[TelemetryRow], None] = Gatherer(
            database, self._add_all, at_once=BATCHES_AT_ONCE
        )

    async def add(self, rows: Sequence[TelemetryRow]) -> None:
        """Keep rows, except those whose ids are known. Durable when it returns."""
        await self._batches.put(rows)

    async def of_device(
        self,
        brand: str,
        device: str,
        *,
        from_s: float,
        to_s: float,
        after: tuple[float, str] | None,
        limit: int,
    ) -> tuple[TelemetryRow, ...]:
        """Rows of a device within a time, oldest first; `after` is the time and id of the last one read."""
        at_s, message = after if after is not None else (from_s, "")
        sql = (
            f"SELECT {_ROW} FROM telemetry WHERE region = ? AND device = ? AND brand = ? AND at_s >= ? AND at_s < ?"
            " AND (at_s, id) > (?, ?) ORDER BY at_s, id LIMIT ?"
        )
        values = (self._region, device, brand, max(from_s, at_s), to_s, at_s, message, limit)

        def work(connection: Connection) -> tuple[TelemetryRow, ...]:
            return tuple(TelemetryRow(*row) for row in connection.execute(sql, values).fetchall())

        return await self._database.read(work)

    async def newest(self, brand: str, *, limit: int) -> tuple[TelemetryRow, ...]:
        """The rows of a brand that came last, newest first."""
        sql = f"SELECT {_ROW} FROM telemetry WHERE region = ? AND brand = ? ORDER BY received_at_s DESC LIMIT ?"

        def work(connection: Connection) -> tuple[TelemetryRow, ...]:
            return tuple(TelemetryRow(*row) for row in connection.execute(sql, (self._region, brand, limit)).fetchall())

        return await self._database.read(work)

    async def prune(self, limit: int) -> int:
        """Forget rows past their brands' retention; returns how many."""

        def old(connection: Connection) -> list[tuple[str, str]]:
            gone: list[tuple[str, str]] = []
            for brand, since_s in kept_since_s(connection, self._region, "telemetry", self._clock.wall(), KEPT_DAYS):
                sql = (
                    "SELECT device, id FROM telemetry WHERE region = ? AND brand = ? AND received_at_s < ?"
                    " ORDER BY received_at_s LIMIT ?"
                )
                values = (self._region, brand, since_s, limit - len(gone))
                gone += [(row[0], row[1]) for row in connection.execute(sql, values).fetchall()]
                if len(gone) >= limit:
                    break
            return gone

        rows = await self._database.read(old)
        if rows:
            sql = "DELETE FROM telemetry WHERE region = ? AND device = ? AND id = ?"
            keys = [(self._region, *row) for row in rows]
            await self._database.write(lambda connection: connection.executemany(sql, keys).rowcount)
        return len(rows)

    def _add_all(self, connection: Connection, batches: Sequence[Sequence[TelemetryRow]]) -> Sequence[Exception | None]:
        connection.insert_many(
            "telemetry",
            _COLUMNS,
            [
                (self._region, row.device, row.id, row.brand, row.at_s, row.received_at_s, row.body)
                for batch in batches
                for row in batch
            ],
        )
        return [None] * len(batches)
