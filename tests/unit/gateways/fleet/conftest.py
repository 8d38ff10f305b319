"""The fleet behind an MQTT endpoint: real stores on a real database, devices that are known by their tokens."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from entendre.cloud.changes import LiveChanges
from entendre.cloud.commands import Commands
from entendre.cloud.device_desk import DeviceDesk
from entendre.cloud.links import LiveLinks
from entendre.cloud.telemetry import TelemetryDoor
from entendre.core.errors import StoreError
from entendre.gateways.fleet.mqtt import FleetMqtt
from entendre.gateways.mqtt import EndpointSettings, MqttEndpoint, TopicRouter
from entendre.ports.fleet_devices import NewDevice
from entendre.ports.telemetry import TelemetryRow
from entendre.store.database import Database
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.store.fleet.credentials import DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.presence import FleetPresence
from entendre.store.fleet.telemetry import TelemetryRows
from entendre.store.fleet.twins import FleetTwins
from entendre.store.fleet.watch import FleetWatch
from entendre.system import SystemClock, new_id

BRAND = "home"


class Logins:
    def __init__(self, tokens: DeviceTokens, watch: FleetWatch) -> None:
        self.login = tokens.login
        self.watch = watch.add


class Shelf(TelemetryRows):
    """The real rows, which refuse while they are told to."""

    refuses = False
    held: asyncio.Event | None = None

    async def add(self, rows: Any) -> None:
        if self.refuses:
            raise StoreError("The disk is full.")
        if self.held is not None:
            await self.held.wait()
        await super().add(rows)


@dataclass
class Site:
    port: int
    registry: FleetDevices
    tokens: DeviceTokens
    twins: FleetTwins
    commands: Commands
    rows: CommandRows
    telemetry: Shelf
    links: LiveLinks
    feed: LiveChanges
    presence: FleetPresence
    logins: Logins
    desk: DeviceDesk

    async def device(self, serial: str = "s1") -> tuple[str, str]:
        made = await self.registry.register(BRAND, NewDevice("speaker", serial), by="t")
        return made.id, await self.tokens.issue(BRAND, made.id, by="t")

    @asynccontextmanager
    async def connected(self, device: str, token: str, **options: Any) -> AsyncIterator[Any]:
        import aiomqtt

        options = {"identifier": f"any-{device}", "timeout": 5} | options
        async with aiomqtt.Client("127.0.0.1", self.port, username=device, password=token, **options) as client:
            yield client

    async def rows_of(self, device: str) -> tuple[TelemetryRow, ...]:
        return await self.telemetry.of_device(BRAND, device, from_s=0, to_s=1e11, after=None, limit=100)


@pytest.fixture
async def site(tmp_path: Path) -> AsyncIterator[Site]:
    database = await asyncio.to_thread(Database, tmp_path / "entendre.db")
    clock = SystemClock()
    await BrandStore(database, clock, "home").ensure_home()
    feed = LiveChanges(ChangeRows(database, clock, "home"), poll_s=0.05)
    await feed.open()
    database.on_written = feed.wake
    registry, tokens = FleetDevices(database, clock), DeviceTokens(database, clock)
    presence, twins, watch = FleetPresence(database, clock), FleetTwins(database, clock), FleetWatch(database, clock)
    links = LiveLinks(feed, presence)
    rows, telemetry = CommandRows(database, clock, "home"), Shelf(database, clock, "home")

    async def brand_of(device: str) -> str | None:
        found = await registry.found(device)
        return found.brand if found is not None else None

    commands = Commands(rows, links, feed, clock, brand_of=brand_of, new_id=new_id)
    links.on_attached(commands.delivery.came)
    door = TelemetryDoor(telemetry, clock, new_id=new_id)
    desk = DeviceDesk(twins, door, commands, presence, again=commands.delivery.came)
    logins = Logins(tokens, watch)
    fleet, router = FleetMqtt(logins, desk, links), TopicRouter()
    router.add(fleet, fleet.filters)
    endpoint = MqttEndpoint(fleet.identify, router, EndpointSettings())
    port = await endpoint.listen("127.0.0.1", 0)
    work = (feed.run(), links.run(), commands.delivery.run(), watch.run())
    running = [asyncio.create_task(each) for each in work]
    yield Site(port, registry, tokens, twins, commands, rows, telemetry, links, feed, presence, logins, desk)
    await endpoint.close()
    await asyncio.sleep(0)
    await links.stop()
    for task in running:
        task.cancel()
    await asyncio.gather(*running, return_exceptions=True)
    await commands.settle()
    await database.close()
