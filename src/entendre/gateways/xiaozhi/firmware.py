"""Firmware for bound devices: images in a folder per board, handed out by URLs that are signed, personal and expire.

A device downloads with a plain GET without credentials, so the URL is the only access control there can be.
Source: xiaozhi.md 1.4.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import logging
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

from aiohttp import web

from entendre.core.clock import Clock
from entendre.gateways.xiaozhi.addresses import FIRMWARE_PATH, Base
from entendre.ports import DeviceRegistry
from entendre.wire.xiaozhi_ota import FirmwareOffer, version_numbers

log = logging.getLogger(__name__)

URL_LIFE_S = 3_600
SUFFIX = ".bin"
_BOARD = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class FirmwareImage:
    """An application image of a board."""

    board: str
    version: str
    file: Path


class FirmwareShelf:
    """The images of a folder, `<folder>/<board>/<version>.bin`. `key` signs the URLs."""

    def __init__(self, folder: Path, key: bytes, clock: Clock, registry: DeviceRegistry) -> None:
        self._folder = folder
        self._key = key
        self._clock = clock
        self._registry = registry

    async def offer(self, device: str, board: str, base: Base) -> FirmwareOffer | None:
        """The newest image of a board as a device is told of it; None where there is none."""
        image = await asyncio.to_thread(self.newest, board)
        if image is None:
            return None
        expires = int(self._clock.wall()) + URL_LIFE_S
        query = urlencode(
            {"expires": expires, "signature": self._signature(device, image.board, image.version, expires)}
        )
        path = f"{FIRMWARE_PATH}/{device}/{image.board}/{image.version}{SUFFIX}?{query}"
        return FirmwareOffer(version=image.version, url=base.http(path))

    def newest(self, board: str) -> FirmwareImage | None:
        """The newest image of a board. Blocks."""
        found = [
            (numbers, FirmwareImage(board, file.stem, file))
            for file in self._files(board)
            if (numbers := version_numbers(file.stem)) is not None
        ]
        return max(found, key=lambda each: each[0])[1] if found else None

    async def download(self, request: web.Request) -> web.StreamResponse:
        """`GET <firmware>/{device}/{board}/{version}.bin`: the image, whole or the range that is asked for."""
        device, board = request.match_info["device"], request.match_info["board"]
        version, expires = request.match_info["version"], request.query.get("expires", "")
        given = request.query.get("signature", "")
        if not expires.isdecimal() or len(expires) > 12 or not self._is_signed(device, board, version, expires, given):
            return _refused("bad_signature")
        if int(expires) <= self._clock.wall():
            return _refused("url_expired")
        if await self._registry.record(device) is None:
            return _refused("revoked")
        file = await asyncio.to_thread(self._file, board, version)
        if file is None:
            return web.json_response({"error": "not_found"}, status=404)
        log.info("a device downloads firmware", extra={"device": device, "board": board, "version": version})
        return web.FileResponse(file, headers={"Content-Type": "application/octet-stream", "Cache-Control": "no-store"})

    def _files(self, board: str) -> list[Path]:
        folder = self._folder / board
        if not _BOARD.fullmatch(board) or not folder.is_dir():
            return []
        return [file for file in folder.iterdir() if file.suffix == SUFFIX and file.is_file() and file.stat().st_size]

    def _file(self, board: str, version: str) -> Path | None:
        return next((file for file in self._files(board) if file.stem == version), None)

    def _signature(self, device: str, board: str, version: str, expires: int) -> str:
        text = "\n".join(("firmware", device, board, version, str(expires)))
        return hmac.new(self._key, text.encode(), hashlib.sha256).hexdigest()

    def _is_signed(self, device: str, board: str, version: str, expires: str, given: str) -> bool:
        expected = self._signature(device, board, version, int(expires))
        return hmac.compare_digest(expected.encode(), given.encode("utf-8", "replace"))


def _refused(reason: str) -> web.Response:
    return web.json_response({"error": reason}, status=403)
