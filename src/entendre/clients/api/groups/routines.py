"""The operations of routines. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import Routine
from entendre.web.api.paging import Page
from entendre.web.api.routines import Trigger

ROUTES = {
    "list": Route("list_routines", "GET", "/households/{household}/routines"),
    "create": Route("create_routine", "POST", "/households/{household}/routines", idempotent=True),
    "get": Route("get_routine", "GET", "/households/{household}/routines/{routine}"),
    "change": Route("change_routine", "PATCH", "/households/{household}/routines/{routine}"),
    "remove": Route("remove_routine", "DELETE", "/households/{household}/routines/{routine}"),
}


class Routines(Group):
    """The operations of routines."""

    def list(self, household: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[Routine]:
        """Routines of a household. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[Routine], {"household": household}, {"limit": limit, "after": after})

    async def create(
        self,
        household: str,
        *,
        name: str,
        trigger: Trigger,
        actions: Sequence[Mapping[str, object]],
        enabled: bool | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> Routine:
        """Make a routine. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            Routine,
            {"household": household},
            body={"name": name, "trigger": trigger, "actions": actions, "enabled": enabled},
            idempotency_key=idempotency_key,
        )

    async def get(self, household: str, routine: str) -> Routine:
        """A routine. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Routine, {"household": household, "routine": routine})

    async def change(
        self,
        household: str,
        routine: str,
        *,
        name: str | UnsetType = UNSET,
        trigger: Trigger | UnsetType = UNSET,
        actions: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        enabled: bool | UnsetType = UNSET,
        if_match: str | int | None = None,
    ) -> Routine:
        """Change a routine. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            Routine,
            {"household": household, "routine": routine},
            body={"name": name, "trigger": trigger, "actions": actions, "enabled": enabled},
            if_match=if_match,
        )

    async def remove(self, household: str, routine: str) -> None:
        """Remove a routine. Raises: ApiError."""
        await self._do(ROUTES["remove"], {"household": household, "routine": routine})
