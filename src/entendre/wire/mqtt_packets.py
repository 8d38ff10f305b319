"""The packets of MQTT 3.1.1, one dataclass each, and the codes of its answers. Source: OASIS MQTT 3.1.1."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

PROTOCOL_NAME = "MQTT"
PROTOCOL_LEVEL = 4
MAX_TOPIC_BYTES = 1_024
MAX_TOPIC_LEVELS = 32
MAX_SUBSCRIPTIONS = 64
"""Of topics in one SUBSCRIBE or UNSUBSCRIBE."""
SUBSCRIBE_REFUSED = 0x80
"""In a SUBACK, in the place of a granted QoS."""


class ConnectCode(IntEnum):
    """What a CONNACK says."""

    ACCEPTED = 0
    BAD_VERSION = 1
    BAD_CLIENT_ID = 2
    UNAVAILABLE = 3
    BAD_LOGIN = 4
    NOT_AUTHORIZED = 5


@dataclass(frozen=True, slots=True)
class Will:
    """What is published should the client vanish."""

    topic: str
    payload: bytes
    qos: int = 0
    retain: bool = False


@dataclass(frozen=True, slots=True)
class Connect:
    """A client's first packet."""

    client_id: str
    username: str | None = None
    password: bytes | None = None
    keepalive_s: int = 0
    clean_session: bool = True
    will: Will | None = None


@dataclass(frozen=True, slots=True)
class ConnAck:
    """The answer to a CONNECT."""

    code: ConnectCode = ConnectCode.ACCEPTED
    session_present: bool = False


@dataclass(frozen=True, slots=True)
class Publish:
    """A message. `packet_id` is 0 exactly where `qos` is."""

    topic: str
    payload: bytes
    qos: int = 0
    packet_id: int = 0
    retain: bool = False
    duplicate: bool = False


@dataclass(frozen=True, slots=True)
class PubAck:
    """Ends a message of QoS 1."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class PubRec:
    """A message of QoS 2 was received."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class PubRel:
    """The sender of a message of QoS 2 has forgotten it."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class PubComp:
    """Ends a message of QoS 2."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class Subscribe:
    """Topic filters, each with the highest QoS wanted."""

    packet_id: int
    filters: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class SubAck:
    """The QoS granted to each filter, or `SUBSCRIBE_REFUSED`."""

    packet_id: int
    granted: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Unsubscribe:
    """Topic filters that are no longer wanted."""

    packet_id: int
    filters: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class UnsubAck:
    """The answer to an UNSUBSCRIBE."""

    packet_id: int


@dataclass(frozen=True, slots=True)
class PingReq:
    """The client is still there."""


@dataclass(frozen=True, slots=True)
class PingResp:
    """So is the server."""


@dataclass(frozen=True, slots=True)
class Disconnect:
    """The client goes, and its will is not to be published."""


@dataclass(frozen=True, slots=True)
class ConnectRefused:
    """A CONNECT that must be answered with this code and closed; no packet, only told by the codec."""

    code: ConnectCode


ClientPacket = Connect | Publish | PubAck | PubRec | PubRel | PubComp | Subscribe | Unsubscribe | PingReq | Disconnect
ServerPacket = ConnAck | Publish | PubAck | PubRec | PubRel | PubComp | SubAck | UnsubAck | PingResp
Packet = ClientPacket | ServerPacket


def is_topic(topic: str) -> bool:
    """Whether a message may have this topic: not empty, bounded, no wildcard, no NUL."""
    return _is_bounded(topic) and "+" not in topic and "#" not in topic


def is_filter(topic_filter: str) -> bool:
    """Whether this may be subscribed to: wildcards stand for whole levels, and `#` is the last."""
    if not _is_bounded(topic_filter):
        return False
    levels = topic_filter.split("/")
    for place, level in enumerate(levels):
        if ("+" in level or "#" in level) and len(level) > 1:
            return False
        if level == "#" and place < len(levels) - 1:
            return False
    return True


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a valid filter covers a valid topic; a leading wildcard does not cover topics that begin with `$`."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    if topic.startswith("$") and wanted[0] in ("+", "#"):
        return False
    for place, level in enumerate(wanted):
        if level == "#":
            return True
        if place >= len(given) or level not in ("+", given[place]):
            return False
    return len(wanted) == len(given)


def _is_bounded(text: str) -> bool:
    fits = 0 < len(text) <= MAX_TOPIC_BYTES and text.count("/") < MAX_TOPIC_LEVELS
    return fits and "\0" not in text and len(text.encode("utf-8", "replace")) <= MAX_TOPIC_BYTES
