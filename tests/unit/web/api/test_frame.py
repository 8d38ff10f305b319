"""What every operation gets from the frame: callers, strict input, limits, ETags, and answers that are kept."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Annotated, Any

import msgspec
import pytest
from apisite import ApiSite, serve_api
from msgspec import Meta, Struct

from entendre.core.errors import AlreadyExistsError, OfflineError, StaleError, StoreError
from entendre.fleet.access import Permission, Principal
from entendre.ports import KeyRecord
from entendre.web.api.call import Call, Reply
from entendre.web.api.limits import Rates
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, cursor_of, page_of

KEYS = {
    "operator": KeyRecord("k0", "operator", 0.0),
    "viewer": KeyRecord("k1", "viewer", 0.0, brand="b1", role="viewer"),
    "engineer": KeyRecord("k2", "engineer", 0.0, brand="b1", role="engineer"),
    "other": KeyRecord("k3", "other", 0.0, brand="b2", role="admin"),
}
BRANDS = {"b1": "b1", "acme": "b1", "b2": "b2", "globex": "b2"}


class Inner(Struct, forbid_unknown_fields=True):
    """A part."""

    size: Annotated[int, Meta(ge=1)]


class Thing(Struct, forbid_unknown_fields=True):
    """A body."""

    name: Annotated[str, Meta(min_length=1, max_length=8)]
    inner: Inner | None = None
    free: dict[str, Any] | None = None


class Shown(Struct):
    """An answer."""

    name: str
    count: int
    by: str


class Things:
    """Operations with visible effects."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.version = 1
        self.fail: Exception | None = None
        self.gate = asyncio.Event()
        self.gate.set()
        self.arrived = asyncio.Event()

    async def make(self, call: Call) -> Reply:
        self.arrived.set()
        await self.gate.wait()
        if self.fail is not None:
            raise self.fail
        self.made.append(call.body.name)
        return Reply(Shown(call.body.name, len(self.made), call.principal.actor))

    async def listed(self, call: Call) -> Reply:
        after = after_of(call.query.after, int)
        start = 0 if after is None else after[0]
        rows = [each for each in range(1, 8) if each > start][: call.query.limit + 1]
        return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row))

    async def read(self, call: Call) -> Reply:
        return Reply(Shown(call.path["brand"], self.version, call.principal.actor), etag=str(self.version))

    async def change(self, call: Call) -> Reply:
        if call.if_match not in (None, str(self.version)):
            raise StaleError("It was changed meanwhile.")
        self.version += 1
        return Reply(Shown(call.body.name, self.version, call.principal.actor), etag=str(self.version))

    async def drop(self, call: Call) -> Reply:
        return Reply()

    def operations(self) -> tuple[Operation, ...]:
        read, write = Permission.BRAND_READ, Permission.BRAND_PRODUCTS
        path = "/brands/{brand}/things"
        make = Operation(
            *("POST", path, "make_thing", "Make a thing.", "things", write, self.make),
            body=Thing,
            reply=Shown,
            status=201,
            idempotent=True,
        )
        listed = Operation(
            *("GET", path, "list_things", "Things.", "things", read, self.listed), query=PageQuery, reply=Page[int]
        )
        one = "/brands/{brand}/thing"
        shown = Operation(*("GET", one, "get_thing", "It.", "things", read, self.read), reply=Shown, etag=True)
        change = Operation(
            *("PATCH", one, "change_thing", "Change it.", "things", write, self.change),
            body=Thing,
            reply=Shown,
            etag=True,
        )
        drop = Operation("DELETE", one, "drop_thing", "Drop it.", "things", write, self.drop)
        region = Operation("DELETE", "/all", "drop_all", "All.", "things", Permission.REGION_WRITE, self.drop)
        myself = Operation("DELETE", "/me", "drop_me", "Me.", "things", Permission.DEVICE_SELF, self.drop)
        opened = Operation("DELETE", "/open", "drop_open", "Open.", "things", None, self.drop)
        return make, listed, shown, change, drop, region, myself, opened


@pytest.fixture
def things() -> Things:
    return Things()


async def verify_key(token: str) -> KeyRecord | None:
    return KEYS.get(token)


async def brand_named(name: str) -> str | None:
    return BRANDS.get(name)


async def device_login(token: str) -> Principal | None:
    return Principal("device", "d1", brand="b1") if token == "entd_good" else None


@pytest.fixture
async def site(things: Things, tmp_path: Path) -> AsyncIterator[ApiSite]:
    made = await serve_api(
        tmp_path,
        things.operations(),
        verify_key=verify_key,
        require_key=True,
        brand_named=brand_named,
        device_login=device_login,
    )
    yield made
    await made.close()


@pytest.mark.parametrize(
    ("token", "method", "path", "status", "code"),
    [
        (None, "GET", "/brands/acme/thing", 401, "unauthorized"),
        ("wrong", "GET", "/brands/acme/thing", 401, "unauthorized"),
        ("entd_bad", "DELETE", "/me", 401, "unauthorized"),
        ("enta_bad", "DELETE", "/me", 401, "unauthorized"),
        ("viewer", "GET", "/brands/acme/thing", 200, None),
        ("viewer", "GET", "/brands/b1/thing", 200, None),
        ("viewer", "DELETE", "/brands/b1/thing", 403, "forbidden"),
        ("engineer", "DELETE", "/brands/b1/thing", 204, None),
        ("other", "GET", "/brands/b1/thing", 404, "not_found"),
        ("other", "GET", "/brands/nobody/thing", 404, "not_found"),
        ("other", "DELETE", "/brands/acme/thing", 404, "not_found"),
        ("entd_good", "GET", "/brands/acme/thing", 404, "not_found"),
        ("entd_good", "DELETE", "/me", 204, None),
        ("operator", "DELETE", "/me", 403, "forbidden"),
        ("operator", "DELETE", "/all", 204, None),
        ("engineer", "DELETE", "/all", 403, "forbidden"),
        (None, "DELETE", "/open", 204, None),
        ("wrong", "DELETE", "/open", 204, None),
    ],
)
async def test_who_may(site: ApiSite, token: str | None, method: str, path: str, status: int, code: str | None) -> None:
    got, body, _ = await site.ask(method, path, token=token)
    assert got == status
    assert code is None or body["error"]["code"] == code


async def test_foreign_and_unknown_look_the_same(site: ApiSite) -> None:
    _, foreign, _ = await site.ask("GET", "/brands/acme/thing", token="other")
    _, unknown, _ = await site.ask("GET", "/brands/nobody/thing", token="other")
    assert foreign == unknown


async def test_who_acts_is_told_to_the_operation(site: ApiSite) -> None:
    for token, actor in (("viewer", "key:k1"), ("operator", "key:k0")):
        _, body, _ = await site.ask("GET", "/brands/acme/thing", token=token)
        assert (body["name"], body["by"]) == ("b1", actor)


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({}, "name"),
        ({"name": 5}, "name"),
        ({"name": ""}, "name"),
        ({"name": "123456789"}, "name"),
        ({"name": "a", "extra": 1}, "extra"),
        ({"name": "a", "inner": {"size": 0}}, "inner.size"),
        ({"name": "a", "inner": {"size": 1, "z": 1}}, "inner.z"),
        ({"name": "a\0"}, None),
        ({"name": "a", "free": {"a\0": 1}}, None),
        ({"name": "a", "free": {"n": 1 << 53}}, None),
        ([], None),
        ("x", None),
    ],
)
async def test_a_body_is_taken_strictly(site: ApiSite, things: Things, body: Any, param: str | None) -> None:
    status, answer, _ = await site.ask("POST", "/brands/b1/things", body, token="engineer")
    assert (status, answer["error"]["code"], answer["error"]["param"]) == (400, "invalid_input", param)
    assert not things.made


@pytest.mark.parametrize(
    ("data", "kind", "status"),
    [
        (b"{", "application/json", 400),
        (b'{"name": "\xff"}', "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b"[" * 200_000, "application/json", 400),
        (b'{"name":"a","free":' + b'{"a":' * 40 + b"1" + b"}" * 41, "application/json", 400),
        (b'{"name":"a","free":{"a":1e999}}', "application/json", 400),
        (b'{"name": "a"}', "text/plain", 415),
        (b'{"name": "' + b"a" * 300_000 + b'"}', "application/json", 413),
        (b"", "application/json", 400),
    ],
)
async def test_a_body_that_is_no_json_for_us(site: ApiSite, data: bytes, kind: str, status: int) -> None:
    options = {"data": data, "headers": {"Content-Type": kind}}
    got, answer, _ = await site.ask("POST", "/brands/b1/things", token="engineer", **options)
    assert got == status, answer


@pytest.mark.parametrize(
    ("query", "param"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=x", "limit"),
        ("limit=1&limit=2", "limit"),
        ("x=1", "x"),
        ("after=%21", "after"),
        ("after=a%00", "after"),
        (f"after={cursor_of('a')}", "after"),
        (f"after={cursor_of(1 << 60)}", "after"),
    ],
)
async def test_a_query_is_taken_strictly(site: ApiSite, query: str, param: str) -> None:
    status, answer, _ = await site.ask("GET", f"/brands/b1/things?{query}", token="viewer")
    assert (status, answer["error"]["param"]) == (400, param)


async def test_what_takes_no_query_or_body_refuses_one(site: ApiSite) -> None:
    assert (await site.ask("GET", "/brands/b1/thing?x=1", token="viewer"))[0] == 400
    assert (await site.ask("DELETE", "/brands/b1/thing", {"a": 1}, token="engineer"))[0] == 400
    assert (await site.ask("GET", "/brands/a%00b/thing", token="viewer"))[0] == 400


async def test_a_list_is_read_page_by_page(site: ApiSite) -> None:
    seen, after, pages = [], "", 0
    while True:
        _, page, _ = await site.ask("GET", f"/brands/b1/things?limit=3{after}", token="viewer")
        seen += page["data"]
        pages += 1
        if page["next"] is None:
            break
        after = f"&after={page['next']}"
    assert (seen, pages) == ([1, 2, 3, 4, 5, 6, 7], 3)


async def test_etags(site: ApiSite) -> None:
    _, _, headers = await site.ask("GET", "/brands/b1/thing", token="viewer")
    etag = headers["ETag"]
    assert etag == '"1"'
    unchanged = await site.ask("GET", "/brands/b1/thing", token="viewer", headers={"If-None-Match": etag})
    assert unchanged[:2] == (304, None)
    status, _, headers = await site.ask(
        "PATCH", "/brands/b1/thing", {"name": "a"}, token="engineer", headers={"If-Match": etag}
    )
    assert (status, headers["ETag"]) == (200, '"2"')
    for stale in (etag, 'W/"2"'):
        answer = await site.ask(
            "PATCH", "/brands/b1/thing", {"name": "a"}, token="engineer", headers={"If-Match": stale}
        )
        assert (answer[0], answer[1]["error"]["code"]) == (412, "precondition_failed")
    for taken in ('"2"', "*"):
        headers = {"If-Match": taken}
        assert (await site.ask("PATCH", "/brands/b1/thing", {"name": "a"}, token="engineer", headers=headers))[0] == 200
    headers = {"If-Match": "2"}
    assert (await site.ask("PATCH", "/brands/b1/thing", {"name": "a"}, token="engineer", headers=headers))[0] == 400


async def make(site: ApiSite, key: str, name: str = "a", token: str = "engineer") -> tuple[int, Any, Any]:
    headers = {"Idempotency-Key": key}
    return await site.ask("POST", "/brands/b1/things", {"name": name}, token=token, headers=headers)


async def test_the_same_request_again_does_nothing_again(site: ApiSite, things: Things) -> None:
    first, again = await make(site, "one"), await make(site, "one")
    assert first[:2] == again[:2] == (201, {"name": "a", "count": 1, "by": "key:k2"})
    other = await make(site, "one", "b")
    assert (other[0], other[1]["error"]["code"]) == (409, "conflict")
    assert (await make(site, "one", token="operator"))[1]["count"] == 2
    assert things.made == ["a", "a"]
    assert (await make(site, "a key\u00e9"))[0] == 400


async def test_answers_are_kept_over_a_restart(things: Things, tmp_path: Path) -> None:
    settings: dict[str, Any] = {"verify_key": verify_key, "require_key": True, "brand_named": brand_named}
    site = await serve_api(tmp_path, things.operations(), **settings)
    first = await make(site, "one")
    await site.close()
    site = await serve_api(tmp_path, things.operations(), **settings)
    assert (await make(site, "one"))[:2] == first[:2]
    await site.close()
    assert things.made == ["a"]


async def test_while_the_first_is_under_way_the_second_is_asked_to_wait(site: ApiSite, things: Things) -> None:
    things.gate.clear()
    first = asyncio.create_task(make(site, "one"))
    await things.arrived.wait()
    status, answer, headers = await make(site, "one")
    assert (status, answer["error"]["code"], headers["Retry-After"]) == (409, "conflict", "1")
    things.gate.set()
    assert (await first)[0] == 201
    assert (await make(site, "one"))[0] == 201
    assert things.made == ["a"]


async def test_what_may_do_better_is_sent_again_and_a_refusal_is_kept(site: ApiSite, things: Things) -> None:
    things.fail = StoreError("No disk.")
    assert (await make(site, "one"))[0] == 503
    things.fail = RuntimeError("a bug")
    assert (await make(site, "one"))[0] == 500
    things.fail = OfflineError("It is not there.")
    assert (await make(site, "one"))[1]["error"]["code"] == "offline"
    things.fail = AlreadyExistsError("It is there.")
    refused = await make(site, "two")
    assert (refused[0], refused[1]["error"]["code"]) == (409, "already_exists")
    things.fail = None
    assert (await make(site, "one"))[0] == 201
    assert (await make(site, "two"))[:2] == refused[:2]


async def test_head_options_and_unknown_methods(site: ApiSite) -> None:
    status, _, headers = await site.ask("HEAD", "/brands/b1/thing", token="viewer")
    assert (status, headers["ETag"]) == (200, '"1"')
    status, _, headers = await site.ask("OPTIONS", "/brands/b1/thing")
    assert status == 204
    assert set(headers["Allow"].split(", ")) == {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}
    status, answer, headers = await site.ask("PUT", "/brands/b1/thing", token="viewer")
    assert (status, answer["error"]["code"]) == (405, "method_not_allowed")
    assert "PATCH" in headers["Allow"]


async def test_who_asks_too_often_is_told_when_to_come_back(things: Things, tmp_path: Path) -> None:
    now_s = 100.0
    rates = Rates(0.5, 2, lambda: now_s)
    site = await serve_api(tmp_path, things.operations(), brand_named=brand_named, rates=rates)
    statuses = [(await site.ask("GET", "/brands/b1/thing"))[0] for _ in range(3)]
    _, answer, headers = await site.ask("GET", "/brands/b1/thing")
    assert statuses == [200, 200, 429]
    assert (answer["error"]["code"], headers["Retry-After"]) == ("throttled", "2")
    now_s = 102.0
    assert (await site.ask("GET", "/brands/b1/thing"))[0] == 200
    await site.close()


async def test_cursors_are_what_was_given() -> None:
    assert after_of(cursor_of("a", 1, 2.5), str, int, float) == ("a", 1, 2.5)
    assert after_of(None, str) is None
    assert msgspec.json.encode(Page((1,), None)) == b'{"data":[1],"next":null}'
