"""The operations of audit. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.audit import AuditEntry, AuditState
from entendre.web.api.paging import Page

ROUTES = {
    "list_brand": Route("list_brand_audit", "GET", "/brands/{brand}/audit"),
    "list_household": Route("list_household_audit", "GET", "/households/{household}/audit"),
    "list": Route("list_audit", "GET", "/audit"),
    "verify": Route("verify_audit", "GET", "/audit/verify"),
}


class Audit(Group):
    """The operations of audit."""

    def list_brand(
        self, brand: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[AuditEntry]:
        """What was done in a brand, newest first. Raises: ApiError."""
        return self._every(ROUTES["list_brand"], Page[AuditEntry], {"brand": brand}, {"limit": limit, "after": after})

    def list_household(
        self, household: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[AuditEntry]:
        """What was done in a household. Raises: ApiError."""
        return self._every(
            ROUTES["list_household"], Page[AuditEntry], {"household": household}, {"limit": limit, "after": after}
        )

    def list(self, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[AuditEntry]:
        """What was done, newest first. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[AuditEntry], {}, {"limit": limit, "after": after})

    async def verify(self) -> AuditState:
        """Whether the log is whole. Raises: ApiError."""
        return await self._ask(ROUTES["verify"], AuditState, {})
