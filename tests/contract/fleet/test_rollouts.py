"""Rollouts, on both databases: what rules decide holds in the rows, whatever comes in whatever order."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from makers import REGION, Hands, Maker, make_brand, make_devices

from entendre.core.errors import ConflictError, InvalidInputError, NotFoundError, StaleError
from entendre.ports.releases import ReleaseRecord
from entendre.ports.rollouts import GroupProgress, Offer, ReleaseReport, RolloutRecord
from entendre.store.connection import Connection
from entendre.store.database import Database
from entendre.store.fleet.rollouts import Rollouts

PERCENT = {"percent": 100.0}


class Fleet:
    """Rollouts of one brand, with devices that do as they are told."""

    def __init__(self, database: Database, folder: Path) -> None:
        self.database = database
        self.clock = Hands()
        self.maker = Maker(database, folder, clock=self.clock)
        self.queries: list[str] = []
        self.rollouts = Rollouts(database, self.clock, REGION, self.find_ids)

    async def find_ids(self, brand: str, query: str, after: str, limit: int) -> Sequence[str]:
        """Devices by id; a query that ends in `id = '…'` finds that one."""
        self.queries.append(query)
        only = query.rpartition("id = '")[2].rstrip("')") if "id = '" in query else None

        def work(connection: Connection) -> list[str]:
            sql = (
                "SELECT id FROM fleet_devices WHERE region = ? AND brand = ? AND product = ? AND id > ?"
                " ORDER BY id LIMIT ?"
            )
            rows = connection.execute(sql, (REGION, brand, f"{brand}-lark", after, limit)).fetchall()
            return [str(row[0]) for row in rows if only is None or row[0] == only]

        return await self.database.read(work)

    async def release(self, number: str = "2.0.0", **values: object) -> ReleaseRecord:
        return await self.maker.published(number, **values)

    async def started(self, release: ReleaseRecord, query: str = "", **plan: Any) -> RolloutRecord:
        """A rollout that has its devices."""
        plan = {"rate_per_min": 1_000_000, "groups": [PERCENT]} | plan
        found = await self.rollouts.create("acme", release.id, "", query, json.dumps(plan), by="test")
        await self.rollouts.operate("acme", found.id, "start", by="test")
        while await self.rollouts.prepare():
            pass
        return await self.now(found)

    async def now(self, rollout: RolloutRecord) -> RolloutRecord:
        return await self.rollouts.rollout("acme", rollout.id)

    async def ask(self, device: str) -> Offer | None:
        self.clock.now_s += 1
        return await self.rollouts.ask("acme", device)

    async def asked(self, devices: Sequence[str]) -> list[Offer]:
        """The offers that these devices get, one after the other."""
        return [offer for each in devices if (offer := await self.ask(each)) is not None]

    async def first_offer(self, devices: Sequence[str]) -> Offer:
        """The first of these devices to get an offer."""
        for device in devices:
            offer = await self.ask(device)
            if offer is not None:
                return offer
        raise AssertionError("no device gets an offer")

    async def say(self, offer: Offer, said: Any, detail: str | None = None) -> None:
        report = ReleaseReport(rollout=offer.rollout, attempt=offer.attempt, said=said, detail=detail)
        await self.rollouts.report("acme", offer.device, report)

    async def run(self, device: str, version: str) -> None:
        await self.rollouts.report("acme", device, ReleaseReport(running=version))

    async def state(self, rollout: RolloutRecord, device: str) -> str:
        found = await self.rollouts.devices("acme", rollout.id, limit=1_000)
        return next(each.state for each in found if each.device == device)

    async def updated(self, device: str, number: str = "2.0.0") -> bool:
        """A device asks, and does what it is told."""
        offer = await self.ask(device)
        if offer is None:
            return False
        await self.say(offer, "downloading")
        await self.say(offer, "installing")
        await self.run(device, number)
        return True


def named(count: int, start: int = 0) -> list[str]:
    return [f"device-{number:05d}" for number in range(start, start + count)]


@pytest.fixture
async def fleet(database: Database, tmp_path: Path) -> Fleet:
    await make_brand(database)
    await make_brand(database, "other")
    return Fleet(database, tmp_path / "artifacts")


async def test_from_draft_to_the_last_device(fleet: Fleet) -> None:
    devices = named(10)
    await make_devices(fleet.database, devices)
    await make_devices(fleet.database, ["foreign"], "other")
    release = await fleet.release()
    rollout = await fleet.started(release, groups=[{"percent": 20, "name": "first"}, PERCENT])
    assert (rollout.state, rollout.group) == ("running", 0)
    assert [(each.total, each.started, each.name) for each in rollout.groups] == [(2, True, "first"), (8, False, "")]
    offers = [(each, await fleet.ask(each)) for each in devices]
    assert [each for each, offer in offers if offer] == [
        each.device for each in await fleet.rollouts.devices("acme", rollout.id, state="offered")
    ]
    offer = next(offer for _, offer in offers if offer)
    assert (offer.number, offer.attempt, offer.manifest) == ("2.0.0", 1, release.manifest)
    assert await fleet.ask(offer.device) == offer, "an offer stands, and is not made again"
    for _ in range(20):
        for device in devices:
            await fleet.updated(device)
    rollout = await fleet.now(rollout)
    assert (rollout.state, rollout.group, [each.succeeded for each in rollout.groups]) == ("finished", 1, [2, 8])
    assert rollout.finished_at_s is not None
    assert await fleet.ask(devices[0]) is None
    history = await fleet.rollouts.history("acme", devices[0])
    assert [each.event for each in history] == ["offered", "downloading", "installing", "succeeded"]
    events = [each.event for each in await fleet.rollouts.events("acme", rollout.id) if each.device is None]
    assert events == ["created", "preparing", "running", "group_started", "group_started", "finished"]


async def test_it_stops_by_itself_and_goes_on_when_mended(fleet: Fleet) -> None:
    devices = named(50)
    await make_devices(fleet.database, devices)
    rollout = await fleet.started(await fleet.release(), groups=[{"percent": 100, "error_percent": 6}])
    under_way = [offer for each in devices if (offer := await fleet.ask(each))]
    assert len(under_way) == 3, "6 percent of 50 may fail, so three may be under way"
    await fleet.say(under_way[0], "downloading")
    await fleet.say(under_way[1], "failed", "no room")
    await fleet.say(under_way[2], "failed")
    assert (await fleet.now(rollout)).state == "running"
    await fleet.say(under_way[0], "failed")
    rollout = await fleet.now(rollout)
    assert (rollout.state, rollout.reason) == ("stopped", "error_threshold of group 1")
    assert (rollout.groups[0].failed, rollout.groups[0].limit) == (3, 3)
    assert [each for each in devices if await fleet.ask(each)] == []
    with pytest.raises(ConflictError):
        await fleet.rollouts.operate("acme", rollout.id, "resume", by="test")
    await fleet.rollouts.operate("acme", rollout.id, "retry", by="test")
    for _ in range(3):
        for device in devices:
            await fleet.updated(device)
    rollout = await fleet.now(rollout)
    assert (rollout.state, rollout.groups[0].succeeded) == ("finished", 50)


async def test_stopping_takes_back_what_was_not_begun(fleet: Fleet) -> None:
    devices = named(20)
    await make_devices(fleet.database, devices)
    rollout = await fleet.started(await fleet.release(), groups=[{"percent": 100, "error_percent": 20, "minimum": 1}])
    offers = [offer for each in devices if (offer := await fleet.ask(each))]
    assert len(offers) == 4
    await fleet.say(offers[1], "downloading")
    await fleet.say(offers[0], "failed")
    assert (await fleet.now(rollout)).state == "stopped"
    assert [await fleet.state(rollout, each.device) for each in offers] == [
        *("failed", "downloading", "waiting", "waiting")
    ]
    await fleet.say(offers[2], "failed")
    assert await fleet.state(rollout, offers[2].device) == "waiting", "its offer was taken back"
    await fleet.run(offers[1].device, "2.0.0")
    assert await fleet.state(rollout, offers[1].device) == "succeeded", "what was begun goes on"


async def test_the_devices_own_report_decides(fleet: Fleet) -> None:
    await make_devices(fleet.database, ["new"], firmware="2.0.0")
    await make_devices(fleet.database, ["newer"], firmware="2.1")
    await make_devices(fleet.database, ["older", "by-cable"], firmware="0.9")
    rollout = await fleet.started(await fleet.release(), groups=[{"percent": 100, "error_percent": 100}])
    assert [await fleet.state(rollout, each) for each in ("new", "newer", "older", "by-cable")] == [
        *("succeeded", "cancelled", "waiting", "waiting")
    ]
    await fleet.run("by-cable", "v2.0")
    assert await fleet.state(rollout, "by-cable") == "succeeded"
    offer = await fleet.ask("older")
    assert offer is not None
    await fleet.say(offer, "installing")
    await fleet.say(offer, "downloading")
    await fleet.run("older", "0.9")
    assert await fleet.state(rollout, "older") == "installing"
    await fleet.run("by-cable", "0.9")
    assert await fleet.state(rollout, "by-cable") == "failed"
    shown = {each.device: each for each in await fleet.rollouts.devices("acme", rollout.id)}
    assert (shown["by-cable"].detail, shown["by-cable"].running) == ("went back to 0.9", "0.9")
    assert shown["newer"].detail == "runs 2.1, which is newer"


async def test_a_device_below_the_minimum_is_left_out(fleet: Fleet) -> None:
    await make_devices(fleet.database, ["old"], firmware="1.0")
    await make_devices(fleet.database, ["ready"], firmware="1.5")
    rollout = await fleet.started(await fleet.release(minimum="1.5"))
    assert await fleet.ask("old") is None
    assert await fleet.ask("ready") is not None
    assert await fleet.state(rollout, "old") == "cancelled"


async def test_attempts_and_time_outs(fleet: Fleet) -> None:
    await make_devices(fleet.database, ["one"])
    plan = {"max_attempts": 2, "timeout_s": 60, "groups": [{"percent": 100, "error_percent": 100}]}
    rollout = await fleet.started(await fleet.release(), **plan)
    first = await fleet.ask("one")
    assert first is not None
    await fleet.say(first, "failed", "flash worn")
    second = await fleet.ask("one")
    assert second is not None
    assert (first.attempt, second.attempt) == (1, 2)
    await fleet.say(first, "failed")
    assert await fleet.state(rollout, "one") == "offered", "a report of an attempt before"
    fleet.clock.now_s += 58
    assert not await fleet.rollouts.tick()
    assert await fleet.state(rollout, "one") == "offered"
    fleet.clock.now_s += 3
    await fleet.rollouts.tick()
    assert await fleet.state(rollout, "one") == "timed_out"
    rollout = await fleet.now(rollout)
    assert (rollout.state, rollout.reason) == ("stopped", "success_threshold of group 1")
    await fleet.run("one", "2.0.0")
    assert await fleet.state(rollout, "one") == "succeeded", "it was late, but runs it"


async def test_approval_pause_and_abort(fleet: Fleet) -> None:
    devices = named(8)
    await make_devices(fleet.database, devices)
    groups = [{"percent": 50, "error_percent": 100}, {"percent": 100, "error_percent": 100, "approval": True}]
    rollout = await fleet.started(await fleet.release(), groups=groups)
    assert sum([await fleet.updated(each) for each in devices]) == 4
    assert (await fleet.now(rollout)).state == "awaiting_approval"
    assert not any([await fleet.ask(each) for each in devices])
    approved = await fleet.rollouts.operate("acme", rollout.id, "approve", by="boss")
    assert (approved.state, approved.group) == ("running", 1)
    offer = await fleet.first_offer(devices)
    paused = await fleet.rollouts.operate("acme", rollout.id, "pause", by="test", version=approved.version)
    with pytest.raises(StaleError):
        await fleet.rollouts.operate("acme", rollout.id, "resume", by="test", version=approved.version)
    assert paused.state == "paused"
    assert await fleet.ask(offer.device) == offer, "what was offered stays so"
    assert await fleet.asked(devices) == [offer]
    await fleet.rollouts.operate("acme", rollout.id, "resume", by="test")
    begun = await fleet.first_offer([each for each in devices if each != offer.device])
    await fleet.say(begun, "downloading")
    await fleet.rollouts.operate("acme", rollout.id, "abort", by="test")
    assert await fleet.ask(offer.device) is None
    await fleet.rollouts.tick()
    rollout = await fleet.now(rollout)
    assert (rollout.state, rollout.finished_at_s) == ("aborted", None)
    assert [rollout.groups[1].cancelled, rollout.groups[1].downloading] == [3, 1]
    await fleet.run(begun.device, "2.0.0")
    await fleet.rollouts.tick()
    assert (await fleet.now(rollout)).finished_at_s is not None
    with pytest.raises(ConflictError):
        await fleet.rollouts.operate("acme", rollout.id, "retry", by="test")
    events = [each for each in await fleet.rollouts.events("acme", rollout.id, limit=500) if each.device is None]
    assert [(each.event, each.by) for each in events if each.by != "rollout"] == [
        *(("created", "test"), ("preparing", "test"), ("running", "boss"), ("group_started", "boss")),
        *(("paused", "test"), ("running", "test"), ("aborted", "test")),
    ]


async def test_bounds_of_rate_parallel_and_window(fleet: Fleet) -> None:
    devices = named(40)
    await make_devices(fleet.database, devices)
    group = {"percent": 100, "error_percent": 100}
    await fleet.started(await fleet.release(), groups=[group], max_parallel=7)
    assert len([1 for each in devices if await fleet.ask(each)]) == 7
    slow = await fleet.started(await fleet.release("3.0"), groups=[group], rate_per_min=60)
    offers = []
    for device in devices[7:]:
        fleet.clock.now_s += 0.25 - 1
        offers.append(await fleet.ask(device))
    made = [each for each in offers if each is not None and each.rollout == slow.id]
    assert 7 <= len(made) <= 10, "33 devices in 8 s, at one a second"
    fleet.clock.now_s = 1_800_000_000.0 - 1_800_000_000 % 86_400 + 12 * 3_600
    await make_devices(fleet.database, ["night"])
    window = {"start": "02:00", "end": "04:00"}
    await fleet.started(await fleet.release("4.0"), query="id = 'night'", groups=[group], window=window)
    assert await fleet.ask("night") is None
    fleet.clock.now_s += 14.5 * 3_600
    assert await fleet.ask("night") is not None


async def test_a_device_has_one_offer_at_a_time(fleet: Fleet) -> None:
    await make_devices(fleet.database, ["one"])
    older = await fleet.started(await fleet.release("2.0.0"))
    newer = await fleet.started(await fleet.release("2.1.0"))
    offer = await fleet.ask("one")
    assert offer is not None
    assert offer.rollout == newer.id
    assert await fleet.ask("one") == offer
    await fleet.run("one", "2.1.0")
    assert await fleet.ask("one") is None
    assert await fleet.state(older, "one") == "cancelled"


async def test_what_ends_offers(fleet: Fleet) -> None:
    await make_devices(fleet.database, named(3))
    release = await fleet.release()
    rollout = await fleet.started(release, groups=[{"percent": 100, "error_percent": 100}])
    assert await fleet.ask(named(1)[0]) is not None
    await fleet.maker.releases.revoke_key("acme", "factory", by="test")
    assert await fleet.ask(named(2)[1]) is None, "its key was revoked"
    await fleet.maker.releases.withdraw("acme", release.id, by="test")
    assert await fleet.ask(named(1)[0]) is None
    with pytest.raises(ConflictError):
        await fleet.rollouts.create("acme", release.id, "", "", json.dumps({"groups": [PERCENT]}), by="test")

    def revoke(connection: Connection) -> None:
        connection.execute("UPDATE fleet_devices SET state = 'revoked' WHERE id = ?", (named(2)[1],))
        connection.execute("DELETE FROM fleet_devices WHERE id = ?", (named(3)[2],))

    await fleet.database.write(revoke)
    await fleet.rollouts.sweep()
    assert (await fleet.now(rollout)).groups[0].cancelled == 2


async def test_groups_by_query_and_percent(fleet: Fleet) -> None:
    devices = named(2_501)
    await make_devices(fleet.database, devices)
    release = await fleet.release()
    groups = [{"query": f"id = '{devices[7]}'"}, {"percent": 10}, PERCENT]
    rollout = await fleet.started(release, query="tags.site = 'lab'", groups=groups)
    assert [each.total for each in rollout.groups] == [1, 250, 2_250]
    assert fleet.queries[0] == "product = 'acme-lark' and state = 'active' and (tags.site = 'lab')"
    pages = [await fleet.rollouts.devices("acme", rollout.id, limit=2_000)]
    pages.append(await fleet.rollouts.devices("acme", rollout.id, limit=2_000, after=pages[0][-1].device))
    assert [each.device for page in pages for each in page] == devices
    assert next(each.group for each in pages[0] if each.device == devices[7]) == 0


async def test_preparing_goes_on_after_a_crash(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever step is the last before a crash, the same devices are in the same groups in the end."""
    monkeypatch.setattr("entendre.store.fleet.rollout_lists.AT_ONCE", 10)
    await make_devices(fleet.database, named(47))
    release = await fleet.release()
    groups = [{"query": f"id = '{named(5)[4]}'"}, {"percent": 30}, PERCENT]
    outcomes = []
    for fails_after in (None, 0, 2, 4, 7, 9, 11):
        plan = json.dumps({"groups": groups})
        found = await fleet.rollouts.create("acme", release.id, "", "", plan, by="test")
        await fleet.rollouts.operate("acme", found.id, "start", by="test")
        if fails_after is not None:
            await crash_after(fleet.rollouts, fails_after)
        while await fleet.rollouts.prepare():
            pass
        outcomes.append([each.total for each in (await fleet.now(found)).groups])
        await fleet.rollouts.operate("acme", found.id, "abort", by="test")
        await fleet.rollouts.tick()
    assert outcomes == [[1, 14, 32]] * 7


async def crash_after(rollouts: Rollouts, writes: int) -> None:
    """Prepare until so many writes were made."""
    left = writes
    write = rollouts._write

    async def counted(work: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise InterruptedError
        return await write(work)

    rollouts._write = counted  # type: ignore[method-assign]
    with pytest.raises(InterruptedError):
        await rollouts.prepare()
    rollouts._write = write  # type: ignore[method-assign]


async def test_a_rollout_of_nobody_finishes_at_once(fleet: Fleet) -> None:
    rollout = await fleet.started(await fleet.release())
    assert rollout.state == "finished"


async def test_brands_know_nothing_of_each_other(fleet: Fleet) -> None:
    await make_devices(fleet.database, ["mine"])
    await make_devices(fleet.database, ["theirs"], "other")
    rollout = await fleet.started(await fleet.release())
    book = fleet.rollouts
    for act in (
        book.rollout("other", rollout.id),
        book.operate("other", rollout.id, "abort", by="test"),
        book.devices("other", rollout.id),
        book.events("other", rollout.id),
        book.create("other", rollout.release, "", "", json.dumps({"groups": [PERCENT]}), by="test"),
    ):
        with pytest.raises(NotFoundError):
            await act
    assert await book.rollouts("other") == ()
    assert await book.rollouts("acme", release="x") == ()
    assert [each.id for each in await book.rollouts("acme", release=rollout.release)] == [rollout.id]
    assert await book.ask("other", "mine") is None
    await book.report("other", "mine", ReleaseReport(running="2.0.0"))
    assert await fleet.state(rollout, "mine") == "waiting"
    assert await book.history("other", "mine") == ()


@pytest.mark.parametrize("plan", ["", "{}x", "[]", '{"groups":[]}', '{"groups":[{"percent":10}]}', '{"speed":1}'])
async def test_plans_are_read_strictly(fleet: Fleet, plan: str) -> None:
    release = await fleet.release()
    with pytest.raises(InvalidInputError):
        await fleet.rollouts.create("acme", release.id, "", "", plan, by="test")
    with pytest.raises(InvalidInputError, match="query"):
        good = json.dumps({"groups": [PERCENT]})
        await fleet.rollouts.create("acme", release.id, "", "true) or (true", good, by="test")


async def test_connected_devices_are_told(fleet: Fleet) -> None:
    devices = named(30)
    await make_devices(fleet.database, devices)
    rollout = await fleet.started(await fleet.release(), groups=[{"percent": 100, "error_percent": 10}])
    everybody = [("acme", each) for each in devices]
    fleet.clock.now_s += 1
    made = await fleet.rollouts.offer_to(everybody)
    assert len(made) == 3
    assert await fleet.rollouts.offer_to(everybody) == ()
    for offer in made:
        await fleet.run(offer.device, "2.0.0")
    fleet.clock.now_s += 1
    assert len(await fleet.rollouts.offer_to(everybody)) == 3
    assert (await fleet.now(rollout)).groups[0].succeeded == 3


@pytest.mark.parametrize("seed", range(4))
async def test_no_interleaving_passes_the_limit_and_counts_are_right(fleet: Fleet, seed: int) -> None:
    chance = random.Random(seed)
    devices = named(40)
    await make_devices(fleet.database, devices)
    errors = chance.choice([0, 5, 10, 25])
    groups = [
        {"percent": 30, "error_percent": errors, "success_percent": 50, "minimum": chance.choice([1, 5, 50])},
        {"percent": 100, "error_percent": errors, "success_percent": 50, "approval": chance.random() < 0.5},
    ]
    plan = {"groups": groups, "max_attempts": chance.choice([1, 2]), "timeout_s": 30, "max_parallel": 8}
    rollout = await fleet.started(await fleet.release(), **plan)
    went_back = [0, 0]
    offers: dict[str, Offer] = {}
    for _ in range(220):
        await something(fleet, chance, rollout, devices, offers)
        if chance.random() < 0.25:
            went_back = await check(fleet, rollout, went_back)
    await check(fleet, rollout, went_back)


async def something(
    fleet: Fleet, chance: random.Random, rollout: RolloutRecord, devices: list[str], offers: dict[str, Offer]
) -> None:
    device = chance.choice(devices)
    what = chance.choice(
        ["ask"] * 6 + ["say"] * 4 + ["run"] * 3 + ["fail"] * 2 + ["old", "wait", "pause", "resume", "approve", "retry"]
    )
    match what:
        case "ask":
            offer = await fleet.ask(device)
            if offer is not None:
                offers[device] = offer
        case "say" | "fail" if device in offers:
            said = "failed" if what == "fail" else chance.choice(["downloading", "installing"])
            await fleet.say(offers[device], said)
        case "run" if device in offers:
            await fleet.run(device, "2.0.0")
        case "old":
            await fleet.run(device, "1.0.0")
        case "wait":
            fleet.clock.now_s += chance.choice([1, 20, 40])
            await fleet.rollouts.tick()
        case "pause" | "resume" | "approve" | "retry":
            try:
                await fleet.rollouts.operate("acme", rollout.id, what, by="test")  # type: ignore[arg-type]
            except ConflictError:
                return


async def check(fleet: Fleet, rollout: RolloutRecord, went_back: list[int]) -> list[int]:
    """The limit holds, and counts are what the rows are."""
    found = await fleet.now(rollout)
    devices = await fleet.rollouts.devices("acme", rollout.id, limit=1_000)
    for group in found.groups:
        members = [each for each in devices if each.group == group.number]
        states = ("waiting", "offered", "downloading", "installing", "succeeded", "failed", "timed_out", "cancelled")
        counted = [sum(each.state == state for each in members) for state in states]
        assert counted == [getattr(group, state) for state in states]
        assert group.total == len(members)
        back = sum((each.detail or "").startswith("went back") for each in members)
        assert failing(group) <= group.limit + back
    return went_back


def failing(group: GroupProgress) -> int:
    return group.failed + group.timed_out
