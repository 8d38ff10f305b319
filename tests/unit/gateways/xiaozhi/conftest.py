"""Fixtures of the xiaozhi gateway's tests."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from front_desk import Box, Desk, HandClock

from entendre.gateways.xiaozhi.firmware import FirmwareShelf
from entendre.gateways.xiaozhi.ota import OtaEndpoint, OtaSettings
from entendre.gateways.xiaozhi.routes import device_routes
from entendre.gateways.xiaozhi.vision import VisionEndpoint
from entendre.store import Database, Devices
from entendre.store.device_admission import AdmissionRules

SIGNING_KEY = b"k" * 32


@pytest.fixture
def box() -> Box:
    return Box()


@pytest.fixture
def ota_settings() -> OtaSettings:
    return OtaSettings()


@pytest.fixture
async def desk(tmp_path: Path, ota_settings: OtaSettings) -> AsyncIterator[Desk]:
    clock, database = HandClock(), Database(tmp_path / "entendre.db")
    devices = Devices(database, clock, rules=AdmissionRules(unbound_per_address=4))
    shelf = FirmwareShelf(tmp_path / "firmware", SIGNING_KEY, clock, devices)
    vision = VisionEndpoint(devices, SIGNING_KEY, clock)
    app = web.Application()
    server = TestServer(app)
    async with aiohttp.ClientSession() as client:
        ota = OtaEndpoint(devices, clock, ota_settings, shelf)
        made = Desk(clock, database, devices, client, server, shelf, vision, ota)
        for route in device_routes(made, shelf, vision):
            app.router.add_route(route.method, route.path, route.handler)
        await server.start_server()
        yield made
    await server.close()
    await database.close()
