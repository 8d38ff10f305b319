"""Which region a serial number or a login lives in: keyed hashes alone, so that the table tells nothing of anybody.

Cells that share `fleet.directory_key` make the same hashes, so that one can ask another.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import Literal

from entendre.core.clock import Clock
from entendre.core.errors import ConflictError
from entendre.store.connection import Connection
from entendre.store.database import Database

SECRET_BYTES = 32
DIRECTORY, CHALLENGES = "directory", "challenges"
Kind = Literal["serial", "login"]


class CellSecrets:
    """Secrets that this cell made for itself at their first use, by what they are for."""

    def __init__(self, database: Database, clock: Clock, region: str = "home") -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._known: dict[str, bytes] = {}

    async def get(self, purpose: str) -> bytes:
        """The secret for a purpose; the same for every process of the cell. Raises: StoreError."""
        if purpose not in self._known:
            self._known[purpose] = await self._database.write(lambda connection: self._made(connection, purpose))
        return self._known[purpose]

    def _made(self, connection: Connection, purpose: str) -> bytes:
        sql = "INSERT INTO cell_secrets (region, id, secret, created_at_s) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING"
        connection.execute(sql, (self._region, purpose, secrets.token_bytes(SECRET_BYTES), self._clock.wall()))
        sql = "SELECT secret FROM cell_secrets WHERE region = ? AND id = ?"
        return bytes(connection.execute(sql, (self._region, purpose)).fetchone()[0])


class FleetDirectory:
    """Implements `ports/fleet_devices.py:Directory`. `key`: shared with other cells; empty for one of our own."""

    def __init__(self, database: Database, clock: Clock, region: str = "home", key: str = "") -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._key = key
        self._secrets = CellSecrets(database, clock, region)

    async def serial_hash(self, brand: str, serial: str) -> str:
        """The hash of a serial number of a brand."""
        return await self._hash("serial", f"{brand}\n{serial}")

    async def login_hash(self, login: str) -> str:
        """The hash of a login, in lower case."""
        return await self._hash("login", login.strip().lower())

    async def home_of(self, hashed: str) -> str | None:
        """The region of a hash; None if it is unknown here."""
        return await self._database.read(lambda connection: home_of(connection, self._region, hashed))

    async def enter_login(self, login: str, home: str) -> None:
        """Note where an account lives. Raises: ConflictError if it lives elsewhere."""
        hashed = await self.login_hash(login)

        def work(connection: Connection) -> None:
            if enter(connection, self._region, hashed, "login", home, self._clock.wall()) != home:
                raise ConflictError("This login lives in another region.")

        await self._database.write(work)

    async def _hash(self, kind: Kind, text: str) -> str:
        key = self._key.encode() or await self._secrets.get(DIRECTORY)
        return hmac.new(
            key, f"entendre directory\n{kind}\n{text}".encode("utf-8", "replace"), hashlib.sha256
        ).hexdigest()


def home_of(connection: Connection, region: str, hashed: str) -> str | None:
    """The region of a hash."""
    row = connection.execute("SELECT home FROM directory WHERE region = ? AND id = ?", (region, hashed)).fetchone()
    return None if row is None else str(row[0])


def enter(connection: Connection, region: str, hashed: str, kind: Kind, home: str, now_s: float) -> str:
    """Note where something lives, unless that is known; where it lives."""
    sql = "INSERT INTO directory (region, id, kind, home, changed_at_s) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    connection.execute(sql, (region, hashed, kind, home, now_s))
    return home_of(connection, region, hashed) or home
