"""The operations of changes. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.changes import Change, ChangePage

ROUTES = {
    "list_brand": Route("list_brand_changes", "GET", "/brands/{brand}/changes"),
    "list_household": Route("list_household_changes", "GET", "/households/{household}/changes"),
}


class Changes(Group):
    """The operations of changes."""

    def list_brand(
        self, brand: str, *, after: int | None = None, limit: int | None = None, topics: str | None = None
    ) -> AsyncIterator[Change]:
        """What changed in a brand; as a stream with Accept: text/event-stream. Raises: ApiError."""
        return self._every(
            ROUTES["list_brand"], ChangePage, {"brand": brand}, {"after": after, "limit": limit, "topics": topics}
        )

    def list_household(
        self, household: str, *, after: int | None = None, limit: int | None = None, topics: str | None = None
    ) -> AsyncIterator[Change]:
        """What changed in a household; as a stream with Accept: text/event-stream. Raises: ApiError."""
        return self._every(
            ROUTES["list_household"],
            ChangePage,
            {"household": household},
            {"after": after, "limit": limit, "topics": topics},
        )
