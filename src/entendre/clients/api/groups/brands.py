"""The operations of brands. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.brands import BrandRecord, EffectiveAssistant
from entendre.web.api.brands import Assistant
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_brands", "GET", "/brands"),
    "create": Route("create_brand", "POST", "/brands", idempotent=True),
    "get": Route("get_brand", "GET", "/brands/{brand}"),
    "change": Route("change_brand", "PATCH", "/brands/{brand}"),
    "end": Route("end_brand", "DELETE", "/brands/{brand}"),
    "get_assistant": Route("get_assistant", "GET", "/brands/{brand}/products/{product}/assistant"),
}


class Brands(Group):
    """The operations of brands."""

    def list(self, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[BrandRecord]:
        """Every brand. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[BrandRecord], {}, {"limit": limit, "after": after})

    async def create(
        self,
        *,
        name: str,
        display_name: str,
        assistant: Assistant | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> BrandRecord:
        """Make a brand. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            BrandRecord,
            {},
            body={"name": name, "display_name": display_name, "assistant": assistant},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str) -> BrandRecord:
        """A brand, by id or name. Raises: ApiError."""
        return await self._ask(ROUTES["get"], BrandRecord, {"brand": brand})

    async def change(
        self,
        brand: str,
        *,
        display_name: str | UnsetType | None = UNSET,
        assistant: Assistant | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> BrandRecord:
        """Change a brand. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            BrandRecord,
            {"brand": brand},
            body={"display_name": display_name, "assistant": assistant},
            if_match=if_match,
        )

    async def end(self, brand: str, *, if_match: str | int | None = None) -> None:
        """End a brand and its partnerships. Raises: ApiError."""
        await self._do(ROUTES["end"], {"brand": brand}, if_match=if_match)

    async def get_assistant(self, brand: str, product: str) -> EffectiveAssistant:
        """Whose assistant the devices of a product have now. Raises: ApiError."""
        return await self._ask(ROUTES["get_assistant"], EffectiveAssistant, {"brand": brand, "product": product})
