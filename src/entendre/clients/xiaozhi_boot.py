"""How a xiaozhi speaker starts: it asks where to connect, and is bound by a code that its owner reads out.

Written from xiaozhi-esp32 2.4.2 (`main/ota.cc`, `boards/common/board.cc`), apart from the server's side on purpose:
what both sides get wrong in the same way, no test would see.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
from dataclasses import dataclass
from typing import Any

import aiohttp

from entendre.clients.realtime import ConnectionFailedError

POLL_EVERY_S = 3.0
POLL_AFTER_REFUSAL_S = 10.0
POLLS = 10
BOUND, PENDING = 200, 202


class AskedTooOftenError(ConnectionFailedError):
    """The server wants to be asked later."""


@dataclass(frozen=True, slots=True)
class Hardware:
    """What a speaker is born with. `serial` and `hmac_key` are both set on boards with burned-in identities only."""

    mac: str
    uuid: str
    serial: str = ""
    hmac_key: bytes = b""
    board: str = "esp-box-3"
    firmware: str = "2.4.2"
    language: str = "en-US"

    @property
    def headers(self) -> dict[str, str]:
        """What it sends with each of these requests."""
        headers = {
            "Device-Id": self.mac,
            "Client-Id": self.uuid,
            "Activation-Version": "2" if self.serial else "1",
            "User-Agent": f"{self.board}/{self.firmware}",
            "Accept-Language": self.language,
            "Content-Type": "application/json",
        }
        return headers | ({"Serial-Number": self.serial} if self.serial else {})

    @property
    def description(self) -> dict[str, Any]:
        """The body of the configuration request."""
        return {
            "version": 2,
            "language": self.language,
            "flash_size": 16_777_216,
            "minimum_free_heap_size": "8318916",
            "mac_address": self.mac,
            "uuid": self.uuid,
            "chip_model_name": "esp32s3",
            "application": {"name": "xiaozhi", "version": self.firmware, "idf_version": "v6.0"},
            "board": {"type": self.board, "name": self.board, "rssi": -52, "ip": "192.0.2.17", "mac": self.mac},
        }


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the server answered. An object that it left out is empty."""

    websocket: dict[str, Any]
    mqtt: dict[str, Any]
    activation: dict[str, Any]
    firmware: dict[str, Any]

    @property
    def code(self) -> str:
        """What an unbound speaker shows and reads out."""
        return str(self.activation.get("code", ""))


async def configure(http: aiohttp.ClientSession, ota_url: str, hardware: Hardware) -> Configuration:
    """Ask where to connect. Raises: AskedTooOftenError, ConnectionFailedError."""
    body = json.dumps(hardware.description)
    try:
        async with http.post(ota_url, data=body, headers=hardware.headers) as answer:
            if answer.status == 429:
                raise AskedTooOftenError(f"{ota_url} wants to be asked later.")
            if answer.status != 200:
                raise ConnectionFailedError(f"{ota_url} answered {answer.status}.", detail=await answer.text())
            document = await answer.json(content_type=None)
    except (aiohttp.ClientError, OSError, ValueError) as error:
        raise ConnectionFailedError(f"{ota_url} can't be reached.", detail=str(error)) from error
    parts = {name: document.get(name) or {} for name in ("websocket", "mqtt", "activation", "firmware")}
    return Configuration(**parts)


async def activate(http: aiohttp.ClientSession, ota_url: str, hardware: Hardware, challenge: str) -> int:
    """Ask once whether it is bound now: the status, 200 for yes and 202 for not yet."""
    url = f"{ota_url.rstrip('/')}/activate"
    body: dict[str, Any] = {}
    if hardware.serial:
        digest = hmac.new(hardware.hmac_key, challenge.encode(), hashlib.sha256).hexdigest()
        body = {"algorithm": "hmac-sha256", "serial_number": hardware.serial, "challenge": challenge, "hmac": digest}
    async with http.post(url, data=json.dumps(body), headers=hardware.headers) as answer:
        return answer.status


async def configure_when_bound(
    http: aiohttp.ClientSession, ota_url: str, hardware: Hardware, *, every_s: float = POLL_EVERY_S
) -> Configuration:
    """Start as a speaker does whose owner is about to bind it. Raises: ConnectionFailedError if nobody does."""
    configuration = await configure(http, ota_url, hardware)
    for _ in range(POLLS):
        if not configuration.activation:
            return configuration
        status = await activate(http, ota_url, hardware, str(configuration.activation.get("challenge", "")))
        if status == BOUND:
            configuration = await configure(http, ota_url, hardware)
        else:
            await asyncio.sleep(every_s if status == PENDING else POLL_AFTER_REFUSAL_S)
    raise ConnectionFailedError("Nobody bound this speaker.")
