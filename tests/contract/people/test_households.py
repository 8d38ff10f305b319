"""Homes and the people in them, on both databases."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from entendre.core.clock import Clock
from entendre.core.consent import Subject
from entendre.core.errors import (
    AlreadyExistsError,
    ConflictError,
    EntendreError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleError,
    ThrottledError,
    TooLargeError,
)
from entendre.fleet.codes import LIFE_S
from entendre.ports.households import ConsentLine, Household, TurnRecord
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.people.claims import ClaimStore
from entendre.store.people.consents import ConsentStore
from entendre.store.people.history import HistoryStore
from entendre.store.people.households import HouseholdStore
from entendre.store.people.members import MemberStore
from entendre.store.people.notes import NoteStore
from entendre.store.people.rooms import RoomStore
from entendre.store.people.routines import RoutineStore
from entendre.store.people.things import ThingStore
from entendre.system import new_id

LIGHT = {"type": "set_trait", "appliance": "lamp", "trait": "on", "value": False}


class HandClock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@dataclass
class People:
    """Every store of people over one database."""

    database: Database
    clock: HandClock

    def __post_init__(self) -> None:
        given: tuple[Database, Clock, str] = (self.database, self.clock, "eu")
        self.households = HouseholdStore(*given)
        self.members = MemberStore(*given)
        self.rooms = RoomStore(*given)
        self.devices = ClaimStore(*given)
        self.notes = NoteStore(*given)
        self.routines = RoutineStore(*given)
        self.things = ThingStore(*given)
        self.history = HistoryStore(*given)
        self.consents = ConsentStore(*given)

    async def home(self, owner: str = "ann", **wanted: str) -> Household:
        return await self.households.create({"name": "Home", **wanted}, brand="home", owner=(owner, owner), by=owner)

    async def joined(self, household: str, account: str, role: Any, until_s: float | None = None) -> str:
        code = await self.members.invite(household, role, until_s=until_s, spoken=False, by="ann")
        member = await self.members.join(code.code, account, name=account, by=f"person:{account}")
        assert (member.household, member.role) == (household, role)
        return member.id

    async def run(self, sql: str, *values: Any) -> list[Any]:
        def work(connection: Connection) -> list[Any]:
            found = connection.execute(sql, values)
            return found.fetchall() if sql.startswith("SELECT") else []

        return await self.database.write(work)

    async def device(self, household: str | None = None) -> str:
        columns = (
            "region, id, brand, product, kind, serial, name, household, state, firmware, online, created_at_s,"
            " created_by, changed_at_s, changed_by, version"
        )
        device = new_id()
        await self.run(
            f"INSERT INTO fleet_devices ({columns}) VALUES ('eu', ?, 'acme', 'p', 'speaker', ?, ?, ?, 'active',"
            " '1.0', 0, 1.0, 'cli', 1.0, 'cli', 1)",
            *(device, f"S-{device}", f"S-{device}", household),
        )
        return device


@pytest.fixture
def people(database: Database) -> People:
    return People(database, HandClock())


async def test_a_person_makes_a_household_and_owns_it(people: People) -> None:
    home = await people.home(language="en-IN", country="IN", time_zone="Asia/Kolkata")
    assert await people.households.get(home.id) == home
    assert home.retention == {"history": 0.0, "rings": 7.0, "turns": 7.0, "notes": None}
    assert await people.households.of_account("ann") == (home,)
    assert await people.households.place_of(home.id, "ann") == "owner"
    changed = await people.households.change(
        home.id, {"name": "Big house", "retention": {"history": 30}}, expected=1, by="ann"
    )
    assert (changed.name, changed.retention["history"], changed.version) == ("Big house", 30, 2)
    with pytest.raises(StaleError):
        await people.households.change(home.id, {"name": "x"}, expected=1, by="ann")
    for wrong in ({"country": "India"}, {"time_zone": "Mars/Base"}, {"retention": {"history": 900}}, {"name": " "}):
        with pytest.raises(InvalidInputError):
            await people.households.change(home.id, wrong, expected=None, by="ann")


async def test_people_join_by_a_code_that_works_once_and_not_for_long(people: People) -> None:
    home = await people.home()
    code = await people.members.invite(home.id, "adult", until_s=None, spoken=True, by="ann")
    assert len(code.code) == 7
    member = await people.members.join(f" {code.code.lower()} ", "bob", name="Bob", by="person:bob")
    assert (member.role, member.account) == ("adult", "bob")
    with pytest.raises(NotFoundError):
        await people.members.join(code.code, "eve", name="Eve", by="person:eve")
    late = await people.members.invite(home.id, "adult", until_s=None, spoken=False, by="ann")
    people.clock.now_s += LIFE_S
    with pytest.raises(NotFoundError):
        await people.members.join(late.code, "eve", name="Eve", by="person:eve")
    acts = [row[0] for row in await people.run("SELECT act FROM audit WHERE region = 'eu' ORDER BY seq")]
    assert acts == ["household.created", "member.invited", "member.joined", "member.invited"]


async def test_guessing_is_limited_by_guesser_and_over_all(people: People) -> None:
    home = await people.home()
    code = await people.members.invite(home.id, "adult", until_s=None, spoken=True, by="ann")
    for _ in range(10):
        with pytest.raises(NotFoundError):
            await people.members.join("AAAA-AAAA", "eve", name="Eve", by="person:eve")
    with pytest.raises(ThrottledError):
        await people.members.join(code.code, "eve", name="Eve", by="person:eve")
    for guesser in range(9):
        for _ in range(10):
            with pytest.raises(NotFoundError):
                await people.members.join("AAAA-AAAA", f"eve{guesser}", name="Eve", by="person:eve")
    with pytest.raises(ThrottledError):
        await people.members.join(code.code, "bob", name="Bob", by="person:bob")
    long = await people.members.invite(home.id, "adult", until_s=None, spoken=False, by="ann")
    await people.members.join(long.code, "bob", name="Bob", by="person:bob")
    people.clock.now_s += 601
    again = await people.members.invite(home.id, "adult", until_s=None, spoken=True, by="ann")
    await people.members.join(again.code, "eve", name="Eve", by="person:eve")


async def test_open_invitations_are_bounded(people: People) -> None:
    home = await people.home()
    for _ in range(10):
        await people.members.invite(home.id, "adult", until_s=None, spoken=False, by="ann")
    with pytest.raises(TooLargeError):
        await people.members.invite(home.id, "adult", until_s=None, spoken=False, by="ann")


async def test_the_last_owner_stays(people: People) -> None:
    home = await people.home()
    bob = await people.joined(home.id, "bob", "adult")
    with pytest.raises(ConflictError):
        await people.members.leave(home.id, "ann", by="person:ann")
    (ann,) = [each for each in await people.members.page(home.id, None, 10) if each.account == "ann"]
    with pytest.raises(ConflictError):
        await people.members.change(home.id, ann.id, {"role": "adult"}, expected=None, by="person:ann")
    await people.members.change(home.id, bob, {"role": "owner"}, expected=1, by="person:ann")
    await people.members.leave(home.id, "ann", by="person:ann")
    assert await people.households.place_of(home.id, "ann") is None


async def test_a_guest_leaves_when_the_stay_is_over(people: People) -> None:
    home = await people.home()
    with pytest.raises(InvalidInputError):
        await people.members.invite(home.id, "guest", until_s=None, spoken=False, by="ann")
    await people.joined(home.id, "gus", "guest", people.clock.now_s + 3_600)
    assert await people.households.place_of(home.id, "gus") == "guest"
    people.clock.now_s += 3_600
    assert await people.households.place_of(home.id, "gus") is None
    assert await people.households.of_account("gus") == ()
    await people.joined(home.id, "gus", "adult")


async def test_a_child_without_account_stays_a_child(people: People) -> None:
    home = await people.home()
    child = await people.members.add_child(home.id, "Kim", by="person:ann")
    with pytest.raises(InvalidInputError):
        await people.members.change(home.id, child.id, {"role": "adult"}, expected=None, by="person:ann")
    named = await people.members.change(home.id, child.id, {"name": "Kimberly"}, expected=1, by="person:ann")
    assert (named.name, named.role) == ("Kimberly", "child")
    await people.members.remove(home.id, child.id, by="person:ann")
    with pytest.raises(NotFoundError):
        await people.members.get(home.id, child.id)


@pytest.mark.parametrize("leaves", ["removed", "demoted", "gone"])
async def test_codes_of_who_is_no_owner_any_more_let_nobody_in(people: People, leaves: str) -> None:
    home = await people.home()
    bob = await people.joined(home.id, "bob", "owner")
    kept = await people.members.invite(home.id, "adult", until_s=None, spoken=False, by="person:ann")
    code = await people.members.invite(home.id, "owner", until_s=None, spoken=False, by="person:bob")
    match leaves:
        case "removed":
            await people.members.remove(home.id, bob, by="person:ann")
        case "demoted":
            await people.members.change(home.id, bob, {"role": "adult"}, expected=None, by="person:ann")
        case _:
            await people.members.leave(home.id, "bob", by="person:bob")
    with pytest.raises(NotFoundError):
        await people.members.join(code.code, "eve", name="Eve", by="person:eve")
    assert (await people.members.join(kept.code, "dan", name="Dan", by="person:dan")).role == "adult"


async def test_rooms_have_names_of_their_own(people: People) -> None:
    home = await people.home()
    kitchen = await people.rooms.create(home.id, "Kitchen", {"hi": ("रसोई",)}, by="ann")
    assert await people.rooms.page(home.id, None, 10) == (kitchen,)
    with pytest.raises(AlreadyExistsError):
        await people.rooms.create(home.id, "kitchen", {}, by="ann")
    changed = await people.rooms.change(home.id, kitchen.id, {"name": "Cook"}, expected=1, by="ann")
    assert (changed.name, changed.names, changed.version) == ("Cook", {"hi": ("रसोई",)}, 2)
    device = await people.device(home.id)
    moved = await people.devices.change(home.id, device, {"room": kitchen.id}, expected=1, by="ann")
    assert moved.room == kitchen.id
    await people.rooms.remove(home.id, kitchen.id, by="ann")
    assert (await people.devices.get(home.id, device)).room is None


async def test_a_device_is_claimed_by_its_code_and_let_go(people: People) -> None:
    home, other = await people.home(), await people.home("bob")
    device = await people.device()
    spoken = await people.devices.ask_code(device, spoken=True)
    code = await people.devices.ask_code(device, spoken=False)
    with pytest.raises(NotFoundError):  # only the newest holds
        await people.devices.claim(home.id, spoken.code, name=None, room=None, guesser="ann", by="ann")
    claimed = await people.devices.claim(home.id, code.code, name="Den", room=None, guesser="ann", by="ann")
    assert (claimed.id, claimed.name) == (device, "Den")
    with pytest.raises(NotFoundError):
        await people.devices.claim(other.id, code.code, name=None, room=None, guesser="bob", by="bob")
    with pytest.raises(ConflictError):
        await people.devices.ask_code(device, spoken=True)
    with pytest.raises(NotFoundError):
        await people.devices.release(other.id, device, by="bob")
    await people.run(
        "INSERT INTO telemetry (region, device, id, brand, at_s, received_at_s, body)"
        " VALUES ('eu', ?, 'm', 'acme', 1.0, 1.0, '{}')",
        device,
    )
    await people.devices.release(home.id, device, by="ann")
    assert await people.devices.page(home.id, None, 10) == ()
    assert await people.run("SELECT id FROM telemetry WHERE region = 'eu'") == []
    ((name, household),) = await people.run("SELECT name, household FROM fleet_devices WHERE region = 'eu'")
    assert (name, household) == (f"S-{device}", None)
    again = await people.devices.ask_code(device, spoken=False)
    await people.devices.claim(other.id, again.code, name=None, room=None, guesser="bob", by="bob")


async def test_a_speaker_that_shows_its_own_code_comes_into_the_household(people: People) -> None:
    home, other = await people.home(), await people.home("bob")
    columns = "region, id, kind, hardware, client, board, firmware, language, address, code, created_at_s, expires_at_s"
    sql = f"INSERT INTO pending_devices ({columns}) VALUES ('eu', ?, 'xiaozhi', ?, ?, 'box', '1', '', '::1', ?, 1.0, ?)"
    until_s = people.clock.now_s + 60
    await people.run(sql, new_id(), "aa:bb:cc:dd:ee:01", "client", "123456", until_s)
    with pytest.raises(NotFoundError):
        await people.devices.claim(home.id, "654321", name=None, room=None, guesser="ann", by="ann")
    claimed = await people.devices.claim(home.id, "123456", name="Den", room=None, guesser="ann", by="ann")
    assert [each.id for each in await people.devices.page(home.id, None, 10)] == [claimed.id]
    await people.run(sql, new_id(), "aa:bb:cc:dd:ee:01", "other client", "123457", until_s)
    with pytest.raises(ConflictError):
        await people.devices.claim(other.id, "123457", name=None, room=None, guesser="bob", by="bob")
    await people.devices.release(home.id, claimed.id, by="ann")
    await people.devices.claim(other.id, "123457", name=None, room=None, guesser="bob", by="bob")


async def test_private_notes_are_their_writers(people: People) -> None:
    home = await people.home()
    shared = await people.notes.create(home.id, "The bins go out on Monday.", account=None, by="person:ann")
    own = await people.notes.create(home.id, "Ann's secret", account="ann", by="person:ann")
    assert await people.notes.page(home.id, "ann", None, 10) == (shared, own)
    assert await people.notes.page(home.id, "bob", None, 10) == (shared,)
    assert await people.notes.page(home.id, None, None, 10) == (shared,)
    with pytest.raises(NotFoundError):
        await people.notes.change(home.id, own.id, "x", account="bob", expected=None, by="person:bob")
    with pytest.raises(NotFoundError):
        await people.notes.remove(home.id, own.id, account=None, by="cli")
    changed = await people.notes.change(home.id, own.id, "Later", account="ann", expected=1, by="person:ann")
    assert (changed.text, changed.version) == ("Later", 2)
    for text in ("", " ", "x" * 4_001):
        with pytest.raises(InvalidInputError):
            await people.notes.create(home.id, text, account=None, by="person:ann")


async def test_routines_hold_actions_that_exist(people: People) -> None:
    home = await people.home()
    wanted = {"name": "Good night", "trigger": {"say": "good night"}, "actions": [LIGHT]}
    routine = await people.routines.create(home.id, wanted, by="person:ann")
    assert await people.routines.page(home.id, None, 10) == (routine,)
    changed = await people.routines.change(home.id, routine.id, {"enabled": False}, expected=1, by="person:ann")
    assert (changed.enabled, changed.actions) == (False, (LIGHT,))
    for wrong in ({"actions": [{"type": "explode"}]}, {"actions": []}, {"trigger": {"time": "25:00"}}):
        with pytest.raises(InvalidInputError):
            await people.routines.change(home.id, routine.id, wrong, expected=None, by="person:ann")
    await people.routines.remove(home.id, routine.id, by="person:ann")
    assert await people.routines.page(home.id, None, 10) == ()


async def test_lists_are_shared_with_the_speakers(people: People) -> None:
    home = await people.home()
    made = await people.things.add_item(home.id, "shopping", "milk", "2", language="en", turn="request:1")
    again = await people.things.add_item(home.id, "shopping", "milk", "2", language="en", turn="request:1")
    assert made == again
    (item,) = made.items
    ticked = await people.things.change_item(home.id, made.id, item.id, done=True, expected=made.version)
    assert ticked.items[0].done
    with pytest.raises(StaleError):
        await people.things.change_item(home.id, made.id, item.id, done=None, expected=made.version)
    assert (await people.things.change_item(home.id, made.id, item.id, done=None, expected=None)).items == ()


async def test_history_is_kept_only_where_it_is_wanted_and_agreed(people: People) -> None:
    home = await people.home(country="IN")
    turn = TurnRecord("speaker", None, "en", "what time is it", "It is noon.", "done")
    assert not await people.history.record_turn(home.id, turn)
    await people.households.change(home.id, {"retention": {"history": 30}}, expected=None, by="ann")
    assert not await people.history.record_turn(home.id, turn)
    yes = ConsentLine("history", "2026-01", "en", True, "person:ann", "app")
    await people.consents.for_household(home.id, yes, account="ann")
    assert await people.history.record_turn(home.id, turn)
    assert await people.history.record_turn(home.id, TurnRecord("speaker", "bob", "en", "hello", "Hi.", "done"))
    assert not await people.history.record_turn("nowhere", turn)
    assert [each.heard for each in await people.history.page(home.id, "bob", None, 10)] == ["hello", turn.heard]
    assert [each.heard for each in await people.history.page(home.id, None, None, 10)] == [turn.heard]
    no = ConsentLine("history", "2026-01", "en", False, "person:ann", "app")
    await people.consents.for_household(home.id, no, account="ann")
    assert await people.history.page(home.id, "bob", None, 10) == ()
    assert not await people.history.record_turn(home.id, turn)


async def test_the_ledger_keeps_every_line_and_the_newest_holds(people: People) -> None:
    home = await people.home(country="IN")
    await people.joined(home.id, "kid", "child")
    child = await people.members.add_child(home.id, "Kim", by="person:ann")

    def line(purpose: str, given: bool, by: str = "ann") -> ConsentLine:
        return ConsentLine(purpose, "v1", "en", given, f"person:{by}", "app")

    for given in (True, False, True):
        await people.consents.for_self("ann", line("marketing", given))
    assert [each.given for each in await people.consents.ledger(Subject(account="ann"))] == [True, False, True]
    assert await people.consents.holds(Subject(account="ann"), "marketing")
    with pytest.raises(ForbiddenError):
        await people.consents.for_self("kid", line("speaker_identification", True, "kid"))
    await people.consents.for_self("kid", line("speaker_identification", False, "kid"))
    await people.consents.for_child(home.id, child.id, line("speaker_identification", True), account="ann")
    assert await people.consents.holds(Subject(home.id, None, child.id), "speaker_identification")
    for purpose in ("marketing", "personal_telemetry"):
        with pytest.raises(ForbiddenError):
            await people.consents.for_child(home.id, child.id, line(purpose, True), account="ann")
    with pytest.raises(ForbiddenError):
        await people.consents.for_household(home.id, line("history", True, "kid"), account="kid")
    with pytest.raises(ForbiddenError):  # nobody but its adults agrees for a household
        await people.consents.for_household(home.id, line("history", True), account=None)
    await people.consents.for_household(home.id, line("history", False, "kid"), account="kid")
    with pytest.raises(NotFoundError):
        await people.consents.for_household(home.id, line("history", True), account="stranger")
    moscow = await people.home("ivan", country="RU")
    with pytest.raises(ForbiddenError):
        await people.consents.for_self("ivan", line("speaker_identification", True, "ivan"))
    assert not await people.consents.holds(Subject(household=moscow.id), "history")


async def test_a_yes_does_not_hold_where_nobody_may_agree(people: People) -> None:
    home = await people.home("ann", country="SG")
    child = await people.members.add_child(home.id, "Leo", by="ann")
    theirs, hers = Subject(home.id, None, child.id), Subject(account="ann")
    purpose = "speaker_identification"
    line = ConsentLine(purpose, "2026-11", "en", True, "person:ann", "app")
    await people.consents.for_child(home.id, child.id, line, account="ann")
    await people.consents.for_self("ann", line)
    assert [await people.consents.holds(each, purpose) for each in (theirs, hers)] == [True, True]
    await people.households.change(home.id, {"country": "RU"}, expected=None, by="ann")
    assert [await people.consents.holds(each, purpose) for each in (theirs, hers)] == [False, False]
    assert await people.consents.never(Subject(household=home.id)) == {purpose}
    await people.households.change(home.id, {"country": "SG"}, expected=None, by="ann")
    assert await people.consents.holds(hers, purpose)
    await people.households.change(home.id, {"country": None}, expected=None, by="ann")  # which may be any
    assert [await people.consents.holds(each, purpose) for each in (theirs, hers)] == [False, False]


async def test_two_households_know_nothing_of_each_other(people: People) -> None:
    ours, theirs = await people.home("ann"), await people.home("bob")
    room = await people.rooms.create(theirs.id, "Their room", {}, by="bob")
    note = await people.notes.create(theirs.id, "Their note", account=None, by="bob")
    trigger = {"trigger": {"say": "x"}, "actions": [LIGHT]}
    routine = await people.routines.create(theirs.id, {"name": "r", **trigger}, by="bob")
    member = await people.joined(theirs.id, "kid", "child")
    device = await people.device(theirs.id)
    made = await people.things.add_item(theirs.id, "shopping", "their milk", None, language="en", turn="t")
    before = await _rows(people, theirs.id)
    attempts = (
        people.rooms.change(ours.id, room.id, {"name": "x"}, expected=None, by="ann"),
        people.rooms.remove(ours.id, room.id, by="ann"),
        people.notes.change(ours.id, note.id, "x", account="ann", expected=None, by="ann"),
        people.notes.remove(ours.id, note.id, account="ann", by="ann"),
        people.routines.change(ours.id, routine.id, {"name": "x"}, expected=None, by="ann"),
        people.routines.remove(ours.id, routine.id, by="ann"),
        people.members.change(ours.id, member, {"name": "x"}, expected=None, by="ann"),
        people.members.remove(ours.id, member, by="ann"),
        people.devices.change(ours.id, device, {"name": "x"}, expected=None, by="ann"),
        people.devices.change(ours.id, await people.device(ours.id), {"room": room.id}, expected=None, by="ann"),
        people.devices.release(ours.id, device, by="ann"),
        people.things.change_item(ours.id, made.id, made.items[0].id, done=None, expected=None),
        people.consents.for_child(ours.id, member, ConsentLine("history", "v", "en", True, "x", "app"), account="ann"),
    )
    for attempt in attempts:
        with pytest.raises(EntendreError) as refused:
            await attempt
        assert refused.value.code == "not_found"
    assert await _rows(people, theirs.id) == before
    pages: tuple[Any, ...] = (people.rooms, people.routines)
    for store in pages:
        assert await store.page(ours.id, None, 10) == ()
    assert await people.notes.page(ours.id, "ann", None, 10) == ()
    assert await people.things.lists(ours.id) == ()
    assert [each.account for each in await people.members.page(ours.id, None, 10)] == ["ann"]


async def _rows(people: People, household: str) -> list[Any]:
    tables = ("rooms", "notes", "routines", "members", "fleet_devices", "lists", "list_items")
    return [await people.run(f"SELECT * FROM {each} WHERE household = ?", household) for each in tables]
