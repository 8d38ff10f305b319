"""Services that announce themselves on the local network (zeroconf)."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from entendre.core.errors import MissingExtraError

if TYPE_CHECKING:
    from zeroconf import ServiceStateChange, Zeroconf

RESOLVE_MS = 3_000
FOUND_AT_ONCE = 256
"""Announcements that may wait; a network that names more is not a home."""


@dataclass(frozen=True, slots=True)
class Announced:
    """A service on the network. `name` is its announced instance name."""

    name: str
    host: str
    port: int


async def announced(service_type: str, extra: str) -> AsyncGenerator[Announced, None]:
    """Each service as it is announced or changes its address, for as long as this is iterated.

    `service_type` is as `_wyoming._tcp.local.`; `extra` names what to install where zeroconf is missing.
    Raises: MissingExtraError.
    """
    try:
        from zeroconf import ServiceStateChange
        from zeroconf.asyncio import AsyncServiceBrowser, AsyncZeroconf
    except ImportError:
        message = f"Finding devices needs zeroconf: pip install 'entendre[{extra}]'."
        raise MissingExtraError(message) from None
    names: asyncio.Queue[str] = asyncio.Queue(FOUND_AT_ONCE)

    def changed(zeroconf: Zeroconf, service_type: str, name: str, state_change: ServiceStateChange) -> None:
        if state_change is not ServiceStateChange.Removed and not names.full():
            names.put_nowait(name)

    async with AsyncZeroconf() as zeroconf:
        browser = AsyncServiceBrowser(zeroconf.zeroconf, service_type, handlers=[changed])
        try:
            while True:
                name = await names.get()
                info = await zeroconf.async_get_service_info(service_type, name, RESOLVE_MS)
                addresses = info.parsed_scoped_addresses() if info is not None else []
                if info is not None and info.port and addresses:
                    yield Announced(name.removesuffix(f".{service_type}"), addresses[0], info.port)
        finally:
            await browser.async_cancel()


async def follow_announcements(
    browse: Callable[[], AsyncIterator[Announced]],
    found: Callable[[Announced], Awaitable[None]],
    *,
    logger: logging.Logger,
    kind: str,
    retry_s: float,
) -> None:
    """Tell of each announcement; without its extra or a network, what is configured goes on."""
    while True:
        try:
            async for each in browse():
                await found(each)
        except MissingExtraError as error:
            logger.error("%ss are not looked for: %s", kind, error.public_message)
            return
        except OSError as error:
            logger.warning("%ss can't be looked for: %s", kind, error.strerror or error)
        await asyncio.sleep(retry_s)
