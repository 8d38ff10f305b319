"""The operations of members. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import Member, ShortCode
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_members", "GET", "/households/{household}/members"),
    "add_child": Route("add_child", "POST", "/households/{household}/members", idempotent=True),
    "invite": Route("invite_member", "POST", "/households/{household}/invitations"),
    "get": Route("get_member", "GET", "/households/{household}/members/{member}"),
    "change": Route("change_member", "PATCH", "/households/{household}/members/{member}"),
    "remove": Route("remove_member", "DELETE", "/households/{household}/members/{member}"),
    "join_household": Route("join_household", "POST", "/me/households"),
    "leave_household": Route("leave_household", "DELETE", "/me/households/{household}"),
}


class Members(Group):
    """The operations of members."""

    def list(self, household: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[Member]:
        """Members of a household. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[Member], {"household": household}, {"limit": limit, "after": after})

    async def add_child(
        self,
        household: str,
        *,
        name: str,
        role: Literal["child"] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> Member:
        """Add a child's profile. Raises: ApiError."""
        return await self._ask(
            ROUTES["add_child"],
            Member,
            {"household": household},
            body={"name": name, "role": role},
            idempotency_key=idempotency_key,
        )

    async def invite(
        self,
        household: str,
        *,
        role: Literal["owner", "adult", "child", "guest"],
        until_s: float | UnsetType | None = UNSET,
        spoken: bool | UnsetType = UNSET,
    ) -> ShortCode:
        """Make a code that lets one person in, once, for ten minutes. Raises: ApiError."""
        return await self._ask(
            ROUTES["invite"],
            ShortCode,
            {"household": household},
            body={"role": role, "until_s": until_s, "spoken": spoken},
        )

    async def get(self, household: str, member: str) -> Member:
        """A member. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Member, {"household": household, "member": member})

    async def change(
        self,
        household: str,
        member: str,
        *,
        name: str | UnsetType = UNSET,
        role: Literal["owner", "adult", "child", "guest"] | UnsetType = UNSET,
        until_s: float | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> Member:
        """Change a member. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            Member,
            {"household": household, "member": member},
            body={"name": name, "role": role, "until_s": until_s},
            if_match=if_match,
        )

    async def remove(self, household: str, member: str) -> None:
        """Remove a member. Raises: ApiError."""
        await self._do(ROUTES["remove"], {"household": household, "member": member})

    async def join_household(self, *, code: str, name: str | UnsetType | None = UNSET) -> Member:
        """Join a household by a code. Raises: ApiError."""
        return await self._ask(ROUTES["join_household"], Member, {}, body={"code": code, "name": name})

    async def leave_household(self, household: str) -> None:
        """Leave a household. Raises: ApiError."""
        await self._do(ROUTES["leave_household"], {"household": household})
