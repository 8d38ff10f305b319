"""Commands: to one device at once or queued, to many by a query; and what devices themselves do with theirs."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any, Literal, cast

import msgspec
from msgspec import Meta, Struct

from entendre.fleet import commands as rules
from entendre.fleet.access import Permission
from entendre.ports import commands as ports
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed
from entendre.web.faults import Fault

TAG = "commands"
MAX_WAIT_S = 60.0
BODY_BYTES = rules.MAX_PAYLOAD_BYTES * 2
_ONE = "/brands/{brand}/devices/{device}"
_JOBS = "/brands/{brand}/command-jobs"

Name = Annotated[str, Meta(min_length=1, max_length=rules.MAX_NAME_CHARS, description="What the device is to do.")]
Ttl = Annotated[float, Meta(ge=1, le=rules.MAX_TTL_S, description="How long it may wait, seconds; 3600 by default.")]
Timeout = Annotated[float, Meta(ge=rules.MIN_TIMEOUT_S, le=rules.MAX_TIMEOUT_S, description="Seconds; 30 by default.")]
State = Literal["queued", "delivered", "done", "failed", "expired", "cancelled"]


class Command(Struct):
    """A command. `status` is what the device answered, as of HTTP; `result` is the rest of its answer."""

    id: str
    device: str
    name: str
    payload: Any
    mode: Literal["direct", "queued"]
    state: State
    created_at_s: float
    created_by: str
    expires_at_s: float
    delivered_at_s: float | None
    deliveries: int
    finished_at_s: float | None
    status: int | None
    result: Any
    job: str | None


class NewCommand(Struct, forbid_unknown_fields=True):
    """A command to queue."""

    name: Name
    payload: Any = None
    ttl_s: Ttl | None = None


class DirectCommand(Struct, forbid_unknown_fields=True):
    """A command to carry out now."""

    name: Name
    payload: Any = None
    timeout_s: Timeout | None = None


class CommandQuery(PageQuery, forbid_unknown_fields=True):
    """Which commands, newest first."""

    state: State | None = None


class NewCommandJob(Struct, forbid_unknown_fields=True):
    """A command for every device that a query finds; an empty query finds all."""

    name: Name
    query: Annotated[str, Meta(max_length=1_000)] = ""
    payload: Any = None
    ttl_s: Ttl | None = None


class CommandJob(Struct):
    """A job. `queued` and `refused`: devices so far; `states`: its commands by state, of one job only."""

    id: str
    query: str
    name: str
    payload: Any
    ttl_s: float
    state: Literal["running", "queued", "cancelled", "failed"]
    queued: int
    refused: int
    states: dict[str, int]
    created_at_s: float
    created_by: str
    finished_at_s: float | None


class WaitingQuery(Struct, forbid_unknown_fields=True):
    """How long to wait for a command. `again`: also what was handed out within the last minute, as after a restart."""

    wait_s: Annotated[float, Meta(ge=0, le=MAX_WAIT_S)] = 0.0
    again: bool = False


class WaitingCommand(Struct):
    """A command as its device gets it. Its `id` makes it the same command when it comes again."""

    id: str
    name: str
    payload: Any
    expires_at_s: float
    delivery: int


class WaitingCommands(Struct):
    """What waits for a device, oldest first."""

    data: tuple[WaitingCommand, ...]


class CommandAnswer(Struct, forbid_unknown_fields=True):
    """What a device did: 200 to 299 is done, anything else failed."""

    status: Annotated[int, Meta(ge=100, le=599)] = rules.STATUS_OK
    result: Any = None


class CommandAnswered(Struct):
    """How the command stands: the first answer counts, and none after it expired or was cancelled."""

    id: str
    state: State


async def _call(call: Call) -> Reply:
    desk, body = needed(call.services.commands), call.body
    record = await desk.direct(
        call.path["brand"],
        call.path["device"],
        body.name,
        body.payload,
        timeout_s=body.timeout_s,
        key=call.idempotency_key,
        by=call.principal.actor,
    )
    return Reply(shown(record))


async def _queue(call: Call) -> Reply:
    desk, body = needed(call.services.commands), call.body
    record = await desk.queue(
        call.path["brand"],
        call.path["device"],
        body.name,
        body.payload,
        ttl_s=body.ttl_s,
        key=call.idempotency_key,
        by=call.principal.actor,
    )
    return Reply(shown(record))


async def _list(call: Call) -> Reply:
    desk, query = needed(call.services.commands), call.query
    after = after_of(query.after, str)
    rows = await desk.commands(
        call.path["brand"],
        call.path["device"],
        state=query.state,
        after=after[0] if after is not None else None,
        limit=query.limit + 1,
    )
    return Reply(page_of(rows, query.limit, shown, lambda each: each.id))


async def _get(call: Call) -> Reply:
    desk = needed(call.services.commands)
    return Reply(shown(await desk.get(call.path["brand"], call.path["device"], call.path["command"])))


async def _cancel(call: Call) -> Reply:
    desk, path = needed(call.services.commands), call.path
    record = await desk.cancel(path["brand"], path["device"], path["command"], by=call.principal.actor)
    return Reply(shown(record))


async def _start_job(call: Call) -> Reply:
    desk, body = needed(call.services.command_jobs), call.body
    job = await desk.start_job(
        call.path["brand"], body.query, body.name, body.payload, ttl_s=body.ttl_s, by=call.principal.actor
    )
    return Reply(shown_job(job))


async def _jobs(call: Call) -> Reply:
    desk, query = needed(call.services.command_jobs), call.query
    after = after_of(query.after, str)
    rows = await desk.jobs(call.path["brand"], after=after[0] if after is not None else None, limit=query.limit + 1)
    return Reply(page_of(rows, query.limit, shown_job, lambda each: each.id))


async def _job(call: Call) -> Reply:
    desk = needed(call.services.command_jobs)
    return Reply(shown_job(await desk.job(call.path["brand"], call.path["job"])))


async def _cancel_job(call: Call) -> Reply:
    desk = needed(call.services.command_jobs)
    return Reply(shown_job(await desk.cancel_job(call.path["brand"], call.path["job"], by=call.principal.actor)))


async def _waiting(call: Call) -> Reply:
    inbox, query = needed(call.services.inbox), call.query
    task = cast("asyncio.Task[object]", asyncio.current_task())
    call.services.endless.add(task)
    try:
        records = await inbox.waiting(call.principal.id, wait_s=query.wait_s, again=query.again)
    finally:
        call.services.endless.discard(task)
    return Reply(WaitingCommands(tuple(_as_waiting(each) for each in records)))


async def _answer(call: Call) -> Reply:
    inbox, body = needed(call.services.inbox), call.body
    answer = ports.CommandAnswer(body.status, body.result)
    record = await inbox.answered(call.principal.id, call.path["command"], answer)
    if record is None:
        raise Fault(404, "not_found", "There is no such command.")
    return Reply(CommandAnswered(record.id, record.state))


def shown(record: ports.CommandRecord) -> Command:
    """A command as it is shown."""
    return Command(
        id=record.id,
        device=record.device,
        name=record.name,
        payload=msgspec.Raw(record.payload.encode()),
        mode=record.mode,
        state=record.state,
        created_at_s=record.created_at_s,
        created_by=record.created_by,
        expires_at_s=record.expires_at_s,
        delivered_at_s=record.delivered_at_s,
        deliveries=record.deliveries,
        finished_at_s=record.finished_at_s,
        status=record.status,
        result=None if record.result is None else msgspec.Raw(record.result.encode()),
        job=record.job,
    )


def shown_job(job: ports.CommandJob) -> CommandJob:
    """A job as it is shown."""
    return CommandJob(
        id=job.id,
        query=job.query,
        name=job.name,
        payload=msgspec.Raw(job.payload.encode()),
        ttl_s=job.ttl_s,
        state=job.state,
        queued=job.queued,
        refused=job.refused,
        states=dict(job.states),
        created_at_s=job.created_at_s,
        created_by=job.created_by,
        finished_at_s=job.finished_at_s,
    )


def _as_waiting(record: ports.CommandRecord) -> WaitingCommand:
    payload = msgspec.Raw(record.payload.encode())
    return WaitingCommand(record.id, record.name, payload, record.expires_at_s, record.deliveries)


_STAFF, _VIEW, _SELF = Permission.BRAND_COMMANDS, Permission.BRAND_DEVICES_READ, Permission.DEVICE_SELF
OPERATIONS: tuple[Operation, ...] = (
    Operation(
        method="POST",
        path=f"{_ONE}/call",
        name="call_device",
        summary="Have a connected device do something now, and wait for its answer.",
        tag=TAG,
        permission=_STAFF,
        handler=_call,
        body=DirectCommand,
        reply=Command,
        idempotent=True,
        errors=("offline", "no_answer", "conflict"),
        max_body_bytes=BODY_BYTES,
    ),
    Operation(
        method="POST",
        path=f"{_ONE}/commands",
        name="queue_command",
        summary="Have a device do something once it can.",
        tag=TAG,
        permission=_STAFF,
        handler=_queue,
        body=NewCommand,
        reply=Command,
        status=201,
        idempotent=True,
        max_body_bytes=BODY_BYTES,
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/commands",
        name="list_commands",
        summary="Commands of a device, newest first.",
        tag=TAG,
        permission=_VIEW,
        handler=_list,
        query=CommandQuery,
        reply=Page[Command],
    ),
    Operation(
        method="GET",
        path=f"{_ONE}/commands/{{command}}",
        name="get_command",
        summary="One command with its answer.",
        tag=TAG,
        permission=_VIEW,
        handler=_get,
        reply=Command,
    ),
    Operation(
        method="DELETE",
        path=f"{_ONE}/commands/{{command}}",
        name="cancel_command",
        summary="End a command that waits.",
        tag=TAG,
        permission=_STAFF,
        handler=_cancel,
        reply=Command,
        errors=("conflict",),
    ),
    Operation(
        method="POST",
        path=_JOBS,
        name="start_command_job",
        summary="Queue a command for every device that a query finds.",
        tag=TAG,
        permission=_STAFF,
        handler=_start_job,
        body=NewCommandJob,
        reply=CommandJob,
        status=201,
        idempotent=True,
        max_body_bytes=BODY_BYTES,
    ),
    Operation(
        method="GET",
        path=_JOBS,
        name="list_command_jobs",
        summary="Jobs, newest first.",
        tag=TAG,
        permission=_VIEW,
        handler=_jobs,
        query=PageQuery,
        reply=Page[CommandJob],
    ),
    Operation(
        method="GET",
        path=f"{_JOBS}/{{job}}",
        name="get_command_job",
        summary="One job with its progress.",
        tag=TAG,
        permission=_VIEW,
        handler=_job,
        reply=CommandJob,
    ),
    Operation(
        method="DELETE",
        path=f"{_JOBS}/{{job}}",
        name="cancel_command_job",
        summary="Stop a job; commands that devices have already are left to them.",
        tag=TAG,
        permission=_STAFF,
        handler=_cancel_job,
        reply=CommandJob,
    ),
    Operation(
        method="GET",
        path="/device/commands",
        name="device_commands",
        summary="A device's own commands, oldest first; waits for one if asked to.",
        tag=TAG,
        permission=_SELF,
        handler=_waiting,
        query=WaitingQuery,
        reply=WaitingCommands,
    ),
    Operation(
        method="POST",
        path="/device/commands/{command}/answer",
        name="device_answer",
        summary="A device answers a command: kept before this is answered.",
        tag=TAG,
        permission=_SELF,
        handler=_answer,
        body=CommandAnswer,
        reply=CommandAnswered,
        max_body_bytes=BODY_BYTES,
    ),
)
