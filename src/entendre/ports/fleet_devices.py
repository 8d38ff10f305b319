"""Devices of the fleet: the registry, their credentials, their presence, and how they enrol."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

DeviceKind = Literal["speaker", "laptop"]
DeviceState = Literal["registered", "active", "revoked"]


@dataclass(frozen=True, slots=True)
class FleetDevice:
    """A device as the registry knows it. `product`: an id; `product_name` is empty for one that is no more.

    `version` rises with every change that somebody makes; presence and firmware, which the device tells, leave it.
    """

    id: str
    brand: str
    product: str
    product_name: str
    kind: DeviceKind
    serial: str
    name: str
    household: str | None
    room: str | None
    language: str | None
    country: str | None
    enrolment_group: str | None
    state: DeviceState
    firmware: str
    online: bool
    connected_at_s: float | None
    last_seen_at_s: float | None
    created_at_s: float
    created_by: str
    changed_at_s: float
    changed_by: str
    revoked_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A device to register. `product`: id or name. An empty `name` becomes the serial number."""

    product: str
    serial: str
    name: str = ""
    language: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class DeviceChanges:
    """What to change of a device: None leaves it, an empty text clears it."""

    name: str | None = None
    room: str | None = None
    language: str | None = None
    country: str | None = None


@dataclass(frozen=True, slots=True)
class DevicePage:
    """Devices in the order of their ids. `next`: the id to go on after, None at the end. `count`: where asked for."""

    devices: tuple[FleetDevice, ...]
    next: str | None
    count: int | None = None


@dataclass(frozen=True, slots=True)
class DeviceLogin:
    """What a device's token stands for. `credential`: empty where the token was checked elsewhere."""

    device: str
    brand: str
    credential: str = ""
    household: str | None = None


class FleetRegistry(Protocol):
    """The devices of brands. `brand` is always an id: another brand's device does not exist."""

    async def register(self, brand: str, new: NewDevice, *, by: str) -> FleetDevice:
        """Make a device that has not presented itself yet. Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def devices(
        self, brand: str, *, query: str = "", after: str = "", limit: int = 50, count: bool = False
    ) -> DevicePage:
        """Devices that a query (docs/fleet.md) is true of, after an id. Raises: InvalidInputError."""
        ...

    async def ids(self, brand: str, query: str, *, after: str = "", limit: int = 10_000) -> tuple[str, ...]:
        """Only the ids of such devices, in order. Raises: InvalidInputError."""
        ...

    async def count(self, brand: str, query: str = "") -> int:
        """How many devices a query is true of. Raises: InvalidInputError."""
        ...

    async def device(self, brand: str, device: str) -> FleetDevice:
        """One device, by id or serial number. Raises: NotFoundError."""
        ...

    async def found(self, device: str) -> FleetDevice | None:
        """A device by its id alone, for what lies behind a device's own credential."""
        ...

    async def change(
        self, brand: str, device: str, changes: DeviceChanges, *, by: str, version: int | None = None
    ) -> FleetDevice:
        """Change a device, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        ...

    async def revoke(self, brand: str, device: str, *, by: str, version: int | None = None) -> FleetDevice:
        """End a device's access; it stays known and can't enrol again. Raises: NotFoundError, StaleError."""
        ...

    async def forget(self, brand: str, device: str, *, by: str, version: int | None = None) -> None:
        """Remove a device with its twin and credentials. Raises: NotFoundError, StaleError."""
        ...


class DeviceCredentials(Protocol):
    """Tokens of devices, `entd_…`: shown once, kept as hashes."""

    async def issue(self, brand: str, device: str, *, by: str) -> str:
        """A new token; those before it end soon after its first use. Raises: NotFoundError, ForbiddenError."""
        ...

    async def rotate(self, device: str) -> str:
        """As `issue`, asked for by the device itself. Raises: NotFoundError, ForbiddenError."""
        ...

    async def login(self, token: str) -> DeviceLogin | None:
        """The device that a token belongs to; None if it is malformed, unknown, over or revoked.

        At most 2 s behind a revocation by another process.
        """
        ...


class DevicePresence(Protocol):
    """Who is connected. One device may hold several connections: it is online while it holds any."""

    async def connected(self, device: str) -> None:
        """A connection of a device opened. Raises: StoreError."""
        ...

    async def disconnected(self, device: str) -> None:
        """A connection of a device closed. Raises: StoreError."""
        ...

    def seen(self, device: str) -> None:
        """A device is there: coarse, cheap, written with others'."""
        ...

    async def runs_firmware(self, device: str, firmware: str) -> None:
        """A device says what it runs; written at once if that is news. Raises: StoreError."""
        ...


# -- enrolment -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class EnrolmentGroup:
    """How a batch of devices proves that it is a brand's. Keys are not shown again. `max_devices` None: no limit."""

    id: str
    brand: str
    product: str
    name: str
    kind: Literal["symmetric", "x509"]
    ca_pem: str | None
    regions: Mapping[str, str]
    max_devices: int | None
    enabled: bool
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class NewGroup:
    """A group to make. `id` and keys are given only to have a group of another region here too.

    `product`: id or name. `regions`: country (ISO 3166, or "*") to region.
    """

    name: str
    product: str
    kind: Literal["symmetric", "x509"]
    ca_pem: str | None = None
    regions: Mapping[str, str] | None = None
    max_devices: int | None = None
    id: str | None = None
    primary_key: bytes | None = None
    secondary_key: bytes | None = None


@dataclass(frozen=True, slots=True)
class GroupChanges:
    """What to change of a group: None leaves it; `max_devices` 0 lifts the limit."""

    enabled: bool | None = None
    max_devices: int | None = None
    regions: Mapping[str, str] | None = None
    ca_pem: str | None = None


@dataclass(frozen=True, slots=True)
class GroupKeys:
    """The keys of a symmetric group, once."""

    primary: bytes | None = None
    secondary: bytes | None = None


@dataclass(frozen=True, slots=True)
class ProvisioningClaim:
    """What a device presents. `chain_pem` and a signature over the challenge, or an HMAC: `proof` is their bytes."""

    group: str
    serial: str
    challenge: str
    proof: bytes
    chain_pem: str = ""
    country: str | None = None
    firmware: str = ""


@dataclass(frozen=True, slots=True)
class Provisioned:
    """What a device is told. Without `device`: it lives in another region, and enrols there, at `endpoint`."""

    region: str
    endpoint: str
    brand: str = ""
    product: str = ""
    device: str | None = None
    token: str = ""
    desired_version: int = 0
    reported_version: int = 0


class Enrolment(Protocol):
    """Groups for a brand's staff, provisioning for its devices."""

    async def create(self, brand: str, new: NewGroup, *, by: str) -> tuple[EnrolmentGroup, GroupKeys]:
        """A new group, and its keys where it has any. Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def groups(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[EnrolmentGroup, ...]:
        """Groups in the order of their ids, after one."""
        ...

    async def group(self, brand: str, group: str) -> EnrolmentGroup:
        """One group, by id or name. Raises: NotFoundError."""
        ...

    async def change(
        self, brand: str, group: str, changes: GroupChanges, *, by: str, version: int | None = None
    ) -> EnrolmentGroup:
        """Change a group. Raises: NotFoundError, InvalidInputError, StaleError."""
        ...

    async def rotate(
        self, brand: str, group: str, which: Literal["primary", "secondary"], *, by: str
    ) -> tuple[EnrolmentGroup, GroupKeys]:
        """A new key in the place of one: what was derived from the old no longer proves anything.

        Raises: NotFoundError, InvalidInputError.
        """
        ...

    async def challenge(self, group: str, serial: str) -> tuple[str, float]:
        """A text to prove oneself with, good once, and until when. It tells nothing of whether the group exists.

        Raises: InvalidInputError.
        """
        ...

    async def provision(self, claim: ProvisioningClaim) -> Provisioned:
        """Take a device in. Raises: UnauthorizedError, ForbiddenError, ConflictError, InvalidInputError."""
        ...


class Directory(Protocol):
    """Which region a serial number or a login lives in, by keyed hash: nothing personal is kept."""

    async def serial_hash(self, brand: str, serial: str) -> str:
        """The hash of a serial number of a brand."""
        ...

    async def login_hash(self, login: str) -> str:
        """The hash of a login, in lower case."""
        ...

    async def home_of(self, hashed: str) -> str | None:
        """The region of a hash; None if it is unknown here."""
        ...

    async def enter_login(self, login: str, home: str) -> None:
        """Note where an account lives. Raises: ConflictError if it lives elsewhere."""
        ...
