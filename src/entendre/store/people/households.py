"""Homes themselves: made by whoever runs the server, or by a person who becomes its owner."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, cast
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from entendre.core.errors import InvalidInputError, NotFoundError
from entendre.core.roles import Place
from entendre.fleet import retention
from entendre.fleet.households import MAX_HOUSEHOLDS_OF_ACCOUNT, clean_name, place_now
from entendre.markets.market import policy_of
from entendre.ports.households import Household
from entendre.store.connection import HOME, Connection
from entendre.store.people.within import At, OfPeople, Row, check_version
from entendre.system import new_id

_COLUMNS = "id, brand, name, language, country, time_zone, retention, created_at_s, version"
_LANGUAGE = re.compile(r"[A-Za-z]{2,3}(?:-[A-Za-z0-9]{2,8}){0,3}")
_COUNTRY = re.compile(r"[A-Z]{2}")
FIELDS = ("name", "language", "country", "time_zone")


@dataclass(frozen=True, slots=True)
class _New:
    id: str
    brand: str
    values: Mapping[str, str | None]


class HouseholdStore(OfPeople):
    """Implements `ports.households.Households`."""

    async def ensure_home(self, name: str = "Home") -> None:
        """Make the row of the household that a server has without having been given others."""
        sql = (
            "INSERT INTO households (region, id, brand, name, retention, created_at_s, created_by, version)"
            " VALUES (?, ?, ?, ?, '{}', ?, 'server', 1) ON CONFLICT DO NOTHING"
        )
        values = (self._region, HOME, HOME, name, self._clock.wall())
        await self._database.write(lambda connection: connection.execute(sql, values).rowcount)

    async def create(
        self, wanted: Mapping[str, str | None], *, brand: str, owner: tuple[str, str] | None, by: str
    ) -> Household:
        """Make one; `owner`: account and name of its first member. Raises: InvalidInputError, NotFoundError."""
        new = _New(new_id(), brand, _checked({"name": None, **wanted}))
        owning = None if owner is None else (new_id(), owner[0], clean_name(owner[1]))

        def work(connection: Connection) -> Household:
            at = self._at(connection, new.id, by)
            _insert(at, new)
            if owning is not None:
                _check_count(at, owning[1])
                _insert_owner(at, *owning)
            at.act("household.created", new.id)
            at.tell("household", new.id, "created", 1)
            return _household(at)

        return await self._database.write(work)

    async def of_account(self, account: str) -> tuple[Household, ...]:
        """Those that a person is a member of now."""
        sql = (
            f"SELECT {', '.join('h.' + each for each in _COLUMNS.split(', '))} FROM members m JOIN households h"
            " ON h.region = m.region AND h.id = m.household WHERE m.region = ? AND m.account = ?"
            " AND (m.expires_at_s IS NULL OR m.expires_at_s > ?) ORDER BY h.id"
        )

        def work(connection: Connection) -> tuple[Household, ...]:
            found = connection.execute(sql, (self._region, account, self._clock.wall()))
            return tuple(_loaded(row) for row in found)

        return await self._database.read(work)

    async def page(self, brand: str, after: str | None, limit: int) -> tuple[Household, ...]:
        """Those of a brand, in the order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM households WHERE region = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[Household, ...]:
            return tuple(_loaded(row) for row in connection.execute(sql, (self._region, brand, after or "", limit)))

        return await self._database.read(work)

    async def get(self, household: str) -> Household:
        """Raises: NotFoundError."""
        return await self._database.read(lambda connection: _household(self._at(connection, household)))

    async def change(self, household: str, wanted: Mapping[str, Any], *, expected: int | None, by: str) -> Household:
        """Change what is named. Raises: NotFoundError, StaleError, InvalidInputError."""
        values = _checked({name: wanted[name] for name in wanted if name in FIELDS})

        def work(connection: Connection) -> Household:
            at = self._at(connection, household, by)
            before = _household(at)
            check_version(before.version, expected)
            _update(at, dict(values), wanted.get("retention"))
            at.act("household.changed", household, fields=sorted(wanted))
            at.tell("household", household, "changed", before.version + 1)
            return _household(at)

        changed = await self._database.write(work)
        if self.changed is not None:
            await self.changed(household, "settings")
        return changed

    async def named(self, household: str) -> str | None:
        """The id of a household; None if there is none of this id."""
        sql = "SELECT id FROM households WHERE region = ? AND id = ?"

        def work(connection: Connection) -> str | None:
            found = self._at(connection, household).row(sql)
            return None if found is None else str(found[0])

        return await self._database.read(work)

    async def place_of(self, household: str, account: str) -> Place | None:
        """What a person is there now."""
        sql = "SELECT role, expires_at_s FROM members WHERE region = ? AND household = ? AND account = ?"

        def work(connection: Connection) -> Place | None:
            at = self._at(connection, household)
            found = at.row(sql, account)
            return None if found is None else place_now(cast(Place, found[0]), found[1], at.now_s)

        return await self._database.read(work)


def brand_rules(at: At) -> dict[str, float]:
    """Days that the household's brand keeps each kind of data."""
    sql = "SELECT kind, days FROM retention_rules WHERE region = ? AND brand = ?"
    found = at.connection.execute(sql, (at.region, at.brand)).fetchall()
    return retention.brand_days(dict(found))


def _insert(at: At, new: _New) -> None:
    if new.brand != HOME:
        sql = "SELECT 1 FROM brands WHERE region = ? AND id = ? AND ended_at_s IS NULL"
        if at.connection.execute(sql, (at.region, new.brand)).fetchone() is None:
            raise NotFoundError("There is no such brand.")
    values = new.values
    columns = "region, id, brand, name, language, country, time_zone, retention, created_at_s, created_by, version"
    at.connection.execute(
        f"INSERT INTO households ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, '{{}}', ?, ?, 1)",
        (at.region, new.id, new.brand, *(values.get(name) for name in FIELDS), at.now_s, at.by),
    )


def _insert_owner(at: At, member: str, account: str, name: str) -> None:
    columns = "region, household, id, account, name, role, joined_at_s, added_by, version"
    sql = f"INSERT INTO members ({columns}) VALUES (?, ?, ?, ?, ?, 'owner', ?, ?, 1)"
    at.run(sql, member, account, name, at.now_s, at.by)
    at.tell("member", member, "joined", 1)


def _check_count(at: At, account: str) -> None:
    sql = "SELECT count(*) FROM members WHERE region = ? AND account = ? AND role = 'owner'"
    if at.connection.execute(sql, (at.region, account)).fetchone()[0] >= MAX_HOUSEHOLDS_OF_ACCOUNT:
        raise InvalidInputError(f"A person owns at most {MAX_HOUSEHOLDS_OF_ACCOUNT} households.")


def _update(at: At, values: dict[str, str | None], days: Mapping[str, Any] | None) -> None:
    if days is not None:
        stored, country = at.row("SELECT retention, country FROM households WHERE region = ? AND id = ?") or ("", None)
        most = brand_rules(at)
        most["history"] = min(most["history"], policy_of(values.get("country", country)).history_days)
        values["retention"] = retention.with_changes(stored, days, most)
    sets = "".join(f"{name} = ?, " for name in values)
    sql = f"UPDATE households SET {sets}version = version + 1 WHERE region = ? AND id = ?"
    at.connection.execute(sql, (*values.values(), at.region, at.household))


def _household(at: At) -> Household:
    found = at.row(f"SELECT {_COLUMNS} FROM households WHERE region = ? AND id = ?")
    if found is None:
        raise NotFoundError("There is no such household.")
    return _loaded(found)


def _loaded(row: Row) -> Household:
    id, brand, name, language, country, zone, days, created_at_s, version = row
    kept = retention.household_days(days)
    return Household(id, brand, name, language, country, zone, kept, created_at_s, version)


def _checked(wanted: Mapping[str, str | None]) -> dict[str, str | None]:
    """Fields as they are kept; an empty one but the name is cleared. Raises: InvalidInputError."""
    values = {name: value or None for name, value in wanted.items()}
    if "name" in values:
        values["name"] = clean_name(values["name"] or "")
    language, country, zone = values.get("language"), values.get("country"), values.get("time_zone")
    if language is not None and not _LANGUAGE.fullmatch(language):
        raise InvalidInputError("A language is a tag, as in `en-IN`.")
    if country is not None and not _COUNTRY.fullmatch(country):
        raise InvalidInputError("A country is two capital letters, as in `IN`.")
    if zone is not None:
        try:
            ZoneInfo(zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            raise InvalidInputError("A time zone is a name as `Asia/Kolkata`.") from None
    return values
