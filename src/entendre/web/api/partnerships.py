"""Partnerships: a brand lends its devices' assistant to another brand and takes it back."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.core.errors import NotFoundError
from entendre.fleet.access import Permission
from entendre.ports.brands import LentDevice, PartnershipRecord
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

MAX_NAMED = 100
Named = Annotated[str, Meta(min_length=1, max_length=64)]


class NewPartnership(Struct, forbid_unknown_fields=True):
    """Whom to lend to: a brand's id (its name too, for whoever runs the server); and which products, all for none."""

    partner: Named
    products: Annotated[tuple[Named, ...], Meta(max_length=MAX_NAMED)] = ()


async def _lend(call: Call) -> Reply:
    made = await needed(call.services.partnerships).lend(
        call.path["brand"], await _partner(call), call.body.products, by=call.principal.actor
    )
    return Reply(made, etag=str(made.version))


async def _partner(call: Call) -> str:
    """The id of the partner. Names are not answered to brands: they could try out who else is here."""
    named: str = call.body.partner
    found = await needed(call.services.brands).named(named)
    if found is None or (found != named and call.principal.kind != "operator"):
        raise NotFoundError("There is no such partner.")
    return found


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.partnerships).partnerships(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.partnerships).partnership(call.path["brand"], call.path["partnership"])
    return Reply(found, etag=str(found.version))


async def _end(call: Call) -> Reply:
    await needed(call.services.partnerships).end(
        call.path["brand"], call.path["partnership"], by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply()


async def _lent(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.partnerships).lent_devices(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


_P = Permission
_ALL, _ONE = "/brands/{brand}/partnerships", "/brands/{brand}/partnerships/{partnership}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_partnerships", "What a brand lends and borrows.", "partnerships", _P.BRAND_READ, _list),
        query=PageQuery,
        reply=Page[PartnershipRecord],
    ),
    Operation(
        *(
            "POST",
            _ALL,
            "create_partnership",
            "Lend the assistant of devices to a partner.",
            "partnerships",
            _P.BRAND_WRITE,
            _lend,
        ),
        body=NewPartnership,
        reply=PartnershipRecord,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_partnership", "A partnership of either side.", "partnerships", _P.BRAND_READ, _get),
        reply=PartnershipRecord,
        etag=True,
    ),
    Operation(
        *(
            "DELETE",
            _ONE,
            "end_partnership",
            "Take the assistant back, or leave.",
            "partnerships",
            _P.BRAND_WRITE,
            _end,
        ),
        etag=True,
    ),
    Operation(
        *(
            "GET",
            "/brands/{brand}/lent-devices",
            "list_lent_devices",
            "The devices of other brands whose assistant is this brand's.",
            "partnerships",
            _P.BRAND_DEVICES_READ,
            _lent,
        ),
        query=PageQuery,
        reply=Page[LentDevice],
    ),
)
