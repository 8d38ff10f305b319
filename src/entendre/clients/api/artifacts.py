"""Files of releases: sent by their hash, from where the server has them; fetched from where we have them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import msgspec

from entendre.clients.api.downloads import CHUNK_BYTES, Address, Progress, download, hash_of
from entendre.clients.api.errors import ApiConflictError, ApiError, ApiNotFoundError, NotReachedError, error_of
from entendre.clients.api.retrying import worth_repeating
from entendre.clients.api.transport import (
    MAX_REFUSAL_BYTES,
    Request,
    Route,
    Transport,
    bounded,
    decoded,
    request_of,
    seconds_of,
)
from entendre.core.errors import InvalidInputError

SILENCE_S = 120.0
"""The server checks a whole file before it answers."""
GET = Route("get_artifact", "GET", "/brands/{brand}/artifacts/{artifact}")
PUT = Route("put_artifact", "PUT", "/brands/{brand}/artifacts/{artifact}")


class Artifact(msgspec.Struct, frozen=True):
    """A file by the hash of its content. `received_bytes` of it are at the server."""

    id: str
    size_bytes: int
    received_bytes: int
    complete: bool


class Artifacts:
    """Uploads and downloads of files."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def upload(self, brand: str, file: Path, progress: Progress | None = None) -> Artifact:
        """Send a file, from where an earlier attempt ended; at once if the server has it.

        Raises: InvalidInputError, ApiError, NotReachedError when all attempts in a row brought nothing new.
        """
        path = {"brand": brand, "artifact": await asyncio.to_thread(_hash, file)}
        failures, had = 0, -1
        while True:
            pause_s: float | None = 0.0
            try:
                known = await self._known(path)
                if known is not None and known.complete:
                    return known
                offset = known.received_bytes if known is not None else 0
                failures, had = (0, offset) if offset > had else (failures, had)
                done = await self._send(path, file, offset, progress)
                if done.complete:
                    return done
            except ApiConflictError:
                failures += 1
                pause_s = self._transport.retries.pause_s(failures, None)
            except (ApiError, NotReachedError) as error:
                if isinstance(error, ApiError) and not worth_repeating(error):
                    raise
                failures += 1
                pause_s = self._transport.retries.pause_s(failures, getattr(error, "retry_after_s", None))
                if pause_s is None:
                    raise
            if pause_s is None:
                raise NotReachedError("The upload gets nowhere: somebody else sends the same file.")
            await asyncio.sleep(pause_s)

    async def fetch(
        self, address: Address, file: Path, *, size_bytes: int, sha256: str, progress: Progress | None = None
    ) -> Path:
        """Fetch a file by an address that a device was given. Raises: as `downloads.download`."""
        return await download(self._transport, address, file, size_bytes=size_bytes, sha256=sha256, progress=progress)

    async def _known(self, path: dict[str, str]) -> Artifact | None:
        try:
            return (await self._transport.ask(request_of(GET, path), Artifact)).value
        except ApiNotFoundError:
            return None

    async def _send(self, path: dict[str, str], file: Path, offset: int, progress: Progress | None) -> Artifact:
        size = (await asyncio.to_thread(file.stat)).st_size
        asked = request_of(PUT, path)
        headers = {
            **asked.headers,
            "Content-Type": "application/octet-stream",
            "Content-Length": str(size - offset),
            "Content-Range": f"bytes {offset}-{size - 1}/{size}",
        }
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
        request = Request(asked.method, asked.path, {}, None, headers, False)
        async with self._transport.opened(request, timeout, _pieces(file, offset, size, progress)) as answer:
            body = await bounded(answer, MAX_REFUSAL_BYTES)
            if answer.status >= 400:
                raise error_of(answer.status, body, seconds_of(answer.headers.get("Retry-After")))
            return decoded(body, Artifact)


async def _pieces(file: Path, offset: int, size: int, progress: Progress | None) -> AsyncIterator[bytes]:
    opened: Any = await asyncio.to_thread(file.open, "rb")
    try:
        opened.seek(offset)
        while offset < size and (piece := await asyncio.to_thread(opened.read, CHUNK_BYTES)):
            yield piece
            offset += len(piece)
            if progress is not None:
                progress(offset, size)
    finally:
        opened.close()


def _hash(file: Path) -> str:
    try:
        if file.stat().st_size == 0:
            raise InvalidInputError(f"{file} is empty.")
        return hash_of(file)
    except OSError as error:
        raise InvalidInputError(f"{file} can't be read: {error.strerror}.") from error
