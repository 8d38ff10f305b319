"""Devices and the server side of their tests: a front desk on a real socket and a real database, its clock by hand."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import Any

import aiohttp
from aiohttp import web
from aiohttp.test_utils import TestServer

from entendre.core.device import DeviceRecord
from entendre.gateways.xiaozhi.firmware import FirmwareShelf
from entendre.gateways.xiaozhi.ota import OtaEndpoint, OtaSettings
from entendre.gateways.xiaozhi.vision import VisionEndpoint
from entendre.store import Database, Devices


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_790_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@dataclass
class Box:
    """A device as its firmware behaves: what it sends, and the chip's key if it has one."""

    mac: str = "02:11:22:33:44:55"
    client: str = "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11"
    serial: str | None = None
    key: bytes = b""
    version: str = "2.4.2"
    board: str = "esp-box-3"

    @property
    def headers(self) -> dict[str, str]:
        known = {"Serial-Number": self.serial} if self.serial else {}
        return known | {
            "Device-Id": self.mac,
            "Client-Id": self.client,
            "Activation-Version": "2" if self.serial else "1",
            "User-Agent": f"{self.board}/{self.version}",
            "Accept-Language": "en-US",
        }

    @property
    def report(self) -> dict[str, Any]:
        return {
            "version": 2,
            "mac_address": self.mac,
            "uuid": self.client,
            "application": {"name": "xiaozhi", "version": self.version},
            "board": {"type": self.board, "name": self.board, "mac": self.mac},
        }

    def proof(self, challenge: str) -> dict[str, Any]:
        if self.serial is None:
            return {}
        digest = hmac.new(self.key, challenge.encode(), hashlib.sha256).hexdigest()
        return {"algorithm": "hmac-sha256", "serial_number": self.serial, "challenge": challenge, "hmac": digest}


@dataclass
class Desk:
    """The server side of a test, and what devices send to it."""

    clock: HandClock
    database: Database
    devices: Devices
    client: aiohttp.ClientSession
    server: TestServer
    shelf: FirmwareShelf
    vision: VisionEndpoint
    ota: OtaEndpoint

    def use(self, settings: OtaSettings) -> None:
        """Serve with other settings from now on."""
        self.ota = OtaEndpoint(self.devices, self.clock, settings, self.shelf)

    async def configure(self, request: web.Request) -> web.Response:
        return await self.ota.configure(request)

    async def activate(self, request: web.Request) -> web.Response:
        return await self.ota.activate(request)

    def url(self, path: str) -> str:
        return str(self.server.make_url(path))

    async def boot(self, box: Box, path: str = "/xiaozhi/ota/") -> dict[str, Any]:
        """The configuration that a device gets."""
        async with self.client.post(self.url(path), json=box.report, headers=box.headers) as answer:
            assert answer.status == 200
            body: dict[str, Any] = await answer.json()
            return body

    async def poll(self, box: Box, challenge: str = "", body: dict[str, Any] | None = None) -> int:
        """The status of one activation request."""
        sent = box.proof(challenge) if body is None else body
        url = self.url("/xiaozhi/ota/activate")
        async with self.client.post(url, json=sent, headers=box.headers) as answer:
            return answer.status

    async def bind(self, box: Box, name: str = "") -> tuple[str, DeviceRecord]:
        """Take a device from its first boot to its token, as firmware and owner do together."""
        shown = (await self.boot(box))["activation"]
        assert await self.poll(box, shown["challenge"]) == 202
        record = await self.devices.bind(shown["code"], name=name, by="cli", guesser="cli")
        assert await self.poll(box, shown["challenge"]) == 200
        return (await self.boot(box))["websocket"]["token"], record
