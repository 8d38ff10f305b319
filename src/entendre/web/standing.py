"""Whose home a request is about: what its credentials say, and for whoever runs the server what it asks for."""

from __future__ import annotations

from aiohttp import web

from entendre.core.home import HOME
from entendre.fleet.access import Permission, Principal, permissions_in_household
from entendre.session.api import Standing
from entendre.web.bodies import text_of
from entendre.web.faults import Fault, invalid
from entendre.web.guard import PRINCIPAL, principal_of
from entendre.web.services import SERVICES, WebServices

MAX_HOUSEHOLD_CHARS = 64
PARAMETER = "household"
STANDING: web.RequestKey[Standing] = web.RequestKey("standing", Standing)
"""Where a connection's request carries what it speaks for."""


async def household_of(request: web.Request, body: dict[str, object]) -> str:
    """The household that a request with a body is about. Raises: Fault."""
    services = request.app[SERVICES]
    named = text_of(body, PARAMETER, MAX_HOUSEHOLD_CHARS, "") or None
    standing = await _standing(request.get(PRINCIPAL), named, services)
    if standing.device is None:
        return standing.household or HOME
    own = await services.homes.household_of(standing.device) if services.homes is not None else None
    if own is None:
        raise Fault(403, "forbidden", "This device is in no household yet.")
    return own


def account_of(request: web.Request) -> str | None:
    """The person who asks; None if it is a program or a device."""
    principal = request.get(PRINCIPAL)
    return principal.id if isinstance(principal, Principal) and principal.kind == "person" else None


async def standing_of(request: web.Request) -> Standing:
    """What a connection speaks for; its query may name a household. Raises: Fault."""
    named = request.query.get(PARAMETER, "")[:MAX_HOUSEHOLD_CHARS] or None
    request[STANDING] = standing = await _standing(request.get(PRINCIPAL), named, request.app[SERVICES])
    return standing


async def may_stay(request: web.Request) -> bool:
    """Whether a connection that `standing_of` let in would be let in now, to the same home. Raises: StoreError."""
    services, before = request.app[SERVICES], request[STANDING]
    try:
        return await _standing(await principal_of(request, services), before.household, services) == before
    except Fault:
        return False


async def _standing(principal: object | None, named: str | None, services: WebServices) -> Standing:
    match principal:
        case Principal(kind="person"):
            return Standing(household=await _of_member(principal, named, services), account=principal.id)
        case Principal(kind="device"):
            if named is not None:
                raise invalid("A device speaks for the household that it is in.", PARAMETER)
            return Standing(device=principal.id, brand=principal.brand)
    if named is None or named == HOME:
        return Standing()
    if services.homes is None or await services.homes.home(named) is None:
        raise _unknown()
    return Standing(household=named)


async def _of_member(who: Principal, named: str | None, services: WebServices) -> str:
    places = await services.homes.places_of(who.id) if services.homes is not None else {}
    usable = [
        household
        for household, place in places.items()
        if Permission.HOUSEHOLD_USE in permissions_in_household(who, place)
    ]
    if named is not None:
        if named not in usable:
            raise _unknown()
        return named
    if not usable:
        raise Fault(403, "forbidden", "You are in no household yet.")
    if len(usable) > 1:
        raise invalid("You are in several households: say which.", PARAMETER, "missing_required_parameter")
    return usable[0]


def _unknown() -> Fault:
    return Fault(404, "not_found", "There is no such household.", PARAMETER)
