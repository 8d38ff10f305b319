"""Rooms of a household."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from entendre.core.errors import AlreadyExistsError, InvalidInputError, NotFoundError
from entendre.core.home import plain_name
from entendre.fleet.households import MAX_ROOM_NAMES, MAX_ROOMS, clean_name
from entendre.ports.households import HouseRoom
from entendre.store.connection import Connection
from entendre.store.people.within import At, OfPeople, Row, check_version
from entendre.system import new_id

_COLUMNS = "id, name, names, version"
MAX_LANGUAGES = 20


class RoomStore(OfPeople):
    """Implements `ports.households.Rooms`."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[HouseRoom, ...]:
        """Rooms in the order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM rooms WHERE region = ? AND household = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[HouseRoom, ...]:
            return tuple(_loaded(row) for row in self._at(connection, household).rows(sql, after or "", limit))

        return await self._database.read(work)

    async def create(self, household: str, name: str, names: Mapping[str, tuple[str, ...]], *, by: str) -> HouseRoom:
        """Raises: InvalidInputError, AlreadyExistsError, NotFoundError."""
        room = HouseRoom(new_id(), clean_name(name), _checked(names), 1)

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            at.check_exists()
            if at.row("SELECT count(*) FROM rooms WHERE region = ? AND household = ?")[0] >= MAX_ROOMS:
                raise InvalidInputError(f"A household has at most {MAX_ROOMS} rooms.")
            _check_free(at, room)
            sql = "INSERT INTO rooms (region, household, id, name, names, version) VALUES (?, ?, ?, ?, ?, 1)"
            at.run(sql, room.id, room.name, json.dumps(room.names, ensure_ascii=False))
            at.act("room.created", room.id)
            at.tell("room", room.id, "created", 1)

        await self._database.write(work)
        await self._tell(household)
        return room

    async def change(
        self, household: str, room: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> HouseRoom:
        """Raises: NotFoundError, StaleError, InvalidInputError, AlreadyExistsError."""

        def work(connection: Connection) -> HouseRoom:
            at = self._at(connection, household, by)
            before = room_of(at, room)
            check_version(before.version, expected)
            name = clean_name(wanted["name"]) if "name" in wanted else before.name
            names = _checked(wanted["names"]) if "names" in wanted else dict(before.names)
            after = HouseRoom(room, name, names, before.version + 1)
            _check_free(at, after)
            sql = "UPDATE rooms SET name = ?, names = ?, version = ? WHERE region = ? AND household = ? AND id = ?"
            stored = json.dumps(names, ensure_ascii=False)
            connection.execute(sql, (name, stored, after.version, self._region, household, room))
            at.act("room.changed", room)
            at.tell("room", room, "changed", after.version)
            return after

        changed = await self._database.write(work)
        await self._tell(household)
        return changed

    async def remove(self, household: str, room: str, *, by: str) -> None:
        """Its devices stay, without a room. Raises: NotFoundError."""

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            room_of(at, room)
            at.run("DELETE FROM rooms WHERE region = ? AND household = ? AND id = ?", room)
            for table in ("fleet_devices", "devices"):
                at.run(f"UPDATE {table} SET room = NULL WHERE region = ? AND household = ? AND room = ?", room)
            at.act("room.removed", room)
            at.tell("room", room, "removed")

        await self._database.write(work)
        await self._tell(household)

    async def _tell(self, household: str) -> None:
        if self.changed is not None:
            await self.changed(household, "rooms")


def room_of(at: At, room: str) -> HouseRoom:
    """Raises: NotFoundError."""
    found = at.row(f"SELECT {_COLUMNS} FROM rooms WHERE region = ? AND household = ? AND id = ?", room)
    if found is None:
        raise NotFoundError("There is no such room.")
    return _loaded(found)


def _loaded(row: Row) -> HouseRoom:
    names = {language: tuple(each) for language, each in json.loads(row[2]).items()}
    return HouseRoom(row[0], row[1], names, row[3])


def _check_free(at: At, room: HouseRoom) -> None:
    others = at.rows("SELECT id, name FROM rooms WHERE region = ? AND household = ?")
    if any(plain_name(name) == plain_name(room.name) and each != room.id for each, name in others):
        raise AlreadyExistsError("Another room is called that.")


def _checked(names: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    if len(names) > MAX_LANGUAGES or any(len(each) > MAX_ROOM_NAMES for each in names.values()):
        raise InvalidInputError(f"A room has names in {MAX_LANGUAGES} languages, {MAX_ROOM_NAMES} in each, at most.")
    return {clean_name(language): tuple(clean_name(each) for each in some) for language, some in names.items()}
