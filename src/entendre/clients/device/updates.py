"""Updates of a device: what is offered, whether its maker signed it, and the file itself, fetched and checked."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Collection

import msgspec

from entendre.core.errors import EntendreError, InvalidInputError, MissingExtraError

DOMAIN = b"entendre release manifest 1\n"
"""What every signed message begins with: a signature made for anything else is none here."""


class NotSignedError(EntendreError):
    """A release that no key of this device's maker has signed: it must not be installed."""

    code = "not_signed"


class OfferedFile(msgspec.Struct, frozen=True):
    """A file of a release. `board`: the hardware that it is for, empty for any."""

    name: str
    sha256: str
    size_bytes: int
    board: str = ""


class Manifest(msgspec.Struct, frozen=True):
    """What the maker signed."""

    product: str
    kind: str
    number: str
    channel: str
    artifacts: tuple[OfferedFile, ...]
    minimum: str = ""

    def file_for(self, board: str = "") -> OfferedFile:
        """The file for this hardware. Raises: InvalidInputError."""
        found = next((each for each in self.artifacts if each.board in ("", board)), None)
        if found is None:
            raise InvalidInputError(f"Release {self.number} has no file for {board or 'this device'}.")
        return found


def verified(text: str, signature: bytes, keys: Collection[bytes]) -> Manifest:
    """The manifest of a text that one of the maker's public keys (Ed25519, 32 bytes) signed. Raises: NotSignedError."""
    try:
        from cryptography.exceptions import InvalidSignature
        from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    except ImportError as error:
        raise MissingExtraError("Updates need the extra [fleet]: pip install 'entendre[fleet]'.") from error
    for key in keys:
        try:
            Ed25519PublicKey.from_public_bytes(key).verify(signature, DOMAIN + text.encode())
        except (InvalidSignature, ValueError):
            continue
        try:
            return msgspec.json.decode(text, type=Manifest)
        except msgspec.DecodeError as error:
            raise InvalidInputError("The manifest can't be read.", detail=str(error)) from error
    raise NotSignedError("The release is not signed by a key that this device trusts.")


def signature_of(text: str) -> bytes:
    """A signature as it is sent. Raises: NotSignedError."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise NotSignedError("The release carries no signature that can be read.") from error
