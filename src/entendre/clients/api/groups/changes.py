"""The operations of changes. Written by scripts/write_client.py."""

from __future__ import annotations

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.changes import ChangePage

ROUTES = {
    "read_brand": Route("read_brand_changes", "GET", "/brands/{brand}/changes"),
    "read_household": Route("read_household_changes", "GET", "/households/{household}/changes"),
}


class Changes(Group):
    """The operations of changes."""

    async def read_brand(
        self, brand: str, *, after: int | None = None, limit: int | None = None, topics: str | None = None
    ) -> ChangePage:
        """What changed in a brand; as a stream with Accept: text/event-stream. Raises: ApiError."""
        return await self._ask(
            ROUTES["read_brand"], ChangePage, {"brand": brand}, query={"after": after, "limit": limit, "topics": topics}
        )

    async def read_household(
        self, household: str, *, after: int | None = None, limit: int | None = None, topics: str | None = None
    ) -> ChangePage:
        """What changed in a household; as a stream with Accept: text/event-stream. Raises: ApiError."""
        return await self._ask(
            ROUTES["read_household"],
            ChangePage,
            {"household": household},
            query={"after": after, "limit": limit, "topics": topics},
        )
