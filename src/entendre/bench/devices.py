"""Simulated speakers that a server has bound, ready to connect."""

from __future__ import annotations

import asyncio
import uuid
from dataclasses import dataclass

import aiohttp

from entendre.clients.realtime import ConnectionFailedError
from entendre.clients.xiaozhi_boot import AskedTooOftenError, Configuration, Hardware, configure

ASK_AGAIN_S = 2.0
"""A server takes few strangers at once from one address, and all of ours have the same."""
ASK_TIMES = 60
OTA_PATH = "/xiaozhi/ota/"
_LOCALLY_ADMINISTERED = "02:00:5e:00:{:02x}:{:02x}"


@dataclass(frozen=True, slots=True)
class BoundSpeaker:
    """A speaker of the household, and what it was told to connect with."""

    hardware: Hardware
    configuration: Configuration


async def bound_speakers(url: str, key: str, count: int) -> list[BoundSpeaker]:
    """Speakers that boot one after another, are bound by their codes, and boot again. Raises: ConnectionFailedError."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    async with aiohttp.ClientSession(headers=headers) as owner, aiohttp.ClientSession() as http:
        return [await _bound(owner, http, url, number) for number in range(count)]


async def _bound(owner: aiohttp.ClientSession, http: aiohttp.ClientSession, url: str, number: int) -> BoundSpeaker:
    mac = _LOCALLY_ADMINISTERED.format(*divmod(number, 256))
    hardware = Hardware(mac, str(uuid.uuid5(uuid.NAMESPACE_URL, mac)))
    configuration = await _configured(http, url, hardware)
    if configuration.code:
        body = {"code": configuration.code, "name": f"speaker {number + 1}"}
        async with owner.post(f"{url}/v1/devices", json=body) as answer:
            if answer.status != 201:
                raise ConnectionFailedError(
                    f"The server bound no speaker: {answer.status}.", detail=await answer.text()
                )
        configuration = await _configured(http, url, hardware)
    return BoundSpeaker(hardware, configuration)


async def _configured(http: aiohttp.ClientSession, url: str, hardware: Hardware) -> Configuration:
    for _ in range(ASK_TIMES):
        try:
            return await configure(http, f"{url}{OTA_PATH}", hardware)
        except AskedTooOftenError:
            await asyncio.sleep(ASK_AGAIN_S)
    raise ConnectionFailedError("The server takes no more speakers from this address.")
