"""One client's connection: bytes to packets, packets to services, and the limits in between."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, cast

from entendre.core.allowance import Allowance
from entendre.core.errors import EntendreError, UnavailableError
from entendre.gateways.mqtt.handshakes import Owed, Unconfirmed
from entendre.gateways.mqtt.router import Credentials, Identity, Message, Work, covers
from entendre.wire import mqtt_packets as wire
from entendre.wire.failure import ProtocolFailed
from entendre.wire.mqtt import InboundQos, MqttCodec, encode

if TYPE_CHECKING:
    from entendre.gateways.mqtt.endpoint import MqttEndpoint

log = logging.getLogger(__name__)

GRACE = 1.5
"""A client is gone after this many keep-alive intervals of silence (MQTT 3.1.1, 3.1.2.10)."""

FLUSH_S = 2.0
"""How long last words may take to leave."""


class MqttConnection(asyncio.Protocol):
    """Implements `router.Client` from the moment its credentials are accepted."""

    __slots__ = (
        "_allowance",
        "_authenticating",
        "_codec",
        "_endpoint",
        "_filters",
        "_heard_at",
        "_identity",
        "_inbound",
        "_loop",
        "_owed",
        "_paused",
        "_reason",
        "_silence_s",
        "_timer",
        "_transport",
        "_unconfirmed",
        "_waiting",
        "address",
        "client_id",
        "local_address",
    )

    def __init__(self, endpoint: MqttEndpoint) -> None:
        settings = endpoint.settings
        self._endpoint = endpoint
        self._loop = asyncio.get_running_loop()
        self._codec = MqttCodec()
        self._transport: asyncio.Transport | None = None
        self._identity: Identity | None = None
        self._waiting: wire.Packet | wire.ConnectRefused | ProtocolFailed | None = None
        self._authenticating = False
        self._paused = False
        self._allowance = Allowance(settings.packets_per_s, settings.packet_burst, self._loop.time())
        self._unconfirmed = Unconfirmed(settings.in_flight)
        self._inbound = InboundQos()
        self._owed = Owed(settings.unkept)
        self._filters: dict[str, int] = {}
        self._heard_at = self._loop.time()
        self._silence_s = settings.connect_within_s
        self._timer: asyncio.TimerHandle | None = None
        self._reason = "lost"
        self.address = self.local_address = ""
        self.client_id = ""

    # -- asyncio's side ----------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """A TCP connection, behind TLS if that is asked for."""
        self._transport = cast(asyncio.Transport, transport)
        self.address = str((transport.get_extra_info("peername") or ("",))[0])
        self.local_address = str((transport.get_extra_info("sockname") or ("",))[0])
        refusal = self._endpoint.entered(self)
        if refusal is not None:
            self._transport.abort()
            return
        self._transport.set_write_buffer_limits(high=self._endpoint.settings.unread_bytes)
        self._check_silence()

    def data_received(self, data: bytes) -> None:
        """Bytes of the client."""
        self._heard_at = self._loop.time()
        self._codec.feed(data)
        self._work()

    def pause_writing(self) -> None:
        """The client leaves what it is sent unread; waiting for it would cost memory without end."""
        self._drop("slow_reader")

    def connection_lost(self, exc: Exception | None) -> None:
        """The connection is gone, whoever ended it."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting = None
        self._transport = None
        self._unconfirmed.lost()
        self._endpoint.left(self, self._reason)

    def _check_silence(self) -> None:
        """One timer a connection, set again only when it fires: packets cost it nothing."""
        if self._timer is not None:
            self._timer.cancel()
        left_s = self._heard_at + self._silence_s - self._loop.time()
        if left_s <= 0 and not self._authenticating:
            self._drop("silent" if self._identity is not None else "no_connect")
            return
        self._timer = self._loop.call_later(max(left_s, 0.1), self._check_silence)

    # -- packets -----------------------------------------------------------------------------------------------------

    def _work(self) -> None:
        """Handle what came, no faster than allowed; read no more meanwhile.

        Packets are made of the bytes one at a time: who is not let in has cost no more than its CONNECT.
        """
        transport = self._transport
        while transport is not None and not transport.is_closing() and not self._stalled:
            self._waiting = self._waiting or self._codec.next()
            if self._waiting is None:
                break
            if not self._allowance.take(self._loop.time()):
                self._loop.call_later(self._allowance.wait_s(), self._work)
                break
            packet, self._waiting = self._waiting, None
            self._handle(packet)
        if transport is None or transport.is_closing():
            self._waiting = None
        elif (self._stalled or self._waiting is not None) is not self._paused:
            self._paused = not self._paused
            (transport.pause_reading if self._paused else transport.resume_reading)()

    @property
    def _stalled(self) -> bool:
        """Whether nothing more is read for now: it is not known who this is, or too much is still to be kept."""
        return self._authenticating or self._owed.full

    def _handle(self, packet: wire.Packet | wire.ConnectRefused | ProtocolFailed) -> None:
        """Follow one packet; the codec sees to it that CONNECT comes first and once."""
        if isinstance(packet, ProtocolFailed):
            self.close(packet.code)
        elif isinstance(packet, wire.ConnectRefused):
            self._send(wire.ConnAck(packet.code))
        elif isinstance(packet, wire.Connect):
            self._authenticating = True
            self._endpoint.run(self._authenticate(packet))
        else:
            self._follow(packet)

    async def _authenticate(self, connect: wire.Connect) -> None:
        credentials = Credentials(connect.client_id, connect.username, connect.password, self.address)
        identity = await self._endpoint.identify(credentials)
        self._authenticating = False
        if self._transport is None:
            return
        if identity is None:
            self._endpoint.refused(self)
            self._send(wire.ConnAck(wire.ConnectCode.NOT_AUTHORIZED))
            self.close("unauthorized")
            return
        self._identity = identity
        self.client_id = connect.client_id
        self._silence_s = GRACE * self._endpoint.keep_alive_s(connect.keepalive_s)
        self._heard_at = self._loop.time()
        self._check_silence()
        self._send(wire.ConnAck())
        self._endpoint.identified(self)
        self._work()

    def _follow(self, packet: wire.Packet) -> None:
        match packet:
            case wire.Publish():
                self._published(packet)
            case wire.PubAck():
                self._unconfirmed.confirmed(packet.packet_id)
            case wire.PubRel():
                self._write(self._inbound.release(packet))
            case wire.PingReq():
                self._send(wire.PingResp())
            case wire.Subscribe():
                self._send(wire.SubAck(packet.packet_id, tuple(self._grant(*each) for each in packet.filters)))
            case wire.Unsubscribe():
                for each in packet.filters:
                    self._filters.pop(each, None)
                self._send(wire.UnsubAck(packet.packet_id))
            case wire.Disconnect():
                self.close("disconnected")
            case _:
                self._drop("unexpected_packet")

    def _published(self, packet: wire.Publish) -> None:
        """Each message reaches its service once, whatever its quality of service."""
        fresh, answer = self._inbound.accept(packet)
        if not fresh and not answer:
            self._drop("too_many_in_flight")
            return
        work = self._endpoint.route(self, Message(packet.topic, packet.payload, packet.qos)) if fresh else None
        self._owed.owe(answer, done=work is None)
        if work is not None:
            self._endpoint.run(self._keep(work, self._owed.newest))
        self._write(self._owed.due())

    async def _keep(self, work: Work, number: int) -> None:
        """Acknowledge a message once it is kept. If it can't be, the client sends it again: after it reconnects."""
        try:
            await work
        except EntendreError as error:
            log.warning("mqtt message not kept", extra={"device": self.identity.device, "code": error.code})
            self.close("not_kept")
            return
        except Exception:
            log.exception("mqtt service failed", extra={"device": self.identity.device})
            self.close("service_failed")
            return
        self._owed.kept(number)
        self._write(self._owed.due())
        self._work()

    def _grant(self, pattern: str, qos: int) -> int:
        """The quality of service granted for a filter: its own topics, at most 1."""
        settings = self._endpoint.settings
        allowed = any(covers(each, pattern) for each in self.identity.subscribes)
        if not allowed or (pattern not in self._filters and len(self._filters) >= settings.subscriptions):
            return wire.SUBSCRIBE_REFUSED
        self._filters[pattern] = min(qos, 1)
        return min(qos, 1)

    # -- the services' side ------------------------------------------------------------------------------------------

    @property
    def identity(self) -> Identity:
        """Who it is; asked only after it was accepted."""
        assert self._identity is not None
        return self._identity

    @property
    def identified(self) -> bool:
        """Whether its credentials were accepted."""
        return self._identity is not None

    def publish(self, topic: str, payload: bytes) -> bool:
        """Push a message at QoS 0, whether or not it subscribed; False if the client is gone."""
        return self._send(wire.Publish(topic, payload))

    async def publish_confirmed(self, topic: str, payload: bytes) -> None:
        """Push a message at QoS 1 and wait until the client confirms it. Raises: OverloadedError, UnavailableError."""
        packet_id, done = self._unconfirmed.open()
        if not self._send(wire.Publish(topic, payload, qos=1, packet_id=packet_id)):
            self._unconfirmed.confirmed(packet_id)
            raise UnavailableError("The device is not connected.")
        await done

    def subscribed(self, topic: str) -> bool:
        """Whether it asked for a topic."""
        return any(wire.matches(each, topic) for each in self._filters)

    def close(self, reason: str) -> None:
        """End the connection after what is on its way out, or soon in any case."""
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        self._reason = reason
        transport.close()
        self._loop.call_later(FLUSH_S, transport.abort)

    def _drop(self, reason: str) -> None:
        if self._transport is not None:
            self._reason = reason
            self._transport.abort()

    def _send(self, packet: wire.Packet) -> bool:
        return self._write(encode(packet))

    def _write(self, data: bytes) -> bool:
        transport = self._transport
        if transport is None or transport.is_closing():
            return False
        if data:
            transport.write(data)
        return True
