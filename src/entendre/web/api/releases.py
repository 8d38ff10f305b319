"""Signing keys and releases of a brand."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.fleet.access import Permission
from entendre.fleet.releases import MAX_MANIFEST_BYTES, MAX_NOTES_CHARS, PUBLIC_KEY_BYTES, SIGNATURE_BYTES
from entendre.ports.releases import ReleaseRecord, SigningKey
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

MAX_CREATE_BYTES = 4 * (MAX_MANIFEST_BYTES + MAX_NOTES_CHARS)


class KeyBody(Struct, forbid_unknown_fields=True):
    """A public key that may sign: 32 bytes in base64."""

    name: Annotated[str, Meta(min_length=1, max_length=64)]
    public_key: Annotated[bytes, Meta(min_length=PUBLIC_KEY_BYTES, max_length=PUBLIC_KEY_BYTES)]


class ReleaseBody(Struct, forbid_unknown_fields=True):
    """What was signed: the manifest's text as it is, its signature in base64, and the notes that it has the hash of."""

    manifest: Annotated[str, Meta(min_length=1, max_length=MAX_MANIFEST_BYTES)]
    signature: Annotated[bytes, Meta(min_length=SIGNATURE_BYTES, max_length=SIGNATURE_BYTES)]
    notes: Annotated[str, Meta(max_length=MAX_NOTES_CHARS)] = ""


class ReleaseQuery(PageQuery, forbid_unknown_fields=True):
    """Which releases: of a product, by id or name."""

    product: Annotated[str, Meta(max_length=64)] | None = None


class Keys(Struct):
    """Every signing key of a brand, revoked ones too."""

    data: tuple[SigningKey, ...]


async def _keys(call: Call) -> Reply:
    return Reply(Keys(await needed(call.services.releases).keys(call.path["brand"])))


async def _add_key(call: Call) -> Reply:
    body: KeyBody = call.body
    book = needed(call.services.releases)
    return Reply(await book.add_key(call.path["brand"], body.name, body.public_key, by=call.principal.actor))


async def _revoke_key(call: Call) -> Reply:
    book = needed(call.services.releases)
    return Reply(await book.revoke_key(call.path["brand"], call.path["key"], by=call.principal.actor))


async def _create(call: Call) -> Reply:
    body: ReleaseBody = call.body
    made = await needed(call.services.releases).create(
        call.path["brand"], body.manifest, body.signature, body.notes, by=call.principal.actor
    )
    return Reply(made, etag=str(made.version))


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.releases).releases(
        call.path["brand"], product=call.query.product, after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.releases).release(call.path["brand"], call.path["release"])
    return Reply(found, etag=str(found.version))


async def _publish(call: Call) -> Reply:
    changed = await needed(call.services.releases).publish(
        call.path["brand"], call.path["release"], by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply(changed, etag=str(changed.version))


async def _withdraw(call: Call) -> Reply:
    changed = await needed(call.services.releases).withdraw(
        call.path["brand"], call.path["release"], by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply(changed, etag=str(changed.version))


_P = Permission
_KEYS, _ALL = "/brands/{brand}/signing-keys", "/brands/{brand}/releases"
_ONE = f"{_ALL}/{{release}}"
OPERATIONS = (
    Operation(
        *("GET", _KEYS, "list_signing_keys", "The keys that may sign.", "releases", _P.BRAND_RELEASES_READ, _keys),
        reply=Keys,
    ),
    Operation(
        *("POST", _KEYS, "add_signing_key", "Let a key sign.", "releases", _P.BRAND_RELEASES_WRITE, _add_key),
        body=KeyBody,
        reply=SigningKey,
        status=201,
        errors=("already_exists", "too_large"),
        idempotent=True,
    ),
    Operation(
        "POST",
        f"{_KEYS}/{{key}}/revoke",
        "revoke_signing_key",
        "Let a key, by id or name, sign no more; what it signed is offered no more.",
        "releases",
        _P.BRAND_RELEASES_WRITE,
        _revoke_key,
        reply=SigningKey,
    ),
    Operation(
        *("GET", _ALL, "list_releases", "The releases of a brand.", "releases", _P.BRAND_RELEASES_READ, _list),
        query=ReleaseQuery,
        reply=Page[ReleaseRecord],
    ),
    Operation(
        *("POST", _ALL, "create_release", "Make a release of what was signed.", "releases", _P.BRAND_RELEASES_WRITE),
        _create,
        body=ReleaseBody,
        reply=ReleaseRecord,
        status=201,
        errors=("not_found", "already_exists", "conflict", "too_large"),
        idempotent=True,
        max_body_bytes=MAX_CREATE_BYTES,
    ),
    Operation(
        *("GET", _ONE, "get_release", "A release.", "releases", _P.BRAND_RELEASES_READ, _get),
        reply=ReleaseRecord,
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/publish", "publish_release", "Let rollouts use a release.", "releases"),
        _P.BRAND_RELEASES_WRITE,
        _publish,
        reply=ReleaseRecord,
        errors=("conflict",),
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/withdraw", "withdraw_release", "Offer a release to nobody any more.", "releases"),
        _P.BRAND_RELEASES_WRITE,
        _withdraw,
        reply=ReleaseRecord,
        errors=("conflict",),
        etag=True,
    ),
)
