"""Accounts: made, changed and disabled, and who signs in with a password."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import fields
from typing import Any

from entendre.core.attempts import Attempts
from entendre.core.clock import Clock
from entendre.core.device import language_of
from entendre.core.errors import AlreadyExistsError, InvalidInputError, NotFoundError, UnauthorizedError
from entendre.core.quotas import quota_address
from entendre.fleet.naming import label_of
from entendre.ports.accounts import AccountChanges, AccountRecord, NewAccount
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.people.oauth_rows import end_tokens_of
from entendre.store.people.passwords import Passwords
from entendre.store.versions import require_version
from entendre.system import new_id

MAX_LOGIN_CHARS = 254
"""Longest login: that of a mail address. Source: RFC 5321 as erratum 1690 reads it."""
GUESSES_OF_ADDRESS_AT_LOGIN = 5
GUESSES_OF_ADDRESS = 20
GUESSES_AT_LOGIN = 50
"""More than one address may use up: nobody can lock somebody else out from one place."""
RECOVERY_S = 60.0

_LOGIN = re.compile(r"[^\s]{3,254}")
_COUNTRY = re.compile(r"[A-Z]{2}")
_NAMES = tuple(field.name for field in fields(AccountRecord))
_COLUMNS = ", ".join(_NAMES)


class AccountStore:
    """The accounts of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._passwords = Passwords()
        self._by_address_at_login = Attempts(GUESSES_OF_ADDRESS_AT_LOGIN, RECOVERY_S)
        self._by_address = Attempts(GUESSES_OF_ADDRESS, RECOVERY_S)
        self._at_login = Attempts(GUESSES_AT_LOGIN, RECOVERY_S)

    async def create(self, new: NewAccount, *, by: str) -> AccountRecord:
        """Make an account. Raises: InvalidInputError, AlreadyExistsError, MissingExtraError."""
        login, language, country = login_of(new.login), language_of(new.language or ""), country_of(new.country or "")
        made = AccountRecord(
            new_id(), login, label_of(new.display_name), language or None, country or None, self._clock.wall(), None, 1
        )
        kept = None if new.password is None else await self._passwords.hashed(new.password)

        def work(connection: Connection) -> AccountRecord:
            if _row(connection, self._region, "login", login) is not None:
                raise AlreadyExistsError("There is an account of this login.")
            connection.execute(
                f"INSERT INTO accounts (region, {_COLUMNS}, password_hash) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (self._region, *(getattr(made, name) for name in _NAMES), kept),
            )
            self._record(connection, made.id, "created", by or f"person:{made.id}")
            return made

        return await self._database.write(work)

    async def accounts(self, *, after: str = "", limit: int = 50) -> tuple[AccountRecord, ...]:
        """Accounts by id."""
        sql = f"SELECT {_COLUMNS} FROM accounts WHERE region = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[AccountRecord, ...]:
            return tuple(AccountRecord(*row) for row in connection.execute(sql, (self._region, after, limit)))

        return await self._database.read(work)

    async def account(self, named: str) -> AccountRecord:
        """An account by id or login. Raises: NotFoundError."""
        return await self._database.read(lambda connection: _found(connection, self._region, named))

    async def named(self, named: str) -> str | None:
        """The id of an account by id or login; None if there is none."""
        try:
            return (await self.account(named)).id
        except NotFoundError:
            return None

    async def change(
        self, account: str, changes: AccountChanges, *, by: str, version: int | None = None
    ) -> AccountRecord:
        """Change an account; disabling it ends its tokens. Raises: NotFoundError, InvalidInputError, StaleError."""
        new = _checked(changes)
        now_s = self._clock.wall()

        def work(connection: Connection) -> AccountRecord:
            old = _found(connection, self._region, account)
            require_version(old.version, version)
            if changes.disabled is not None:
                new["disabled_at_s"] = (old.disabled_at_s or now_s) if changes.disabled else None
            sets = ", ".join(f"{column} = ?" for column in (*new, "version"))
            connection.execute(
                f"UPDATE accounts SET {sets} WHERE region = ? AND id = ?",
                (*new.values(), old.version + 1, self._region, old.id),
            )
            if changes.disabled:
                end_tokens_of(connection, self._region, now_s, old.id)
            self._record(connection, old.id, "changed", by, {"changed": sorted(new)})
            return _found(connection, self._region, old.id)

        return await self._database.write(work)

    async def set_password(self, account: str, password: str, *, by: str) -> None:
        """Set a password and end every token. Raises: NotFoundError, InvalidInputError, MissingExtraError."""
        kept, now_s = await self._passwords.hashed(password), self._clock.wall()

        def work(connection: Connection) -> None:
            old = _found(connection, self._region, account)
            connection.execute(
                "UPDATE accounts SET password_hash = ?, version = ? WHERE region = ? AND id = ?",
                (kept, old.version + 1, self._region, old.id),
            )
            end_tokens_of(connection, self._region, now_s, old.id)
            self._record(connection, old.id, "password_set", by)

        await self._database.write(work)

    async def change_password(self, account: str, old: str, new: str, *, address: str) -> None:
        """As `set_password`, by who knows the old one. Raises: UnauthorizedError, ThrottledError too."""
        known = await self.account(account)
        await self.authenticate(known.login, old, address=address)
        await self.set_password(known.id, new, by=f"person:{known.id}")

    async def authenticate(self, login: str, password: str, *, address: str) -> AccountRecord:
        """Who signs in, in the same time whether the login is known or not.

        Raises: UnauthorizedError, ThrottledError, OverloadedError, MissingExtraError.
        """
        name, peer = _normal(login)[:MAX_LOGIN_CHARS], quota_address(address)
        self._count_guess(name, peer)
        sql = f"SELECT password_hash, {_COLUMNS} FROM accounts WHERE region = ? AND login = ?"

        def work(connection: Connection) -> Any:
            return connection.execute(sql, (self._region, name)).fetchone()

        row = await self._database.read(work)
        fits = await self._passwords.fits(password, None if row is None else row[0])
        found = None if row is None else AccountRecord(*row[1:])
        if found is None or not fits or found.disabled_at_s is not None:
            raise UnauthorizedError("The login or the password is wrong.")
        self._forgive_guess(name, peer)
        return found

    def _count_guess(self, login: str, address: str) -> None:
        now_s = self._clock.monotonic()
        self._by_address_at_login.take(f"{address} {login}", now_s)
        self._by_address.take(address, now_s)
        self._at_login.take(login, now_s)

    def _forgive_guess(self, login: str, address: str) -> None:
        now_s = self._clock.monotonic()
        self._by_address_at_login.give_back(f"{address} {login}", now_s)
        self._by_address.give_back(address, now_s)
        self._at_login.give_back(login, now_s)

    def _record(self, connection: Connection, account: str, done: str, by: str, detail: Any = None) -> None:
        record(connection, self._region, self._clock.wall(), Act(by, f"account.{done}", account, detail=detail))


def login_of(text: str) -> str:
    """A login as it is kept: in lower case. Raises: InvalidInputError."""
    login = _normal(text)
    if not _LOGIN.fullmatch(login) or not login.isprintable():
        raise InvalidInputError(f"A login has 3 to {MAX_LOGIN_CHARS} characters without spaces.")
    return login


def country_of(text: str) -> str:
    """A country's code of two letters, empty for none. Raises: InvalidInputError."""
    country = text.strip().upper()
    if country and not _COUNTRY.fullmatch(country):
        raise InvalidInputError("A country is a code of two letters, such as DE.")
    return country


def _normal(login: str) -> str:
    return unicodedata.normalize("NFKC", login).strip().lower()


def _checked(changes: AccountChanges) -> dict[str, Any]:
    """The columns to change. Raises: InvalidInputError."""
    new: dict[str, Any] = {}
    if changes.display_name is not None:
        new["display_name"] = label_of(changes.display_name)
    if changes.language is not None:
        new["language"] = language_of(changes.language) or None
    if changes.country is not None:
        new["country"] = country_of(changes.country) or None
    return new


def _row(connection: Connection, region: str, column: str, value: str) -> Any:
    sql = f"SELECT {_COLUMNS} FROM accounts WHERE region = ? AND {column} = ?"
    return connection.execute(sql, (region, value)).fetchone()


def _found(connection: Connection, region: str, named: str) -> AccountRecord:
    row = _row(connection, region, "id", named) or _row(connection, region, "login", _normal(named))
    if row is None:
        raise NotFoundError("There is no such account.")
    return AccountRecord(*row)
