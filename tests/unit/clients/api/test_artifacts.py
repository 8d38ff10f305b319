"""Uploads over a real socket that breaks: they go on where the server is, and end where it is whole."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from aiohttp import web

from entendre.clients.api import ApiForbiddenError, NotReachedError, Retries
from entendre.clients.api.artifacts import Artifacts
from entendre.clients.api.transport import Transport
from entendre.core.errors import InvalidInputError

QUICK = Retries(attempts=3, first_s=0.001, longest_s=0.002)
CONTENT = bytes(range(256)) * 8_000
SHA = hashlib.sha256(CONTENT).hexdigest()


class Shelf:
    """A server that keeps one file, and cuts off uploads after as many bytes as it is told."""

    def __init__(self, *cuts: int, loses: bool = False) -> None:
        self.kept = bytearray()
        self.cuts = list(cuts)
        self.loses = loses
        self.offsets: list[int] = []

    async def answer(self, request: web.Request) -> web.StreamResponse:
        if request.method == "GET":
            return self._shown() if self.kept else web.json_response({"error": {"message": "-"}}, status=404)
        start = int(request.headers["Content-Range"].removeprefix("bytes ").partition("-")[0])
        if start != len(self.kept):
            return web.json_response({"error": {"message": "Elsewhere.", "code": "conflict"}}, status=409)
        self.offsets.append(start)
        stop = self.cuts.pop(0) if self.cuts else len(CONTENT)
        async for piece in request.content.iter_chunked(1_000):
            if not self.loses:
                self.kept += piece
            if len(self.kept) >= stop and stop < len(CONTENT):
                assert request.transport is not None
                request.transport.abort()
                break
        return self._shown()

    def _shown(self) -> web.Response:
        whole = len(self.kept) == len(CONTENT)
        shown = {"id": SHA, "size_bytes": len(CONTENT), "received_bytes": len(self.kept), "complete": whole}
        return web.json_response(shown, status=200)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file to send."""
    file = tmp_path / "firmware.bin"
    file.write_bytes(CONTENT)
    return file


async def test_an_upload_goes_on_where_it_broke_off(serve_answers, file: Path) -> None:
    shelf, shown = Shelf(300_000, 900_000), []
    async with Transport(await serve_answers(shelf.answer), retries=QUICK) as transport:
        done = await Artifacts(transport).upload("acme", file, lambda part, whole: shown.append((part, whole)))
        assert done.complete
        assert bytes(shelf.kept) == CONTENT
        assert shelf.offsets == sorted(set(shelf.offsets))
        assert len(shelf.offsets) == 3
        assert shown[-1] == (len(CONTENT), len(CONTENT))
        before = len(shelf.offsets)
        assert (await Artifacts(transport).upload("acme", file)).complete
        assert len(shelf.offsets) == before


async def test_an_upload_that_gets_nowhere_is_given_up(serve_answers, file: Path) -> None:
    shelf = Shelf(*[0] * 20, loses=True)
    async with Transport(await serve_answers(shelf.answer), retries=QUICK) as transport:
        with pytest.raises(NotReachedError):
            await Artifacts(transport).upload("acme", file)
    assert len(shelf.offsets) <= 4


async def test_an_upload_that_is_refused_is_not_repeated(serve_answers, file: Path) -> None:
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.json_response({"error": {"message": "No.", "code": "forbidden"}}, status=403)

    async with Transport(await serve_answers(answer), retries=QUICK) as transport:
        with pytest.raises(ApiForbiddenError):
            await Artifacts(transport).upload("acme", file)
    assert count == 1


async def test_what_is_empty_or_missing_is_not_sent(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.touch()
    async with Transport("http://localhost") as transport:
        for file in (empty, tmp_path / "none"):
            with pytest.raises(InvalidInputError):
                await Artifacts(transport).upload("acme", file)
