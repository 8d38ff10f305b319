"""The operations of me. Written by scripts/write_client.py."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.accounts import AccountRecord
from entendre.web.api.accounts import AskingProgram, SignedIn

ROUTES = {
    "get": Route("get_me", "GET", "/me"),
    "change": Route("change_me", "PATCH", "/me"),
    "change_password": Route("change_password", "POST", "/me/password"),
    "end_sessions": Route("end_sessions", "DELETE", "/me/sessions"),
    "get_device_code": Route("get_device_code", "GET", "/me/device-codes/{code}"),
    "decide_device_code": Route("decide_device_code", "POST", "/me/device-codes/{code}"),
}


class Me(Group):
    """The operations of me."""

    async def get(self) -> SignedIn:
        """Who is signed in. Raises: ApiError."""
        return await self._ask(ROUTES["get"], SignedIn, {})

    async def change(
        self,
        *,
        display_name: str | UnsetType | None = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> AccountRecord:
        """Change oneself. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            AccountRecord,
            {},
            body={"display_name": display_name, "language": language, "country": country},
            if_match=if_match,
        )

    async def change_password(self, *, old: str, new: str) -> None:
        """Change the password and end every session. Raises: ApiError."""
        await self._do(ROUTES["change_password"], {}, body={"old": old, "new": new})

    async def end_sessions(self) -> None:
        """Sign out everywhere. Raises: ApiError."""
        await self._do(ROUTES["end_sessions"], {})

    async def get_device_code(self, code: str) -> AskingProgram:
        """The program behind a user code. Raises: ApiError."""
        return await self._ask(ROUTES["get_device_code"], AskingProgram, {"code": code})

    async def decide_device_code(self, code: str, *, approve: bool) -> None:
        """Let the program in, or refuse it. Raises: ApiError."""
        await self._do(ROUTES["decide_device_code"], {"code": code}, body={"approve": approve})
