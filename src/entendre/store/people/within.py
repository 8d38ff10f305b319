"""What the stores of people share: whose rows, who hears of a change, and versions that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import NotFoundError, StaleError
from entendre.ports.households import HouseholdChanged
from entendre.store.audit import Act, record
from entendre.store.connection import HOME, Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class At:
    """A household inside a transaction, and who changes something there."""

    connection: Connection
    region: str
    household: str
    now_s: float
    by: str = ""

    def rows(self, sql: str, *values: Any) -> list[Any]:
        """Rows of a statement whose first marks are the region and the household."""
        return self.connection.execute(sql, (self.region, self.household, *values)).fetchall()

    def row(self, sql: str, *values: Any) -> Any:
        """The first of them; None if there is none."""
        return self.connection.execute(sql, (self.region, self.household, *values)).fetchone()

    def run(self, sql: str, *values: Any) -> int:
        """Run such a statement; how many rows it wrote."""
        return self.connection.execute(sql, (self.region, self.household, *values)).rowcount

    def act(self, act: str, target: str, **detail: Any) -> None:
        """Write into the audit log: ids, roles and names of settings, never words."""
        done = Act(self.by, act, target, brand=self.brand, household=self.household, detail=detail or None)
        record(self.connection, self.region, self.now_s, done)

    def tell(self, topic: str, subject: str, change: str, version: int | None = None) -> None:
        """Announce a change in the brand's feed, by ids alone."""
        entry = FeedEntry(self.brand, topic, subject, change, household=self.household, version=version)
        announce(self.connection, self.region, self.now_s, [entry])

    @property
    def brand(self) -> str:
        """The brand of the household."""
        found = self.row("SELECT brand FROM households WHERE region = ? AND id = ?")
        return HOME if found is None else str(found[0])

    def check_exists(self) -> None:
        """Raises: NotFoundError."""
        if self.row("SELECT 1 FROM households WHERE region = ? AND id = ?") is None:
            raise NotFoundError("There is no such household.")


class OfPeople:
    """A store of one region. `changed` is told what a running household should read again."""

    def __init__(
        self, database: Database, clock: Clock, region: str = HOME, changed: HouseholdChanged | None = None
    ) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self.changed = changed

    def _at(self, connection: Connection, household: str, by: str = "") -> At:
        return At(connection, self._region, household, self._clock.wall(), by)


def check_version(found: int, expected: int | None) -> None:
    """Raises: StaleError."""
    if expected is not None and found != expected:
        raise StaleError("This was changed meanwhile. Read it again.")
