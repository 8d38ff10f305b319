"""The operations of oauth. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.accounts import OAuthClient
from entendre.web.api.paging import Page

ROUTES = {
    "list_clients": Route("list_oauth_clients", "GET", "/oauth-clients"),
    "create_client": Route("create_oauth_client", "POST", "/oauth-clients", idempotent=True),
    "remove_client": Route("remove_oauth_client", "DELETE", "/oauth-clients/{client}"),
}


class Oauth(Group):
    """The operations of oauth."""

    def list_clients(self, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[OAuthClient]:
        """Registered programs. Raises: ApiError."""
        return self._every(ROUTES["list_clients"], Page[OAuthClient], {}, {"limit": limit, "after": after})

    async def create_client(
        self, *, name: str, redirect_uris: Sequence[str] | UnsetType = UNSET, idempotency_key: str | None = None
    ) -> OAuthClient:
        """Register a program. Raises: ApiError."""
        return await self._ask(
            ROUTES["create_client"],
            OAuthClient,
            {},
            body={"name": name, "redirect_uris": redirect_uris},
            idempotency_key=idempotency_key,
        )

    async def remove_client(self, client: str) -> None:
        """Remove a program and end its tokens. Raises: ApiError."""
        await self._do(ROUTES["remove_client"], {"client": client})
