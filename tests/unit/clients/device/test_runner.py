"""A device that stays in step with a real server: its twin, its commands and its telemetry, also after a break."""

from __future__ import annotations

import asyncio
import contextlib
import inspect
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest

from entendre.clients.api import NotReachedError
from entendre.clients.device.commands import Command
from entendre.clients.device.link import DeviceLink, LinkRefusedError
from entendre.clients.device.mqtt import MqttLink
from entendre.clients.device.runner import DeviceRunner
from entendre.ports.fleet_twins import TwinPatch

BY = "test"


class Speaker:
    """What stands behind a runner: it becomes what it is told, and counts its beeps."""

    def __init__(self, link: DeviceLink) -> None:
        self.became: list[dict[str, Any]] = []
        self.beeps = 0
        self.runner = DeviceRunner(link, on_desired=self._become, flush_s=0.0, first_pause_s=0.01)
        self.runner.commands.on("beep", self._beep)

    async def _become(self, desired: Mapping[str, Any]) -> Mapping[str, Any]:
        self.became.append(dict(desired))
        return {"is": dict(desired)}

    async def _beep(self, command: Command) -> dict[str, int]:
        self.beeps += 1
        return {"times": command.payload["times"]}


@asynccontextmanager
async def switched_on(speaker: Speaker) -> AsyncIterator[None]:
    task = asyncio.create_task(speaker.runner.run())
    try:
        async with asyncio.timeout(10):
            await speaker.runner.connected.wait()
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def until(holds: Callable[[], Any]) -> None:
    for _ in range(1_000):
        found = holds()
        if await found if inspect.isawaitable(found) else found:
            return
        await asyncio.sleep(0.01)
    pytest.fail("it did not come to this in 10 s")


@pytest.fixture
async def speaker(cloud) -> Speaker:
    """A speaker over MQTT, with its id."""
    id_, token = await cloud.device()
    found = Speaker(MqttLink("127.0.0.1", cloud.mqtt_port, id_, token))
    found.id = id_  # type: ignore[attr-defined]
    return found


async def patch(cloud, device: str, document: dict[str, Any], *, replace: bool = False) -> int:
    change = TwinPatch("home", device, "desired", document, replace=replace)
    return (await cloud.app.fleet.twins.patch(change, by=BY)).version


async def test_it_becomes_what_it_should_be_and_says_so(cloud, speaker: Speaker) -> None:
    device = speaker.id  # type: ignore[attr-defined]
    await patch(cloud, device, {"volume": 3, "led": {"on": True}})
    async with switched_on(speaker):
        assert speaker.became == [{"volume": 3, "led": {"on": True}}]
        await patch(cloud, device, {"volume": 4, "led": None})
        await until(lambda: speaker.became[-1] == {"volume": 4})
        await patch(cloud, device, {"only": 1}, replace=True)
        await until(lambda: speaker.became[-1] == {"only": 1})

        async def reported() -> bool:
            return (await cloud.app.fleet.twins.get("home", device)).reported == {"is": {"only": 1}}

        await until(reported)


async def test_it_does_commands_once_now_and_later(cloud, speaker: Speaker) -> None:
    device = speaker.id  # type: ignore[attr-defined]
    later = await cloud.app.fleet.commands.queue("home", device, "beep", {"times": 1}, by=BY)
    async with switched_on(speaker):
        now = await cloud.app.fleet.commands.direct("home", device, "beep", {"times": 2}, timeout_s=5, by=BY)
        assert (now.status, now.result) == (200, '{"times":2}')
        unknown = await cloud.app.fleet.commands.direct("home", device, "dance", None, timeout_s=5, by=BY)
        assert unknown.status == 404

        async def done() -> bool:
            return (await cloud.app.fleet.commands.get("home", device, later.id)).state == "done"

        await until(done)
    assert speaker.beeps == 2


async def test_telemetry_is_kept_once_across_a_break(cloud, speaker: Speaker) -> None:
    device = speaker.id  # type: ignore[attr-defined]
    speaker.runner.measure({"n": 0})

    async def kept() -> list[int]:
        rows = await cloud.app.fleet.telemetry.of_device("home", device, from_s=0, to_s=1e11, after=None, limit=100)
        return sorted(int(each.body.removeprefix('{"n":').rstrip("}")) for each in rows)

    async with switched_on(speaker):
        await until(lambda: len(speaker.runner.telemetry) == 0)
        cloud.app.fleet.links.close(device, "test")
        await until(lambda: not speaker.runner.connected.is_set())
        for number in range(1, 150):
            speaker.runner.measure({"n": number})
        await until(speaker.runner.connected.is_set)
        await until(lambda: len(speaker.runner.telemetry) == 0)
        assert len(await kept()) == 100
    rows = await cloud.app.fleet.telemetry.of_device("home", device, from_s=0, to_s=1e11, after=None, limit=200)
    assert len(rows) == 150
    assert speaker.runner.telemetry.dropped == 0


async def test_a_wrong_token_is_refused(cloud) -> None:
    id_, _ = await cloud.device()
    link = MqttLink("127.0.0.1", cloud.mqtt_port, id_, "entd_wrong")
    with pytest.raises(NotReachedError):
        await link.open()
    await link.close()


async def test_what_the_server_refuses_is_told(cloud, speaker: Speaker) -> None:
    await speaker.runner.link.open()
    with pytest.raises(LinkRefusedError) as caught:
        await speaker.runner.link.report({"a": "x" * 40_000})
    assert caught.value.reason in ("too_large", "invalid_input")
    await speaker.runner.link.close()
    with pytest.raises(NotReachedError):
        await speaker.runner.link.twin()
