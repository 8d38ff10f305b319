"""API keys: made here, shown once, kept as hashes.

A secret is 256 random bits, so nobody can guess it from its SHA-256, and a slow password hash would only slow down
every request. The key's id goes into the hash, so that equal secrets of two rows would not show.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
import secrets
from dataclasses import dataclass, replace

from entendre.core.clock import Clock
from entendre.core.errors import InvalidInputError, NotFoundError, UnauthorizedError
from entendre.core.roles import Role
from entendre.ports import KeyRecord
from entendre.store import audit
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.system import new_id

log = logging.getLogger(__name__)

SECRET_BYTES = 32
TRUST_S = 2.0
"""How long a verified key is trusted unseen: how soon a revocation by another process counts."""
LAST_USE_EVERY_S = 3_600.0
"""How coarse `last_used_at_s` is, so that reading requests do not write."""
MAX_NAME_CHARS = 100
MAX_TRUSTED = 10_000

_TOKEN = re.compile(r"ent_([0-9a-f]{32})_([A-Za-z0-9_-]{43})")
_COLUMNS = "id, name, created_at_s, last_used_at_s, revoked_at_s, brand, role"


@dataclass(slots=True)
class _Trusted:
    record: KeyRecord
    until_s: float


class ApiKeys:
    """The API keys of one region. `close` before the database."""

    def __init__(self, database: Database, clock: Clock, region: str = "home") -> None:
        self._database = database
        self._clock = clock
        self._region = region
        self._trusted: dict[bytes, _Trusted] = {}
        self._notes: set[asyncio.Task[None]] = set()

    async def add(
        self, name: str, *, brand: str | None = None, role: Role | None = None, by: str = "cli"
    ) -> tuple[str, KeyRecord]:
        """A new key: its token, which cannot be shown again, and its record. Raises: InvalidInputError."""
        name = name.strip()
        if not name or len(name) > MAX_NAME_CHARS or not name.isprintable():
            raise InvalidInputError(f"The name of a key has 1 to {MAX_NAME_CHARS} printable characters.")
        if (brand is None) is not (role is None):
            raise InvalidInputError("A key of a brand has a role, and one without a brand has none.")
        made = KeyRecord(new_id(), name, self._clock.wall(), brand=brand, role=role)
        secret = secrets.token_urlsafe(SECRET_BYTES)
        values = (self._region, made.id, name, _hash(made.id, secret), made.created_at_s, brand, role)
        sql = (
            "INSERT INTO api_keys (region, id, name, secret_hash, created_at_s, brand, role)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)"
        )

        def work(connection: Connection) -> None:
            connection.execute(sql, values)
            act = audit.Act(by, "key.created", made.id, brand=brand, detail={"role": role})
            audit.record(connection, self._region, made.created_at_s, act)

        await self._database.write(work)
        return f"ent_{made.id.replace('-', '')}_{secret}", made

    async def list(self) -> tuple[KeyRecord, ...]:
        """Every key, revoked ones too, oldest first."""
        sql = f"SELECT {_COLUMNS} FROM api_keys WHERE region = ? ORDER BY created_at_s, id"

        def work(connection: Connection) -> tuple[KeyRecord, ...]:
            return tuple(KeyRecord(*row) for row in connection.execute(sql, (self._region,)))

        return await self._database.read(work)

    async def of_brand(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[KeyRecord, ...]:
        """The keys of a brand, revoked ones too, by id."""
        sql = f"SELECT {_COLUMNS} FROM api_keys WHERE region = ? AND brand = ? AND id > ? ORDER BY id LIMIT ?"

        def work(connection: Connection) -> tuple[KeyRecord, ...]:
            return tuple(KeyRecord(*row) for row in connection.execute(sql, (self._region, brand, after, limit)))

        return await self._database.read(work)

    async def revoke(self, key: str, *, by: str = "cli") -> KeyRecord:
        """End a key, named by its id or by a name that only it has. Raises: InvalidInputError."""
        matching = [each for each in await self.list() if key == each.id]
        matching = matching or [each for each in await self.list() if key == each.name and each.revoked_at_s is None]
        if len(matching) != 1:
            what = "There is no such key." if not matching else "Several keys have this name: use the id."
            raise InvalidInputError(what)
        return await self._revoked(matching[0], by)

    async def revoke_of_brand(self, brand: str, key: str, *, by: str) -> KeyRecord:
        """End a key of a brand. Raises: NotFoundError."""
        found = next((each for each in await self.list() if each.id == key and each.brand == brand), None)
        if found is None:
            raise NotFoundError("There is no such key.")
        return await self._revoked(found, by)

    async def _revoked(self, ended: KeyRecord, by: str) -> KeyRecord:
        now_s = self._clock.wall()
        gone = replace(ended, revoked_at_s=ended.revoked_at_s or now_s)
        sql = "UPDATE api_keys SET revoked_at_s = ? WHERE region = ? AND id = ? AND revoked_at_s IS NULL"

        def work(connection: Connection) -> None:
            if connection.execute(sql, (gone.revoked_at_s, self._region, gone.id)).rowcount == 1:
                audit.record(connection, self._region, now_s, audit.Act(by, "key.revoked", gone.id, brand=gone.brand))

        await self._database.write(work)
        self._trusted = {token: each for token, each in self._trusted.items() if each.record.id != gone.id}
        return gone

    async def any_active(self) -> bool:
        """Whether there is a key that is not revoked."""
        return any(record.revoked_at_s is None for record in await self.list())

    async def verify(self, token: str) -> KeyRecord | None:
        """The key that a token belongs to; None if it is malformed, unknown or revoked."""
        match = _TOKEN.fullmatch(token)
        if match is None:
            return None
        digest = hashlib.sha256(token.encode()).digest()
        trusted = self._trusted.get(digest)
        if trusted is not None and self._clock.monotonic() < trusted.until_s:
            return trusted.record
        record = await self._verified(_dashed(match[1]), match[2])
        if record is None:
            self._trusted.pop(digest, None)
            return None
        if len(self._trusted) >= MAX_TRUSTED:
            self._trusted.clear()
        self._trusted[digest] = _Trusted(record, self._clock.monotonic() + TRUST_S)
        self._note_use(record)
        return record

    async def require(self, token: str) -> KeyRecord:
        """As `verify`. Raises: UnauthorizedError."""
        record = await self.verify(token)
        if record is None:
            raise UnauthorizedError("The API key is missing or not valid.")
        return record

    async def close(self) -> None:
        """Finish noting uses."""
        await asyncio.gather(*self._notes, return_exceptions=True)

    async def _verified(self, key: str, secret: str) -> KeyRecord | None:
        sql = f"SELECT secret_hash, {_COLUMNS} FROM api_keys WHERE region = ? AND id = ?"

        def work(connection: Connection) -> tuple[bytes, KeyRecord] | None:
            row = connection.execute(sql, (self._region, key)).fetchone()
            return None if row is None else (row[0], KeyRecord(*row[1:]))

        found = await self._database.read(work)
        if found is None or not hmac.compare_digest(found[0], _hash(key, secret)):
            return None
        return found[1] if found[1].revoked_at_s is None else None

    def _note_use(self, record: KeyRecord) -> None:
        now_s = self._clock.wall()
        if record.last_used_at_s is not None and abs(now_s - record.last_used_at_s) < LAST_USE_EVERY_S:
            return
        sql = "UPDATE api_keys SET last_used_at_s = ? WHERE region = ? AND id = ?"

        def work(connection: Connection) -> None:
            connection.execute(sql, (now_s, self._region, record.id))

        task = asyncio.create_task(self._database.write(work))
        self._notes.add(task)
        task.add_done_callback(self._noted)

    def _noted(self, task: asyncio.Task[None]) -> None:
        self._notes.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.warning("the use of a key could not be noted")


def _hash(key: str, secret: str) -> bytes:
    return hashlib.sha256(f"entendre api key {key} {secret}".encode()).digest()


def _dashed(key: str) -> str:
    return f"{key[:8]}-{key[8:12]}-{key[12:16]}-{key[16:20]}-{key[20:]}"
