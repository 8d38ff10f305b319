"""Twins on both databases: versions, conditions, the index of tags, the feed, and many writers at once."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from entendre.core.errors import InvalidInputError, NotFoundError, StaleError, TooLargeError
from entendre.fleet.twins import DesiredFollower, leaves_of
from entendre.ports.fleet_twins import TwinChange, TwinPatch
from entendre.store import Database
from entendre.store.connection import Connection
from entendre.store.fleet.device_rows import FirstValues, FleetRows
from entendre.store.fleet.twins import FleetTwins
from entendre.system import SystemClock


async def make(database: Database, *names: str, brand: str = "b1") -> None:
    """Devices with these ids."""

    def work(connection: Connection) -> None:
        for name in names:
            FleetRows(connection, "home", 1.0).insert(
                FirstValues(brand, "p1", "speaker", name, name, "cli", id=name, household="h1")
            )

    await database.write(work)


@pytest.fixture
async def twins(database: Database) -> FleetTwins:
    await make(database, "d1", "d2")
    await make(database, "e1", brand="b2")
    return FleetTwins(database, SystemClock())


def index_of(connection: Connection) -> set[tuple[str, str]]:
    """The index of tags of `d1`."""
    sql = "SELECT path, value FROM device_tags WHERE region = 'home' AND brand = 'b1' AND device = 'd1'"
    return {(path, value) for path, value in connection.execute(sql)}


async def feed_of(database: Database, brand: str = "b1") -> list[tuple[str, str, str, int, Any, str | None]]:
    """Everything that was announced to a brand."""
    sql = (
        "SELECT topic, subject, change, version, data, household FROM changes"
        " WHERE region = 'home' AND brand = ? AND topic <> 'device' ORDER BY seq"
    )

    def work(connection: Connection) -> list[Any]:
        return [(*row[:4], json.loads(row[4]), row[5]) for row in connection.execute(sql, (brand,))]

    return await database.read(work)


async def test_a_patch_raises_one_version_and_the_etag(twins: FleetTwins) -> None:
    before = await twins.get("b1", "d1")
    assert (before.tags, before.desired, before.reported) == ({}, {}, {})
    change = await twins.patch(TwinPatch("b1", "d1", "desired", {"a": {"b": 1}, "c": "ü"}), by="cli")
    assert (change.version, change.document) == (before.desired_version + 1, {"a": {"b": 1}, "c": "ü"})
    after = await twins.get("b1", "d1")
    assert (after.desired, after.desired_version, after.etag) == (change.document, change.version, change.etag)
    assert (after.tags_version, after.reported_version) == (before.tags_version, before.reported_version)
    assert after.etag != before.etag
    replaced = await twins.patch(TwinPatch("b1", "d1", "desired", {"x": 1, "y": None}, replace=True), by="cli")
    assert replaced.document == {"x": 1}
    assert replaced.version == change.version + 1


async def test_if_match_lets_only_one_of_two_writers_through(twins: FleetTwins) -> None:
    etag = (await twins.get("b1", "d1")).etag
    patches = [TwinPatch("b1", "d1", "tags", {"by": each}, if_match=etag) for each in ("one", "two")]
    found = await asyncio.gather(*(twins.patch(each, by="cli") for each in patches), return_exceptions=True)
    assert {type(each) for each in found} == {TwinChange, StaleError}
    assert (await twins.get("b1", "d1")).tags_version == 2


async def test_what_fails_in_a_batch_leaves_no_trace_and_hinders_nobody(twins: FleetTwins, database: Database) -> None:
    patches = [
        TwinPatch("b1", "d1", "reported", {"a": 1}),
        TwinPatch("b1", "nobody", "reported", {"a": 1}),
        TwinPatch("b1", "e1", "reported", {"a": 1}),
        TwinPatch("b2", "e1", "reported", {"a": 1}),
        TwinPatch("b1", "d1", "reported", {"a.b": 1}),
        TwinPatch("b1", "d1", "reported", {"b": 2}, if_match="9.9.9"),
        TwinPatch("b1", "d1", "reported", {"b": 3}),
        *(TwinPatch("b1", "d2", "tags", {f"k{each}": "x" * 4_000}) for each in range(3)),
    ]
    found = await twins.patch_many(patches, by="cli")
    kinds = [type(each) for each in found]
    assert kinds == [
        *(TwinChange, NotFoundError, NotFoundError, TwinChange, InvalidInputError, StaleError, TwinChange),
        *(TwinChange, TwinChange, TooLargeError),
    ]
    one = await twins.get("b1", "d1")
    assert (one.reported, one.reported_version) == ({"a": 1, "b": 3}, 3)
    assert set((await twins.get("b1", "d2")).tags) == {"k0", "k1"}
    assert len(await feed_of(database)) == 4
    assert len(await feed_of(database, "b2")) == 1


async def test_the_feed_says_what_changed_to_whom_and_by_whom(twins: FleetTwins, database: Database) -> None:
    await twins.patch(TwinPatch("b1", "d1", "desired", {"a": 1}), by="key:1")
    await twins.patch(TwinPatch("b1", "d1", "desired", {"b": 2}, replace=True), by="cli")
    assert await feed_of(database) == [
        ("twin.desired", "d1", "patched", 2, {"patch": {"a": 1}, "by": "key:1"}, "h1"),
        ("twin.desired", "d1", "replaced", 3, {"patch": {"b": 2}, "by": "cli"}, "h1"),
    ]


async def test_the_index_of_tags_follows_the_tags(twins: FleetTwins, database: Database) -> None:
    for patch, replace in (
        ({"a": {"b": 1}, "c": ["x", "y"]}, False),
        ({"a": {"b": 2, "d": True}, "c": ["y", "z"]}, False),
        ({"a": None, "e": "x" * 600}, False),
        ({"c": "x"}, True),
    ):
        await twins.patch(TwinPatch("b1", "d1", "tags", patch, replace=replace), by="cli")
        await twins.patch(TwinPatch("b1", "d1", "desired", {"not": "indexed"}), by="cli")
        assert await database.read(index_of) == leaves_of((await twins.get("b1", "d1")).tags)


async def test_a_device_that_reports_its_firmware_is_known_to_run_it(twins: FleetTwins, database: Database) -> None:
    for reported in ({"firmware": "1.2.0"}, {"firmware": "1.2.0", "a": 1}, {"firmware": 7}, {"firmware": None}):
        await twins.patch(TwinPatch("b1", "d1", "reported", reported), by="device:d1")
    sql = "SELECT firmware FROM fleet_devices WHERE id = 'd1'"
    assert await database.read(lambda connection: connection.execute(sql).fetchone()[0]) == "1.2.0"
    sql = "SELECT count(*) FROM changes WHERE topic = 'device' AND change = 'firmware'"
    assert await database.read(lambda connection: connection.execute(sql).fetchone()[0]) == 1


async def test_many_writers_lose_nothing_and_a_follower_of_the_feed_arrives(
    twins: FleetTwins, database: Database
) -> None:
    async def writer(number: int) -> None:
        for turn in range(20):
            patch = {f"w{number}": turn, "shared": {"last": number}}
            await twins.patch(TwinPatch("b1", "d1", "desired", patch), by=f"w{number}")

    await asyncio.gather(*(writer(number) for number in range(16)))
    twin = await twins.get("b1", "d1")
    assert twin.desired_version == 1 + 16 * 20
    assert {key: value for key, value in twin.desired.items() if key != "shared"} == {f"w{n}": 19 for n in range(16)}
    follower = DesiredFollower()
    follower.got({}, 1)
    entries = await feed_of(database)
    assert [version for _, _, _, version, _, _ in entries] == list(range(2, 322))
    for _, _, change, version, data, _ in entries:
        assert follower.notified(data["patch"], version, replace=change == "replaced")
    assert (follower.document, follower.version) == (twin.desired, twin.desired_version)
