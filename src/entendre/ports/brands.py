"""Makers: brands, their products and staff, and which brand's assistant a device has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

from entendre.core.roles import Role

DeviceKind = Literal["speaker", "laptop"]


@dataclass(frozen=True, slots=True)
class AssistantProfile:
    """What a brand's assistant is called, hears and sounds like. Without `voice` or `language`: the device's own."""

    name: str
    wake_words: tuple[str, ...] = ()
    voice: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True)
class BrandRecord:
    """A brand. `name` is a slug, unique among those that have not ended."""

    id: str
    name: str
    display_name: str
    assistant: AssistantProfile
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class BrandChanges:
    """What to change of a brand; None stays as it is."""

    display_name: str | None = None
    assistant: AssistantProfile | None = None


@dataclass(frozen=True, slots=True)
class ProductRecord:
    """A product of a brand. `channel` is where its devices take releases from."""

    id: str
    brand: str
    name: str
    display_name: str
    kind: DeviceKind
    model: str
    channel: str
    tools: tuple[str, ...]
    wake_words: tuple[str, ...]
    voices: tuple[str, ...]
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class NewProduct:
    """A product to be."""

    name: str
    display_name: str
    kind: DeviceKind
    model: str = ""
    channel: str = "stable"
    tools: tuple[str, ...] = ()
    wake_words: tuple[str, ...] = ()
    voices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ProductChanges:
    """What to change of a product; None stays as it is."""

    display_name: str | None = None
    model: str | None = None
    channel: str | None = None
    tools: tuple[str, ...] | None = None
    wake_words: tuple[str, ...] | None = None
    voices: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class PartnershipRecord:
    """While it lasts, the assistant of `brand`'s devices (of these products, all for none) is `partner`'s."""

    id: str
    brand: str
    partner: str
    products: tuple[str, ...]
    started_at_s: float
    started_by: str
    version: int


@dataclass(frozen=True, slots=True)
class LentDevice:
    """What a partner sees of a device whose assistant it has."""

    id: str
    brand: str
    product: str
    online: bool


@dataclass(frozen=True, slots=True)
class EffectiveAssistant:
    """Whose assistant a device has now, and what it is like. `lent`: it is a partner's."""

    brand: str
    profile: AssistantProfile
    lent: bool


@dataclass(frozen=True, slots=True)
class StaffRecord:
    """A person who works for a brand."""

    id: str
    brand: str
    account: str
    role: Role
    login: str
    display_name: str
    created_at_s: float
    created_by: str
    version: int


class Brands(Protocol):
    """The brands of a region. `by` names who did it, for the audit log."""

    async def create(
        self, name: str, display_name: str, assistant: AssistantProfile | None = None, *, by: str
    ) -> BrandRecord:
        """Make a brand. Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def brands(self, *, after: str = "", limit: int = 50) -> tuple[BrandRecord, ...]:
        """Brands that have not ended, by id."""
        ...

    async def brand(self, named: str) -> BrandRecord:
        """A brand that has not ended, by id or name. Raises: NotFoundError."""
        ...

    async def named(self, named: str) -> str | None:
        """The id of a brand, by id or name; None if there is none, or none any more."""
        ...

    async def change(self, brand: str, changes: BrandChanges, *, by: str, version: int | None = None) -> BrandRecord:
        """Change a brand, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        ...

    async def end(self, brand: str, *, by: str, version: int | None = None) -> None:
        """End a brand and its partnerships: devices lent to it have their own brand's assistant again.

        Raises: NotFoundError, StaleError; InvalidInputError for the built-in brand.
        """
        ...

    async def assistant_of(self, brand: str, product: str) -> EffectiveAssistant:
        """The assistant that devices of a brand's product have now. Raises: NotFoundError for an unknown brand."""
        ...

    async def assistant_of_device(self, device: str) -> EffectiveAssistant:
        """The assistant that one device has now. Raises: NotFoundError."""
        ...


class Products(Protocol):
    """The products of brands. `brand` is always an id: another brand's product does not exist."""

    async def create(self, brand: str, new: NewProduct, *, by: str) -> ProductRecord:
        """Make a product. Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def products(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[ProductRecord, ...]:
        """Products that have not ended, by id."""
        ...

    async def product(self, brand: str, named: str) -> ProductRecord:
        """A product, by id or name. Raises: NotFoundError."""
        ...

    async def change(
        self, brand: str, product: str, changes: ProductChanges, *, by: str, version: int | None = None
    ) -> ProductRecord:
        """Change a product, if it has that version still. Raises: NotFoundError, InvalidInputError, StaleError."""
        ...

    async def end(self, brand: str, product: str, *, by: str, version: int | None = None) -> None:
        """End a product. Raises: NotFoundError, StaleError; ConflictError while it has devices that are not revoked."""
        ...


class Partnerships(Protocol):
    """Who lent whom the assistant of which devices. Either side of a partnership knows of it and may end it."""

    async def lend(self, brand: str, partner: str, products: tuple[str, ...], *, by: str) -> PartnershipRecord:
        """Let a partner's assistant answer on the devices of these products, of all for none.

        Raises: InvalidInputError, NotFoundError; AlreadyExistsError if one of them is lent.
        """
        ...

    async def partnerships(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[PartnershipRecord, ...]:
        """What a brand lends and borrows now, by id."""
        ...

    async def partnership(self, brand: str, id: str) -> PartnershipRecord:
        """One of them. Raises: NotFoundError."""
        ...

    async def end(self, brand: str, id: str, *, by: str, version: int | None = None) -> None:
        """Take the assistant back, or leave. Raises: NotFoundError, StaleError."""
        ...

    async def lent_devices(self, partner: str, *, after: str = "", limit: int = 50) -> tuple[LentDevice, ...]:
        """The devices whose assistant a partner has now, by id."""
        ...


class Staff(Protocol):
    """The people of brands, and what each may do there."""

    async def role_in(self, brand: str, account: str) -> Role | None:
        """The role of an account in a brand; None if it has none."""
        ...

    async def roles_of(self, account: str) -> tuple[tuple[str, Role], ...]:
        """The brands that an account works for, each with its role."""
        ...

    async def add(self, brand: str, account: str, role: Role, *, by: str) -> StaffRecord:
        """Take an account in. Raises: NotFoundError for an unknown account, AlreadyExistsError."""
        ...

    async def staff(self, brand: str, *, after: str = "", limit: int = 50) -> tuple[StaffRecord, ...]:
        """The staff of a brand, by id."""
        ...

    async def member(self, brand: str, id: str) -> StaffRecord:
        """One of them. Raises: NotFoundError."""
        ...

    async def change(self, brand: str, id: str, role: Role, *, by: str, version: int | None = None) -> StaffRecord:
        """Give another role. Raises: NotFoundError, StaleError."""
        ...

    async def remove(self, brand: str, id: str, *, by: str, version: int | None = None) -> None:
        """Let go. Raises: NotFoundError, StaleError."""
        ...
