"""A house of scripted conversations and real replies, and a runner in it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from aioesphomeapi import api_pb2 as pb
from device_box import Box

from entendre.gateways.esphome.house import House
from entendre.gateways.esphome.runner import DeviceRunner
from entendre.gateways.esphome.settings import DeviceSettings, RunnerSettings
from entendre.web.replies import PostedReply, Replies

QUICK = RunnerSettings(
    dial_s=1.0,
    describe_s=0.3,
    configure_s=0.2,
    goodbye_s=0.1,
    first_retry_s=0.02,
    longest_retry_s=0.05,
    slow_retry_s=0.03,
    stable_s=0.0,
)


class Bench:
    """The house around one runner, and what came of it."""

    def __init__(self, factory: Any) -> None:
        self.factory = factory
        self.replies = Replies()
        self.dismissed: list[str] = []
        self.options: dict[str, Any] = {}

    @property
    def house(self) -> House:
        async def dismiss(ring: str) -> None:
            self.dismissed.append(ring)

        return House(self.factory, self.replies, 8770, dismiss=dismiss, **self.options)

    @property
    def conversation(self) -> Any:
        return self.factory.opened[-1]

    async def tell(self, *events: Any) -> None:
        """Events of the conversation."""
        for event in events:
            await self.conversation.link.deliver(event)

    async def player_is(self, box: Box, state: int) -> None:
        """Its media player reports a state."""
        box.send(pb.MediaPlayerStateResponse(key=1, state=state, volume=0.4))
        device = self.conversation.link._device
        await settled(lambda: device.player_state == state)

    def fetch(self, url: str) -> PostedReply:
        """What a URL stands for; the device has asked for it."""
        reply = self.replies._find(url.rpartition("/")[2].partition(".")[0])
        assert reply is not None, f"{url} is not there"
        reply.fetched_at = reply.fetched_at or self.replies._now()
        return reply

    @asynccontextmanager
    async def running(
        self, *devices: DeviceSettings, settings: RunnerSettings = QUICK, **options: Any
    ) -> AsyncIterator[DeviceRunner]:
        runner = DeviceRunner(self.house, devices, settings, chance=lambda: 0.5, **options)
        task = asyncio.create_task(runner.run())
        try:
            yield runner
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    @asynccontextmanager
    async def serving(self, box: Box, settings: RunnerSettings = QUICK, **changes: Any) -> AsyncIterator[DeviceRunner]:
        """A device that is switched on and served."""
        async with box.switched_on(), self.running(at(box, **changes), settings=settings) as runner:
            await settled(lambda: box.subscribed and self.factory.opened and self.conversation.running.is_set())
            yield runner


def at(box: Box, **changes: Any) -> DeviceSettings:
    """Where a device is."""
    return DeviceSettings(**({"host": "127.0.0.1", "port": box.port, "name": "box"} | changes))


async def settled(condition: Callable[[], object]) -> None:
    """Wait until something is so."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)
