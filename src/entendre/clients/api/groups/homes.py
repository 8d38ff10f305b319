"""The operations of homes. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import HouseDevice, HouseJob, HouseList, ShortCode
from entendre.web.api.paging import Page

ROUTES = {
    "list_house_devices": Route("list_house_devices", "GET", "/households/{household}/devices"),
    "claim_device": Route("claim_device", "POST", "/households/{household}/devices"),
    "get_house_device": Route("get_house_device", "GET", "/households/{household}/devices/{device}"),
    "change_house_device": Route("change_house_device", "PATCH", "/households/{household}/devices/{device}"),
    "release_device": Route("release_device", "DELETE", "/households/{household}/devices/{device}"),
    "ask_claim_code": Route("ask_claim_code", "POST", "/device/claim-code"),
    "list_lists": Route("list_lists", "GET", "/households/{household}/lists"),
    "add_list_item": Route("add_list_item", "POST", "/households/{household}/lists/{list}/items", idempotent=True),
    "tick_list_item": Route("tick_list_item", "PATCH", "/households/{household}/lists/{list}/items/{item}"),
    "remove_list_item": Route("remove_list_item", "DELETE", "/households/{household}/lists/{list}/items/{item}"),
    "list_jobs": Route("list_jobs", "GET", "/households/{household}/jobs"),
    "cancel_job": Route("cancel_job", "DELETE", "/households/{household}/jobs/{job}"),
}


class Homes(Group):
    """The operations of homes."""

    def list_house_devices(
        self, household: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[HouseDevice]:
        """Devices of a household. Raises: ApiError."""
        return self._every(
            ROUTES["list_house_devices"], Page[HouseDevice], {"household": household}, {"limit": limit, "after": after}
        )

    async def claim_device(
        self, household: str, *, code: str, name: str | UnsetType | None = UNSET, room: str | UnsetType | None = UNSET
    ) -> HouseDevice:
        """Take the device that shows a code. Raises: ApiError."""
        return await self._ask(
            ROUTES["claim_device"],
            HouseDevice,
            {"household": household},
            body={"code": code, "name": name, "room": room},
        )

    async def get_house_device(self, household: str, device: str) -> HouseDevice:
        """A device of a household. Raises: ApiError."""
        return await self._ask(ROUTES["get_house_device"], HouseDevice, {"household": household, "device": device})

    async def change_house_device(
        self,
        household: str,
        device: str,
        *,
        name: str | UnsetType = UNSET,
        room: str | UnsetType | None = UNSET,
        language: str | UnsetType | None = UNSET,
        if_match: str | int | None = None,
    ) -> HouseDevice:
        """Change a device. Raises: ApiError."""
        return await self._ask(
            ROUTES["change_house_device"],
            HouseDevice,
            {"household": household, "device": device},
            body={"name": name, "room": room, "language": language},
            if_match=if_match,
        )

    async def release_device(self, household: str, device: str) -> None:
        """Let a device go; what it told here is erased. Raises: ApiError."""
        await self._do(ROUTES["release_device"], {"household": household, "device": device})

    async def ask_claim_code(self, *, spoken: bool | UnsetType = UNSET) -> ShortCode:
        """A code by which a household takes the calling device. Raises: ApiError."""
        return await self._ask(ROUTES["ask_claim_code"], ShortCode, {}, body={"spoken": spoken})

    def list_lists(self, household: str) -> AsyncIterator[HouseList]:
        """Lists with their items. Raises: ApiError."""
        return self._every(ROUTES["list_lists"], Page[HouseList], {"household": household}, {})

    async def add_list_item(
        self,
        household: str,
        list: str,
        *,
        text: str,
        quantity: str | UnsetType | None = UNSET,
        language: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> HouseList:
        """Put an item on a list, by its id or name; a list that is missing is made. Raises: ApiError."""
        return await self._ask(
            ROUTES["add_list_item"],
            HouseList,
            {"household": household, "list": list},
            body={"text": text, "quantity": quantity, "language": language},
            idempotency_key=idempotency_key,
        )

    async def tick_list_item(
        self, household: str, list: str, item: str, *, done: bool, if_match: str | int | None = None
    ) -> HouseList:
        """Tick an item, or not. Raises: ApiError."""
        return await self._ask(
            ROUTES["tick_list_item"],
            HouseList,
            {"household": household, "list": list, "item": item},
            body={"done": done},
            if_match=if_match,
        )

    async def remove_list_item(
        self, household: str, list: str, item: str, *, if_match: str | int | None = None
    ) -> HouseList:
        """Take an item off a list. Raises: ApiError."""
        return await self._ask(
            ROUTES["remove_list_item"],
            HouseList,
            {"household": household, "list": list, "item": item},
            if_match=if_match,
        )

    def list_jobs(self, household: str) -> AsyncIterator[HouseJob]:
        """Timers, alarms and reminders. Raises: ApiError."""
        return self._every(ROUTES["list_jobs"], Page[HouseJob], {"household": household}, {})

    async def cancel_job(self, household: str, job: str, *, if_match: str | int | None = None) -> None:
        """Cancel a timer, an alarm or a reminder. Raises: ApiError."""
        await self._do(ROUTES["cancel_job"], {"household": household, "job": job}, if_match=if_match)
