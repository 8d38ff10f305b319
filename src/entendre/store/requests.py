"""Answers to requests with an Idempotency-Key."""

from __future__ import annotations

from entendre.core.clock import Clock
from entendre.ports.requests import NOBODYS, Answered, Whose
from entendre.store.connection import Connection
from entendre.store.database import Database

KEPT_S = 86_400.0
"""How long an answer is kept."""
UNDER_WAY_S = 120.0
"""How long a request may be under way; after that the process that had it is taken for dead."""


class Requests:
    """The answered requests of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def begin(self, id: str, request_hash: bytes, whose: Whose = NOBODYS) -> Answered | None:
        """None: carry it out, then `finish` or `forget`. Otherwise what is known of the one before."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> Answered | None:
            _drop_old(connection, self._region, now_s)
            sql = "SELECT request_hash, status, body FROM answered_requests WHERE region = ? AND id = ?"
            found = connection.execute(sql, (self._region, id)).fetchone()
            if found is not None:
                return Answered(bytes(found[0]), found[1], found[2])
            columns = "region, id, household, account, device, request_hash, at_s"
            values = (self._region, id, whose.household, whose.account, whose.device, request_hash, now_s)
            connection.execute(f"INSERT INTO answered_requests ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?)", values)
            return None

        return await self._database.write(work)

    async def finish(self, id: str, status: int, body: str) -> None:
        """Keep an answer. A refusal is about no device: the path may have named one that is not the caller's."""
        values = (status, body, self._clock.wall(), self._region, id)
        freed = ", device = NULL" if status >= 400 else ""
        sql = f"UPDATE answered_requests SET status = ?, body = ?, at_s = ?{freed} WHERE region = ? AND id = ?"

        def work(connection: Connection) -> None:
            connection.execute(sql, values)

        await self._database.write(work)

    async def forget(self, id: str) -> None:
        """It did nothing: it may be sent again."""
        sql = "DELETE FROM answered_requests WHERE region = ? AND id = ? AND status IS NULL"

        def work(connection: Connection) -> None:
            connection.execute(sql, (self._region, id))

        await self._database.write(work)


def _drop_old(connection: Connection, region: str, now_s: float) -> None:
    """Drop answers that were kept long enough, and requests that nobody finishes any more."""
    connection.execute("DELETE FROM answered_requests WHERE region = ? AND at_s < ?", (region, now_s - KEPT_S))
    connection.execute(
        "DELETE FROM answered_requests WHERE region = ? AND at_s < ? AND status IS NULL",
        (region, now_s - UNDER_WAY_S),
    )
