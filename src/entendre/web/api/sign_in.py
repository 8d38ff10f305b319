"""The pages of OAuth: typing a device's code, and signing in for a program that sent its person here.

Nothing is kept between requests and there is no cookie: every approval carries the login and the password itself, so
that no page of somebody else can make a browser approve anything.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from aiohttp.typedefs import Handler

from entendre.core.errors import EntendreError, InvalidInputError
from entendre.core.quotas import quota_address
from entendre.fleet.oauth import SCOPE, may_return, origin_of
from entendre.ports.accounts import OAuthClient
from entendre.web.api.addresses import address_of, base_of
from entendre.web.api.form_data import form_of, once
from entendre.web.api.forms import Form
from entendre.web.api.oauth import metadata
from entendre.web.api.services import API, ApiServices, needed

DEVICE, AUTHORIZE, METADATA = "/device", "/oauth/authorize", "/.well-known/oauth-authorization-server"
PATHS = frozenset({DEVICE, AUTHORIZE, METADATA})
MAX_VALUE_CHARS = 500
CHALLENGE = re.compile(r"[A-Za-z0-9_-]{43}")
"""An S256 challenge: 32 bytes in base64url."""
KEPT = ("response_type", "client_id", "redirect_uri", "code_challenge", "code_challenge_method", "scope", "state")


def bind_pages(app: web.Application) -> None:
    """Add the pages, and where programs find everything."""
    for path, answer in ((DEVICE, _device), (AUTHORIZE, _authorize)):
        app.router.add_get(path, _limited(answer))
        app.router.add_post(path, _limited(answer))
    app.router.add_get(METADATA, _limited(_metadata))


def _limited(handler: Handler) -> Handler:
    async def handle(request: web.Request) -> web.StreamResponse:
        services = request.app[API]
        if services.rates is not None:
            services.rates.take(f"address {quota_address(_address(request))}")
        return await handler(request)

    return handle


async def _metadata(request: web.Request) -> web.Response:
    return await metadata(request, _base(request))


# -- the device flow ---------------------------------------------------------------------------------------------------


async def _device(request: web.Request) -> web.Response:
    form = Form(request)
    try:
        given = await _given(request)
    except InvalidInputError as error:
        form.say("bad_request", "wrong", reason=error.public_message.rstrip("."))
        return form.page("failed_title", 400)
    code = given.get("user_code", "")
    if request.method != "POST" or not code:
        return _code_page(form, code)
    try:
        return await _decided(request, form, given)
    except EntendreError as error:
        return _code_page(form, code, form.wrong(error))


def _code_page(form: Form, code: str, status: int = 200) -> web.Response:
    form.say("device_lead")
    form.open(DEVICE, {})
    form.code(code)
    form.close("continue")
    return form.page("device_title", status)


async def _decided(request: web.Request, form: Form, given: Mapping[str, str]) -> web.Response:
    services, code, address = request.app[API], given["user_code"], _address(request)
    grants = needed(services.grants)
    asking = await grants.asking(code, address=address)
    decision, status = given.get("decision"), 200
    if decision == "deny":
        await grants.decide(code, None, address=address)
        form.say("denied", client=form.client(asking.client))
        return form.page("denied_title")
    if decision == "approve":
        try:
            account = await _signed_in(services, given, address)
        except EntendreError as error:
            status = form.wrong(error)
        else:
            await grants.decide(code, account, address=address)
            form.say("approved", client=form.client(asking.client))
            return form.page("approved_title")
    minutes = max(0, round((services.clock.wall() - asking.created_at_s) / 60.0))
    form.say("asks", "who", client=form.client(asking.client))
    form.say("asked" if minutes else "asked_now", address=asking.address, minutes=minutes)
    form.open(DEVICE, {"user_code": code})
    form.credentials(given.get("login", ""))
    form.close("approve", "deny")
    return form.page("device_title", status)


# -- the authorization code flow ---------------------------------------------------------------------------------------


async def _authorize(request: web.Request) -> web.Response:
    form = Form(request)
    try:
        given = await _given(request)
        client = await _client(request, given)
    except InvalidInputError as error:
        form.say("bad_request", "wrong", reason=error.public_message.rstrip("."))
        return form.page("failed_title", 400)
    wrong = _wrong_with(given)
    if wrong is not None:
        return _back(request, given, {"error": wrong})
    if request.method == "POST" and given.get("decision") == "deny":
        return _back(request, given, {"error": "access_denied"})
    status = 200
    if request.method == "POST":
        try:
            return await _granted(request, client, given)
        except EntendreError as error:
            status = form.wrong(error)
    origin = origin_of(given["redirect_uri"])
    form.say("sign_in_lead", "who", client=form.client(client), origin=origin)
    form.open(AUTHORIZE, {name: given[name] for name in KEPT if name in given})
    form.credentials(given.get("login", ""))
    form.close("approve", "deny")
    return form.page("sign_in_title", status, sends_to=origin)


async def _client(request: web.Request, given: Mapping[str, str]) -> OAuthClient:
    """Who asks. A browser is sent back only to where this program may have it sent. Raises: InvalidInputError."""
    client = await needed(request.app[API].grants).client(given.get("client_id", ""))
    if client is None:
        raise InvalidInputError("client_id is unknown.")
    if not may_return(given.get("redirect_uri", ""), client.redirect_uris):
        raise InvalidInputError("redirect_uri is not registered.")
    return client


def _wrong_with(given: Mapping[str, str]) -> str | None:
    if given.get("response_type") != "code":
        return "unsupported_response_type"
    if given.get("code_challenge_method") != "S256" or not CHALLENGE.fullmatch(given.get("code_challenge", "")):
        return "invalid_request"
    return None if given.get("scope", "") in ("", SCOPE) else "invalid_scope"


async def _granted(request: web.Request, client: OAuthClient, given: Mapping[str, str]) -> web.Response:
    services = request.app[API]
    account = await _signed_in(services, given, _address(request))
    code = await needed(services.grants).grant(
        client.id, account, given["redirect_uri"], given["code_challenge"], SCOPE
    )
    return _back(request, given, {"code": code})


def _back(request: web.Request, given: Mapping[str, str], answer: Mapping[str, str]) -> web.Response:
    """Send the browser back to the program. `iss` tells it who answered (RFC 9207)."""
    added = {**answer, "iss": _base(request)}
    if "state" in given:
        added["state"] = given["state"]
    parts = urlsplit(given["redirect_uri"])
    query = "&".join(each for each in (parts.query, urlencode(added)) if each)
    headers = {"Location": urlunsplit(parts._replace(query=query)), "Cache-Control": "no-store"}
    return web.Response(status=303, headers=headers | {"Referrer-Policy": "no-referrer"})


# -- both --------------------------------------------------------------------------------------------------------------


async def _signed_in(services: ApiServices, given: Mapping[str, str], address: str) -> str:
    """The account that signs in. Raises: EntendreError."""
    login, password = given.get("login", ""), given.get("password", "")
    return (await needed(services.accounts).authenticate(login, password, address=address)).id


async def _given(request: web.Request) -> dict[str, str]:
    """The fields of the query or the form. Raises: InvalidInputError."""
    if request.method == "POST":
        given = await form_of(request)
    else:
        given = once(parse_qsl(request.query_string, keep_blank_values=True))
    if any(len(value) > MAX_VALUE_CHARS for value in given.values()):
        raise InvalidInputError(f"A value is longer than {MAX_VALUE_CHARS} characters.")
    return given


def _address(request: web.Request) -> str:
    return address_of(request, request.app[API].trusted_proxies)


def _base(request: web.Request) -> str:
    services = request.app[API]
    return base_of(request, services.public_url, services.trusted_proxies)
