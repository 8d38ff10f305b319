"""What a conversation needs of the fleet when a device opened it with its own token."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from entendre.core.errors import EntendreError
from entendre.wire.fleet_messages import DeviceRequest


class DeviceClient(Protocol):
    """A connection, as the fleet uses it."""

    async def show(self, name: str, body: Mapping[str, Any]) -> bool:
        """Send an event of ours; False once the connection is down."""
        ...

    async def refuse(self, error: EntendreError, event_id: str | None) -> None:
        """Say that the client's event of an id can't be followed."""
        ...

    def end(self, reason: str) -> None:
        """Have the connection end. Never waits."""
        ...


class DeviceSide(Protocol):
    """The device's own side of a conversation."""

    def opted(self, include: Iterable[str]) -> None:
        """The client said which events it understands."""
        ...

    def received(self, request: DeviceRequest, event_id: str | None) -> None:
        """Follow a request of the device, behind those that wait. Raises: OverloadedError."""
        ...

    async def gone(self) -> None:
        """The connection is down."""
        ...


class Fleet(Protocol):
    """Where devices belong."""

    def connected(self, device: str, brand: str, client: DeviceClient) -> DeviceSide:
        """A device came."""
        ...
