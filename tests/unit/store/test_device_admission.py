"""Whatever an owner, a device and a thief do in whatever order, the thief never gets in."""

from __future__ import annotations

import hashlib
import hmac
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from entendre.core.device import Admission, Admitted, DeviceIdentity, Proof, Refused, Unbound
from entendre.core.errors import InvalidInputError
from entendre.store import device_binding as binding
from entendre.store import device_tokens as tokens
from entendre.store.device_admission import AdmissionRules, activate, announce, verify
from entendre.store.device_rows import DeviceRows
from entendre.store.migrate import migrate_sqlite, packaged_migrations
from entendre.store.sqlite_engine import SqliteConnection

KEY = b"\x07" * 32
BOX = DeviceIdentity("02:11:22:33:44:55", "the-client", serial="S" * 32, board="box", firmware="1.0")
RULES = AdmissionRules(unbound_per_address=1_000)
STEPS = 60


@pytest.fixture
def connection() -> Iterator[SqliteConnection]:
    made = sqlite3.connect(":memory:", isolation_level=None, factory=SqliteConnection)
    made.execute("PRAGMA foreign_keys = ON")
    migrate_sqlite(made, packaged_migrations())
    yield made
    made.close()


@dataclass
class Actor:
    """Somebody who presents an identity, and everything that it was ever told."""

    identity: DeviceIdentity
    key: bytes
    address: str
    challenges: list[str] = field(default_factory=lambda: ["0" * 64])
    handed: list[str] = field(default_factory=lambda: [""])
    code: str = ""

    def boot(self, rows: DeviceRows) -> Admission:
        found = announce(rows, self.identity, self.address, RULES)
        if not isinstance(found, Refused):
            self.handed.append(found.token)
        if isinstance(found, Unbound):
            self.challenges.append(found.challenge)
            self.code = found.code
        return found

    def poll(self, rows: DeviceRows, challenge: str) -> Admission:
        if self.identity.serial is None:
            return activate(rows, self.identity, None, self.address, RULES)
        digest = hmac.new(self.key, challenge.encode(), hashlib.sha256).hexdigest()
        return activate(rows, self.identity, Proof(self.identity.serial, challenge, digest), self.address, RULES)

    def opens(self, rows: DeviceRows) -> bool:
        """Whether anything that it holds lets it in, or whoever it says to be."""
        shown = [verify(rows, token, self.identity.hardware, self.identity.client, "xiaozhi") for token in self.handed]
        return any(isinstance(each, tokens.TokenUse) for each in shown)


def play(connection: SqliteConnection, seed: int, thief: Actor, honest: Actor) -> bool:
    """A story of many steps; whether the honest device ever got in."""
    chance, now_s, ever = random.Random(seed), 1_800_000_000.0, False
    for _ in range(STEPS):
        now_s += chance.choice((0.0, 1.0, 3.0, 61.0, 400.0))
        rows = DeviceRows(connection, "home", now_s)
        step = chance.choice(("boot", "poll", "bind", "steal", "steal", "replay", "overhear", "end"))
        if step == "boot":
            honest.boot(rows)
        elif step == "poll":
            honest.poll(rows, honest.challenges[-1])
        elif step == "bind" and honest.code:
            binding_of(rows, honest.code)
        elif step == "steal":
            thief.boot(rows)
            thief.poll(rows, thief.challenges[-1])
        elif step == "replay":
            thief.poll(rows, chance.choice(thief.challenges))
        elif step == "overhear":
            thief.challenges.append(honest.challenges[-1])
        elif step == "end" and chance.random() < 0.2:
            end(rows, chance)
        assert not thief.opens(rows), (seed, step)
        ever = ever or honest.opens(rows)
    return ever


def binding_of(rows: DeviceRows, code: str) -> None:
    try:
        binding.bind(rows, code, binding.Wanted("", None, None, "cli"))
    except InvalidInputError:
        return  # not proven yet, or revoked


def end(rows: DeviceRows, chance: random.Random) -> None:
    for record in rows.devices():
        if chance.random() < 0.5:
            rows.update(record.id, "cli", revoked_at_s=rows.now_s)
            tokens.revoke_all(rows, record.id)
        else:
            rows.delete(record.id)


def test_a_thief_with_the_mac_address_and_the_serial_never_gets_in(connection: SqliteConnection) -> None:
    got_in = 0
    for seed in range(60):
        clean(connection)
        thief = Actor(DeviceIdentity(BOX.hardware, "a-thief", serial=BOX.serial), b"", "203.0.113.9")
        got_in += play(connection, seed, thief, Actor(BOX, KEY, "192.0.2.1"))
    assert got_in > 30


def test_a_thief_who_knows_everything_but_the_key_never_gets_in(connection: SqliteConnection) -> None:
    got_in = 0
    for seed in range(60):
        clean(connection)
        DeviceRows(connection, "home", 0.0).enrol(BOX.serial or "", KEY, "cli")
        got_in += play(connection, seed, Actor(BOX, b"\x08" * 32, "203.0.113.9"), Actor(BOX, KEY, "192.0.2.1"))
    assert got_in > 5


def test_the_story_can_be_lost(connection: SqliteConnection) -> None:
    """Where the key is known too, the thief is the device: the stories do find a way in if there is one."""
    with pytest.raises(AssertionError):
        for seed in range(20):
            clean(connection)
            DeviceRows(connection, "home", 0.0).enrol(BOX.serial or "", KEY, "cli")
            play(connection, seed, Actor(BOX, KEY, "203.0.113.9"), Actor(BOX, KEY, "192.0.2.1"))


def clean(connection: SqliteConnection) -> None:
    for table in ("device_tokens", "devices", "pending_devices", "device_keys", "outbox"):
        connection.execute(f"DELETE FROM {table}")


def test_codes_are_unique_among_those_that_wait(connection: SqliteConnection) -> None:
    rows = DeviceRows(connection, "home", 1_800_000_000.0)
    shown = [
        announce(rows, DeviceIdentity(f"02:11:22:33:{number // 256:02x}:{number % 256:02x}", "c"), "192.0.2.1", RULES)
        for number in range(900)
    ]
    codes = {each.code for each in shown if isinstance(each, Unbound)}
    assert len(codes) == 900


def test_a_code_that_is_taken_is_not_given_twice(connection: SqliteConnection, monkeypatch: pytest.MonkeyPatch) -> None:
    draws = iter([482_913, 482_913, 482_913, 7])
    monkeypatch.setattr("entendre.store.device_admission.secrets.randbelow", lambda bound: next(draws))
    rows = DeviceRows(connection, "home", 1_800_000_000.0)
    first = announce(rows, DeviceIdentity("02:11:22:33:44:55", "c"), "192.0.2.1", RULES)
    second = announce(rows, DeviceIdentity("02:11:22:33:44:66", "c"), "192.0.2.1", RULES)
    assert isinstance(first, Unbound)
    assert isinstance(second, Unbound)
    assert (first.code, second.code) == ("482913", "000007")


def test_regions_do_not_see_each_other(connection: SqliteConnection) -> None:
    here, there = (DeviceRows(connection, region, 1_800_000_000.0) for region in ("eu", "us"))
    honest = Actor(BOX, KEY, "192.0.2.1")
    honest.boot(here)
    assert binding.bind(there, honest.code, binding.Wanted("", None, None, "cli")) is None
    assert binding.bind(here, honest.code, binding.Wanted("", None, None, "cli")) is not None
    assert isinstance(honest.poll(here, honest.challenges[-1]), Admitted)
    assert honest.opens(here)
    assert not honest.opens(there)
    assert there.devices() == ()
