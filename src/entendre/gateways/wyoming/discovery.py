"""Wyoming services that announce themselves on the local network (extra `wyoming`)."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from entendre.gateways.announced import Announced as Announced
from entendre.gateways.announced import announced

SERVICE_TYPE = "_wyoming._tcp.local."


def announced_services() -> AsyncGenerator[Announced, None]:
    """Each Wyoming service as it is announced or moves. Raises: MissingExtraError, once it is iterated."""
    return announced(SERVICE_TYPE, "wyoming")
