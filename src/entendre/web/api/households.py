"""Households: made by whoever runs the server, or by a person who becomes the owner."""

from __future__ import annotations

from typing import Annotated

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.core.errors import ForbiddenError, NotFoundError
from entendre.core.home import HOME
from entendre.fleet.access import Permission
from entendre.fleet.households import MAX_NAME_CHARS, MAX_ROOM_NAMES
from entendre.ports.households import Household, HouseRoom
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, given, person_of
from entendre.web.api.services import needed

Label = Annotated[str, Meta(min_length=1, max_length=MAX_NAME_CHARS)]
_TAG = r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8}){0,3}"
Language = Annotated[str, Meta(pattern=rf"^{_TAG}(,{_TAG}){{0,2}}$")]
Country = Annotated[str, Meta(pattern=r"^[A-Z]{2}$")]
Zone = Annotated[str, Meta(min_length=1, max_length=64)]
Days = Annotated[float, Meta(ge=0, le=3_660)]


class NewHousehold(Struct, forbid_unknown_fields=True):
    """A household to be. `owner`: the account of its first member, where whoever runs the server makes it."""

    name: Label
    language: Language | None = None
    country: Country | None = None
    time_zone: Zone | None = None
    brand: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    owner: Annotated[str, Meta(min_length=1, max_length=64)] | None = None
    my_name: Label | None = None


class KeptDays(Struct, forbid_unknown_fields=True):
    """Days that kinds of data are kept; 0 keeps none, null goes back to the default."""

    history: Days | UnsetType | None = UNSET
    rings: Days | UnsetType | None = UNSET
    turns: Days | UnsetType | None = UNSET
    notes: Days | UnsetType | None = UNSET


class HouseholdPatch(Struct, forbid_unknown_fields=True):
    """What to change of a household; what is absent stays."""

    name: Label | UnsetType = UNSET
    language: Language | UnsetType | None = UNSET
    country: Country | UnsetType | None = UNSET
    time_zone: Zone | UnsetType | None = UNSET
    retention: KeptDays | UnsetType = UNSET


class NewRoom(Struct, forbid_unknown_fields=True):
    """A room to be; `names`: what else it is called, by language."""

    name: Label
    names: dict[Language, Annotated[tuple[Label, ...], Meta(max_length=MAX_ROOM_NAMES)]] = {}


class RoomPatch(Struct, forbid_unknown_fields=True):
    """What to change of a room."""

    name: Label | UnsetType = UNSET
    names: dict[Language, Annotated[tuple[Label, ...], Meta(max_length=MAX_ROOM_NAMES)]] | UnsetType = UNSET


async def _create(call: Call) -> Reply:
    body, who = call.body, call.principal
    if who.kind == "nobody" or who.kind not in ("operator", "person"):
        raise ForbiddenError("A person makes a household, or whoever runs the server.")
    account = person_of(who) or body.owner
    brand = await _brand(call, body.brand)
    if account is not None and who.kind == "operator":
        account = await _account(call, account)
    owner = None if account is None else (account, body.my_name or await _name_of(call, account))
    wanted = {name: getattr(body, name) for name in ("name", "language", "country", "time_zone")}
    made = await needed(call.services.households).create(wanted, brand=brand, owner=owner, by=who.actor)
    return Reply(made, etag=str(made.version))


async def _brand(call: Call, named: str | None) -> str:
    if named is None:
        return HOME
    found = await call.services.brand_named(named) if call.services.brand_named is not None else None
    if found is None:
        raise NotFoundError("There is no such brand.")
    return found


async def _account(call: Call, named: str) -> str:
    return (await needed(call.services.accounts).account(named)).id


async def _name_of(call: Call, account: str) -> str:
    return (await needed(call.services.accounts).account(account)).display_name


async def _of_brand(call: Call) -> Reply:
    rows = await needed(call.services.households).page(call.path["brand"], after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _mine(call: Call) -> Reply:
    rows = await needed(call.services.households).of_account(call.principal.id)
    return Reply(Page(rows))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.households).get(call.path["household"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.households).change(
        call.path["household"], given(call.body), expected=version_of(call.if_match), by=call.principal.actor
    )
    return Reply(changed, etag=str(changed.version))


async def _rooms(call: Call) -> Reply:
    rows = await needed(call.services.rooms).page(call.path["household"], after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _create_room(call: Call) -> Reply:
    rooms, body = needed(call.services.rooms), call.body
    made = await rooms.create(call.path["household"], body.name, body.names, by=call.principal.actor)
    return Reply(made, etag=str(made.version))


async def _change_room(call: Call) -> Reply:
    changed = await needed(call.services.rooms).change(
        call.path["household"],
        call.path["room"],
        given(call.body),
        expected=version_of(call.if_match),
        by=call.principal.actor,
    )
    return Reply(changed, etag=str(changed.version))


async def _remove_room(call: Call) -> Reply:
    await needed(call.services.rooms).remove(call.path["household"], call.path["room"], by=call.principal.actor)
    return Reply()


_P = Permission
_ONE = "/households/{household}"
_ROOM = f"{_ONE}/rooms/{{room}}"
OPERATIONS = (
    Operation(
        *("POST", "/households", "create_household", "Make a household.", "households", None, _create),
        body=NewHousehold,
        reply=Household,
        status=201,
        errors=("unauthorized", "not_found"),
        idempotent=True,
    ),
    Operation(
        "GET",
        "/brands/{brand}/households",
        "list_households",
        "Households of a brand.",
        "households",
        _P.REGION_READ,
        _of_brand,
        query=PageQuery,
        reply=Page[Household],
    ),
    Operation(
        *("GET", "/me/households", "my_households", "The caller's households.", "households", _P.ACCOUNT_SELF, _mine),
        reply=Page[Household],
    ),
    Operation(
        *("GET", _ONE, "get_household", "A household.", "households", _P.HOUSEHOLD_READ, _get),
        reply=Household,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_household", "Change a household.", "households", _P.HOUSEHOLD_WRITE, _change),
        body=HouseholdPatch,
        reply=Household,
        etag=True,
    ),
    Operation(
        *("GET", f"{_ONE}/rooms", "list_rooms", "Rooms.", "households", _P.HOUSEHOLD_READ, _rooms),
        query=PageQuery,
        reply=Page[HouseRoom],
    ),
    Operation(
        *("POST", f"{_ONE}/rooms", "create_room", "Name a room.", "households", _P.HOUSEHOLD_WRITE, _create_room),
        body=NewRoom,
        reply=HouseRoom,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("PATCH", _ROOM, "change_room", "Change a room.", "households", _P.HOUSEHOLD_WRITE, _change_room),
        body=RoomPatch,
        reply=HouseRoom,
        errors=("already_exists",),
        etag=True,
    ),
    Operation(
        *("DELETE", _ROOM, "remove_room", "Remove a room.", "households", _P.HOUSEHOLD_WRITE, _remove_room),
    ),
)
