"""What the groups of operations share: one way to ask, one way to read a list to its end."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Any, TypeVar

import msgspec

from entendre.clients.api.paging import Page, every
from entendre.clients.api.transport import Answer, Route, Transport, request_of

T = TypeVar("T")
ANSWER_S = 30.0
"""How long a server waits for a device that it is not told how long to wait for."""


class Group:
    """Operations of one kind of thing."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport

    async def _answer(
        self,
        route: Route,
        reply: type[T] | None,
        path: Mapping[str, str],
        *,
        query: Mapping[str, object] | None = None,
        body: object = msgspec.UNSET,
        if_match: str | int | None = None,
        idempotency_key: str | None = None,
    ) -> Answer[T]:
        request = request_of(route, path, query=query, body=body, if_match=if_match, idempotency_key=idempotency_key)
        return await self._transport.ask(request, reply, self._transport.timeout_s + waits_s(query, body))

    async def _ask(self, route: Route, reply: type[T], path: Mapping[str, str], **given: Any) -> T:
        return (await self._answer(route, reply, path, **given)).value

    async def _do(self, route: Route, path: Mapping[str, str], **given: Any) -> None:
        await self._answer(route, None, path, **given)

    def _every(
        self, route: Route, page: type[Page[T]], path: Mapping[str, str], query: Mapping[str, object]
    ) -> AsyncIterator[T]:
        async def one(after: str | None) -> Page[T]:
            answer: Answer[Page[T]] = await self._answer(route, page, path, query={**query, "after": after})
            return answer.value

        after = query.get("after")
        return every(one, after if isinstance(after, str) else None)


def waits_s(query: Mapping[str, object] | None, body: object) -> float:
    """How long the server itself waits before it answers: for a device, or for something to come."""
    given = body if isinstance(body, Mapping) else {}
    if "timeout_s" in given:
        wait = given["timeout_s"]
        return float(wait) if isinstance(wait, int | float) else ANSWER_S
    wait = (query or {}).get("wait_s")
    return float(wait) if isinstance(wait, int | float) else 0.0
