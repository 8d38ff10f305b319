"""People put together: their homes, what they agreed to, what is exported, erased, and deleted in time."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entendre.app.tasks import running
from entendre.cloud.retention import forget
from entendre.core.clock import Clock
from entendre.core.errors import EntendreError
from entendre.core.home import HOME
from entendre.ports.households import ErasedKind
from entendre.store.database import Database
from entendre.store.people.claims import ClaimStore
from entendre.store.people.consents import ConsentStore
from entendre.store.people.erasure import ErasureStore
from entendre.store.people.export import ExportStore
from entendre.store.people.history import HistoryStore
from entendre.store.people.households import HouseholdStore
from entendre.store.people.members import MemberStore
from entendre.store.people.notes import NoteStore
from entendre.store.people.retention import RetentionStore
from entendre.store.people.rooms import RoomStore
from entendre.store.people.routines import RoutineStore
from entendre.store.people.things import ThingStore

RETENTION_EVERY_S = 900.0
"""How often it is looked what households have kept long enough."""

if TYPE_CHECKING:
    from entendre.app.application import App


@dataclass(frozen=True, slots=True)
class People:
    """Every store of people over the app's database."""

    households: HouseholdStore
    members: MemberStore
    rooms: RoomStore
    house_devices: ClaimStore
    things: ThingStore
    notes: NoteStore
    routines: RoutineStore
    history: HistoryStore
    consents: ConsentStore
    retention: RetentionStore
    export: ExportStore
    erasure: ErasureStore

    def services(self) -> dict[str, Any]:
        """What the API asks of them, by the names that it has for them."""
        named: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return named | {"household_named": self.households.named, "place_in": self.households.place_of}


async def open_people(app: App) -> People:
    """The stores, with erasures done that a restored backup undid. Raises: StoreError."""
    given: tuple[Database, Clock, str] = (app.database, app.clock, app.settings.server.region)
    changed = app.households.changed
    households = HouseholdStore(*given, changed)
    leaving = _Leaving(app, households)
    folder = app.settings.server.data_dir
    people = People(
        households=households,
        members=MemberStore(*given),
        rooms=RoomStore(*given, changed),
        house_devices=ClaimStore(*given, changed),
        things=ThingStore(*given, changed),
        notes=NoteStore(*given),
        routines=RoutineStore(*given, changed),
        history=HistoryStore(*given),
        consents=ConsentStore(*given),
        retention=RetentionStore(*given),
        export=ExportStore(*given),
        erasure=ErasureStore(*given, folder, leave=[leaving.leave], forget=[leaving.forget_sound, leaving.begin_anew]),
    )
    await people.erasure.resume()
    await households.ensure_home()
    app.households.claim_code = _spoken_code(people.house_devices)
    await app.stack.enter_async_context(running(forget([people.retention], every_s=RETENTION_EVERY_S), "retention"))
    return people


@dataclass(frozen=True, slots=True)
class _Leaving:
    """What this process keeps of those who are erased, beside the database."""

    app: App
    households: HouseholdStore

    async def leave(self, kind: ErasedKind, subject: str) -> None:
        """End the conversations of a household."""
        if kind == "household" and subject != HOME:
            await self.app.households.changed(subject, "erased")

    async def forget_sound(self, kind: ErasedKind, subject: str) -> None:
        """Empty the cache of replies: which of them say something of whom can't be told."""
        await self.app.speech.replies.clear()

    async def begin_anew(self, kind: ErasedKind, subject: str) -> None:
        """The server's own household is never without a row, and remembers nothing of the one before."""
        if kind == "household" and subject == HOME:
            own = self.app.households.own
            own.lists.forget()
            await own.lists.load()
            await own.scheduler.reload()
            await self.households.ensure_home()


def _spoken_code(devices: ClaimStore) -> Callable[[str], Awaitable[str | None]]:
    async def spoken_code(device: str) -> str | None:
        try:
            made = await devices.ask_code(device, spoken=True)
        except EntendreError:
            return None
        return made.code.replace("-", "")

    return spoken_code
