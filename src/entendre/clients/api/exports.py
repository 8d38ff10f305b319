"""Exports: everything of a household or a person, written into a file while it comes."""

from __future__ import annotations

import asyncio
from pathlib import Path

import aiohttp

from entendre.clients.api.errors import BadAnswerError, error_of
from entendre.clients.api.transport import MAX_REFUSAL_BYTES, ROOT, Request, Transport, bounded, filled, seconds_of

CHUNK_BYTES = 256 * 1024
SILENCE_S = 60.0


class Exports:
    """Archives that the server makes while it sends them, so that one which breaks off is fetched anew."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def household(self, household: str, file: Path) -> Path:
        """Everything of a household, as a ZIP archive. Raises: ApiError, NotReachedError, BadAnswerError."""
        return await self._fetch(filled("/households/{household}/export", {"household": household}), file)

    async def me(self, file: Path) -> Path:
        """Everything of whoever calls. Raises: ApiError, NotReachedError, BadAnswerError."""
        return await self._fetch("/me/export", file)

    async def _fetch(self, path: str, file: Path) -> Path:
        part = file.with_name(f"{file.name}.part")
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
        try:
            async with self._transport.opened(Request("GET", ROOT + path, {}, None, {}, True), timeout) as answer:
                if answer.status >= 400:
                    wait_s = seconds_of(answer.headers.get("Retry-After"))
                    raise error_of(answer.status, await bounded(answer, MAX_REFUSAL_BYTES), wait_s)
                if answer.content_type != "application/zip":
                    raise BadAnswerError("The server answered something else than an archive.")
                with await asyncio.to_thread(part.open, "wb") as opened:
                    part.chmod(0o600)
                    async for piece in answer.content.iter_chunked(CHUNK_BYTES):
                        await asyncio.to_thread(opened.write, piece)
            return await asyncio.to_thread(part.replace, file)
        finally:
            part.unlink(missing_ok=True)
