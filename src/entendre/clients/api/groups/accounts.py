"""The operations of accounts. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.accounts import AccountRecord
from entendre.web.api.paging import Page

ROUTES = {
    "list": Route("list_accounts", "GET", "/accounts"),
    "create": Route("create_account", "POST", "/accounts"),
    "get": Route("get_account", "GET", "/accounts/{account}"),
    "change": Route("change_account", "PATCH", "/accounts/{account}"),
    "reset_password": Route("reset_password", "POST", "/accounts/{account}/password"),
}


class Accounts(Group):
    """The operations of accounts."""

    def list(self, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[AccountRecord]:
        """Every account. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[AccountRecord], {}, {"limit": limit, "after": after})

    async def create(
        self,
        *,
        login: str,
        display_name: str,
        password: str | UnsetType | None = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
    ) -> AccountRecord:
        """Make an account, or sign up where that is open. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            AccountRecord,
            {},
            body={
                "login": login,
                "display_name": display_name,
                "password": password,
                "language": language,
                "country": country,
            },
        )

    async def get(self, account: str) -> AccountRecord:
        """An account, by id or login. Raises: ApiError."""
        return await self._ask(ROUTES["get"], AccountRecord, {"account": account})

    async def change(
        self,
        account: str,
        *,
        display_name: str | UnsetType | None = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        disabled: bool | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> AccountRecord:
        """Change or disable an account. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            AccountRecord,
            {"account": account},
            body={"display_name": display_name, "language": language, "country": country, "disabled": disabled},
            if_match=if_match,
        )

    async def reset_password(self, account: str, *, password: str) -> None:
        """Set a password and end every session. Raises: ApiError."""
        await self._do(ROUTES["reset_password"], {"account": account}, body={"password": password})
