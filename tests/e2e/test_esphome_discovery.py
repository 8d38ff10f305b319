"""Discovery finds and serves a device that announces itself on a real (local) network."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest
from device_box import Box
from zeroconf import ServiceInfo
from zeroconf.asyncio import AsyncZeroconf

from entendre.gateways.announced import Announced
from entendre.gateways.esphome.runner import SERVICE_TYPE, announced_devices

pytestmark = pytest.mark.e2e

NAME = "entendre-test-voice"


@asynccontextmanager
async def announcing(port: int) -> AsyncIterator[None]:
    """As ESPHome announces a device."""
    address = socket.inet_aton("127.0.0.1")
    properties = {"mac": "020000000007", "version": "2026.10.0", "platform": "ESP32"}
    info = ServiceInfo(
        SERVICE_TYPE,
        f"{NAME}.{SERVICE_TYPE}",
        port,
        addresses=[address],
        properties=properties,
        server=f"{NAME}.local.",
    )
    try:
        zeroconf = AsyncZeroconf()
        await (await zeroconf.async_register_service(info))
    except OSError as error:
        pytest.skip(f"no multicast on this machine: {error}")
    try:
        yield
    finally:
        await zeroconf.async_close()


async def test_an_announced_device_is_found() -> None:
    box = Box(name=NAME)
    async with box.switched_on(), announcing(box.port):
        try:
            async with aclosing(announced_devices()) as devices, asyncio.timeout(10):
                async for found in devices:
                    if found.name == NAME:
                        break
        except TimeoutError:
            pytest.skip("multicast does not reach this machine itself")
        assert found == Announced(NAME, "127.0.0.1", box.port)
