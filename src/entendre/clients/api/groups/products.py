"""The operations of products. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.brands import ProductRecord
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_products", "GET", "/brands/{brand}/products"),
    "create": Route("create_product", "POST", "/brands/{brand}/products", idempotent=True),
    "get": Route("get_product", "GET", "/brands/{brand}/products/{product}"),
    "change": Route("change_product", "PATCH", "/brands/{brand}/products/{product}"),
    "end": Route("end_product", "DELETE", "/brands/{brand}/products/{product}"),
}


class Products(Group):
    """The operations of products."""

    def list(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[ProductRecord]:
        """The products of a brand. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[ProductRecord], {"brand": brand}, {"limit": limit, "after": after})

    async def create(
        self,
        brand: str,
        *,
        name: str,
        display_name: str,
        kind: Literal["speaker", "laptop"],
        model: str | UnsetType = UNSET,
        channel: str | UnsetType = UNSET,
        tools: Sequence[str] | UnsetType = UNSET,
        wake_words: Sequence[str] | UnsetType = UNSET,
        voices: Sequence[str] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> ProductRecord:
        """Make a product. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            ProductRecord,
            {"brand": brand},
            body={
                "name": name,
                "display_name": display_name,
                "kind": kind,
                "model": model,
                "channel": channel,
                "tools": tools,
                "wake_words": wake_words,
                "voices": voices,
            },
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, product: str) -> ProductRecord:
        """A product, by id or name. Raises: ApiError."""
        return await self._ask(ROUTES["get"], ProductRecord, {"brand": brand, "product": product})

    async def change(
        self,
        brand: str,
        product: str,
        *,
        display_name: str | UnsetType | None = UNSET,
        model: str | UnsetType | None = UNSET,
        channel: str | UnsetType | None = UNSET,
        tools: Sequence[str] | UnsetType | None = UNSET,
        wake_words: Sequence[str] | UnsetType | None = UNSET,
        voices: Sequence[str] | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> ProductRecord:
        """Change a product. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            ProductRecord,
            {"brand": brand, "product": product},
            body={
                "display_name": display_name,
                "model": model,
                "channel": channel,
                "tools": tools,
                "wake_words": wake_words,
                "voices": voices,
            },
            if_match=if_match,
        )

    async def end(self, brand: str, product: str, *, if_match: str | int | None = None) -> None:
        """End a product that has no devices. Raises: ApiError."""
        await self._do(ROUTES["end"], {"brand": brand, "product": product}, if_match=if_match)
