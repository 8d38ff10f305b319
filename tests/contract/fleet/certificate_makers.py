"""Certificates for tests: authorities, and devices below them, with whatever is wrong with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAY_S = 86_400.0


@dataclass
class Made:
    """A certificate with its key; `chain_pem` is what its owner presents."""

    certificate: x509.Certificate
    key: Any
    chain_pem: str

    @property
    def pem(self) -> str:
        return self.certificate.public_bytes(Encoding.PEM).decode()

    def sign(self, message: bytes) -> bytes:
        """A proof, as a device makes it."""
        match self.key:
            case ec.EllipticCurvePrivateKey():
                return self.key.sign(message, ec.ECDSA(SHA256()))
            case rsa.RSAPrivateKey():
                return self.key.sign(message, padding.PKCS1v15(), SHA256())
            case _:
                return bytes(self.key.sign(message))


def make_certificate(
    name: str,
    issuer: Made | None = None,
    *,
    now_s: float,
    authority: bool = False,
    key: Any = None,
    from_s: float = -DAY_S,
    until_s: float = DAY_S,
    path_length: int | None = None,
    names: tuple[str, ...] | None = None,
    may_sign: bool = True,
    extended: Any = None,
    critical: bool = False,
    basic: bool = True,
) -> Made:
    """A certificate of an issuer, or signed by itself. The keywords say what is wrong with it."""
    own = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each) for each in names or (name,)])
    now = datetime.fromtimestamp(now_s, UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(own.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(seconds=from_s))
        .not_valid_after(now + timedelta(seconds=until_s))
    )
    if basic:
        builder = builder.add_extension(x509.BasicConstraints(ca=authority, path_length=path_length), critical=True)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= dict.fromkeys(("crl_sign", "encipher_only", "decipher_only"), False)
    usage |= {"key_cert_sign": authority and may_sign, "digital_signature": not authority and may_sign}
    builder = builder.add_extension(x509.KeyUsage(**usage), critical=True)
    if extended is not None:
        builder = builder.add_extension(x509.ExtendedKeyUsage([extended]), critical=False)
    if critical:
        odd = x509.UnrecognizedExtension(x509.ObjectIdentifier("1.3.6.1.4.1.99999.1"), b"\x05\x00")
        builder = builder.add_extension(odd, critical=True)
    signer = issuer.key if issuer else own
    made = builder.sign(signer, None if isinstance(signer, ed25519.Ed25519PrivateKey) else SHA256())
    pem = made.public_bytes(Encoding.PEM).decode()
    return Made(made, own, pem + (issuer.chain_pem if issuer else ""))


SERVER_ONLY = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT = ExtendedKeyUsageOID.CLIENT_AUTH
