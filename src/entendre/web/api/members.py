"""Members of a household, and the codes by which they come in."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.core.roles import Place
from entendre.fleet.access import Permission
from entendre.ports.households import Member, ShortCode
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.households import Label
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, page_of
from entendre.web.api.patches import after, given
from entendre.web.api.services import needed

Seconds = Annotated[float, Meta(ge=0, le=1e11)]
"""Unix seconds."""
TypedCode = Annotated[str, Meta(min_length=1, max_length=32)]


class Invitation(Struct, forbid_unknown_fields=True):
    """Whom to let in. `until_s`: when a guest leaves again; `spoken`: six digits instead of eight characters."""

    role: Place
    until_s: Seconds | None = None
    spoken: bool = False


class NewChild(Struct, forbid_unknown_fields=True):
    """A child's profile, without an account."""

    name: Label
    role: Literal["child"] = "child"


class MemberPatch(Struct, forbid_unknown_fields=True):
    """What to change of a member."""

    name: Label | UnsetType = UNSET
    role: Place | UnsetType = UNSET
    until_s: Seconds | UnsetType | None = UNSET


class Joining(Struct, forbid_unknown_fields=True):
    """A code that somebody was told, and what they are called there; without a name as their account is."""

    code: TypedCode
    name: Label | None = None


async def _list(call: Call) -> Reply:
    rows = await needed(call.services.members).page(call.path["household"], after(call), call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.members).get(call.path["household"], call.path["member"])
    return Reply(found, etag=str(found.version))


async def _invite(call: Call) -> Reply:
    members, body = needed(call.services.members), call.body
    return Reply(
        await members.invite(
            call.path["household"], body.role, until_s=body.until_s, spoken=body.spoken, by=call.principal.actor
        )
    )


async def _add_child(call: Call) -> Reply:
    members = needed(call.services.members)
    made = await members.add_child(call.path["household"], call.body.name, by=call.principal.actor)
    return Reply(made, etag=str(made.version))


async def _change(call: Call) -> Reply:
    changed = await needed(call.services.members).change(
        call.path["household"],
        call.path["member"],
        given(call.body),
        expected=version_of(call.if_match),
        by=call.principal.actor,
    )
    return Reply(changed, etag=str(changed.version))


async def _remove(call: Call) -> Reply:
    await needed(call.services.members).remove(call.path["household"], call.path["member"], by=call.principal.actor)
    return Reply()


async def _join(call: Call) -> Reply:
    body, account = call.body, call.principal.id
    name = body.name or (await needed(call.services.accounts).account(account)).display_name
    members = needed(call.services.members)
    return Reply(await members.join(body.code, account, name=name, by=call.principal.actor))


async def _leave(call: Call) -> Reply:
    members = needed(call.services.members)
    await members.leave(call.path["household"], call.principal.id, by=call.principal.actor)
    return Reply()


_P = Permission
_ALL = "/households/{household}/members"
_ONE = f"{_ALL}/{{member}}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_members", "Members of a household.", "members", _P.HOUSEHOLD_READ, _list),
        query=PageQuery,
        reply=Page[Member],
    ),
    Operation(
        *("POST", _ALL, "add_child", "Add a child's profile.", "members", _P.HOUSEHOLD_MEMBERS, _add_child),
        body=NewChild,
        reply=Member,
        status=201,
        idempotent=True,
    ),
    Operation(
        "POST",
        "/households/{household}/invitations",
        "invite_member",
        "Make a code that lets one person in, once, for ten minutes.",
        "members",
        _P.HOUSEHOLD_MEMBERS,
        _invite,
        body=Invitation,
        reply=ShortCode,
        status=201,
    ),
    Operation(
        *("GET", _ONE, "get_member", "A member.", "members", _P.HOUSEHOLD_READ, _get),
        reply=Member,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_member", "Change a member.", "members", _P.HOUSEHOLD_MEMBERS, _change),
        body=MemberPatch,
        reply=Member,
        errors=("conflict",),
        etag=True,
    ),
    Operation(
        *("DELETE", _ONE, "remove_member", "Remove a member.", "members", _P.HOUSEHOLD_MEMBERS, _remove),
        errors=("conflict",),
    ),
    Operation(
        *("POST", "/me/households", "join_household", "Join a household by a code.", "members", _P.ACCOUNT_SELF, _join),
        body=Joining,
        reply=Member,
        status=201,
        errors=("not_found", "conflict"),
    ),
    Operation(
        "DELETE",
        "/me/households/{household}",
        "leave_household",
        "Leave a household.",
        "members",
        _P.ACCOUNT_SELF,
        _leave,
        errors=("conflict",),
    ),
)
