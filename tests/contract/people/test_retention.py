"""What households have kept long enough goes, in lots, and nothing else."""

from __future__ import annotations

from typing import Any

from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.people.households import HouseholdStore
from entendre.store.people.retention import RetentionStore
from entendre.system import new_id

DAY_S = 86_400.0


class At:
    """A clock that stands."""

    def monotonic(self) -> float:
        return 1_000 * DAY_S

    def wall(self) -> float:
        return 1_000 * DAY_S


async def test_each_household_keeps_what_it_says(database: Database) -> None:
    households, retention = HouseholdStore(database, At(), "eu"), RetentionStore(database, At(), "eu")
    long = await households.create({"name": "Long"}, brand="home", owner=("a", "A"), by="a")
    short = await households.create({"name": "Short"}, brand="home", owner=("b", "B"), by="b")
    await households.change(long.id, {"retention": {"history": 30, "turns": 7}}, expected=None, by="a")
    await households.change(short.id, {"retention": {"turns": 1, "notes": 2}}, expected=None, by="b")

    def fill(connection: Connection) -> None:
        for home in (long.id, short.id):
            for days in (0.5, 3, 20, 40):
                at_s = At().wall() - days * DAY_S
                turn = ("eu", home, f"t{days}", at_s)
                columns = "region, household, turn, at_s, idx, state, action, result"
                sql = f"INSERT INTO executed ({columns}) VALUES (?, ?, ?, ?, 0, 'done', '{{}}', '')"
                connection.execute(sql, turn)
                columns = "region, household, id, at_s, device, language, heard, reply, outcome"
                sql = f"INSERT INTO history ({columns}) VALUES (?, ?, ?, ?, 'd', 'en', 'h', 'r', 'o')"
                connection.execute(sql, ("eu", home, new_id(), at_s))
                columns = "region, household, id, created_at_s, text, created_by, version"
                sql = f"INSERT INTO notes ({columns}) VALUES (?, ?, ?, ?, 'n', 'a', 1)"
                connection.execute(sql, ("eu", home, new_id(), at_s))

    await database.write(fill)
    assert await retention.prune(1) == 1
    gone = 1
    while lot := await retention.prune(3):
        assert lot <= 3
        gone += lot
    kept = {
        name: [await _count(database, name, home.id) for home in (long, short)]
        for name in ("executed", "history", "notes")
    }
    assert kept == {"executed": [2, 1], "history": [3, 0], "notes": [4, 1]}
    assert gone == 24 - sum(sum(each) for each in kept.values())
    assert await _count(database, "audit", long.id) > 2


async def _count(database: Database, table: str, household: str) -> Any:
    sql = f"SELECT count(*) FROM {table} WHERE region = 'eu' AND household = ?"
    return await database.read(lambda of: of.execute(sql, (household,)).fetchone()[0])


async def test_a_brand_says_how_long(database: Database) -> None:
    retention = RetentionStore(database, At(), "eu")
    assert {rule.kind: rule.days for rule in await retention.rules("acme")}["telemetry"] == 30
    await retention.set_rule("acme", "telemetry", 3, by="key:x")
    await retention.set_rule("acme", "telemetry", 5, by="key:x")
    assert {rule.kind: rule.days for rule in await retention.rules("acme")}["telemetry"] == 5
    assert {rule.kind: rule.days for rule in await retention.rules("other")}["telemetry"] == 30
