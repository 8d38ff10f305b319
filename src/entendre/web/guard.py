"""Who may ask: keys, and protection of a local server against other people's web pages."""

from __future__ import annotations

import ipaddress
import logging
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from entendre.core.errors import ConfigurationError
from entendre.fleet.access import Principal
from entendre.ports import KeyRecord
from entendre.web.api.authorise import ACCESS_TOKEN, DEVICE_TOKEN
from entendre.web.api.bind import is_api
from entendre.web.api.sign_in import PATHS as SIGN_IN_PATHS
from entendre.web.faults import Fault, route_of
from entendre.web.services import SERVICES, WebServices

log = logging.getLogger(__name__)

KEY_SUBPROTOCOL = "openai-insecure-api-key."
"""Prefix of the WebSocket subprotocol in which browsers send a key. Source: OpenAI Realtime with WebSocket."""
MAX_KEY_CHARS = 256
PRINCIPAL: web.RequestKey[object | None] = web.RequestKey("principal", object)
"""Where a request carries what its key stands for."""
STATELESS = frozenset({"/v1/models", "/v1/audio/transcriptions", "/v1/audio/speech"})
"""What touches nobody's home: the keys of brands may use it."""
OPERATORS_ALONE = ("/v1/devices",)
PERSONAL_TOKENS = (DEVICE_TOKEN, ACCESS_TOKEN)
OPEN_PREFIXES = ("/static/",)
OPEN_PATHS = frozenset({"/", "/healthz", "/readyz", "/favicon.ico"}) | SIGN_IN_PATHS
"""Served without a key: they tell nothing and change nothing, or ask for a password themselves."""


def check_bind(host: str, has_keys: bool) -> None:
    """Refuse to listen beyond this machine while everybody could use the server.

    Raises: ConfigurationError, which says what to do.
    """
    if has_keys or _is_loopback(host):
        return
    raise ConfigurationError(
        f"Refusing to listen on {host or 'every address'} without an API key: anybody who reaches it could use it. "
        "Make a key with `entendre keys create`, or listen on 127.0.0.1."
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Let in requests that come from where they may come from and carry a key where one is needed."""
    services = request.app[SERVICES]
    if _is_door(request, services):
        check_origin(request)
        return await handler(request)
    if not services.require_key:
        check_host(request.headers.get(hdrs.HOST, ""))
    check_origin(request)
    if request.path not in OPEN_PATHS and not request.path.startswith(OPEN_PREFIXES) and not is_api(request.path):
        request[PRINCIPAL] = await principal_of(request, services)
        _require_operator(request, request[PRINCIPAL])
    return await handler(request)


def _is_door(request: web.Request, services: WebServices) -> bool:
    resource = request.match_info.route.resource
    return resource is not None and any(door.path == resource.canonical for door in services.doors)


def check_host(host: str) -> None:
    """Refuse names that are not ours: DNS rebinding makes a stranger's name point here, and its page has no key.

    An IP address cannot be rebound. Raises: Fault.
    """
    name = _host_name(host)
    if name == "localhost" or name.endswith(".localhost"):
        return
    try:
        ipaddress.ip_address(name)
    except ValueError:
        message = "Without API keys this server answers to its IP address and to localhost only."
        raise Fault(403, "host_not_allowed", message) from None


def check_origin(request: web.Request) -> None:
    """Refuse other people's pages: a browser names the page's origin, which has to be this very host.

    Raises: Fault.
    """
    origin = request.headers.get(hdrs.ORIGIN)
    if origin is None or (request.method in (hdrs.METH_GET, hdrs.METH_HEAD) and not _upgrades(request)):
        return
    if _authority(origin) != request.headers.get(hdrs.HOST, "").lower():
        raise Fault(403, "origin_not_allowed", "Requests from other sites are refused.")


def _upgrades(request: web.Request) -> bool:
    return "websocket" in request.headers.get(hdrs.UPGRADE, "").lower()


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _host_name(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _require_operator(request: web.Request, principal: object | None) -> None:
    """Keep what belongs to the home from keys of brands, and devices from people and devices. Raises: Fault."""
    of_brand = isinstance(principal, KeyRecord) and principal.brand is not None
    personal = isinstance(principal, Principal) and request.path.startswith(OPERATORS_ALONE)
    if personal or (of_brand and request.path not in STATELESS):
        raise Fault(403, "forbidden", "This key may not do this.")


async def principal_of(request: web.Request, services: WebServices) -> object | None:
    """What the request's key stands for. Where no key is needed any will do: SDKs insist on sending one.

    Tokens of people and devices are never just any key. Raises: Fault.
    """
    key = presented_key(request)
    if key is not None and key.startswith(PERSONAL_TOKENS):
        return await _personal(key, services)
    principal = await services.verify_key(key) if key else None
    if principal is None and services.require_key:
        log.info("request without a valid key", extra={"route": route_of(request)})
        message = "The API key is unknown." if key else "This server needs an API key: Authorization: Bearer <key>."
        raise Fault(401, "invalid_api_key", message, headers={"WWW-Authenticate": "Bearer"})
    return principal


async def _personal(token: str, services: WebServices) -> Principal:
    """The person or the device of a token. Raises: Fault."""
    login = None
    if services.api is not None:
        login = services.api.device_login if token.startswith(DEVICE_TOKEN) else services.api.person_login
    found = await login(token) if login is not None else None
    if found is None:
        raise Fault(401, "unauthorized", "The token is unknown or over.", headers={"WWW-Authenticate": "Bearer"})
    return found


def presented_key(request: web.Request) -> str | None:
    """The key of a request: a bearer token, or for browsers' WebSockets a subprotocol."""
    scheme, _, key = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    if scheme.lower() != "bearer" or not key:
        offered = request.headers.get(hdrs.SEC_WEBSOCKET_PROTOCOL, "").split(",")
        keys = [name.strip().removeprefix(KEY_SUBPROTOCOL) for name in offered if KEY_SUBPROTOCOL in name]
        key = keys[0] if keys else ""
    return key.strip()[:MAX_KEY_CHARS] or None
