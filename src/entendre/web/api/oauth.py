"""OAuth 2.1 for programs: device codes, tokens and their end. Errors have the shape that the RFCs want."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from aiohttp import web
from msgspec import Meta, Struct

from entendre.core.errors import InvalidInputError
from entendre.fleet.oauth import SCOPE
from entendre.ports.accounts import OAuthClient, Refused, Tokens
from entendre.web.api.addresses import base_of
from entendre.web.api.call import Call, Reply
from entendre.web.api.form_data import FORM, form_of
from entendre.web.api.operation import Operation
from entendre.web.api.services import needed

DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
VERIFIER = re.compile(r"[A-Za-z0-9._~-]{43,128}")
"""Source: RFC 7636 section 4.1."""

Text = Annotated[str, Meta(max_length=500)]


class OAuthProblem(Struct, omit_defaults=True):
    """An error as RFC 6749 section 5.2 and RFC 8628 section 3.5 have it."""

    error: Literal[
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "invalid_scope",
        "unsupported_grant_type",
        "authorization_pending",
        "slow_down",
        "access_denied",
        "expired_token",
    ]
    error_description: str = ""


class DeviceRequest(Struct):
    """A program without a browser asks for codes."""

    client_id: Text
    scope: Text = SCOPE


class DeviceAnswer(Struct):
    """Poll with `device_code`; show or say `user_code`, and where to type it."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class TokenRequest(Struct):
    """A code, a device code or a refresh token, for tokens."""

    grant_type: Literal["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"]
    client_id: Text
    code: Text = ""
    redirect_uri: Text = ""
    code_verifier: Annotated[str, Meta(max_length=128)] = ""
    device_code: Text = ""
    refresh_token: Text = ""


class TokenAnswer(Struct):
    """An access token for `Authorization: Bearer`, and the refresh token that gets the next pair, once."""

    access_token: str
    token_type: Literal["Bearer"]
    expires_in: int
    refresh_token: str
    scope: str


class RevokeRequest(Struct):
    """A token that is not needed any more."""

    client_id: Text
    token: Text
    token_type_hint: Text = ""


def _problem(error: str, description: str = "") -> Reply:
    headers = {"Cache-Control": "no-store"}
    return Reply(OAuthProblem(error, description), status=400, headers=headers)  # type: ignore[arg-type]


async def _asked(call: Call) -> tuple[dict[str, str], OAuthClient | None] | Reply:
    """The form and the program that sent it; what is wrong with it otherwise."""
    try:
        form = await form_of(call.request)
    except InvalidInputError as error:
        return _problem("invalid_request", error.public_message)
    if any(len(value) > 500 for value in form.values()):
        return _problem("invalid_request", "A value is longer than 500 characters.")
    if not form.get("client_id"):
        return _problem("invalid_request", "client_id is missing.")
    return form, await needed(call.services.grants).client(form["client_id"])


async def _device(call: Call) -> Reply:
    asked = await _asked(call)
    if isinstance(asked, Reply):
        return asked
    form, client = asked
    if client is None:
        return _problem("invalid_client", "There is no such program.")
    if form.get("scope", SCOPE) not in ("", SCOPE):
        return _problem("invalid_scope", f"The one scope is {SCOPE}.")
    codes = await needed(call.services.grants).ask(client.id, SCOPE, address=call.address)
    page = f"{base_of(call.request, call.services.public_url, call.services.trusted_proxies)}/device"
    whole = f"{page}?user_code={codes.user_code}"
    answer = DeviceAnswer(
        codes.device_code, codes.user_code, page, whole, int(codes.expires_in_s), int(codes.interval_s)
    )
    return Reply(answer)


async def _token(call: Call) -> Reply:
    asked = await _asked(call)
    if isinstance(asked, Reply):
        return asked
    form, client = asked
    if client is None:
        return _problem("invalid_client", "There is no such program.")
    grants = needed(call.services.grants)
    given: Tokens | Refused
    match form.get("grant_type"):
        case "authorization_code":
            verifier = form.get("code_verifier", "")
            if not VERIFIER.fullmatch(verifier):
                return _problem("invalid_request", "code_verifier has 43 to 128 characters: PKCE is required.")
            given = await grants.redeem(client.id, form.get("code", ""), form.get("redirect_uri", ""), verifier)
        case "refresh_token":
            given = await grants.refresh(client.id, form.get("refresh_token", ""))
        case grant_type if grant_type == DEVICE_GRANT:
            given = await grants.poll(client.id, form.get("device_code", ""))
        case None:
            return _problem("invalid_request", "grant_type is missing.")
        case _:
            return _problem("unsupported_grant_type")
    if not isinstance(given, Tokens):
        return _problem(given)
    answer = TokenAnswer(given.access_token, "Bearer", int(given.expires_in_s), given.refresh_token, given.scope)
    return Reply(answer, headers={"Cache-Control": "no-store", "Pragma": "no-cache"})


async def _revoke(call: Call) -> Reply:
    asked = await _asked(call)
    if isinstance(asked, Reply):
        return asked
    form, client = asked
    if client is None:
        return _problem("invalid_client", "There is no such program.")
    if not form.get("token"):
        return _problem("invalid_request", "token is missing.")
    await needed(call.services.grants).revoke(client.id, form["token"])
    return Reply(Revoked())


class Revoked(Struct):
    """Nothing: a token that is unknown counts as ended. Source: RFC 7009 section 2.2."""


async def metadata(request: web.Request, base: str) -> web.Response:
    """Where everything is. Source: RFC 8414."""
    root = f"{base}/api/v1/oauth"
    return web.json_response(
        {
            "issuer": base,
            "authorization_endpoint": f"{base}/oauth/authorize",
            "device_authorization_endpoint": f"{root}/device_authorization",
            "token_endpoint": f"{root}/token",
            "revocation_endpoint": f"{root}/revoke",
            "response_types_supported": ["code"],
            "grant_types_supported": ["authorization_code", "refresh_token", DEVICE_GRANT],
            "code_challenge_methods_supported": ["S256"],
            "token_endpoint_auth_methods_supported": ["none"],
            "revocation_endpoint_auth_methods_supported": ["none"],
            "scopes_supported": [SCOPE],
            "authorization_response_iss_parameter_supported": True,
        }
    )


_ERRORS = ("timeout", "too_large")
OPERATIONS = (
    Operation(
        *("POST", "/oauth/device_authorization", "start_device_flow", "Ask for codes (RFC 8628).", "oauth"),
        permission=None,
        handler=_device,
        body=DeviceRequest,
        reply=DeviceAnswer,
        errors=_ERRORS,
        accepts=FORM,
        error_body=OAuthProblem,
    ),
    Operation(
        *("POST", "/oauth/token", "get_tokens", "Codes or a refresh token for tokens (OAuth 2.1).", "oauth"),
        permission=None,
        handler=_token,
        body=TokenRequest,
        reply=TokenAnswer,
        errors=_ERRORS,
        accepts=FORM,
        error_body=OAuthProblem,
    ),
    Operation(
        *("POST", "/oauth/revoke", "revoke_token", "End a token and what came of its sign-in (RFC 7009).", "oauth"),
        permission=None,
        handler=_revoke,
        body=RevokeRequest,
        reply=Revoked,
        errors=_ERRORS,
        accepts=FORM,
        error_body=OAuthProblem,
    ),
)
