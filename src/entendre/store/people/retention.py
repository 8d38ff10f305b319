"""How long brands and households keep what; and deleting, in lots, what a household has kept long enough."""

from __future__ import annotations

from dataclasses import dataclass, replace

from entendre.fleet import retention as rules
from entendre.ports.households import BrandRule
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.people.within import OfPeople
from entendre.system import new_id

HOUSEHOLDS_AT_ONCE = 200


@dataclass(frozen=True, slots=True)
class _Aged:
    """A kind of data: its table, key, and what its rows' age is. `also`: which rows of it."""

    kind: str
    table: str
    key: str
    age: str
    also: str = ""


_AGED = (
    _Aged("history", "history", "id", "at_s"),
    _Aged("notes", "notes", "id", "created_at_s"),
    _Aged("rings", "rings", "id", "ended_at_s", " AND ended_at_s IS NOT NULL"),
    _Aged("turns", "executed", "turn, idx", "at_s"),
)


class RetentionStore(OfPeople):
    """Implements `ports.households.Retention`, and `cloud.retention.Shelf` for what households keep."""

    async def rules(self, brand: str) -> tuple[BrandRule, ...]:
        """Every kind of a brand's data, with its days."""

        def work(connection: Connection) -> tuple[BrandRule, ...]:
            days = rules.brand_days(_rules_of(connection, self._region, brand))
            return tuple(BrandRule(kind, each) for kind, each in days.items())

        return await self._database.read(work)

    async def set_rule(self, brand: str, kind: str, days: float, *, by: str) -> BrandRule:
        """Raises: InvalidInputError."""
        rule = BrandRule(kind, rules.check_brand_rule(kind, days))
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            connection.execute(
                "INSERT INTO retention_rules (region, id, brand, kind, days, changed_at_s, changed_by)"
                " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (region, brand, kind) DO UPDATE SET"
                " days = excluded.days, changed_at_s = excluded.changed_at_s, changed_by = excluded.changed_by",
                (self._region, new_id(), brand, kind, rule.days, now_s, by),
            )
            act = Act(by, "retention.changed", brand, brand=brand, detail={"kind": kind, "days": rule.days})
            record(connection, self._region, now_s, act)

        await self._database.write(work)
        return rule

    async def prune(self, limit: int) -> int:
        """Forget rows past their households' retention, at most so many; returns how many. Raises: StoreError."""
        after, gone = "", 0
        while gone < limit and (homes := await self._homes_after(after)):
            for household, days in homes:
                for aged in _AGED:
                    kept = days[aged.kind]
                    if kept is not None and gone < limit:
                        gone += await self._prune(aged, household, kept, limit - gone)
            after = homes[-1][0]
        return gone

    async def _prune(self, aged: _Aged, household: str, days: float, limit: int) -> int:
        before_s = rules.kept_since_s(days, self._clock.wall())
        where = f"region = ? AND household = ? AND {aged.age} <= ?{aged.also}"
        values = (self._region, household)

        def is_due(connection: Connection) -> bool:
            probe = f"SELECT 1 FROM {aged.table} WHERE {where} LIMIT 1"
            return connection.execute(probe, (*values, before_s)).fetchone() is not None

        def work(connection: Connection) -> int:
            old = f"SELECT {aged.key} FROM {aged.table} WHERE {where} LIMIT ?"
            sql = f"DELETE FROM {aged.table} WHERE region = ? AND household = ? AND ({aged.key}) IN ({old})"
            rows = connection.execute(sql, (*values, *values, before_s, limit)).rowcount
            act = Act("server", "retention.swept", household, household=household)
            detail = {"kind": aged.kind, "rows": rows}
            record(connection, self._region, self._clock.wall(), replace(act, detail=detail))
            return rows

        return await self._database.write(work) if await self._database.read(is_due) else 0

    async def _homes_after(self, after: str) -> list[tuple[str, dict[str, float | None]]]:
        """Households with the days that they keep each kind; history no longer than their brand allows."""
        sql = "SELECT id, retention, brand FROM households WHERE region = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> list[tuple[str, dict[str, float | None]]]:
            most: dict[str, float] = {}
            homes = []
            for household, stored, brand in connection.execute(
                sql, (self._region, after, HOUSEHOLDS_AT_ONCE)
            ).fetchall():
                if brand not in most:
                    most[brand] = rules.brand_days(_rules_of(connection, self._region, brand))["history"]
                days = rules.household_days(stored)
                homes.append((str(household), days | {"history": min(days["history"] or 0.0, most[brand])}))
            return homes

        return await self._database.read(work)


def _rules_of(connection: Connection, region: str, brand: str) -> dict[str, float]:
    sql = "SELECT kind, days FROM retention_rules WHERE region = ? AND brand = ?"
    return dict(connection.execute(sql, (region, brand)).fetchall())
