"""A device that enrols by key and by certificate, and its link over HTTP, against a whole server."""

from __future__ import annotations

import asyncio
import base64
import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from entendre.clients.api import ApiError, Entendre
from entendre.clients.device.commands import Command, CommandAnswer
from entendre.clients.device.home import DeviceHome
from entendre.clients.device.http import HttpLink
from entendre.clients.device.identity import CertificateIdentity, Identity, KeyIdentity, device_key
from entendre.clients.device.link import DesiredReplaced, LinkRefusedError, UpdateSaid
from entendre.clients.device.telemetry import TelemetryQueue

SERIAL = "SN-1"


def named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def certificate(subject: str, key, issuer: str, issuer_key, *, authority: bool) -> bytes:
    now = datetime.datetime.now(datetime.UTC)
    usage = x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )
    made = (
        x509.CertificateBuilder()
        .subject_name(named(subject))
        .issuer_name(named(issuer))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(usage, critical=True)
    )
    return made.sign(issuer_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


async def group_of_keys(client: Entendre, folder: Path) -> Identity:
    made = await client.enrolment.create_group("acme", name="keys", product="one", kind="symmetric")
    assert made.primary_key is not None
    key = device_key(base64.b64decode(made.primary_key), SERIAL)
    return KeyIdentity(made.group.id, SERIAL, key)


async def group_of_certificates(client: Entendre, folder: Path) -> Identity:
    maker, device = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    authority = certificate("Acme CA", maker, "Acme CA", maker, authority=True)
    pem = device.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    chain = certificate(SERIAL, device, "Acme CA", maker, authority=False)
    key_file, chain_file = folder / "device.key", folder / "device.pem"
    await asyncio.to_thread(key_file.write_bytes, pem)
    await asyncio.to_thread(chain_file.write_bytes, chain)
    made = await client.enrolment.create_group(
        "acme", name="certificates", product="one", kind="x509", ca_pem=authority.decode()
    )
    return CertificateIdentity(made.group.id, SERIAL, key_file, chain_file)


@pytest.fixture
async def maker(cloud):
    """A brand with a product, and a client of its staff."""
    async with Entendre(cloud.url) as client:
        await client.brands.create(name="acme", display_name="Acme")
        await client.products.create("acme", name="one", display_name="One", kind="speaker")
        yield client


@pytest.mark.parametrize("group", [group_of_keys, group_of_certificates])
async def test_a_device_enrols_once_and_again_when_it_must(cloud, maker, tmp_path: Path, group) -> None:
    identity = await group(maker, tmp_path)
    home = DeviceHome(tmp_path / "device", cloud.url)
    assert home.assignment is None
    first = await home.enrolled(identity, firmware="1.0.0", country="BR")
    assert (await home.enrolled(identity)) == first == DeviceHome(tmp_path / "device", cloud.url).assignment
    device = await maker.devices.get("acme", SERIAL)
    assert (device.id, device.country, device.firmware) == (first.device, "BR", "1.0.0")
    again = await home.enrol(identity)
    assert (again.device, again.token == first.token) == (first.device, False)
    home.forget()
    assert home.assignment is None
    await maker.devices.revoke("acme", SERIAL)
    with pytest.raises(ApiError):
        await home.enrolled(identity)


async def test_a_stranger_does_not_enrol(cloud, maker, tmp_path: Path) -> None:
    identity = await group_of_keys(maker, tmp_path)
    stranger = KeyIdentity(identity.group, "SN-2", identity.key)  # type: ignore[attr-defined]
    with pytest.raises(ApiError) as caught:
        await DeviceHome(tmp_path / "stranger", cloud.url).enrolled(stranger)
    assert caught.value.status in (401, 403)


async def test_all_that_a_device_says_over_http(cloud, maker, tmp_path: Path) -> None:
    told = await DeviceHome(tmp_path / "device", cloud.url).enrolled(await group_of_keys(maker, tmp_path))
    link = HttpLink(cloud.url, told.token or "", wait_s=0.2, twin_every_s=0.2)
    await link.open()
    await maker.twins.patch_desired("acme", SERIAL, {"volume": 4})
    heard = await link.next()
    assert isinstance(heard, DesiredReplaced)
    assert heard.document == {"volume": 4}
    version = await link.report({"volume": 4})
    assert (await link.twin()).reported == {"volume": 4}
    assert (await link.twin()).reported_version == version
    queued = await maker.commands.queue("acme", told.device or "", name="beep", payload={"times": 1})
    while not isinstance(command := await link.next(), Command):
        pass
    assert command == Command(queued.id, "beep", {"times": 1})
    await link.answer(command.id, CommandAnswer(200, "done"))
    assert (await maker.commands.get("acme", told.device or "", queued.id)).result == "done"
    queue = TelemetryQueue()
    queue.add({"n": 1})
    for _ in range(2):  # a message that is sent twice is one row
        await link.send(queue.batch())
    assert len([each async for each in maker.telemetry.list("acme", told.device or "")]) == 1
    assert await link.release(UpdateSaid("1.0.0")) is None
    with pytest.raises(LinkRefusedError) as caught:
        await link.report({"text": "x" * 50_000})
    assert caught.value.reason in ("too_large", "invalid_input")
    await link.close()
