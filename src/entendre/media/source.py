"""Stations and recordings over HTTP: every step checked, every wait and size bounded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import TypeVar
from urllib.parse import urlsplit

import aiohttp

from entendre.core.errors import MediaError
from entendre.media.addresses import CheckedResolver, Named, check_literal, followed, place_of
from entendre.media.decoding import decode
from entendre.media.playlists import MAX_PLAYLIST_BYTES, first_entry, is_playlist

RATE_HZ = 24_000
"""What most speakers play at; enough for a small one's music."""
MAX_HOPS = 6
"""Redirects and playlists on the way to a stream."""
MAX_STREAMS = 32
"""Streams at once: each has a thread."""
CONNECT_S = 8.0
SILENCE_S = 15.0
"""A stream that sends nothing for so long is broken."""
START_S = 20.0
"""From asking to the first bytes, and again to the first sound: whoever sends bytes singly is never silent."""
MAX_PLAY_S = 12 * 3600.0
HEAD_BYTES = 8 * 1024
"""What is looked at to know the format."""

T = TypeVar("T")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_UNREACHABLE = "That address can't be reached."


class HttpMedia:
    """Implements `ports.MediaSource`. One session for all streams; `close` it at the end."""

    rate_hz = RATE_HZ

    def __init__(self, named: Named, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._named = named
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._streams = 0

    async def open(self, url: str, *, from_s: float = 0.0) -> AsyncGenerator[bytes, None]:
        """Mono PCM16 of a station or a recording. Raises: MediaError, MissingExtraError."""
        if self._streams >= MAX_STREAMS:
            raise MediaError("Too many stations play at once.", detail="streams")
        self._streams += 1
        try:
            response, head = await self._begun(url)
            try:
                async with aclosing(self._decoded(response, head, from_s)) as chunks:
                    async for chunk in chunks:
                        yield chunk
            finally:
                response.close()
        finally:
            self._streams -= 1

    async def close(self) -> None:
        """End every stream."""
        if self._session is not None:
            await self._session.close()

    async def _begun(self, url: str) -> tuple[aiohttp.ClientResponse, bytes]:
        """The stream and its first bytes, within `START_S`. Raises: MediaError."""
        try:
            async with asyncio.timeout(START_S):
                response = await self._found(url)
                try:
                    return response, await _head(response)
                except BaseException:
                    response.close()
                    raise
        except TimeoutError:
            raise MediaError(_UNREACHABLE, detail="slow") from None

    async def _decoded(
        self, response: aiohttp.ClientResponse, head: bytes, from_s: float
    ) -> AsyncGenerator[bytes, None]:
        from_s = from_s if response.content_length is not None else 0.0  # a broadcast goes on where it is by now
        began_at, heard = self._clock(), from_s > 0.0  # what is skipped takes its time

        async def read(count: int) -> bytes:
            played_s = self._clock() - began_at
            if not heard and played_s > START_S:
                raise MediaError("That is no sound I can decode.", detail="no sound in time")
            if played_s > MAX_PLAY_S or response.content.at_eof():
                return b""
            return await _guarded(response.content.read(count))

        async with aclosing(decode(read, head, rate_hz=self.rate_hz, from_s=from_s)) as chunks:
            async for chunk in chunks:
                heard = True
                yield chunk

    async def _found(self, url: str) -> aiohttp.ClientResponse:
        """The stream at the end of redirects and playlists. Raises: MediaError."""
        for _ in range(MAX_HOPS):
            check_literal(place_of(url), self._named())
            response = await _guarded(self._opened().get(url, allow_redirects=False))
            try:
                onward = await _onward(response)
            except BaseException:
                response.close()
                raise
            if onward is None:
                return response
            response.close()
            url = followed(url, onward)
        raise MediaError("That address leads in circles.", detail="hops")

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(resolver=CheckedResolver(self._named), force_close=True),
                cookie_jar=aiohttp.DummyCookieJar(),
                timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S, sock_read=SILENCE_S),
                headers={"User-Agent": "Entendre", "Accept": "audio/*, */*;q=0.5"},
                max_line_size=8_190,
                max_field_size=8_190,
            )
        return self._session


async def _head(response: aiohttp.ClientResponse) -> bytes:
    """What tells the format. Raises: MediaError."""
    head = b""
    while len(head) < HEAD_BYTES and not response.content.at_eof():
        head += await _guarded(response.content.read(HEAD_BYTES - len(head)))
    return head


async def _onward(response: aiohttp.ClientResponse) -> str | None:
    """Where an answer leads to; None if it is the stream. Raises: MediaError."""
    if response.status in _REDIRECTS:
        return response.headers.get("Location", "")
    if response.status != 200:
        raise MediaError(f"That address answers with an error ({response.status}).", detail="status")
    if not is_playlist(response.content_type, urlsplit(str(response.url)).path):
        return None
    playlist = b""
    while not response.content.at_eof() and (piece := await _guarded(response.content.read(MAX_PLAYLIST_BYTES))):
        playlist += piece
        if len(playlist) > MAX_PLAYLIST_BYTES:
            raise MediaError("That playlist is too long.", detail="playlist")
    return first_entry(playlist)


async def _guarded(work: Awaitable[T]) -> T:
    """The result of something on the network. Raises: MediaError for whatever goes wrong there."""
    try:
        return await work
    except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
        raise MediaError(_UNREACHABLE, detail=type(error).__name__) from None
