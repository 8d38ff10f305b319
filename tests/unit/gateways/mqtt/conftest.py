"""An endpoint on a free port, a service that keeps what it is told, and a client that writes packets by hand."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from entendre.gateways.mqtt import Client, Credentials, EndpointSettings, Identity, Message, MqttEndpoint, TopicRouter
from entendre.wire.failure import ProtocolFailed
from entendre.wire.mqtt import MqttCodec, Side, encode
from entendre.wire.mqtt_packets import ConnAck, Connect, ConnectCode

PASSWORD = b"right"


@dataclass
class Recorder:
    """A service that keeps what it is told."""

    name: str = "recorder"
    clients: list[Client] = field(default_factory=list)
    left: list[Client] = field(default_factory=list)
    messages: list[tuple[str, str, bytes]] = field(default_factory=list)
    fails: bool = False

    def connected(self, client: Client) -> None:
        self.clients.append(client)

    def received(self, client: Client, message: Message) -> None:
        if self.fails:
            raise RuntimeError("a bug")
        self.messages.append((client.identity.device, message.topic, message.payload))

    def gone(self, client: Client) -> None:
        self.left.append(client)


async def authenticate(credentials: Credentials) -> Identity | None:
    """Devices are called what their client id says before a dot; the password is the same for all."""
    if credentials.password != PASSWORD:
        return None
    device = credentials.client_id.partition(".")[0]
    return Identity("recorder", device, ("up", f"own/{device}/#"), (f"own/{device}/#", "down"))


class Bench:
    """The endpoint under test."""

    def __init__(self, endpoint: MqttEndpoint, service: Recorder, port: int) -> None:
        self.endpoint = endpoint
        self.service = service
        self.port = port

    async def open(self) -> Wire:
        """A TCP connection that has said nothing."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        return Wire(reader, writer)

    async def connect(self, client_id: str = "lamp.1", password: bytes = PASSWORD, keepalive_s: int = 60) -> Wire:
        """A client that is let in."""
        wire = await self.open()
        wire.send(Connect(client_id, "user", password, keepalive_s))
        assert await wire.next() == ConnAck(ConnectCode.ACCEPTED)
        return wire


class Wire:
    """A client's side of a connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer
        self._codec = MqttCodec(Side.SERVER)
        self._packets: list[Any] = []

    def send(self, *packets: Any) -> None:
        self.writer.write(b"".join(each if isinstance(each, bytes) else encode(each) for each in packets))

    async def next(self, wait_s: float = 2.0) -> Any:
        """The next packet; None at the end of the connection."""
        async with asyncio.timeout(wait_s):
            while not self._packets:
                try:
                    data = await self.reader.read(65_536)
                except ConnectionError:
                    return None
                if not data:
                    return None
                self._packets += self._codec.receive(data)
        packet = self._packets.pop(0)
        assert not isinstance(packet, ProtocolFailed), packet
        return packet

    async def ended(self, wait_s: float = 2.0) -> bool:
        """Whether the server ends the connection in time, saying nothing more."""
        try:
            return await self.next(wait_s) is None
        except TimeoutError:
            return False

    async def close(self) -> None:
        self.writer.close()


Start = Callable[..., Awaitable[Bench]]


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    """Starts an endpoint with settings that differ from the usual ones."""
    endpoints: list[MqttEndpoint] = []

    async def make(identify: Any = authenticate, **settings: Any) -> Bench:
        service, router = Recorder(), TopicRouter()
        router.add(service, ["up", "own/#"])
        endpoint = MqttEndpoint(identify, router, EndpointSettings(**settings))
        endpoints.append(endpoint)
        return Bench(endpoint, service, await endpoint.listen("127.0.0.1", 0))

    yield make
    for each in endpoints:
        await each.close()


@pytest.fixture
async def bench(start: Start) -> Bench:
    return await start()


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A certificate for localhost that vouches for itself, and its key."""
    pytest.importorskip("cryptography")
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    chain, secret = folder / "chain.pem", folder / "key.pem"
    chain.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    plain = serialization.NoEncryption()
    secret.write_bytes(key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, plain))
    return chain, secret
