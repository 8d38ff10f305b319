"""The operations of enrolment. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.fleet_devices import EnrolmentGroup
from entendre.web.api.enrolment import Challenge, DirectoryEntry, KeyedGroupReply, ProvisionedReply
from entendre.web.api.paging import Page

ROUTES = {
    "list_groups": Route("list_enrolment_groups", "GET", "/brands/{brand}/enrolment-groups"),
    "create_group": Route("create_enrolment_group", "POST", "/brands/{brand}/enrolment-groups"),
    "get_group": Route("get_enrolment_group", "GET", "/brands/{brand}/enrolment-groups/{group}"),
    "change_group": Route("change_enrolment_group", "PATCH", "/brands/{brand}/enrolment-groups/{group}"),
    "rotate_key": Route("rotate_enrolment_key", "POST", "/brands/{brand}/enrolment-groups/{group}/rotate"),
    "ask_challenge": Route("ask_challenge", "POST", "/provision/challenge"),
    "provision": Route("provision", "POST", "/provision"),
    "get_directory_entry": Route("get_directory_entry", "GET", "/directory/{hash}"),
}


class Enrolment(Group):
    """The operations of enrolment."""

    def list_groups(
        self, brand: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[EnrolmentGroup]:
        """The enrolment groups of a brand. Raises: ApiError."""
        return self._every(
            ROUTES["list_groups"], Page[EnrolmentGroup], {"brand": brand}, {"limit": limit, "after": after}
        )

    async def create_group(
        self,
        brand: str,
        *,
        name: str,
        product: str,
        kind: Literal["symmetric", "x509"],
        ca_pem: str | UnsetType | None = UNSET,
        regions: Mapping[str, str] | UnsetType = UNSET,
        max_devices: int | UnsetType | None = UNSET,
        id: str | UnsetType | None = UNSET,
        primary_key: str | UnsetType | None = UNSET,
        secondary_key: str | UnsetType | None = UNSET,
    ) -> KeyedGroupReply:
        """Make an enrolment group; its keys are shown once. Raises: ApiError."""
        return await self._ask(
            ROUTES["create_group"],
            KeyedGroupReply,
            {"brand": brand},
            body={
                "name": name,
                "product": product,
                "kind": kind,
                "ca_pem": ca_pem,
                "regions": regions,
                "max_devices": max_devices,
                "id": id,
                "primary_key": primary_key,
                "secondary_key": secondary_key,
            },
        )

    async def get_group(self, brand: str, group: str) -> EnrolmentGroup:
        """An enrolment group, by id or name. Raises: ApiError."""
        return await self._ask(ROUTES["get_group"], EnrolmentGroup, {"brand": brand, "group": group})

    async def change_group(
        self,
        brand: str,
        group: str,
        *,
        enabled: bool | UnsetType = UNSET,
        max_devices: int | UnsetType | None = UNSET,
        regions: Mapping[str, str] | UnsetType = UNSET,
        ca_pem: str | UnsetType = UNSET,
        if_match: str | int | None = None,
    ) -> EnrolmentGroup:
        """Disable, limit or otherwise change an enrolment group. Raises: ApiError."""
        return await self._ask(
            ROUTES["change_group"],
            EnrolmentGroup,
            {"brand": brand, "group": group},
            body={"enabled": enabled, "max_devices": max_devices, "regions": regions, "ca_pem": ca_pem},
            if_match=if_match,
        )

    async def rotate_key(self, brand: str, group: str, *, key: Literal["primary", "secondary"]) -> KeyedGroupReply:
        """Replace a key of an enrolment group. Raises: ApiError."""
        return await self._ask(
            ROUTES["rotate_key"], KeyedGroupReply, {"brand": brand, "group": group}, body={"key": key}
        )

    async def ask_challenge(self, *, group: str, serial: str) -> Challenge:
        """A challenge for a device that enrols. Raises: ApiError."""
        return await self._ask(ROUTES["ask_challenge"], Challenge, {}, body={"group": group, "serial": serial})

    async def provision(
        self,
        *,
        group: str,
        serial: str,
        challenge: str,
        proof: str,
        certificates: str | UnsetType = UNSET,
        country: str | UnsetType | None = UNSET,
        firmware: str | UnsetType = UNSET,
    ) -> ProvisionedReply:
        """Take a device in that proves whose it is. Raises: ApiError."""
        return await self._ask(
            ROUTES["provision"],
            ProvisionedReply,
            {},
            body={
                "group": group,
                "serial": serial,
                "challenge": challenge,
                "proof": proof,
                "certificates": certificates,
                "country": country,
                "firmware": firmware,
            },
        )

    async def get_directory_entry(self, hash: str) -> DirectoryEntry:
        """The region of a serial number or login, by its hash. Raises: ApiError."""
        return await self._ask(ROUTES["get_directory_entry"], DirectoryEntry, {"hash": hash})
