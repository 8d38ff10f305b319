"""Connections that devices hold, as commands and twins use them, whatever protocol is spoken on them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from entendre.ports.commands import CommandAnswer, CommandRecord

SPEAKS, ACTS, LISTENS = 2, 1, 0
"""What a link can do with commands: carry them with their ids; do them by the device's own actions; nothing."""


class CommandLink(Protocol):
    """One open connection of a device. Its methods are called on the event loop."""

    kind: str
    """"mqtt", "realtime" …: a new link of a kind takes the place of the older one."""
    rank: int
    """`SPEAKS`, `ACTS` or `LISTENS`: commands go to the newest link of the highest rank."""

    async def call(self, command: str, name: str, payload: Any, timeout_s: float) -> CommandAnswer:
        """Have the device do something now; the caller bounds the wait. Raises: OfflineError, OverloadedError."""
        ...

    async def deliver(self, command: CommandRecord) -> None:
        """Hand over a queued command; the device answers it later by its id. Raises: OfflineError, OverloadedError."""
        ...

    def desired(self, patch: Any, version: int, *, replaces: bool) -> None:
        """The desired section of the twin changed by a merge patch, or was replaced. Never waits.

        What is lost is read again on reconnecting.
        """
        ...

    def close(self, reason: str) -> None:
        """End the connection."""
        ...


class DeviceLinks(Protocol):
    """Who is connected to this process."""

    @property
    def devices(self) -> tuple[str, ...]:
        """Ids of the devices that are connected here."""
        ...

    def attach(self, device: str, brand: str, link: CommandLink, *, replaces: bool = True) -> Callable[[], None]:
        """A connection opened; returns what to call once when it closes.

        `replaces`: older ones of its kind are dead or left behind, and are closed.
        """
        ...

    def link(self, device: str) -> CommandLink | None:
        """The connection that a device takes commands on; None if it has none here."""
        ...

    def brand_of(self, device: str) -> str | None:
        """The brand of a device that is connected here."""
        ...
