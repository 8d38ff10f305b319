"""Answers that are sent while they are made, to clients that may stop taking them."""

from __future__ import annotations

import asyncio

from aiohttp import web

from entendre.web.services import SERVICES


async def send(request: web.Request, response: web.StreamResponse, data: bytes) -> None:
    """Send a piece; a client that takes nothing for the time allowed is cut off. Raises: ConnectionResetError."""
    try:
        async with asyncio.timeout(request.app[SERVICES].limits.send_s):
            await response.write(data)
    except TimeoutError:
        if request.transport is not None:
            request.transport.abort()
        raise ConnectionResetError("the client takes nothing") from None


class EventStream:
    """Server-sent events. Source: WHATWG HTML, section 9.2."""

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response

    @classmethod
    async def open(cls, request: web.Request) -> EventStream:
        """Answer with a stream of events."""
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store"})
        await response.prepare(request)
        return cls(request, response)

    async def send(self, data: str) -> None:
        """One event; its data has no line break."""
        await send(self._request, self._response, b"data: " + data.encode() + b"\n\n")

    async def close(self) -> web.StreamResponse:
        """The end."""
        await self._response.write_eof()
        return self._response
