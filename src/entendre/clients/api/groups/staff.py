"""The operations of staff. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.access import KeyRecord
from entendre.ports.brands import StaffRecord
from entendre.web.api.paging import Page
from entendre.web.api.staff import MadeKey

ROUTES = {
    "list": Route("list_staff", "GET", "/brands/{brand}/staff"),
    "add": Route("add_staff", "POST", "/brands/{brand}/staff", idempotent=True),
    "get": Route("get_staff", "GET", "/brands/{brand}/staff/{staff}"),
    "change": Route("change_staff", "PATCH", "/brands/{brand}/staff/{staff}"),
    "remove": Route("remove_staff", "DELETE", "/brands/{brand}/staff/{staff}"),
    "list_keys": Route("list_keys", "GET", "/brands/{brand}/keys"),
    "create_key": Route("create_key", "POST", "/brands/{brand}/keys"),
    "revoke_key": Route("revoke_key", "DELETE", "/brands/{brand}/keys/{key}"),
}


class Staff(Group):
    """The operations of staff."""

    def list(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[StaffRecord]:
        """The people who work for a brand. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[StaffRecord], {"brand": brand}, {"limit": limit, "after": after})

    async def add(
        self,
        brand: str,
        *,
        account: str,
        role: Literal["admin", "engineer", "support", "viewer"],
        login: str | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> StaffRecord:
        """Give an account a role in a brand. Raises: ApiError."""
        return await self._ask(
            ROUTES["add"],
            StaffRecord,
            {"brand": brand},
            body={"account": account, "role": role, "login": login},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, staff: str) -> StaffRecord:
        """One of them. Raises: ApiError."""
        return await self._ask(ROUTES["get"], StaffRecord, {"brand": brand, "staff": staff})

    async def change(
        self,
        brand: str,
        staff: str,
        *,
        role: Literal["admin", "engineer", "support", "viewer"],
        if_match: str | int | None = None,
    ) -> StaffRecord:
        """Give another role. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"], StaffRecord, {"brand": brand, "staff": staff}, body={"role": role}, if_match=if_match
        )

    async def remove(self, brand: str, staff: str, *, if_match: str | int | None = None) -> None:
        """Let somebody go. Raises: ApiError."""
        await self._do(ROUTES["remove"], {"brand": brand, "staff": staff}, if_match=if_match)

    def list_keys(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[KeyRecord]:
        """The API keys of a brand. Raises: ApiError."""
        return self._every(ROUTES["list_keys"], Page[KeyRecord], {"brand": brand}, {"limit": limit, "after": after})

    async def create_key(
        self, brand: str, *, name: str, role: Literal["admin", "engineer", "support", "viewer"]
    ) -> MadeKey:
        """Make an API key; its token is shown this once. Raises: ApiError."""
        return await self._ask(ROUTES["create_key"], MadeKey, {"brand": brand}, body={"name": name, "role": role})

    async def revoke_key(self, brand: str, key: str) -> None:
        """End an API key. Raises: ApiError."""
        await self._do(ROUTES["revoke_key"], {"brand": brand, "key": key})
