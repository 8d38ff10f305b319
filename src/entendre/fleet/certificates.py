"""X.509 for devices: a chain from a device's certificate to the authority that its maker gave us.

Stricter than browsers where devices need nothing else: one trusted authority, at most three between it and the device,
and any critical extension that is not understood here ends it.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from entendre.core.errors import InvalidInputError, MissingExtraError, UnauthorizedError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

MAX_CHAIN_CHARS = 32_768
MAX_AUTHORITY_CHARS = 16_384
MAX_CHAIN = 4
"""Certificates that a device may present: its own, and authorities below the trusted one."""
MIN_RSA_BITS = 2_048
MAX_RSA_BITS = 8_192
HASHES = frozenset({"sha256", "sha384", "sha512"})
CURVES = frozenset({"secp256r1", "secp384r1", "secp521r1"})


class _WrongError(Exception):
    """Why a certificate is refused."""


def checked_authority(pem: str, now_s: float) -> str:
    """The certificate of an authority as it may be trusted. Raises: InvalidInputError, MissingExtraError."""
    try:
        found = _loaded(pem, MAX_AUTHORITY_CHARS, 1)[0]
        _check_authority(found, below=0)
        _check_dates(found, now_s)
    except _WrongError as error:
        raise InvalidInputError(f"The certificate {error}.") from None
    return _pem_of(found)


def check_certificate(
    authority_pem: str, chain_pem: str, serial: str, message: bytes, proof: bytes, now_s: float
) -> None:
    """Whether a chain leads from a device of this serial number to an authority, and its key made the proof.

    `proof`: a signature of the message, ECDSA or RSA (PKCS #1 v1.5) with SHA-256, or Ed25519.

    Raises: UnauthorizedError, MissingExtraError.
    """
    try:
        authority = _loaded(authority_pem, MAX_AUTHORITY_CHARS, 1)[0]
        chain = _loaded(chain_pem, MAX_CHAIN_CHARS, MAX_CHAIN + 1)
        if len(chain) > 1 and chain[-1] == authority:
            chain = chain[:-1]
        if len(chain) > MAX_CHAIN:
            raise _WrongError(f"is more than {MAX_CHAIN} steps from the authority")
        _check_chain([*chain, authority], now_s)
        _check_leaf(chain[0], serial)
        _check_signature(chain[0], message, proof)
    except _WrongError as error:
        raise UnauthorizedError(f"The certificate {error}.") from None


def _loaded(pem: str, max_chars: int, most: int) -> list[Certificate]:
    try:
        from cryptography.x509 import load_pem_x509_certificates
    except ImportError:
        raise MissingExtraError("Certificates need cryptography: pip install 'entendre[fleet]'.") from None
    if len(pem) > max_chars:
        raise _WrongError(f"is longer than {max_chars} characters")
    try:
        found = load_pem_x509_certificates(pem.encode("ascii"))
    except ValueError:
        raise _WrongError("is not valid PEM") from None
    if len(found) > most:
        raise _WrongError(f"is one of more than {most}")
    return found


def _pem_of(certificate: Certificate) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    return certificate.public_bytes(Encoding.PEM).decode()


def _check_chain(path: Sequence[Certificate], now_s: float) -> None:
    """Every certificate of a path, which ends with the authority."""
    from cryptography.exceptions import InvalidSignature

    for below, certificate in enumerate(path):
        _check_dates(certificate, now_s)
        if below > 0:
            _check_authority(certificate, below=below - 1)
        else:
            _check_key(certificate)
            _check_extensions(certificate)
        if below + 1 < len(path):
            _check_hash(certificate)
            try:
                certificate.verify_directly_issued_by(path[below + 1])
            except (ValueError, TypeError, InvalidSignature):
                raise _WrongError("is not of the group's authority") from None


def _check_dates(certificate: Certificate, now_s: float) -> None:
    now = datetime.fromtimestamp(now_s, UTC)
    if now < certificate.not_valid_before_utc:
        raise _WrongError("is not valid yet")
    if now > certificate.not_valid_after_utc:
        raise _WrongError("has expired")


def _check_authority(certificate: Certificate, *, below: int) -> None:
    """That it may sign certificates, with so many authorities below it."""
    from cryptography.x509 import BasicConstraints, KeyUsage

    _check_key(certificate)
    _check_extensions(certificate)
    basic = _extension(certificate, BasicConstraints)
    if basic is None or not basic.ca:
        raise _WrongError("is not of an authority")
    if basic.path_length is not None and basic.path_length < below:
        raise _WrongError("allows fewer authorities below it")
    usage = _extension(certificate, KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise _WrongError("may not sign others")


def _check_leaf(certificate: Certificate, serial: str) -> None:
    from cryptography.x509 import BasicConstraints, ExtendedKeyUsage, KeyUsage
    from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

    names = [each.value for each in certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    if names != [serial]:
        raise _WrongError("is of another serial number")
    basic = _extension(certificate, BasicConstraints)
    if basic is not None and basic.ca:
        raise _WrongError("is of an authority, not of a device")
    usage = _extension(certificate, KeyUsage)
    if usage is not None and not usage.digital_signature:
        raise _WrongError("may not sign")
    extended = _extension(certificate, ExtendedKeyUsage)
    wanted = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}
    if extended is not None and not wanted & set(extended):
        raise _WrongError("may not authenticate a client")


def _check_extensions(certificate: Certificate) -> None:
    from cryptography.x509 import (
        BasicConstraints,
        CertificatePolicies,
        DuplicateExtension,
        ExtendedKeyUsage,
        KeyUsage,
        SubjectAlternativeName,
    )

    known = (BasicConstraints, CertificatePolicies, ExtendedKeyUsage, KeyUsage, SubjectAlternativeName)
    try:
        unknown = [each for each in certificate.extensions if each.critical and not isinstance(each.value, known)]
    except (ValueError, DuplicateExtension):
        raise _WrongError("has extensions that can't be read") from None
    if unknown:
        raise _WrongError("has a critical extension that is not known here")


def _extension(certificate: Certificate, kind: Any) -> Any:
    from cryptography.x509 import ExtensionNotFound

    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except ExtensionNotFound:
        return None


def _check_hash(certificate: Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        used = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        raise _WrongError("is signed in a way that is not known here") from None
    if used is not None and used.name not in HASHES:
        raise _WrongError("is signed with a weak hash")


def _check_key(certificate: Certificate) -> None:
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        raise _WrongError("has a key that is not known here") from None
    match key:
        case Ed25519PublicKey():
            return
        case EllipticCurvePublicKey() if key.curve.name in CURVES:
            return
        case RSAPublicKey() if MIN_RSA_BITS <= key.key_size <= MAX_RSA_BITS:
            return
    raise _WrongError("has a key that is too weak, or not known here")


def _check_signature(certificate: Certificate, message: bytes, proof: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA256

    key = certificate.public_key()
    try:
        match key:
            case EllipticCurvePublicKey():
                key.verify(proof, message, ECDSA(SHA256()))
            case RSAPublicKey():
                key.verify(proof, message, PKCS1v15(), SHA256())
            case Ed25519PublicKey():
                key.verify(proof, message)
            case _:
                raise _WrongError("has a key that is not known here")
    except InvalidSignature:
        raise _WrongError("did not make this proof") from None
