"""Rollouts of a brand, and what its devices ask and report."""

from __future__ import annotations

import zlib
from functools import partial
from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from entendre.cloud.offers import ASK_LATER_S, ASK_SOON_S, OfferedRelease, shown_offer
from entendre.fleet.access import Permission
from entendre.fleet.rollouts import MAX_QUERY_CHARS, Plan, RolloutState
from entendre.fleet.updates import MAX_DETAIL_CHARS, DeviceState
from entendre.fleet.versions import MAX_NUMBER_CHARS
from entendre.ports.rollouts import (
    GroupProgress,
    ReleaseReport,
    RolloutDevice,
    RolloutEvent,
    RolloutOperation,
    RolloutRecord,
    Said,
)
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

Id = Annotated[str, Meta(max_length=64)]


class RolloutBody(Struct, forbid_unknown_fields=True):
    """A rollout to be: of a published release, to the devices of its product that `query` finds."""

    release: Id
    plan: Plan = Plan()
    name: Annotated[str, Meta(max_length=128)] = ""
    query: Annotated[str, Meta(max_length=MAX_QUERY_CHARS)] = ""


class RolloutShown(Struct, frozen=True):
    """A rollout as it stands. `group`: the last group that was started, counted from 0; -1 for none."""

    id: str
    brand: str
    release: str
    number: str
    product: str
    name: str
    query: str
    plan: Plan
    state: RolloutState
    group: int
    reason: str | None
    groups: tuple[GroupProgress, ...]
    created_at_s: float
    created_by: str
    started_at_s: float | None
    finished_at_s: float | None
    version: int


class RolloutQuery(PageQuery, forbid_unknown_fields=True):
    """Which rollouts: of a release."""

    release: Id | None = None


class RolloutDeviceQuery(PageQuery, forbid_unknown_fields=True):
    """Which devices: in a state."""

    state: DeviceState | None = None


class AskQuery(Struct, forbid_unknown_fields=True):
    """`board`: the device's hardware, so that it is shown the files for it only."""

    board: Annotated[str, Meta(max_length=64)] = ""


class ReleaseAnswer(Struct, frozen=True):
    """What a device is to install now, null for nothing, and when to ask again: sooner if its group was started."""

    offer: OfferedRelease | None
    ask_again_s: float


class ReportBody(Struct, forbid_unknown_fields=True):
    """What a device says: the version that it runs, and how the update of an attempt goes."""

    running: Annotated[str, Meta(max_length=MAX_NUMBER_CHARS)] = ""
    rollout: Id = ""
    attempt: Annotated[int, Meta(ge=0, le=1_000_000)] = 0
    state: Said | None = None
    detail: Annotated[str, Meta(max_length=MAX_DETAIL_CHARS)] | None = None


async def _create(call: Call) -> Reply:
    body: RolloutBody = call.body
    made = await needed(call.services.rollouts).create(
        call.path["brand"],
        body.release,
        body.name,
        body.query,
        msgspec.json.encode(body.plan).decode(),
        by=call.principal.actor,
    )
    return _reply(made)


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.rollouts).rollouts(
        call.path["brand"], release=call.query.release, after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, _shown, lambda row: row.id))


async def _get(call: Call) -> Reply:
    return _reply(await needed(call.services.rollouts).rollout(call.path["brand"], call.path["rollout"]))


async def _operate(operation: RolloutOperation, call: Call) -> Reply:
    changed = await needed(call.services.rollouts).operate(
        call.path["brand"],
        call.path["rollout"],
        operation,
        by=call.principal.actor,
        version=_version_of(call.if_match),
    )
    return _reply(changed)


async def _devices(call: Call) -> Reply:
    after, state = after_of(call.query.after, str), call.query.state
    rows = await needed(call.services.rollouts).devices(
        call.path["brand"],
        call.path["rollout"],
        state=None if state is None else state.value,
        after=after[0] if after else "",
        limit=call.query.limit + 1,
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.device))


async def _events(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.rollouts).events(
        call.path["brand"], call.path["rollout"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _history(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.rollouts).history(
        call.path["brand"], call.path["device"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _ask(call: Call) -> Reply:
    query: AskQuery = call.query
    brand, device = call.principal.brand or "", call.principal.id
    offer = await needed(call.services.device_releases).ask(brand, device)
    if offer is None:
        soon = await needed(call.services.device_releases).waits(brand, device)
        return Reply(ReleaseAnswer(None, ASK_SOON_S if soon else ASK_LATER_S))
    tokens, base = needed(call.services.downloads), call.services.public_url
    return Reply(ReleaseAnswer(shown_offer(offer, tokens, base=base, board=query.board), ASK_SOON_S))


async def _report(call: Call) -> Reply:
    body: ReportBody = call.body
    report = ReleaseReport(body.running, body.rollout, body.attempt, body.state, body.detail)
    await needed(call.services.device_releases).report(call.principal.brand or "", call.principal.id, report)
    return Reply()


def _reply(found: RolloutRecord) -> Reply:
    """The ETag is the version, which operations change, and a sum of the counts, which devices change."""
    counts = msgspec.json.encode(found.groups)
    return Reply(_shown(found), etag=f"{found.version}.{zlib.crc32(counts):08x}")


def _version_of(if_match: str | None) -> int | None:
    """The version in an ETag: what devices did meanwhile makes none of them stale. Raises: StaleError."""
    return version_of(None if if_match is None else if_match.partition(".")[0])


def _shown(found: RolloutRecord) -> RolloutShown:
    values = {each: getattr(found, each) for each in RolloutShown.__struct_fields__}
    plan, state = msgspec.json.decode(found.plan, type=Plan), RolloutState(found.state)
    return RolloutShown(**(values | {"plan": plan, "state": state}))


_P = Permission
_ALL = "/brands/{brand}/rollouts"
_ONE = f"{_ALL}/{{rollout}}"
_SUMMARIES: dict[RolloutOperation, str] = {
    "start": "Start a rollout: its devices are listed now.",
    "pause": "Make no more offers; what is under way goes on.",
    "resume": "Go on with a rollout that was paused.",
    "abort": "End a rollout; what devices have begun goes on.",
    "retry": "Try the devices again that failed; a rollout that stopped itself goes on.",
    "approve": "Let the next group start.",
}


def _operation(operation: RolloutOperation) -> Operation:
    return Operation(
        "POST",
        f"{_ONE}/{operation}",
        f"{operation}_rollout",
        _SUMMARIES[operation],
        "rollouts",
        _P.BRAND_ROLLOUTS,
        partial(_operate, operation),
        reply=RolloutShown,
        errors=("conflict",),
        etag=True,
    )


OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_rollouts", "The rollouts of a brand.", "rollouts", _P.BRAND_RELEASES_READ, _list),
        query=RolloutQuery,
        reply=Page[RolloutShown],
    ),
    Operation(
        *("POST", _ALL, "create_rollout", "Plan a rollout.", "rollouts", _P.BRAND_ROLLOUTS, _create),
        body=RolloutBody,
        reply=RolloutShown,
        status=201,
        errors=("not_found", "conflict"),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_rollout", "A rollout as it stands.", "rollouts", _P.BRAND_RELEASES_READ, _get),
        reply=RolloutShown,
        etag=True,
    ),
    *(_operation(each) for each in _SUMMARIES),
    Operation(
        *("GET", f"{_ONE}/devices", "list_rollout_devices", "The devices of a rollout, by state.", "rollouts"),
        _P.BRAND_RELEASES_READ,
        _devices,
        query=RolloutDeviceQuery,
        reply=Page[RolloutDevice],
    ),
    Operation(
        *("GET", f"{_ONE}/events", "list_rollout_events", "What happened in a rollout, in order.", "rollouts"),
        _P.BRAND_RELEASES_READ,
        _events,
        query=PageQuery,
        reply=Page[RolloutEvent],
    ),
    Operation(
        "GET",
        "/brands/{brand}/devices/{device}/updates",
        "list_device_updates",
        "What rollouts did with one device, in order.",
        "rollouts",
        _P.BRAND_RELEASES_READ,
        _history,
        query=PageQuery,
        reply=Page[RolloutEvent],
    ),
    Operation(
        *("GET", "/device/release", "get_my_release", "What this device is to install now.", "device"),
        _P.DEVICE_SELF,
        _ask,
        query=AskQuery,
        reply=ReleaseAnswer,
    ),
    Operation(
        *("POST", "/device/release/report", "report_my_release", "What this device runs, and how an update goes."),
        "device",
        _P.DEVICE_SELF,
        _report,
        body=ReportBody,
    ),
)
