"""Answers to requests with an Idempotency-Key."""

from __future__ import annotations

from entendre.core.clock import Clock
from entendre.ports.requests import NOBODYS, Answered, Whose
from entendre.store.connection import Connection
from entendre.store.database import Database, Work

KEPT_S = 86_400.0
"""How long an answer is kept."""


class Requests:
    """The answered requests of one region, of which this is the only server.

    So one that has no answer and is not under way here will get none: its server died, or could not write it down.
    """

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._under_way: dict[str, bytes] = {}

    async def begin(self, id: str, request_hash: bytes, whose: Whose = NOBODYS) -> Answered | None:
        """None: carry it out, then `finish` or `forget`. Otherwise what is known of the one before."""
        if id in self._under_way:
            return Answered(self._under_way[id], None, None)
        now_s = self._clock.wall()

        def work(connection: Connection) -> Answered | None:
            connection.execute(
                "DELETE FROM answered_requests WHERE region = ? AND at_s < ?", (self._region, now_s - KEPT_S)
            )
            sql = "SELECT request_hash, status, body FROM answered_requests WHERE region = ? AND id = ?"
            found = connection.execute(sql, (self._region, id)).fetchone()
            if found is not None and (found[1] is not None or bytes(found[0]) != request_hash):
                return Answered(bytes(found[0]), found[1], found[2])
            columns = "region, id, household, account, device, request_hash, at_s"
            values = (self._region, id, whose.household, whose.account, whose.device, request_hash, now_s)
            connection.execute(
                f"INSERT INTO answered_requests ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)"
                " ON CONFLICT (region, id) DO UPDATE SET at_s = excluded.at_s",
                values,
            )
            return None

        self._under_way[id] = request_hash
        known, begun = None, False
        try:
            known = await self._database.write(work)
            begun = known is None
        finally:
            if not begun:
                del self._under_way[id]
        return known

    async def finish(self, id: str, status: int, body: str) -> None:
        """Keep an answer. A refusal is about no device: the path may have named one that is not the caller's."""
        values = (status, body, self._clock.wall(), self._region, id)
        freed = ", device = NULL" if status >= 400 else ""
        sql = f"UPDATE answered_requests SET status = ?, body = ?, at_s = ?{freed} WHERE region = ? AND id = ?"

        def work(connection: Connection) -> None:
            connection.execute(sql, values)

        await self._end(id, work)

    async def forget(self, id: str) -> None:
        """It did nothing: it may be sent again."""
        sql = "DELETE FROM answered_requests WHERE region = ? AND id = ? AND status IS NULL"

        def work(connection: Connection) -> None:
            connection.execute(sql, (self._region, id))

        await self._end(id, work)

    async def _end(self, id: str, work: Work[None]) -> None:
        try:
            await self._database.write(work)
        finally:
            self._under_way.pop(id, None)
