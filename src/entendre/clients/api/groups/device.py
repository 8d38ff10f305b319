"""The operations of device. Written by scripts/write_client.py."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.rollouts import ReleaseAnswer

ROUTES = {
    "get_my_release": Route("get_my_release", "GET", "/device/release"),
    "report_my_release": Route("report_my_release", "POST", "/device/release/report"),
}


class Device(Group):
    """The operations of device."""

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
