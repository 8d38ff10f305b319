"""MQTT discovery against a real broker: appliances appear, obey, report, and survive the broker's death."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import shutil
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest

from entendre.core.actions import ActivateScene, AdjustTrait, SetTrait, Trait
from entendre.core.errors import UnavailableError
from entendre.core.home import Appliance
from entendre.home import HomeGraph, demo_home

aiomqtt = pytest.importorskip("aiomqtt", reason="needs the mqtt extra")

from entendre.home.mqtt.connector import MqttConnector  # noqa: E402
from entendre.home.mqtt.settings import MqttSettings  # noqa: E402

PAYLOADS: dict[str, dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "unit/home/mqtt_payloads.json").read_text()
)
MOSQUITTO = shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")
WAIT_S = 10.0


class Broker:
    """A real broker on a port of its own: mosquitto, else amqtt."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self._folder = folder
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        config = self._folder / "broker.conf"
        if MOSQUITTO:
            config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n")
            command = [MOSQUITTO, "-c", str(config)]
        else:
            amqtt = pytest.importorskip("amqtt", reason="needs a broker: install mosquitto, or pip install amqtt")
            assert amqtt
            config.write_text(
                f"listeners:\n  default: {{type: tcp, bind: '127.0.0.1:{self.port}'}}\n"
                "plugins:\n  amqtt.plugins.authentication.AnonymousAuthPlugin: {allow_anonymous: true}\n"
            )
            command = ["amqtt", "-c", str(config)]
        self._process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.DEVNULL, stderr=asyncio.subprocess.DEVNULL
        )
        await until(self._listens)

    def _listens(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 0.2):
            return True
        return False

    async def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            await self._process.wait()
            self._process = None

    def client(self) -> Any:
        return aiomqtt.Client("127.0.0.1", self.port)


async def until(condition: Callable[[], bool], wait_s: float = WAIT_S) -> None:
    deadline = asyncio.get_running_loop().time() + wait_s
    while not condition():
        assert asyncio.get_running_loop().time() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


@pytest.fixture
async def broker(tmp_path: Path) -> AsyncIterator[Broker]:
    broker = Broker(tmp_path)
    await broker.start()
    yield broker
    await broker.kill()


@pytest.fixture
def graph() -> HomeGraph:
    return HomeGraph(demo_home())


@pytest.fixture
async def connector(broker: Broker, graph: HomeGraph) -> AsyncIterator[MqttConnector]:
    settings = MqttSettings("127.0.0.1", broker.port, first_retry_s=0.1, last_retry_s=0.4, publish_timeout_s=1.0)
    connector = MqttConnector(settings, graph)
    task = asyncio.create_task(connector.run())
    yield connector
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


def found(graph: HomeGraph, identifier: str) -> Appliance | None:
    return next((each for each in graph.snapshot().appliances if each.id == identifier), None)


LAMP = "mqtt.0x00158d0001a2b3c4_light_zigbee2mqtt"
LAMP_TOPIC = "zigbee2mqtt/living room lamp"


async def announce(client: Any, *, retain: bool = True) -> None:
    for topic, payload in PAYLOADS.items():
        await client.publish(topic, json.dumps(payload), qos=1, retain=retain)


def value(graph: HomeGraph, identifier: str, trait: Trait) -> object:
    appliance = found(graph, identifier)
    return None if appliance is None else appliance.state.get(trait)


async def test_appliances_appear_obey_and_report(broker: Broker, connector: MqttConnector, graph: HomeGraph) -> None:
    names_changed: list[None] = []
    graph.on_names_changed(lambda: names_changed.append(None))
    async with broker.client() as device:
        await announce(device)
        await device.publish(LAMP_TOPIC, '{"state":"OFF","brightness":254}', retain=True)
        await until(lambda: value(graph, LAMP, Trait.BRIGHTNESS) == 100 and connector.status.appliances == 13)
        assert names_changed
        lamp = found(graph, LAMP)
        assert lamp is not None
        assert (lamp.room, lamp.state[Trait.ON]) == ("living_room", False)
        assert [each.id for each in graph.snapshot().rooms if each.id in ("kitchen", "garage")] == ["kitchen", "garage"]

        await device.subscribe(LAMP_TOPIC + "/set")
        await device.subscribe("hub/scene/set")
        await graph.execute(AdjustTrait(LAMP, Trait.BRIGHTNESS, 40))
        await graph.execute(ActivateScene("mqtt.hub_evening"))
        seen: dict[str, bytes] = {}
        async with asyncio.timeout(WAIT_S):
            async for message in device.messages:
                seen[message.topic.value] = message.payload
                if len(seen) == 2:
                    break
        assert json.loads(seen[LAMP_TOPIC + "/set"]) == {"state": "ON", "brightness": 102}
        assert seen["hub/scene/set"] == b"evening"

        changes: list[tuple[str, object]] = []
        graph.on_state_changed(lambda appliance, state: changes.append((appliance, dict(state))))
        await device.publish(LAMP_TOPIC, '{"state":"ON","brightness":102}')
        await until(lambda: changes != [])
        assert changes == [(LAMP, {Trait.ON: True, Trait.BRIGHTNESS: 40})]


async def test_availability_and_removal(broker: Broker, connector: MqttConnector, graph: HomeGraph) -> None:
    async with broker.client() as device:
        await announce(device)
        await until(lambda: found(graph, LAMP) is not None)
        await device.publish("zigbee2mqtt/bridge/state", '{"state":"offline"}', retain=True)
        await until(lambda: not getattr(found(graph, LAMP), "available", True))
        with pytest.raises(UnavailableError):
            await graph.execute(SetTrait(LAMP, Trait.ON, True))
        await device.publish("zigbee2mqtt/bridge/state", '{"state":"online"}', retain=True)
        await until(lambda: getattr(found(graph, LAMP), "available", False))
        await device.publish("homeassistant/light/0x00158d0001a2b3c4/light/config", "", retain=True)
        await until(lambda: found(graph, LAMP) is None)


async def test_a_dead_broker_is_reported_and_its_return_is_used(
    broker: Broker, connector: MqttConnector, graph: HomeGraph, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="entendre.home.mqtt")
    async with broker.client() as device:
        await announce(device)
        await device.publish(LAMP_TOPIC, '{"state":"ON"}', retain=True)
        await until(lambda: value(graph, LAMP, Trait.ON) is True)

        await broker.kill()
        await until(lambda: not connector.status.connected)
        assert connector.status.reason
        assert getattr(found(graph, LAMP), "available", True) is False
        assert sum("gone" in record.message for record in caplog.records) >= 1
        started = asyncio.get_running_loop().time()
        with pytest.raises(UnavailableError):
            await graph.execute(SetTrait(LAMP, Trait.ON, False))
        with pytest.raises(UnavailableError):
            await connector.set_trait(LAMP, Trait.ON, False)
        assert asyncio.get_running_loop().time() - started < 0.1
        with contextlib.suppress(aiomqtt.MqttError):
            await device.publish("x", "")

    await graph.execute(SetTrait("floor_lamp", Trait.ON, True))
    assert value(graph, "floor_lamp", Trait.ON) is True

    await broker.start()
    await until(lambda: connector.status.connected)
    assert getattr(found(graph, LAMP), "available", False) is True
    async with broker.client() as device:
        await device.publish(LAMP_TOPIC, '{"state":"OFF"}', retain=True)
        await until(lambda: value(graph, LAMP, Trait.ON) is False)
        await device.subscribe(LAMP_TOPIC + "/set")
        await graph.execute(SetTrait(LAMP, Trait.ON, True))
        async with asyncio.timeout(WAIT_S):
            message = await anext(aiter(device.messages))
        assert json.loads(message.payload) == {"state": "ON"}


async def test_a_broker_that_was_never_there_is_reported(tmp_path: Path, graph: HomeGraph) -> None:
    broker = Broker(tmp_path)
    settings = MqttSettings("127.0.0.1", broker.port, first_retry_s=0.05, last_retry_s=0.1)
    connector = MqttConnector(settings, graph)
    assert connector.status.connected is False
    task = asyncio.create_task(connector.run())
    await until(lambda: "refused" in (connector.status.reason or "").lower())
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task


async def test_malformed_messages_change_nothing(broker: Broker, connector: MqttConnector, graph: HomeGraph) -> None:
    async with broker.client() as device:
        await announce(device)
        await until(lambda: connector.status.appliances == 13)
        before = graph.snapshot().appliances
        await device.publish("homeassistant/light/bad/config", b"\xff\x00{")
        await device.publish("homeassistant/light/bad2/config", '{"cmd_t": "a/#"}')
        await device.publish("homeassistant/light/bad3/config", b"[" * 200_000)
        await device.publish(LAMP_TOPIC, b"\xff\xfe")
        await device.publish(LAMP_TOPIC, b"x" * 100_000)
        await device.publish(LAMP_TOPIC, '{"state": {"a": 1}, "brightness": "NaN", "color": [1]}')
        await until(lambda: connector.status.ignored_messages >= 4)
        await device.publish("tele/coffee/STATE", '{"POWER":"ON"}')
        await until(lambda: value(graph, "mqtt.A4CF12_RL_1", Trait.ON) is True)
    assert connector.status.connected
    assert [each.id for each in graph.snapshot().appliances] == [each.id for each in before]
    assert value(graph, LAMP, Trait.ON) is None
