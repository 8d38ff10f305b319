"""Devices in the database: what is kept, what is pinned, and what another process finds out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from entendre.core.device import Admitted, DeviceIdentity, Refusal, Refused, Unbound
from entendre.core.errors import InvalidInputError
from entendre.store import Database, Devices, device_presence, device_watch, open_database
from entendre.store.device_tokens import OVERLAP_S
from entendre.store.devices import SAME_TOKEN_S

BOX = DeviceIdentity(
    "02:11:22:33:44:55", "7b1c5a0e-0d2f-4a58-9f3e-3f9d8c1f2a11", board="esp-box-3", firmware="2.4.2", language="en-US"
)
HOME = "192.0.2.17"


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
def devices(database: Database, clock: HandClock) -> Devices:
    return Devices(database, clock)


async def bound(devices: Devices, identity: DeviceIdentity = BOX, name: str = "") -> Admitted:
    shown = await devices.announce(identity, HOME)
    assert isinstance(shown, Unbound)
    await devices.bind(shown.code, name=name, by="cli", guesser="cli")
    admitted = await devices.announce(identity, HOME)
    assert isinstance(admitted, Admitted)
    return admitted


async def test_a_device_is_bound_by_its_code_and_then_has_a_token(devices: Devices) -> None:
    shown = await devices.announce(BOX, HOME)
    assert isinstance(shown, Unbound)
    assert shown.code.isdigit()
    assert len(shown.code) == 6
    assert isinstance(await devices.activate(BOX, None, HOME), Unbound)
    record = await devices.bind(
        f"{shown.code[:3]} {shown.code[3:]}", name="Kitchen", room="kitchen", by="cli", guesser="x"
    )
    assert (record.name, record.room, record.client, record.board) == ("Kitchen", "kitchen", BOX.client, "esp-box-3")
    assert isinstance(await devices.activate(BOX, None, HOME), Admitted)
    admitted = await devices.announce(BOX, HOME)
    assert isinstance(admitted, Admitted)
    for _ in range(3):
        opened = await devices.verify(admitted.token, BOX.hardware.upper(), BOX.client)
        assert isinstance(opened, Admitted)
        assert opened.record.id == record.id


async def test_everything_survives_a_restart(devices: Devices, database: Database, clock: HandClock) -> None:
    waiting = replace(BOX, hardware="02:11:22:33:44:66", client="another")
    admitted = await bound(devices)
    shown = await devices.announce(waiting, HOME)
    assert isinstance(shown, Unbound)
    reopened = Devices(database, clock)
    assert isinstance(await reopened.verify(admitted.token, BOX.hardware, BOX.client), Admitted)
    record = await reopened.bind(shown.code, by="cli", guesser="cli")
    assert [each.id for each in await devices.devices()] == [admitted.record.id, record.id]


async def test_secrets_of_tokens_are_nowhere_in_the_files(devices: Devices, stored_bytes: Callable[[], bytes]) -> None:
    admitted = await bound(devices, name="Needle")
    stored = stored_bytes()
    assert b"Needle" in stored
    assert admitted.token.split("_", 2)[2].encode() not in stored


async def test_the_code_stays_while_somebody_types_and_the_challenge_is_fresh(
    devices: Devices, clock: HandClock
) -> None:
    first = await devices.announce(BOX, HOME)
    clock.now_s += 35.0
    second = await devices.announce(BOX, HOME)
    assert isinstance(first, Unbound)
    assert isinstance(second, Unbound)
    assert first.code == second.code
    assert first.challenge != second.challenge
    clock.now_s += 530.0
    third = await devices.announce(BOX, HOME)
    assert isinstance(third, Unbound)
    assert third.expires_at_s - clock.now_s == 600.0
    assert [each.code for each in await devices.pending()] == [third.code]


async def test_asking_again_within_a_minute_gets_the_same_token(devices: Devices, clock: HandClock) -> None:
    first = await bound(devices)
    again = await devices.announce(BOX, HOME)
    clock.now_s += SAME_TOKEN_S + 1
    later = await devices.announce(BOX, HOME)
    assert isinstance(again, Admitted)
    assert isinstance(later, Admitted)
    assert first.token == again.token != later.token


async def test_a_token_ends_a_while_after_its_successor_was_used_and_not_before(
    devices: Devices, clock: HandClock
) -> None:
    first = await bound(devices)
    assert isinstance(await devices.verify(first.token, BOX.hardware, BOX.client), Admitted)
    for _ in range(20):  # boots whose answers were lost
        clock.now_s += 86_400
        await devices.announce(BOX, HOME)
    assert isinstance(await devices.verify(first.token, BOX.hardware, BOX.client), Admitted)
    clock.now_s += 86_400
    last = await devices.announce(BOX, HOME)
    assert isinstance(last, Admitted)
    assert isinstance(await devices.verify(last.token, BOX.hardware, BOX.client), Admitted)
    assert isinstance(await devices.verify(first.token, BOX.hardware, BOX.client), Admitted)
    clock.now_s += OVERLAP_S
    assert await devices.verify(first.token, BOX.hardware, BOX.client) == Refused(Refusal.TOKEN_EXPIRED)
    assert isinstance(await devices.verify(last.token, BOX.hardware, BOX.client), Admitted)


async def test_fetching_tokens_does_not_fill_the_database(
    devices: Devices, database: Database, clock: HandClock
) -> None:
    await bound(devices)
    for _ in range(30):
        clock.now_s += SAME_TOKEN_S + 1
        await devices.announce(BOX, HOME)
    count = await database.read(lambda each: each.execute("SELECT count(*) FROM device_tokens").fetchone()[0])
    assert count == 4


async def test_another_process_that_revokes_ends_an_open_connection(
    devices: Devices, clock: HandClock, database_place: Path | str
) -> None:
    admitted = await bound(devices)
    running = asyncio.create_task(devices.run())
    reason: asyncio.Future[Refusal] = asyncio.get_running_loop().create_future()
    devices.watch(admitted, reason.set_result)
    await asyncio.sleep(0.05)
    elsewhere = await open_database(database_place)
    await Devices(elsewhere, clock).revoke(BOX.hardware, by="cli")
    await elsewhere.close()
    assert await asyncio.wait_for(reason, 2.0) is Refusal.REVOKED
    running.cancel()


async def test_a_connection_that_opened_while_its_device_was_revoked_ends_too(
    devices: Devices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(device_watch, "POLL_S", 0.02)
    admitted = await bound(devices)
    running = asyncio.create_task(devices.run())
    await asyncio.sleep(0.05)
    await devices.revoke(admitted.record.id, by="cli")
    await asyncio.sleep(0.05)
    ended: list[Refusal] = []
    devices.watch(admitted, ended.append)
    await asyncio.sleep(0.2)
    assert ended == [Refusal.REVOKED]
    running.cancel()


async def test_a_revocation_is_seen_behind_any_number_of_other_announcements(
    devices: Devices, database: Database, clock: HandClock
) -> None:
    admitted = await bound(devices)
    watch = device_watch.DeviceWatch(database, clock, "home")
    ended: list[Refusal] = []
    watch.add(admitted, ended.append)
    await watch.look()
    rows = [("home", str(number), "jobs", "j", "changed", 1.0) for number in range(5_000)]
    sql = "INSERT INTO outbox (region, id, topic, subject, change, at_s) VALUES (?, ?, ?, ?, ?, ?)"
    await database.write(lambda connection: connection.executemany(sql, rows).rowcount)
    await devices.revoke(admitted.record.id, by="cli")
    assert ended == []
    await watch.look()
    assert ended == [Refusal.REVOKED]


async def test_watching_ends_when_asked_and_other_devices_are_left_alone(devices: Devices) -> None:
    admitted = await bound(devices)
    other = await bound(devices, replace(BOX, hardware="02:11:22:33:44:66", client="other"))
    running = asyncio.create_task(devices.run())
    ended: list[Refusal] = []
    devices.watch(other, ended.append)
    devices.watch(admitted, ended.append)()
    await devices.change(other.record.id, name="Renamed", by="cli")
    await devices.revoke(admitted.record.id, by="cli")
    await asyncio.sleep(0.1)
    assert ended == []
    running.cancel()


async def test_names_address_devices_so_none_is_given_twice(devices: Devices) -> None:
    await bound(devices, name="Kitchen")
    shown = await devices.announce(replace(BOX, hardware="02:11:22:33:44:66", client="other"), HOME)
    assert isinstance(shown, Unbound)
    with pytest.raises(InvalidInputError, match="Kitchen"):
        await devices.bind(shown.code, name="kitchen", by="cli", guesser="cli")
    named = await devices.bind(shown.code, by="cli", guesser="cli")
    assert named.name == "esp-box-3 44:66"
    with pytest.raises(InvalidInputError, match="Kitchen"):
        await devices.change("esp-box-3 44:66", name="KITCHEN", by="cli")
    assert (await devices.change("kitchen", name="Cellar", room="", by="cli")).name == "Cellar"
    with pytest.raises(InvalidInputError, match="no such"):
        await devices.revoke("kitchen", by="cli")


async def test_forgetting_leaves_nothing_and_lets_it_be_bound_anew(devices: Devices, database: Database) -> None:
    first = await bound(devices)
    await devices.forget(BOX.hardware, by="cli")
    assert await devices.devices() == ()
    tables = ("devices", "pending_devices", "device_tokens")
    counted = await database.read(
        lambda each: [each.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables]
    )
    assert counted == [0, 0, 0]
    assert await devices.verify(first.token, BOX.hardware, BOX.client) == Refused(Refusal.TOKEN_UNKNOWN)
    again = await bound(devices)
    assert again.record.id != first.record.id


async def test_who_was_seen_is_written_once_a_minute_and_at_the_end(
    devices: Devices, clock: HandClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted = await bound(devices)
    monkeypatch.setattr(device_presence, "WRITE_EVERY_S", 0.02)
    running = asyncio.create_task(devices.run())
    clock.now_s += 5
    await devices.note_seen(admitted.record.id, "2.5.0")
    await devices.note_seen(admitted.record.id)
    await asyncio.sleep(0.1)
    first = await devices.record(admitted.record.id)
    monkeypatch.setattr(device_presence, "WRITE_EVERY_S", 60.0)
    await asyncio.sleep(0.05)
    clock.now_s += 61
    assert isinstance(await devices.verify(admitted.token, BOX.hardware, BOX.client), Admitted)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    second = await devices.record(admitted.record.id)
    assert first is not None
    assert second is not None
    assert (first.last_seen_at_s, first.firmware) == (1_800_000_005.0, "2.5.0")
    assert (second.last_seen_at_s, second.firmware) == (1_800_000_066.0, "2.5.0")
