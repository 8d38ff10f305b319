"""Requests over a real socket: what is sent again and what is not, how long is waited, and what an answer becomes."""

from __future__ import annotations

import asyncio

import msgspec
import pytest
from aiohttp import web

from entendre.clients.api.errors import (
    ApiError,
    ApiExistsError,
    ApiNotFoundError,
    ApiStaleError,
    ApiThrottledError,
    BadAnswerError,
    NotReachedError,
    ServerFailedError,
    error_of,
)
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import Route, Transport, request_of, seconds_of
from entendre.core.errors import InvalidInputError, NotFoundError

QUICK = Retries(attempts=3, first_s=0.001, longest_s=0.002, patience_s=5.0)
GET = Route("get_thing", "GET", "/things/{thing}")
POST = Route("make_thing", "POST", "/things")
ONCE = Route("make_thing", "POST", "/things", idempotent=True)
PATCH = Route("change_thing", "PATCH", "/things/{thing}", content_type="application/merge-patch+json")


class Thing(msgspec.Struct):
    name: str


def refusal(code: str, status: int, message: str = "No.", **headers: str) -> web.Response:
    body = {"error": {"message": message, "type": "x", "param": "name", "code": code}}
    return web.json_response(body, status=status, headers=headers)


async def test_an_answer_becomes_a_record_with_its_etag(serve_answers) -> None:
    seen: list[web.Request] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append(request)
        return web.json_response({"name": "lamp", "unknown": 1}, headers={"ETag": 'W/"7"'})

    async with Transport(await serve_answers(answer), bearer="secret") as transport:
        got = await transport.ask(request_of(GET, {"thing": "a/b c"}, query={"limit": 5, "after": None}), Thing)
    assert (got.value, got.etag, got.status) == (Thing("lamp"), "7", 200)
    assert seen[0].headers["Authorization"] == "Bearer secret"
    assert seen[0].raw_path == "/api/v1/things/a%2Fb%20c?limit=5"


async def test_a_change_carries_its_type_and_the_etag_that_it_is_for(serve_answers) -> None:
    seen: list[tuple[str | None, str, bytes]] = []

    async def answer(request: web.Request) -> web.Response:
        seen.append((request.headers.get("If-Match"), request.content_type, await request.read()))
        return web.Response(status=204)

    body = {"name": "x", "room": None, "kind": msgspec.UNSET}
    async with Transport(await serve_answers(answer)) as transport:
        got = await transport.ask(request_of(PATCH, {"thing": "1"}, body=body, if_match=3), None)
    assert got.value is None
    assert seen == [('"3"', "application/merge-patch+json", b'{"name":"x","room":null}')]


@pytest.mark.parametrize("route", [GET, ONCE], ids=["get", "with a key"])
async def test_what_is_safe_is_sent_again_with_the_same_key(serve_answers, route: Route) -> None:
    keys: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        keys.append(request.headers.get("Idempotency-Key"))
        if len(keys) == 1:
            return refusal("store_failed", 503)
        if len(keys) == 2:
            assert request.transport is not None
            request.transport.abort()
        return web.json_response({"name": "lamp"})

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        request = request_of(
            route, {"thing": "1"} if "{" in route.path else {}, body={} if route is ONCE else msgspec.UNSET
        )
        assert (await transport.ask(request, Thing)).value == Thing("lamp")
    assert len(keys) == 3
    assert len(set(keys)) == 1
    assert (keys[0] is not None) == (route is ONCE)


async def test_what_may_have_had_effect_is_not_sent_again(serve_answers) -> None:
    count = 0

    async def answer(request: web.Request) -> web.StreamResponse:
        nonlocal count
        count += 1
        if count == 1:
            assert request.transport is not None
            request.transport.abort()
        return refusal("store_failed", 503)

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        with pytest.raises(NotReachedError):
            await transport.ask(request_of(POST, {}, body={}), Thing)
        with pytest.raises(ServerFailedError):
            await transport.ask(request_of(POST, {}, body={}), Thing)
    assert count == 2


async def test_what_was_throttled_had_no_effect_and_waits_as_long_as_it_is_told(serve_answers, monkeypatch) -> None:
    count, pauses = 0, []

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return refusal("throttled", 429, **{"Retry-After": "2"}) if count == 1 else web.json_response({"name": "x"})

    async def pause(seconds: float) -> None:
        pauses.append(seconds)

    monkeypatch.setattr("entendre.clients.api.transport.asyncio", type("quick", (), {"sleep": staticmethod(pause)}))
    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        await transport.ask(request_of(POST, {}, body={}), Thing)
    assert len(pauses) == 1
    assert 2.0 <= pauses[0] <= 2.5


async def test_a_long_wait_is_left_to_the_caller(serve_answers) -> None:
    async def answer(request: web.Request) -> web.Response:
        return refusal("throttled", 429, "Later.", **{"Retry-After": "600"})

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        with pytest.raises(ApiThrottledError) as caught:
            await transport.ask(request_of(GET, {"thing": "1"}), Thing)
    assert caught.value.retry_after_s == 600
    assert (caught.value.code, caught.value.status, caught.value.public_message) == ("throttled", 429, "Later.")


@pytest.mark.parametrize("code", ["no_answer", "offline"])
async def test_what_waiting_does_not_mend_is_not_sent_again(serve_answers, code: str) -> None:
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return refusal(code, 504)

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        with pytest.raises(ApiError) as caught:
            await transport.ask(request_of(ONCE, {}, body={}), Thing)
    assert (count, caught.value.code) == (1, code)


async def test_a_request_that_is_under_way_is_waited_for(serve_answers) -> None:
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return refusal("conflict", 409, **{"Retry-After": "0"}) if count == 1 else web.json_response({"name": "x"})

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        await transport.ask(request_of(ONCE, {}, body={}), Thing)
    assert count == 2


async def test_a_silent_server_is_given_up(serve_answers) -> None:
    async def answer(request: web.Request) -> web.Response:
        await asyncio.sleep(30)
        return web.Response()

    async with Transport(await serve_answers(answer), timeout_s=0.05, retries=Retries(attempts=1)) as transport:
        with pytest.raises(NotReachedError, match="in time"):
            await transport.ask(request_of(GET, {"thing": "1"}), Thing)


async def test_nobody_there(free_port: int) -> None:
    async with Transport(f"http://127.0.0.1:{free_port}", retries=QUICK) as transport:
        with pytest.raises(NotReachedError) as caught:
            await transport.ask(request_of(GET, {"thing": "1"}), Thing)
    assert caught.value.public_message == f"http://127.0.0.1:{free_port} can't be reached."


@pytest.mark.parametrize("body", [b"<html>", b"[" * 100_000, b'{"name": 1}', b"x" * 2_000_000])
async def test_what_is_no_answer_of_ours_is_said_so(serve_answers, body: bytes) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=body)

    async with Transport(await serve_answers(answer), max_answer_bytes=1_000_000) as transport:
        with pytest.raises(BadAnswerError):
            await transport.ask(request_of(GET, {"thing": "1"}), Thing)


async def test_a_redirect_is_not_followed_with_our_key(serve_answers) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})

    async with Transport(await serve_answers(answer), bearer="secret") as transport:
        with pytest.raises(BadAnswerError):
            await transport.ask(request_of(GET, {"thing": "1"}), Thing)


def test_errors_are_typed_by_code_then_by_status() -> None:
    exists = error_of(409, b'{"error":{"message":"It exists.","type":"x","param":"name","code":"already_exists"}}')
    assert isinstance(exists, ApiExistsError)
    assert (exists.code, exists.param, exists.status) == ("already_exists", "name", 409)
    assert isinstance(error_of(412, b""), ApiStaleError)
    missing = error_of(404, b'{"error":{"message":"None.","code":"no_speaker"}}')
    assert isinstance(missing, ApiNotFoundError)
    assert isinstance(missing, NotFoundError)
    assert missing.code == "no_speaker"
    assert error_of(400, b'{"error":"invalid_grant","error_description":"It is over."}').code == "invalid_grant"
    assert error_of(502, b"<html>bad gateway</html>").code == "http_502"


@pytest.mark.parametrize("url", ["", "ftp://x", "127.0.0.1:8770", "http://"])
def test_an_address_has_to_be_one(url: str) -> None:
    with pytest.raises(InvalidInputError):
        Transport(url)


@pytest.mark.parametrize("value", ["", ".", ".."])
def test_a_path_is_not_left(value: str) -> None:
    with pytest.raises(InvalidInputError):
        request_of(GET, {"thing": value})


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("3") == 3.0
    assert seconds_of("Wed, 21 Oct 2015 07:28:00 GMT") == 0.0
    assert seconds_of("soon") is None
    assert seconds_of(None) is None


def test_pauses_grow_and_are_bounded() -> None:
    retries = Retries(attempts=20, first_s=1.0, longest_s=8.0)
    pauses = [retries.pause_s(attempt, None) for attempt in range(1, 20)]
    assert all(pause is not None and 0.5 <= pause <= 8.0 for pause in pauses)
    assert pauses[-1] is not None and pauses[-1] >= 4.0
    assert retries.pause_s(20, None) is None


async def test_who_waits_is_told_why(serve_answers) -> None:
    told: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        return refusal("store_failed", 503, "The database can't be reached.")

    retries = Retries(attempts=2, first_s=0.001, told=lambda error: told.append(error.public_message))
    async with Transport(await serve_answers(answer), retries=retries) as transport:
        with pytest.raises(ApiError):
            await transport.ask(request_of(GET, {"thing": "a"}), Thing)
    assert told == ["The database can't be reached."]
