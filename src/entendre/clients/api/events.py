"""Server-sent events: parsed from bytes, bounded, and followed across broken connections without a gap."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace

import aiohttp

from entendre.clients.api.errors import BadAnswerError, NotReachedError, error_of
from entendre.clients.api.retrying import Retries, worth_repeating
from entendre.clients.api.transport import MAX_REFUSAL_BYTES, Request, Transport, bounded, seconds_of

MAX_EVENT_BYTES = 1024 * 1024
SILENCE_S = 60.0
"""A stream that says nothing for this long, no comment either, is taken for lost."""


@dataclass(frozen=True, slots=True)
class SentEvent:
    """One event. `id`: where to go on after it."""

    name: str
    data: str
    id: str


class EventParser:
    """Bytes to events. Source: HTML, section 9.2.6."""

    def __init__(self, last_id: str = "") -> None:
        self.last_id = last_id
        self.retry_s: float | None = None
        self._rest = bytearray()
        self._size = 0
        self._name = ""
        self._data: list[str] = []

    def reconnected(self) -> None:
        """Forget what a broken connection left half said."""
        self._rest.clear()
        self._name, self._data, self._size = "", [], 0

    def feed(self, piece: bytes) -> Iterator[SentEvent]:
        """The events that are complete now. Raises: BadAnswerError."""
        self._rest += piece
        while (end := self._rest.find(b"\n")) >= 0:
            line = self._rest[:end].rstrip(b"\r").decode("utf-8", "replace")
            del self._rest[: end + 1]
            event = self._line(line)
            if event is not None:
                yield event
        self._bound(len(self._rest))

    def _line(self, line: str) -> SentEvent | None:
        if not line:
            return self._finished()
        self._bound(len(line))
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        match name:
            case "data":
                self._data.append(value)
                self._size += len(line)
            case "event":
                self._name = value
            case "id" if "\0" not in value:
                self.last_id = value
            case "retry" if value.isdecimal():
                self.retry_s = int(value[:9]) / 1000
        return None

    def _finished(self) -> SentEvent | None:
        event = SentEvent(self._name or "message", "\n".join(self._data), self.last_id) if self._data else None
        self._name, self._data, self._size = "", [], 0
        return event

    def _bound(self, more: int) -> None:
        if self._size + more > MAX_EVENT_BYTES:
            raise BadAnswerError(f"An event is longer than {MAX_EVENT_BYTES} bytes.")


async def follow(transport: Transport, request: Request, last_id: str = "") -> AsyncIterator[SentEvent]:
    """Events for as long as the caller likes; after a broken connection from where it was. Raises: ApiError."""
    parser, failures = EventParser(last_id), 0
    retries = transport.retries
    while True:
        try:
            async for event in _connected(transport, request, parser):
                failures = 0
                yield event
            pause_s: float | None = parser.retry_s or retries.first_s
        except NotReachedError:
            failures += 1
            pause_s = Retries(attempts=failures + 1).pause_s(failures, parser.retry_s)
        await asyncio.sleep(pause_s or retries.first_s)


async def _connected(transport: Transport, request: Request, parser: EventParser) -> AsyncIterator[SentEvent]:
    headers = {**request.headers, "Accept": "text/event-stream"}
    if parser.last_id:
        headers["Last-Event-ID"] = parser.last_id
    timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
    async with transport.opened(replace(request, headers=headers), timeout) as answer:
        if answer.status >= 400:
            refusal = error_of(
                answer.status,
                await bounded(answer, MAX_REFUSAL_BYTES),
                seconds_of(answer.headers.get("Retry-After")),
            )
            if worth_repeating(refusal):
                await asyncio.sleep(refusal.retry_after_s or 0.0)
                raise NotReachedError(refusal.public_message)
            raise refusal
        parser.reconnected()
        async for piece in answer.content.iter_any():
            for event in parser.feed(piece):
                yield event
