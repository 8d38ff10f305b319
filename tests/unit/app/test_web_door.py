"""The HTTP server as the settings want it: TLS, proxies and keys."""

from __future__ import annotations

import datetime
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientSession, web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from entendre.app.web import needs_key, tls_of
from entendre.config import Settings
from entendre.core.errors import ConfigurationError
from entendre.web.server import listen


def settings(**server: Any) -> Settings:
    usual = Settings()
    return replace(usual, server=replace(usual.server, **server))


def made_certificate(folder: Path) -> tuple[Path, Path]:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now)
        .not_valid_after(now + datetime.timedelta(days=36_500))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    chain, private = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    pem, pkcs8 = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    private.write_bytes(key.private_bytes(pem, pkcs8, serialization.NoEncryption()))
    return chain, private


async def hello(request: web.Request) -> web.Response:
    return web.Response(text=request.scheme)


async def test_the_port_speaks_tls_with_the_files_of_the_settings(tmp_path: Path) -> None:
    chain, key = made_certificate(tmp_path)
    app = web.Application()
    app.router.add_get("/", hello)
    runner, port = await listen(app, "localhost", 0, tls_of(settings(certificate=chain, certificate_key=key)))
    trusting = ssl.create_default_context(cafile=str(chain))
    async with ClientSession() as client, client.get(f"https://localhost:{port}/", ssl=trusting) as answer:
        assert await answer.text() == "https"
    await runner.cleanup()


def test_without_files_it_speaks_plain_http() -> None:
    assert tls_of(settings()) is None


def test_half_a_certificate_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="go together"):
        tls_of(settings(certificate=tmp_path / "chain.pem"))
    with pytest.raises(ConfigurationError, match="can't be used"):
        tls_of(settings(certificate=tmp_path / "chain.pem", certificate_key=tmp_path / "key.pem"))


def test_behind_a_proxy_keys_are_needed() -> None:
    assert not needs_key(settings())
    assert needs_key(settings(trusted_proxies=("127.0.0.1",)))
    assert needs_key(settings(host="192.0.2.1"))
