"""Short codes in the database: made, guessed, used once."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from entendre.core.errors import NotFoundError, StoreError, ThrottledError, TooLargeError
from entendre.fleet import codes
from entendre.ports.households import ShortCode
from entendre.store.connection import Connection
from entendre.system import new_id

ATTEMPTS = 8
"""Codes that are drawn before giving up on one that is free."""
_COLUMNS = "id, household, role, until_s, device, created_by"


@dataclass(frozen=True, slots=True)
class FoundCode:
    """A code that holds."""

    id: str
    household: str | None
    role: str | None
    until_s: float | None
    device: str | None
    created_by: str


@dataclass(frozen=True, slots=True)
class CodeRows:
    """Codes of one kind in one region, inside a transaction."""

    connection: Connection
    region: str
    kind: codes.CodeKind
    now_s: float

    def make(self, *, spoken: bool, by: str, **values: Any) -> ShortCode:
        """A new code; `values`: what else its row says. Raises: TooLargeError when a household has too many open."""
        self._drop_old()
        household = values.get("household")
        if household is not None and self._open_of(household) >= codes.MAX_OPEN_OF_HOUSEHOLD:
            raise TooLargeError(
                f"At most {codes.MAX_OPEN_OF_HOUSEHOLD} invitations are open at once. Wait ten minutes."
            )
        expires_at_s = self.now_s + codes.LIFE_S
        row = {"region": self.region, "kind": self.kind, "created_at_s": self.now_s, "created_by": by}
        row |= {"expires_at_s": expires_at_s} | values
        for _ in range(ATTEMPTS):
            code = codes.code_of(os.urandom(codes.ENTROPY_BYTES), spoken=spoken)
            full = row | {"id": new_id(), "code_hash": codes.digest(self.region, self.kind, code)}
            marks = ", ".join("?" for _ in full)
            sql = f"INSERT INTO join_codes ({', '.join(full)}) VALUES ({marks}) ON CONFLICT DO NOTHING"
            if self.connection.execute(sql, list(full.values())).rowcount == 1:
                return ShortCode(codes.written(code), expires_at_s)
        raise StoreError("No code is free. Try again.")

    def guess(self, typed: str, *, guesser: str) -> FoundCode | None:
        """The code that somebody typed, None for a wrong one, which is noted. Raises: ThrottledError."""
        self.check_may_guess(typed, guesser, None)
        found = self.find(typed)
        if found is None:
            self.note_wrong(guesser, None)
        return found

    def find(self, typed: str) -> FoundCode | None:
        """The code that somebody typed, if it holds."""
        code = codes.normal(typed)
        if code is None:
            return None
        sql = (
            f"SELECT {_COLUMNS} FROM join_codes"
            " WHERE region = ? AND kind = ? AND code_hash = ? AND expires_at_s > ? AND used_at_s IS NULL"
        )
        values = (self.region, self.kind, codes.digest(self.region, self.kind, code), self.now_s)
        found = self.connection.execute(sql, values).fetchone()
        return None if found is None else FoundCode(*found)

    def note_wrong(self, guesser: str, household: str | None) -> None:
        """Count a wrong code."""
        columns = "region, id, kind, guesser, household, at_s"
        noted = (self.region, new_id(), self.kind, guesser, household, self.now_s)
        self.connection.execute(f"INSERT INTO code_guesses ({columns}) VALUES (?, ?, ?, ?, ?, ?)", noted)

    def use(self, code: FoundCode) -> None:
        """A code works once."""
        sql = "UPDATE join_codes SET used_at_s = ? WHERE region = ? AND id = ?"
        self.connection.execute(sql, (self.now_s, self.region, code.id))

    def drop_of(self, column: str, value: str) -> None:
        """Forget the codes of a household or a device."""
        sql = f"DELETE FROM join_codes WHERE region = ? AND kind = ? AND {column} = ?"
        self.connection.execute(sql, (self.region, self.kind, value))

    def check_may_guess(self, typed: str, guesser: str, household: str | None) -> None:
        """Raises: ThrottledError after too many wrong codes."""
        sql = (
            "SELECT coalesce(sum(CASE WHEN guesser = ? THEN 1 ELSE 0 END), 0),"
            " coalesce(sum(CASE WHEN household = ? THEN 1 ELSE 0 END), 0), count(*)"
            " FROM code_guesses WHERE region = ? AND kind = ? AND at_s > ?"
        )
        since_s = self.now_s - codes.WINDOW_S
        values = (guesser, household or "", self.region, self.kind, since_s)
        of_guesser, of_household, of_all = self.connection.execute(sql, values).fetchone()
        if not codes.may_guess(of_guesser, of_household, of_all, codes.limits_for(codes.normal(typed) or "")):
            raise ThrottledError("Too many wrong codes. Wait ten minutes.", retry_after_s=codes.WINDOW_S)

    def _open_of(self, household: str) -> int:
        sql = "SELECT count(*) FROM join_codes WHERE region = ? AND household = ? AND used_at_s IS NULL"
        return int(self.connection.execute(sql, (self.region, household)).fetchone()[0])

    def _drop_old(self) -> None:
        sql = "DELETE FROM join_codes WHERE region = ? AND expires_at_s <= ?"
        self.connection.execute(sql, (self.region, self.now_s))
        sql = "DELETE FROM code_guesses WHERE region = ? AND kind = ? AND at_s <= ?"
        self.connection.execute(sql, (self.region, self.kind, self.now_s - codes.WINDOW_S))


def wrong_code() -> NotFoundError:
    """What somebody is told who typed a code that does not hold."""
    return NotFoundError("This code is not known. A code lasts ten minutes and works once.")
