"""Devices of a household: claimed by a code that the device shows or says, and let go again."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.fleet.access import Permission
from entendre.ports.households import HouseDevice, ShortCode
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.households import Label, Language
from entendre.web.api.members import TypedCode
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, given
from entendre.web.api.services import needed

Id = Annotated[str, Meta(min_length=1, max_length=64)]


class Claim(Struct, forbid_unknown_fields=True):
    """The code of a device, and what it shall be called."""

    code: TypedCode
    name: Label | None = None
    room: Id | None = None


class HouseDevicePatch(Struct, forbid_unknown_fields=True):
    """What to change of a device."""

    name: Label | UnsetType = UNSET
    room: Id | UnsetType | None = UNSET
    language: Language | UnsetType | None = UNSET


class CodeWanted(Struct, forbid_unknown_fields=True):
    """`spoken`: six digits to say instead of eight characters to show."""

    spoken: bool = False


async def _list(call: Call) -> Reply:
    rows = await needed(call.services.house_devices).page(call.path["household"], after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _claim(call: Call) -> Reply:
    body, who = call.body, call.principal
    claimed = await needed(call.services.house_devices).claim(
        call.path["household"], body.code, name=body.name, room=body.room, guesser=who.actor, by=who.actor
    )
    return Reply(claimed, etag=str(claimed.version))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.house_devices).get(call.path["household"], call.path["device"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.house_devices).change(
        call.path["household"],
        call.path["device"],
        given(call.body),
        expected=version_of(call.if_match),
        by=call.principal.actor,
    )
    return Reply(changed, etag=str(changed.version))


async def _release(call: Call) -> Reply:
    devices = needed(call.services.house_devices)
    await devices.release(call.path["household"], call.path["device"], by=call.principal.actor)
    return Reply()


async def _ask_code(call: Call) -> Reply:
    return Reply(await needed(call.services.house_devices).ask_code(call.principal.id, spoken=call.body.spoken))


_P = Permission
_ALL = "/households/{household}/devices"
_ONE = f"{_ALL}/{{device}}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_house_devices", "Devices of a household.", "homes", _P.HOUSEHOLD_READ, _list),
        query=PageQuery,
        reply=Page[HouseDevice],
    ),
    Operation(
        *("POST", _ALL, "claim_device", "Take the device that shows a code.", "homes", _P.HOUSEHOLD_WRITE, _claim),
        body=Claim,
        reply=HouseDevice,
        status=201,
        errors=("conflict",),
    ),
    Operation(
        *("GET", _ONE, "get_house_device", "A device of a household.", "homes", _P.HOUSEHOLD_READ, _get),
        reply=HouseDevice,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_house_device", "Change a device.", "homes", _P.HOUSEHOLD_WRITE, _change),
        body=HouseDevicePatch,
        reply=HouseDevice,
        etag=True,
    ),
    Operation(
        "DELETE",
        _ONE,
        "release_device",
        "Let a device go; what it told here is erased.",
        "homes",
        _P.HOUSEHOLD_WRITE,
        _release,
    ),
    Operation(
        "POST",
        "/device/claim-code",
        "ask_claim_code",
        "A code by which a household takes the calling device.",
        "homes",
        _P.DEVICE_SELF,
        _ask_code,
        body=CodeWanted,
        reply=ShortCode,
        status=201,
        errors=("not_found", "conflict"),
    ),
)
