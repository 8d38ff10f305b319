"""Replies as short-lived URLs, for speakers that fetch what they play; encoded while they are synthesised.

The name in the URL is the only credential: 192 random bits, for a minute or two.
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing

from aiohttp import hdrs, web
from aiohttp.http import HttpVersion11

from entendre.web.encoding import STREAMED, FileEncoder
from entendre.web.faults import Fault
from entendre.web.services import Door
from entendre.web.streams import send

ROUTE = "/replies/{name}"
TOKEN_BYTES = 24
KEPT_S = 60.0
"""How long a whole reply may still be fetched: a speaker that lost its connection tries again."""
OPEN_S = 600.0
"""How long a reply may be in the making."""
MAX_REPLIES = 128
"""More push out the oldest: every speaker of a large home, several times over."""
MAX_REPLY_BYTES = 12 * 1024 * 1024
"""Four minutes of audio at 24 kHz; the rest is not said."""
MAX_KEPT_BYTES = 96 * 1024 * 1024
MAX_READERS = 4
"""Fetches of one reply at once."""
SILENCE_S = 0.1
"""A reply without audio is so much silence: players that get nothing never report that they are done."""

_SAMPLE_BYTES = 2


class PostedReply:
    """One reply that is fetched by its URL. Push its audio as it is made."""

    def __init__(self, token: str, kind: str, rate_hz: int, to_hz: int | None, channels: int) -> None:
        self.token = token
        self.path = ROUTE.format(name=f"{token}.{kind}")
        self.rate_hz = rate_hz
        self.to_hz = to_hz
        self.channels = channels
        self.size_bytes = 0
        self.fetched_at: float | None = None
        """When a speaker first asked for it, in monotonic seconds."""
        self.readers = 0
        self.ended = False
        self._cut = False
        self._pieces: list[bytes] = []
        self._news = asyncio.Event()

    def push(self, pcm16: bytes) -> None:
        """The next piece: mono PCM16 at the rate it was opened with. What is too much is dropped."""
        if self.ended or self.size_bytes + len(pcm16) > MAX_REPLY_BYTES:
            return
        self.size_bytes += len(pcm16)
        self._pieces.append(pcm16)
        self._tell()

    def end(self) -> None:
        """That was all."""
        if not self.ended and not self.size_bytes:
            self.push(bytes(int(SILENCE_S * self.rate_hz) * _SAMPLE_BYTES))
        self.ended = True
        self._tell()

    def cut(self) -> None:
        """Nobody wants the rest: send no more of it."""
        self.ended = self._cut = True
        self._tell()

    def _tell(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def audio(self) -> AsyncIterator[bytes]:
        """All of it from the start, joined as far as it is there, until the end."""
        sent = 0
        while not self._cut:
            news = self._news
            fresh = self._pieces[sent:]
            sent += len(fresh)
            if fresh:
                yield b"".join(fresh)
            elif self.ended:
                return
            else:
                await news.wait()


class Replies:
    """Every reply that can be fetched now."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._replies: dict[str, tuple[float, PostedReply]] = {}

    def open(self, rate_hz: int, *, kind: str = "mp3", to_hz: int | None = None, channels: int = 1) -> PostedReply:
        """A new reply whose audio is pushed at `rate_hz`; `kind`, `to_hz` and `channels` are the listener's."""
        self._tidy()
        token = secrets.token_urlsafe(TOKEN_BYTES)
        reply = PostedReply(token, kind if kind in STREAMED else "mp3", rate_hz, to_hz, channels)
        self._replies[token] = (self._now() + OPEN_S, reply)
        return reply

    def doors(self) -> tuple[Door, ...]:
        """The routes under which replies are fetched."""
        return (Door(hdrs.METH_GET, ROUTE, self.fetch), Door(hdrs.METH_HEAD, ROUTE, self.fetch))

    async def fetch(self, request: web.Request) -> web.StreamResponse:
        """Send a reply from its start while it is being made. A range is answered with the whole, as HTTP allows."""
        token, _, kind = request.match_info["name"].partition(".")
        reply = self._find(token)
        if reply is None or kind not in STREAMED:
            raise Fault(404, "not_found", "There is no such reply, or it is too old.")
        if reply.readers >= MAX_READERS:
            raise Fault(429, "overloaded", "This reply is being fetched already.")
        reply.readers += 1
        try:
            return await self._answer(request, reply, kind)
        finally:
            reply.readers -= 1

    async def _answer(self, request: web.Request, reply: PostedReply, kind: str) -> web.StreamResponse:
        response = web.StreamResponse(headers=_headers(kind))
        if request.version >= HttpVersion11:
            response.enable_chunked_encoding()
        else:
            response.force_close()
        await response.prepare(request)
        if request.method != hdrs.METH_HEAD:
            reply.fetched_at = reply.fetched_at or self._now()
            await _send_file(request, response, reply, kind)
        await response.write_eof()
        return response

    def _find(self, token: str) -> PostedReply | None:
        self._tidy()
        until_and_reply = self._replies.get(token)
        return until_and_reply[1] if until_and_reply is not None else None

    def _tidy(self) -> None:
        """Forget what is over, and the oldest where there is too much."""
        now = self._now()
        for token, (until, reply) in list(self._replies.items()):
            if until <= now:
                reply.cut()
                del self._replies[token]
            elif reply.ended and until > now + KEPT_S:
                self._replies[token] = (now + KEPT_S, reply)
        kept_bytes = sum(reply.size_bytes for _, reply in self._replies.values())
        while len(self._replies) >= MAX_REPLIES or kept_bytes > MAX_KEPT_BYTES:
            _, oldest = self._replies.pop(next(iter(self._replies)))
            kept_bytes -= oldest.size_bytes
            oldest.cut()


async def _send_file(request: web.Request, response: web.StreamResponse, reply: PostedReply, kind: str) -> None:
    encoder = await asyncio.to_thread(FileEncoder, kind, reply.rate_hz, to_hz=reply.to_hz, channels=reply.channels)
    try:
        async with aclosing(reply.audio()) as audio:  # type: ignore[type-var]
            async for pcm16 in audio:
                if data := await asyncio.to_thread(encoder.push, pcm16):
                    await send(request, response, data)
        await send(request, response, await asyncio.to_thread(encoder.finish))
    finally:
        encoder.close()


def _headers(kind: str) -> dict[str, str]:
    return {
        hdrs.CONTENT_TYPE: STREAMED[kind][2],
        hdrs.CACHE_CONTROL: "no-store",
        hdrs.ACCEPT_RANGES: "none",
        "X-Content-Type-Options": "nosniff",
    }
