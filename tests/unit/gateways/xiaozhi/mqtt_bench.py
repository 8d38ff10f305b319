"""The MQTT door of xiaozhi devices with a real database, hub and sockets, and a device written out by hand."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from parts import Stage

from entendre.core.device import Admitted, DeviceIdentity, Unbound
from entendre.gateways.mqtt import EndpointSettings, MqttEndpoint, TopicRouter
from entendre.gateways.xiaozhi.credentials import MqttLogin, mqtt_login
from entendre.gateways.xiaozhi.mqtt import MqttSurroundings, XiaozhiMqtt
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.gateways.xiaozhi.udp import UdpServer, counter_cipher
from entendre.session.api import DeviceLink, DeviceProfile
from entendre.session.hub import Hub
from entendre.store import Database, Devices
from entendre.system import SystemClock
from entendre.wire.mqtt import MqttCodec, Side, encode
from entendre.wire.mqtt_packets import ConnAck, Connect, ConnectCode, Disconnect, Publish, SubAck, Subscribe
from entendre.wire.xiaozhi_udp import HEADER_BYTES, seal

HELLO = {
    "type": "hello",
    "version": 3,
    "transport": "udp",
    "features": {"mcp": False},
    "audio_params": {"format": "opus", "sample_rate": 16000, "channels": 1, "frame_duration": 60},
}
SILENCE = b"\x58"
"""A packet of 60 ms without sound, as DTX sends it."""


@dataclass
class Mast:
    """Everything that serves devices by MQTT."""

    stage: Stage
    hub: Hub
    devices: Devices
    udp: UdpServer
    service: XiaozhiMqtt
    endpoint: MqttEndpoint
    port: int

    async def bind(self, number: int = 1) -> MqttLogin:
        """A device of the household, as its OTA answer tells it to connect."""
        identity = DeviceIdentity(f"02:00:00:00:00:{number:02x}", f"client-{number}")
        shown = await self.devices.announce(identity, "127.0.0.1")
        assert isinstance(shown, Unbound)
        await self.devices.bind(shown.code, name=f"Speaker {number}", room="kitchen", by="cli", guesser="cli")
        admitted = await self.devices.announce(identity, "127.0.0.1")
        assert isinstance(admitted, Admitted)
        return mqtt_login(identity.hardware, identity.client, admitted.token)

    async def device(self, number: int = 1) -> PlainDevice:
        """A device of the household that is connected."""
        device = PlainDevice(self, await self.bind(number))
        assert await device.connect() == ConnectCode.ACCEPTED
        return device


class SlowToOpen:
    """Implements `ConversationFactory` as a server does whose database takes its time before a household is open."""

    def __init__(self, hub: Hub, opening_s: float) -> None:
        self._hub = hub
        self._opening_s = opening_s

    def open(self, profile: DeviceProfile, link: DeviceLink) -> Any:
        """A conversation that the hub knows only after a while."""
        conversation = self._hub.open(profile, link)
        runs = conversation.run

        async def run() -> None:
            await asyncio.sleep(self._opening_s)
            await runs()

        conversation.run = run  # type: ignore[method-assign]
        return conversation


@asynccontextmanager
async def mast(
    folder: Path, settings: XiaozhiSettings | None = None, *, opening_s: float = 0.0, **limits: Any
) -> AsyncIterator[Mast]:
    """Serve until the block ends; a conversation is known to the hub after `opening_s`."""
    stage, hub, clock = Stage(), Hub(), SystemClock()
    hub.attach(stage.assistant)
    database = Database(folder / "entendre.db")
    devices, udp = Devices(database, clock), UdpServer()
    watching = asyncio.create_task(devices.run())
    around = MqttSurroundings(await udp.listen("127.0.0.1", 0))
    factory = SlowToOpen(hub, opening_s) if opening_s else hub
    service = XiaozhiMqtt(factory, devices, udp, clock, settings or XiaozhiSettings(), around)
    router = TopicRouter()
    router.add(service, service.filters)
    endpoint = MqttEndpoint(service.identify, router, EndpointSettings(**limits))
    try:
        port = await endpoint.listen("127.0.0.1", 0)
        yield Mast(stage, hub, devices, udp, service, endpoint, port)
    finally:
        await service.close()
        await endpoint.close()
        udp.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        await stage.assistant.keeper.close()
        await database.close()


@dataclass
class PlainDevice:
    """A device as its firmware behaves: it publishes, never subscribes, and takes what it is sent."""

    mast: Mast
    login: MqttLogin
    told: list[dict[str, Any]] = field(default_factory=list)
    topics: list[str] = field(default_factory=list)
    granted: list[int] = field(default_factory=list)
    hello: dict[str, Any] = field(default_factory=dict)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    lost: bool = False

    async def connect(self) -> ConnectCode:
        """Connect with what the OTA answer said."""
        self.lost = False
        reader, self._writer = await asyncio.open_connection("127.0.0.1", self.mast.port)
        login = Connect(self.login.client_id, self.login.username, self.login.password.encode(), 240)
        self._writer.write(encode(login))
        self._codec = MqttCodec(Side.SERVER)
        answer = ()
        async with asyncio.timeout(2):
            while not answer:
                data = await reader.read(4)
                assert data, "the server ended the connection without an answer"
                answer = self._codec.receive(data)
        assert isinstance(answer[0], ConnAck)
        self._reading = asyncio.create_task(self._read(reader))
        return answer[0].code

    def say(self, message: dict[str, Any] | bytes, topic: str = "device-server") -> None:
        """Publish a message."""
        payload = message if isinstance(message, bytes) else json.dumps(message).encode()
        self._writer.write(encode(Publish(topic, payload)))

    def subscribe(self, topic: str) -> None:
        """What current firmware never does."""
        self._writer.write(encode(Subscribe(1, ((topic, 2),))))

    async def greet(self, **features: bool) -> Air:
        """Open an audio channel."""
        before = len(self.of("hello"))
        self.say(HELLO | {"features": features})
        await self.until(lambda: len(self.of("hello")) > before)
        self.hello = self.of("hello")[-1]
        return await Air.open(self.hello["udp"])

    @property
    def session(self) -> str:
        """The session that the last hello opened."""
        return str(self.hello.get("session_id"))

    def of(self, kind: str, **members: Any) -> list[dict[str, Any]]:
        """Messages of a type that were received."""
        return [each for each in self.told if {"type": kind} | members == {k: each.get(k) for k in ("type", *members)}]

    async def until(self, condition: Callable[[], Any], wait_s: float = 3.0) -> None:
        """Wait until what was received is enough."""
        async with asyncio.timeout(wait_s):
            while not condition():
                self.changed.clear()
                await self.changed.wait()

    async def ended(self, wait_s: float = 3.0) -> None:
        """Wait until the server has ended the connection."""
        await self.until(lambda: self.lost, wait_s)

    async def leave(self, *, abruptly: bool = False) -> None:
        """Disconnect."""
        if abruptly:
            self._writer.transport.abort()
        else:
            self._writer.write(encode(Disconnect()))
            self._writer.close()
        await self.ended()

    async def _read(self, reader: asyncio.StreamReader) -> None:
        try:
            while data := await reader.read(65_536):
                for packet in self._codec.receive(data):
                    if isinstance(packet, SubAck):
                        self.granted += packet.granted
                        continue
                    assert isinstance(packet, Publish), packet
                    assert packet.qos == 0
                    self.topics.append(packet.topic)
                    self.told.append(json.loads(packet.payload))
                self.changed.set()
        except ConnectionError:
            pass
        self.lost = True
        self.changed.set()


class Air(asyncio.DatagramProtocol):
    """A device's audio socket."""

    def __init__(self, udp: dict[str, Any]) -> None:
        self.key, nonce = bytes.fromhex(udp["key"]), bytes.fromhex(udp["nonce"])
        self.cookie = nonce[4:8]
        self.port = int(udp["port"])
        self.sequence = 0
        self.heads: list[bytes] = []
        self.heard: list[bytes] = []
        self.changed = asyncio.Event()
        self._cipher = counter_cipher(self.key)

    @classmethod
    async def open(cls, udp: dict[str, Any]) -> Air:
        """A socket of its own, as after a hello."""
        air = cls(udp)
        await air.move()
        return air

    async def move(self) -> None:
        """Go on from another address, as a router does with a device behind it."""
        loop, address = asyncio.get_running_loop(), ("127.0.0.1", self.port)
        self.transport, _ = await loop.create_datagram_endpoint(lambda: self, remote_addr=address)

    def send(self, opus: bytes = SILENCE) -> bytes:
        """One packet of the microphone."""
        self.sequence += 1
        datagram = seal(self._cipher, self.key, self.cookie, 0, self.sequence, opus)
        self.transport.sendto(datagram)
        return datagram

    async def stream(self, packets: tuple[bytes, ...], packet_s: float = 0.06) -> None:
        """Packets as a microphone sends them."""
        for each in packets:
            self.send(each)
            await asyncio.sleep(packet_s)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.heads.append(data[:HEADER_BYTES])
        self.heard.append(self._cipher(self.key, data[:HEADER_BYTES], data[HEADER_BYTES:]))
        self.changed.set()

    async def until(self, packets: int, wait_s: float = 3.0) -> None:
        """Wait until so many packets were heard."""
        async with asyncio.timeout(wait_s):
            while len(self.heard) < packets:
                self.changed.clear()
                await self.changed.wait()
