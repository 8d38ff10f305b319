"""Between the bodies of MQTT packets and their dataclasses. Source: OASIS MQTT 3.1.1, its sections in brackets."""

from __future__ import annotations

import struct
from collections.abc import Callable

from entendre.wire.mqtt_packets import (
    MAX_SUBSCRIPTIONS,
    PROTOCOL_LEVEL,
    PROTOCOL_NAME,
    SUBSCRIBE_REFUSED,
    ConnAck,
    Connect,
    ConnectCode,
    Disconnect,
    Packet,
    PingReq,
    PingResp,
    PubAck,
    PubComp,
    Publish,
    PubRec,
    PubRel,
    SubAck,
    Subscribe,
    UnsubAck,
    Unsubscribe,
    Will,
    is_filter,
    is_topic,
)

MAX_CLIENT_ID_CHARS = 256
MAX_STRING_BYTES = 65_535

_OLD_PROTOCOL_NAME = "MQIsdp"
_USERNAME, _PASSWORD, _WILL_RETAIN, _WILL, _CLEAN = 0x80, 0x40, 0x20, 0x04, 0x02
_ACKS: dict[int, Callable[[int], Packet]] = {4: PubAck, 5: PubRec, 6: PubRel, 7: PubComp, 11: UnsubAck}
_ACK_KINDS = {PubAck: 4, PubRec: 5, PubRel: 6, PubComp: 7, UnsubAck: 11}
_EMPTY: dict[int, Callable[[], Packet]] = {12: PingReq, 13: PingResp, 14: Disconnect}
_EMPTY_KINDS = {PingReq: 12, PingResp: 13, Disconnect: 14}
_FIXED_FLAGS = {6: 2, 8: 2, 10: 2}
"""Of the types whose flags are not 0; PUBLISH has its own (2.2.2)."""


class Malformed(Exception):
    """A packet breaks the protocol; with a `connect_code`, it is answered before the connection is closed."""

    def __init__(self, code: str, message: str, connect_code: ConnectCode | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.connect_code = connect_code


class _Body:
    """A packet's bytes behind its fixed header, read from the front."""

    __slots__ = ("_at", "_data")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def left_bytes(self) -> int:
        return len(self._data) - self._at

    def take(self, count: int) -> bytes:
        if count > self.left_bytes:
            raise Malformed("truncated_packet", "a packet is shorter than what it holds")
        self._at += count
        return self._data[self._at - count : self._at]

    def byte(self) -> int:
        return self.take(1)[0]

    def number(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def binary(self) -> bytes:
        return self.take(self.number())

    def text(self) -> str:
        """A string [1.5.3]: well-formed UTF-8 without NUL; Python's decoder refuses surrogates."""
        try:
            text = self.binary().decode()
        except UnicodeDecodeError:
            raise Malformed("bad_text", "a string is not UTF-8") from None
        if "\0" in text:
            raise Malformed("bad_text", "a string holds a NUL")
        return text

    def packet_id(self) -> int:
        number = self.number()
        if not number:
            raise Malformed("bad_packet_id", "a packet identifier is 0")
        return number

    def topic_filter(self) -> str:
        text = self.text()
        if not is_filter(text):
            raise Malformed("bad_topic", "a topic filter is not valid")
        return text

    def rest(self) -> bytes:
        return self.take(self.left_bytes)

    def end(self) -> None:
        if self.left_bytes:
            raise Malformed("trailing_bytes", "a packet is longer than what it holds")


def read_packet(kind: int, flags: int, data: bytes) -> Packet:
    """The packet of this type, flags and body. Raises: Malformed."""
    if kind == 3:
        return _read_publish(flags, _Body(data))
    if flags != _FIXED_FLAGS.get(kind, 0):
        raise Malformed("bad_flags", "a packet's flags are not those of its type")
    body = _Body(data)
    if kind in _ACKS:
        packet = _ACKS[kind](body.packet_id())
    elif kind in _EMPTY:
        packet = _EMPTY[kind]()
    else:
        packet = _READERS[kind](body)
    body.end()
    return packet


def connect_refusal(packet: Connect) -> Malformed | None:
    """Why a well-formed CONNECT can't be accepted by anybody [3.1.3.1]."""
    if packet.client_id and len(packet.client_id) <= MAX_CLIENT_ID_CHARS:
        return None
    if not packet.client_id and packet.clean_session:
        return None
    return Malformed("bad_client_id", "a client's identifier is too long, or missing", ConnectCode.BAD_CLIENT_ID)


def encode(packet: Packet) -> bytes:
    """A packet as bytes. Raises: ValueError where it is not one that MQTT has."""
    kind, flags, body = _written(packet)
    return bytes((kind << 4 | flags,)) + _length(len(body)) + body


def _written(packet: Packet) -> tuple[int, int, bytes]:
    if isinstance(packet, Publish):
        return 3, _publish_flags(packet), _publish_body(packet)
    if isinstance(packet, PubAck | PubRec | PubRel | PubComp | UnsubAck):
        kind = _ACK_KINDS[type(packet)]
        return kind, _FIXED_FLAGS.get(kind, 0), _id(packet.packet_id)
    if isinstance(packet, PingReq | PingResp | Disconnect):
        return _EMPTY_KINDS[type(packet)], 0, b""
    if isinstance(packet, ConnAck):
        return 2, 0, bytes((packet.session_present, packet.code))
    if isinstance(packet, SubAck):
        return 9, 0, _id(packet.packet_id) + bytes(packet.granted)
    if isinstance(packet, Subscribe):
        filters = b"".join(_text(topic) + bytes((qos,)) for topic, qos in packet.filters)
        return 8, 2, _id(packet.packet_id) + filters
    if isinstance(packet, Unsubscribe):
        return 10, 2, _id(packet.packet_id) + b"".join(map(_text, packet.filters))
    return 1, 0, _connect_body(packet)


def _publish_flags(packet: Publish) -> int:
    if packet.qos not in (0, 1, 2) or not is_topic(packet.topic):
        raise ValueError("a message has a topic without wildcards and a QoS of 0, 1 or 2")
    return packet.duplicate << 3 | packet.qos << 1 | packet.retain


def _publish_body(packet: Publish) -> bytes:
    return _text(packet.topic) + (_id(packet.packet_id) if packet.qos else b"") + packet.payload


def _connect_body(packet: Connect) -> bytes:
    flags, payload = _CLEAN if packet.clean_session else 0, _text(packet.client_id)
    if packet.will is not None:
        flags |= _WILL | packet.will.qos << 3 | (_WILL_RETAIN if packet.will.retain else 0)
        payload += _text(packet.will.topic) + _binary(packet.will.payload)
    if packet.username is not None:
        flags, payload = flags | _USERNAME, payload + _text(packet.username)
    if packet.password is not None:
        flags, payload = flags | _PASSWORD, payload + _binary(packet.password)
    return _text(PROTOCOL_NAME) + bytes((PROTOCOL_LEVEL, flags)) + struct.pack(">H", packet.keepalive_s) + payload


def _read_publish(flags: int, body: _Body) -> Publish:
    qos = flags >> 1 & 3
    duplicate = bool(flags & 8)
    if qos == 3 or (duplicate and not qos):
        raise Malformed("bad_flags", "a message's QoS and DUP contradict each other")
    topic = body.text()
    if not is_topic(topic):
        raise Malformed("bad_topic", "a message's topic is not valid")
    packet_id = body.packet_id() if qos else 0
    return Publish(topic, body.rest(), qos, packet_id, bool(flags & 1), duplicate)


def _read_connect(body: _Body) -> Connect:
    name, level = body.text(), body.byte()
    if name == _OLD_PROTOCOL_NAME or (name == PROTOCOL_NAME and level != PROTOCOL_LEVEL):
        raise Malformed("bad_protocol_version", "a client speaks another version", ConnectCode.BAD_VERSION)
    if name != PROTOCOL_NAME:
        raise Malformed("bad_protocol_name", "a client does not speak MQTT")
    flags, keepalive_s = body.byte(), body.number()
    _check_connect_flags(flags)
    client_id = body.text()
    will = _read_will(flags, body) if flags & _WILL else None
    username = body.text() if flags & _USERNAME else None
    password = body.binary() if flags & _PASSWORD else None
    return Connect(client_id, username, password, keepalive_s, bool(flags & _CLEAN), will)


def _check_connect_flags(flags: int) -> None:
    """[3.1.2.3] to [3.1.2.9]."""
    will_qos = flags >> 3 & 3
    without_will = not flags & _WILL and (will_qos or flags & _WILL_RETAIN)
    if flags & 1 or will_qos == 3 or without_will or (flags & _PASSWORD and not flags & _USERNAME):
        raise Malformed("bad_flags", "the flags of a CONNECT contradict each other")


def _read_will(flags: int, body: _Body) -> Will:
    topic = body.text()
    if not is_topic(topic):
        raise Malformed("bad_topic", "a will's topic is not valid")
    return Will(topic, body.binary(), flags >> 3 & 3, bool(flags & _WILL_RETAIN))


def _read_connack(body: _Body) -> ConnAck:
    present, code = body.byte(), body.byte()
    if present > 1 or code > max(ConnectCode) or (present and code):
        raise Malformed("bad_flags", "a CONNACK contradicts itself")
    return ConnAck(ConnectCode(code), bool(present))


def _read_subscribe(body: _Body) -> Subscribe:
    packet_id = body.packet_id()
    filters: list[tuple[str, int]] = []
    while body.left_bytes and len(filters) < MAX_SUBSCRIPTIONS:
        topic, qos = body.topic_filter(), body.byte()
        if qos > 2:
            raise Malformed("bad_qos", "a subscription's QoS is more than 2")
        filters.append((topic, qos))
    _check_filters(len(filters), body)
    return Subscribe(packet_id, tuple(filters))


def _read_unsubscribe(body: _Body) -> Unsubscribe:
    packet_id = body.packet_id()
    filters: list[str] = []
    while body.left_bytes and len(filters) < MAX_SUBSCRIPTIONS:
        filters.append(body.topic_filter())
    _check_filters(len(filters), body)
    return Unsubscribe(packet_id, tuple(filters))


def _read_suback(body: _Body) -> SubAck:
    packet_id, granted = body.packet_id(), tuple(body.rest())
    if not granted or any(code > 2 and code != SUBSCRIBE_REFUSED for code in granted):
        raise Malformed("bad_qos", "a SUBACK grants nothing, or what there is not")
    return SubAck(packet_id, granted)


def _check_filters(count: int, body: _Body) -> None:
    if not count or body.left_bytes:
        raise Malformed("bad_topic_count", f"a packet names no topic, or more than {MAX_SUBSCRIPTIONS}")


_READERS: dict[int, Callable[[_Body], Packet]] = {
    1: _read_connect,
    2: _read_connack,
    8: _read_subscribe,
    9: _read_suback,
    10: _read_unsubscribe,
}


def _id(packet_id: int) -> bytes:
    if not 0 < packet_id <= 0xFFFF:
        raise ValueError("a packet identifier is 1 to 65535")
    return struct.pack(">H", packet_id)


def _text(text: str) -> bytes:
    return _binary(text.encode())


def _binary(data: bytes) -> bytes:
    if len(data) > MAX_STRING_BYTES:
        raise ValueError(f"a string has at most {MAX_STRING_BYTES} bytes")
    return struct.pack(">H", len(data)) + data


def _length(count: int) -> bytes:
    """The remaining length in groups of seven bits, lowest first [2.2.3]."""
    groups = bytearray()
    while True:
        count, group = count >> 7, count & 0x7F
        groups.append(group | (0x80 if count else 0))
        if not count:
            return bytes(groups)
