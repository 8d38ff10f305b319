"""Taking everything along, and having everything erased; and how long a brand keeps things."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Annotated

from aiohttp import web
from msgspec import Meta, Struct

from entendre.core.errors import InvalidInputError
from entendre.fleet.access import Permission
from entendre.ports.households import BrandRule, Erased
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page
from entendre.web.api.patches import person_of
from entendre.web.api.services import needed

ZIP = "application/zip"


class EraseQuery(Struct, forbid_unknown_fields=True):
    """`confirm`: the id of what is erased, once more, since nothing brings it back."""

    confirm: Annotated[str, Meta(min_length=1, max_length=64)]


class Days(Struct, forbid_unknown_fields=True):
    """How many days a kind of data is kept."""

    days: Annotated[float, Meta(ge=0, le=3_660)]


async def _household(call: Call) -> web.StreamResponse:
    household, who = call.path["household"], call.principal
    pieces = needed(call.services.export).household(household, person_of(who), who.actor)
    return await _sent(call, pieces, f"household-{household}.zip")


async def _me(call: Call) -> web.StreamResponse:
    who = call.principal
    return await _sent(call, needed(call.services.export).account(who.id, who.actor), f"account-{who.id}.zip")


async def _sent(call: Call, pieces: AsyncIterator[bytes], name: str) -> web.StreamResponse:
    first = await anext(pieces)  # an error before it is still answered as one
    headers = {"Content-Type": ZIP, "Cache-Control": "no-store"}
    headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response = web.StreamResponse(headers=headers)
    await response.prepare(call.request)
    await response.write(first)
    async for piece in pieces:
        await response.write(piece)
    await response.write_eof()
    return response


async def _erase_household(call: Call) -> Reply:
    household = call.path["household"]
    _check(call, household)
    return Reply(await needed(call.services.erasure).household(household, by=call.principal.actor))


async def _erase_me(call: Call) -> Reply:
    _check(call, call.principal.id)
    return Reply(await needed(call.services.erasure).account(call.principal.id, by=call.principal.actor))


async def _erase_account(call: Call) -> Reply:
    _check(call, call.path["account"])
    return Reply(await needed(call.services.erasure).account(call.path["account"], by=call.principal.actor))


async def _erase_device(call: Call) -> Reply:
    brand, device = call.path["brand"], call.path["device"]
    _check(call, device)
    return Reply(await needed(call.services.erasure).device(device, brand=brand, by=call.principal.actor))


def _check(call: Call, subject: str) -> None:
    if call.query.confirm != subject:
        raise InvalidInputError("Say once more, as `confirm`, the id of what is erased.")


async def _rules(call: Call) -> Reply:
    return Reply(Page(await needed(call.services.retention).rules(call.path["brand"])))


async def _set_rule(call: Call) -> Reply:
    retention, path = needed(call.services.retention), call.path
    return Reply(await retention.set_rule(path["brand"], path["kind"], call.body.days, by=call.principal.actor))


_P = Permission
_HOUSE = "/households/{household}"
OPERATIONS = (
    Operation(
        "GET",
        f"{_HOUSE}/export",
        "export_household",
        "Everything of a household, as a ZIP archive of JSON files; without what is private to others.",
        "privacy",
        _P.HOUSEHOLD_EXPORT,
        _household,
        produces=ZIP,
    ),
    Operation(
        "GET",
        "/me/export",
        "export_me",
        "Everything of the caller, as a ZIP archive of JSON files.",
        "privacy",
        _P.ACCOUNT_SELF,
        _me,
        errors=("not_found",),
        produces=ZIP,
    ),
    Operation(
        "DELETE",
        _HOUSE,
        "erase_household",
        "Erase a household for good. Its members keep their accounts, its devices start anew.",
        "privacy",
        _P.HOUSEHOLD_ERASE,
        _erase_household,
        query=EraseQuery,
        reply=Erased,
    ),
    Operation(
        "DELETE",
        "/me",
        "erase_me",
        "Erase the caller for good, with households in which no other adult is left.",
        "privacy",
        _P.ACCOUNT_SELF,
        _erase_me,
        query=EraseQuery,
        reply=Erased,
        errors=("not_found",),
    ),
    Operation(
        "DELETE",
        "/accounts/{account}/data",
        "erase_account",
        "Erase an account for good, as its person would.",
        "privacy",
        _P.REGION_WRITE,
        _erase_account,
        query=EraseQuery,
        reply=Erased,
    ),
    Operation(
        "DELETE",
        "/brands/{brand}/devices/{device}/data",
        "erase_device",
        "Erase a device for good: it can enrol again as a new one.",
        "privacy",
        _P.BRAND_DEVICES_WRITE,
        _erase_device,
        query=EraseQuery,
        reply=Erased,
    ),
    Operation(
        "GET",
        "/brands/{brand}/retention",
        "list_retention",
        "How long a brand keeps each kind of data.",
        "privacy",
        _P.BRAND_READ,
        _rules,
        reply=Page[BrandRule],
    ),
    Operation(
        "PUT",
        "/brands/{brand}/retention/{kind}",
        "set_retention",
        "Change how long a brand keeps a kind of data.",
        "privacy",
        _P.BRAND_WRITE,
        _set_rule,
        body=Days,
        reply=BrandRule,
    ),
)
