"""Rows that releases and rollouts stand on, and a maker who signs."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from entendre.fleet.releases import Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message
from entendre.ports.releases import ArtifactRecord, ReleaseRecord
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.artifacts import Artifacts
from entendre.store.fleet.releases import Releases
from entendre.system import SystemClock

REGION = "home"
NOTES = "Hears better."


class Hands:
    """A clock that is moved by hand."""

    def __init__(self, now_s: float = 1_800_000_000.0) -> None:
        self.now_s = now_s

    def wall(self) -> float:
        return self.now_s

    def monotonic(self) -> float:
        return self.now_s


async def make_brand(database: Database, brand: str = "acme", product: str = "lark") -> None:
    """A brand with one product, whose id is `<brand>-<product>`."""

    def work(connection: Connection) -> None:
        connection.execute(
            "INSERT INTO brands (region, id, name, display_name, assistant, created_at_s, created_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (REGION, brand, brand, brand, "Lark", 1.0, "test", 1),
        )
        connection.execute(
            "INSERT INTO products (region, id, brand, name, display_name, kind, model, channel, tools, wake_words,"
            " voices, created_at_s, created_by, version) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (REGION, f"{brand}-{product}", brand, product, product, "speaker", "m", "stable", *["[]"] * 3, 1.0, "t", 1),
        )

    await database.write(work)


async def make_devices(
    database: Database, devices: Sequence[str], brand: str = "acme", product: str = "lark", firmware: str = "1.0.0"
) -> None:
    """Active devices of a product."""

    def work(connection: Connection) -> None:
        connection.executemany(
            "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, state, firmware, online,"
            " created_at_s, created_by, changed_at_s, changed_by, version)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                (
                    *(REGION, each, brand, f"{brand}-{product}", "speaker", each, each, "active", firmware, 0),
                    *(1.0, "test", 1.0, "test", 1),
                )
                for each in devices
            ],
        )

    await database.write(work)


async def upload(artifacts: Artifacts, content: bytes, brand: str = "acme") -> ArtifactRecord:
    """A whole file."""
    sha256 = hashlib.sha256(content).hexdigest()
    receiving = await artifacts.upload(brand, sha256, offset=0, size_bytes=len(content), by="test")
    if isinstance(receiving, ArtifactRecord):
        return receiving
    await receiving.write(content)  # type: ignore[unreachable]
    return await receiving.close()


class Maker:
    """A brand that can sign: its key, its artifacts and its releases."""

    def __init__(self, database: Database, folder: Path, brand: str = "acme", clock: Hands | None = None) -> None:
        self.brand = brand
        self.key = Ed25519PrivateKey.generate()
        self.releases = Releases(database, clock or SystemClock(), REGION)
        self.artifacts = Artifacts(database, clock or SystemClock(), REGION, folder, 1 << 20)

    def public_key(self) -> bytes:
        return self.key.public_key().public_bytes_raw()

    def manifest(self, number: str, content: bytes, **values: object) -> str:
        artifact = ManifestArtifact("app.bin", hashlib.sha256(content).hexdigest(), len(content))
        given: dict[str, object] = {
            "product": "lark",
            "kind": "firmware",
            "number": number,
            "channel": "stable",
            "artifacts": (artifact,),
            "notes_sha256": hash_of_notes(NOTES),
        }
        return manifest_text(Manifest(**(given | values)))  # type: ignore[arg-type]

    def sign(self, manifest: str) -> bytes:
        return self.key.sign(signed_message(manifest))

    async def published(self, number: str, **values: object) -> ReleaseRecord:
        """A published release, with everything that it takes."""
        content = f"firmware {number}".encode()
        await upload(self.artifacts, content, self.brand)
        if not await self.releases.keys(self.brand):
            await self.releases.add_key(self.brand, "factory", self.public_key(), by="test")
        text = self.manifest(number, content, **values)
        draft = await self.releases.create(self.brand, text, self.sign(text), NOTES, by="test")
        return await self.releases.publish(self.brand, draft.id, by="test")
