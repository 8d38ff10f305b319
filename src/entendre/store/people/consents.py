"""The consent ledger: lines that are only added, and what holds now."""

from __future__ import annotations

from typing import cast

from entendre.core.consent import Entry, Purpose, Subject
from entendre.core.errors import ForbiddenError, InvalidInputError, NotFoundError
from entendre.core.roles import Place
from entendre.fleet import consent
from entendre.fleet.households import place_now
from entendre.markets.market import Policy, policy_of
from entendre.ports.households import ConsentLine
from entendre.store.connection import HOME, Connection
from entendre.store.people.members import member_of
from entendre.store.people.within import At, OfPeople, Row
from entendre.system import new_id

BETWEEN_LINES_S = 0.001
"""No two lines of a subject have the same time, so that which came last is never in doubt."""
_COLUMNS = "id, household, account, member, purpose, wording, language, given, at_s, by_whom, channel"


class ConsentStore(OfPeople):
    """Implements `ports.households.Consents`. Saying no is always possible; saying yes is what has rules."""

    async def for_household(self, household: str, line: ConsentLine, *, account: str | None) -> Entry:
        """`account`: who speaks for the household; None is whoever runs the server. Raises: ForbiddenError."""
        purpose = _checked(line)

        def work(connection: Connection) -> Entry:
            at = self._at(connection, household, line.by)
            at.check_exists()
            place = _place(at, account)
            consent.check_for_household(place, purpose, given=line.given, never=_policy(at).never)
            return _written(at, Subject(household=household), purpose, line)

        return await self._database.write(work)

    async def for_self(self, account: str, line: ConsentLine) -> Entry:
        """A person for themselves. Raises: ForbiddenError for a child's yes."""
        purpose = _checked(line)

        def work(connection: Connection) -> Entry:
            at = self._at(connection, HOME, line.by)
            places, never = _places_of(at, account)
            consent.check_for_self(places, purpose, given=line.given, never=never)
            return _written(at, Subject(account=account), purpose, line)

        return await self._database.write(work)

    async def for_child(self, household: str, member: str, line: ConsentLine, *, account: str | None) -> Entry:
        """A guardian for a child, with or without an account. Raises: NotFoundError, ForbiddenError."""
        purpose = _checked(line)

        def work(connection: Connection) -> Entry:
            at = self._at(connection, household, line.by)
            child = member_of(at, member)
            if child.role != "child":
                raise ForbiddenError("Grown-ups agree for themselves.")
            consent.check_for_child(_place(at, account), purpose, given=line.given, never=_policy(at).never)
            subject = Subject(account=child.account) if child.account else Subject(household, None, member)
            return _written(at, subject, purpose, line)

        return await self._database.write(work)

    async def ledger(self, subject: Subject) -> tuple[Entry, ...]:
        """Every line of a subject, oldest first."""
        return await self._database.read(lambda connection: entries(connection, self._region, subject))

    async def holds(self, subject: Subject, purpose: str) -> bool:
        """Whether it is agreed now."""
        wanted = consent.purpose_of(purpose)

        def work(connection: Connection) -> bool:
            return wanted not in _never(connection, self._region, subject) and agreed(
                connection, self._region, subject, wanted
            )

        return await self._database.read(work)

    async def never(self, subject: Subject) -> frozenset[Purpose]:
        """What is not done where a subject is now, whatever was agreed to elsewhere or before."""
        return await self._database.read(lambda connection: _never(connection, self._region, subject))


def entries(connection: Connection, region: str, subject: Subject) -> tuple[Entry, ...]:
    """Every line of a subject, oldest first."""
    where, values = _of(subject)
    sql = f"SELECT {_COLUMNS} FROM consents WHERE region = ? AND {where} ORDER BY at_s, id"
    return tuple(_loaded(row) for row in connection.execute(sql, (region, *values)))


def agreed(connection: Connection, region: str, subject: Subject, purpose: Purpose) -> bool:
    """Whether a purpose is agreed now."""
    where, values = _of(subject)
    sql = f"SELECT given FROM consents WHERE region = ? AND {where} AND purpose = ? ORDER BY at_s DESC, id DESC LIMIT 1"
    found = connection.execute(sql, (region, *values, purpose.value)).fetchone()
    return found is not None and bool(found[0])


def _of(subject: Subject) -> tuple[str, tuple[str, ...]]:
    if subject.member is not None:
        return "household = ? AND member = ?", (subject.household or "", subject.member)
    if subject.account is not None:
        return "account = ?", (subject.account,)
    return "household = ? AND account IS NULL AND member IS NULL", (subject.household or "",)


def require_consent(connection: Connection, region: str, subject: Subject, purpose: Purpose) -> None:
    """For whatever is done only with consent. Raises: ForbiddenError."""
    if purpose in _never(connection, region, subject) or not agreed(connection, region, subject, purpose):
        raise ForbiddenError(f"Nobody agreed to {purpose}.")


def _checked(line: ConsentLine) -> Purpose:
    consent.check_line(line.wording, line.language, line.channel)
    return consent.purpose_of(line.purpose)


def _written(at: At, subject: Subject, purpose: Purpose, line: ConsentLine) -> Entry:
    count, last_s = _extent(at, subject)
    if line.given and count >= consent.MAX_ENTRIES:
        raise InvalidInputError("The ledger of this subject is full: nothing more can be agreed to.")
    at_s = max(at.now_s, last_s + BETWEEN_LINES_S)
    entry = Entry(new_id(), subject, purpose, line.wording, line.language, line.given, at_s, line.by, line.channel)
    values = (subject.household, subject.account, subject.member, purpose.value, line.wording, line.language)
    marks = ", ".join("?" for _ in range(12))
    at.connection.execute(
        f"INSERT INTO consents (region, {_COLUMNS}) VALUES ({marks})",
        (at.region, entry.id, *values, int(line.given), at_s, line.by, line.channel),
    )
    if purpose is Purpose.HISTORY and not line.given and subject.account is None and subject.member is None:
        at.run("DELETE FROM history WHERE region = ? AND household = ?")
    target = subject.member or subject.account or subject.household or ""
    at.act("consent.given" if line.given else "consent.withdrawn", target, purpose=purpose.value, wording=line.wording)
    return entry


def _extent(at: At, subject: Subject) -> tuple[int, float]:
    """How many lines a subject has, and when the last was written."""
    where, values = _of(subject)
    sql = f"SELECT count(*), coalesce(max(at_s), 0.0) FROM consents WHERE region = ? AND {where}"
    count, last_s = at.connection.execute(sql, (at.region, *values)).fetchone()
    return int(count), float(last_s)


def _loaded(row: Row) -> Entry:
    subject = Subject(*row[1:4])
    return Entry(row[0], subject, Purpose(row[4]), row[5], row[6], bool(row[7]), *row[8:])


def _place(at: At, account: str | None) -> Place | None:
    """What a person is in the household; None for whoever runs the server. Raises: NotFoundError."""
    if account is None:
        return None
    sql = "SELECT role, expires_at_s FROM members WHERE region = ? AND household = ? AND account = ?"
    found = at.row(sql, account)
    place = None if found is None else place_now(cast(Place, found[0]), found[1], at.now_s)
    if place is None:
        raise NotFoundError("There is no such household.")
    return place


def _policy(at: At) -> Policy:
    found = at.row("SELECT country FROM households WHERE region = ? AND id = ?")
    return policy_of(found[0] if found is not None else None)


def _never(connection: Connection, region: str, subject: Subject) -> frozenset[Purpose]:
    """What is not done where a subject is: in a household's country, or where a person or a household of theirs is.

    Where nobody said the country it may be any, and so what is done in all of them is all that is done.
    """
    values: tuple[str, ...] = region, subject.household or ""
    if subject.account is None:
        sql = "SELECT country FROM households WHERE region = ? AND id = ?"
    else:
        sql = (
            "SELECT h.country FROM members m JOIN households h ON h.region = m.region AND h.id = m.household"
            " WHERE m.region = ? AND m.account = ? UNION SELECT country FROM accounts WHERE region = ? AND id = ?"
        )
        values = (region, subject.account, region, subject.account)
    countries = {row[0] for row in connection.execute(sql, values) if row[0]} or {None}
    return frozenset().union(*(policy_of(each).never for each in countries))


def _places_of(at: At, account: str) -> tuple[list[Place], frozenset[Purpose]]:
    """What a person is in every household, and what is not done where they or their households are."""
    sql = "SELECT role FROM members WHERE region = ? AND account = ?"
    found = at.connection.execute(sql, (at.region, account)).fetchall()
    return [row[0] for row in found], _never(at.connection, at.region, Subject(account=account))
