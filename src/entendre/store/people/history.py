"""Conversations, kept only where a household wants them and agreed to that."""

from __future__ import annotations

from entendre.core.consent import Purpose, Subject
from entendre.fleet.households import MAX_NAME_CHARS
from entendre.fleet.retention import household_days
from entendre.markets.market import policy_of
from entendre.ports.households import TurnRecord
from entendre.store.connection import Connection
from entendre.store.people.consents import agreed
from entendre.store.people.within import At, OfPeople
from entendre.system import new_id

MAX_TEXT_CHARS = 2_000
MAX_TURNS = 100_000
"""Turns that a household keeps; the oldest make room."""
_COLUMNS = "device, account, language, heard, reply, outcome, id, at_s"


class HistoryStore(OfPeople):
    """Implements `ports.households.History`. Off by default: days are 0 until a household says otherwise."""

    async def record_turn(self, household: str, turn: TurnRecord) -> bool:
        """Keep a turn if this household keeps any; whether it did."""
        if not await self._database.read(lambda connection: _keeps(self._at(connection, household))):
            return False

        def work(connection: Connection) -> bool:
            at = self._at(connection, household)
            if not _keeps(at):
                return False
            columns = f"region, household, {_COLUMNS}"
            sql = f"INSERT INTO history ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            words = (turn.heard[:MAX_TEXT_CHARS], turn.reply[:MAX_TEXT_CHARS], turn.outcome[:MAX_NAME_CHARS])
            at.run(sql, turn.device, turn.account, turn.language, *words, new_id(), turn.at_s or at.now_s)
            _drop_surplus(at)
            return True

        return await self._database.write(work)

    async def page(self, household: str, account: str | None, before: str | None, limit: int) -> tuple[TurnRecord, ...]:
        """Newest first: those that nobody was recognised in, and those of `account`."""
        sql = (
            f"SELECT {_COLUMNS} FROM history WHERE region = ? AND household = ?"
            " AND (account IS NULL OR account = ?) AND id < ? ORDER BY id DESC LIMIT ?"
        )

        def work(connection: Connection) -> tuple[TurnRecord, ...]:
            found = self._at(connection, household).rows(sql, account or "", before or "~", limit)
            return tuple(TurnRecord(*row) for row in found)

        return await self._database.read(work)

    async def forget(self, household: str, *, by: str) -> int:
        """Delete all of it; how many turns went."""

        def work(connection: Connection) -> int:
            at = self._at(connection, household, by)
            gone = at.run("DELETE FROM history WHERE region = ? AND household = ?")
            at.act("history.forgotten", household, rows=gone)
            return gone

        return await self._database.write(work)


def _keeps(at: At) -> bool:
    found = at.row("SELECT retention, country FROM households WHERE region = ? AND id = ?")
    if found is None or not household_days(found[0])["history"]:
        return False
    allowed = Purpose.HISTORY not in policy_of(found[1]).never
    return allowed and agreed(at.connection, at.region, Subject(household=at.household), Purpose.HISTORY)


def _drop_surplus(at: At) -> None:
    oldest_kept = (
        f"SELECT id FROM history WHERE region = ? AND household = ? ORDER BY id DESC LIMIT 1 OFFSET {MAX_TURNS - 1}"
    )
    found = at.row(oldest_kept)
    if found is not None:
        at.run("DELETE FROM history WHERE region = ? AND household = ? AND id < ?", found[0])
