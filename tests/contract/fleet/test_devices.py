"""The registry, tokens, presence and the end of access, on both databases."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from entendre.core.device import Admitted, DeviceIdentity, Unbound
from entendre.core.errors import AlreadyExistsError, ForbiddenError, InvalidInputError, NotFoundError, StaleError
from entendre.fleet.queries import DeviceView, matches, parse_query
from entendre.ports.fleet_devices import DeviceChanges, FleetDevice, NewDevice
from entendre.ports.fleet_twins import TwinPatch
from entendre.store import Database, Devices
from entendre.store.connection import HOME, Connection
from entendre.store.fleet.brands import BrandStore
from entendre.store.fleet.credentials import OVERLAP_S, TRUST_S, DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.presence import FleetPresence
from entendre.store.fleet.twins import FleetTwins
from entendre.store.fleet.watch import FleetWatch

BOX = DeviceIdentity("02:11:22:33:44:55", "the-client", serial="SN-1", board="box", firmware="2.4.2")


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = 1_800_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def devices(database: Database, clock: HandClock) -> FleetDevices:
    await BrandStore(database, clock, "home").ensure_home()
    await database.write(lambda connection: make_product(connection, "b1", "p1", "pod"))
    await database.write(lambda connection: make_product(connection, "b2", "p2", "pod"))
    return FleetDevices(database, clock)


@pytest.fixture
def tokens(database: Database, clock: HandClock) -> DeviceTokens:
    return DeviceTokens(database, clock)


def make_product(connection: Connection, brand: str, product: str, name: str) -> None:
    """A speaker of a brand."""
    sql = (
        "INSERT INTO products (region, id, brand, name, display_name, kind, model, channel, tools, wake_words, voices,"
        " created_at_s, created_by, version) VALUES ('home', ?, ?, ?, ?, 'speaker', '', 'stable', '[]', '[]', '[]',"
        " 0.0, 'cli', 1)"
    )
    connection.execute(sql, (product, brand, name, name))


async def feed_of(database: Database, brand: str = "b1") -> list[tuple[str, str]]:
    """Topic and change of everything that was announced."""
    sql = "SELECT topic, change FROM changes WHERE region = 'home' AND brand = ? ORDER BY seq"
    return await database.read(lambda connection: [tuple(row) for row in connection.execute(sql, (brand,))])


# -- the registry ----------------------------------------------------------------------------------------------------


async def test_a_device_is_registered_found_changed_and_forgotten(devices: FleetDevices, database: Database) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1", country="br", language="pt-BR"), by="cli")
    assert (made.product, made.product_name, made.kind, made.name) == ("p1", "pod", "speaker", "SN-1")
    assert (made.country, made.language, made.state, made.version) == ("BR", "pt-BR", "registered", 1)
    assert await devices.device("b1", made.id) == made == await devices.device("b1", "SN-1")
    assert await devices.found(made.id) == made
    changed = await devices.change("b1", made.id, DeviceChanges(name="Hall", language=""), by="key:1", version=1)
    assert (changed.name, changed.language, changed.version, changed.changed_by) == ("Hall", None, 2, "key:1")
    with pytest.raises(StaleError):
        await devices.change("b1", made.id, DeviceChanges(name="Door"), by="cli", version=1)
    await devices.forget("b1", made.id, by="cli", version=2)
    with pytest.raises(NotFoundError):
        await devices.device("b1", made.id)
    with pytest.raises(NotFoundError):
        await FleetTwins(database, HandClock()).get("b1", made.id)
    assert [change for _, change in await feed_of(database)] == ["registered", "changed", "forgotten"]


async def test_a_serial_number_is_one_devices_of_a_brand(devices: FleetDevices) -> None:
    one = await devices.register("b1", NewDevice("p1", "SN-1"), by="cli")
    with pytest.raises(AlreadyExistsError):
        await devices.register("b1", NewDevice("p1", "SN-1"), by="cli")
    assert (await devices.register("b2", NewDevice("p2", "SN-1"), by="cli")).id != one.id


@pytest.mark.parametrize(
    "new",
    [
        NewDevice("p2", "SN-1"),
        NewDevice("nothing", "SN-1"),
        NewDevice("pod", "S N"),
        NewDevice("pod", "SN-1", name="a\nb"),
        NewDevice("pod", "SN-1", language="?"),
        NewDevice("pod", "SN-1", country="Brazil"),
    ],
)
async def test_what_no_device_can_be_is_refused(devices: FleetDevices, new: NewDevice) -> None:
    with pytest.raises(InvalidInputError):
        await devices.register("b1", new, by="cli")
    assert (await devices.devices("b1")).devices == ()


async def test_another_brands_device_does_not_exist(devices: FleetDevices, tokens: DeviceTokens) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    for attempt in (
        devices.device("b2", made.id),
        devices.device("b2", "SN-1"),
        devices.change("b2", made.id, DeviceChanges(name="Mine"), by="cli"),
        devices.revoke("b2", made.id, by="cli"),
        devices.forget("b2", made.id, by="cli"),
        tokens.issue("b2", made.id, by="cli"),
    ):
        with pytest.raises(NotFoundError):
            await attempt
    assert (await devices.devices("b2")).devices == ()
    assert await devices.device("b1", made.id) == made


async def test_pages_follow_one_another_and_can_be_counted(devices: FleetDevices) -> None:
    made = [(await devices.register("b1", NewDevice("pod", f"SN-{each}"), by="cli")).id for each in range(7)]
    found: list[str] = []
    after = ""
    while True:
        page = await devices.devices("b1", query="product = 'pod'", after=after, limit=3, count=True)
        assert page.count == 7
        found += [each.id for each in page.devices]
        if page.next is None:
            break
        after = page.next
    assert found == sorted(made) == list(await devices.ids("b1", ""))
    assert await devices.count("b1", "serial in ('SN-1', 'SN-2', 'SN-9')") == 2


QUERIES = (
    "tags.ring = 'beta'",
    "tags.ring != 'beta'",
    "tags.ring in ('beta', 'qa') and country = 'BR'",
    "tags.ring = 'beta' and (tags.n = 1 or tags.n = 2.0 or not tags.on = true)",
    "tags.n is none or tags.on is not none",
    "not (tags.groups = 'a' or country is none)",
    "country != 'BR' and language is none",
    "firmware = '' and online = false and state != 'revoked'",
    "product = 'pod' and tags.deep.er = 'x'",
    "product != 'pod'",
    "household is none and name in ('SN-1', 'SN-3')",
    "tags.long = '" + "y" * 600 + "'",
)
TAGS = st.fixed_dictionaries(
    {},
    optional={
        "ring": st.sampled_from(["beta", "qa", "stable"]),
        "n": st.sampled_from([1, 2, 2.0, 3.5, "1"]),
        "on": st.booleans(),
        "groups": st.lists(st.sampled_from(["a", "b", 1]), max_size=2),
        "deep": st.fixed_dictionaries({}, optional={"er": st.sampled_from(["x", "y"])}),
        "long": st.sampled_from(["y" * 600, "y" * 601]),
    },
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(TAGS, st.sampled_from([None, "BR", "DE"])), min_size=1, max_size=6), st.booleans())
async def test_sql_finds_what_the_rules_find(
    devices: FleetDevices, database: Database, monkeypatch: pytest.MonkeyPatch, fleet: list[object], few: bool
) -> None:
    """Both ways to look: with a few candidates asked here, and with everything in SQL."""
    monkeypatch.setattr("entendre.store.fleet.device_query.FEW", 2_000 if few else 0)
    twins = FleetTwins(database, HandClock())
    views = []
    for old in (await devices.devices("b1")).devices:
        await devices.forget("b1", old.id, by="cli")
    for number, (tags, country) in enumerate(fleet):  # type: ignore[misc]
        made = await devices.register("b1", NewDevice("pod", f"SN-{number}", country=country), by="cli")
        await twins.patch(TwinPatch("b1", made.id, "tags", {"ring": "old", "n": {"x": 1}}), by="cli")
        await twins.patch(TwinPatch("b1", made.id, "tags", tags, replace=True), by="cli")
        views.append(view_of(made, tags))
    for query in QUERIES:
        expected = [view.id for view in views if matches(parse_query(query), view)]
        page = await devices.devices("b1", query=query, count=True)
        assert [each.id for each in page.devices] == sorted(expected), query
        assert page.count == len(expected)
        assert list(await devices.ids("b1", query)) == sorted(expected)


def view_of(device: FleetDevice, tags: dict[str, object]) -> DeviceView:
    """A device as queries see it."""
    return DeviceView(
        id=device.id,
        product=device.product,
        product_name=device.product_name,
        kind=device.kind,
        serial=device.serial,
        name=device.name,
        state=device.state,
        firmware=device.firmware,
        online=device.online,
        household=device.household,
        country=device.country,
        language=device.language,
        tags=tags,
    )


# -- tokens ----------------------------------------------------------------------------------------------------------


async def test_a_token_opens_for_its_device_and_is_kept_as_a_hash(
    devices: FleetDevices, tokens: DeviceTokens, database: Database
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    token = await tokens.issue("b1", made.id, by="cli")
    login = await tokens.login(token)
    assert login is not None
    assert (login.device, login.brand) == (made.id, "b1")
    assert (await devices.device("b1", made.id)).state == "active"
    principal = await tokens.device_login(token)
    assert principal is not None
    assert (principal.kind, principal.id, principal.brand) == ("device", made.id, "b1")
    for wrong in ("", "entd_", token[:-1], token[:-1] + ("A" if token[-1] != "A" else "B"), token.upper()):
        assert await tokens.login(wrong) is None
    sql = "SELECT secret_hash FROM device_credentials"
    kept = await database.read(lambda connection: [bytes(row[0]) for row in connection.execute(sql)])
    assert len(kept) == 1
    assert token.split("_", 2)[2].encode() not in kept[0]


async def test_a_token_is_good_until_its_successor_was_used_and_a_while_longer(
    devices: FleetDevices, tokens: DeviceTokens, clock: HandClock
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    old = await tokens.issue("b1", made.id, by="cli")
    assert await tokens.login(old)
    clock.now_s += 1
    new = await tokens.rotate(made.id)
    clock.now_s += 30 * OVERLAP_S
    assert await tokens.login(old), "its successor may have been lost on the way"
    assert await tokens.login(new)
    clock.now_s += OVERLAP_S - 1
    assert await tokens.login(old)
    clock.now_s += 1 + TRUST_S
    assert await tokens.login(old) is None
    assert await tokens.login(new)


async def test_tokens_that_nobody_uses_do_not_pile_up(
    devices: FleetDevices, tokens: DeviceTokens, database: Database, clock: HandClock
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    first = await tokens.issue("b1", made.id, by="cli")
    assert await tokens.login(first)
    for _ in range(20):
        clock.now_s += 1
        last = await tokens.rotate(made.id)
    sql = "SELECT count(*) FROM device_credentials"
    assert await database.read(lambda connection: connection.execute(sql).fetchone()[0]) <= 6
    assert await tokens.login(first)
    assert await tokens.login(last)


async def test_a_revoked_device_is_out_at_once_and_its_connections_end(
    devices: FleetDevices, tokens: DeviceTokens, database: Database, clock: HandClock
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    other = await devices.register("b1", NewDevice("pod", "SN-2"), by="cli")
    token = await tokens.issue("b1", made.id, by="cli")
    assert await tokens.login(token)
    ended: list[str] = []
    watch = FleetWatch(database, clock, on_ended=tokens.forget_trusted)
    watch.add(made.id, lambda: ended.append("one"))
    watch.add(other.id, lambda: ended.append("other"))
    stop = watch.add(made.id, lambda: ended.append("stopped"))
    await watch.look()
    stop()
    assert ended == []
    revoked = await devices.revoke("b1", made.id, by="cli")
    assert (revoked.state, revoked.revoked_at_s) == ("revoked", clock.now_s)
    assert await devices.revoke("b1", made.id, by="cli") == revoked
    await watch.look()
    await watch.look()
    assert ended == ["one"]
    assert await tokens.login(token) is None
    with pytest.raises(ForbiddenError):
        await tokens.issue("b1", made.id, by="cli")
    watch.add(made.id, lambda: ended.append("late"))
    await devices.forget("b1", other.id, by="cli")
    await watch.look()
    assert sorted(ended) == ["late", "one", "other"]


async def test_a_connection_ends_with_the_token_that_opened_it(
    devices: FleetDevices, tokens: DeviceTokens, database: Database, clock: HandClock
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    watch = FleetWatch(database, clock)
    ended: list[str] = []
    for name in ("old", "new"):
        login = await tokens.login(await tokens.issue("b1", made.id, by="cli"))
        assert login is not None
        watch.add(made.id, partial(ended.append, name), login.credential)
        clock.now_s += 1
    await watch.check()
    assert ended == []
    clock.now_s += OVERLAP_S
    await watch.check()
    await watch.check()
    assert ended == ["old"]


async def test_whoever_revokes_has_its_own_process_forget_the_token(
    database: Database, tokens: DeviceTokens, devices: FleetDevices, clock: HandClock
) -> None:
    registry = FleetDevices(database, clock, on_ended=tokens.forget_trusted)
    for end in (registry.revoke, registry.forget):
        made = await registry.register("b1", NewDevice("pod", f"SN-{end.__name__}"), by="cli")
        token = await tokens.issue("b1", made.id, by="cli")
        assert await tokens.login(token)
        await end("b1", made.id, by="cli")
        assert await tokens.login(token) is None


# -- presence --------------------------------------------------------------------------------------------------------


async def test_a_device_is_online_while_it_holds_any_connection(devices: FleetDevices, database: Database) -> None:
    clock = HandClock()
    presence = FleetPresence(database, clock)
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    await presence.connected(made.id)
    await presence.connected(made.id)
    await presence.disconnected(made.id)
    now = await devices.device("b1", made.id)
    assert (now.online, now.connected_at_s, now.last_seen_at_s, now.version) == (True, clock.now_s, clock.now_s, 1)
    assert await devices.count("b1", "online = true") == 1
    await presence.disconnected(made.id)
    await presence.disconnected(made.id)
    assert not (await devices.device("b1", made.id)).online
    assert [each for each in await feed_of(database) if each[0] == "presence"] == [
        ("presence", "online"),
        ("presence", "offline"),
    ]


async def test_a_process_that_begins_ends_what_the_one_before_it_left(
    devices: FleetDevices, database: Database, clock: HandClock
) -> None:
    made = await devices.register("b1", NewDevice("pod", "SN-1"), by="cli")
    elsewhere = await devices.register("b1", NewDevice("pod", "SN-2"), by="cli")
    await FleetPresence(database, clock).connected(made.id)
    await FleetPresence(database, clock, node="other").connected(elsewhere.id)
    await FleetPresence(database, clock).start()
    assert not (await devices.device("b1", made.id)).online
    assert (await devices.device("b1", elsewhere.id)).online


async def test_many_signs_of_many_devices_are_written_together(
    devices: FleetDevices, database: Database, clock: HandClock
) -> None:
    presence = FleetPresence(database, clock)
    made = [await devices.register("b1", NewDevice("pod", f"SN-{each}"), by="cli") for each in range(20)]
    await asyncio.gather(*(presence.connected(each.id) for each in made), presence.connected("nobody"))
    await asyncio.gather(*(presence.runs_firmware(each.id, "1.2.0") for each in made))
    await asyncio.gather(*(presence.runs_firmware(each.id, "1.2.0") for each in made))
    assert await devices.count("b1", "online = true and firmware = '1.2.0'") == 20
    assert (await feed_of(database)).count(("device", "firmware")) == 20
    clock.now_s += 60
    presence.seen(made[0].id)
    await presence.write_seen()
    assert (await devices.device("b1", made[0].id)).last_seen_at_s == clock.now_s


# -- devices that are bound by a code --------------------------------------------------------------------------------


async def test_a_device_bound_by_a_code_is_one_of_the_fleet(
    devices: FleetDevices, tokens: DeviceTokens, database: Database, clock: HandClock
) -> None:
    speakers = Devices(database, clock)
    record = (await bound(speakers, BOX)).record
    found = await devices.device(HOME, record.id)
    assert (found.serial, found.product, found.household, found.state) == ("SN-1", "speaker", HOME, "active")
    await speakers.change(record.id, name="Kitchen", room="kitchen", by="cli")
    now = await devices.device(HOME, record.id)
    assert (now.name, now.room) == ("Kitchen", "kitchen")
    await devices.change(HOME, record.id, DeviceChanges(name="Hall", room=""), by="cli")
    kept = await speakers.record(record.id)
    assert kept is not None
    assert (kept.name, kept.room) == ("Hall", None)
    await FleetTwins(database, clock).patch(TwinPatch(HOME, record.id, "desired", {"volume": 3}), by="cli")
    await speakers.forget(record.id, by="cli")
    assert await devices.found(record.id) is None


@pytest.mark.parametrize("by_fleet", [True, False])
async def test_revoking_reaches_both(
    devices: FleetDevices, tokens: DeviceTokens, database: Database, clock: HandClock, by_fleet: bool
) -> None:
    speakers = Devices(database, clock)
    admitted = await bound(speakers, BOX)
    record = admitted.record
    token = await tokens.issue(HOME, record.id, by="cli")
    if by_fleet:
        await devices.revoke(HOME, record.id, by="cli")
    else:
        await speakers.revoke(record.id, by="cli")
    assert await tokens.login(token) is None
    assert not isinstance(await speakers.verify(admitted.token, BOX.hardware, BOX.client), Admitted)
    assert (await devices.device(HOME, record.id)).state == "revoked"
    if by_fleet:
        await devices.forget(HOME, record.id, by="cli")
    else:
        await speakers.forget(record.id, by="cli")
    assert await devices.found(record.id) is None
    assert await speakers.devices() == ()
    await bound(speakers, BOX)


async def test_a_serial_number_that_the_fleet_has_does_not_keep_a_device_out(
    devices: FleetDevices, database: Database, clock: HandClock
) -> None:
    sql = "UPDATE fleet_devices SET enrolment_group = 'g' WHERE id = ?"
    other = await devices.register(HOME, NewDevice("speaker", "SN-1"), by="cli")
    await database.write(lambda connection: connection.execute(sql, (other.id,)))
    record = (await bound(Devices(database, clock), BOX)).record
    assert (await devices.device(HOME, record.id)).serial == f"xiaozhi:{BOX.hardware}"
    again = replace(BOX, hardware="02:11:22:33:44:66", serial=None)
    assert (await bound(Devices(database, clock), again)).record.id != record.id


async def bound(speakers: Devices, identity: DeviceIdentity) -> Admitted:
    """Bind a device as a person does."""
    shown = await speakers.announce(identity, "192.0.2.1")
    assert isinstance(shown, Unbound)
    await speakers.bind(shown.code, by="cli", guesser="cli")
    admitted = await speakers.announce(identity, "192.0.2.1")
    assert isinstance(admitted, Admitted)
    return admitted
