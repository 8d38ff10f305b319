"""Where a device keeps what it was given: it enrols once, and has its token and region after a restart."""

from __future__ import annotations

from pathlib import Path

import msgspec

from entendre.clients.api.transport import Route, Transport, request_of
from entendre.clients.device.commands import CommandBook
from entendre.clients.device.files import read_private, write_private
from entendre.clients.device.identity import Identity
from entendre.core.errors import InvalidInputError

MAX_MOVES = 3
"""Regions that a device may be sent on to before it gives up."""
CHALLENGE = Route("ask_challenge", "POST", "/provision/challenge")
PROVISION = Route("provision", "POST", "/provision")


class Assignment(msgspec.Struct, frozen=True):
    """What a device is told when it enrols. Without `device` it lives elsewhere, and enrols at `endpoint`."""

    region: str
    endpoint: str = ""
    device: str | None = None
    token: str | None = None
    brand: str | None = None
    product: str | None = None


class _Challenge(msgspec.Struct):
    challenge: str


class DeviceHome:
    """A folder of the device, for this user alone. `url`: of the first server that it asks."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder = folder
        self._url = url

    def commands(self) -> CommandBook:
        """The commands that it did, across restarts."""
        return CommandBook(self._folder / "commands.json")

    @property
    def assignment(self) -> Assignment | None:
        """What it was told; None until it has enrolled. Raises: InvalidInputError for a damaged file."""
        return read_private(self._folder / "assignment.json", Assignment)

    async def enrolled(self, identity: Identity, *, firmware: str = "", country: str | None = None) -> Assignment:
        """What it was told, now or before. Raises: ApiError, NotReachedError, InvalidInputError."""
        return self.assignment or await self.enrol(identity, firmware=firmware, country=country)

    async def enrol(self, identity: Identity, *, firmware: str = "", country: str | None = None) -> Assignment:
        """Enrol, again too: a new token, and the old one ends. Raises: ApiError, NotReachedError, InvalidInputError."""
        url = self._url
        for _ in range(MAX_MOVES):
            assignment = await provision(url, identity, firmware=firmware, country=country)
            if assignment.device is not None:
                kept = msgspec.structs.replace(assignment, endpoint=assignment.endpoint or url)
                write_private(self._folder / "assignment.json", kept)
                return kept
            url = assignment.endpoint
        raise InvalidInputError("The servers send this device around in a circle.")

    def forget(self) -> None:
        """Be as new: the next `enrolled` enrols."""
        (self._folder / "assignment.json").unlink(missing_ok=True)


async def provision(url: str, identity: Identity, *, firmware: str = "", country: str | None = None) -> Assignment:
    """Prove who it is and be assigned. Raises: ApiUnauthorizedError, ApiError, NotReachedError."""
    who = {"group": identity.group, "serial": identity.serial}
    async with Transport(url) as transport:
        asked = await transport.ask(request_of(CHALLENGE, {}, body=who), _Challenge)
        challenge = asked.value.challenge
        body = {**who, "challenge": challenge, "firmware": firmware, **identity.proof(challenge)}
        body |= {"country": country} if country else {}
        return (await transport.ask(request_of(PROVISION, {}, body=body), Assignment)).value
