"""The staff of a brand: people, and API keys of its programs."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from entendre.core.errors import NotFoundError
from entendre.core.roles import Role
from entendre.fleet.access import Permission
from entendre.ports.access import KeyRecord
from entendre.ports.brands import StaffRecord
from entendre.web.api.brands import Label
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed

NO_ACCOUNT = "There is no such account. A brand names it by its id and its login together."


class NewStaff(Struct, forbid_unknown_fields=True):
    """An account's id and what it may do. Brands say its login too; to whoever runs the server, either will do."""

    account: Annotated[str, Meta(min_length=1, max_length=254)]
    role: Role
    login: Annotated[str, Meta(max_length=254)] | None = None


class StaffPatch(Struct, forbid_unknown_fields=True):
    """Another role."""

    role: Role


class NewKey(Struct, forbid_unknown_fields=True):
    """What a key is for, and what it may do."""

    name: Label
    role: Role


class MadeKey(Struct):
    """A key with its token, which is shown this once."""

    token: str
    key: KeyRecord


async def _add(call: Call) -> Reply:
    staff = needed(call.services.staff)
    added = await staff.add(call.path["brand"], await _account(call), call.body.role, by=call.principal.actor)
    return Reply(added, etag=str(added.version))


async def _account(call: Call) -> str:
    """The id of the account. A brand must have both from the person: an id alone it may have seen anywhere."""
    named: str = call.body.account
    accounts = needed(call.services.accounts)
    try:
        found = await accounts.account(named)
    except NotFoundError:
        raise NotFoundError(NO_ACCOUNT) from None
    login = (call.body.login or "").strip().lower()
    if call.principal.kind != "operator" and (found.id, found.login) != (named, login):
        raise NotFoundError(NO_ACCOUNT)
    return found.id


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.staff).staff(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.staff).member(call.path["brand"], call.path["staff"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.staff).change(
        call.path["brand"],
        call.path["staff"],
        call.body.role,
        by=call.principal.actor,
        version=version_of(call.if_match),
    )
    return Reply(changed, etag=str(changed.version))


async def _remove(call: Call) -> Reply:
    await needed(call.services.staff).remove(
        call.path["brand"], call.path["staff"], by=call.principal.actor, version=version_of(call.if_match)
    )
    return Reply()


async def _keys(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.keys).of_brand(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _make_key(call: Call) -> Reply:
    keys, body = needed(call.services.keys), call.body
    token, made = await keys.add(body.name, brand=call.path["brand"], role=body.role, by=call.principal.actor)
    return Reply(MadeKey(token, made))


async def _revoke_key(call: Call) -> Reply:
    await needed(call.services.keys).revoke_of_brand(call.path["brand"], call.path["key"], by=call.principal.actor)
    return Reply()


_STAFF = Permission.BRAND_STAFF
_ALL, _ONE = "/brands/{brand}/staff", "/brands/{brand}/staff/{staff}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_staff", "The people who work for a brand.", "staff", _STAFF, _list),
        query=PageQuery,
        reply=Page[StaffRecord],
    ),
    Operation(
        *("POST", _ALL, "add_staff", "Give an account a role in a brand.", "staff", _STAFF, _add),
        body=NewStaff,
        reply=StaffRecord,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_staff", "One of them.", "staff", _STAFF, _get),
        reply=StaffRecord,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_staff", "Give another role.", "staff", _STAFF, _change),
        body=StaffPatch,
        reply=StaffRecord,
        etag=True,
    ),
    Operation(
        *("DELETE", _ONE, "remove_staff", "Let somebody go.", "staff", _STAFF, _remove),
        etag=True,
    ),
    Operation(
        *("GET", "/brands/{brand}/keys", "list_keys", "The API keys of a brand.", "staff", _STAFF, _keys),
        query=PageQuery,
        reply=Page[KeyRecord],
    ),
    Operation(
        *(
            "POST",
            "/brands/{brand}/keys",
            "create_key",
            "Make an API key; its token is shown this once.",
            "staff",
            _STAFF,
            _make_key,
        ),
        body=NewKey,
        reply=MadeKey,
        status=201,
    ),
    Operation(
        *("DELETE", "/brands/{brand}/keys/{key}", "revoke_key", "End an API key.", "staff", _STAFF, _revoke_key),
    ),
)
