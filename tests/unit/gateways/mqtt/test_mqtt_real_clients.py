"""Unmodified MQTT clients against the endpoint: aiomqtt (paho) and, where it is installed, mosquitto's own."""

from __future__ import annotations

import asyncio
import shutil
import sys
from pathlib import Path

import pytest

from entendre.gateways.mqtt import tls_context

aiomqtt = pytest.importorskip("aiomqtt")
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="paho needs a selector loop")


def client(bench, name: str = "lamp.1", **options):
    options = {"username": "user", "password": "right"} | options
    return aiomqtt.Client("127.0.0.1", bench.port, identifier=name, timeout=5, **options)


async def test_it_publishes_at_every_quality_of_service(bench) -> None:
    async with client(bench) as paho:
        for qos in (0, 1, 2):
            for number in range(20):
                await paho.publish("up", f"{qos}-{number}", qos=qos, retain=bool(number % 2))
    sent = [f"{qos}-{number}".encode() for qos in (0, 1, 2) for number in range(20)]
    assert [payload for _, _, payload in bench.service.messages] == sent


async def test_it_is_told_what_it_never_subscribed_to(bench) -> None:
    async with client(bench) as paho:
        server_side = bench.service.clients[0]
        assert server_side.publish("down", b"0")
        confirmed = asyncio.create_task(server_side.publish_confirmed("devices/x", b"1"))
        async with asyncio.timeout(3):
            got = [await anext(paho.messages) for _ in range(2)]
            await confirmed
        assert [(str(each.topic), each.payload) for each in got] == [("down", b"0"), ("devices/x", b"1")]


async def test_it_is_refused_with_a_wrong_password(bench) -> None:
    with pytest.raises(aiomqtt.MqttError, match="Not authorized"):
        async with client(bench, password="wrong"):
            pass


async def test_it_may_subscribe_to_its_own_topics_only(bench) -> None:
    async with client(bench) as paho:
        granted = [await paho.subscribe(topic, qos=2) for topic in ("own/lamp/#", "own/radio/#")]
        assert [codes[0].value for codes in granted] == [1, 0x80]
        await paho.unsubscribe("own/lamp/#")
        assert not bench.service.clients[0].subscribed("own/lamp/a")


async def test_it_comes_again_with_the_same_id_while_the_old_connection_hangs(bench) -> None:
    older = client(bench)
    await older.__aenter__()
    async with client(bench) as newer:
        bench.service.clients[1].publish("down", b"new")
        async with asyncio.timeout(3):
            assert (await anext(newer.messages)).payload == b"new"
    with pytest.raises(aiomqtt.MqttError):
        async with asyncio.timeout(3):
            await anext(older.messages)
    assert len(bench.service.left) >= 1


@pytest.mark.slow
async def test_it_stays_by_its_own_pings(bench) -> None:
    async with client(bench, keepalive=2) as paho:  # it looks once a second whether one is due
        await asyncio.sleep(3.5)
        await paho.publish("up", "still here", qos=1)
    assert bench.service.messages


async def test_it_connects_by_tls(bench, certificate: tuple[Path, Path]) -> None:
    port = await bench.endpoint.listen("127.0.0.1", 0, tls_context(*certificate))
    trust = aiomqtt.TLSParameters(ca_certs=str(certificate[0]))
    async with aiomqtt.Client(
        "localhost", port, identifier="lamp.1", username="user", password="right", tls_params=trust, timeout=5
    ) as paho:
        await paho.publish("up", "by tls", qos=1)
    assert bench.service.messages == [("lamp", "up", b"by tls")]


@pytest.mark.skipif(shutil.which("mosquitto_pub") is None, reason="mosquitto-clients is not installed")
async def test_mosquittos_clients(bench) -> None:
    login = ["-h", "127.0.0.1", "-p", str(bench.port), "-V", "311", "-u", "user", "-P", "right"]
    listening = await asyncio.create_subprocess_exec(
        "mosquitto_sub", *login, "-i", "radio.1", "-t", "down", "-C", "1", stdout=asyncio.subprocess.PIPE
    )
    publishing = await asyncio.create_subprocess_exec(
        "mosquitto_pub", *login, "-i", "lamp.1", "-t", "up", "-m", "hello", "-q", "2"
    )
    async with asyncio.timeout(5):
        assert await publishing.wait() == 0
        while not any(each.subscribed("down") for each in bench.service.clients):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        next(each for each in bench.service.clients if each.subscribed("down")).publish("down", b"news")
        assert await listening.communicate() == (b"news\n", None)
    assert bench.service.messages == [("lamp", "up", b"hello")]
