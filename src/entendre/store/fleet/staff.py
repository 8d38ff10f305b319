"""The people who work for brands."""

from __future__ import annotations

from typing import Any

from entendre.core.clock import Clock
from entendre.core.errors import AlreadyExistsError, NotFoundError
from entendre.core.roles import Role
from entendre.ports.brands import StaffRecord
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.versions import require_version
from entendre.system import new_id

_SELECT = (
    "SELECT s.id, s.brand, s.account, s.role, a.login, a.display_name, s.created_at_s, s.created_by, s.version"
    " FROM staff s JOIN accounts a ON a.region = s.region AND a.id = s.account"
    " WHERE s.region = ? AND s.brand = ?"
)


class StaffStore:
    """The staff of the brands of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    async def role_in(self, brand: str, account: str) -> Role | None:
        """The role of an account in a brand; None if it has none."""
        sql = "SELECT role FROM staff WHERE region = ? AND brand = ? AND account = ?"

        def work(connection: Connection) -> Role | None:
            found = connection.execute(sql, (self._region, brand, account)).fetchone()
            return None if found is None else found[0]

        return await self._database.read(work)

    async def roles_of(self, account: str) -> tuple[tuple[str, Role], ...]:
        """The brands that an account works for, each with its role."""
        sql = (
            "SELECT s.brand, s.role FROM staff s JOIN brands b ON b.region = s.region AND b.id = s.brand"
            " WHERE s.region = ? AND s.account = ? AND b.ended_at_s IS NULL ORDER BY s.brand"
        )

        def work(connection: Connection) -> tuple[tuple[str, Role], ...]:
            return tuple((row[0], row[1]) for row in connection.execute(sql, (self._region, account)))

        return await self._database.read(work)

    async def add(self, brand: str, account: str, role: Role, *, by: str) -> StaffRecord:
        """Take an account in. Raises: NotFoundError for an unknown account, AlreadyExistsError."""
        id, now_s = new_id(), self._clock.wall()

        def work(connection: Connection) -> StaffRecord:
            sql = "SELECT 1 FROM accounts WHERE region = ? AND id = ?"
            if connection.execute(sql, (self._region, account)).fetchone() is None:
                raise NotFoundError("There is no such account.")
            sql = "SELECT 1 FROM staff WHERE region = ? AND brand = ? AND account = ?"
            if connection.execute(sql, (self._region, brand, account)).fetchone() is not None:
                raise AlreadyExistsError("This account is staff of the brand.")
            connection.execute(
                "INSERT INTO staff (region, id, brand, account, role, created_at_s, created_by, version)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (self._region, id, brand, account, role, now_s, by, 1),
            )
            self._record(connection, brand, id, "added", by, {"account": account, "role": role})
            return _found(connection, self._region, brand, id)

        return await self._database.write(work)

    async def staff(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[StaffRecord, ...]:
        """The staff of a brand, by id."""
        sql = f"{_SELECT} AND s.id > ? ORDER BY s.id LIMIT ?"

        def work(connection: Connection) -> tuple[StaffRecord, ...]:
            return tuple(StaffRecord(*row) for row in connection.execute(sql, (self._region, brand, after, limit)))

        return await self._database.read(work)

    async def member(self, brand: str, id: str) -> StaffRecord:
        """One of them. Raises: NotFoundError."""
        return await self._database.read(lambda connection: _found(connection, self._region, brand, id))

    async def change(self, brand: str, id: str, role: Role, *, by: str, version: int | None = None) -> StaffRecord:
        """Give another role. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> StaffRecord:
            old = _found(connection, self._region, brand, id)
            require_version(old.version, version)
            connection.execute(
                "UPDATE staff SET role = ?, version = ? WHERE region = ? AND brand = ? AND id = ?",
                (role, old.version + 1, self._region, brand, id),
            )
            self._record(connection, brand, id, "changed", by, {"account": old.account, "role": role})
            return _found(connection, self._region, brand, id)

        return await self._database.write(work)

    async def remove(self, brand: str, id: str, *, by: str, version: int | None = None) -> None:
        """Let go. Raises: NotFoundError, StaleError."""

        def work(connection: Connection) -> None:
            old = _found(connection, self._region, brand, id)
            require_version(old.version, version)
            connection.execute("DELETE FROM staff WHERE region = ? AND brand = ? AND id = ?", (self._region, brand, id))
            self._record(connection, brand, id, "removed", by, {"account": old.account})

        await self._database.write(work)

    def _record(self, connection: Connection, brand: str, id: str, done: str, by: str, detail: Any) -> None:
        now_s = self._clock.wall()
        record(connection, self._region, now_s, Act(by, f"staff.{done}", id, brand=brand, detail=detail))


def _found(connection: Connection, region: str, brand: str, id: str) -> StaffRecord:
    row = connection.execute(f"{_SELECT} AND s.id = ?", (region, brand, id)).fetchone()
    if row is None:
        raise NotFoundError("There is no such member of staff.")
    return StaffRecord(*row)
