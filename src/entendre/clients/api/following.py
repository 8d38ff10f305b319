"""The change feed as it goes on: each change once and in order, across broken connections."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable
from typing import Any

import msgspec

from entendre.clients.api.errors import BadAnswerError
from entendre.clients.api.events import follow
from entendre.clients.api.transport import Route, Transport, request_of

BRAND = Route("list_brand_changes", "GET", "/brands/{brand}/changes")
HOUSEHOLD = Route("list_household_changes", "GET", "/households/{household}/changes")


class Changed(msgspec.Struct, frozen=True):
    """What changed. `seq` only rises: it is where to go on; `data` depends on the topic."""

    seq: int
    topic: str
    subject: str
    change: str
    household: str | None = None
    version: int | None = None
    at_s: float = 0.0
    data: Any = None


class Gap(msgspec.Struct, frozen=True):
    """Older changes than those that follow are kept no more: read everything again."""


class Following:
    """Streams of changes."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    def brand(self, brand: str, *, after: int = 0, topics: Iterable[str] = ()) -> AsyncIterator[Changed | Gap]:
        """What changes in a brand from a place on, for as long as it is asked. Raises: ApiError."""
        return self._follow(BRAND, {"brand": brand}, after, topics)

    def household(self, household: str, *, after: int = 0, topics: Iterable[str] = ()) -> AsyncIterator[Changed | Gap]:
        """What changes in a household from a place on, for as long as it is asked. Raises: ApiError."""
        return self._follow(HOUSEHOLD, {"household": household}, after, topics)

    async def _follow(
        self, route: Route, path: dict[str, str], after: int, topics: Iterable[str]
    ) -> AsyncIterator[Changed | Gap]:
        named = ",".join(topics)
        request = request_of(route, path, query={"topics": named or None})
        async for event in follow(self._transport, request, str(after)):
            if event.name == "gap":
                yield Gap()
                continue
            try:
                yield msgspec.json.decode(event.data, type=Changed)
            except msgspec.DecodeError as error:
                raise BadAnswerError("A change can't be read.", detail=str(error)) from error
