"""Photos that a device takes for a question: uploads with a token of the device's own, answered by a vision model.

Source: xiaozhi.md 4 (vision upload). The body of the answer becomes the result of the device's camera tool.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import hmac
import logging
import re
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from entendre.core.clock import Clock
from entendre.core.device import DeviceRecord, hardware_of, opaque_of
from entendre.core.errors import EntendreError
from entendre.gateways.xiaozhi.addresses import VISION_PATH, Base
from entendre.gateways.xiaozhi.peers import PeerRates
from entendre.ports import DeviceRegistry

log = logging.getLogger(__name__)

TOKEN_LIFE_S = 3_600
MAX_IMAGE_BYTES = 4 * 1024 * 1024
MAX_QUESTION_BYTES = 4_096
MAX_PARTS = 8
UPLOAD_S = 20.0
ANSWER_S = 28.0
"""Firmware waits 30 s for a camera tool."""
MAX_UPLOADS = 8
"""Uploads held in memory at once."""
_TOKEN = re.compile(r"v_([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})_([0-9]{1,12})_([A-Za-z0-9_-]{43})")
_KINDS = {b"\xff\xd8\xff": "image/jpeg", b"\x89PNG\r\n\x1a\n": "image/png"}


@dataclass(frozen=True, slots=True)
class Picture:
    """A photo and what is asked of it, in the device's language."""

    question: str
    image: bytes
    media_type: str
    language: str | None


Vision = Callable[[Picture], Awaitable[str]]
"""Answers a question about a picture. Raises: EntendreError."""


@dataclass(frozen=True, slots=True)
class VisionOffer:
    """What a device is told in `initialize`."""

    url: str
    token: str


class VisionEndpoint:
    """The upload handler, and the tokens it takes. `key` signs them; `see` None: there is no vision model."""

    def __init__(self, registry: DeviceRegistry, key: bytes, clock: Clock, see: Vision | None = None) -> None:
        self._registry = registry
        self._key = key
        self._clock = clock
        self._see = see
        self._rates = PeerRates(clock, per_s=0.2, burst=6)
        self._room = asyncio.Semaphore(MAX_UPLOADS)

    def offer(self, record: DeviceRecord, base: Base) -> VisionOffer:
        """Where one device may upload for an hour."""
        expires = int(self._clock.wall()) + TOKEN_LIFE_S
        return VisionOffer(base.http(VISION_PATH), f"v_{record.id}_{expires}_{self._signature(record, expires)}")

    async def upload(self, request: web.Request) -> web.Response:
        """`POST` of a form with `question` and `file`."""
        record = await self._sender(request)
        if record is None:
            return _failed(401, "The token is missing, expired or another device's.")
        if not self._rates.take(record.id) or self._room.locked():
            return _failed(429, "Too many photos at once.", retry_after_s=5)
        async with self._room:
            try:
                async with asyncio.timeout(UPLOAD_S):
                    picture = await _picture(request, record.language)
            except TimeoutError:
                return _failed(408, "The upload took too long.")
            except _Unusable as reason:
                return _failed(reason.status, str(reason))
            return await self._answer(picture, record)

    async def _answer(self, picture: Picture, record: DeviceRecord) -> web.Response:
        if self._see is None:
            return _answered(False, "This server has no vision model (xiaozhi.vision_url).")
        try:
            async with asyncio.timeout(ANSWER_S):
                return _answered(True, await self._see(picture))
        except TimeoutError:
            code, message = "timeout", "The vision model took too long."
        except EntendreError as error:
            code, message = error.code, error.public_message
        log.warning("a photo was not answered", extra={"device": record.id, "code": code})
        return _answered(False, message)

    async def _sender(self, request: web.Request) -> DeviceRecord | None:
        """The device that a token was made for, if it is the one that sends it and still bound."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        match = _TOKEN.fullmatch(token.strip())
        if scheme.lower() != "bearer" or match is None or int(match[2]) <= self._clock.wall():
            return None
        record = await self._registry.record(match[1])
        if record is None or not hmac.compare_digest(self._signature(record, int(match[2])), match[3]):
            return None
        shown = (hardware_of(request.headers.get("Device-Id", "")), opaque_of(request.headers.get("Client-Id", "")))
        return record if shown == (record.hardware, record.client) else None

    def _signature(self, record: DeviceRecord, expires: int) -> str:
        text = "\n".join(("vision", record.id, record.hardware, record.client, str(expires)))
        digest = hmac.new(self._key, text.encode(), hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class _Unusable(Exception):
    """An upload that cannot be taken."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


async def _picture(request: web.Request, language: str | None) -> Picture:
    """Read the form, bounded part by part. Raises: _Unusable."""
    question, image = "", b""
    if not request.content_type.startswith("multipart/"):
        raise _Unusable(400, "Send multipart/form-data with question and file.")
    try:
        reader = await request.multipart()
        for _ in range(MAX_PARTS):
            part = await reader.next()
            if part is None:
                break
            if not isinstance(part, BodyPartReader):
                raise _Unusable(400, "The form holds another form.")
            if part.name == "question":
                question = (await _bounded(part, MAX_QUESTION_BYTES)).decode("utf-8", "replace").strip()
            elif part.name == "file":
                image = await _bounded(part, MAX_IMAGE_BYTES)
    except (ValueError, web.RequestPayloadError, HttpProcessingError) as error:
        raise _Unusable(400, "The form can't be read.") from error
    kind = next((kind for magic, kind in _KINDS.items() if image.startswith(magic)), None)
    if kind is None:
        raise _Unusable(415, "The file is no JPEG or PNG image.")
    return Picture(question, image, kind, language)


async def _bounded(part: BodyPartReader, most: int) -> bytes:
    data = bytearray()
    while piece := await part.read_chunk():
        data += piece
        if len(data) > most:
            raise _Unusable(413, f"A part is larger than {most} bytes.")
    return bytes(data)


def _answered(success: bool, text: str) -> web.Response:
    """Status 200 in any case: the text is what the device's tool returns."""
    return web.json_response({"success": success, "response" if success else "message": text})


def _failed(status: int, message: str, *, retry_after_s: int | None = None) -> web.Response:
    headers = {"Retry-After": str(retry_after_s)} if retry_after_s is not None else None
    response = web.json_response({"success": False, "message": message}, status=status, headers=headers)
    response.force_close()
    return response
