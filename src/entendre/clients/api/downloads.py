"""Downloads that go on where they broke off, and that are nothing until their hash is right."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urljoin, urlsplit

import aiohttp

from entendre.clients.api.errors import ApiError, BadAnswerError, NotReachedError, error_of
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import MAX_REFUSAL_BYTES, Request, Transport, bounded, seconds_of
from entendre.core.errors import EntendreError

CHUNK_BYTES = 256 * 1024
SILENCE_S = 30.0
EXPIRED = frozenset({401, 403, 404, 410})
"""Answers for which a new address is asked for once in a row: the old one may be over."""

Progress = Callable[[int, int], None]
"""Told how many bytes of how many are there."""
Address = Callable[[], Awaitable[str]]
"""Asks for the address to fetch from; asked again when it is over."""


class CorruptedError(EntendreError):
    """What was fetched is not what was promised; it was removed."""

    code = "corrupted"
    retryable = True


async def download(
    transport: Transport,
    address: Address,
    file: Path,
    *,
    size_bytes: int,
    sha256: str,
    progress: Progress | None = None,
    retries: Retries | None = None,
) -> Path:
    """Fetch into a file, which appears only when it is whole and right; a part stays to go on from.

    Raises: CorruptedError, ApiError, NotReachedError when all attempts in a row brought nothing new.
    """
    retries = retries or transport.retries
    part = file.with_name(f"{file.name}.{sha256[:16]}.part")
    failures = 0
    while True:
        before = _length(part)
        try:
            if before < size_bytes:
                await _more(transport, await address(), part, size_bytes, progress)
            break
        except (NotReachedError, ApiError) as error:
            failures = 1 if _length(part) > before else failures + 1
            if isinstance(error, ApiError) and error.status not in EXPIRED and not error.retryable:
                raise
            pause_s = retries.pause_s(failures, getattr(error, "retry_after_s", None))
            if pause_s is None:
                raise
            await asyncio.sleep(pause_s)
    if await asyncio.to_thread(hash_of, part) != sha256:
        part.unlink(missing_ok=True)
        raise CorruptedError(f"{file.name} is not what was promised: its hash is wrong. It was removed.")
    part.replace(file)
    return file


async def _more(transport: Transport, url: str, part: Path, size_bytes: int, progress: Progress | None) -> None:
    """Append what is missing. Raises: NotReachedError, ApiError, BadAnswerError."""
    have = _length(part)
    headers = {"Range": f"bytes={have}-"} if have else {}
    whole = urljoin(f"{transport.url}/", url)
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
    async with transport.opened(Request("GET", whole, {}, None, headers, True), timeout) as answer:
        if answer.status >= 400:
            wait_s = seconds_of(answer.headers.get("Retry-After"))
            raise error_of(answer.status, await bounded(answer, MAX_REFUSAL_BYTES), wait_s)
        with await asyncio.to_thread(part.open, "ab" if answer.status == 206 else "wb") as opened:
            await _append(answer, opened, have if answer.status == 206 else 0, size_bytes, progress)
    if _length(part) < size_bytes:
        raise NotReachedError(f"{urlsplit(whole).netloc} ended the download early.")


async def _append(
    answer: aiohttp.ClientResponse, opened: BinaryIO, have: int, size_bytes: int, progress: Progress | None
) -> None:
    async for piece in answer.content.iter_chunked(CHUNK_BYTES):
        have += len(piece)
        if have > size_bytes:
            raise BadAnswerError(f"The server sends more than the {size_bytes} bytes that it promised.")
        await asyncio.to_thread(opened.write, piece)
        if progress is not None:
            progress(have, size_bytes)


def hash_of(file: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _length(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0
