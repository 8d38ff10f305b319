"""People of a household: invited by a code, changed, removed, gone."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from entendre.core.errors import NotFoundError
from entendre.core.roles import Place
from entendre.fleet import households as rules
from entendre.ports.households import Member, ShortCode
from entendre.store.connection import Connection
from entendre.store.people.codes import CodeRows, FoundCode, wrong_code
from entendre.store.people.within import At, OfPeople, check_version
from entendre.system import new_id

_COLUMNS = "id, household, account, name, role, joined_at_s, expires_at_s, version"


class MemberStore(OfPeople):
    """Implements `ports.households.Members`."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[Member, ...]:
        """Members in the order of their ids."""
        sql = f"SELECT {_COLUMNS} FROM members WHERE region = ? AND household = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[Member, ...]:
            return tuple(Member(*row) for row in self._at(connection, household).rows(sql, after or "", limit))

        return await self._database.read(work)

    async def get(self, household: str, member: str) -> Member:
        """Raises: NotFoundError."""
        return await self._database.read(lambda connection: member_of(self._at(connection, household), member))

    async def invite(self, household: str, role: Place, *, until_s: float | None, spoken: bool, by: str) -> ShortCode:
        """A code that lets one person in. Raises: InvalidInputError, TooLargeError, NotFoundError."""

        def work(connection: Connection) -> ShortCode:
            at = self._at(connection, household, by)
            at.check_exists()
            rules.check_invitation(role, until_s, at.now_s)
            rules.check_room_for_one(standings(at))
            code = self._codes(at).make(spoken=spoken, by=by, household=household, role=role, until_s=until_s)
            at.act("member.invited", household, role=role)
            return code

        return await self._database.write(work)

    async def join(self, code: str, account: str, *, name: str, by: str) -> Member:
        """Come in by a code. Raises: NotFoundError for a wrong code, ThrottledError, ConflictError."""
        clean = rules.clean_name(name)

        def work(connection: Connection) -> Member | None:
            codes = self._codes(self._at(connection, "", by))
            found = codes.guess(code, guesser=account)
            if found is None or found.household is None:
                return None
            at = self._at(connection, found.household, by)
            _drop_past_stay(at, account)
            rules.check_joining(standings(at), account)
            codes.use(found)
            return _joined(at, found, account, clean)

        member = await self._database.write(work)
        if member is None:
            raise wrong_code()
        return member

    async def add_child(self, household: str, name: str, *, by: str) -> Member:
        """A child's profile, without an account. Raises: InvalidInputError, NotFoundError."""
        clean = rules.clean_name(name)

        def work(connection: Connection) -> Member:
            at = self._at(connection, household, by)
            at.check_exists()
            rules.check_room_for_one(standings(at))
            member = _insert(at, None, clean, "child", None)
            at.act("member.added", member.id, role="child")
            return member

        return await self._database.write(work)

    async def change(
        self, household: str, member: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> Member:
        """Another name, role or end of stay. Raises: NotFoundError, StaleError, ConflictError, InvalidInputError."""

        def work(connection: Connection) -> Member:
            at = self._at(connection, household, by)
            before = member_of(at, member)
            check_version(before.version, expected)
            name = rules.clean_name(wanted["name"]) if "name" in wanted else before.name
            role = cast(Place, wanted.get("role", before.role))
            until_s = wanted.get("until_s", before.expires_at_s if role == before.role else None)
            if role != before.role or until_s != before.expires_at_s:
                rules.check_role(standings(at), member, role, until_s, at.now_s)
            sql = (
                "UPDATE members SET name = ?, role = ?, expires_at_s = ?, version = version + 1"
                " WHERE region = ? AND household = ? AND id = ?"
            )
            connection.execute(sql, (name, role, until_s, self._region, household, member))
            if before.role == "owner" and role != "owner":
                _drop_invitations(at, before)
            at.act("member.changed", member, fields=sorted(wanted), role=role)
            at.tell("member", member, "changed", before.version + 1)
            return member_of(at, member)

        return await self._database.write(work)

    async def remove(self, household: str, member: str, *, by: str) -> None:
        """Raises: NotFoundError, ConflictError for the only owner."""

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            remove(at, member_of(at, member), "removed")

        await self._database.write(work)

    async def leave(self, household: str, account: str, *, by: str) -> None:
        """A person goes. Raises: NotFoundError, ConflictError for the only owner."""
        sql = f"SELECT {_COLUMNS} FROM members WHERE region = ? AND household = ? AND account = ?"

        def work(connection: Connection) -> None:
            at = self._at(connection, household, by)
            found = at.row(sql, account)
            if found is None:
                raise NotFoundError("You are no member of this household.")
            remove(at, Member(*found), "left")

        await self._database.write(work)

    def _codes(self, at: At) -> CodeRows:
        return CodeRows(at.connection, self._region, "member", at.now_s)


def standings(at: At) -> tuple[rules.Standing, ...]:
    """The members of a household as the rules see them."""
    sql = "SELECT id, account, role, joined_at_s, expires_at_s FROM members WHERE region = ? AND household = ?"
    return tuple(rules.Standing(*row) for row in at.rows(sql))


def member_of(at: At, member: str) -> Member:
    """Raises: NotFoundError."""
    found = at.row(f"SELECT {_COLUMNS} FROM members WHERE region = ? AND household = ? AND id = ?", member)
    if found is None:
        raise NotFoundError("There is no such member.")
    return Member(*found)


def remove(at: At, member: Member, how: str) -> None:
    """Somebody is no member any more; their private notes there go with them. Raises: ConflictError."""
    rules.check_leaving(standings(at), member.id)
    at.run("DELETE FROM members WHERE region = ? AND household = ? AND id = ?", member.id)
    at.run("DELETE FROM consents WHERE region = ? AND household = ? AND member = ?", member.id)
    _drop_invitations(at, member)
    if member.account is not None:
        at.run("DELETE FROM notes WHERE region = ? AND household = ? AND account = ?", member.account)
        at.run("DELETE FROM history WHERE region = ? AND household = ? AND account = ?", member.account)
    at.act(f"member.{how}", member.id)
    at.tell("member", member.id, how)


def _joined(at: At, code: FoundCode, account: str, name: str) -> Member:
    role = cast(Place, code.role)
    member = _insert(at, account, name, role, code.until_s)
    at.act("member.joined", member.id, role=role, invited_by=code.created_by)
    return member


def _insert(at: At, account: str | None, name: str, role: Place, until_s: float | None) -> Member:
    member = Member(new_id(), at.household, account, name, role, at.now_s, until_s, 1)
    columns = "region, household, id, account, name, role, joined_at_s, added_by, expires_at_s, version"
    sql = f"INSERT INTO members ({columns}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 1)"
    at.run(sql, member.id, account, name, role, at.now_s, at.by, until_s)
    at.tell("member", member.id, "joined", 1)
    return member


def _drop_invitations(at: At, member: Member) -> None:
    """The codes of who may invite nobody any more let nobody in, not even themselves."""
    sql = "DELETE FROM join_codes WHERE region = ? AND household = ? AND kind = 'member' AND created_by = ?"
    at.run(sql, f"person:{member.account}")


def _drop_past_stay(at: At, account: str) -> None:
    """A guest whose stay is over comes in anew."""
    sql = "DELETE FROM members WHERE region = ? AND household = ? AND account = ? AND expires_at_s <= ?"
    at.run(sql, account, at.now_s)
