"""Tokens of devices, `entd_…`: made here, shown once, kept as hashes.

A device may lose the answer that carried its new token, so the one before stays good until the new one is first used,
and a little longer.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

from entendre.core.clock import Clock
from entendre.core.errors import ForbiddenError, NotFoundError
from entendre.fleet.access import Principal
from entendre.ports.fleet_devices import DeviceLogin, FleetDevice
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.device_rows import FleetRows
from entendre.system import new_id

SECRET_BYTES = 32
OVERLAP_S = 600.0
"""How long a token stays good after its successor was first used."""
KEEP_UNUSED = 4
"""Tokens of one device that were never used; older ones are forgotten, so that asking fills nothing."""
TRUST_S = 2.0
"""How long a token is trusted unseen: how soon a revocation by another process counts."""
MAX_TRUSTED = 20_000

_TOKEN = re.compile(r"entd_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")


@dataclass(frozen=True, slots=True)
class _Found:
    login: DeviceLogin
    first: bool


class DeviceTokens:
    """Implements `ports/fleet_devices.py:DeviceCredentials`, but for watching."""

    def __init__(self, database: Database, clock: Clock, region: str = "home") -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._trusted: dict[bytes, tuple[DeviceLogin, float]] = {}

    async def issue(self, brand: str, device: str, *, by: str) -> str:
        """A new token; those before it end soon after its first use. Raises: NotFoundError, ForbiddenError."""

        def work(connection: Connection) -> str:
            rows = FleetRows(connection, self._region, self._clock.wall())
            found = rows.wanted(brand, device, None)
            token = mint(rows, found)
            record(connection, self._region, rows.now_s, Act(by, "device.token_issued", found.id, brand))
            return token

        return await self._database.write(work)

    async def rotate(self, device: str) -> str:
        """As `issue`, asked for by the device itself. Raises: NotFoundError, ForbiddenError."""

        def work(connection: Connection) -> str:
            rows = FleetRows(connection, self._region, self._clock.wall())
            found = rows.found(device)
            if found is None:
                raise NotFoundError("There is no such device.")
            return mint(rows, found)

        return await self._database.write(work)

    async def login(self, token: str) -> DeviceLogin | None:
        """The device that a token belongs to; None if it is malformed, unknown, over or revoked."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        trusted = self._trusted.get(digest)
        if trusted is not None and self._clock.monotonic() < trusted[1]:
            return trusted[0]
        found = await self._database.read(lambda connection: self._check(connection, _dashed(match[1]), match[2]))
        if found is None:
            self._trusted.pop(digest, None)
            return None
        if found.first:
            await self._database.write(lambda connection: self._note_first_use(connection, found.login))
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted[digest] = (found.login, self._clock.monotonic() + TRUST_S)
        return found.login

    async def device_login(self, token: str) -> Principal | None:
        """Who a token lets in."""
        found = await self.login(token)
        return None if found is None else Principal("device", found.device, brand=found.brand)

    def forget_trusted(self) -> None:
        """Look every token up again: something was ended here."""
        self._trusted.clear()

    def _check(self, connection: Connection, credential: str, secret: str) -> _Found | None:
        sql = (
            "SELECT c.secret_hash, c.used_at_s, c.expires_at_s, c.revoked_at_s, d.id, d.brand, d.household, d.state"
            " FROM device_credentials c JOIN fleet_devices d"
            " ON d.region = c.region AND d.brand = c.brand AND d.id = c.device"
            " WHERE c.region = ? AND c.id = ? AND c.kind = 'token'"
        )
        row = connection.execute(sql, (self._region, credential)).fetchone()
        if row is None or not hmac.compare_digest(bytes(row[0]), _hash(credential, secret)):
            return None
        _, used_at_s, expires_at_s, revoked_at_s, device, brand, household, state = row
        over = expires_at_s is not None and expires_at_s <= self._clock.wall()
        if over or revoked_at_s is not None or state == "revoked":
            return None
        return _Found(DeviceLogin(device, brand, credential, household), used_at_s is None)

    def _note_first_use(self, connection: Connection, login: DeviceLogin) -> None:
        rows = FleetRows(connection, self._region, self._clock.wall())
        note_first_use(rows, login.brand, login.device, login.credential)


def mint(rows: FleetRows, device: FleetDevice) -> str:
    """A new token of a device. Raises: ForbiddenError for a revoked one."""
    if device.state == "revoked":
        raise ForbiddenError("The device was revoked.")
    credential, secret = new_id(), secrets.token_urlsafe(SECRET_BYTES)
    sql = (
        "INSERT INTO device_credentials (region, id, brand, device, kind, secret_hash, created_at_s)"
        " VALUES (?, ?, ?, ?, 'token', ?, ?)"
    )
    values = (rows.region, credential, device.brand, device.id, _hash(credential, secret), rows.now_s)
    rows.connection.execute(sql, values)
    _thin_out(rows, device)
    return f"entd_{credential.replace('-', '')}_{secret}"


def note_first_use(rows: FleetRows, brand: str, device: str, credential: str) -> None:
    """A token was used: those made before it end soon, and a device that never came is active now."""
    sql = (
        "UPDATE device_credentials SET used_at_s = ? WHERE region = ? AND brand = ? AND id = ? AND used_at_s IS NULL"
        " RETURNING created_at_s"
    )
    made = rows.connection.execute(sql, (rows.now_s, rows.region, brand, credential)).fetchone()
    if made is None:
        return
    sql = (
        "UPDATE device_credentials SET expires_at_s = ? WHERE region = ? AND brand = ? AND device = ? AND id <> ?"
        " AND created_at_s <= ? AND (expires_at_s IS NULL OR expires_at_s > ?)"
    )
    end_s = rows.now_s + OVERLAP_S
    rows.connection.execute(sql, (end_s, rows.region, brand, device, credential, made[0], end_s))
    sql = "UPDATE fleet_devices SET state = 'active' WHERE region = ? AND brand = ? AND id = ? AND state = 'registered'"
    if rows.connection.execute(sql, (rows.region, brand, device)).rowcount:
        found = rows.found(device)
        if found is not None:
            rows.announce(found, "activated")


def revoke_all(rows: FleetRows, brand: str, device: str) -> None:
    """End every credential of a device."""
    sql = (
        "UPDATE device_credentials SET revoked_at_s = ?"
        " WHERE region = ? AND brand = ? AND device = ? AND revoked_at_s IS NULL"
    )
    rows.connection.execute(sql, (rows.now_s, rows.region, brand, device))


def _thin_out(rows: FleetRows, device: FleetDevice) -> None:
    """Forget tokens that are over, and all but the newest of those that nobody used."""
    own = (rows.region, device.brand, device.id)
    sql = "DELETE FROM device_credentials WHERE region = ? AND brand = ? AND device = ? AND expires_at_s < ?"
    rows.connection.execute(sql, (*own, rows.now_s))
    sql = (
        "DELETE FROM device_credentials WHERE region = ? AND brand = ? AND device = ? AND used_at_s IS NULL"
        " AND id NOT IN (SELECT id FROM device_credentials WHERE region = ? AND brand = ? AND device = ?"
        " AND used_at_s IS NULL ORDER BY created_at_s DESC, id DESC LIMIT ?)"
    )
    rows.connection.execute(sql, (*own, *own, KEEP_UNUSED))


def _hash(credential: str, secret: str) -> bytes:
    return hashlib.sha256(f"entendre device credential {credential} {secret}".encode()).digest()


def _dashed(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
