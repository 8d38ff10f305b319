"""Rows of OAuth: tokens, and the codes that wait for somebody."""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from dataclasses import dataclass
from typing import Any

from entendre.ports.accounts import OAuthClient, Tokens
from entendre.store.connection import Connection
from entendre.system import new_id

ACCESS_LIFE_S = 3_600.0
REFRESH_LIFE_S = 60 * 86_400.0
"""Each refresh starts it anew."""
SECRET_BYTES = 32
PREFIXES = {"access": "enta_", "refresh": "entr_"}

_TOKEN = re.compile(r"(enta|entr)_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class MadeTokens:
    """A pair of tokens, made before the work that keeps it."""

    access: tuple[str, str]
    refresh: tuple[str, str]


@dataclass(frozen=True, slots=True)
class TokenRow:
    """A token that was found, and fits."""

    id: str
    kind: str
    family: str
    client: str
    account: str
    scope: str
    expires_at_s: float
    used_at_s: float | None
    revoked_at_s: float | None


def make_tokens() -> MadeTokens:
    """Ids and secrets of a new pair."""
    return MadeTokens(*((new_id(), secrets.token_urlsafe(SECRET_BYTES)) for _ in range(2)))


def keep_tokens(
    connection: Connection, region: str, now_s: float, made: MadeTokens, family: str, whose: tuple[str, str, str]
) -> Tokens:
    """Keep a pair, hashed. `whose`: client, account and scope."""
    sql = (
        "INSERT INTO oauth_tokens (region, id, kind, secret_hash, family, client, account, scope, created_at_s,"
        " expires_at_s) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"
    )
    pairs = (("access", made.access, ACCESS_LIFE_S), ("refresh", made.refresh, REFRESH_LIFE_S))
    for kind, (id, secret), life_s in pairs:
        values = (region, id, kind, hash_of(id, secret), family, *whose, now_s, now_s + life_s)
        connection.execute(sql, values)
    access, refresh = (f"{PREFIXES[kind]}{id.replace('-', '')}_{secret}" for kind, (id, secret), _ in pairs)
    return Tokens(access, refresh, ACCESS_LIFE_S, whose[2])


def find_token(connection: Connection, region: str, token: str) -> TokenRow | None:
    """The row of a token; None for one that is unknown or does not fit. It may be ended."""
    match = _TOKEN.fullmatch(token)
    if match is None:
        return None
    digits = match[2]
    id = "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
    sql = (
        "SELECT secret_hash, id, kind, family, client, account, scope, expires_at_s, used_at_s, revoked_at_s"
        " FROM oauth_tokens WHERE region = ? AND id = ?"
    )
    row = connection.execute(sql, (region, id)).fetchone()
    if row is None or not secrets.compare_digest(bytes(row[0]), hash_of(id, match[3])):
        return None
    found = TokenRow(*row[1:])
    return found if PREFIXES[found.kind] == f"{match[1]}_" else None


def end_family(connection: Connection, region: str, now_s: float, family: str) -> None:
    """End all that came of one sign-in."""
    sql = "UPDATE oauth_tokens SET revoked_at_s = ? WHERE region = ? AND family = ? AND revoked_at_s IS NULL"
    connection.execute(sql, (now_s, region, family))


def end_tokens_of(connection: Connection, region: str, now_s: float, account: str) -> None:
    """End every token of an account, and codes that were approved for it."""
    sql = "UPDATE oauth_tokens SET revoked_at_s = ? WHERE region = ? AND account = ? AND revoked_at_s IS NULL"
    connection.execute(sql, (now_s, region, account))
    sql = "UPDATE oauth_grants SET state = 'denied' WHERE region = ? AND account = ? AND state = 'approved'"
    connection.execute(sql, (region, account))


def drop_expired(connection: Connection, region: str, now_s: float) -> None:
    """Drop codes and tokens that are past their time: nobody can use them."""
    connection.execute("DELETE FROM oauth_grants WHERE region = ? AND expires_at_s < ?", (region, now_s - 86_400.0))
    connection.execute("DELETE FROM oauth_tokens WHERE region = ? AND expires_at_s < ?", (region, now_s))


def hash_of(id: str, secret: str) -> bytes:
    """What is kept of a secret; of 256 random bits a plain hash tells nothing."""
    return hashlib.sha256(f"entendre oauth {id} {secret}".encode()).digest()


def client_of(row: Any) -> OAuthClient:
    """A registered program from its row."""
    return OAuthClient(row[0], row[1], tuple(json.loads(row[2])), row[3], row[4])
