"""Who may connect: API keys, and devices that are bound."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from entendre.core.device import Admission, Admitted, DeviceIdentity, DeviceRecord, PendingDevice, Proof, Refusal
from entendre.core.roles import Role


@dataclass(frozen=True, slots=True)
class KeyRecord:
    """An API key as it may be shown; its secret is not kept. `last_used_at_s` is coarse.

    `brand` and `role`: whose staff it stands for; without a brand it is whoever runs the server.
    """

    id: str
    name: str
    created_at_s: float
    last_used_at_s: float | None = None
    revoked_at_s: float | None = None
    brand: str | None = None
    role: Role | None = None


class KeyVerifier(Protocol):
    """Checks the API key of a request."""

    async def verify(self, token: str) -> KeyRecord | None:
        """The key that a token belongs to; None if it is malformed, unknown or revoked."""
        ...


class BrandKeys(Protocol):
    """The API keys of brands. `brand` is always an id: another brand's key does not exist."""

    async def add(
        self, name: str, *, brand: str | None = None, role: Role | None = None, by: str = "cli"
    ) -> tuple[str, KeyRecord]:
        """A new key: its token, which cannot be shown again, and its record. Raises: InvalidInputError."""
        ...

    async def of_brand(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[KeyRecord, ...]:
        """The keys of a brand, revoked ones too, by id."""
        ...

    async def revoke_of_brand(self, brand: str, key: str, *, by: str) -> KeyRecord:
        """End a key of a brand. Raises: NotFoundError."""
        ...


class DeviceRegistry(Protocol):
    """What a gateway asks before it talks to a device. Every answer is of this moment: nothing is to be remembered."""

    async def announce(self, identity: DeviceIdentity, address: str, *, strangers: bool = True) -> Admission:
        """A device presents itself at boot: `Admitted` with a new token, `Unbound` with its code, or `Refused`.

        `address`: the peer's IP address, which quotas count. Without `strangers` only bound devices get anything.
        """
        ...

    async def activate(self, identity: DeviceIdentity, proof: Proof | None, address: str) -> Admission:
        """A device asks whether it was bound: `Admitted` without a token, `Unbound` while it was not, or `Refused`."""
        ...

    async def verify(self, token: str, hardware: str, client: str) -> Admission:
        """A device opens a connection. `Unbound`: say its code and nothing else. An empty token is none."""
        ...

    def watch(self, admitted: Admitted, ended: Callable[[Refusal], None]) -> Callable[[], None]:
        """Call `ended` once, within 2 s, when this admission is revoked, re-bound or expires; returns how to stop.

        Watch at once after `verify`, for as long as the connection is open.
        """
        ...

    async def record(self, device: str) -> DeviceRecord | None:
        """A bound device as it is now (its room, name and language may have changed); None once it is revoked."""
        ...

    async def note_seen(self, device: str, firmware: str | None = None) -> None:
        """Note that a device is there, and its firmware's version. Coarse, cheap and never in the way."""
        ...


class DeviceBook(Protocol):
    """What a person does with devices. `by` names who did it: "cli", or the id of an API key."""

    async def devices(self) -> tuple[DeviceRecord, ...]:
        """Every device, revoked ones too, oldest first."""
        ...

    async def pending(self) -> tuple[PendingDevice, ...]:
        """Every device that shows a code now."""
        ...

    async def bind(
        self, code: str, *, name: str = "", room: str | None = None, language: str | None = None, by: str, guesser: str
    ) -> DeviceRecord:
        """Take the device that shows this code into the household; a name is made if none is given.

        Raises: InvalidInputError, OverloadedError once `guesser` has guessed wrong too often.
        """
        ...

    async def change(
        self,
        device: str,
        *,
        name: str | None = None,
        room: str | None = None,
        language: str | None = None,
        by: str,
    ) -> DeviceRecord:
        """Change what is not None; an empty `room` or `language` clears it. Raises: InvalidInputError."""
        ...

    async def revoke(self, device: str, *, by: str) -> DeviceRecord:
        """End a device's access; it stays known, so that it can't be bound by accident. Raises: InvalidInputError."""
        ...

    async def forget(self, device: str, *, by: str) -> DeviceRecord:
        """Remove a device; it may be bound again as a new one. Raises: InvalidInputError."""
        ...
