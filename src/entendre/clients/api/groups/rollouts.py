"""The operations of rollouts. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.fleet.rollouts import Plan
from entendre.fleet.updates import DeviceState
from entendre.ports.rollouts import RolloutDevice, RolloutEvent
from entendre.web.api.paging import Page
from entendre.web.api.rollouts import RolloutShown

ROUTES = {
    "list": Route("list_rollouts", "GET", "/brands/{brand}/rollouts"),
    "create": Route("create_rollout", "POST", "/brands/{brand}/rollouts", idempotent=True),
    "get": Route("get_rollout", "GET", "/brands/{brand}/rollouts/{rollout}"),
    "start": Route("start_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/start"),
    "pause": Route("pause_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/pause"),
    "resume": Route("resume_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/resume"),
    "abort": Route("abort_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/abort"),
    "retry": Route("retry_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/retry"),
    "approve": Route("approve_rollout", "POST", "/brands/{brand}/rollouts/{rollout}/approve"),
    "list_devices": Route("list_rollout_devices", "GET", "/brands/{brand}/rollouts/{rollout}/devices"),
    "list_events": Route("list_rollout_events", "GET", "/brands/{brand}/rollouts/{rollout}/events"),
    "list_device_updates": Route("list_device_updates", "GET", "/brands/{brand}/devices/{device}/updates"),
}


class Rollouts(Group):
    """The operations of rollouts."""

    def list(
        self, brand: str, *, limit: int | None = None, after: str | None = None, release: str | None = None
    ) -> AsyncIterator[RolloutShown]:
        """The rollouts of a brand. Raises: ApiError."""
        return self._every(
            ROUTES["list"], Page[RolloutShown], {"brand": brand}, {"limit": limit, "after": after, "release": release}
        )

    async def create(
        self,
        brand: str,
        *,
        release: str,
        plan: Plan | UnsetType = UNSET,
        name: str | UnsetType = UNSET,
        query: str | UnsetType = UNSET,
        idempotency_key: str | None = None,
    ) -> RolloutShown:
        """Plan a rollout. Raises: ApiError."""
        return await self._ask(
            ROUTES["create"],
            RolloutShown,
            {"brand": brand},
            body={"release": release, "plan": plan, "name": name, "query": query},
            idempotency_key=idempotency_key,
        )

    async def get(self, brand: str, rollout: str) -> RolloutShown:
        """A rollout as it stands. Raises: ApiError."""
        return await self._ask(ROUTES["get"], RolloutShown, {"brand": brand, "rollout": rollout})

    async def start(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """Start a rollout: its devices are listed now. Raises: ApiError."""
        return await self._ask(ROUTES["start"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    async def pause(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """Make no more offers; what is under way goes on. Raises: ApiError."""
        return await self._ask(ROUTES["pause"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    async def resume(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """Go on with a rollout that was paused. Raises: ApiError."""
        return await self._ask(ROUTES["resume"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    async def abort(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """End a rollout; what devices have begun goes on. Raises: ApiError."""
        return await self._ask(ROUTES["abort"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    async def retry(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """Try the devices again that failed; a rollout that stopped itself goes on. Raises: ApiError."""
        return await self._ask(ROUTES["retry"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    async def approve(self, brand: str, rollout: str, *, if_match: str | int | None = None) -> RolloutShown:
        """Let the next group start. Raises: ApiError."""
        return await self._ask(ROUTES["approve"], RolloutShown, {"brand": brand, "rollout": rollout}, if_match=if_match)

    def list_devices(
        self,
        brand: str,
        rollout: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        state: DeviceState | None = None,
    ) -> AsyncIterator[RolloutDevice]:
        """The devices of a rollout, by state. Raises: ApiError."""
        return self._every(
            ROUTES["list_devices"],
            Page[RolloutDevice],
            {"brand": brand, "rollout": rollout},
            {"limit": limit, "after": after, "state": state},
        )

    def list_events(
        self, brand: str, rollout: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[RolloutEvent]:
        """What happened in a rollout, in order. Raises: ApiError."""
        return self._every(
            ROUTES["list_events"],
            Page[RolloutEvent],
            {"brand": brand, "rollout": rollout},
            {"limit": limit, "after": after},
        )

    def list_device_updates(
        self, brand: str, device: str, *, limit: int | None = None, after: str | None = None
    ) -> AsyncIterator[RolloutEvent]:
        """What rollouts did with one device, in order. Raises: ApiError."""
        return self._every(
            ROUTES["list_device_updates"],
            Page[RolloutEvent],
            {"brand": brand, "device": device},
            {"limit": limit, "after": after},
        )
