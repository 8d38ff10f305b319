"""The operations of telemetry. Written by scripts/write_client.py."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

from entendre.clients.api.group import Group
from entendre.clients.api.transport import Route
from entendre.web.api.paging import Page
from entendre.web.api.telemetry import TelemetryKept, TelemetryMessage, TelemetryRow, TelemetryRows

ROUTES = {
    "list": Route("list_telemetry", "GET", "/brands/{brand}/devices/{device}/telemetry"),
    "newest": Route("newest_telemetry", "GET", "/brands/{brand}/telemetry"),
    "send_telemetry": Route("send_telemetry", "POST", "/device/telemetry"),
}


class Telemetry(Group):
    """The operations of telemetry."""

    def list(
        self,
        brand: str,
        device: str,
        *,
        limit: int | None = None,
        after: str | None = None,
        from_s: float | None = None,
        to_s: float | None = None,
    ) -> AsyncIterator[TelemetryRow]:
        """What a device sent within a time, oldest first. Raises: ApiError."""
        return self._every(
            ROUTES["list"],
            Page[TelemetryRow],
            {"brand": brand, "device": device},
            {"limit": limit, "after": after, "from_s": from_s, "to_s": to_s},
        )

    async def newest(self, brand: str, *, limit: int | None = None) -> TelemetryRows:
        """What a brand's devices sent last. Raises: ApiError."""
        return await self._ask(ROUTES["newest"], TelemetryRows, {"brand": brand}, query={"limit": limit})

    async def send_telemetry(self, *, messages: Sequence[TelemetryMessage]) -> TelemetryKept:
        """A device sends messages: kept before this is answered, each once by its id. Raises: ApiError."""
        return await self._ask(ROUTES["send_telemetry"], TelemetryKept, {}, body={"messages": messages})
