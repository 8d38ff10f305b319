"""Homes and the people in them, as the API and the cloud's services ask for them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from entendre.core.consent import Entry, Purpose, Subject
from entendre.core.roles import Place

ErasedKind = Literal["household", "account", "device"]


@dataclass(frozen=True, slots=True)
class Household:
    """A home. `retention`: days by kind of data, None for as long as nobody deletes it."""

    id: str
    brand: str
    name: str
    language: str | None
    country: str | None
    time_zone: str | None
    retention: Mapping[str, float | None]
    created_at_s: float
    version: int


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody of a household; `account` is None for a child's profile."""

    id: str
    household: str
    account: str | None
    name: str
    role: Place
    joined_at_s: float
    expires_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class ShortCode:
    """A code that was made just now; only its hash is kept. `expires_at_s`: Unix seconds."""

    code: str
    expires_at_s: float


@dataclass(frozen=True, slots=True)
class HouseRoom:
    """A room; `names` are what it is called, by language."""

    id: str
    name: str
    names: Mapping[str, tuple[str, ...]]
    version: int


@dataclass(frozen=True, slots=True)
class HouseDevice:
    """A speaker or laptop in a household."""

    id: str
    brand: str
    kind: str
    name: str
    room: str | None
    language: str | None
    online: bool
    last_seen_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class Note:
    """What somebody wants remembered; with an `account` it is that person's alone."""

    id: str
    text: str
    account: str | None
    created_at_s: float
    created_by: str
    version: int


@dataclass(frozen=True, slots=True)
class Routine:
    """Actions that are done together when a phrase is said (`{"say": …}`) or at a time (`{"time": …, "days": […]}`)."""

    id: str
    name: str
    trigger: Mapping[str, Any]
    actions: tuple[Mapping[str, Any], ...]
    enabled: bool
    version: int


@dataclass(frozen=True, slots=True)
class HouseItem:
    """An item of a list."""

    id: str
    text: str
    quantity: str | None
    done: bool


@dataclass(frozen=True, slots=True)
class HouseList:
    """A list with its items in order."""

    id: str
    names: Mapping[str, tuple[str, ...]]
    items: tuple[HouseItem, ...]
    version: int


@dataclass(frozen=True, slots=True)
class HouseJob:
    """A timer, an alarm or a reminder that is not over. `next_at_s`: Unix seconds of its next ring."""

    id: str
    kind: Literal["timer", "alarm", "reminder"]
    device: str
    text: str | None
    time: str | None
    date: str | None
    days: tuple[str, ...]
    every: str | None
    enabled: bool
    next_at_s: float | None
    version: int


@dataclass(frozen=True, slots=True)
class TurnRecord:
    """What was said and answered, once."""

    device: str
    account: str | None
    language: str
    heard: str
    reply: str
    outcome: str
    id: str = ""
    at_s: float = 0.0


@dataclass(frozen=True, slots=True)
class ConsentLine:
    """A line to write into the ledger. `by`: who says so; `channel`: where, as in "app" or "voice"."""

    purpose: str
    wording: str
    language: str
    given: bool
    by: str
    channel: str


@dataclass(frozen=True, slots=True)
class BrandRule:
    """How long a brand keeps a kind of data."""

    kind: str
    days: float


@dataclass(frozen=True, slots=True)
class Erased:
    """What an erasure left: its own id, and how many rows went."""

    id: str
    kind: ErasedKind
    subject: str
    at_s: float
    rows_gone: int


class Households(Protocol):
    """Homes themselves. `by` is who asks, as the audit log names them."""

    async def create(
        self, wanted: Mapping[str, str | None], *, brand: str, owner: tuple[str, str] | None, by: str
    ) -> Household:
        """Make one; `wanted`: its fields; `owner`: account and name of a member. Raises: InvalidInputError."""
        ...

    async def of_account(self, account: str) -> tuple[Household, ...]:
        """Those that a person is a member of now."""
        ...

    async def page(self, brand: str, after: str | None, limit: int) -> tuple[Household, ...]:
        """Those of a brand, in the order of their ids."""
        ...

    async def get(self, household: str) -> Household:
        """Raises: NotFoundError."""
        ...

    async def change(self, household: str, wanted: Mapping[str, Any], *, expected: int | None, by: str) -> Household:
        """Change what is named. Raises: NotFoundError, StaleError, InvalidInputError."""
        ...

    async def place_of(self, household: str, account: str) -> Place | None:
        """What a person is there now."""
        ...


class Members(Protocol):
    """People of a household, and the codes that invite them."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[Member, ...]:
        """Members in the order of their ids."""
        ...

    async def get(self, household: str, member: str) -> Member:
        """Raises: NotFoundError."""
        ...

    async def invite(self, household: str, role: Place, *, until_s: float | None, spoken: bool, by: str) -> ShortCode:
        """A code that lets one person in. Raises: InvalidInputError, TooLargeError."""
        ...

    async def join(self, code: str, account: str, *, name: str, by: str) -> Member:
        """Come in by a code. Raises: NotFoundError for a wrong code, ThrottledError, ConflictError."""
        ...

    async def add_child(self, household: str, name: str, *, by: str) -> Member:
        """A child's profile, without an account. Raises: InvalidInputError."""
        ...

    async def change(
        self, household: str, member: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> Member:
        """Another name, role or end of stay. Raises: NotFoundError, StaleError, ConflictError, InvalidInputError."""
        ...

    async def remove(self, household: str, member: str, *, by: str) -> None:
        """Raises: NotFoundError, ConflictError for the only owner."""
        ...

    async def leave(self, household: str, account: str, *, by: str) -> None:
        """A person goes. Raises: NotFoundError, ConflictError for the only owner."""
        ...


class Rooms(Protocol):
    """Rooms of a household."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[HouseRoom, ...]:
        """Rooms in the order of their ids."""
        ...

    async def create(self, household: str, name: str, names: Mapping[str, tuple[str, ...]], *, by: str) -> HouseRoom:
        """Raises: InvalidInputError, AlreadyExistsError."""
        ...

    async def change(
        self, household: str, room: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> HouseRoom:
        """Raises: NotFoundError, StaleError, InvalidInputError, AlreadyExistsError."""
        ...

    async def remove(self, household: str, room: str, *, by: str) -> None:
        """Its devices stay, without a room. Raises: NotFoundError."""
        ...


class HouseDevices(Protocol):
    """Speakers and laptops of a household: claimed by a code that the device shows or says."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[HouseDevice, ...]:
        """Devices in the order of their ids."""
        ...

    async def get(self, household: str, device: str) -> HouseDevice:
        """Raises: NotFoundError."""
        ...

    async def ask_code(self, device: str, *, spoken: bool) -> ShortCode:
        """A code for a device that is in no household. Raises: NotFoundError, ConflictError."""
        ...

    async def claim(
        self, household: str, code: str, *, name: str | None, room: str | None, guesser: str, by: str
    ) -> HouseDevice:
        """Take the device of a code. Raises: NotFoundError, ThrottledError, ConflictError, InvalidInputError."""
        ...

    async def change(
        self, household: str, device: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> HouseDevice:
        """Another name, room or language. Raises: NotFoundError, StaleError, InvalidInputError."""
        ...

    async def release(self, household: str, device: str, *, by: str) -> None:
        """Let a device go: what it told in this household is erased. Raises: NotFoundError."""
        ...


class HouseThings(Protocol):
    """What speakers keep for a household: lists, timers, alarms, reminders."""

    async def lists(self, household: str) -> tuple[HouseList, ...]:
        """Every list."""
        ...

    async def add_item(
        self, household: str, name: str, text: str, quantity: str | None, *, language: str, turn: str
    ) -> HouseList:
        """Put an item on a list, which is made if it is missing, once per `turn`. Raises: InvalidInputError."""
        ...

    async def change_item(
        self, household: str, name: str, item: str, *, done: bool | None, expected: int | None
    ) -> HouseList:
        """Tick an item or not; `done` None removes it. Raises: NotFoundError, StaleError, ConflictError."""
        ...

    async def jobs(self, household: str) -> tuple[HouseJob, ...]:
        """Timers, alarms and reminders that are not over."""
        ...

    async def cancel(self, household: str, job: str, *, expected: int | None) -> None:
        """End one, and its ring. Raises: NotFoundError, StaleError, ConflictError."""
        ...


class Notes(Protocol):
    """The notebook: notes of the household, and private ones, which their writer alone sees."""

    async def page(self, household: str, account: str | None, after: str | None, limit: int) -> tuple[Note, ...]:
        """Notes of the household, and those of `account`."""
        ...

    async def create(self, household: str, text: str, *, account: str | None, by: str) -> Note:
        """With an `account` it is private. Raises: InvalidInputError, TooLargeError."""
        ...

    async def get(self, household: str, note: str, account: str | None) -> Note:
        """Raises: NotFoundError."""
        ...

    async def change(
        self, household: str, note: str, text: str, *, account: str | None, expected: int | None, by: str
    ) -> Note:
        """Raises: NotFoundError, StaleError, InvalidInputError."""
        ...

    async def remove(self, household: str, note: str, *, account: str | None, by: str) -> None:
        """Raises: NotFoundError."""
        ...


class Routines(Protocol):
    """Routines of a household; running them is the runtime's."""

    async def page(self, household: str, after: str | None, limit: int) -> tuple[Routine, ...]:
        """Routines in the order of their ids."""
        ...

    async def get(self, household: str, routine: str) -> Routine:
        """Raises: NotFoundError."""
        ...

    async def create(self, household: str, wanted: Mapping[str, Any], *, by: str) -> Routine:
        """Raises: InvalidInputError, TooLargeError."""
        ...

    async def change(
        self, household: str, routine: str, wanted: Mapping[str, Any], *, expected: int | None, by: str
    ) -> Routine:
        """Raises: NotFoundError, StaleError, InvalidInputError."""
        ...

    async def remove(self, household: str, routine: str, *, by: str) -> None:
        """Raises: NotFoundError."""
        ...


class History(Protocol):
    """Conversations, kept only where the household wants it and agreed to it."""

    async def record_turn(self, household: str, turn: TurnRecord) -> bool:
        """Keep a turn if this household keeps any; whether it did. Never raises for a household that is gone."""
        ...

    async def page(self, household: str, account: str | None, before: str | None, limit: int) -> tuple[TurnRecord, ...]:
        """Newest first: those that nobody was recognised in, and those of `account`."""
        ...

    async def forget(self, household: str, *, by: str) -> int:
        """Delete all of it; how many turns went."""
        ...


class Consents(Protocol):
    """The ledger of what was agreed. Lines are only added."""

    async def for_household(self, household: str, line: ConsentLine, *, account: str | None) -> Entry:
        """`account`: who speaks for the household; None is whoever runs the server. Raises: ForbiddenError."""
        ...

    async def for_self(self, account: str, line: ConsentLine) -> Entry:
        """A person for themselves. Raises: ForbiddenError for a child's yes."""
        ...

    async def for_child(self, household: str, member: str, line: ConsentLine, *, account: str | None) -> Entry:
        """A guardian for a child. Raises: NotFoundError, ForbiddenError."""
        ...

    async def ledger(self, subject: Subject) -> tuple[Entry, ...]:
        """Every line of a subject, oldest first."""
        ...

    async def holds(self, subject: Subject, purpose: str) -> bool:
        """Whether it is agreed now, and may be where the subject is now."""
        ...

    async def never(self, subject: Subject) -> frozenset[Purpose]:
        """What is not done where a subject is now, whatever was agreed to elsewhere or before."""
        ...


class Retention(Protocol):
    """How long a brand keeps each kind of data."""

    async def rules(self, brand: str) -> tuple[BrandRule, ...]:
        """Every kind of a brand's data, with its days."""
        ...

    async def set_rule(self, brand: str, kind: str, days: float, *, by: str) -> BrandRule:
        """Raises: InvalidInputError."""
        ...


class Export(Protocol):
    """Everything of somebody, as one ZIP archive of JSON files."""

    def household(self, household: str, account: str | None, by: str) -> AsyncIterator[bytes]:
        """The archive in pieces, without other members' private things."""
        ...

    def account(self, account: str, by: str) -> AsyncIterator[bytes]:
        """What is a person's own, in every household."""
        ...


class Erasure(Protocol):
    """The end of somebody's data: rows, files, caches, and what a restored backup would bring back."""

    async def household(self, household: str, *, by: str) -> Erased:
        """Its members keep their accounts, its devices start anew. Raises: NotFoundError."""
        ...

    async def account(self, account: str, *, by: str) -> Erased:
        """Households where no other adult is left go too. Raises: NotFoundError."""
        ...

    async def device(self, device: str, *, brand: str | None = None, by: str) -> Erased:
        """`brand`: whose device it must be. Raises: NotFoundError."""
        ...


HouseholdNews = Literal["lists", "jobs", "routines", "rooms", "devices", "settings", "erased"]
HouseholdChanged = Callable[[str, HouseholdNews], Awaitable[None]]
"""Told after a change that did not come through the running household: (household, what)."""
