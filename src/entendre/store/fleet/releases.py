"""Signing keys and releases of brands."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from typing import Any

from entendre.cloud.signatures import is_public_key, is_signed
from entendre.core.clock import Clock
from entendre.core.errors import (
    AlreadyExistsError,
    ConflictError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleError,
    TooLargeError,
)
from entendre.fleet.releases import (
    MAX_NOTES_CHARS,
    Manifest,
    hash_of_notes,
    key_id,
    read_manifest,
)
from entendre.ports.releases import ReleaseRecord, ReleaseState, SigningKey
from entendre.store.audit import Act, record
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.feed import FeedEntry, announce
from entendre.system import new_id

MAX_KEYS = 32
"""Keys of a brand that may sign at once: each is tried."""
MAX_NAME_CHARS = 64

_KEY = "id, brand, name, public_key, created_at_s, created_by, revoked_at_s"
_RELEASE = (
    "SELECT r.id, r.brand, r.product, coalesce(p.name, ''), r.kind, r.number, r.channel, r.notes, r.manifest,"
    " r.signature, r.signing_key, r.state, r.created_at_s, r.created_by, r.version"
    " FROM releases r LEFT JOIN products p ON p.region = r.region AND p.id = r.product"
)


@dataclass(frozen=True, slots=True)
class _Signed:
    """A manifest with what it was given with."""

    text: str
    manifest: Manifest
    signature: bytes
    notes: str


class Releases:
    """Implements `ports.releases.ReleaseBook` over the database of one region."""

    def __init__(self, database: Database, clock: Clock, region: str) -> None:
        self._database = database
        self._clock = clock
        self._region = region

    # -- keys --------------------------------------------------------------------------------------------------------

    async def add_key(self, brand: str, name: str, public_key: bytes, *, by: str) -> SigningKey:
        """Take a key for one that may sign. Raises: InvalidInputError, AlreadyExistsError, MissingExtraError."""
        if not 0 < len(name) <= MAX_NAME_CHARS:
            raise InvalidInputError(f"A key's name has 1 to {MAX_NAME_CHARS} characters.")
        if not is_public_key(public_key):
            raise InvalidInputError("That is no Ed25519 public key: 32 bytes.")
        return await self._database.write(lambda connection: self._add_key(connection, brand, name, public_key, by))

    async def keys(self, brand: str) -> tuple[SigningKey, ...]:
        """Every key, revoked ones too, oldest first."""
        sql = f"SELECT {_KEY} FROM signing_keys WHERE region = ? AND brand = ? ORDER BY id"
        rows = await self._database.read(lambda connection: connection.execute(sql, (self._region, brand)).fetchall())
        return tuple(_key(row) for row in rows)

    async def revoke_key(self, brand: str, key: str, *, by: str) -> SigningKey:
        """What a key (by id or name) signed is accepted and offered no more. Raises: NotFoundError."""

        def work(connection: Connection) -> SigningKey:
            now_s = self._clock.wall()
            sql = (
                "UPDATE signing_keys SET revoked_at_s = coalesce(revoked_at_s, ?)"
                f" WHERE region = ? AND brand = ? AND (id = ? OR name = ?) RETURNING {_KEY}"
            )
            row = connection.execute(sql, (now_s, self._region, brand, key, key)).fetchone()
            if row is None:
                raise NotFoundError("There is no such signing key.")
            self._record(connection, now_s, Act(by, "signing_key.revoked", str(row[0]), brand))
            return _key(row)

        return await self._database.write(work)

    def _add_key(self, connection: Connection, brand: str, name: str, public_key: bytes, by: str) -> SigningKey:
        now_s, scope = self._clock.wall(), (self._region, brand)
        found = connection.execute(
            f"SELECT {_KEY} FROM signing_keys WHERE region = ? AND brand = ? AND revoked_at_s IS NULL", scope
        ).fetchall()
        if len(found) >= MAX_KEYS:
            raise TooLargeError(f"A brand has at most {MAX_KEYS} signing keys; revoke one.")
        if any(bytes(row[3]) == public_key for row in found):
            raise AlreadyExistsError("That key may sign already.")
        sql = (
            "INSERT INTO signing_keys (region, id, brand, name, public_key, created_at_s, created_by)"
            f" VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING {_KEY}"
        )
        values = (self._region, new_id(), brand, name, public_key, now_s, by)
        row = connection.execute(sql, values).fetchone()
        if row is None:
            raise AlreadyExistsError("There is a signing key of this name, or was one.")
        detail = {"name": name, "fingerprint": key_id(public_key)}
        self._record(connection, now_s, Act(by, "signing_key.added", str(row[0]), brand, detail=detail))
        return _key(row)

    async def download_secret(self) -> bytes:
        """What signs this region's download URLs: made once."""

        def work(connection: Connection) -> bytes:
            connection.execute(
                "INSERT INTO download_keys (region, id, secret, created_at_s) VALUES (?, 'urls', ?, ?)"
                " ON CONFLICT DO NOTHING",
                (self._region, made, self._clock.wall()),
            )
            sql = "SELECT secret FROM download_keys WHERE region = ? AND id = 'urls'"
            return bytes(connection.execute(sql, (self._region,)).fetchone()[0])

        made = secrets.token_bytes(32)
        return await self._database.write(work)

    # -- releases ----------------------------------------------------------------------------------------------------

    async def create(self, brand: str, manifest: str, signature: bytes, notes: str, *, by: str) -> ReleaseRecord:
        """A draft of what was signed; the same again is the same release. Raises: as `ReleaseBook.create`."""
        read = read_manifest(manifest)
        if len(notes) > MAX_NOTES_CHARS:
            raise TooLargeError(f"Notes have at most {MAX_NOTES_CHARS} characters.")
        if hash_of_notes(notes) != read.notes_sha256:
            raise InvalidInputError("These are not the notes that were signed: their hash is another.")
        signed = _Signed(manifest, read, signature, notes)
        fingerprint = await self._signer(brand, signed)
        return await self._database.write(lambda connection: self._create(connection, brand, signed, fingerprint, by))

    async def releases(
        self, brand: str, *, product: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[ReleaseRecord, ...]:
        """Releases in the order of their ids, after one. `product`: id or name."""
        of_product = " AND (r.product = ? OR p.name = ?)" if product is not None else ""
        sql = f"{_RELEASE} WHERE r.region = ? AND r.brand = ? AND r.id > ?{of_product} ORDER BY r.id LIMIT ?"
        named = (product, product) if product is not None else ()
        values = (self._region, brand, after, *named, limit)
        rows = await self._database.read(lambda connection: connection.execute(sql, values).fetchall())
        return tuple(_release(row) for row in rows)

    async def release(self, brand: str, release: str) -> ReleaseRecord:
        """One release. Raises: NotFoundError."""
        return await self._database.read(lambda connection: self._one(connection, brand, release))

    async def publish(self, brand: str, release: str, *, by: str, version: int | None = None) -> ReleaseRecord:
        """Let rollouts use it. Raises: NotFoundError, StaleError, ConflictError."""
        return await self._move(brand, release, "published", by, version)

    async def withdraw(self, brand: str, release: str, *, by: str, version: int | None = None) -> ReleaseRecord:
        """Offer it to nobody any more. Raises: NotFoundError, StaleError."""
        return await self._move(brand, release, "withdrawn", by, version)

    async def _signer(self, brand: str, signed: _Signed) -> str:
        """The fingerprint of the key that signed. Raises: ForbiddenError."""
        keys = [each for each in await self.keys(brand) if each.revoked_at_s is None]
        for key in keys:
            if is_signed(key.public_key, signed.text, signed.signature):
                return key.fingerprint
        if not keys:
            raise ForbiddenError("This brand has no signing key yet. Add one first.")
        raise ForbiddenError("None of this brand's signing keys made this signature.")

    def _create(self, connection: Connection, brand: str, signed: _Signed, fingerprint: str, by: str) -> ReleaseRecord:
        manifest, now_s = signed.manifest, self._clock.wall()
        product = self._product(connection, brand, manifest.product)
        self._check_artifacts(connection, brand, manifest)
        values = (
            *(self._region, new_id(), brand, product, manifest.kind, manifest.number, manifest.channel, signed.notes),
            *(signed.text, signed.signature, fingerprint, "draft", now_s, by, 1),
        )
        sql = (
            "INSERT INTO releases (region, id, brand, product, kind, number, channel, notes, manifest, signature,"
            " signing_key, state, created_at_s, created_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id"
        )
        row = connection.execute(sql, values).fetchone()
        if row is None:
            return self._same(connection, brand, product, signed)
        detail = {"product": product, "kind": manifest.kind, "number": manifest.number, "key": fingerprint}
        self._record(connection, now_s, Act(by, "release.created", str(row[0]), brand, detail=detail))
        self._announce(connection, now_s, FeedEntry(brand, "release", str(row[0]), "created", version=1, data=detail))
        return self._one(connection, brand, str(row[0]))

    def _product(self, connection: Connection, brand: str, name: str) -> str:
        sql = "SELECT id FROM products WHERE region = ? AND brand = ? AND name = ? AND ended_at_s IS NULL"
        row = connection.execute(sql, (self._region, brand, name)).fetchone()
        if row is None:
            raise NotFoundError(f"The manifest names the product {name!r}, which this brand does not have.")
        return str(row[0])

    def _check_artifacts(self, connection: Connection, brand: str, manifest: Manifest) -> None:
        sql = "SELECT size_bytes, complete FROM artifacts WHERE region = ? AND brand = ? AND id = ?"
        for artifact in manifest.artifacts:
            row = connection.execute(sql, (self._region, brand, artifact.sha256)).fetchone()
            if row is None or not row[1]:
                raise ConflictError(f"The artifact {artifact.name} ({artifact.sha256[:12]}…) is not uploaded yet.")
            if row[0] != artifact.size_bytes:
                raise InvalidInputError(f"The artifact {artifact.name} has {row[0]} bytes, not {artifact.size_bytes}.")

    def _same(self, connection: Connection, brand: str, product: str, signed: _Signed) -> ReleaseRecord:
        """The release that is there already, if it is this very one."""
        sql = f"{_RELEASE} WHERE r.region = ? AND r.brand = ? AND r.product = ? AND r.kind = ? AND r.number = ?"
        values = (self._region, brand, product, signed.manifest.kind, signed.manifest.number)
        found = _release(connection.execute(sql, values).fetchone())
        if found.manifest != signed.text:
            raise AlreadyExistsError(f"There is another release {found.number} of this product. Give it a new number.")
        return found

    async def _move(self, brand: str, release: str, state: ReleaseState, by: str, version: int | None) -> ReleaseRecord:
        def work(connection: Connection) -> ReleaseRecord:
            found, now_s = self._one(connection, brand, release), self._clock.wall()
            if version is not None and version != found.version:
                raise StaleError("The release was changed since you read it.")
            if found.state == state:
                return found
            if found.state == "withdrawn":
                raise ConflictError("A release that was withdrawn stays so. Make a new one.")
            connection.execute(
                "UPDATE releases SET state = ?, version = version + 1 WHERE region = ? AND brand = ? AND id = ?",
                (state, self._region, brand, release),
            )
            self._record(connection, now_s, Act(by, f"release.{state}", release, brand))
            data = {"product": found.product, "kind": found.kind, "number": found.number}
            entry = FeedEntry(brand, "release", release, state, version=found.version + 1, data=data)
            self._announce(connection, now_s, entry)
            return self._one(connection, brand, release)

        return await self._database.write(work)

    def _one(self, connection: Connection, brand: str, release: str) -> ReleaseRecord:
        sql = f"{_RELEASE} WHERE r.region = ? AND r.brand = ? AND r.id = ?"
        row = connection.execute(sql, (self._region, brand, release)).fetchone()
        if row is None:
            raise NotFoundError("There is no such release.")
        return _release(row)

    def _record(self, connection: Connection, now_s: float, act: Act) -> None:
        record(connection, self._region, now_s, act)

    def _announce(self, connection: Connection, now_s: float, entry: FeedEntry) -> None:
        announce(connection, self._region, now_s, [entry])


def _key(row: Any) -> SigningKey:
    key, brand, name, public_key, created_at_s, created_by, revoked_at_s = row
    public = bytes(public_key)
    return SigningKey(key, brand, name, public, key_id(public), created_at_s, created_by, revoked_at_s)


def _release(row: Any) -> ReleaseRecord:
    values = list(row)
    values[9] = bytes(values[9])
    return ReleaseRecord(*values)
