"""The operations of devices. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.fleet_devices import FleetDevice
from entendre.web.api.devices import DevicePageReply, DeviceToken

ROUTES = {
    "list": Route("list_devices", "GET", "/brands/{brand}/devices"),
    "register": Route("register_device", "POST", "/brands/{brand}/devices", idempotent=True),
    "get": Route("get_device", "GET", "/brands/{brand}/devices/{device}"),
    "change": Route("change_device", "PATCH", "/brands/{brand}/devices/{device}"),
    "forget": Route("forget_device", "DELETE", "/brands/{brand}/devices/{device}"),
    "revoke": Route("revoke_device", "POST", "/brands/{brand}/devices/{device}/revoke"),
    "issue_token": Route("issue_device_token", "POST", "/brands/{brand}/devices/{device}/tokens"),
}


class Devices(Group):
    """The operations of devices."""

    def list(
        self,
        brand: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        query: str | None = None,
        count: bool | None = None,
    ) -> AsyncIterator[FleetDevice]:
        """The devices of a brand, or those that a query finds. Raises: ApiError."""
        return self._every(
            ROUTES["list"],
            DevicePageReply,
            {"brand": brand},
            {"limit": limit, "after": after, "query": query, "count": count},
        )

    async def register(
        self,
        brand: str,
        *,
        product: str,
        serial: str,
        name: str | UnsetType = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> FleetDevice:
        """Make a device that has not presented itself yet. Raises: ApiError."""
        return await self._ask(
            ROUTES["register"],
            FleetDevice,
            {"brand": brand},
            body={"product": product, "serial": serial, "name": name, "language": language, "country": country},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, device: str) -> FleetDevice:
        """A device, by id or serial number. Raises: ApiError."""
        return await self._ask(ROUTES["get"], FleetDevice, {"brand": brand, "device": device})

    async def change(
        self,
        brand: str,
        device: str,
        *,
        name: str | UnsetType = UNSET,
        room: str | UnsetType | None = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> FleetDevice:
        """Change a device. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            FleetDevice,
            {"brand": brand, "device": device},
            body={"name": name, "room": room, "language": language, "country": country},
            if_match=if_match,
        )

    async def forget(self, brand: str, device: str, *, if_match: str | int | None = None) -> None:
        """Remove a device with its twin and tokens. Raises: ApiError."""
        await self._do(ROUTES["forget"], {"brand": brand, "device": device}, if_match=if_match)

    async def revoke(self, brand: str, device: str, *, if_match: str | int | None = None) -> FleetDevice:
        """End a device's access for good; it stays known. Raises: ApiError."""
        return await self._ask(ROUTES["revoke"], FleetDevice, {"brand": brand, "device": device}, if_match=if_match)

    async def issue_token(self, brand: str, device: str) -> DeviceToken:
        """A token for a device, shown once. Raises: ApiError."""
        return await self._ask(ROUTES["issue_token"], DeviceToken, {"brand": brand, "device": device})
