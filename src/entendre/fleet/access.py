"""Who may do what: principals, roles and permissions.

A permission belongs to a scope: the whole region, one brand, one household, or one device. Brand staff hold theirs by
role in one brand, people theirs by role in one household, devices theirs for themselves alone. What a principal may not
know of, it is told does not exist.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from entendre.core.roles import Place as Place
from entendre.core.roles import Role as Role


class Permission(StrEnum):
    """What may be done; the part before the dot is the scope that it belongs to."""

    REGION_READ = "region.read"
    REGION_WRITE = "region.write"

    BRAND_READ = "brand.read"
    BRAND_WRITE = "brand.write"
    BRAND_STAFF = "brand.staff"
    BRAND_AUDIT = "brand.audit"
    BRAND_PRODUCTS = "brand.products"
    BRAND_ENROL = "brand.enrol"
    BRAND_DEVICES_READ = "brand.devices_read"
    BRAND_DEVICES_WRITE = "brand.devices_write"
    BRAND_COMMANDS = "brand.commands"
    BRAND_TELEMETRY = "brand.telemetry"
    BRAND_RELEASES_READ = "brand.releases_read"
    BRAND_RELEASES_WRITE = "brand.releases_write"
    BRAND_ROLLOUTS = "brand.rollouts"
    BRAND_WEBHOOKS = "brand.webhooks"

    HOUSEHOLD_READ = "household.read"
    HOUSEHOLD_USE = "household.use"
    HOUSEHOLD_WRITE = "household.write"
    HOUSEHOLD_MEMBERS = "household.members"
    HOUSEHOLD_CONSENT = "household.consent"
    HOUSEHOLD_EXPORT = "household.export"
    HOUSEHOLD_ERASE = "household.erase"
    HOUSEHOLD_AUDIT = "household.audit"

    DEVICE_SELF = "device.self"
    """A device about itself: its twin, commands, telemetry and releases."""
    ACCOUNT_SELF = "account.self"
    """A signed-in person about themselves."""


Kind = Literal["operator", "key", "person", "device", "nobody"]

_P = Permission
_VIEW = frozenset({_P.BRAND_READ, _P.BRAND_DEVICES_READ, _P.BRAND_RELEASES_READ})
_SUPPORT = _VIEW | {_P.BRAND_COMMANDS, _P.BRAND_TELEMETRY}
_ENGINEER = _SUPPORT | {
    _P.BRAND_PRODUCTS,
    _P.BRAND_ENROL,
    _P.BRAND_DEVICES_WRITE,
    _P.BRAND_RELEASES_WRITE,
    _P.BRAND_ROLLOUTS,
    _P.BRAND_WEBHOOKS,
}
STAFF: dict[Role, frozenset[Permission]] = {
    "viewer": _VIEW,
    "support": _SUPPORT,
    "engineer": _ENGINEER,
    "admin": _ENGINEER | {_P.BRAND_WRITE, _P.BRAND_STAFF, _P.BRAND_AUDIT},
}
_GUEST = frozenset({_P.HOUSEHOLD_USE})
_CHILD = _GUEST | {_P.HOUSEHOLD_READ}
_ADULT = _CHILD | {_P.HOUSEHOLD_WRITE, _P.HOUSEHOLD_CONSENT}
MEMBERS: dict[Place, frozenset[Permission]] = {
    "guest": _GUEST,
    "child": _CHILD,
    "adult": _ADULT,
    "owner": _ADULT | {_P.HOUSEHOLD_MEMBERS, _P.HOUSEHOLD_EXPORT, _P.HOUSEHOLD_ERASE, _P.HOUSEHOLD_AUDIT},
}
OPERATOR = frozenset(
    each
    for each in Permission
    if each.value.startswith(("region.", "brand.", "household.")) and each != _P.HOUSEHOLD_USE
)
"""Whoever runs the server: everything of every brand and household, except to be somebody's device or person."""


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks. `id` goes into the audit log: "cli", "http", an API key's, an account's or a device's id.

    `brand` and `role`: of an API key that belongs to a brand. `brand` is also that of a device.
    """

    kind: Kind
    id: str
    brand: str | None = None
    role: Role | None = None
    client: str | None = None

    @property
    def actor(self) -> str:
        """How the audit log and `…_by` columns name it."""
        return self.id if self.kind in ("operator", "nobody") else f"{self.kind}:{self.id}"


def permissions_in_region(who: Principal) -> frozenset[Permission]:
    """What a principal may do wherever it is, before roles in a brand or household are looked up."""
    match who.kind:
        case "operator":
            return OPERATOR
        case "person":
            return frozenset({_P.ACCOUNT_SELF})
        case "device":
            return frozenset({_P.DEVICE_SELF})
        case _:
            return frozenset()


def permissions_in_brand(who: Principal, brand: str, role: Role | None) -> frozenset[Permission]:
    """What a principal may do in a brand. `role`: of its account there, None if it has none."""
    if who.kind == "operator":
        return OPERATOR
    if who.kind == "key" and who.brand == brand and who.role is not None:
        return STAFF[who.role]
    if who.kind == "person" and role is not None:
        return STAFF[role]
    return frozenset()


def permissions_in_household(who: Principal, place: Place | None) -> frozenset[Permission]:
    """What a principal may do in a household. `place`: of its account there, None if it is no member."""
    if who.kind == "operator":
        return OPERATOR
    if who.kind == "person" and place is not None:
        return MEMBERS[place]
    return frozenset()
