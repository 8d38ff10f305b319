"""Tokens of devices: made at boot, kept as hashes, good for one device and the client id that it was bound with.

A device fetches a token only when it boots and keeps it over reconnects, so a token is no one-time thing: the one
before stays good until its successor is used, and a little longer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from entendre.core.device import Admission, Admitted, DeviceRecord, Refusal, Refused
from entendre.store.device_rows import DeviceRows
from entendre.system import new_id

SECRET_BYTES = 32
OVERLAP_S = 600.0
"""How long a token stays good after its successor was used: for a connection that is being made right now."""
KEEP_UNUSED = 4
"""Tokens of one device that were fetched and never used; older ones are forgotten, so that fetching fills nothing."""

_TOKEN = re.compile(r"dev_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class TokenDraft:
    """A token that opens nothing until it is kept."""

    id: str
    text: str
    secret_hash: bytes


@dataclass(frozen=True, slots=True)
class TokenUse:
    """A token that opened; `first` if it never did before."""

    token: str
    admitted: Admitted
    first: bool


def draft() -> TokenDraft:
    """A new token, which cannot be shown again."""
    token_id, secret = new_id(), secrets.token_urlsafe(SECRET_BYTES)
    return TokenDraft(token_id, f"dev_{token_id.replace('-', '')}_{secret}", _hash(token_id, secret))


def mint(rows: DeviceRows, record: DeviceRecord, life_s: float | None) -> Admitted:
    """A new token of a device."""
    made = draft()
    return Admitted(record, made.text, keep(rows, record, made.id, made.secret_hash, life_s))


def keep(rows: DeviceRows, record: DeviceRecord, token: str, secret_hash: bytes, life_s: float | None) -> float | None:
    """Let a token open for a device from now on; when it ends."""
    expires_at_s = None if life_s is None else rows.now_s + life_s
    sql = (
        "INSERT INTO device_tokens (region, id, device, client, secret_hash, created_at_s, expires_at_s)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)"
    )
    values = (rows.region, token, record.id, record.client, secret_hash, rows.now_s, expires_at_s)
    rows.connection.execute(sql, values)
    _thin_out(rows, record.id)
    return expires_at_s


def check(rows: DeviceRows, token: str, hardware: str, client: str) -> TokenUse | Admission:
    """What a token opens for the device that shows it."""
    match = _TOKEN.fullmatch(token)
    sql = (
        "SELECT secret_hash, device, client, used_at_s, expires_at_s, revoked_at_s FROM device_tokens"
        " WHERE region = ? AND id = ?"
    )
    found = match and rows.connection.execute(sql, (rows.region, _dashed(match[1]))).fetchone()
    if match is None or found is None or not hmac.compare_digest(found[0], _hash(_dashed(match[1]), match[2])):
        return Refused(Refusal.TOKEN_UNKNOWN)
    _, device, bound_client, used_at_s, expires_at_s, revoked_at_s = found
    record = rows.device(device)
    if record is None or record.revoked_at_s is not None or revoked_at_s is not None:
        return Refused(Refusal.REVOKED)
    if (hardware, client) != (record.hardware, record.client) or client != bound_client:
        return Refused(Refusal.IDENTITY_MISMATCH)
    if expires_at_s is not None and expires_at_s <= rows.now_s:
        return Refused(Refusal.TOKEN_EXPIRED)
    return TokenUse(_dashed(match[1]), Admitted(record, expires_at_s=expires_at_s), used_at_s is None)


def is_drafted(token: str, drafted: str, secret_hash: bytes) -> bool:
    """Whether a token is the one of a draft, which opens nothing yet."""
    match = _TOKEN.fullmatch(token)
    return match is not None and hmac.compare_digest(secret_hash, _hash(drafted, match[2]))


def note_first_use(rows: DeviceRows, token: str, device: str) -> None:
    """A token was used: those before it end soon."""
    sql = "UPDATE device_tokens SET used_at_s = coalesce(used_at_s, ?) WHERE region = ? AND id = ?"
    rows.connection.execute(sql, (rows.now_s, rows.region, token))
    sql = (
        "UPDATE device_tokens SET expires_at_s = ?1 WHERE region = ?2 AND device = ?3"
        " AND coalesce(expires_at_s, ?1) >= ?1 AND id <> ?4"
        " AND created_at_s <= (SELECT created_at_s FROM device_tokens WHERE region = ?2 AND id = ?4)"
    )
    rows.connection.execute(sql, (rows.now_s + OVERLAP_S, rows.region, device, token))


def revoke_all(rows: DeviceRows, device: str) -> None:
    """End every token of a device."""
    sql = "UPDATE device_tokens SET revoked_at_s = coalesce(revoked_at_s, ?) WHERE region = ? AND device = ?"
    rows.connection.execute(sql, (rows.now_s, rows.region, device))


def _thin_out(rows: DeviceRows, device: str) -> None:
    """Forget tokens that nobody can use any more, and all but the newest of those that nobody used."""
    sql = "DELETE FROM device_tokens WHERE region = ? AND device = ? AND expires_at_s < ?"
    rows.connection.execute(sql, (rows.region, device, rows.now_s - OVERLAP_S))
    sql = (
        "DELETE FROM device_tokens WHERE region = ?1 AND device = ?2 AND used_at_s IS NULL AND id NOT IN"
        " (SELECT id FROM device_tokens WHERE region = ?1 AND device = ?2 AND used_at_s IS NULL"
        " ORDER BY created_at_s DESC, id DESC LIMIT ?3)"
    )
    rows.connection.execute(sql, (rows.region, device, KEEP_UNUSED))


def _hash(token_id: str, secret: str) -> bytes:
    return hashlib.sha256(f"entendre device token {token_id} {secret}".encode()).digest()


def _dashed(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
