"""Signing keys of makers: made and kept where releases are built, never sent anywhere."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from entendre.cloud.signatures import require_cryptography
from entendre.core.errors import InvalidInputError
from entendre.fleet.releases import Kind, Manifest, ManifestArtifact, hash_of_notes, manifest_text, signed_message

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

READ_BYTES = 1024 * 1024
MAX_KEY_FILE_BYTES = 16_384


def make_key(file: Path) -> bytes:
    """Make a key and write it to a new file that only its owner reads (PEM); its public key.

    Raises: InvalidInputError if the file exists, MissingExtraError.
    """
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    key = Ed25519PrivateKey.generate()
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        opened = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise InvalidInputError(f"{file} exists. A key is never overwritten.") from None
    except OSError as error:
        raise InvalidInputError(f"{file} can't be written: {error.strerror}.") from error
    with os.fdopen(opened, "wb") as written:
        written.write(pem)
    return key.public_key().public_bytes_raw()


def public_key_of(file: Path) -> bytes:
    """The public key of a key file. Raises: InvalidInputError, MissingExtraError."""
    return _private_key(file).public_key().public_bytes_raw()


def sign_manifest(file: Path, manifest: str) -> bytes:
    """The signature of a manifest's text, by the key in a file. Raises: InvalidInputError, MissingExtraError."""
    return _private_key(file).sign(signed_message(manifest))


def manifest_of(
    *,
    product: str,
    kind: Kind,
    number: str,
    channel: str,
    files: Iterable[tuple[Path, str]],
    notes: str = "",
    minimum: str = "",
) -> str:
    """The manifest of files, each with the board that it is for (empty for any). Raises: InvalidInputError."""
    artifacts = tuple(_artifact(file, board) for file, board in files)
    return manifest_text(
        Manifest(
            product=product,
            kind=kind,
            number=number,
            channel=channel,
            artifacts=artifacts,
            notes_sha256=hash_of_notes(notes),
            minimum=minimum,
        )
    )


def _artifact(file: Path, board: str) -> ManifestArtifact:
    digest, size_bytes = hashlib.sha256(), 0
    try:
        with file.open("rb") as opened:
            while piece := opened.read(READ_BYTES):
                digest.update(piece)
                size_bytes += len(piece)
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error
    return ManifestArtifact(file.name, digest.hexdigest(), size_bytes, board)


def _private_key(file: Path) -> Ed25519PrivateKey:
    """The private key in a file. Raises: InvalidInputError, MissingExtraError."""
    require_cryptography()
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    try:
        with file.open("rb") as opened:
            key = load_pem_private_key(opened.read(MAX_KEY_FILE_BYTES), password=None)
    except OSError as error:
        raise InvalidInputError(f"The key file {file} can't be read: {error.strerror}.") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise InvalidInputError(f"{file} holds no private key without a password.") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise InvalidInputError(f"{file} holds no Ed25519 key.")
    return key
