"""Routines of a household."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.fleet.access import Permission
from entendre.fleet.routines import MAX_ACTIONS, MAX_PHRASE_CHARS
from entendre.ports.households import Routine
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.households import Label
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, given
from entendre.web.api.services import needed

Actions = Annotated[tuple[dict[str, Any], ...], Meta(min_length=1, max_length=MAX_ACTIONS)]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]


class Trigger(Struct, forbid_unknown_fields=True, omit_defaults=True):
    """What starts a routine: a phrase, or a time of the day on some days; every day without `days`."""

    say: Annotated[str, Meta(min_length=1, max_length=MAX_PHRASE_CHARS)] | UnsetType = UNSET
    time: Annotated[str, Meta(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] | UnsetType = UNSET
    days: Annotated[tuple[Weekday, ...], Meta(max_length=7)] | UnsetType = UNSET


class NewRoutine(Struct, forbid_unknown_fields=True):
    """A routine to be; `actions` as docs/actions.md says."""

    name: Label
    trigger: Trigger
    actions: Actions
    enabled: bool = True


class RoutinePatch(Struct, forbid_unknown_fields=True):
    """What to change of a routine."""

    name: Label | UnsetType = UNSET
    trigger: Trigger | UnsetType = UNSET
    actions: Actions | UnsetType = UNSET
    enabled: bool | UnsetType = UNSET


async def _list(call: Call) -> Reply:
    rows = await needed(call.services.routines).page(call.path["household"], after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.routines).get(call.path["household"], call.path["routine"])
    return Reply(found, etag=str(found.version))


async def _create(call: Call) -> Reply:
    routines = needed(call.services.routines)
    made = await routines.create(call.path["household"], given(call.body), by=call.principal.actor)
    return Reply(made, etag=str(made.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.routines).change(
        call.path["household"],
        call.path["routine"],
        given(call.body),
        expected=version_of(call.if_match),
        by=call.principal.actor,
    )
    return Reply(changed, etag=str(changed.version))


async def _remove(call: Call) -> Reply:
    routines = needed(call.services.routines)
    await routines.remove(call.path["household"], call.path["routine"], by=call.principal.actor)
    return Reply()


_P = Permission
_ALL = "/households/{household}/routines"
_ONE = f"{_ALL}/{{routine}}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_routines", "Routines of a household.", "routines", _P.HOUSEHOLD_READ, _list),
        query=PageQuery,
        reply=Page[Routine],
    ),
    Operation(
        *("POST", _ALL, "create_routine", "Make a routine.", "routines", _P.HOUSEHOLD_WRITE, _create),
        body=NewRoutine,
        reply=Routine,
        status=201,
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_routine", "A routine.", "routines", _P.HOUSEHOLD_READ, _get),
        reply=Routine,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_routine", "Change a routine.", "routines", _P.HOUSEHOLD_WRITE, _change),
        body=RoutinePatch,
        reply=Routine,
        etag=True,
    ),
    Operation(*("DELETE", _ONE, "remove_routine", "Remove a routine.", "routines", _P.HOUSEHOLD_WRITE, _remove)),
)
