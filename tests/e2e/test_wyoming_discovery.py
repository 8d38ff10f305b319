"""Discovery finds what the unmodified `wyoming` library announces on a real (local) network."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest
from wyoming.zeroconf import HomeAssistantZeroconf

from entendre.gateways.wyoming.discovery import Announced, announced_services

pytestmark = pytest.mark.e2e


async def test_an_announced_satellite_is_found() -> None:
    before = asyncio.all_tasks()
    announcer = HomeAssistantZeroconf(port=10_799, name="entendre-test-box", host="127.0.0.1")
    try:
        await announcer.register_server()
    except OSError as error:
        pytest.skip(f"no multicast on this machine: {error}")
    try:
        async with aclosing(announced_services()) as services, asyncio.timeout(10):
            async for found in services:
                if found.name == "entendre-test-box":
                    break
    except TimeoutError:
        pytest.skip("multicast does not reach this machine itself")
    finally:
        await asyncio.gather(*(asyncio.all_tasks() - before - {asyncio.current_task()}), return_exceptions=True)
        await announcer._aiozc.async_close()
    assert found == Announced("entendre-test-box", "127.0.0.1", 10_799)
