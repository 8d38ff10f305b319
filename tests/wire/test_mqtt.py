"""The MQTT 3.1.1 codec: a real client's bytes in any pieces, every rule of the standard, and both directions alike."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from entendre.wire.failure import ProtocolFailed
from entendre.wire.mqtt import (
    MAX_CONNECT_BYTES,
    MAX_HELD_IDS,
    MAX_PACKET_BYTES,
    InboundQos,
    MqttCodec,
    Side,
    encode,
)
from entendre.wire.mqtt_packets import (
    MAX_SUBSCRIPTIONS,
    MAX_TOPIC_BYTES,
    MAX_TOPIC_LEVELS,
    SUBSCRIBE_REFUSED,
    ConnAck,
    Connect,
    ConnectCode,
    ConnectRefused,
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
    matches,
)

TRANSCRIPT = bytes.fromhex(
    "104500044d51545404ee000500204749445f626f7840404030325f31315f32325f33335f34345f35354040407531000677696c6c2f74"
    "0003627965000475736572000470617373820e00010003612f2b010003622f23024002004d5002004e7002004e301f000d6465766963"
    "652d7365727665727b2274797065223a2268656c6c6f227d3214000d6465766963652d73657276657200036f6e653514000d64657669"
    "63652d736572766572000474776f62020004a20700050003612f2bc000e000"
)
"""All that paho-mqtt 2.2.0 sent to this codec over TCP in one connection, 23 November 2026."""
EXPECTED: list[Packet] = [
    Connect(
        "GID_box@@@02_11_22_33_44_55@@@u1", "user", b"pass", keepalive_s=5, will=Will("will/t", b"bye", 1, retain=True)
    ),
    Subscribe(1, (("a/+", 1), ("b/#", 2))),
    PubAck(77),
    PubRec(78),
    PubComp(78),
    Publish("device-server", b'{"type":"hello"}'),
    Publish("device-server", b"one", 1, 3),
    Publish("device-server", b"two", 2, 4, retain=True),
    PubRel(4),
    Unsubscribe(5, ("a/+",)),
    PingReq(),
    Disconnect(),
]
PAHO_CONNECT_3_1 = bytes.fromhex("101100064d5149736470030200050003626f78")
PAHO_CONNECT_5 = bytes.fromhex("101000044d51545405020005000003626f78")
"""What the same client sends first when it is told to speak MQTT 3.1 and 5."""
CONNECT = encode(Connect("box"))


def code_of(*pieces: bytes, reads: Side = Side.CLIENT) -> str:
    """The code of the failure that ends what these bytes say."""
    codec = MqttCodec(reads)
    packets = [packet for piece in pieces for packet in codec.receive(piece)]
    assert isinstance(packets[-1], ProtocolFailed)
    assert codec.ended
    assert codec.held_bytes == 0
    assert codec.receive(CONNECT) == []
    return packets[-1].code


def packet(first: int, body: bytes) -> bytes:
    assert len(body) < 128
    return bytes((first, len(body))) + body


def test_a_real_clients_transcript_is_read_whole() -> None:
    codec = MqttCodec()
    assert codec.receive(TRANSCRIPT) == EXPECTED
    assert codec.ended


def test_a_real_clients_transcript_is_read_byte_by_byte() -> None:
    codec = MqttCodec()
    read = [packet for at in range(len(TRANSCRIPT)) for packet in codec.receive(TRANSCRIPT[at : at + 1])]
    assert read == EXPECTED


@pytest.mark.parametrize("seed", range(20))
def test_a_real_clients_transcript_is_read_in_any_pieces(seed: int) -> None:
    chance, codec, read, at = random.Random(seed), MqttCodec(), [], 0
    while at < len(TRANSCRIPT):
        size = chance.randint(1, 40)
        read += codec.receive(TRANSCRIPT[at : at + size])
        at += size
    assert read == EXPECTED


def test_what_we_write_is_what_that_client_wrote() -> None:
    assert b"".join(map(encode, EXPECTED)) == TRANSCRIPT


@pytest.mark.parametrize("hello", [PAHO_CONNECT_3_1, PAHO_CONNECT_5])
def test_other_versions_are_refused_with_their_code(hello: bytes) -> None:
    refused, failed = MqttCodec().receive(hello)
    assert refused == ConnectRefused(ConnectCode.BAD_VERSION)
    assert isinstance(failed, ProtocolFailed)
    assert failed.code == "bad_protocol_version"
    assert encode(ConnAck(ConnectCode.BAD_VERSION)).hex() == "20020001"


@pytest.mark.parametrize("client", [Connect("", clean_session=False), Connect("x" * 300)])
def test_a_client_id_that_cannot_be_is_refused_with_its_code(client: Connect) -> None:
    refused, failed = MqttCodec().receive(encode(client))
    assert refused == ConnectRefused(ConnectCode.BAD_CLIENT_ID)
    assert isinstance(failed, ProtocolFailed)
    assert MqttCodec().receive(encode(Connect(""))) == [Connect("")]


SERVER_PACKETS: list[Packet] = [
    ConnAck(),
    ConnAck(session_present=True),
    ConnAck(ConnectCode.NOT_AUTHORIZED),
    Publish("a", b"", 1, 9, duplicate=True),
    PubAck(1),
    PubRec(65_535),
    PubRel(3),
    PubComp(4),
    SubAck(5, (0, 1, 2, SUBSCRIBE_REFUSED)),
    UnsubAck(6),
    PingResp(),
]


def test_a_servers_packets_are_read_on_the_other_side() -> None:
    codec = MqttCodec(Side.SERVER)
    assert codec.receive(b"".join(map(encode, SERVER_PACKETS))) == SERVER_PACKETS
    assert not codec.ended


@pytest.mark.parametrize(
    ("code", "pieces"),
    [
        ("not_connected", [encode(PingReq())]),
        ("second_connect", [CONNECT, CONNECT]),
        ("bad_packet_type", [b"\x00"]),
        ("bad_packet_type", [b"\xf0\x00"]),
        ("bad_packet_type", [CONNECT, encode(PingResp())]),
        ("bad_length", [b"\x10\xff\xff\xff\xff\x01"]),
        ("packet_too_long", [b"\x10\xff\xff\xff\x7f"]),
        ("packet_too_long", [b"\x10\x81\x40"]),
        ("packet_too_long", [CONNECT, b"\x30\x81\x80\x13"]),
        ("bad_flags", [b"\x11" + CONNECT[1:]]),
        ("bad_flags", [CONNECT, b"\xc1\x00"]),
        ("bad_flags", [CONNECT, packet(0x80, b"\x00\x01\x00\x01a\x00")]),
        ("bad_flags", [CONNECT, packet(0x60, b"\x00\x01")]),
        ("bad_flags", [CONNECT, packet(0x36, b"\x00\x01a\x00\x01")]),
        ("bad_flags", [CONNECT, packet(0x38, b"\x00\x01a")]),
        ("trailing_bytes", [CONNECT, packet(0xC0, b"x")]),
        ("trailing_bytes", [CONNECT, packet(0x40, b"\x00\x01x")]),
        ("truncated_packet", [CONNECT, packet(0x40, b"\x00")]),
        ("truncated_packet", [CONNECT, packet(0x30, b"\x00\x05abc")]),
        ("truncated_packet", [CONNECT, packet(0x32, b"\x00\x01a\x00")]),
        ("bad_packet_id", [CONNECT, packet(0x32, b"\x00\x01a\x00\x00")]),
        ("bad_packet_id", [CONNECT, packet(0x62, b"\x00\x00")]),
        ("bad_topic", [CONNECT, packet(0x30, b"\x00\x01#")]),
        ("bad_topic", [CONNECT, packet(0x30, b"\x00\x00")]),
        ("bad_topic", [CONNECT, packet(0x82, b"\x00\x01\x00\x02a#\x00")]),
        ("bad_topic_count", [CONNECT, packet(0x82, b"\x00\x01")]),
        ("bad_topic_count", [CONNECT, packet(0xA2, b"\x00\x01")]),
        ("bad_topic_count", [CONNECT, encode(Subscribe(1, (("a", 0),) * (MAX_SUBSCRIPTIONS + 1)))]),
        ("bad_topic_count", [CONNECT, encode(Unsubscribe(1, ("a",) * (MAX_SUBSCRIPTIONS + 1)))]),
        ("bad_qos", [CONNECT, packet(0x82, b"\x00\x01\x00\x01a\x03")]),
        ("bad_text", [CONNECT, packet(0x30, b"\x00\x02\xc0\x80")]),
        ("bad_text", [CONNECT, packet(0x30, b"\x00\x03\xed\xa0\x80")]),
        ("bad_text", [CONNECT, packet(0x30, b"\x00\x01\x00")]),
    ],
)
def test_every_breach_of_the_standard_ends_the_connection(code: str, pieces: list[bytes]) -> None:
    assert code_of(*pieces) == code


@pytest.mark.parametrize(
    ("code", "name", "level", "flags", "payload"),
    [
        ("bad_protocol_name", b"HTTP", 4, 2, b"\x00\x01a"),
        ("bad_flags", b"MQTT", 4, 0x03, b"\x00\x01a"),  # the reserved bit
        ("bad_flags", b"MQTT", 4, 0x42, b"\x00\x01a\x00\x01p"),  # a password without a username
        ("bad_flags", b"MQTT", 4, 0x1E, b"\x00\x01a\x00\x01t\x00\x00"),  # a will of QoS 3
        ("bad_flags", b"MQTT", 4, 0x0A, b"\x00\x01a"),  # a QoS without a will
        ("bad_flags", b"MQTT", 4, 0x22, b"\x00\x01a"),  # a retain without a will
        ("bad_topic", b"MQTT", 4, 0x06, b"\x00\x01a\x00\x01+\x00\x00"),
        ("truncated_packet", b"MQTT", 4, 0x82, b"\x00\x01a"),
        ("trailing_bytes", b"MQTT", 4, 0x02, b"\x00\x01ab"),
    ],
)
def test_a_connect_that_contradicts_itself_is_not_answered(
    code: str, name: bytes, level: int, flags: int, payload: bytes
) -> None:
    body = len(name).to_bytes(2, "big") + name + bytes((level, flags, 0, 60)) + payload
    read = MqttCodec().receive(packet(0x10, body))
    assert [type(each) for each in read] == [ProtocolFailed]
    assert code_of(packet(0x10, body)) == code


@pytest.mark.parametrize(
    ("code", "data"),
    [
        ("bad_flags", packet(0x20, b"\x02\x00")),
        ("bad_flags", packet(0x20, b"\x00\x06")),
        ("bad_flags", packet(0x20, b"\x01\x01")),
        ("bad_qos", packet(0x90, b"\x00\x01")),
        ("bad_qos", packet(0x90, b"\x00\x01\x03")),
        ("bad_packet_type", CONNECT),
        ("bad_packet_type", encode(Subscribe(1, (("a", 0),)))),
    ],
)
def test_a_server_that_breaks_the_standard(code: str, data: bytes) -> None:
    assert code_of(data, reads=Side.SERVER) == code


def test_what_waits_for_the_rest_is_bounded() -> None:
    codec = MqttCodec()
    codec.receive(b"\x10\x80\x40")
    codec.receive(bytes(MAX_CONNECT_BYTES - 1))
    assert codec.held_bytes == MAX_CONNECT_BYTES + 2
    logged_in = MqttCodec()
    logged_in.receive(CONNECT)
    whole = encode(Publish("a", bytes(MAX_PACKET_BYTES - 3)))
    assert len(logged_in.receive(whole)) == 1
    assert code_of(CONNECT, encode(Publish("a", bytes(MAX_PACKET_BYTES - 2)))) == "packet_too_long"


def test_packets_are_read_one_at_a_time() -> None:
    codec = MqttCodec()
    codec.feed(CONNECT + encode(PingReq()) * 1_000)
    assert codec.next() == Connect("box")
    assert codec.held_bytes == 2_000
    assert codec.next() == PingReq()
    assert codec.held_bytes == 1_998


def test_nothing_is_read_after_a_disconnect() -> None:
    codec = MqttCodec()
    assert codec.receive(CONNECT + encode(Disconnect()) + encode(PingReq())) == [Connect("box"), Disconnect()]
    assert codec.receive(encode(PingReq())) == []


def test_what_mqtt_does_not_have_is_not_written() -> None:
    for bad in (Publish("a/#", b""), Publish("", b""), Publish("a", b"", 3, 1), Publish("a", b"", 1), PubAck(65_536)):
        with pytest.raises(ValueError, match=r"topic|identifier"):
            encode(bad)
    with pytest.raises(ValueError, match="65535 bytes"):
        encode(Connect("x" * 65_536))


def test_messages_of_qos_1_are_acknowledged_and_of_qos_2_delivered_once() -> None:
    qos = InboundQos()
    assert qos.accept(Publish("a", b"")) == (True, b"")
    assert qos.accept(Publish("a", b"", 1, 7)) == (True, encode(PubAck(7)))
    twice = Publish("a", b"", 2, 8)
    assert qos.accept(twice) == (True, encode(PubRec(8)))
    assert qos.accept(twice) == (False, encode(PubRec(8)))
    assert qos.release(PubRel(8)) == encode(PubComp(8))
    assert qos.release(PubRel(8)) == encode(PubComp(8))
    assert qos.accept(twice) == (True, encode(PubRec(8)))


def test_open_messages_of_qos_2_are_bounded() -> None:
    qos = InboundQos()
    for at in range(MAX_HELD_IDS):
        assert qos.accept(Publish("a", b"", 2, at + 1))[0]
    assert qos.accept(Publish("a", b"", 2, MAX_HELD_IDS + 1)) == (False, b"")
    assert qos.accept(Publish("a", b"", 2, 1)) == (False, encode(PubRec(1)))


@pytest.mark.parametrize(
    ("topic_filter", "topic", "covered"),
    [
        ("sport/tennis/player1/#", "sport/tennis/player1", True),
        ("sport/tennis/player1/#", "sport/tennis/player1/ranking", True),
        ("sport/tennis/player1/#", "sport/tennis/player2", False),
        ("sport/#", "sport", True),
        ("#", "a/b/c", True),
        ("sport/tennis/+", "sport/tennis/player1", True),
        ("sport/tennis/+", "sport/tennis/player1/ranking", False),
        ("sport/+", "sport", False),
        ("sport/+", "sport/", True),
        ("+/+", "/finance", True),
        ("/+", "/finance", True),
        ("+", "/finance", False),
        ("#", "$SYS/x", False),
        ("+/monitor/Clients", "$SYS/monitor/Clients", False),
        ("$SYS/#", "$SYS/x", True),
        ("$SYS/monitor/+", "$SYS/monitor/Clients", True),
        ("ACCOUNTS", "Accounts", False),
        ("a/b", "a", False),
        ("a", "a/b", False),
    ],
)
def test_the_standards_own_examples_of_filters(topic_filter: str, topic: str, covered: bool) -> None:
    assert is_filter(topic_filter)
    assert is_topic(topic)
    assert matches(topic_filter, topic) is covered


@pytest.mark.parametrize(
    "text", ["", "sport/tennis#", "sport/tennis/#/ranking", "sport+", "a\0b", "a" * 1_025, "é" * 600]
)
def test_what_is_no_filter(text: str) -> None:
    assert not is_filter(text)


def test_topics_are_bounded() -> None:
    assert is_topic("a" * MAX_TOPIC_BYTES)
    assert not is_topic("a" * (MAX_TOPIC_BYTES + 1))
    assert not is_topic("é" * MAX_TOPIC_BYTES)
    assert is_topic("/" * (MAX_TOPIC_LEVELS - 1))
    assert not is_topic("/" * MAX_TOPIC_LEVELS)


@settings(max_examples=200)
@given(st.lists(st.binary(max_size=60), max_size=6), st.sampled_from(list(Side)), st.booleans())
def test_any_bytes_are_packets_or_one_failure(pieces: list[bytes], reads: Side, logged_in: bool) -> None:
    codec = MqttCodec(reads)
    if logged_in and reads is Side.CLIENT:
        codec.receive(CONNECT)
    read = [packet for piece in pieces for packet in codec.receive(piece)]
    assert sum(isinstance(each, ProtocolFailed) for each in read) <= 1
    assert codec.held_bytes <= MAX_PACKET_BYTES + 5
    if any(isinstance(each, ProtocolFailed) for each in read):
        assert codec.ended


_TOPICS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="+#\0"), min_size=1, max_size=20).filter(
    is_topic
)


@given(_TOPICS, st.binary(max_size=300), st.sampled_from([0, 1, 2]), st.integers(1, 65_535), st.booleans())
def test_messages_survive_the_way(topic: str, payload: bytes, qos: int, number: int, retain: bool) -> None:
    message = Publish(topic, payload, qos, number if qos else 0, retain)
    codec = MqttCodec()
    codec.receive(CONNECT)
    assert codec.receive(encode(message)) == [message]
    assert matches(topic, topic)
