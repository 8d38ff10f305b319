"""Provisioning on both databases: how a device comes in untouched, and how a thief does not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from certificate_makers import CLIENT, SERVER_ONLY, Made, make_certificate
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from entendre.core.errors import (
    AlreadyExistsError,
    ConflictError,
    EntendreError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    StaleError,
    UnauthorizedError,
)
from entendre.fleet.enrolment import CHALLENGE_S, derived_key, proof_text, symmetric_proof
from entendre.ports.fleet_devices import (
    EnrolmentGroup,
    GroupChanges,
    NewDevice,
    NewGroup,
    Provisioned,
    ProvisioningClaim,
)
from entendre.store import Database
from entendre.store.connection import Connection
from entendre.store.fleet.credentials import OVERLAP_S, TRUST_S, DeviceTokens
from entendre.store.fleet.devices import FleetDevices
from entendre.store.fleet.directory import FleetDirectory
from entendre.store.fleet.enrolment import FleetEnrolment, Regions

NOW_S = 1_800_000_000.0
ELSEWHERE = "https://br.example.org"


class HandClock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now_s = NOW_S

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


class Cell:
    """A region with its stores over one database."""

    def __init__(self, database: Database, clock: HandClock, name: str = "home") -> None:
        regions = Regions(name, "https://here.example.org", {"br": ELSEWHERE, "home": "https://home.example.org"})
        self.clock = clock
        self.directory = FleetDirectory(database, clock, name, key="shared")
        self.enrolment = FleetEnrolment(database, clock, regions, self.directory)
        self.devices = FleetDevices(database, clock, name)
        self.tokens = DeviceTokens(database, clock, name)

    async def group(self, **changes: Any) -> tuple[EnrolmentGroup, bytes]:
        """A symmetric group of brand b1, and its primary key."""
        new = replace(NewGroup("batch 1", "pod", "symmetric"), **changes)
        group, keys = await self.enrolment.create("b1", new, by="cli")
        return group, keys.primary or b""

    async def claim(self, group: str, serial: str, key: bytes, **changes: Any) -> ProvisioningClaim:
        """What a device of this serial number presents that has a key derived from a group's."""
        challenge, _ = await self.enrolment.challenge(group, serial)
        proof = symmetric_proof(derived_key(key, serial), group, serial, challenge)
        return replace(ProvisioningClaim(group, serial, challenge, proof), **changes)

    async def enrol(self, group: str, serial: str, key: bytes, **changes: Any) -> Provisioned:
        return await self.enrolment.provision(await self.claim(group, serial, key, **changes))


@pytest.fixture
async def cell(database: Database) -> Cell:
    def work(connection: Connection) -> None:
        sql = (
            "INSERT INTO products (region, id, brand, name, display_name, kind, model, channel, tools, wake_words,"
            " voices, created_at_s, created_by, version) VALUES (?, ?, ?, ?, '', 'speaker', '', 'stable', '[]', '[]',"
            " '[]', 0.0, 'cli', 1)"
        )
        for region, product, brand, name in (
            ("home", "p1", "b1", "pod"),
            ("home", "p2", "b1", "box"),
            ("home", "p3", "b2", "pod"),
            ("br", "p1", "b1", "pod"),
        ):
            connection.execute(sql, (region, product, brand, name))

    await database.write(work)
    return Cell(database, HandClock())


async def refused(work: Any) -> type[EntendreError]:
    """What a claim was refused with."""
    with pytest.raises(EntendreError) as error:
        await work
    return type(error.value)


# -- coming in -------------------------------------------------------------------------------------------------------


async def test_a_device_comes_in_untouched_and_has_all_that_it_needs(cell: Cell) -> None:
    group, key = await cell.group()
    found = await cell.enrol(group.id, "SN-1", key, country="de", firmware="1.0.0")
    assert (found.region, found.endpoint, found.brand, found.product) == (
        *("home", "https://home.example.org"),
        *("b1", "pod"),
    )
    assert (found.desired_version, found.reported_version) == (1, 1)
    device = await cell.devices.device("b1", "SN-1")
    assert (device.id, device.country, device.firmware, device.household) == (found.device, "DE", "1.0.0", None)
    assert device.enrolment_group == group.id
    login = await cell.tokens.login(found.token)
    assert login is not None
    assert login.device == found.device
    assert await cell.directory.home_of(await cell.directory.serial_hash("b1", "SN-1")) == "home"


async def test_a_device_that_comes_again_is_the_same_and_its_old_token_ends_once_the_new_is_used(cell: Cell) -> None:
    group, key = await cell.group(regions={"BR": "br", "*": "home"})
    one = await cell.enrol(group.id, "SN-1", key, country="DE")
    assert await cell.tokens.login(one.token)
    cell.clock.now_s += 1
    two = await cell.enrol(group.id, "SN-1", key, country="BR")
    assert (two.device, two.region) == (one.device, one.region)
    assert two.token != one.token
    assert await cell.tokens.login(one.token)
    assert await cell.tokens.login(two.token)
    cell.clock.now_s += OVERLAP_S + TRUST_S + 1
    assert await cell.tokens.login(one.token) is None
    assert await cell.tokens.login(two.token)


async def test_a_device_that_staff_registered_comes_into_its_row(cell: Cell) -> None:
    group, key = await cell.group()
    made = await cell.devices.register("b1", NewDevice("pod", "SN-1", name="Lobby"), by="cli")
    found = await cell.enrol(group.id, "SN-1", key)
    assert found.device == made.id
    assert (await cell.devices.device("b1", made.id)).name == "Lobby"
    await cell.devices.register("b1", NewDevice("box", "SN-2"), by="cli")
    assert await refused(cell.enrol(group.id, "SN-2", key)) is ForbiddenError


async def test_either_key_proves_until_it_is_rotated(cell: Cell) -> None:
    group, keys = await cell.enrolment.create("b1", NewGroup("batch", "pod", "symmetric"), by="cli")
    assert keys.primary is not None
    assert keys.secondary is not None
    for number, key in enumerate((keys.primary, keys.secondary)):
        await cell.enrol(group.id, f"SN-{number}", key)
    changed, fresh = await cell.enrolment.rotate("b1", "batch", "primary", by="cli")
    assert (fresh.secondary, changed.version) == (None, 2)
    assert fresh.primary not in (None, keys.primary)
    assert await refused(cell.enrol(group.id, "SN-0", keys.primary)) is UnauthorizedError
    await cell.enrol(group.id, "SN-0", keys.secondary)
    await cell.enrol(group.id, "SN-0", fresh.primary or b"")


async def test_a_device_of_another_country_is_sent_there_and_only_its_hash_stays(
    cell: Cell, database: Database
) -> None:
    group, key = await cell.group(regions={"BR": "br", "*": "home"})
    found = await cell.enrol(group.id, "SN-1", key, country="BR")
    assert found == Provisioned("br", ELSEWHERE)
    assert (await cell.devices.devices("b1")).devices == ()
    again = await cell.enrol(group.id, "SN-1", key, country="DE")
    assert again.region == "br", "the first answer holds"
    sql = "SELECT id, home FROM directory WHERE region = 'home'"
    rows = await database.read(lambda connection: [tuple(row) for row in connection.execute(sql)])
    hashed = await cell.directory.serial_hash("b1", "SN-1")
    assert rows == [(hashed, "br")]
    there = Cell(database, cell.clock, "br")
    await there.group(id=group.id, primary_key=key, secondary_key=key, regions={"BR": "br", "*": "home"})
    arrived = await there.enrol(group.id, "SN-1", key, country="BR")
    assert arrived.region == "br"
    assert arrived.device is not None
    assert await there.directory.serial_hash("b1", "SN-1") == hashed


async def test_a_hundred_devices_come_at_once(cell: Cell) -> None:
    group, key = await cell.group(max_devices=100)
    found = await asyncio.gather(*(cell.enrol(group.id, f"SN-{number}", key) for number in range(100)))
    assert len({each.device for each in found}) == 100
    assert await refused(cell.enrol(group.id, "SN-100", key)) is ForbiddenError
    assert (await cell.enrol(group.id, "SN-7", key)).device == found[7].device


# -- thieves ---------------------------------------------------------------------------------------------------------


async def test_a_challenge_counts_once(cell: Cell) -> None:
    group, key = await cell.group()
    claim = await cell.claim(group.id, "SN-1", key)
    results = await asyncio.gather(*(cell.enrolment.provision(claim) for _ in range(5)), return_exceptions=True)
    assert sorted(type(each).__name__ for each in results) == ["Provisioned", *["UnauthorizedError"] * 4]


async def test_a_challenge_ends(cell: Cell) -> None:
    group, key = await cell.group()
    claim = await cell.claim(group.id, "SN-1", key)
    cell.clock.now_s += CHALLENGE_S + 1
    assert await refused(cell.enrolment.provision(claim)) is UnauthorizedError


async def test_used_challenges_do_not_pile_up(cell: Cell, database: Database) -> None:
    group, key = await cell.group()
    for number in range(5):
        await cell.enrol(group.id, f"SN-{number}", key)
        cell.clock.now_s += CHALLENGE_S + 1
    sql = "SELECT count(*) FROM used_challenges"
    assert await database.read(lambda connection: connection.execute(sql).fetchone()[0]) <= 2


@pytest.mark.parametrize("stolen", ["group", "device", "none"])
async def test_the_key_of_one_device_opens_no_other(cell: Cell, stolen: str) -> None:
    group, key = await cell.group()
    claim = await cell.claim(group.id, "SN-1", key)
    own = derived_key(key, "SN-1")
    challenge, _ = await cell.enrolment.challenge(group.id, "SN-2")
    proof = {
        "group": symmetric_proof(own, group.id, "SN-2", challenge),
        "device": claim.proof,
        "none": b"",
    }[stolen]
    wrong = ProvisioningClaim(group.id, "SN-2", challenge, proof)
    assert await refused(cell.enrolment.provision(wrong)) is UnauthorizedError
    moved = replace(claim, serial="SN-2")
    assert await refused(cell.enrolment.provision(moved)) is UnauthorizedError
    assert (await cell.devices.devices("b1")).devices == ()


async def test_a_challenge_of_another_server_or_made_up_is_worth_nothing(cell: Cell) -> None:
    group, key = await cell.group()
    for challenge in ("", "x" * 80, "AAAA", "é", (await cell.claim(group.id, "SN-9", key)).challenge):
        proof = symmetric_proof(derived_key(key, "SN-1"), group.id, "SN-1", challenge)
        claim = ProvisioningClaim(group.id, "SN-1", challenge, proof)
        assert await refused(cell.enrolment.provision(claim)) is UnauthorizedError


async def test_a_disabled_group_takes_nobody_in_and_tells_only_its_own(cell: Cell) -> None:
    group, key = await cell.group()
    await cell.enrolment.change("b1", group.id, GroupChanges(enabled=False), by="cli")
    assert await refused(cell.enrol(group.id, "SN-1", key)) is ForbiddenError
    assert await refused(cell.enrol(group.id, "SN-1", bytes(32))) is UnauthorizedError
    assert await refused(cell.enrol("no-such-group", "SN-1", key)) is UnauthorizedError
    await cell.enrolment.change("b1", group.id, GroupChanges(enabled=True), by="cli")
    await cell.enrol(group.id, "SN-1", key)


async def test_a_group_of_another_brand_or_batch_takes_nobodys_device(cell: Cell) -> None:
    group, key = await cell.group()
    second, second_key = await cell.group(name="batch 2")
    other, keys = await cell.enrolment.create("b2", NewGroup("batch 1", "pod", "symmetric"), by="cli")
    mine = await cell.enrol(group.id, "SN-1", key)
    assert await refused(cell.enrol(other.id, "SN-1", key)) is UnauthorizedError
    theirs = await cell.enrol(other.id, "SN-1", keys.primary or b"")
    assert theirs.device != mine.device
    assert await refused(cell.enrol(second.id, "SN-1", second_key)) is ForbiddenError


async def test_a_revoked_device_stays_out(cell: Cell) -> None:
    group, key = await cell.group()
    await cell.enrol(group.id, "SN-1", key)
    await cell.devices.revoke("b1", "SN-1", by="cli")
    assert await refused(cell.enrol(group.id, "SN-1", key)) is ForbiddenError


async def test_a_group_that_changes_between_the_proof_and_the_row_takes_nobody(
    cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    group, key = await cell.group()
    check = cell.enrolment._check_proof

    async def slow(*given: Any) -> None:
        await check(*given)
        await cell.enrolment.change("b1", group.id, GroupChanges(enabled=False), by="cli")

    monkeypatch.setattr(cell.enrolment, "_check_proof", slow)
    assert await refused(cell.enrol(group.id, "SN-1", key)) is ConflictError
    assert (await cell.devices.devices("b1")).devices == ()


# -- certificates ----------------------------------------------------------------------------------------------------


class Maker:
    """A maker's authority, an intermediate below it, and a group that trusts the authority."""

    def __init__(self, cell: Cell) -> None:
        self.cell = cell
        self.root = make_certificate("Root", now_s=NOW_S, authority=True)
        self.middle = make_certificate("Line 1", self.root, now_s=NOW_S, authority=True, path_length=0)
        self.group = ""

    async def make_group(self) -> Maker:
        new = NewGroup("certificates", "pod", "x509", ca_pem=self.root.pem)
        self.group = (await self.cell.enrolment.create("b1", new, by="cli"))[0].id
        return self

    def device(self, serial: str = "SN-1", issuer: Made | None = None, **wrong: Any) -> Made:
        return make_certificate(serial, issuer or self.middle, now_s=NOW_S, **wrong)

    async def enrol(self, made: Made, serial: str = "SN-1", chain: str | None = None) -> Provisioned:
        challenge, _ = await self.cell.enrolment.challenge(self.group, serial)
        proof = made.sign(proof_text(self.group, serial, challenge))
        claim = ProvisioningClaim(self.group, serial, challenge, proof, made.chain_pem if chain is None else chain)
        return await self.cell.enrolment.provision(claim)


@pytest.fixture
async def maker(cell: Cell) -> Maker:
    return await Maker(cell).make_group()


async def test_a_device_with_a_certificate_comes_in(maker: Maker) -> None:
    rsa_key = rsa.generate_private_key(65_537, 2_048)
    for number, made in enumerate(
        (
            maker.device("SN-0"),
            maker.device("SN-1", maker.root),
            maker.device("SN-2", key=rsa_key, extended=CLIENT),
            maker.device("SN-3", key=ed25519.Ed25519PrivateKey.generate()),
            maker.device("SN-4", basic=False),
        )
    ):
        found = await maker.enrol(made, f"SN-{number}")
        assert found.device is not None
    without_root = maker.device("SN-5")
    found = await maker.enrol(without_root, "SN-5", chain=without_root.pem + maker.middle.pem)
    assert found.device is not None


FORGED: dict[str, Callable[[Maker], Made]] = {
    "signed by itself": lambda maker: make_certificate("SN-1", now_s=NOW_S),
    "another authority of the same name": lambda maker: maker.device(
        issuer=make_certificate("Root", now_s=NOW_S, authority=True)
    ),
    "another serial number": lambda maker: maker.device("SN-2"),
    "two serial numbers": lambda maker: maker.device(names=("SN-1", "SN-2")),
    "expired": lambda maker: maker.device(from_s=-100, until_s=-1),
    "not valid yet": lambda maker: maker.device(from_s=100, until_s=200),
    "an authority": lambda maker: maker.device(issuer=maker.root, authority=True),
    "may not sign": lambda maker: maker.device(may_sign=False),
    "for servers": lambda maker: maker.device(extended=SERVER_ONLY),
    "unknown critical extension": lambda maker: maker.device(critical=True),
    "weak key": lambda maker: maker.device(key=rsa.generate_private_key(65_537, 1_024)),
    "odd curve": lambda maker: maker.device(key=ec.generate_private_key(ec.SECP256K1())),
    "below a device": lambda maker: maker.device(issuer=maker.device("SN-9")),
    "below an expired authority": lambda maker: maker.device(
        issuer=make_certificate("Line 2", maker.root, now_s=NOW_S, authority=True, until_s=-1, from_s=-9)
    ),
    "below one that may not sign": lambda maker: maker.device(
        issuer=make_certificate("Line 3", maker.root, now_s=NOW_S, authority=True, may_sign=False)
    ),
    "deeper than allowed": lambda maker: maker.device(
        issuer=make_certificate("Line 4", maker.middle, now_s=NOW_S, authority=True)
    ),
}


@pytest.mark.parametrize("what", FORGED)
async def test_a_certificate_with_anything_wrong_is_refused(maker: Maker, what: str) -> None:
    assert await refused(maker.enrol(FORGED[what](maker))) is UnauthorizedError
    assert (await maker.cell.devices.devices("b1")).devices == ()


async def test_a_certificate_without_its_key_is_refused(maker: Maker) -> None:
    seen, own = maker.device(), maker.device("SN-1", make_certificate("Root", now_s=NOW_S, authority=True))
    assert await refused(maker.enrol(own, chain=seen.chain_pem)) is UnauthorizedError
    for chain in ("", "nonsense", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "é", "x" * 40_000):
        assert await refused(maker.enrol(seen, chain=chain)) is UnauthorizedError
    assert await refused(maker.enrol(seen, chain=seen.chain_pem * 3)) is UnauthorizedError
    await maker.enrol(seen)


# -- groups ----------------------------------------------------------------------------------------------------------


async def test_groups_are_a_brands_own(cell: Cell) -> None:
    group, _ = await cell.group(regions={"br": "br"}, max_devices=5)
    assert (group.regions, group.max_devices, group.enabled, group.version) == ({"BR": "br"}, 5, True, 1)
    assert await cell.enrolment.group("b1", "batch 1") == group == (await cell.enrolment.groups("b1"))[0]
    assert await cell.enrolment.groups("b2") == ()
    for attempt in (
        cell.enrolment.group("b2", group.id),
        cell.enrolment.change("b2", group.id, GroupChanges(enabled=False), by="cli"),
        cell.enrolment.rotate("b2", group.id, "primary", by="cli"),
    ):
        assert await refused(attempt) is NotFoundError
    with pytest.raises(AlreadyExistsError):
        await cell.group()
    changes = GroupChanges(max_devices=0, regions={})
    changed = await cell.enrolment.change("b1", group.id, changes, by="cli", version=1)
    assert (changed.max_devices, changed.regions, changed.version) == (None, {}, 2)
    with pytest.raises(StaleError):
        await cell.enrolment.change("b1", group.id, changes, by="cli", version=1)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"product": "nothing"},
        {"kind": "x509"},
        {"ca_pem": "x"},
        {"regions": {"BR": "cn"}},
        {"max_devices": -1},
        {"primary_key": b"short"},
        {"id": "a b"},
        {"kind": "x509", "ca_pem": "nonsense"},
        {"kind": "x509", "ca_pem": make_certificate("SN-1", now_s=NOW_S).pem},
        {"kind": "x509", "ca_pem": make_certificate("CA", now_s=NOW_S, authority=True, until_s=-1, from_s=-2).pem},
    ],
)
async def test_what_is_no_group_is_refused(cell: Cell, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        await cell.group(**wrong)
    assert await cell.enrolment.groups("b1") == ()


# -- the directory ---------------------------------------------------------------------------------------------------


async def test_the_directory_knows_homes_and_nobodys_name(cell: Cell, database: Database) -> None:
    await cell.directory.enter_login("Ana@Example.org", "home")
    hashed = await cell.directory.login_hash(" ana@example.org")
    assert await cell.directory.home_of(hashed) == "home"
    await cell.directory.enter_login("ana@example.org", "home")
    with pytest.raises(ConflictError):
        await cell.directory.enter_login("ana@example.org", "br")
    assert await cell.directory.home_of("0" * 64) is None
    own = FleetDirectory(database, cell.clock)
    assert await own.login_hash("ana@example.org") != hashed
    assert await own.login_hash("ana@example.org") == await FleetDirectory(database, cell.clock).login_hash(
        "ana@example.org"
    )
    assert await own.login_hash("x") != await own.serial_hash("", "x")


async def test_a_brand_that_has_ended_takes_in_no_new_devices_and_keeps_those_it_has(
    cell: Cell, database: Database
) -> None:
    group, key = await cell.group()
    known = await cell.enrol(group.id, "SN-1", key)

    def end(connection: Connection) -> None:
        sql = (
            "INSERT INTO brands (region, id, name, display_name, assistant, created_at_s, created_by, version,"
            " ended_at_s) VALUES ('home', 'b1', 'b1', '', '{}', 0.0, 'cli', 1, 1.0)"
        )
        connection.execute(sql)

    await database.write(end)
    assert await refused(cell.enrol(group.id, "SN-2", key)) is ForbiddenError
    assert (await cell.enrol(group.id, "SN-1", key)).device == known.device
