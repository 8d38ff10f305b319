"""What a device proves itself with when it is first switched on: a key of its own, or a certificate.

Written apart from the server's side on purpose: what both sides get wrong in the same way, no test would see.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from entendre.core.errors import InvalidInputError, MissingExtraError

MAX_PEM_BYTES = 64 * 1024


class Identity(Protocol):
    """A device as it left the factory."""

    @property
    def group(self) -> str:
        """The id of its enrolment group."""
        ...

    @property
    def serial(self) -> str:
        """Its serial number."""
        ...

    def proof(self, challenge: str) -> dict[str, str]:
        """The fields of an enrolment that only this device can make."""
        ...


def device_key(group_key: bytes, serial: str) -> bytes:
    """The key to burn into one device. For the factory: the group's key never goes into a device."""
    return hmac.new(group_key, serial.encode(), hashlib.sha256).digest()


def proof_text(group: str, serial: str, challenge: str) -> bytes:
    """What is signed."""
    return f"entendre provision 1\n{group}\n{serial}\n{challenge}".encode()


@dataclass(frozen=True, slots=True)
class KeyIdentity:
    """A device with a key of its own. `key`: of `device_key`."""

    group: str
    serial: str
    key: bytes

    def proof(self, challenge: str) -> dict[str, str]:
        """An HMAC over the challenge."""
        digest = hmac.new(self.key, proof_text(self.group, self.serial, challenge), hashlib.sha256).digest()
        return {"proof": base64.b64encode(digest).decode()}


@dataclass(frozen=True, slots=True)
class CertificateIdentity:
    """A device with a private key, and a certificate of its maker's authority; the chain file has intermediates too."""

    group: str
    serial: str
    key_file: Path
    chain_file: Path

    def proof(self, challenge: str) -> dict[str, str]:
        """A signature over the challenge, with the certificate. Raises: InvalidInputError, MissingExtraError."""
        message = proof_text(self.group, self.serial, challenge)
        signature = base64.b64encode(_signed(_pem(self.key_file), message)).decode()
        return {"certificates": _pem(self.chain_file).decode("ascii", "replace"), "proof": signature}


def _pem(file: Path) -> bytes:
    try:
        with file.open("rb") as opened:
            return opened.read(MAX_PEM_BYTES)
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error


def _signed(key_pem: bytes, message: bytes) -> bytes:
    """A signature: Ed25519, ECDSA with SHA-256, or RSA (PKCS #1 v1.5) with SHA-256, as the key is."""
    try:
        from cryptography.hazmat.primitives import hashes, serialization
        from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
    except ImportError as error:
        raise MissingExtraError("Certificates need the extra [fleet]: pip install 'entendre[fleet]'.") from error
    try:
        key = serialization.load_pem_private_key(key_pem, None)
    except (ValueError, TypeError) as error:
        raise InvalidInputError("The private key can't be read.", detail=str(error)) from error
    match key:
        case ed25519.Ed25519PrivateKey():
            return key.sign(message)
        case ec.EllipticCurvePrivateKey():
            return key.sign(message, ec.ECDSA(hashes.SHA256()))
        case rsa.RSAPrivateKey():
            return key.sign(message, padding.PKCS1v15(), hashes.SHA256())
    raise InvalidInputError("The private key is of a kind that can't be used: Ed25519, EC or RSA.")
