"""Releases of a brand: who may sign them, the files that they are made of, and what was made of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Protocol

ReleaseState = Literal["draft", "published", "withdrawn"]


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key that a brand signs with. `fingerprint` is how devices name it."""

    id: str
    brand: str
    name: str
    public_key: bytes
    fingerprint: str
    created_at_s: float
    created_by: str
    revoked_at_s: float | None


@dataclass(frozen=True, slots=True)
class ArtifactRecord:
    """A file by the hash of its content. `received_bytes` of it are on the disk."""

    id: str
    brand: str
    size_bytes: int
    received_bytes: int
    complete: bool
    created_at_s: float
    created_by: str


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """A release. `product` is an id; `manifest` is the text that `signature` covers; `signing_key` is a fingerprint."""

    id: str
    brand: str
    product: str
    product_name: str
    kind: str
    number: str
    channel: str
    notes: str
    manifest: str
    signature: bytes
    signing_key: str
    state: ReleaseState
    created_at_s: float
    created_by: str
    version: int


class SigningKeys(Protocol):
    """The keys of brands."""

    async def add_key(self, brand: str, name: str, public_key: bytes, *, by: str) -> SigningKey:
        """Take a key for one that may sign. Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def keys(self, brand: str) -> tuple[SigningKey, ...]:
        """Every key, revoked ones too, oldest first."""
        ...

    async def revoke_key(self, brand: str, key: str, *, by: str) -> SigningKey:
        """What a key (by id or name) signed is accepted and offered no more. Raises: NotFoundError."""
        ...


class ReleaseBook(SigningKeys, Protocol):
    """The releases of brands."""

    async def create(self, brand: str, manifest: str, signature: bytes, notes: str, *, by: str) -> ReleaseRecord:
        """A draft of what was signed. The same again is the same release.

        Raises: InvalidInputError, TooLargeError, ForbiddenError for a signature of none of the brand's keys,
        NotFoundError, AlreadyExistsError, ConflictError while an artifact is missing, MissingExtraError.
        """
        ...

    async def releases(
        self, brand: str, *, product: str | None = None, after: str = "", limit: int = 50
    ) -> tuple[ReleaseRecord, ...]:
        """Releases in the order of their ids, after one. `product`: id or name."""
        ...

    async def release(self, brand: str, release: str) -> ReleaseRecord:
        """One release. Raises: NotFoundError."""
        ...

    async def publish(self, brand: str, release: str, *, by: str, version: int | None = None) -> ReleaseRecord:
        """Let rollouts use it. Raises: NotFoundError, StaleError, ConflictError."""
        ...

    async def withdraw(self, brand: str, release: str, *, by: str, version: int | None = None) -> ReleaseRecord:
        """Offer it to nobody any more. Raises: NotFoundError, StaleError."""
        ...


class ArtifactUpload(Protocol):
    """One stretch of a file that is being received. Use from one task; close it whatever happens."""

    async def write(self, piece: bytes) -> None:
        """Take the next bytes. Raises: StoreError, TooLargeError past the stated size."""
        ...

    async def close(self) -> ArtifactRecord:
        """Keep what was written, on the disk once this returns; what is whole is checked.

        Raises: StoreError, InvalidInputError if the content has another hash: it is thrown away then.
        """
        ...


class ArtifactShelf(Protocol):
    """The files of brands, each by the hash of its content."""

    async def artifact(self, brand: str, artifact: str) -> ArtifactRecord:
        """What is known of a file. Raises: NotFoundError."""
        ...

    async def artifacts(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[ArtifactRecord, ...]:
        """Files in the order of their hashes, after one."""
        ...

    async def upload(
        self, brand: str, artifact: str, *, offset: int, size_bytes: int, by: str
    ) -> ArtifactUpload | ArtifactRecord:
        """Go on at an offset; the record itself if the file is whole already.

        Raises: InvalidInputError, TooLargeError, ConflictError if the offset is not where the file ends, StoreError.
        """
        ...

    async def file(self, brand: str, artifact: str) -> Path:
        """Where a whole file is. Raises: NotFoundError."""
        ...


@dataclass(frozen=True, slots=True)
class Download:
    """What a download URL is for."""

    brand: str
    device: str
    artifact: str
    expires_at_s: float


class DownloadTokens(Protocol):
    """URLs that are personal and expire."""

    def token(self, brand: str, device: str, artifact: str) -> tuple[str, float]:
        """A token for one device and one file, and when it ends."""
        ...

    def read(self, token: str) -> Download | None:
        """What a token is for; None if it is not ours or over."""
        ...
