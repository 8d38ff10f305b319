"""Accounts, for whoever runs the server and for the person; and the programs that may ask people to sign in."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta, Struct

from entendre.core.attempts import Attempts
from entendre.core.errors import UnauthorizedError
from entendre.core.quotas import quota_address
from entendre.core.roles import Role
from entendre.fleet.access import Permission
from entendre.fleet.oauth import MAX_URI_CHARS
from entendre.ports.accounts import AccountChanges, AccountRecord, NewAccount, OAuthClient
from entendre.web.api.brands import Label
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed
from entendre.web.faults import Fault

SIGN_UPS_OF_ADDRESS = 5
SIGN_UP_RECOVERY_S = 600.0

Password = Annotated[str, Meta(min_length=1, max_length=200)]
Language = Annotated[str, Meta(max_length=35)]
Country = Annotated[str, Meta(max_length=2)]


class AccountBody(Struct, forbid_unknown_fields=True):
    """An account to be."""

    login: Annotated[str, Meta(min_length=3, max_length=254)]
    display_name: Label
    password: Password | None = None
    language: Language | None = None
    country: Country | None = None


class AccountPatch(Struct, forbid_unknown_fields=True):
    """What to change of an account; what is absent stays, an empty language or country is cleared."""

    display_name: Label | None = None
    language: Language | None = None
    country: Country | None = None
    disabled: bool | None = None


class MyPatch(Struct, forbid_unknown_fields=True):
    """What people change of themselves; what is absent stays, an empty language or country is cleared."""

    display_name: Label | None = None
    language: Language | None = None
    country: Country | None = None


class PasswordReset(Struct, forbid_unknown_fields=True):
    """A new password."""

    password: Password


class PasswordChange(Struct, forbid_unknown_fields=True):
    """The old password and a new one."""

    old: Password
    new: Password


class BrandRole(Struct):
    """A brand that a person works for."""

    brand: str
    role: Role


class SignedIn(Struct):
    """Who is signed in."""

    account: AccountRecord
    brands: tuple[BrandRole, ...]


class AskingProgram(Struct):
    """The program behind a user code."""

    client: str
    address: str
    created_at_s: float


class Decision(Struct, forbid_unknown_fields=True):
    """Whether to let the program in."""

    approve: bool


class ClientBody(Struct, forbid_unknown_fields=True):
    """A program that may ask people to sign in, and where their browsers may be sent back to."""

    name: Label
    redirect_uris: Annotated[
        tuple[Annotated[str, Meta(min_length=1, max_length=MAX_URI_CHARS)], ...], Meta(max_length=10)
    ] = ()


async def _create(call: Call) -> Reply:
    if call.principal.kind != "operator":
        _let_sign_up(call)
    directory = call.services.directory
    if directory is not None:  # first: a login that lives in another region is not to have a second account
        await directory.enter_login(call.body.login, call.services.region)
    by = call.principal.actor if call.principal.kind == "operator" else ""
    made = await needed(call.services.accounts).create(NewAccount(**msgspec.structs.asdict(call.body)), by=by)
    return Reply(made, etag=str(made.version))


def _let_sign_up(call: Call) -> None:
    """Raises: Fault, ThrottledError."""
    if call.services.sign_up != "open":
        kind = call.principal.kind
        raise Fault(*((401, "unauthorized") if kind == "nobody" else (403, "forbidden")), "Sign-up is closed.")
    if call.body.password is None:
        raise Fault(400, "invalid_input", "password is missing.", "password")
    sign_ups = call.services.sign_ups
    if sign_ups is None:
        sign_ups = call.services.sign_ups = Attempts(SIGN_UPS_OF_ADDRESS, SIGN_UP_RECOVERY_S)
    sign_ups.take(quota_address(call.address), call.services.clock.monotonic())


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.accounts).accounts(after=after[0] if after else "", limit=call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.accounts).account(call.path["account"])
    return Reply(found, etag=str(found.version))


async def _change(call: Call) -> Reply:
    return await _changed(call, call.path["account"])


async def _changed(call: Call, account: str) -> Reply:
    changes = AccountChanges(**msgspec.structs.asdict(call.body))
    accounts, version = needed(call.services.accounts), version_of(call.if_match)
    changed = await accounts.change(account, changes, by=call.principal.actor, version=version)
    return Reply(changed, etag=str(changed.version))


async def _reset(call: Call) -> Reply:
    accounts = needed(call.services.accounts)
    await accounts.set_password(call.path["account"], call.body.password, by=call.principal.actor)
    return Reply()


async def _me(call: Call) -> Reply:
    account = await needed(call.services.accounts).account(call.principal.id)
    roles = await needed(call.services.staff).roles_of(account.id)
    return Reply(SignedIn(account, tuple(BrandRole(*each) for each in roles)), etag=str(account.version))


async def _change_me(call: Call) -> Reply:
    return await _changed(call, call.principal.id)


async def _change_password(call: Call) -> Reply:
    accounts, body = needed(call.services.accounts), call.body
    try:
        await accounts.change_password(call.principal.id, body.old, body.new, address=call.address)
    except UnauthorizedError:  # the token is right: programs that read 401 would renew it and try again
        raise Fault(403, "forbidden", "The old password is wrong.", "old") from None
    return Reply()


async def _end_sessions(call: Call) -> Reply:
    await needed(call.services.grants).end_all(call.principal.id)
    return Reply()


async def _asking(call: Call) -> Reply:
    asking = await needed(call.services.grants).asking(call.path["code"], address=call.principal.actor)
    return Reply(AskingProgram(asking.client.name, asking.address, asking.created_at_s))


async def _decide(call: Call) -> Reply:
    account = call.principal.id if call.body.approve else None
    await needed(call.services.grants).decide(call.path["code"], account, address=call.principal.actor)
    return Reply()


async def _clients(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.grants).clients(after=after[0] if after else "", limit=call.query.limit + 1)
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _register(call: Call) -> Reply:
    grants, body = needed(call.services.grants), call.body
    return Reply(await grants.register(body.name, body.redirect_uris, by=call.principal.actor))


async def _unregister(call: Call) -> Reply:
    await needed(call.services.grants).unregister(call.path["client"], by=call.principal.actor)
    return Reply()


_P = Permission
_ONE, _CODE = "/accounts/{account}", "/me/device-codes/{code}"
OPERATIONS = (
    Operation(
        *("GET", "/accounts", "list_accounts", "Every account.", "accounts", _P.REGION_READ, _list),
        query=PageQuery,
        reply=Page[AccountRecord],
    ),
    Operation(
        *("POST", "/accounts", "create_account", "Make an account, or sign up where that is open.", "accounts"),
        permission=None,
        handler=_create,
        body=AccountBody,
        reply=AccountRecord,
        status=201,
        errors=("unauthorized", "already_exists", "conflict"),
    ),
    Operation(
        *("GET", _ONE, "get_account", "An account, by id or login.", "accounts", _P.REGION_READ, _get),
        reply=AccountRecord,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_account", "Change or disable an account.", "accounts", _P.REGION_WRITE, _change),
        body=AccountPatch,
        reply=AccountRecord,
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/password", "reset_password", "Set a password and end every session.", "accounts"),
        permission=_P.REGION_WRITE,
        handler=_reset,
        body=PasswordReset,
    ),
    Operation(*("GET", "/me", "get_me", "Who is signed in.", "me", _P.ACCOUNT_SELF, _me), reply=SignedIn, etag=True),
    Operation(
        *("PATCH", "/me", "change_me", "Change oneself.", "me", _P.ACCOUNT_SELF, _change_me),
        body=MyPatch,
        reply=AccountRecord,
        etag=True,
    ),
    Operation(
        *("POST", "/me/password", "change_password", "Change the password and end every session.", "me"),
        permission=_P.ACCOUNT_SELF,
        handler=_change_password,
        body=PasswordChange,
    ),
    Operation(
        *("DELETE", "/me/sessions", "end_sessions", "Sign out everywhere.", "me", _P.ACCOUNT_SELF, _end_sessions)
    ),
    Operation(
        *("GET", _CODE, "get_device_code", "The program behind a user code.", "me", _P.ACCOUNT_SELF, _asking),
        reply=AskingProgram,
    ),
    Operation(
        *("POST", _CODE, "decide_device_code", "Let the program in, or refuse it.", "me", _P.ACCOUNT_SELF, _decide),
        body=Decision,
    ),
    Operation(
        *("GET", "/oauth-clients", "list_oauth_clients", "Registered programs.", "oauth", _P.REGION_READ, _clients),
        query=PageQuery,
        reply=Page[OAuthClient],
    ),
    Operation(
        *("POST", "/oauth-clients", "create_oauth_client", "Register a program.", "oauth", _P.REGION_WRITE, _register),
        body=ClientBody,
        reply=OAuthClient,
        status=201,
        idempotent=True,
    ),
    Operation(
        *("DELETE", "/oauth-clients/{client}", "remove_oauth_client", "Remove a program and end its tokens.", "oauth"),
        permission=_P.REGION_WRITE,
        handler=_unregister,
    ),
)
