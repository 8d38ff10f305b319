"""Telemetry: what devices send, and what a brand's staff read of it."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from entendre.fleet import telemetry as rules
from entendre.fleet.access import Permission
from entendre.ports import telemetry as ports
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed
from entendre.web.faults import Fault

TAG = "telemetry"
MAX_TIME_S = 1e11
BODY_BYTES = rules.MAX_BATCH_BYTES + 128 * 1024

Time = Annotated[float, Meta(ge=0, le=MAX_TIME_S)]


class TelemetryRow(Struct):
    """A message. `at_s` is when the device says it made it, `received_at_s` when it came."""

    id: str
    device: str
    at_s: float
    received_at_s: float
    body: Any


class TelemetryQuery(PageQuery, forbid_unknown_fields=True):
    """Which rows, oldest first: from a time, and before another."""

    from_s: Time = 0.0
    to_s: Time = MAX_TIME_S


class NewestTelemetryQuery(Struct, forbid_unknown_fields=True):
    """How many rows."""

    limit: Annotated[int, Meta(ge=1, le=200)] = 50


class TelemetryRows(Struct):
    """The rows that came last, newest first."""

    data: tuple[TelemetryRow, ...]


class TelemetryMessage(Struct, forbid_unknown_fields=True):
    """A message. `id` makes it the same message when it is sent again; `at_s` is when it was made."""

    body: Any
    id: Annotated[str, Meta(min_length=1, max_length=rules.MAX_ID_CHARS)] | None = None
    at_s: Time | None = None


class TelemetryBatch(Struct, forbid_unknown_fields=True):
    """Messages of a device."""

    messages: Annotated[tuple[TelemetryMessage, ...], Meta(min_length=1, max_length=rules.MAX_MESSAGES)]


class TelemetryKept(Struct):
    """How many messages are kept."""

    kept: int


async def _of_device(call: Call) -> Reply:
    service, query = needed(call.services.telemetry), call.query
    after = after_of(query.after, float, str)
    if query.from_s > query.to_s:
        raise Fault(400, "invalid_input", "from_s is before to_s.", "from_s")
    rows = await service.of_device(
        call.path["brand"],
        call.path["device"],
        from_s=query.from_s,
        to_s=query.to_s,
        after=(after[0], after[1]) if after is not None else None,
        limit=query.limit + 1,
    )
    return Reply(page_of(rows, query.limit, _shown, lambda each: (each.at_s, each.id)))


async def _newest(call: Call) -> Reply:
    service = needed(call.services.telemetry)
    rows = await service.newest(call.path["brand"], limit=call.query.limit)
    return Reply(TelemetryRows(tuple(_shown(each) for each in rows)))


async def _take(call: Call) -> Reply:
    service, who = needed(call.services.telemetry), call.principal
    messages = [ports.TelemetryMessage(each.body, each.id, each.at_s) for each in call.body.messages]
    return Reply(TelemetryKept(await service.take(who.brand or "", who.id, messages)))


def _shown(row: ports.TelemetryRow) -> TelemetryRow:
    return TelemetryRow(row.id, row.device, row.at_s, row.received_at_s, msgspec.Raw(row.body.encode()))


OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="GET",
        path="/brands/{brand}/devices/{device}/telemetry",
        name="list_telemetry",
        summary="What a device sent within a time, oldest first.",
        tag=TAG,
        permission=Permission.BRAND_TELEMETRY,
        handler=_of_device,
        query=TelemetryQuery,
        reply=Page[TelemetryRow],
    ),
    Operation(
        method="GET",
        path="/brands/{brand}/telemetry",
        name="newest_telemetry",
        summary="What a brand's devices sent last.",
        tag=TAG,
        permission=Permission.BRAND_TELEMETRY,
        handler=_newest,
        query=NewestTelemetryQuery,
        reply=TelemetryRows,
    ),
    Operation(
        method="POST",
        path="/device/telemetry",
        name="send_telemetry",
        summary="A device sends messages: kept before this is answered, each once by its id.",
        tag=TAG,
        permission=Permission.DEVICE_SELF,
        handler=_take,
        body=TelemetryBatch,
        reply=TelemetryKept,
        max_body_bytes=BODY_BYTES,
    ),
)
