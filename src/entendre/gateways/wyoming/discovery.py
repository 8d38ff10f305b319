"""Wyoming services that announce themselves on the local network (zeroconf, extra `wyoming`)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entendre.core.errors import MissingExtraError

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

logger = logging.getLogger(__name__)

SERVICE_TYPE = "_wyoming._tcp.local."
RESOLVE_MS = 3_000
FOUND_AT_ONCE = 256
"""Announcements that may wait; a network that names more is not a home."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A Wyoming service on the network. `name` is its announced instance name."""

    name: str
    host: str
    port: int


async def announced_services() -> AsyncGenerator[Announced, None]:
    """Each service as it is announced or changes its address, for as long as this is iterated.

    Raises: MissingExtraError.
    """
    try:
        from zeroconf import ServiceStateChange
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf
    except ImportError:
        raise MissingExtraError("Finding satellites needs zeroconf: pip install 'entendre[wyoming]'.") from None
    names: asyncio.Queue[str] = asyncio.Queue(FOUND_AT_ONCE)

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed and not names.full():
            names.put_nowait(name)

    async with AsyncZeroconf() as zeroconf:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, SERVICE_TYPE, handlers=[changed])
        try:
            while True:
                name = await names.get()
                info = await zeroconf.async_get_service_info(SERVICE_TYPE, name, RESOLVE_MS)
                addresses = info.parsed_scoped_addresses() if info is not None else []
                if info is not None and info.port and addresses:
                    yield Announced(name.removesuffix(f".{SERVICE_TYPE}"), addresses[0], info.port)
        finally:
            await browser.async_cancel()
