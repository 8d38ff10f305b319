"""The operations of notes. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import Note, TurnRecord
from entendre.web.api.notes import Forgotten
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_notes", "GET", "/households/{household}/notes"),
    "create": Route("create_note", "POST", "/households/{household}/notes", idempotent=True),
    "get": Route("get_note", "GET", "/households/{household}/notes/{note}"),
    "change": Route("change_note", "PATCH", "/households/{household}/notes/{note}"),
    "remove": Route("remove_note", "DELETE", "/households/{household}/notes/{note}"),
    "list_history": Route("list_history", "GET", "/households/{household}/history"),
    "forget_history": Route("forget_history", "DELETE", "/households/{household}/history"),
}


class Notes(Group):
    """The operations of notes."""

    def list(self, household: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[Note]:
        """Notes: the household's and the caller's own. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[Note], {"household": household}, {"limit": limit, "after": after})

    async def create(
        self, household: str, *, text: str, private: bool | UnsetType = UNSET, idempotency_key: str | None = None
    ) -> Note:
        """Write a note. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            Note,
            {"household": household},
            body={"text": text, "private": private},
            idempotency_key=idempotency_key,
        )

    async def get(self, household: str, note: str) -> Note:
        """A note. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Note, {"household": household, "note": note})

    async def change(self, household: str, note: str, *, text: str, if_match: str | int | None = None) -> Note:
        """Change a note. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"], Note, {"household": household, "note": note}, body={"text": text}, if_match=if_match
        )

    async def remove(self, household: str, note: str) -> None:
        """Remove a note. Raises: ApiError."""
        await self._do(ROUTES["remove"], {"household": household, "note": note})

    def list_history(
        self, household: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[TurnRecord]:
        """What was said and answered, newest first; empty unless the household keeps it. Raises: ApiError."""
        return self._every(
            ROUTES["list_history"], Page[TurnRecord], {"household": household}, {"limit": limit, "after": after}
        )

    async def forget_history(self, household: str) -> Forgotten:
        """Delete the history. Raises: ApiError."""
        return await self._ask(ROUTES["forget_history"], Forgotten, {"household": household})
