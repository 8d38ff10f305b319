"""The MQTT endpoint, packet by packet over a real socket."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from entendre.core.errors import ConfigurationError, OverloadedError, UnavailableError
from entendre.gateways.mqtt import Credentials, EndpointSettings, Identity, MqttEndpoint, TopicRouter, tls_context
from entendre.gateways.mqtt.router import covers
from entendre.wire.mqtt import encode
from entendre.wire.mqtt_fields import read_packet
from entendre.wire.mqtt_packets import (
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
)


async def until(condition: Callable[[], bool], wait_s: float = 2.0) -> None:
    """Wait for something that has no event."""
    async with asyncio.timeout(wait_s):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


# -- who is let in -----------------------------------------------------------------------------------------------------


async def test_a_wrong_password_is_refused_and_the_connection_ended(bench) -> None:
    wire = await bench.open()
    wire.send(Connect("lamp.1", "user", b"wrong"))
    assert await wire.next() == ConnAck(ConnectCode.NOT_AUTHORIZED)
    assert await wire.ended()
    assert not bench.service.clients


async def test_packets_behind_a_connect_wait_for_its_answer(start) -> None:
    asked = asyncio.Event()

    async def slow(credentials: Credentials) -> Identity | None:
        await asked.wait()
        return Identity("recorder", "lamp", ("up",))

    bench = await start(slow)
    wire = await bench.open()
    wire.send(Connect("lamp.1"), Publish("up", b"1"), PingReq())
    await asyncio.sleep(0.05)
    assert not bench.service.messages
    asked.set()
    assert [await wire.next(), await wire.next()] == [ConnAck(), PingResp()]
    assert bench.service.messages == [("lamp", "up", b"1")]


async def test_packets_behind_a_refused_connect_reach_nobody(bench) -> None:
    wire = await bench.open()
    wire.send(Connect("lamp.1", "user", b"wrong"), Publish("up", b"1"))
    assert await wire.next() == ConnAck(ConnectCode.NOT_AUTHORIZED)
    assert await wire.ended()
    assert not bench.service.messages


async def test_packets_behind_a_connect_are_not_even_read_before_its_answer(bench, monkeypatch) -> None:
    read: list[int] = []

    def counted(kind: int, flags: int, body: bytes) -> Packet:
        read.append(kind)
        return read_packet(kind, flags, body)

    monkeypatch.setattr("entendre.wire.mqtt.read_packet", counted)
    wire = await bench.open()
    wire.send(Connect("lamp.1", "user", b"wrong"), *[Publish("up", b"")] * 10_000)
    assert await wire.next() == ConnAck(ConnectCode.NOT_AUTHORIZED)
    assert await wire.ended()
    assert read == [1, 2]  # CONNECT here, its answer at the client


async def test_a_registry_that_fails_lets_nobody_in(start) -> None:
    async def broken(credentials: Credentials) -> Identity | None:
        raise RuntimeError("no database")

    wire = await (await start(broken)).open()
    wire.send(Connect("lamp.1"))
    assert await wire.next() == ConnAck(ConnectCode.NOT_AUTHORIZED)


async def test_another_version_is_told_so(bench) -> None:
    wire = await bench.open()
    wire.send(encode(Connect("lamp.1")).replace(b"MQTT\x04", b"MQTT\x05"))
    assert await wire.next() == ConnAck(ConnectCode.BAD_VERSION)
    assert await wire.ended()


@pytest.mark.parametrize("first", [encode(PingReq()), encode(Publish("up", b"1")), b"GET / HTTP/1.1\r\n\r\n"])
async def test_who_does_not_connect_first_is_dropped(bench, first: bytes) -> None:
    wire = await bench.open()
    wire.send(first)
    assert await wire.ended()
    assert not bench.service.messages


async def test_who_says_nothing_is_dropped(start) -> None:
    wire = await (await start(connect_within_s=0.1)).open()
    assert await wire.ended(1.0)


async def test_connections_are_bounded_in_all_and_by_address(start) -> None:
    for settings in ({"connections": 2}, {"connections_per_address": 2}):
        bench = await start(**settings)
        kept = [await bench.connect(f"lamp.{number}") for number in range(2)]
        assert await (await bench.open()).ended()
        kept[0].send(Disconnect())
        assert await kept[0].ended()
        await bench.connect("lamp.3")


async def test_an_address_with_many_wrong_passwords_is_not_read_any_more(start) -> None:
    bench = await start(wrong_passwords=3)
    for _ in range(3):
        wire = await bench.open()
        wire.send(Connect("lamp.1", "user", b"wrong"))
        assert await wire.next() == ConnAck(ConnectCode.NOT_AUTHORIZED)
    wire = await bench.open()
    assert await wire.ended()


async def test_a_newer_connection_replaces_the_older_one_of_the_same_client(bench) -> None:
    older = await bench.connect("lamp.1")
    newer = await bench.connect("lamp.1")
    assert await older.ended()
    bench.service.clients[1].publish("down", b"hello")
    assert await newer.next() == Publish("down", b"hello")
    assert [each.client_id for each in bench.service.left] == ["lamp.1"]
    assert bench.service.left[0] is bench.service.clients[0]


async def test_another_device_with_the_same_client_id_replaces_nobody(start) -> None:
    async def by_user(credentials: Credentials) -> Identity | None:
        return Identity("recorder", credentials.username or "", ("up",))

    bench = await start(by_user)
    first, second = await bench.open(), await bench.open()
    for wire, user in ((first, "lamp"), (second, "radio")):
        wire.send(Connect("same", user, b""))
        assert await wire.next() == ConnAck()
    first.send(PingReq())
    assert await first.next() == PingResp()


# -- keep alive --------------------------------------------------------------------------------------------------------


async def test_a_silent_client_is_dropped_after_one_and_a_half_intervals_and_a_ping_keeps_one(bench) -> None:
    silent, pinging = await bench.connect("lamp.1", keepalive_s=1), await bench.connect("radio.1", keepalive_s=1)
    began = asyncio.get_running_loop().time()
    await asyncio.sleep(0.8)
    pinging.send(PingReq())
    assert await silent.ended()
    assert 1.3 < asyncio.get_running_loop().time() - began < 1.9
    assert [each.client_id for each in bench.service.left] == ["lamp.1"]
    pinging.send(PingReq())
    assert [await pinging.next(), await pinging.next()] == [PingResp(), PingResp()]


def test_the_interval_has_bounds() -> None:
    async def check() -> None:
        endpoint = MqttEndpoint(None, TopicRouter(), EndpointSettings(keep_alive_s=60, longest_keep_alive_s=1_000))  # type: ignore[arg-type]
        assert [endpoint.keep_alive_s(asked) for asked in (0, 240, 65_535)] == [60, 240, 1_000]

    asyncio.run(check())


# -- messages ----------------------------------------------------------------------------------------------------------


async def test_a_message_is_acknowledged_by_its_quality_of_service(bench) -> None:
    wire = await bench.connect()
    wire.send(Publish("up", b"0"), Publish("up", b"1", 1, 7), Publish("up", b"2", 2, 7))
    assert [await wire.next(), await wire.next()] == [PubAck(7), PubRec(7)]
    wire.send(PubRel(7))
    assert await wire.next() == PubComp(7)
    assert [payload for _, _, payload in bench.service.messages] == [b"0", b"1", b"2"]


async def test_a_repeated_message_of_qos_2_arrives_once(bench) -> None:
    wire = await bench.connect()
    wire.send(Publish("up", b"x", 2, 9), Publish("up", b"x", 2, 9, duplicate=True), PubRel(9), PubRel(9))
    assert [await wire.next() for _ in range(4)] == [PubRec(9), PubRec(9), PubComp(9), PubComp(9)]
    wire.send(Publish("up", b"y", 2, 9))
    assert await wire.next() == PubRec(9)
    assert [payload for _, _, payload in bench.service.messages] == [b"x", b"y"]


async def test_messages_of_qos_2_that_are_never_released_are_bounded(start) -> None:
    wire = await (await start(packet_burst=10_000)).connect()
    for number in range(1, 400):
        wire.send(Publish("up", b"x", 2, number))
    answers = 0
    while await wire.next() is not None:
        answers += 1
    assert answers == 256


async def test_nothing_reaches_a_service_from_a_topic_that_is_not_the_devices_own(bench) -> None:
    wire = await bench.connect("lamp.1")
    topics = ["own/radio/state", "elsewhere", "$SYS/x", "own/lamp/state"]
    wire.send(*(Publish(topic, b"1", 1, number) for number, topic in enumerate(topics, 1)))
    assert [await wire.next() for _ in topics] == [PubAck(number) for number in range(1, 5)]
    assert bench.service.messages == [("lamp", "own/lamp/state", b"1")]


async def test_the_retain_flag_keeps_nothing(bench) -> None:
    wire = await bench.connect("lamp.1")
    wire.send(Publish("own/lamp/a", b"1", retain=True), Subscribe(1, (("own/lamp/#", 1),)), PingReq())
    assert [await wire.next(), await wire.next()] == [SubAck(1, (1,)), PingResp()]


async def test_clients_do_not_hear_each_other(bench) -> None:
    lamp, other = await bench.connect("lamp.1"), await bench.connect("lamp.2")
    other.send(Subscribe(1, (("own/lamp/#", 0), ("up", 0))))
    assert await other.next() == SubAck(1, (0, SUBSCRIBE_REFUSED))
    lamp.send(Publish("own/lamp/a", b"1"), PingReq())
    assert await lamp.next() == PingResp()
    other.send(PingReq())
    assert await other.next() == PingResp()


async def test_a_will_is_not_carried_out(bench) -> None:
    wire = await bench.open()
    wire.send(Connect("lamp.1", "user", b"right", will=Will("up", b"gone")))
    assert await wire.next() == ConnAck()
    wire.writer.transport.abort()
    await until(lambda: bool(bench.service.left))
    assert not bench.service.messages


async def test_a_service_with_a_bug_costs_its_client_the_connection_and_nobody_else(bench) -> None:
    wire, other = await bench.connect("lamp.1"), await bench.connect("radio.1")
    bench.service.fails = True
    wire.send(Publish("up", b"1"))
    assert await wire.ended()
    bench.service.fails = False
    other.send(Publish("up", b"2", 1, 1))
    assert await other.next() == PubAck(1)
    assert bench.service.messages == [("radio", "up", b"2")]


# -- subscriptions -----------------------------------------------------------------------------------------------------


async def test_only_own_topics_can_be_subscribed_to(bench) -> None:
    wire = await bench.connect("lamp.1")
    asked = ("own/lamp/a", 0), ("own/lamp/#", 2), ("own/radio/#", 0), ("#", 0), ("own/+/a", 0), ("down", 1), ("+", 0)
    wire.send(Subscribe(5, asked))
    refused = SUBSCRIBE_REFUSED
    assert await wire.next() == SubAck(5, (0, 1, refused, refused, refused, 1, refused))
    client = bench.service.clients[0]
    assert client.subscribed("down")
    assert client.subscribed("own/lamp/anything")
    wire.send(Unsubscribe(6, ("own/lamp/#", "down", "never")))
    assert await wire.next() == UnsubAck(6)
    assert not client.subscribed("down")
    assert client.subscribed("own/lamp/a")


async def test_subscriptions_are_bounded(start) -> None:
    wire = await (await start(subscriptions=2)).connect("lamp.1")
    wire.send(Subscribe(1, tuple((f"own/lamp/{number}", 0) for number in range(4))))
    assert await wire.next() == SubAck(1, (0, 0, SUBSCRIBE_REFUSED, SUBSCRIBE_REFUSED))


@pytest.mark.parametrize(
    ("own", "asked", "covered"),
    [
        ("a/b", "a/b", True),
        ("a/#", "a/b/c", True),
        ("a/#", "a/+/c", True),
        ("a/+", "a/+", True),
        ("a/+", "a/b", True),
        ("a/+", "a/#", False),
        ("a/+", "a/b/c", False),
        ("a/b", "a/+", False),
        ("a/b", "a", False),
        ("a/b", "#", False),
        ("a/b/#", "a/#", False),
    ],
)
def test_a_filter_covers_what_it_matches_and_no_more(own: str, asked: str, covered: bool) -> None:
    assert covers(own, asked) is covered


# -- what is pushed ----------------------------------------------------------------------------------------------------


async def test_a_confirmed_message_waits_for_its_confirmation(bench) -> None:
    wire = await bench.connect()
    sent = asyncio.create_task(bench.service.clients[0].publish_confirmed("down", b"x"))
    packet = await wire.next()
    assert packet == Publish("down", b"x", 1, packet.packet_id)
    assert not sent.done()
    wire.send(PubAck(packet.packet_id))
    await asyncio.wait_for(sent, 1)


async def test_unconfirmed_messages_are_bounded(start) -> None:
    bench = await start(in_flight=2)
    _wire = await bench.connect()
    client = bench.service.clients[0]
    waiting = [asyncio.create_task(client.publish_confirmed("down", b"x")) for _ in range(2)]
    await asyncio.sleep(0)
    with pytest.raises(OverloadedError):
        await client.publish_confirmed("down", b"x")
    for each in waiting:
        each.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    with pytest.raises(OverloadedError):
        await client.publish_confirmed("down", b"x")  # the client may still have them: their ids are not free


async def test_who_waits_for_a_confirmation_is_told_that_the_client_went(bench) -> None:
    wire = await bench.connect()
    client = bench.service.clients[0]
    sent = asyncio.create_task(client.publish_confirmed("down", b"x"))
    await wire.next()
    await wire.close()
    with pytest.raises(UnavailableError):
        await asyncio.wait_for(sent, 1)
    assert not client.publish("down", b"x")
    with pytest.raises(UnavailableError):
        await client.publish_confirmed("down", b"x")


async def test_a_client_that_does_not_read_is_dropped(start) -> None:
    bench = await start(unread_bytes=64 * 1024)
    wire = await bench.connect()
    wire.writer.transport.pause_reading()
    client = bench.service.clients[0]
    sent_bytes = 0
    while client.publish("down", bytes(60_000)):
        sent_bytes += 60_000
        await asyncio.sleep(0)
        assert sent_bytes < 64 * 1024 * 1024, "memory would grow without end"
    await asyncio.sleep(0.05)
    assert bench.service.left == [client]


# -- rates and bounds --------------------------------------------------------------------------------------------------


async def test_a_fast_client_is_slowed_down_and_loses_nothing(start) -> None:
    bench = await start(packets_per_s=100.0, packet_burst=20)
    wire = await bench.connect()
    began = asyncio.get_running_loop().time()
    wire.send(*(Publish("up", b"%d" % number) for number in range(60)), PingReq())
    assert await wire.next() == PingResp()
    assert asyncio.get_running_loop().time() - began > 0.3
    assert [payload for _, _, payload in bench.service.messages] == [b"%d" % number for number in range(60)]


async def test_a_packet_beyond_the_bound_ends_the_connection(bench) -> None:
    wire = await bench.connect()
    wire.send(b"\x30\xff\xff\xff\x7f")
    assert await wire.ended()


async def test_rubbish_ends_one_connection_only(bench) -> None:
    other = await bench.connect("radio.1")
    for rubbish in (b"\x00", b"\xf0\x00", b"\x30\x02\x00\x09", b"\x82\x00", b"\xff" * 100):
        wire = await bench.connect("lamp.1")
        wire.send(rubbish)
        assert await wire.ended()
    other.send(PingReq())
    assert await other.next() == PingResp()


# -- life --------------------------------------------------------------------------------------------------------------


async def test_closing_ends_every_connection(bench) -> None:
    wires = [await bench.connect(f"lamp.{number}") for number in range(3)] + [await bench.open()]
    await bench.endpoint.close()
    assert [await each.ended() for each in wires] == [True] * 4
    assert len(bench.service.left) == 3
    assert bench.endpoint.connections == 0


async def test_a_taken_port_is_said(bench) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigurationError, match="MQTT can't listen"):
            await bench.endpoint.listen("127.0.0.1", taken.getsockname()[1])


def test_a_certificate_that_is_none_is_said(tmp_path: Path) -> None:
    (tmp_path / "a.pem").write_text("no certificate")
    with pytest.raises(ConfigurationError, match="certificate"):
        tls_context(tmp_path / "a.pem", tmp_path / "a.pem")
    with pytest.raises(ConfigurationError, match="certificate"):
        tls_context(tmp_path / "missing.pem", tmp_path / "missing.pem")


async def test_tls_serves_the_same_packets(bench, certificate: tuple[Path, Path]) -> None:
    port = await bench.endpoint.listen("127.0.0.1", 0, tls_context(*certificate))
    trusting = ssl.create_default_context(cafile=str(certificate[0]))
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting, server_hostname="localhost")
    writer.write(encode(Connect("lamp.1", "user", b"right")) + encode(PingReq()))
    async with asyncio.timeout(2):
        assert await reader.readexactly(6) == encode(ConnAck()) + encode(PingResp())
    writer.close()
