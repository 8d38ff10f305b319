"""Keys that sign releases, and what they sign, on the maker's own machine: the private key never goes to a server."""

from __future__ import annotations

import base64
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from entendre.core.errors import InvalidInputError, MissingExtraError
from entendre.fleet.releases import Kind, Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

MAX_KEY_BYTES = 16 * 1024
MAX_SIGNED_BYTES = 1024 * 1024


class SignedRelease(msgspec.Struct, frozen=True):
    """A release as its maker signed it. `signature`: base64."""

    manifest: str
    signature: str
    notes: str = ""


def new_key(file: Path) -> bytes:
    """Make a private key in a file that only this user may read; its public key. Raises: InvalidInputError."""
    _require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInputError(f"{file} exists; a key is never written over.") from error
    except OSError as error:
        raise InvalidInputError(f"{file} can't be written: {error.strerror}.") from error
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(pem)
    return key.public_key().public_bytes_raw()


def public_key_of(file: Path) -> bytes:
    """The public key of a private one's file, or of a public one's. Raises: InvalidInputError."""
    _require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    data = _read(file, MAX_KEY_BYTES)
    if b"PRIVATE" in data:
        return _private(file).public_key().public_bytes_raw()
    try:
        key = serialization.load_pem_public_key(data)
    except ValueError as error:
        raise InvalidInputError(f"{file} holds no key that can be read.", detail=str(error)) from error
    if not isinstance(key, Ed25519PublicKey):
        raise InvalidInputError(f"{file} holds a key of another kind than Ed25519.")
    return key.public_bytes_raw()


def signed(
    key_file: Path,
    files: Sequence[tuple[str, Path]],
    *,
    product: str,
    kind: Kind,
    number: str,
    channel: str,
    notes: str = "",
    minimum: str = "",
) -> SignedRelease:
    """Sign a release of these files, each with the board that it is for ("" for any). Raises: InvalidInputError."""
    key = _private(key_file)
    text = manifest_text(
        Manifest(
            product=product,
            kind=kind,
            number=number,
            channel=channel,
            artifacts=tuple(_artifact(board, file) for board, file in files),
            notes_sha256=hash_of_notes(notes),
            minimum=minimum,
        )
    )
    signature = base64.b64encode(key.sign(signed_message(text))).decode()
    return SignedRelease(text, signature, notes)


def read_signed(file: Path) -> SignedRelease:
    """What `signed` made, from a file. Raises: InvalidInputError."""
    try:
        return msgspec.json.decode(_read(file, MAX_SIGNED_BYTES), type=SignedRelease)
    except msgspec.DecodeError as error:
        raise InvalidInputError(f"{file} holds no signed release: entendre release sign", detail=str(error)) from error


def _artifact(board: str, file: Path) -> ManifestArtifact:
    try:
        with file.open("rb") as opened:
            digest = hashlib.file_digest(opened, "sha256").hexdigest()
        size = file.stat().st_size
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error
    return ManifestArtifact(name=file.name, sha256=digest, size_bytes=size, board=board)


def _private(file: Path) -> Ed25519PrivateKey:
    _require()
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    data = _read(file, MAX_KEY_BYTES)
    if os.name == "posix" and file.stat().st_mode & 0o077:
        raise InvalidInputError(f"Others may read {file}: chmod 600 {file}")
    try:
        key = serialization.load_pem_private_key(data, None)
    except (ValueError, TypeError) as error:
        raise InvalidInputError(f"{file} holds no private key that can be read.", detail=str(error)) from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInputError(f"{file} holds a key of another kind than Ed25519: entendre release keygen FILE")
    return key


def _read(file: Path, limit: int) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(limit)
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error


def _require() -> None:
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Signing needs the extra fleet: pip install 'entendre[fleet]'.") from error
