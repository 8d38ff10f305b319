"""The change feed over HTTP: a page of it as JSON, or everything from a place on as server-sent events."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from typing import Annotated, Any, cast

import msgspec
from aiohttp import hdrs, web
from msgspec import Meta, Struct

from entendre.fleet.access import Permission
from entendre.ports.changes import ChangeFeed, FeedChange, Interest
from entendre.web.api.authorise import permitted_path, principal_of
from entendre.web.api.call import Call, Reply
from entendre.web.api.dispatch import encoded
from entendre.web.api.operation import Operation
from entendre.web.api.services import needed
from entendre.web.faults import Fault

TAG = "changes"
EVENTS = "text/event-stream"
LAST_EVENT_ID = "Last-Event-ID"
MAX_SEQ = (1 << 53) - 1
MAX_STREAMS = 100
"""Streams that one key, person or address may hold open."""
CHECK_EVERY_S = 5.0
"""How often it is looked at whether a reader may still read."""
SEND_S = 20.0
"""Longest time that a reader may take nothing."""
RETRY_MS = 2_000
"""When a reader whose stream broke should come again."""


class ChangeQuery(Struct, forbid_unknown_fields=True):
    """Which changes: after a position, of topics that are separated by commas."""

    after: Annotated[int, Meta(ge=0, le=MAX_SEQ)] = 0
    limit: Annotated[int, Meta(ge=1, le=200)] = 50
    topics: Annotated[str, Meta(max_length=500)] = ""


class Change(Struct):
    """What changed. `seq` only rises; `data` depends on the topic."""

    seq: int
    topic: str
    subject: str
    change: str
    household: str | None
    version: int | None
    at_s: float
    data: Any


class ChangePage(Struct):
    """Changes in order. `next_seq` is where to read on; `gap`: older ones than the first are kept no more."""

    data: tuple[Change, ...]
    next_seq: int
    more: bool
    gap: bool


async def _of_brand(call: Call) -> Reply | web.StreamResponse:
    interest = Interest(brand=call.path["brand"], topics=_topics(call), fleet_only=True)
    return await _read(call, interest, Permission.BRAND_DEVICES_READ)


async def _of_household(call: Call) -> Reply | web.StreamResponse:
    interest = Interest(household=call.path["household"], topics=_topics(call))
    return await _read(call, interest, Permission.HOUSEHOLD_READ)


async def _read(call: Call, interest: Interest, permission: Permission) -> Reply | web.StreamResponse:
    feed = needed(call.services.changes)
    after = _after(call)
    if EVENTS in call.request.headers.get(hdrs.ACCEPT, "") and call.request.method == hdrs.METH_GET:
        return await _stream(call, feed, interest, after, permission)
    page = await feed.after(after, interest, call.query.limit)
    gap = await _has_gap(feed, after)
    return Reply(ChangePage(tuple(_shown(each) for each in page.changes), page.next_seq, page.more, gap))


async def _stream(
    call: Call, feed: ChangeFeed, interest: Interest, after: int, permission: Permission
) -> web.StreamResponse:
    """Send everything from a place on, until the reader goes, is too slow, or may read no more."""
    streams, reader = call.services.streams, call.principal.actor
    if streams[reader] >= MAX_STREAMS:
        raise Fault(429, "throttled", f"{MAX_STREAMS} streams are open.", headers={"Retry-After": "30"})
    streams[reader] += 1
    task = cast("asyncio.Task[object]", asyncio.current_task())
    call.services.endless.add(task)
    try:
        response = web.StreamResponse(headers={"Content-Type": EVENTS, "Cache-Control": "no-store"})
        await response.prepare(call.request)
        gap = "event: gap\ndata: {}\n" if await _has_gap(feed, after) else ""
        await _send(call, response, f"retry: {RETRY_MS}\n{gap}\n")
        await _send_all(call, feed, interest, after, permission, response)
        await response.write_eof()
        return response
    finally:
        call.services.endless.discard(task)
        streams[reader] -= 1
        if not streams[reader]:
            del streams[reader]


async def _send_all(
    call: Call, feed: ChangeFeed, interest: Interest, after: int, permission: Permission, response: web.StreamResponse
) -> None:
    checked_at_s = time.monotonic()
    async with aclosing(cast(Any, feed.follow(interest, after))) as following:
        async for heard in following:
            if time.monotonic() - checked_at_s >= CHECK_EVERY_S:
                if not await _may_read(call, permission):
                    return
                checked_at_s = time.monotonic()
            events = "".join(_event(each) for each in heard.changes) or ":\n\n"
            await _send(call, response, events)


async def _send(call: Call, response: web.StreamResponse, events: str) -> None:
    """Send a piece; a reader that takes nothing for long is cut off, and knows where. Raises: ConnectionResetError."""
    try:
        async with asyncio.timeout(SEND_S):
            await response.write(events.encode())
    except TimeoutError:
        if call.request.transport is not None:
            call.request.transport.abort()
        raise ConnectionResetError("the reader takes nothing") from None


async def _may_read(call: Call, permission: Permission) -> bool:
    """Whether the reader's key still holds, and its role."""
    try:
        who = await principal_of(call.request, call.services)
        await permitted_path(who, permission, dict(call.path), call.services)
    except Fault:
        return False
    return who.actor == call.principal.actor


async def _has_gap(feed: ChangeFeed, after: int) -> bool:
    """Whether changes after this position were forgotten. From the beginning there are none that anybody missed."""
    return after > 0 and after + 1 < await feed.first()


def _after(call: Call) -> int:
    """Where to read on: what a stream that broke had last, or the query says."""
    last = call.request.headers.get(LAST_EVENT_ID)
    if last is None:
        return int(call.query.after)
    if not last.isascii() or not last.isdecimal() or len(last) > 15:
        raise Fault(400, "invalid_input", "Last-Event-ID is the id of an event that was sent before.", LAST_EVENT_ID)
    return int(last)


def _topics(call: Call) -> tuple[str, ...]:
    return tuple(each.strip() for each in call.query.topics.split(",") if each.strip())


def _event(change: FeedChange) -> str:
    return f"id: {change.seq}\nevent: {change.topic}\ndata: {encoded(_shown(change))}\n\n"


def _shown(change: FeedChange) -> Change:
    return Change(
        seq=change.seq,
        topic=change.topic,
        subject=change.subject,
        change=change.change,
        household=change.household,
        version=change.version,
        at_s=change.at_s,
        data=None if change.data is None else msgspec.Raw(change.data.encode()),
    )


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/brands/{brand}/changes",
        name="read_brand_changes",
        summary="What changed in a brand; as a stream with Accept: text/event-stream.",
        tag=TAG,
        permission=Permission.BRAND_DEVICES_READ,
        handler=_of_brand,
        query=ChangeQuery,
        reply=ChangePage,
    ),
    Operation(
        method="GET",
        path="/households/{household}/changes",
        name="read_household_changes",
        summary="What changed in a household; as a stream with Accept: text/event-stream.",
        tag=TAG,
        permission=Permission.HOUSEHOLD_READ,
        handler=_of_household,
        query=ChangeQuery,
        reply=ChangePage,
    ),
)
