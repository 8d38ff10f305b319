"""What speakers keep for a household: lists, timers, alarms and reminders."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.fleet.access import Permission
from entendre.ports.households import HouseJob, HouseList
from entendre.system import new_id
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.households import Language
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page
from entendre.web.api.services import needed

Words = Annotated[str, Meta(min_length=1, max_length=200)]


class NewItem(Struct, forbid_unknown_fields=True):
    """An item; `language`: of the name of a list that is made by it."""

    text: Words
    quantity: Annotated[str, Meta(min_length=1, max_length=50)] | None = None
    language: Language = "en"


class ItemPatch(Struct, forbid_unknown_fields=True):
    """Whether an item is done."""

    done: bool


async def _lists(call: Call) -> Reply:
    return Reply(Page(await needed(call.services.things).lists(call.path["household"])))


async def _add_item(call: Call) -> Reply:
    body, turn = call.body, f"api:{call.principal.actor}:{call.idempotency_key or new_id()}"
    changed = await needed(call.services.things).add_item(
        call.path["household"], call.path["list"], body.text, body.quantity, language=body.language, turn=turn
    )
    return Reply(changed, etag=str(changed.version))


async def _tick(call: Call) -> Reply:
    return await _change_item(call, call.body.done)


async def _drop(call: Call) -> Reply:
    return await _change_item(call, None)


async def _change_item(call: Call, done: bool | None) -> Reply:
    changed = await needed(call.services.things).change_item(
        call.path["household"],
        call.path["list"],
        call.path["item"],
        done=done,
        expected=version_of(call.if_match),
    )
    return Reply(changed, etag=str(changed.version))


async def _jobs(call: Call) -> Reply:
    return Reply(Page(await needed(call.services.things).jobs(call.path["household"])))


async def _cancel(call: Call) -> Reply:
    things, path = needed(call.services.things), call.path
    await things.cancel(path["household"], path["job"], expected=version_of(call.if_match))
    return Reply()


_P = Permission
_LISTS = "/households/{household}/lists"
_ITEMS = f"{_LISTS}/{{list}}/items"
_ITEM = f"{_ITEMS}/{{item}}"
_JOBS = "/households/{household}/jobs"
OPERATIONS = (
    Operation(
        *("GET", _LISTS, "list_lists", "Lists with their items.", "homes", _P.HOUSEHOLD_READ, _lists),
        reply=Page[HouseList],
    ),
    Operation(
        "POST",
        _ITEMS,
        "add_list_item",
        "Put an item on a list, by its id or name; a list that is missing is made.",
        "homes",
        _P.HOUSEHOLD_WRITE,
        _add_item,
        body=NewItem,
        reply=HouseList,
        status=201,
        errors=("conflict",),
        idempotent=True,
    ),
    Operation(
        *("PATCH", _ITEM, "tick_list_item", "Tick an item, or not.", "homes", _P.HOUSEHOLD_WRITE, _tick),
        body=ItemPatch,
        reply=HouseList,
        errors=("conflict",),
        etag=True,
    ),
    Operation(
        *("DELETE", _ITEM, "remove_list_item", "Take an item off a list.", "homes", _P.HOUSEHOLD_WRITE, _drop),
        reply=HouseList,
        errors=("conflict",),
        etag=True,
    ),
    Operation(
        *("GET", _JOBS, "list_jobs", "Timers, alarms and reminders.", "homes", _P.HOUSEHOLD_READ, _jobs),
        reply=Page[HouseJob],
    ),
    Operation(
        "DELETE",
        f"{_JOBS}/{{job}}",
        "cancel_job",
        "Cancel a timer, an alarm or a reminder.",
        "homes",
        _P.HOUSEHOLD_WRITE,
        _cancel,
        errors=("conflict",),
        etag=True,
    ),
)
