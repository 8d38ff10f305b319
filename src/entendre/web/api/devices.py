"""Devices of a brand, as its staff sees them, and what a device may know of itself."""

from __future__ import annotations

import zlib
from typing import Annotated, Any

from msgspec import UNSET, Meta, Struct, UnsetType

from entendre.core.device import MAX_IDENTITY_CHARS, MAX_LABEL_CHARS
from entendre.core.errors import NotFoundError, StaleError
from entendre.fleet.access import Permission
from entendre.fleet.query_tokens import MAX_QUERY_CHARS
from entendre.ports.brands import EffectiveAssistant
from entendre.ports.fleet_devices import DeviceChanges, DeviceKind, FleetDevice, NewDevice
from entendre.web.api.call import Call, Reply
from entendre.web.api.etags import version_of
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, cursor_of
from entendre.web.api.patches import given
from entendre.web.api.services import needed

Text = Annotated[str, Meta(max_length=MAX_LABEL_CHARS)]
Name = Annotated[str, Meta(min_length=1, max_length=MAX_LABEL_CHARS)]
Serial = Annotated[str, Meta(min_length=1, max_length=MAX_IDENTITY_CHARS)]
Country = Annotated[str, Meta(min_length=2, max_length=2)]


class DeviceQuery(PageQuery):
    """Which devices: all that the query is true of. `count`: also how many there are."""

    query: Annotated[str, Meta(max_length=MAX_QUERY_CHARS)] = ""
    count: bool = False


class DevicePageReply(Page[FleetDevice]):
    """A page of devices; `count` is of all pages, null where it was not asked for."""

    count: int | None = None


class DeviceBody(Struct, forbid_unknown_fields=True):
    """A device to be. `product`: id or name."""

    product: Name
    serial: Serial
    name: Text = ""
    language: Text | None = None
    country: Country | None = None


class DevicePatch(Struct, forbid_unknown_fields=True):
    """What to change of a device; what is absent stays, null clears."""

    name: Name | UnsetType = UNSET
    room: Text | UnsetType | None = UNSET
    language: Text | UnsetType | None = UNSET
    country: Country | UnsetType | None = UNSET


class DeviceToken(Struct):
    """A token that is not shown again. The one before it ends soon after this one's first use."""

    token: str


class OwnDevice(Struct):
    """What a device may know of itself, and whose assistant answers on it."""

    id: str
    brand: str
    product: str
    kind: DeviceKind
    serial: str
    name: str
    household: str | None
    room: str | None
    language: str | None
    country: str | None
    firmware: str
    region: str
    assistant: EffectiveAssistant | None


async def _list(call: Call) -> Reply:
    asked: DeviceQuery = call.query
    after = after_of(asked.after, str)
    page = await needed(call.services.fleet_devices).devices(
        call.path["brand"],
        query=asked.query,
        after=after[0] if after else "",
        limit=asked.limit,
        count=asked.count,
    )
    return Reply(DevicePageReply(page.devices, cursor_of(page.next) if page.next else None, page.count))


async def _register(call: Call) -> Reply:
    body: DeviceBody = call.body
    new = NewDevice(body.product, body.serial, body.name, body.language, body.country)
    made = await needed(call.services.fleet_devices).register(call.path["brand"], new, by=call.principal.actor)
    return Reply(made, etag=_etag(made))


async def _get(call: Call) -> Reply:
    found = await needed(call.services.fleet_devices).device(call.path["brand"], call.path["device"])
    return Reply(found, etag=_etag(found))


async def _change(call: Call) -> Reply:
    values: dict[str, Any] = {name: value or "" for name, value in given(call.body).items()}
    changed = await needed(call.services.fleet_devices).change(
        call.path["brand"],
        call.path["device"],
        DeviceChanges(**values),
        by=call.principal.actor,
        version=_version(call.if_match),
    )
    return Reply(changed, etag=_etag(changed))


async def _revoke(call: Call) -> Reply:
    revoked = await needed(call.services.fleet_devices).revoke(
        call.path["brand"], call.path["device"], by=call.principal.actor, version=_version(call.if_match)
    )
    return Reply(revoked, etag=_etag(revoked))


async def _forget(call: Call) -> Reply:
    await needed(call.services.fleet_devices).forget(
        call.path["brand"], call.path["device"], by=call.principal.actor, version=_version(call.if_match)
    )
    return Reply()


async def _issue(call: Call) -> Reply:
    token = await needed(call.services.device_tokens).issue(
        call.path["brand"], call.path["device"], by=call.principal.actor
    )
    return Reply(DeviceToken(token))


async def _own(call: Call) -> Reply:
    found = await needed(call.services.fleet_devices).found(call.principal.id)
    if found is None:
        raise NotFoundError("There is no such device.")
    brands = call.services.brands
    assistant = await brands.assistant_of(found.brand, found.product) if brands is not None else None
    own = OwnDevice(
        id=found.id,
        brand=found.brand,
        product=found.product_name or found.product,
        kind=found.kind,
        serial=found.serial,
        name=found.name,
        household=found.household,
        room=found.room,
        language=found.language,
        country=found.country,
        firmware=found.firmware,
        region=call.services.region,
        assistant=assistant,
    )
    return Reply(own)


async def _rotate(call: Call) -> Reply:
    return Reply(DeviceToken(await needed(call.services.device_tokens).rotate(call.principal.id)))


def _etag(device: FleetDevice) -> str:
    """The version, and a mark of what a device tells by itself; If-Match looks at the version alone."""
    told = f"{device.online} {device.last_seen_at_s} {device.firmware} {device.state} {device.product_name}"
    return f"{device.version}.{zlib.crc32(told.encode('utf-8', 'replace')):08x}"


def _version(if_match: str | None) -> int | None:
    """Raises: StaleError."""
    if if_match is None:
        return None
    version, _, mark = if_match.partition(".")
    if not mark:
        raise StaleError("The device was changed meanwhile. Read it again, then change it.")
    return version_of(version)


_P = Permission
_ALL, _ONE = "/brands/{brand}/devices", "/brands/{brand}/devices/{device}"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_devices", "The devices of a brand, or those that a query finds.", "devices"),
        *(_P.BRAND_DEVICES_READ, _list),
        query=DeviceQuery,
        reply=DevicePageReply,
    ),
    Operation(
        *("POST", _ALL, "register_device", "Make a device that has not presented itself yet.", "devices"),
        *(_P.BRAND_DEVICES_WRITE, _register),
        body=DeviceBody,
        reply=FleetDevice,
        status=201,
        errors=("already_exists",),
        idempotent=True,
    ),
    Operation(
        *("GET", _ONE, "get_device", "A device, by id or serial number.", "devices", _P.BRAND_DEVICES_READ, _get),
        reply=FleetDevice,
        etag=True,
    ),
    Operation(
        *("PATCH", _ONE, "change_device", "Change a device.", "devices", _P.BRAND_DEVICES_WRITE, _change),
        body=DevicePatch,
        reply=FleetDevice,
        etag=True,
    ),
    Operation(
        *("DELETE", _ONE, "forget_device", "Remove a device with its twin and tokens.", "devices"),
        *(_P.BRAND_DEVICES_WRITE, _forget),
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/revoke", "revoke_device", "End a device's access for good; it stays known.", "devices"),
        *(_P.BRAND_DEVICES_WRITE, _revoke),
        reply=FleetDevice,
        etag=True,
    ),
    Operation(
        *("POST", f"{_ONE}/tokens", "issue_device_token", "A token for a device, shown once.", "devices"),
        *(_P.BRAND_ENROL, _issue),
        reply=DeviceToken,
        status=201,
    ),
    Operation(
        *("GET", "/device", "get_own_device", "What a device may know of itself.", "device", _P.DEVICE_SELF, _own),
        reply=OwnDevice,
        errors=("not_found",),
    ),
    Operation(
        *("POST", "/device/token", "rotate_own_token", "A new token for the device that asks.", "device"),
        *(_P.DEVICE_SELF, _rotate),
        reply=DeviceToken,
        status=201,
        errors=("not_found",),
    ),
)
