"""What a device and the cloud say to each other, whatever carries it: over HTTP (`http.py`) or MQTT (`mqtt.py`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from entendre.clients.device.commands import Command, CommandAnswer
from entendre.clients.device.telemetry import Reading
from entendre.core.errors import EntendreError


class LinkRefusedError(EntendreError):
    """The server refused what the device said; saying it again does not help. `reason`: the server's code."""

    code = "refused"

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message or f"The server refused it: {reason}.")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class TwinState:
    """A device's twin as it may see it."""

    desired: dict[str, Any]
    desired_version: int
    reported: dict[str, Any]
    reported_version: int


@dataclass(frozen=True, slots=True)
class DesiredPatched:
    """The desired section changed by a merge patch."""

    patch: dict[str, Any]
    version: int


@dataclass(frozen=True, slots=True)
class DesiredReplaced:
    """The desired section as it is now."""

    document: dict[str, Any]
    version: int


@dataclass(frozen=True, slots=True)
class UpdateSaid:
    """What a device says of its software. `running`: what it runs; the rest: how an update that was offered goes."""

    running: str
    board: str = ""
    rollout: str = ""
    attempt: int = 0
    said: Literal["downloading", "installing", "failed"] | None = None
    detail: str | None = None


@dataclass(frozen=True, slots=True)
class OfferedAddress:
    """Where a file of an offer is, for a while. `url` may be a path on the server."""

    sha256: str
    url: str


@dataclass(frozen=True, slots=True)
class Offer:
    """What to install: `manifest` as its maker signed it, `signature` in base64, and where its files are."""

    rollout: str
    attempt: int
    number: str
    manifest: str
    signature: str
    artifacts: tuple[OfferedAddress, ...] = ()


Heard = Command | DesiredPatched | DesiredReplaced


class DeviceLink(Protocol):
    """A connection to the cloud. Every method raises NotReachedError when it is gone, LinkRefusedError when refused."""

    async def open(self) -> None:
        """Connect."""
        ...

    async def close(self) -> None:
        """Leave nothing open."""
        ...

    async def next(self) -> Heard:
        """The next thing that the cloud wants; waits for it. Raises: NotReachedError."""
        ...

    async def twin(self) -> TwinState:
        """The twin as it is now."""
        ...

    async def report(self, patch: dict[str, Any]) -> int:
        """Change the reported section by a merge patch; its version then."""
        ...

    async def send(self, readings: Sequence[Reading]) -> None:
        """Hand telemetry over; it is kept when this returns."""
        ...

    async def answer(self, command: str, answer: CommandAnswer) -> None:
        """Say how a command went; it is kept when this returns."""
        ...

    async def release(self, said: UpdateSaid) -> Offer | None:
        """Say what runs and how an update goes, and ask what to install."""
        ...
