"""Ed25519 signatures of releases, checked."""

from __future__ import annotations

from entendre.core.errors import MissingExtraError
from entendre.fleet.releases import PUBLIC_KEY_BYTES, SIGNATURE_BYTES, signed_message


def is_public_key(public_key: bytes) -> bool:
    """Whether these bytes are a key that can be checked with. Raises: MissingExtraError."""
    require_cryptography()
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(public_key) != PUBLIC_KEY_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError:
        return False
    return True


def is_signed(public_key: bytes, manifest: str, signature: bytes) -> bool:
    """Whether a signature of a manifest's text is this key's. Raises: MissingExtraError."""
    require_cryptography()
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    if len(signature) != SIGNATURE_BYTES:
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, signed_message(manifest))
    except (InvalidSignature, ValueError):
        return False
    return True


def require_cryptography() -> None:
    """Raises: MissingExtraError without the extra `fleet`."""
    try:
        import cryptography  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("Signatures need the extra fleet: pip install 'entendre[fleet]'.") from error
