"""Event streams that break, lists in pages, and downloads that go on where they were."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from entendre.clients.api.downloads import CorruptedError, download
from entendre.clients.api.errors import ApiForbiddenError, BadAnswerError, NotReachedError
from entendre.clients.api.events import MAX_EVENT_BYTES, EventParser, SentEvent, follow
from entendre.clients.api.paging import every
from entendre.clients.api.retrying import Retries
from entendre.clients.api.transport import Request, Transport

QUICK = Retries(attempts=3, first_s=0.001, longest_s=0.002)
STREAM = b'retry: 1\n: hello\n\nid: 1\nevent: twin\ndata: {"a"\ndata: :1}\n\nid: 2\r\ndata: x\r\n\r\ndata: half'
EVENTS = [SentEvent("twin", '{"a"\n:1}', "1"), SentEvent("message", "x", "2")]


@given(st.lists(st.integers(0, len(STREAM)), max_size=8))
def test_events_are_the_same_however_they_are_cut(cuts: list[int]) -> None:
    parser, found, start = EventParser(), [], 0
    for end in [*sorted(cuts), len(STREAM)]:
        found += list(parser.feed(STREAM[start:end]))
        start = end
    assert found == EVENTS
    assert (parser.last_id, parser.retry_s) == ("2", 0.001)


@pytest.mark.parametrize("line", [b"x" * (MAX_EVENT_BYTES + 1), b"data: " + b"x" * 1000 + b"\n"])
def test_an_endless_event_is_refused(line: bytes) -> None:
    parser = EventParser()
    with pytest.raises(BadAnswerError):
        for _ in range(2 + MAX_EVENT_BYTES // 1000):
            list(parser.feed(line))


async def test_a_broken_stream_goes_on_after_the_last_event(serve_answers) -> None:
    seen: list[str | None] = []

    async def answer(request: web.Request) -> web.StreamResponse:
        seen.append(request.headers.get("Last-Event-ID"))
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(f"retry: 1\n\nid: {len(seen)}\ndata: {len(seen)}\n\ndata: half".encode())
        assert request.transport is not None
        request.transport.close()
        return response

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        events = follow(transport, Request("GET", "/api/v1/changes", {}, None, {}, True), "0")
        found = [(await anext(events)).data for _ in range(3)]
        await events.aclose()  # type: ignore[attr-defined]
    assert found == ["1", "2", "3"]
    assert seen == ["0", "1", "2"]


async def test_a_stream_that_is_refused_ends(serve_answers) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.json_response({"error": {"message": "No.", "code": "forbidden"}}, status=403)

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        with pytest.raises(ApiForbiddenError):
            await anext(follow(transport, Request("GET", "/x", {}, None, {}, True)))


class _Page:
    def __init__(self, data: list[int], following: str | None) -> None:
        self.data, self.next = data, following


async def test_pages_are_read_to_their_end() -> None:
    pages = {None: _Page([1, 2], "a"), "a": _Page([], "b"), "b": _Page([3], None)}

    async def page(after: str | None) -> _Page:
        return pages[after]

    assert [each async for each in every(page)] == [1, 2, 3]
    assert [each async for each in every(page, "b")] == [3]


async def test_a_list_that_leads_in_a_circle_is_refused() -> None:
    async def page(after: str | None) -> _Page:
        return _Page([1], "a")

    with pytest.raises(BadAnswerError):
        [each async for each in every(page)]


CONTENT = bytes(range(256)) * 4_000
SHA = hashlib.sha256(CONTENT).hexdigest()


def names_in(folder: Path) -> list[str]:
    return [each.name for each in folder.iterdir()]


def ranged(request: web.Request, stop: int) -> web.Response:
    start = int(request.headers.get("Range", "bytes=0-").removeprefix("bytes=").rstrip("-"))
    return web.Response(status=206 if start else 200, body=CONTENT[start:stop])


async def test_a_download_goes_on_where_it_broke_off(serve_answers, tmp_path: Path) -> None:
    ranges: list[str | None] = []
    addresses, shown = [], []

    async def answer(request: web.Request) -> web.Response:
        ranges.append(request.headers.get("Range"))
        assert "Authorization" not in request.headers
        if len(ranges) == 2:
            return web.json_response({"error": {"message": "Over.", "code": "forbidden"}}, status=403)
        return ranged(request, 400_000 if len(ranges) == 1 else len(CONTENT))

    url = await serve_answers(answer)

    async def address() -> str:
        addresses.append(len(addresses))
        return f"{url}/artifact?expires={len(addresses)}"

    async with Transport(url, bearer="secret", retries=QUICK) as transport:
        file = await download(
            transport,
            address,
            tmp_path / "firmware.bin",
            size_bytes=len(CONTENT),
            sha256=SHA,
            progress=lambda part, whole: shown.append((part, whole)),
        )
    assert file.read_bytes() == CONTENT
    assert ranges == [None, "bytes=400000-", "bytes=400000-"]
    assert len(addresses) == 3
    assert shown[-1] == (len(CONTENT), len(CONTENT))
    assert names_in(tmp_path) == ["firmware.bin"]


async def test_a_server_without_ranges_is_read_anew(serve_answers, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=CONTENT)

    url = await serve_answers(answer)
    (tmp_path / f"f.{SHA[:16]}.part").write_bytes(b"something else")

    async def address() -> str:
        return "/artifact"

    async with Transport(url, retries=QUICK) as transport:
        await download(transport, address, tmp_path / "f", size_bytes=len(CONTENT), sha256=SHA)
    assert (tmp_path / "f").read_bytes() == CONTENT


async def test_what_is_not_what_was_promised_is_never_there(serve_answers, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"x" * len(CONTENT))

    url = await serve_answers(answer)

    async def address() -> str:
        return "/artifact"

    async with Transport(url, retries=QUICK) as transport:
        with pytest.raises(CorruptedError):
            await download(transport, address, tmp_path / "f", size_bytes=len(CONTENT), sha256=SHA)
        with pytest.raises(BadAnswerError):
            await download(transport, address, tmp_path / "g", size_bytes=10, sha256=SHA)
    assert not (tmp_path / "f").exists()
    assert not (tmp_path / "g").exists()


async def test_a_download_that_gets_nowhere_is_given_up(serve_answers, tmp_path: Path) -> None:
    async def answer(request: web.Request) -> web.Response:
        return web.Response(body=b"")

    url = await serve_answers(answer)

    async def address() -> str:
        return "/artifact"

    async with Transport(url, retries=QUICK) as transport:
        with pytest.raises(NotReachedError):
            await download(transport, address, tmp_path / "f", size_bytes=len(CONTENT), sha256=SHA)
