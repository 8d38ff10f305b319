"""The operations of twins. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import Mapping

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.fleet_twins import TwinChange, TwinRecord

ROUTES = {
    "get": Route("get_twin", "GET", "/brands/{brand}/devices/{device}/twin"),
    "patch_desired": Route("patch_desired", "PATCH", "/brands/{brand}/devices/{device}/twin/desired"),
    "replace_desired": Route("replace_desired", "PUT", "/brands/{brand}/devices/{device}/twin/desired"),
    "patch_tags": Route("patch_tags", "PATCH", "/brands/{brand}/devices/{device}/twin/tags"),
    "replace_tags": Route("replace_tags", "PUT", "/brands/{brand}/devices/{device}/twin/tags"),
}


class Twins(Group):
    """The operations of twins."""

    async def get(self, brand: str, device: str) -> TwinRecord:
        """A device's twin. Raises: ApiError."""
        return await self._ask(ROUTES["get"], TwinRecord, {"brand": brand, "device": device})

    async def patch_desired(
        self, brand: str, device: str, body: Mapping[str, object], *, if_match: str | int | None = None
    ) -> TwinChange:
        """Merge into the desired section of a device's twin. Raises: ApiError."""
        return await self._ask(
            ROUTES["patch_desired"], TwinChange, {"brand": brand, "device": device}, body=body, if_match=if_match
        )

    async def replace_desired(
        self, brand: str, device: str, body: Mapping[str, object], *, if_match: str | int | None = None
    ) -> TwinChange:
        """Replace the desired section of a device's twin. Raises: ApiError."""
        return await self._ask(
            ROUTES["replace_desired"], TwinChange, {"brand": brand, "device": device}, body=body, if_match=if_match
        )

    async def patch_tags(
        self, brand: str, device: str, body: Mapping[str, object], *, if_match: str | int | None = None
    ) -> TwinChange:
        """Merge into the tags section of a device's twin. Raises: ApiError."""
        return await self._ask(
            ROUTES["patch_tags"], TwinChange, {"brand": brand, "device": device}, body=body, if_match=if_match
        )

    async def replace_tags(
        self, brand: str, device: str, body: Mapping[str, object], *, if_match: str | int | None = None
    ) -> TwinChange:
        """Replace the tags section of a device's twin. Raises: ApiError."""
        return await self._ask(
            ROUTES["replace_tags"], TwinChange, {"brand": brand, "device": device}, body=body, if_match=if_match
        )
