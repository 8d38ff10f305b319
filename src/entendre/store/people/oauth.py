"""OAuth 2.1 for people and programs: codes with PKCE, the device flow, and tokens that are used and ended.

Codes and tokens are kept as hashes. A grant's id is the family of all tokens that come of it, so that a code or a
refresh token which comes twice ends everything that whoever stole it holds.
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass
from typing import Any

from entendre.core.attempts import Attempts
from entendre.core.clock import Clock
from entendre.core.errors import InvalidInputError, NotFoundError, ThrottledError
from entendre.core.quotas import quota_address
from entendre.fleet.naming import label_of
from entendre.fleet.oauth import CLI, is_redirect_uri
from entendre.ports.accounts import AccessLogin, Asking, DeviceCode, OAuthClient, Refused, Tokens
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.people import oauth_rows
from entendre.system import new_id

CODE_LIFE_S = 60.0
"""From the sign-in page to the program. Source: RFC 6749 section 4.1.2 allows ten minutes; it takes seconds."""
DEVICE_CODE_LIFE_S = 600.0
POLL_INTERVAL_S = 5.0
"""Source: RFC 8628 section 3.2."""
USER_CODE_DIGITS = 9
"""Digits are the one alphabet that is unambiguous in every language that says them."""
MAX_WAITING_OF_ADDRESS = 20
MAX_WAITING = 20_000
WRONG_CODES = 10
"""User codes that an address may guess wrong at once, and then one a minute."""
WRONG_CODES_RECOVERY_S = 60.0
DECISIONS_AT_CODE = 10
TRUST_S = 2.0
"""How long a verified token is trusted unseen: how soon its end by another process counts."""
MAX_TRUSTED = 10_000
MAX_REDIRECTS = 10


@dataclass(frozen=True, slots=True)
class _Trusted:
    login: AccessLogin
    until_s: float


class GrantStore:
    """Programs, their codes and their tokens, of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._wrong = Attempts(WRONG_CODES, WRONG_CODES_RECOVERY_S)
        self._decisions = Attempts(DECISIONS_AT_CODE, WRONG_CODES_RECOVERY_S)
        self._asked = Attempts(MAX_WAITING_OF_ADDRESS, DEVICE_CODE_LIFE_S / MAX_WAITING_OF_ADDRESS)
        self._trusted: dict[bytes, _Trusted] = {}

    # -- programs ----------------------------------------------------------------------------------------------------

    async def client(self, id: str) -> OAuthClient | None:
        """A program that is registered or built in; None for an unknown one."""
        if id == CLI.id:
            return CLI
        sql = "SELECT id, name, redirect_uris, created_at_s, created_by FROM oauth_clients WHERE region = ? AND id = ?"

        def work(connection: Connection) -> OAuthClient | None:
            row = connection.execute(sql, (self._region, id)).fetchone()
            return None if row is None else oauth_rows.client_of(row)

        return await self._database.read(work)

    async def clients(self, *, after: str = "", limit: int = 50) -> tuple[OAuthClient, ...]:
        """Registered programs, by id."""
        sql = (
            "SELECT id, name, redirect_uris, created_at_s, created_by FROM oauth_clients"
            " WHERE region = ? AND id > ? ORDER BY id LIMIT ?"
        )

        def work(connection: Connection) -> tuple[OAuthClient, ...]:
            rows = connection.execute(sql, (self._region, after, limit))
            return tuple(oauth_rows.client_of(row) for row in rows)

        return await self._database.read(work)

    async def register(self, name: str, redirect_uris: tuple[str, ...], *, by: str) -> OAuthClient:
        """Register a program. Raises: InvalidInputError."""
        if len(redirect_uris) > MAX_REDIRECTS or not all(is_redirect_uri(each) for each in redirect_uris):
            raise InvalidInputError(
                f"At most {MAX_REDIRECTS} redirect URIs: https, http on a loopback address, or a scheme of the"
                " program's own with a dot in it; without a fragment."
            )
        made = OAuthClient(new_id(), label_of(name), redirect_uris, self._clock.wall(), by)

        def work(connection: Connection) -> OAuthClient:
            connection.execute(
                "INSERT INTO oauth_clients (region, id, name, redirect_uris, created_at_s, created_by)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (self._region, made.id, made.name, json.dumps(redirect_uris), made.created_at_s, by),
            )
            detail = {"redirect_uris": list(redirect_uris)}
            act = Act(by, "oauth_client.created", made.id, detail=detail)
            record(connection, self._region, made.created_at_s, act)
            return made

        return await self._database.write(work)

    async def unregister(self, id: str, *, by: str) -> None:
        """Remove a program and end its tokens. Raises: NotFoundError."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            sql = "DELETE FROM oauth_clients WHERE region = ? AND id = ?"
            if connection.execute(sql, (self._region, id)).rowcount != 1:
                raise NotFoundError("There is no such program.")
            connection.execute("DELETE FROM oauth_grants WHERE region = ? AND client = ?", (self._region, id))
            connection.execute("DELETE FROM oauth_tokens WHERE region = ? AND client = ?", (self._region, id))
            record(connection, self._region, now_s, Act(by, "oauth_client.removed", id))

        await self._database.write(work)
        self._trusted.clear()

    # -- device flow -------------------------------------------------------------------------------------------------

    async def ask(self, client: str, scope: str, *, address: str) -> DeviceCode:
        """A program without a browser wants in. Raises: ThrottledError when too many of an address wait."""
        now_s, device_code = self._clock.wall(), secrets.token_urlsafe(oauth_rows.SECRET_BYTES)
        self._count_ask(address)
        user_codes = [f"{secrets.randbelow(10**USER_CODE_DIGITS):0{USER_CODE_DIGITS}}" for _ in range(8)]

        def work(connection: Connection) -> str:
            oauth_rows.drop_expired(connection, self._region, now_s)
            self._require_room(connection, now_s, address)
            for user_code in user_codes:
                sql = (
                    "INSERT INTO oauth_grants (region, id, kind, client, user_code, scope, state, address, interval_s,"
                    " created_at_s, expires_at_s) VALUES (?, ?, 'device', ?, ?, ?, 'waiting', ?, ?, ?, ?)"
                    " ON CONFLICT DO NOTHING"
                )
                times = (POLL_INTERVAL_S, now_s, now_s + DEVICE_CODE_LIFE_S)
                values = (self._region, _hashed(device_code), client, user_code, scope, address, *times)
                if connection.execute(sql, values).rowcount == 1:
                    return user_code
            raise ThrottledError(retry_after_s=POLL_INTERVAL_S)

        user_code = await self._database.write(work)
        return DeviceCode(device_code, shown_code(user_code), DEVICE_CODE_LIFE_S, POLL_INTERVAL_S)

    async def asking(self, user_code: str, *, address: str) -> Asking:
        """Who waits behind a code. Raises: NotFoundError, ThrottledError once `address` has guessed too often."""
        row = await self._waiting(user_code, address)
        client = await self.client(row[1])
        if client is None:
            raise NotFoundError("There is no such code, or its time is up.")
        return Asking(client, row[2], row[3])

    async def decide(self, user_code: str, account: str | None, *, address: str) -> None:
        """Let the program in as an account, or refuse it (None). Raises: as `asking`."""
        id, _, asker, _ = await self._waiting(user_code, address)
        state = "denied" if account is None else "approved"
        sql = (
            "UPDATE oauth_grants SET state = ?, account = ?, user_code = NULL"
            " WHERE region = ? AND id = ? AND state = 'waiting'"
        )
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            if connection.execute(sql, (state, account, self._region, id)).rowcount != 1:
                raise NotFoundError("There is no such code, or its time is up.")
            if account is not None:
                act = Act(f"person:{account}", "oauth.approved", account, detail={"kind": "device"})
                record(connection, self._region, now_s, act)

        await self._database.write(work)
        self._asked.give_back(quota_address(asker), self._clock.monotonic())

    async def poll(self, client: str, device_code: str) -> Tokens | Refused:
        """The tokens, once somebody let the program in."""
        id, now_s, made = _hashed(device_code), self._clock.wall(), oauth_rows.make_tokens()
        sql = (
            "SELECT client, account, scope, state, polled_at_s, interval_s, expires_at_s FROM oauth_grants"
            " WHERE region = ? AND id = ? AND kind = 'device'"
        )

        def work(connection: Connection) -> Tokens | Refused:
            row = connection.execute(sql, (self._region, id)).fetchone()
            if row is None or row[0] != client or row[3] == "used":
                return "invalid_grant"
            _, account, scope, state, polled_at_s, interval_s, expires_at_s = row
            if state == "denied":
                return "access_denied"
            if now_s >= expires_at_s:
                return "expired_token"
            hasty = polled_at_s is not None and now_s - polled_at_s < interval_s - 0.5
            self._note_poll(connection, id, now_s, interval_s + 5.0 if hasty else interval_s)
            if hasty:
                return "slow_down"
            if state == "waiting":
                return "authorization_pending"
            return self._use(connection, id, now_s, made, (client, account, scope))

        return await self._database.write(work)

    # -- codes with PKCE ---------------------------------------------------------------------------------------------

    async def grant(self, client: str, account: str, redirect_uri: str, challenge: str, scope: str) -> str:
        """A code for a program whose person signed in. `challenge`: PKCE S256."""
        now_s, code = self._clock.wall(), secrets.token_urlsafe(oauth_rows.SECRET_BYTES)
        sql = (
            "INSERT INTO oauth_grants (region, id, kind, client, account, redirect_uri, challenge, scope, state,"
            " address, interval_s, created_at_s, expires_at_s) VALUES (?, ?, 'code', ?, ?, ?, ?, ?, 'approved', '',"
            " ?, ?, ?)"
        )
        values = (client, account, redirect_uri, challenge, scope, 0.0, now_s, now_s + CODE_LIFE_S)

        def work(connection: Connection) -> None:
            oauth_rows.drop_expired(connection, self._region, now_s)
            connection.execute(sql, (self._region, _hashed(code), *values))
            act = Act(f"person:{account}", "oauth.approved", account, detail={"kind": "code", "client": client})
            record(connection, self._region, now_s, act)

        await self._database.write(work)
        return code

    async def redeem(self, client: str, code: str, redirect_uri: str, verifier: str) -> Tokens | Refused:
        """The tokens for a code, once; a code that comes twice ends what came of it."""
        id, now_s, made = _hashed(code), self._clock.wall(), oauth_rows.make_tokens()
        sql = (
            "SELECT client, account, scope, state, redirect_uri, challenge, expires_at_s FROM oauth_grants"
            " WHERE region = ? AND id = ? AND kind = 'code'"
        )

        def work(connection: Connection) -> Tokens | Refused:
            row = connection.execute(sql, (self._region, id)).fetchone()
            if row is None or row[0] != client:
                return "invalid_grant"
            if row[3] == "used":
                oauth_rows.end_family(connection, self._region, now_s, id)
                return "invalid_grant"
            proven = secrets.compare_digest(challenge_of(verifier), row[5])
            if row[3] != "approved" or now_s >= row[6] or row[4] != redirect_uri or not proven:
                return "invalid_grant"
            return self._use(connection, id, now_s, made, (client, row[1], row[2]))

        return await self._database.write(work)

    # -- tokens ------------------------------------------------------------------------------------------------------

    async def refresh(self, client: str, refresh_token: str) -> Tokens | Refused:
        """The next pair; a refresh token that comes twice ends all that came of its sign-in."""
        now_s, made = self._clock.wall(), oauth_rows.make_tokens()

        def work(connection: Connection) -> Tokens | Refused:
            found = oauth_rows.find_token(connection, self._region, refresh_token)
            if found is None or found.kind != "refresh" or found.client != client:
                return "invalid_grant"
            if found.used_at_s is not None:
                oauth_rows.end_family(connection, self._region, now_s, found.family)
                return "invalid_grant"
            ended = found.revoked_at_s is not None or now_s >= found.expires_at_s
            if ended or not _is_enabled(connection, self._region, found.account):
                return "invalid_grant"
            sql = "UPDATE oauth_tokens SET used_at_s = ? WHERE region = ? AND id = ?"
            connection.execute(sql, (now_s, self._region, found.id))
            whose = (client, found.account, found.scope)
            return oauth_rows.keep_tokens(connection, self._region, now_s, made, found.family, whose)

        answer = await self._database.write(work)
        if not isinstance(answer, Tokens):
            self._trusted.clear()
        return answer

    async def revoke(self, client: str, token: str) -> None:
        """End a token and all that came of its sign-in; unknown ones are none of ours."""
        now_s = self._clock.wall()

        def work(connection: Connection) -> None:
            found = oauth_rows.find_token(connection, self._region, token)
            if found is not None and found.client == client:
                oauth_rows.end_family(connection, self._region, now_s, found.family)

        await self._database.write(work)
        self._trusted.clear()

    async def login(self, token: str) -> AccessLogin | None:
        """Whom an access token stands for; None for one that is unknown, ended or of a disabled account."""
        digest, now_s = hashlib.sha256(token.encode()).digest(), self._clock.wall()
        trusted = self._trusted.get(digest)
        if trusted is not None and self._clock.monotonic() < trusted.until_s:
            return trusted.login

        def work(connection: Connection) -> AccessLogin | None:
            found = oauth_rows.find_token(connection, self._region, token)
            if found is None or found.kind != "access" or found.revoked_at_s is not None:
                return None
            if now_s >= found.expires_at_s or not _is_enabled(connection, self._region, found.account):
                return None
            return AccessLogin(found.account, found.client, found.scope)

        login = await self._database.read(work)
        if login is None:
            self._trusted.pop(digest, None)
            return None
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted[digest] = _Trusted(login, self._clock.monotonic() + TRUST_S)
        return login

    async def end_all(self, account: str) -> None:
        """End every token of an account."""
        now_s = self._clock.wall()
        await self._database.write(lambda c: oauth_rows.end_tokens_of(c, self._region, now_s, account))
        self._trusted.clear()

    # -- inside ------------------------------------------------------------------------------------------------------

    def _count_ask(self, address: str) -> None:
        """Count the codes of a network whose addresses are countless: rows tell addresses alone."""
        network = quota_address(address)
        if network == address:
            return
        try:
            self._asked.take(network, self._clock.monotonic())
        except ThrottledError as full:
            raise ThrottledError("Too many codes of this network wait.", retry_after_s=full.retry_after_s) from None

    def _require_room(self, connection: Connection, now_s: float, address: str) -> None:
        waiting = "SELECT count(*) FROM oauth_grants WHERE region = ? AND kind = 'device' AND expires_at_s > ?"
        theirs = f"{waiting} AND address = ? AND state = 'waiting'"
        if connection.execute(theirs, (self._region, now_s, address)).fetchone()[0] >= MAX_WAITING_OF_ADDRESS:
            raise ThrottledError("Too many codes of this address wait.", retry_after_s=DEVICE_CODE_LIFE_S / 10)
        if connection.execute(waiting, (self._region, now_s)).fetchone()[0] >= MAX_WAITING:
            raise ThrottledError("Too many codes wait.", retry_after_s=DEVICE_CODE_LIFE_S / 10)

    async def _waiting(self, user_code: str, address: str) -> Any:
        """Id, client, address and time of the grant behind a code. A code that is right does not count as a guess."""
        code = "".join(each for each in user_code if each in "0123456789")
        monotonic_s, now_s = self._clock.monotonic(), self._clock.wall()
        self._wrong.take(quota_address(address), monotonic_s)
        self._decisions.take(code[:USER_CODE_DIGITS], monotonic_s)
        sql = (
            "SELECT id, client, address, created_at_s FROM oauth_grants"
            " WHERE region = ? AND user_code = ? AND state = 'waiting' AND expires_at_s > ?"
        )

        def work(connection: Connection) -> Any:
            return connection.execute(sql, (self._region, code, now_s)).fetchone()

        row = await self._database.read(work)
        if row is None:
            raise NotFoundError("There is no such code, or its time is up.")
        self._wrong.give_back(quota_address(address), monotonic_s)
        return row

    def _note_poll(self, connection: Connection, id: str, now_s: float, interval_s: float) -> None:
        sql = "UPDATE oauth_grants SET polled_at_s = ?, interval_s = ? WHERE region = ? AND id = ?"
        connection.execute(sql, (now_s, interval_s, self._region, id))

    def _use(
        self, connection: Connection, id: str, now_s: float, made: oauth_rows.MadeTokens, whose: tuple[str, str, str]
    ) -> Tokens | Refused:
        if not _is_enabled(connection, self._region, whose[1]):
            return "access_denied"
        sql = "UPDATE oauth_grants SET state = 'used', user_code = NULL WHERE region = ? AND id = ?"
        connection.execute(sql, (self._region, id))
        return oauth_rows.keep_tokens(connection, self._region, now_s, made, id, whose)


def challenge_of(verifier: str) -> str:
    """The S256 challenge of a PKCE verifier. Source: RFC 7636 section 4.2."""
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).decode().rstrip("=")


def shown_code(digits: str) -> str:
    """A user code as it is shown and said: in groups of three."""
    return "-".join(digits[at : at + 3] for at in range(0, len(digits), 3))


def _hashed(code: str) -> str:
    return hashlib.sha256(f"entendre oauth code {code}".encode()).hexdigest()


def _is_enabled(connection: Connection, region: str, account: str) -> bool:
    sql = "SELECT disabled_at_s FROM accounts WHERE region = ? AND id = ?"
    row = connection.execute(sql, (region, account)).fetchone()
    return row is not None and row[0] is None
