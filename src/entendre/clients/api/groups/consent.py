"""The operations of consent. Written by scripts/write_client.py."""

from __future__ import annotations

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.core.consent import Purpose
from entendre.web.api.consent import ConsentEntry, Ledger

ROUTES = {
    "household_consents": Route("household_consents", "GET", "/households/{household}/consents"),
    "for_household": Route("consent_for_household", "POST", "/households/{household}/consents", idempotent=True),
    "member_consents": Route("member_consents", "GET", "/households/{household}/members/{member}/consents"),
    "for_child": Route(
        "consent_for_child", "POST", "/households/{household}/members/{member}/consents", idempotent=True
    ),
    "my_consents": Route("my_consents", "GET", "/me/consents"),
    "consent": Route("consent", "POST", "/me/consents", idempotent=True),
}


class Consent(Group):
    """The operations of consent."""

    async def household_consents(self, household: str) -> Ledger:
        """What the household agreed to. Raises: ApiError."""
        return await self._ask(ROUTES["household_consents"], Ledger, {"household": household})

    async def for_household(
        self,
        household: str,
        *,
        purpose: Purpose,
        given: bool,
        wording: str,
        language: str,
        channel: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> ConsentEntry:
        """Agree for the household, as an adult of it, or refuse, as anybody in it. Raises: ApiError."""
        return await self._ask(
            ROUTES["for_household"],
            ConsentEntry,
            {"household": household},
            body={"purpose": purpose, "given": given, "wording": wording, "language": language, "channel": channel},
            idempotency_key=idempotency_key,
        )

    async def member_consents(self, household: str, member: str) -> Ledger:
        """What was agreed for a member. Raises: ApiError."""
        return await self._ask(ROUTES["member_consents"], Ledger, {"household": household, "member": member})

    async def for_child(
        self,
        household: str,
        member: str,
        *,
        purpose: Purpose,
        given: bool,
        wording: str,
        language: str,
        channel: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> ConsentEntry:
        """Agree or refuse for a child, as a guardian. Raises: ApiError."""
        return await self._ask(
            ROUTES["for_child"],
            ConsentEntry,
            {"household": household, "member": member},
            body={"purpose": purpose, "given": given, "wording": wording, "language": language, "channel": channel},
            idempotency_key=idempotency_key,
        )

    async def my_consents(self) -> Ledger:
        """What the caller agreed to. Raises: ApiError."""
        return await self._ask(ROUTES["my_consents"], Ledger, {})

    async def consent(
        self,
        *,
        purpose: Purpose,
        given: bool,
        wording: str,
        language: str,
        channel: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> ConsentEntry:
        """Agree or refuse for oneself. Raises: ApiError."""
        return await self._ask(
            ROUTES["consent"],
            ConsentEntry,
            {},
            body={"purpose": purpose, "given": given, "wording": wording, "language": language, "channel": channel},
            idempotency_key=idempotency_key,
        )
