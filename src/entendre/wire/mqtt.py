"""MQTT 3.1.1 as a stream of packets: bytes in, packets out, strict and bounded. Source: OASIS MQTT 3.1.1."""

from __future__ import annotations

from enum import Enum, auto

from entendre.wire.failure import ProtocolFailed
from entendre.wire.mqtt_fields import Malformed, connect_refusal, encode, read_packet
from entendre.wire.mqtt_packets import (
    Connect,
    ConnectRefused,
    Disconnect,
    Packet,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
)

__all__ = ["MAX_CONNECT_BYTES", "MAX_PACKET_BYTES", "InboundQos", "MqttCodec", "Side", "encode"]

MAX_PACKET_BYTES = 304 * 1024
"""Of a packet's remaining length: a device's telemetry is at most 300 KiB, and a topic goes before it."""
MAX_CONNECT_BYTES = 8 * 1024
"""Of a packet from somebody who has not yet logged in."""
MAX_HELD_IDS = 256
"""Messages of QoS 2 that a client may have open at a time."""

_CLIENT_TYPES = frozenset({1, 3, 4, 5, 6, 7, 8, 10, 12, 14})
_SERVER_TYPES = frozenset({2, 3, 4, 5, 6, 7, 9, 11, 13})
_MAX_LENGTH_BYTES = 4


class Side(Enum):
    """Whose bytes a codec reads."""

    CLIENT = auto()
    SERVER = auto()


class MqttCodec:
    """One direction of a connection. Never raises on a peer's bytes; reads nothing after a failure or a DISCONNECT."""

    __slots__ = ("_buffer", "_connected", "_ended", "_failed", "_side")

    def __init__(self, reads: Side = Side.CLIENT) -> None:
        self._side = reads
        self._buffer = bytearray()
        self._connected = reads is Side.SERVER
        self._ended = False
        self._failed: ProtocolFailed | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more is read: the connection must be closed."""
        return self._ended

    @property
    def held_bytes(self) -> int:
        """What waits for the rest of its packet."""
        return len(self._buffer)

    def receive(self, data: bytes) -> list[Packet | ConnectRefused | ProtocolFailed]:
        """The packets that these bytes complete; a `ProtocolFailed` is always the last."""
        self.feed(data)
        packets: list[Packet | ConnectRefused | ProtocolFailed] = []
        while (packet := self.next()) is not None:
            packets.append(packet)
        return packets

    def feed(self, data: bytes) -> None:
        """Keep bytes for `next`, which reads no more of them than it has to."""
        if not self._ended:
            self._buffer += data

    def next(self) -> Packet | ConnectRefused | ProtocolFailed | None:
        """The next packet, if all of it has come; a `ProtocolFailed` is always the last."""
        if self._failed is not None:
            failed, self._failed = self._failed, None
            return failed
        if self._ended:
            return None
        try:
            return self._next()
        except Malformed as error:
            self._end()
            failed = ProtocolFailed(error.code, str(error))
            if error.connect_code is None:
                return failed
            self._failed = failed
            return ConnectRefused(error.connect_code)

    def _next(self) -> Packet | None:
        head = self._head()
        if head is None:
            return None
        kind, flags, start, length = head
        if len(self._buffer) < start + length:
            return None
        body = bytes(self._buffer[start : start + length])
        del self._buffer[: start + length]
        packet = read_packet(kind, flags, body)
        if isinstance(packet, Connect):
            if (refusal := connect_refusal(packet)) is not None:
                raise refusal
            self._connected = True
        elif isinstance(packet, Disconnect):
            self._end()
        return packet

    def _head(self) -> tuple[int, int, int, int] | None:
        """Type, flags, where the body begins and how long it is; None until that has come."""
        if not self._buffer:
            return None
        kind, flags = self._buffer[0] >> 4, self._buffer[0] & 0x0F
        self._check_kind(kind)
        length = 0
        for place in range(_MAX_LENGTH_BYTES):
            if 1 + place >= len(self._buffer):
                return None
            byte = self._buffer[1 + place]
            length |= (byte & 0x7F) << (7 * place)
            if not byte & 0x80:
                limit = MAX_PACKET_BYTES if self._connected else MAX_CONNECT_BYTES
                if length > limit:
                    raise Malformed("packet_too_long", f"a packet is longer than {limit} bytes")
                return kind, flags, 2 + place, length
        raise Malformed("bad_length", "a packet's length has more than four bytes")

    def _check_kind(self, kind: int) -> None:
        if kind not in (_CLIENT_TYPES if self._side is Side.CLIENT else _SERVER_TYPES):
            raise Malformed("bad_packet_type", "a packet's type is not one that this side may send")
        if kind == 1 and self._connected:
            raise Malformed("second_connect", "a client sent CONNECT twice")
        if kind != 1 and not self._connected:
            raise Malformed("not_connected", "a client's first packet is not CONNECT")

    def _end(self) -> None:
        self._ended = True
        self._buffer = bytearray()


class InboundQos:
    """What a receiver owes the sender of messages of QoS 1 and 2, each delivered once."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[int] = set()

    def accept(self, message: Publish) -> tuple[bool, bytes]:
        """Whether to deliver this message, and the bytes that acknowledge it (none for QoS 0)."""
        if message.qos == 0:
            return True, b""
        if message.qos == 1:
            return True, encode(PubAck(message.packet_id))
        fresh = message.packet_id not in self._open
        if fresh and len(self._open) >= MAX_HELD_IDS:
            return False, b""
        self._open.add(message.packet_id)
        return fresh, encode(PubRec(message.packet_id))

    def release(self, packet: PubRel) -> bytes:
        """The bytes that end a message of QoS 2, also one that nobody remembers."""
        self._open.discard(packet.packet_id)
        return encode(PubComp(packet.packet_id))
