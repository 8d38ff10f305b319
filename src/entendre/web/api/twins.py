"""Twins: tags and desired for a brand's staff, desired and reported for the device itself.

A PATCH is a JSON merge patch (RFC 7396) of one section, a PUT its whole new content.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from entendre.core.errors import NotFoundError
from entendre.fleet.access import Permission
from entendre.ports.fleet_twins import TwinChange, TwinPatch, TwinRecord, TwinSection
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Handler, Operation
from entendre.web.api.services import needed

Document = dict[str, Any]


class OwnTwin(Struct):
    """A twin as its device sees it: without tags."""

    desired: Document
    desired_version: int
    reported: Document
    reported_version: int


async def _get(call: Call) -> Reply:
    brand, device = call.path["brand"], await _device(call)
    twin = await needed(call.services.twins).get(brand, device)
    return Reply(twin, etag=twin.etag)


def _writing(section: TwinSection, *, replace: bool) -> Handler:
    """What changes a section for a brand's staff."""

    async def write(call: Call) -> Reply:
        patch = TwinPatch(call.path["brand"], await _device(call), section, call.body, replace, call.if_match)
        change = await needed(call.services.twins).patch(patch, by=call.principal.actor)
        return Reply(change, etag=change.etag)

    return write


def _reporting(*, replace: bool) -> Handler:
    """What a device does to its own reported section."""

    async def write(call: Call) -> Reply:
        brand, device = call.principal.brand or "", call.principal.id
        patch = TwinPatch(brand, device, "reported", call.body, replace, call.if_match)
        change = await needed(call.services.twins).patch(patch, by=call.principal.actor)
        return Reply(change, etag=change.etag)

    return write


async def _own(call: Call) -> Reply:
    twin = await needed(call.services.twins).get(call.principal.brand or "", call.principal.id)
    own = OwnTwin(twin.desired, twin.desired_version, twin.reported, twin.reported_version)
    return Reply(own, etag=twin.etag)


async def _device(call: Call) -> str:
    """The id of the device of the path, which may be named by its serial number. Raises: NotFoundError."""
    named = call.path["device"]
    if call.services.fleet_devices is None:
        raise NotFoundError("There is no such device.")
    return (await call.services.fleet_devices.device(call.path["brand"], named)).id


def _section_operations(section: TwinSection) -> tuple[Operation, ...]:
    path = f"/brands/{{brand}}/devices/{{device}}/twin/{section}"
    given: dict[str, Any] = {"body": Document, "reply": TwinChange, "etag": True}
    permission = Permission.BRAND_DEVICES_WRITE
    patched, replaced = _writing(section, replace=False), _writing(section, replace=True)
    what = f"{section} section of a device's twin"
    return (
        Operation("PATCH", path, f"patch_{section}", f"Merge into the {what}.", "twins", permission, patched, **given),
        Operation("PUT", path, f"replace_{section}", f"Replace the {what}.", "twins", permission, replaced, **given),
    )


_P = Permission
_REPORTED = "/device/twin/reported"
OPERATIONS = (
    Operation(
        *("GET", "/brands/{brand}/devices/{device}/twin", "get_twin", "A device's twin.", "twins"),
        *(_P.BRAND_DEVICES_READ, _get),
        reply=TwinRecord,
        etag=True,
    ),
    *_section_operations("desired"),
    *_section_operations("tags"),
    Operation(
        *("GET", "/device/twin", "get_own_twin", "The twin of the device that asks.", "device", _P.DEVICE_SELF, _own),
        reply=OwnTwin,
        errors=("not_found",),
        etag=True,
    ),
    Operation(
        *("PATCH", _REPORTED, "patch_own_reported", "Merge into what the device reports.", "device"),
        *(_P.DEVICE_SELF, _reporting(replace=False)),
        body=Document,
        reply=TwinChange,
        errors=("not_found",),
        etag=True,
    ),
    Operation(
        *("PUT", _REPORTED, "replace_own_reported", "Replace what the device reports.", "device"),
        *(_P.DEVICE_SELF, _reporting(replace=True)),
        body=Document,
        reply=TwinChange,
        errors=("not_found",),
        etag=True,
    ),
)
