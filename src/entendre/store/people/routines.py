"""Routines of a household, kept; running them is the runtime's."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from entendre.core.errors import NotFoundError, TooLargeError
from entendre.fleet.households import clean_name
from entendre.fleet.routines import MAX_ROUTINES, checked_actions, checked_trigger
from entendre.ports.households import Routine
from entendre.store.connection import Connection
from entendre.store.people.within import At, OfPeople, Row, check_version
from entendre.system import new_id

_COLUMNS = "id, name, trigger, actions, enabled, version"


class RoutineStore(OfPeople):
    """Implements `ports.households.Routines`."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[Routine, ...]:
        """Routines in the order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM routines WHERE region = ? AND household = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[Routine, ...]:
            return tuple(_loaded(row) for row in self._at(connection, household).rows(sql, after or "", limit))

        return await self._database.read(work)

    async def get(self, household: str, routine: str) -> Routine:
        """Raises: NotFoundError."""
        return await self._database.read(lambda connection: _routine(self._at(connection, household), routine))

    async def create(self, household: str, wanted: Mapping[str, Any], *, by: str) -> Routine:
        """Raises: InvalidInputError, TooLargeError, NotFoundError."""
        routine = _changed(Routine(new_id(), "", {}, (), True, 1), {"enabled": True, **wanted})

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            at.check_exists()
            if at.row("SELECT count(*) FROM routines WHERE region = ? AND household = ?")[0] >= MAX_ROUTINES:
                raise TooLargeError(f"A household has at most {MAX_ROUTINES} routines.")
            columns = f"region, household, {_COLUMNS}, created_at_s, created_by"
            sql = f"INSERT INTO routines ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
            at.run(sql, *_stored(routine), at.now_s, by)
            at.tell("routine", routine.id, "created", 1)

        await self._database.write(work)
        await self._tell(household)
        return routine

    async def change(
        self, household: str, routine: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> Routine:
        """Raises: NotFoundError, StaleError, InvalidInputError."""

        def work(connection: Connection) -> Routine:
            at = self._at(connection, household, by)
            before = _routine(at, routine)
            check_version(before.version, expected)
            after = replace(_changed(before, wanted), version=before.version + 1)
            sets = ", ".join(f"{each} = ?" for each in _COLUMNS.split(", ")[1:])
            sql = f"UPDATE routines SET {sets} WHERE region = ? AND household = ? AND id = ?"
            connection.execute(sql, (*_stored(after)[1:], self._region, household, routine))
            at.tell("routine", routine, "changed", after.version)
            return after

        changed = await self._database.write(work)
        await self._tell(household)
        return changed

    async def remove(self, household: str, routine: str, *, by: str) -> None:
        """Raises: NotFoundError."""

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            _routine(at, routine)
            at.run("DELETE FROM routines WHERE region = ? AND household = ? AND id = ?", routine)
            at.tell("routine", routine, "removed")

        await self._database.write(work)
        await self._tell(household)

    async def _tell(self, household: str) -> None:
        if self.changed is not None:
            await self.changed(household, "routines")


def _changed(before: Routine, wanted: Mapping[str, Any]) -> Routine:
    """Raises: InvalidInputError."""
    values: dict[str, Any] = {}
    if "name" in wanted:
        values["name"] = clean_name(wanted["name"])
    if "trigger" in wanted:
        values["trigger"] = checked_trigger(wanted["trigger"])
    if "actions" in wanted:
        values["actions"] = tuple(checked_actions(wanted["actions"]))
    if "enabled" in wanted:
        values["enabled"] = bool(wanted["enabled"])
    return replace(before, **values)


def _routine(at: At, routine: str) -> Routine:
    found = at.row(f"SELECT {_COLUMNS} FROM routines WHERE region = ? AND household = ? AND id = ?", routine)
    if found is None:
        raise NotFoundError("There is no such routine.")
    return _loaded(found)


def _loaded(row: Row) -> Routine:
    return Routine(row[0], row[1], json.loads(row[2]), tuple(json.loads(row[3])), bool(row[4]), row[5])


def _stored(each: Routine) -> tuple[Any, ...]:
    documents = (json.dumps(some, ensure_ascii=False) for some in (dict(each.trigger), list(each.actions)))
    return each.id, each.name, *documents, int(each.enabled), each.version
