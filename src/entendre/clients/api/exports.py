"""Exports: everything of a household or a person, as the ZIP archive that the server makes while it is read."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import aiohttp

from entendre.clients.api.errors import BadAnswerError, error_of
from entendre.clients.api.transport import MAX_REFUSAL_BYTES, Route, Transport, bounded, request_of, seconds_of

CHUNK_BYTES = 256 * 1024
SILENCE_S = 120.0
HOUSEHOLD = Route("export_household", "GET", "/households/{household}/export")
ME = Route("export_me", "GET", "/me/export")


class Exports:
    """What may be taken along. An archive is at its place only once it is whole; only this user may read it."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def household(self, household: str, file: Path, progress: Callable[[int], None] | None = None) -> Path:
        """Everything of a household into a file. `progress` is told how many bytes came. Raises: ApiError."""
        return await self._into(HOUSEHOLD, {"household": household}, file, progress)

    async def me(self, file: Path, progress: Callable[[int], None] | None = None) -> Path:
        """Everything of the person who asks into a file. Raises: ApiError."""
        return await self._into(ME, {}, file, progress)

    async def _into(
        self, route: Route, path: dict[str, str], file: Path, progress: Callable[[int], None] | None
    ) -> Path:
        part = file.with_name(f"{file.name}.part")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
        try:
            async with self._transport.opened(request_of(route, path), timeout) as answer:
                if answer.status >= 400:
                    wait_s = seconds_of(answer.headers.get("Retry-After"))
                    raise error_of(answer.status, await bounded(answer, MAX_REFUSAL_BYTES), wait_s)
                if answer.content_type != "application/zip":
                    raise BadAnswerError("The server answered something else than an archive.")
                with await asyncio.to_thread(_private, part) as opened:
                    await _written(answer, opened, progress)
            return await asyncio.to_thread(part.replace, file)
        finally:
            part.unlink(missing_ok=True)


async def _written(answer: aiohttp.ClientResponse, opened: BinaryIO, progress: Callable[[int], None] | None) -> None:
    written = 0
    async for piece in answer.content.iter_chunked(CHUNK_BYTES):
        await asyncio.to_thread(opened.write, piece)
        written += len(piece)
        if progress is not None:
            progress(written)


def _private(file: Path) -> BinaryIO:
    return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb")
