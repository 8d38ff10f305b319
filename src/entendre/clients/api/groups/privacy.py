"""The operations of privacy. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import BrandRule, Erased
from entendre.web.api.paging import Page

ROUTES = {
    "erase_household": Route("erase_household", "DELETE", "/households/{household}"),
    "erase_me": Route("erase_me", "DELETE", "/me"),
    "erase_account": Route("erase_account", "DELETE", "/accounts/{account}/data"),
    "erase_device": Route("erase_device", "DELETE", "/brands/{brand}/devices/{device}/data"),
    "list_retention": Route("list_retention", "GET", "/brands/{brand}/retention"),
    "set_retention": Route("set_retention", "PUT", "/brands/{brand}/retention/{kind}"),
}


class Privacy(Group):
    """The operations of privacy."""

    async def erase_household(self, household: str, *, confirm: str) -> Erased:
        """Erase a household for good. Its members keep their accounts, its devices start anew. Raises: ApiError."""
        return await self._ask(ROUTES["erase_household"], Erased, {"household": household}, query={"confirm": confirm})

    async def erase_me(self, *, confirm: str) -> Erased:
        """Erase the caller for good, with households in which no other adult is left. Raises: ApiError."""
        return await self._ask(ROUTES["erase_me"], Erased, {}, query={"confirm": confirm})

    async def erase_account(self, account: str, *, confirm: str) -> Erased:
        """Erase an account for good, as its person would. Raises: ApiError."""
        return await self._ask(ROUTES["erase_account"], Erased, {"account": account}, query={"confirm": confirm})

    async def erase_device(self, brand: str, device: str, *, confirm: str) -> Erased:
        """Erase a device for good: it can enrol again as a new one. Raises: ApiError."""
        return await self._ask(
            ROUTES["erase_device"], Erased, {"brand": brand, "device": device}, query={"confirm": confirm}
        )

    def list_retention(self, brand: str) -> AsyncIterator[BrandRule]:
        """How long a brand keeps each kind of data. Raises: ApiError."""
        return self._every(ROUTES["list_retention"], Page[BrandRule], {"brand": brand}, {})

    async def set_retention(self, brand: str, kind: str, *, days: float) -> BrandRule:
        """Change how long a brand keeps a kind of data. Raises: ApiError."""
        return await self._ask(ROUTES["set_retention"], BrandRule, {"brand": brand, "kind": kind}, body={"days": days})
