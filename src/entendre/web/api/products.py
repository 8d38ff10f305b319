"""Products of a brand."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from entendre.fleet.access import Permission
from entendre.fleet.naming import MAX_LABEL_CHARS
from entendre.ports.brands import DeviceKind, NewProduct, ProductChanges, ProductRecord
from entendre.web.api.brands import Label, Slug, Words
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

Model = Annotated[str, Meta(max_length=MAX_LABEL_CHARS)]


class ProductBody(Struct, forbid_unknown_fields=True):
    """A product to be."""

    name: Slug
    display_name: Label
    kind: DeviceKind
    model: Model = ""
    channel: Slug = "stable"
    tools: Words = ()
    wake_words: Words = ()
    voices: Words = ()


class ProductPatch(Struct, forbid_unknown_fields=True):
    """What to change of a product; what is absent stays."""

    display_name: Label | None = None
    model: Model | None = None
    channel: Slug | None = None
    tools: Words | None = None
    wake_words: Words | None = None
    voices: Words | None = None


async def _create(call: Call) -> Reply:
    new = NewProduct(**msgspec.structs.asdict(call.body))
    made = await needed(call.services.products).create(call.path["brand"], new, by=call.principal.actor)
    return Reply(made, etag=str(made.version))


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.products).products(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.products).product(call.path["brand"], call.path["product"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.products).change(
        call.path["brand"],
        call.path["product"],
        ProductChanges(**msgspec.structs.asdict(call.body)),
        by=call.principal.actor,
        version=version_of(call.if_match),
    )
    return Reply(changed, etag=str(changed.version))


async def _end(call: Call) -> Reply:
    await needed(call.services.products).end(
        call.path["brand"], call.path["product"], by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply()


_P = Permission
_ALL, _ONE = "/brands/{brand}/products", "/brands/{brand}/products/{product}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_products", "The products of a brand.", "products", _P.BRAND_READ, _list),
        query=PageQuery,
        reply=Page[ProductRecord],
    ),
    Operation(
        *("POST", _ALL, "create_product", "Make a product.", "products", _P.BRAND_PRODUCTS, _create),
        body=ProductBody,
        reply=ProductRecord,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_product", "A product, by id or name.", "products", _P.BRAND_READ, _get),
        reply=ProductRecord,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_product", "Change a product.", "products", _P.BRAND_PRODUCTS, _change),
        body=ProductPatch,
        reply=ProductRecord,
        etag=True,
    ),
    Operation(
        *("DELETE", _ONE, "end_product", "End a product that has no devices.", "products", _P.BRAND_PRODUCTS, _end),
        errors=("conflict",),
        etag=True,
    ),
)
