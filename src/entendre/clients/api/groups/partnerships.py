"""The operations of partnerships. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.brands import LentDevice, PartnershipRecord
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_partnerships", "GET", "/brands/{brand}/partnerships"),
    "create": Route("create_partnership", "POST", "/brands/{brand}/partnerships", idempotent=True),
    "get": Route("get_partnership", "GET", "/brands/{brand}/partnerships/{partnership}"),
    "end": Route("end_partnership", "DELETE", "/brands/{brand}/partnerships/{partnership}"),
    "list_lent_devices": Route("list_lent_devices", "GET", "/brands/{brand}/lent-devices"),
}


class Partnerships(Group):
    """The operations of partnerships."""

    def list(
        self, brand: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[PartnershipRecord]:
        """What a brand lends and borrows. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[PartnershipRecord], {"brand": brand}, {"limit": limit, "after": after})

    async def create(
        self,
        brand: str,
        *,
        partner: str,
        products: Sequence[str] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> PartnershipRecord:
        """Lend the assistant of devices to a partner. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            PartnershipRecord,
            {"brand": brand},
            body={"partner": partner, "products": products},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, partnership: str) -> PartnershipRecord:
        """A partnership of either side. Raises: ApiError."""
        return await self._ask(ROUTES["get"], PartnershipRecord, {"brand": brand, "partnership": partnership})

    async def end(self, brand: str, partnership: str, *, if_match: str | int | None = None) -> None:
        """Take the assistant back, or leave. Raises: ApiError."""
        await self._do(ROUTES["end"], {"brand": brand, "partnership": partnership}, if_match=if_match)

    def list_lent_devices(
        self, brand: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[LentDevice]:
        """The devices of other brands whose assistant is this brand's. Raises: ApiError."""
        return self._every(
            ROUTES["list_lent_devices"], Page[LentDevice], {"brand": brand}, {"limit": limit, "after": after}
        )
