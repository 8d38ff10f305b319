"""HTTP as a fleet sends it: from several addresses, over connections that stay open, bounded, and patiently."""

from __future__ import annotations

import asyncio
import itertools
import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

import aiohttp
import msgspec

from entendre.core.errors import EntendreError

ADDRESSES = 16
"""Loopback addresses that devices come from, so that limits of one address hold for a part of the fleet only."""
CONNECTIONS = 96
PATIENCE_S = 90.0
"""How long one request is sent again: a server that was killed takes a while to be back."""
TIMEOUT_S = 60.0
LONGEST_WAIT_S = 5.0


class UnexpectedAnswerError(EntendreError):
    """The server answered what the simulation does not expect."""

    code = "unexpected_answer"


class Requests:
    """A client for the whole fleet. `sent` and `again` count requests, and those that were sent again."""

    def __init__(self, url: str, token: str | None = None) -> None:
        self._root = f"{url.rstrip('/')}/api/v1"
        self._server = url.rstrip("/")
        self._token = token
        self._limit = asyncio.Semaphore(CONNECTIONS)
        self._sessions: list[aiohttp.ClientSession] = []
        self._turn = itertools.count()
        self.sent = 0
        self.again = 0

    async def __aenter__(self) -> Requests:
        local = sys.platform.startswith("linux") and self._server.startswith(("http://127.", "http://localhost"))
        for number in range(ADDRESSES if local else 1):
            address = (f"127.20.0.{number + 1}", 0) if local else None
            connector = aiohttp.TCPConnector(limit=0, local_addr=address)
            timeout = aiohttp.ClientTimeout(total=TIMEOUT_S)
            self._sessions.append(aiohttp.ClientSession(connector=connector, timeout=timeout))
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in self._sessions:
            await session.close()

    async def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str | None = None,
        query: Mapping[str, str] | None = None,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        expect: tuple[int, ...] = (200, 201, 204),
    ) -> Any:
        """The decoded answer of one operation. Raises: UnexpectedAnswerError."""
        sent = {"Content-Type": "application/json", **(headers or {})} if data is None else dict(headers or {})
        credential = token or self._token
        if credential:
            sent["Authorization"] = f"Bearer {credential}"
        content = data if data is not None else None if body is None else msgspec.json.encode(body)
        if content is None:
            sent.pop("Content-Type", None)
        status, answer = await self._patiently(method, self._root + path, content, sent, query)
        if status not in expect:
            raise UnexpectedAnswerError(f"{method} {path} was answered with {status}.", detail=answer[:500].decode())
        return msgspec.json.decode(answer) if answer else None

    async def fetch(self, url: str, start: int = 0, stop_after: int | None = None) -> bytes:
        """A file from a byte on, or its beginning only if the connection is cut after so many bytes."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        address = url if url.startswith("http") else self._server + url
        async with self._limit, self._session().get(address, headers=headers) as answer:
            self.sent += 1
            if answer.status != (206 if start else 200):
                raise UnexpectedAnswerError(f"A download was answered with {answer.status}.")
            if stop_after is None:
                return await answer.read()
            piece = await answer.content.readexactly(stop_after)
            answer.close()
            return piece

    async def _patiently(
        self, method: str, url: str, content: bytes | None, headers: dict[str, str], query: Mapping[str, str] | None
    ) -> tuple[int, bytes]:
        """Send again what the server was too busy for, or what a connection that broke lost."""
        until_s = time.monotonic() + PATIENCE_S
        for attempt in itertools.count():
            is_last = time.monotonic() > until_s
            wait_s = min(LONGEST_WAIT_S, 0.1 * 2 ** min(attempt, 8))
            try:
                async with (
                    self._limit,
                    self._session().request(method, url, data=content, headers=headers, params=query) as answer,
                ):
                    self.sent += 1
                    body = await answer.read()
                    if answer.status not in (429, 503) or is_last:
                        return answer.status, body
                    wait_s = min(LONGEST_WAIT_S, float(answer.headers.get("Retry-After", wait_s)))
            except (aiohttp.ClientConnectionError, TimeoutError) as error:
                if is_last:
                    raise UnexpectedAnswerError("The server can't be reached.", detail=str(error)) from error
            self.again += 1
            await asyncio.sleep(wait_s)
        raise AssertionError("unreachable")

    def _session(self) -> aiohttp.ClientSession:
        return self._sessions[next(self._turn) % len(self._sessions)]
