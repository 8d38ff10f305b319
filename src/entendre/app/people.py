"""People put together: their homes, what they agreed to, what is exported, erased, and deleted in time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from entendre.app.tasks import running
from entendre.cloud.retention import forget
from entendre.core.clock import Clock
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

    async def forget_sound(kind: ErasedKind, subject: str) -> None:
        await app.speech.replies.clear()

    people = People(
        households=HouseholdStore(*given),
        members=MemberStore(*given),
        rooms=RoomStore(*given),
        house_devices=ClaimStore(*given),
        things=ThingStore(*given),
        notes=NoteStore(*given),
        routines=RoutineStore(*given),
        history=HistoryStore(*given),
        consents=ConsentStore(*given),
        retention=RetentionStore(*given),
        export=ExportStore(*given),
        erasure=ErasureStore(*given, folder=app.settings.server.data_dir, forget=(forget_sound,)),
    )
    await people.erasure.resume()
    await people.households.ensure_home()
    await app.stack.enter_async_context(running(forget([people.retention], every_s=RETENTION_EVERY_S), "retention"))
    return people
