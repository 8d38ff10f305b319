"""xiaozhi devices over MQTT: a control link that is always up, and an audio channel over UDP for each conversation."""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

from entendre.core.clock import Clock
from entendre.core.device import Admitted, DeviceRecord, Refusal
from entendre.core.errors import OverloadedError
from entendre.core.tags import joined_tags
from entendre.gateways.mqtt.router import Client, Credentials, Identity, Message
from entendre.gateways.xiaozhi.asleep import Asleep
from entendre.gateways.xiaozhi.connection import SAID
from entendre.gateways.xiaozhi.credentials import identity_of_client_id
from entendre.gateways.xiaozhi.downlink import AudioPacket
from entendre.gateways.xiaozhi.gateway import profile_of
from entendre.gateways.xiaozhi.opus import require_opus
from entendre.gateways.xiaozhi.ota import PUBLISH_TOPIC
from entendre.gateways.xiaozhi.settings import XiaozhiSettings
from entendre.gateways.xiaozhi.talk import NextRing, Talk
from entendre.gateways.xiaozhi.udp import UdpServer
from entendre.ports import DeviceRegistry
from entendre.session.api import ConversationFactory
from entendre.wire import xiaozhi_messages as wire
from entendre.wire.failure import ProtocolFailed
from entendre.wire.lenient import parse_object, text_of
from entendre.wire.mcp import Vision
from entendre.wire.xiaozhi_udp import UdpAudio

log = logging.getLogger(__name__)

REPLY_TOPIC = "devices/p2p/{}"
"""Where messages to a device go, by its MAC address; the firmware takes them whatever their topic is."""
NO_TOPIC = "null"
"""What devices are told to subscribe to; firmware that does so all the same is not refused."""
FIRST_PACKET_S = 0.5
"""How long the first speech of a channel waits for a packet of the device, which tells where to send it."""
HOLD_FOR_RINGS_S = 120.0
"""A channel stays open for something that is to ring this soon; later rings are shown to a device that sleeps."""
SESSION_BYTES = 12
CHANNEL = "xiaozhi-channel"
"""The name of a channel's task."""


@dataclass(frozen=True, slots=True)
class MqttSurroundings:
    """What MQTT devices need beside themselves.

    `port` and `host`: where devices send their audio; without a host it is the address that they connected to.
    `vision`: where a device sends pictures that reached us by this address of ours. `next_ring_s`: seconds until
    something rings on a device. `silence` ends what rings, by its id.
    """

    port: int
    host: str = ""
    vision: Callable[[Admitted, str], Vision] = lambda admitted, address: Vision()
    next_ring_s: NextRing = lambda device: None
    silence: Callable[[str], None] = lambda ring: None


class XiaozhiMqtt:
    """Implements `mqtt.router.Service`."""

    name = "xiaozhi"
    filters = (PUBLISH_TOPIC,)

    def __init__(
        self,
        factory: ConversationFactory,
        registry: DeviceRegistry,
        udp: UdpServer,
        clock: Clock,
        settings: XiaozhiSettings,
        surroundings: MqttSurroundings,
    ) -> None:
        """Raises: MissingExtraError."""
        require_opus()
        self.factory = factory
        self.registry = registry
        self.udp = udp
        self.clock = clock
        self.settings = replace(settings, hold_for_rings_s=min(settings.hold_for_rings_s, HOLD_FOR_RINGS_S))
        self.surroundings = surroundings
        self._devices: dict[Client, MqttDevice] = {}
        self._links: dict[str, Client] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def identify(self, credentials: Credentials) -> Identity | None:
        """The device whose credentials these are; its client id says which it claims to be, its password proves it."""
        claimed = identity_of_client_id(credentials.client_id)
        if claimed is None or not credentials.password:
            return None
        hardware, client = claimed
        try:
            token = credentials.password.decode("ascii")
        except UnicodeDecodeError:
            return None
        admission = await self.registry.verify(token, hardware, client)
        if not isinstance(admission, Admitted):
            return None
        own = _reply_topic(admission)
        return Identity(self.name, admission.record.id, (PUBLISH_TOPIC,), (own, NO_TOPIC), admission)

    def connected(self, client: Client) -> None:
        """A device's control link is up; it has one, whatever it calls itself in the rest of its client id."""
        older = self._links.get(client.identity.device)
        self._links[client.identity.device] = client
        if older is not None:
            older.close("replaced")
        self._devices[client] = MqttDevice(self, client)

    def received(self, client: Client, message: Message) -> None:
        """A device said something. Who it is says its connection, whatever it writes."""
        device = self._devices.get(client)
        if device is not None:
            device.received(message.payload)

    def gone(self, client: Client) -> None:
        """A device's control link is down, and with it its conversation."""
        device = self._devices.pop(client, None)
        if self._links.get(client.identity.device) is client:
            del self._links[client.identity.device]
        if device is not None:
            device.end()

    async def close(self) -> None:
        """Say goodbye to every device that talks; for a server that stops."""
        for device in tuple(self._devices.values()):
            device.hang_up("shutdown")
        talking = [each for each in self._tasks if each.get_name() == CHANNEL]
        await asyncio.gather(*talking, return_exceptions=True)
        for client in tuple(self._devices):
            self.gone(client)
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def start(self, task: asyncio.Task[None]) -> asyncio.Task[None]:
        """Keep a task until it is done."""
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task


class MqttDevice:
    """One device's control link: it sleeps, and at times it talks."""

    def __init__(self, service: XiaozhiMqtt, client: Client) -> None:
        self.service = service
        self.client = client
        self.admitted = admitted = cast(Admitted, client.identity.admitted)
        self._topic = _reply_topic(admitted)
        self._channel: AudioChannel | None = None
        self._unwatch = service.registry.watch(admitted, self._refused)
        self._asleep = Asleep(
            service.factory,
            profile_of(admitted, service.settings),
            title=admitted.record.name,
            send=self.send,
            talk=lambda: self._channel.talk if self._channel is not None else None,
            clock=service.clock.monotonic,
            vision=self.vision,
        )
        self._sleeping: asyncio.Task[None] | None = None
        self.sleep()

    def vision(self) -> Vision:
        """Where this device sends pictures in the next hour."""
        return self.service.surroundings.vision(self.admitted, self.client.local_address)

    def send(self, text: str) -> bool:
        """Push a message; False if the device is gone."""
        return self.client.publish(self._topic, text.encode())

    def received(self, payload: bytes) -> None:
        """One message of the device."""
        message = wire.read_message(payload)
        match message:
            case ProtocolFailed():
                self.client.close(message.code)
            case wire.Hello():
                self._hello(message)
            case wire.Goodbye(session):
                self._goodbye(session)
            case _:
                self._told(message, payload)

    def hang_up(self, reason: str, *, silently: bool = False) -> None:
        """End the conversation, if there is one, and tell the device unless it knows."""
        if self._channel is not None:
            self._channel.end(reason, silently=silently)

    def sleep(self) -> None:
        """Be there for rings and announcements while no channel is, from the first to the last moment of the link.

        It is there while a channel is open too: one that began when that closes would come too late for what is next.
        """
        if self._sleeping is None or self._sleeping.done():
            self._sleeping = self.service.start(asyncio.create_task(self._asleep.run(), name="xiaozhi-asleep"))

    def known_as(self, record: DeviceRecord) -> None:
        """What its owner calls it now, and where it stands."""
        self.admitted = replace(self.admitted, record=record)
        profile = profile_of(self.admitted, self.service.settings)
        self._asleep.known_as(record.name, room=profile.room, language=joined_tags(profile.languages))

    def ended(self, channel: AudioChannel) -> None:
        """A channel is closed."""
        if self._channel is channel:
            self._channel = None

    def end(self) -> None:
        """The control link is down."""
        self._unwatch()
        self.hang_up("gone", silently=True)
        if self._sleeping is not None:
            self._sleeping.cancel()
        self._asleep.gone()

    def _hello(self, hello: wire.Hello) -> None:
        """Open a channel. An older one is dead: the device has forgotten it."""
        self.hang_up("replaced", silently=True)
        try:
            self._channel = AudioChannel(self, hello)
        except OverloadedError as error:
            log.warning("no audio channel", extra={"device": self.client.identity.device, "code": error.code})
            return
        self.service.start(asyncio.create_task(self._channel.run(), name=CHANNEL))

    def _goodbye(self, session: str) -> None:
        if self._channel is not None and session in ("", self._channel.session):
            self._channel.end("closed", silently=True)

    def _told(self, message: wire.DeviceMessage, payload: bytes) -> None:
        if self._channel is not None:
            self._channel.received(message)
        elif isinstance(message, wire.McpMessage | wire.IotReported):
            self._asleep.received(message)
        elif not isinstance(message, wire.Unknown):  # it believes in a session that is over
            self.send(wire.goodbye(text_of(parse_object(payload) or {}, "session_id", wire.MAX_NAME_CHARS)))

    def _refused(self, refusal: Refusal) -> None:
        """Revoked, re-bound or expired since it connected."""
        self.hang_up(refusal.value)
        self.client.close(refusal.value)


class AudioChannel:
    """Implements `talk.Channel`: messages by MQTT, packets by UDP, from a hello to a goodbye."""

    def __init__(self, device: MqttDevice, hello: wire.Hello) -> None:
        """Raises: OverloadedError."""
        self._device = device
        self._hello = hello
        self.session = secrets.token_hex(SESSION_BYTES)
        self._udp = device.service.udp.open(self._hear)
        self._first_packet = asyncio.Event()
        self._waited = False
        self._last_sequence = 0
        self._ended: str | None = None
        self.talk: Talk | None = None

    async def run(self) -> None:
        """Talk until either side ends it. A task root: what breaks ends this channel alone."""
        reason = "internal"
        try:
            reason = await self._serve()
        except Exception:
            log.exception("xiaozhi channel failed", extra={"device": self._device.client.identity.device})
        finally:
            self._udp.close()
            self._device.ended(self)
            self.end(reason)
        log.info(
            "channel ended: %s",
            self._ended,
            extra={"device": self._device.client.identity.device, "reason": self._ended},
        )

    def end(self, reason: str, *, silently: bool = False) -> None:
        """Have `run` return, and tell the device unless it knows; the first reason counts."""
        if self._ended is not None:
            return
        self._ended = reason
        if not silently:
            self._device.send(wire.goodbye(self.session))
        self._device.sleep()
        if self.talk is not None:
            self.talk.end(reason)

    def received(self, message: wire.DeviceMessage) -> None:
        """Follow a message; before hello was answered there is nothing to follow."""
        if self.talk is not None:
            self.talk.received(message)

    async def send_text(self, text: str) -> None:
        """Send a JSON message. Raises: ConnectionError."""
        if not self._device.send(text):
            raise ConnectionError("the control link is down")

    async def send_audio(self, packet: AudioPacket) -> None:
        """Send a packet of speech; what comes before the device's address is known, and in vain waited for, is lost."""
        if not self._first_packet.is_set() and not self._waited:
            await self._wait_for_address()
        self._udp.send(packet.opus, packet.timestamp_ms)

    async def _wait_for_address(self) -> None:
        try:
            async with asyncio.timeout(FIRST_PACKET_S):
                await self._first_packet.wait()
        except TimeoutError:
            self._waited = True
            log.info("no audio from the device yet", extra={"device": self._device.client.identity.device})

    async def _serve(self) -> str:
        service, around = self._device.service, self._device.service.surroundings
        record = await service.registry.record(self._device.admitted.record.id)
        if record is None or self._ended is not None:
            return self._ended or Refusal.REVOKED.value
        self._device.known_as(record)
        told = self._udp.secrets
        hello = wire.hello_udp(
            self.session,
            SAID,
            host=around.host or self._device.client.local_address,
            port=around.port,
            key=told.key,
            nonce=told.nonce,
        )
        if not self._device.send(hello):
            return "gone"
        self.talk = Talk(
            self,
            service.factory,
            profile_of(self._device.admitted, service.settings),
            service.settings,
            session=self.session,
            hello=self._hello,
            clock=service.clock.monotonic,
            vision=self._device.vision(),
            next_ring_s=around.next_ring_s,
            silence=around.silence,
        )
        return await self.talk.run()

    def _hear(self, audio: UdpAudio) -> None:
        self._first_packet.set()
        lost = audio.sequence - self._last_sequence - 1
        self._last_sequence = audio.sequence
        if self.talk is not None:
            self.talk.hear_packet(audio.opus, lost, audio.timestamp_ms)


def _reply_topic(admitted: Admitted) -> str:
    return REPLY_TOPIC.format(admitted.record.hardware.replace(":", "_"))
