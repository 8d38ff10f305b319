"""The operations of device. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.ports.brands import EffectiveAssistant
from entendre.ports.fleet_twins import TwinChange
from entendre.web.api.devices import DeviceToken, OwnDevice
from entendre.web.api.rollouts import ReleaseAnswer
from entendre.web.api.twins import OwnTwin

ROUTES = {
    "get_my_assistant": Route("get_my_assistant", "GET", "/device/assistant"),
    "get_own": Route("get_own_device", "GET", "/device"),
    "rotate_own_token": Route("rotate_own_token", "POST", "/device/token"),
    "get_own_twin": Route("get_own_twin", "GET", "/device/twin"),
    "patch_own_reported": Route("patch_own_reported", "PATCH", "/device/twin/reported"),
    "replace_own_reported": Route("replace_own_reported", "PUT", "/device/twin/reported"),
    "get_my_release": Route("get_my_release", "GET", "/device/release"),
    "report_my_release": Route("report_my_release", "POST", "/device/release/report"),
}


class Device(Group):
    """The operations of device."""

    async def get_my_assistant(self) -> EffectiveAssistant:
        """Whose assistant this device has now. Raises: ApiError."""
        return await self._ask(ROUTES["get_my_assistant"], EffectiveAssistant, {})

    async def get_own(self) -> OwnDevice:
        """What a device may know of itself. Raises: ApiError."""
        return await self._ask(ROUTES["get_own"], OwnDevice, {})

    async def rotate_own_token(self) -> DeviceToken:
        """A new token for the device that asks. Raises: ApiError."""
        return await self._ask(ROUTES["rotate_own_token"], DeviceToken, {})

    async def get_own_twin(self) -> OwnTwin:
        """The twin of the device that asks. Raises: ApiError."""
        return await self._ask(ROUTES["get_own_twin"], OwnTwin, {})

    async def patch_own_reported(self, body: Mapping[str, object], *, if_match: str | int | None = None) -> TwinChange:
        """Merge into what the device reports. Raises: ApiError."""
        return await self._ask(ROUTES["patch_own_reported"], TwinChange, {}, body=body, if_match=if_match)

    async def replace_own_reported(
        self, body: Mapping[str, object], *, if_match: str | int | None = None
    ) -> TwinChange:
        """Replace what the device reports. Raises: ApiError."""
        return await self._ask(ROUTES["replace_own_reported"], TwinChange, {}, body=body, if_match=if_match)

    async def get_my_release(self, *, board: str | None = None) -> ReleaseAnswer:
        """What this device is to install now. Raises: ApiError."""
        return await self._ask(ROUTES["get_my_release"], ReleaseAnswer, {}, query={"board": board})

    async def report_my_release(
        self,
        *,
        running: str | UnsetType = UNSET,
        rollout: str | UnsetType = UNSET,
        attempt: int | UnsetType = UNSET,
        state: Literal["downloading", "installing", "failed"] | UnsetType | None = UNSET,
        detail: str | UnsetType | None = UNSET,
    ) -> None:
        """What this device runs, and how an update goes. Raises: ApiError."""
        await self._do(
            ROUTES["report_my_release"],
            {},
            body={"running": running, "rollout": rollout, "attempt": attempt, "state": state, "detail": detail},
        )
