"""Who calls, and whether they may: what a caller may not know of is answered as if it did not exist."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from entendre.fleet.access import (
    Permission,
    Principal,
    permissions_in_brand,
    permissions_in_household,
    permissions_in_region,
)
from entendre.ports.access import KeyRecord
from entendre.web.api.services import ApiServices
from entendre.web.faults import Fault

NOBODY = Principal("nobody", "nobody")
ANYBODY_HERE = Principal("operator", "http")
"""Who calls where no key is needed: on a loopback server, whoever uses the machine."""
MAX_TOKEN_CHARS = 256
DEVICE_TOKEN = "entd_"
ACCESS_TOKEN = "enta_"


async def principal_of(request: web.Request, services: ApiServices) -> Principal:
    """Who a request's token stands for; nobody for an unknown one, or none where one is needed."""
    header = request.headers.get(hdrs.AUTHORIZATION)
    if header is None:
        return NOBODY if services.require_key else ANYBODY_HERE
    scheme, _, token = header.partition(" ")
    token = token.strip()
    if scheme.lower() != "bearer" or not token or len(token) > MAX_TOKEN_CHARS or not token.isascii():
        return NOBODY
    if token.startswith(DEVICE_TOKEN):
        return await _logged_in(services.device_login, token)
    if token.startswith(ACCESS_TOKEN):
        return await _logged_in(services.person_login, token)
    key = await services.verify_key(token)
    return NOBODY if key is None else principal_of_key(key)


def principal_of_key(key: KeyRecord) -> Principal:
    """Who an API key stands for: staff of its brand, or without a brand whoever runs the server."""
    if key.brand is None:
        return Principal("operator", f"key:{key.id}")
    return Principal("key", key.id, brand=key.brand, role=key.role)


async def _logged_in(login: Callable[[str], Awaitable[Principal | None]] | None, token: str) -> Principal:
    found = await login(token) if login is not None else None
    return found or NOBODY


async def permitted_path(
    who: Principal, permission: Permission | None, path: dict[str, str], services: ApiServices
) -> dict[str, str]:
    """The path with ids for names, if the caller may. Raises: Fault 401, 403, 404."""
    if permission is not None and who.kind == "nobody":
        headers = {"WWW-Authenticate": "Bearer"}
        raise Fault(401, "unauthorized", "Send a valid key or token: Authorization: Bearer …", headers=headers)
    held = permissions_in_region(who)
    resolved = dict(path)
    if "brand" in path:
        resolved["brand"] = await _named(services.brand_named, path["brand"], "brand")
        held |= await _in_brand(who, resolved["brand"], services, hidden=permission is not None)
    if "household" in path:
        resolved["household"] = await _named(services.household_named, path["household"], "household")
        held |= await _in_household(who, resolved["household"], services, hidden=permission is not None)
    if permission is not None and permission not in held:
        raise Fault(403, "forbidden", "You may not do this.")
    return resolved


async def _in_brand(who: Principal, brand: str, services: ApiServices, *, hidden: bool) -> frozenset[Permission]:
    asks = who.kind == "person" and services.role_in is not None
    role = await services.role_in(brand, who.id) if asks and services.role_in is not None else None
    held = permissions_in_brand(who, brand, role)
    if hidden and not held:
        raise _unknown("brand")
    return held


async def _in_household(
    who: Principal, household: str, services: ApiServices, *, hidden: bool
) -> frozenset[Permission]:
    asks = who.kind == "person" and services.place_in is not None
    place = await services.place_in(household, who.id) if asks and services.place_in is not None else None
    held = permissions_in_household(who, place)
    if hidden and not held:
        raise _unknown("household")
    return held


async def _named(find: Callable[[str], Awaitable[str | None]] | None, name: str, what: str) -> str:
    found = await find(name) if find is not None else None
    if found is None:
        raise _unknown(what)
    return found


def _unknown(what: str) -> Fault:
    return Fault(404, "not_found", f"There is no such {what}.")
