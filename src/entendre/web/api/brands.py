"""Brands: made and ended by whoever runs the server, changed by their own admins."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.fleet.access import Permission
from entendre.fleet.naming import MAX_LABEL_CHARS, MAX_WORD_CHARS, MAX_WORDS, SLUG
from entendre.ports.brands import AssistantProfile, BrandChanges, BrandRecord, EffectiveAssistant
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

Slug = Annotated[str, Meta(min_length=1, pattern=SLUG)]
Label = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARS)]
Word = Annotated[str, Meta(min_length=1, max_length=MAX_WORD_CHARS)]
Words = Annotated[tuple[Word, ...], Meta(max_length=MAX_WORDS)]


class Assistant(Struct, forbid_unknown_fields=True):
    """What an assistant is called, hears and sounds like."""

    name: Label
    wake_words: Words = ()
    voice: Word | None = None
    language: Annotated[str, Meta(max_length=35)] | None = None


class NewBrand(Struct, forbid_unknown_fields=True):
    """A brand to be."""

    name: Slug
    display_name: Label
    assistant: Assistant | None = None


class BrandPatch(Struct, forbid_unknown_fields=True):
    """What to change of a brand; what is absent stays."""

    display_name: Label | None = None
    assistant: Assistant | None = None


def _profile(given: Assistant | None) -> AssistantProfile | None:
    return None if given is None else AssistantProfile(given.name, given.wake_words, given.voice, given.language)


async def _create(call: Call) -> Reply:
    brands, body = needed(call.services.brands), call.body
    made = await brands.create(body.name, body.display_name, _profile(body.assistant), by=call.principal.actor)
    return Reply(made, etag=str(made.version))


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.brands).brands(after=after[0] if after else "", limit=call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.brands).brand(call.path["brand"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changes = BrandChanges(call.body.display_name, _profile(call.body.assistant))
    changed = await needed(call.services.brands).change(
        call.path["brand"], changes, by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply(changed, etag=str(changed.version))


async def _end(call: Call) -> Reply:
    brands = needed(call.services.brands)
    await brands.end(call.path["brand"], by=call.principal.actor, version=version_of(call.if_match))
    return Reply()


async def _assistant(call: Call) -> Reply:
    product = await needed(call.services.products).product(call.path["brand"], call.path["product"])
    return Reply(await needed(call.services.brands).assistant_of(call.path["brand"], product.id))


async def _my_assistant(call: Call) -> Reply:
    return Reply(await needed(call.services.brands).assistant_of_device(call.principal.id))


_P = Permission
_ONE = "/brands/{brand}"
OPERATIONS = (
    Operation(
        *("GET", "/brands", "list_brands", "Every brand.", "brands", _P.REGION_READ, _list),
        query=PageQuery,
        reply=Page[BrandRecord],
    ),
    Operation(
        *("POST", "/brands", "create_brand", "Make a brand.", "brands", _P.REGION_WRITE, _create),
        body=NewBrand,
        reply=BrandRecord,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_brand", "A brand, by id or name.", "brands", _P.BRAND_READ, _get),
        reply=BrandRecord,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_brand", "Change a brand.", "brands", _P.BRAND_WRITE, _change),
        body=BrandPatch,
        reply=BrandRecord,
        etag=True,
    ),
    Operation(
        *("DELETE", _ONE, "end_brand", "End a brand and its partnerships.", "brands", _P.REGION_WRITE, _end),
        etag=True,
    ),
    Operation(
        *(
            "GET",
            f"{_ONE}/products/{{product}}/assistant",
            "get_assistant",
            "Whose assistant the devices of a product have now.",
            "brands",
            _P.BRAND_READ,
            _assistant,
        ),
        reply=EffectiveAssistant,
    ),
    Operation(
        *("GET", "/device/assistant", "get_my_assistant", "Whose assistant this device has now.", "device"),
        permission=_P.DEVICE_SELF,
        handler=_my_assistant,
        reply=EffectiveAssistant,
        errors=("not_found",),
    ),
)
