"""The operations of households. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.households import Household, HouseRoom
from entendre.web.api.home import KeptHome
from entendre.web.api.households import KeptDays
from entendre.web.api.paging import Page

ROUTES = {
    "create": Route("create_household", "POST", "/households", idempotent=True),
    "list": Route("list_households", "GET", "/brands/{brand}/households"),
    "my": Route("my_households", "GET", "/me/households"),
    "get": Route("get_household", "GET", "/households/{household}"),
    "change": Route("change_household", "PATCH", "/households/{household}"),
    "list_rooms": Route("list_rooms", "GET", "/households/{household}/rooms"),
    "create_room": Route("create_room", "POST", "/households/{household}/rooms", idempotent=True),
    "change_room": Route("change_room", "PATCH", "/households/{household}/rooms/{room}"),
    "remove_room": Route("remove_room", "DELETE", "/households/{household}/rooms/{room}"),
    "get_home": Route("get_home", "GET", "/households/{household}/home"),
    "put_home": Route("put_home", "PUT", "/households/{household}/home"),
    "remove_home": Route("remove_home", "DELETE", "/households/{household}/home"),
}


class Households(Group):
    """The operations of households."""

    async def create(
        self,
        *,
        name: str,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        time_zone: str | UnsetType | None = UNSET,
        brand: str | UnsetType | None = UNSET,
        owner: str | UnsetType | None = UNSET,
        my_name: str | UnsetType | None = UNSET,
        idempotency_key: str | None = None,
    ) -> Household:
        """Make a household. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            Household,
            {},
            body={
                "name": name,
                "language": language,
                "country": country,
                "time_zone": time_zone,
                "brand": brand,
                "owner": owner,
                "my_name": my_name,
            },
            idempotency_key=idempotency_key,
        )

    def list(self, brand: str, *, limit: int | None = None, after: str | None = None) -> AsyncIterator[Household]:
        """Households of a brand. Raises: ApiError."""
        return self._every(ROUTES["list"], Page[Household], {"brand": brand}, {"limit": limit, "after": after})

    def my(self) -> AsyncIterator[Household]:
        """The caller's households. Raises: ApiError."""
        return self._every(ROUTES["my"], Page[Household], {}, {})

    async def get(self, household: str) -> Household:
        """A household. Raises: ApiError."""
        return await self._ask(ROUTES["get"], Household, {"household": household})

    async def change(
        self,
        household: str,
        *,
        name: str | UnsetType = UNSET,
        language: str | UnsetType | None = UNSET,
        country: str | UnsetType | None = UNSET,
        time_zone: str | UnsetType | None = UNSET,
        retention: KeptDays | UnsetType = UNSET,
        if_match: str | int | None = None,
    ) -> Household:
        """Change a household. Raises: ApiError."""
        return await self._ask(
            ROUTES["change"],
            Household,
            {"household": household},
            body={
                "name": name,
                "language": language,
                "country": country,
                "time_zone": time_zone,
                "retention": retention,
            },
            if_match=if_match,
        )

    def list_rooms(
        self, household: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[HouseRoom]:
        """Rooms. Raises: ApiError."""
        return self._every(
            ROUTES["list_rooms"], Page[HouseRoom], {"household": household}, {"limit": limit, "after": after}
        )

    async def create_room(
        self,
        household: str,
        *,
        name: str,
        names: Mapping[str, Sequence[str]] | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> HouseRoom:
        """Name a room. Raises: ApiError."""
        return await self._ask(
            ROUTES["create_room"],
            HouseRoom,
            {"household": household},
            body={"name": name, "names": names},
            idempotency_key=idempotency_key,
        )

    async def change_room(
        self,
        household: str,
        room: str,
        *,
        name: str | UnsetType = UNSET,
        names: Mapping[str, Sequence[str]] | UnsetType = UNSET,
        if_match: str | int | None = None,
    ) -> HouseRoom:
        """Change a room. Raises: ApiError."""
        return await self._ask(
            ROUTES["change_room"],
            HouseRoom,
            {"household": household, "room": room},
            body={"name": name, "names": names},
            if_match=if_match,
        )

    async def remove_room(self, household: str, room: str) -> None:
        """Remove a room. Raises: ApiError."""
        await self._do(ROUTES["remove_room"], {"household": household, "room": room})

    async def get_home(self, household: str) -> KeptHome:
        """The home of a household. Raises: ApiError."""
        return await self._ask(ROUTES["get_home"], KeptHome, {"household": household})

    async def put_home(
        self,
        household: str,
        *,
        temperature_unit: str | UnsetType = UNSET,
        time_zone: str | UnsetType = UNSET,
        place: str | UnsetType = UNSET,
        floors: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        rooms: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        appliances: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        scenes: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        lists: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        media: Sequence[Mapping[str, object]] | UnsetType = UNSET,
        if_match: str | int | None = None,
    ) -> KeptHome:
        """Say what is in a home. Raises: ApiError."""
        return await self._ask(
            ROUTES["put_home"],
            KeptHome,
            {"household": household},
            body={
                "temperature_unit": temperature_unit,
                "time_zone": time_zone,
                "place": place,
                "floors": floors,
                "rooms": rooms,
                "appliances": appliances,
                "scenes": scenes,
                "lists": lists,
                "media": media,
            },
            if_match=if_match,
        )

    async def remove_home(self, household: str, *, if_match: str | int | None = None) -> None:
        """Forget what is in a home. Raises: ApiError."""
        await self._do(ROUTES["remove_home"], {"household": household}, if_match=if_match)
