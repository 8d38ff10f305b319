"""Commands in both databases: queued once, delivered until answered, bounded, and over when their time is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from entendre.core.errors import ConflictError, NotFoundError, ThrottledError
from entendre.fleet.commands import LOCK_S, MAX_QUEUED
from entendre.ports.changes import Interest
from entendre.ports.commands import CommandJob, CommandRecord, DeviceAnswer
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.changes import ChangeRows
from entendre.store.fleet.command_jobs import CommandRows
from entendre.system import new_id

REGION = "eu"
ACME, OTHER = "brand-acme", "brand-other"


class SetClock:
    """A clock that stands until it is moved."""

    now_s = 1_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


def add_device(connection: Connection, device: str, brand: str = ACME, state: str = "active") -> None:
    connection.execute(
        "INSERT INTO fleet_devices (region, id, brand, product, kind, serial, name, state, firmware, online,"
        " created_at_s, created_by, changed_at_s, changed_by, version)"
        " VALUES (?, ?, ?, 'p', 'speaker', ?, ?, ?, '', 0, 0.0, 't', 0.0, 't', 1)",
        (REGION, device, brand, device, device, state),
    )


def add_brand(connection: Connection, brand: str) -> None:
    connection.execute(
        "INSERT INTO brands (region, id, name, display_name, assistant, created_at_s, created_by, version)"
        " VALUES (?, ?, ?, ?, 'x', 0.0, 't', 1)",
        (REGION, brand, brand, brand),
    )


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
async def rows(database: Database, clock: SetClock) -> CommandRows:
    def work(connection: Connection) -> None:
        add_brand(connection, ACME)
        add_brand(connection, OTHER)
        for device, brand, state in (("d1", ACME, "active"), ("d2", ACME, "active"), ("x1", OTHER, "active")):
            add_device(connection, device, brand, state)
        add_device(connection, "gone", ACME, "revoked")

    await database.write(work)
    return CommandRows(database, clock, REGION)


def command(clock: SetClock, device: str = "d1", brand: str = ACME, key: str | None = None) -> CommandRecord:
    return CommandRecord(
        id=new_id(),
        brand=brand,
        device=device,
        name="reboot",
        payload="{}",
        mode="queued",
        state="queued",
        created_at_s=clock.wall(),
        created_by="tester",
        expires_at_s=clock.wall() + 3600,
        idempotency_key=key,
    )


async def test_a_command_goes_from_queued_to_done(database: Database, rows: CommandRows, clock: SetClock) -> None:
    queued = await rows.queue(command(clock))
    (claimed,) = await rows.claim("d1", again=False, limit=10)
    assert (claimed.id, claimed.state, claimed.deliveries) == (queued.id, "delivered", 1)
    finished = await rows.finish(DeviceAnswer("d1", queued.id, 200, '{"ok":true}'))
    assert finished is not None
    assert (finished.state, finished.status, finished.result) == ("done", 200, '{"ok":true}')
    assert await rows.get(ACME, "d1", queued.id) == finished
    assert await rows.claim("d1", again=True, limit=10) == ()
    changes = (await ChangeRows(database, clock, REGION).after(0, Interest(topics=("command",)), 10)).changes
    assert [each.change for each in changes] == ["queued", "done"]


async def test_the_first_answer_stands(rows: CommandRows, clock: SetClock) -> None:
    queued = await rows.queue(command(clock))
    await rows.finish(DeviceAnswer("d1", queued.id, 500, "null"))
    again = await rows.finish(DeviceAnswer("d1", queued.id, 200, "null"))
    assert again is not None
    assert again.state == "failed"
    assert await rows.finish(DeviceAnswer("d2", queued.id, 200, "null")) is None
    assert await rows.finish(DeviceAnswer("d1", new_id(), 200, "null")) is None


async def test_a_delivered_command_waits_for_its_lock_or_for_the_device_to_come_back(
    rows: CommandRows, clock: SetClock
) -> None:
    await rows.queue(command(clock))
    assert len(await rows.claim("d1", again=False, limit=10)) == 1
    assert await rows.claim("d1", again=False, limit=10) == ()
    (again,) = await rows.claim("d1", again=True, limit=10)
    assert again.deliveries == 2
    clock.now_s += LOCK_S
    assert len(await rows.claim("d1", again=False, limit=10)) == 1


async def test_a_queue_is_bounded_and_a_key_queues_once(rows: CommandRows, clock: SetClock) -> None:
    first = await rows.queue(command(clock, key="k"))
    for _ in range(MAX_QUEUED - 1):
        await rows.queue(command(clock))
    with pytest.raises(ThrottledError):
        await rows.queue(command(clock))
    assert await rows.queue(command(clock, key="k")) == first
    await rows.queue(command(clock, device="d2", key="k"))


async def test_commands_of_other_brands_and_of_revoked_devices_do_not_exist(rows: CommandRows, clock: SetClock) -> None:
    for device, brand in (("x1", ACME), ("d1", OTHER), ("gone", ACME), ("nobody", ACME)):
        with pytest.raises(NotFoundError):
            await rows.queue(command(clock, device=device, brand=brand))
    mine = await rows.queue(command(clock))
    with pytest.raises(NotFoundError):
        await rows.get(OTHER, "d1", mine.id)
    with pytest.raises(NotFoundError):
        await rows.cancel(OTHER, "d1", mine.id, "tester")
    assert await rows.commands(OTHER, "d1", state=None, after=None, limit=10) == ()


async def test_expiry_and_cancelling_end_commands(rows: CommandRows, clock: SetClock) -> None:
    old, kept = await rows.queue(command(clock)), await rows.queue(replace(command(clock), expires_at_s=9e9))
    clock.now_s += 3600
    assert await rows.claim("d1", again=True, limit=10) != ()
    assert await rows.expire(10) == 1
    assert (await rows.get(ACME, "d1", old.id)).state == "expired"
    assert (await rows.cancel(ACME, "d1", kept.id, "tester")).state == "cancelled"
    with pytest.raises(ConflictError):
        await rows.cancel(ACME, "d1", old.id, "tester")
    late = await rows.finish(DeviceAnswer("d1", old.id, 200, "null"))
    assert late is not None
    assert late.state == "expired"


async def test_direct_commands_leave_a_history_and_are_not_delivered(rows: CommandRows, clock: SetClock) -> None:
    done = replace(command(clock), mode="direct", state="done", finished_at_s=clock.wall(), status=200, result="1")
    await rows.note(done)
    begun = await rows.begin(replace(command(clock, key="k"), mode="direct"))
    assert await rows.claim("d1", again=True, limit=10) == ()
    await rows.note(replace(begun, state="done", finished_at_s=clock.wall(), status=200, result="2"))
    assert (await rows.begin(replace(command(clock, key="k"), mode="direct"))).result == "2"
    listed = await rows.commands(ACME, "d1", state="done", after=None, limit=10)
    assert [each.result for each in listed] == ["2", "1"]


async def test_a_job_reaches_each_device_once_however_often_its_batch_is_written(
    rows: CommandRows, clock: SetClock
) -> None:
    job = await rows.add_job(
        CommandJob(new_id(), ACME, "", "reboot", "{}", 60.0, "running", "", 0, 0, clock.wall(), "tester")
    )
    assert await rows.running_jobs() == (job,)
    batch = [replace(command(clock, device=each, key=f"job:{job.id}"), job=job.id) for each in ("d1", "d2", "gone")]
    reached = replace(job, reached="gone", state="queued")
    first = await rows.queue_batch(reached, batch)
    assert (first.queued, first.refused, first.state) == (2, 1, "queued")
    assert await rows.queue_batch(reached, batch) == first
    assert dict((await rows.job(ACME, job.id)).states) == {"queued": 2}
    ended = await rows.end_job(ACME, job.id, "cancelled", "tester")
    assert dict(ended.states) == {"cancelled": 2}
    with pytest.raises(NotFoundError):
        await rows.job(OTHER, job.id)
    assert [each.id for each in await rows.jobs(ACME, after=None, limit=5)] == [job.id]


async def test_finished_commands_are_forgotten_by_the_brands_rule(
    database: Database, rows: CommandRows, clock: SetClock
) -> None:
    kept, gone = await rows.queue(command(clock, device="x1", brand=OTHER)), await rows.queue(command(clock))
    for each in (kept, gone):
        await rows.finish(DeviceAnswer(each.device, each.id, 200, "null"))
    rule = "INSERT INTO retention_rules (region, id, brand, kind, days, changed_at_s, changed_by)"
    await database.write(
        lambda connection: (
            connection.execute(f"{rule} VALUES (?, 'r', ?, 'commands', 1.0, 0.0, 't')", (REGION, ACME)).rowcount
        )
    )
    clock.now_s += 2 * 86_400
    assert await rows.prune(10) == 1
    with pytest.raises(NotFoundError):
        await rows.get(ACME, "d1", gone.id)
    assert (await rows.get(OTHER, "x1", kept.id)).state == "done"
