"""Answered requests and the audit log as it is read, on both databases."""

from __future__ import annotations

import asyncio

import pytest

from entendre.core.errors import InvalidInputError, NotFoundError, StoreError
from entendre.ports.requests import Answered, Whose
from entendre.store.audit import Act, record
from entendre.store.audit_log import AuditReader
from entendre.store.database import Database
from entendre.store.keys import ApiKeys
from entendre.store.requests import KEPT_S, Requests


class HandClock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now_s = 1_000_000.0

    def monotonic(self) -> float:
        return self.now_s

    def wall(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


async def test_an_answer_is_kept_for_a_day(database: Database, clock: HandClock) -> None:
    requests = Requests(database, clock, "home")
    assert await requests.begin("a", b"1") is None
    assert await requests.begin("a", b"1") == Answered(b"1", None, None)
    await requests.finish("a", 201, '{"x":"ü"}')
    await requests.forget("a")
    assert await requests.begin("a", b"2") == Answered(b"1", 201, '{"x":"ü"}')
    assert await Requests(database, clock, "other").begin("a", b"3") is None
    clock.now_s += KEPT_S + 1.0
    assert await requests.begin("a", b"4") is None


async def test_a_refusal_is_kept_for_no_device(database: Database, clock: HandClock) -> None:
    requests = Requests(database, clock, "home")
    for id, status in (("granted", 201), ("refused", 404)):
        await requests.begin(id, b"1", Whose(device="d1"))
        await requests.finish(id, status, "{}")
    sql = "SELECT id, device FROM answered_requests ORDER BY id"
    found = await database.read(lambda connection: list(connection.execute(sql)))
    assert [tuple(row) for row in found] == [("granted", "d1"), ("refused", None)]
    assert await requests.begin("refused", b"1") == Answered(b"1", 404, "{}")


async def test_a_request_that_did_nothing_may_come_again(database: Database, clock: HandClock) -> None:
    requests = Requests(database, clock, "home")
    await requests.begin("a", b"1")
    await requests.forget("a")
    assert await requests.begin("a", b"1") is None


async def test_a_request_whose_server_died_is_carried_out_anew_at_once(database: Database, clock: HandClock) -> None:
    assert await Requests(database, clock, "home").begin("a", b"1") is None
    after_restart = Requests(database, clock, "home")
    assert await after_restart.begin("a", b"2") == Answered(b"1", None, None), "another request: not under this key"
    assert await after_restart.begin("a", b"1") is None
    assert await after_restart.begin("a", b"1") == Answered(b"1", None, None)
    await after_restart.finish("a", 201, "{}")
    assert await after_restart.begin("a", b"1") == Answered(b"1", 201, "{}")


@pytest.mark.parametrize("end", ["finish", "forget"])
async def test_a_request_whose_end_could_not_be_written_is_carried_out_anew(
    database: Database, clock: HandClock, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    async def refused(work: object) -> None:
        raise StoreError

    requests = Requests(database, clock, "home")
    await requests.begin("a", b"1")
    with monkeypatch.context() as away:
        away.setattr(database, "write", refused)
        with pytest.raises(StoreError):
            await (requests.finish("a", 201, "{}") if end == "finish" else requests.forget("a"))
        with pytest.raises(StoreError):
            await requests.begin("b", b"2")
    assert await requests.begin("a", b"1") is None
    assert await requests.begin("b", b"2") is None


async def test_of_requests_that_come_at_once_one_is_carried_out(database: Database, clock: HandClock) -> None:
    requests = Requests(database, clock, "home")
    known = await asyncio.gather(*(requests.begin("a", b"1") for _ in range(5)))
    assert sorted(known, key=bool) == [None, *[Answered(b"1", None, None)] * 4]


async def test_the_log_is_read_by_whom_it_is_about_newest_first(database: Database) -> None:
    acts = [
        Act("operator", "brand.created", "b1", brand="b1"),
        Act("key:k", "member.added", "m1", household="h1", detail={"role": "adult"}),
        Act("key:k", "brand.changed", "b1", brand="b1"),
    ]
    for act in acts:
        await database.write(lambda connection, act=act: record(connection, "home", 5.0, act))
    reader = AuditReader(database, "home")
    everything = await reader.entries()
    assert [each.act for each in everything] == ["brand.changed", "member.added", "brand.created"]
    assert [each.act for each in await reader.entries(brand="b1")] == ["brand.changed", "brand.created"]
    assert [each.detail for each in await reader.entries(household="h1")] == [{"role": "adult"}]
    assert [each.act for each in await reader.entries(before=everything[0].seq, limit=1)] == ["member.added"]
    assert await AuditReader(database, "other").entries() == ()
    assert (await reader.state()).intact


async def test_keys_of_brands(database: Database, clock: HandClock) -> None:
    keys = ApiKeys(database, clock)
    token, made = await keys.add("ci", brand="b1", role="viewer", by="key:x")
    found = await keys.verify(token)
    assert found is not None
    assert (found.brand, found.role) == ("b1", "viewer")
    assert [each.id for each in await keys.of_brand("b1")] == [made.id]
    assert await keys.of_brand("b2") == ()
    with pytest.raises(NotFoundError):
        await keys.revoke_of_brand("b2", made.id, by="key:y")
    await keys.revoke_of_brand("b1", made.id, by="key:x")
    assert await keys.verify(token) is None
    for half in ({"brand": "b1"}, {"role": "viewer"}):
        with pytest.raises(InvalidInputError):
            await keys.add("half", **half)
    acts = [(each.act, each.actor, each.brand) for each in await AuditReader(database, "home").entries()]
    assert acts == [("key.revoked", "key:x", "b1"), ("key.created", "key:x", "b1")]
    await keys.close()
