"""The files of releases: uploads that go on where they ended, and downloads by URLs that expire."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import BinaryIO

from aiohttp import hdrs, web

from entendre.fleet.access import Permission
from entendre.fleet.ranges import UNSATISFIABLE, Stretch, sent_stretch, stretch_of
from entendre.ports.releases import ArtifactRecord, ArtifactUpload
from entendre.web.api.call import Call, Reply
from entendre.web.api.operation import Operation
from entendre.web.api.paging import Page, PageQuery, after_of, page_of
from entendre.web.api.services import needed
from entendre.web.faults import Fault

OCTETS = "application/octet-stream"
IDLE_S = 60.0
"""Longest silence within an upload."""
PIECE_BYTES = 256 * 1024


async def _list(call: Call) -> Reply:
    after = after_of(call.query.after, str)
    rows = await needed(call.services.artifacts).artifacts(
        call.path["brand"], after=after[0] if after else "", limit=call.query.limit + 1
    )
    return Reply(page_of(rows, call.query.limit, lambda row: row, lambda row: row.id))


async def _get(call: Call) -> Reply:
    return _shown(await needed(call.services.artifacts).artifact(call.path["brand"], call.path["artifact"]))


async def _put(call: Call) -> Reply:
    """Receive the whole file, or what Content-Range says of it."""
    stretch, size_bytes = _stretch_of(call.request)
    receiving = await needed(call.services.artifacts).upload(
        call.path["brand"],
        call.path["artifact"],
        offset=stretch.start,
        size_bytes=size_bytes,
        by=call.principal.actor,
    )
    if isinstance(receiving, ArtifactRecord):
        return _shown(receiving)
    return _shown(await _received(call.request, receiving))


async def _received(request: web.Request, receiving: ArtifactUpload) -> ArtifactRecord:
    """Write what comes; what came before the connection broke is kept."""
    try:
        while True:
            async with asyncio.timeout(IDLE_S):
                piece = await request.content.read(PIECE_BYTES)
            if not piece:
                break
            await receiving.write(piece)
    except BaseException:
        await asyncio.shield(receiving.close())
        raise
    return await receiving.close()


def _stretch_of(request: web.Request) -> tuple[Stretch, int]:
    """Which bytes of how many are sent. Raises: Fault."""
    given = request.headers.get(hdrs.CONTENT_RANGE)
    if given is None:
        if request.content_length is None:
            raise Fault(400, "invalid_input", "Say how long it is: Content-Length, or Content-Range: bytes 0-9/10.")
        return Stretch(0, request.content_length), request.content_length
    found = sent_stretch(given)
    if found is None:
        raise Fault(400, "invalid_input", "Content-Range is like this: bytes 0-1023/4096.")
    if request.content_length is not None and request.content_length != found[0].end - found[0].start:
        raise Fault(400, "invalid_input", "Content-Range and Content-Length contradict each other.")
    return found


def _shown(found: ArtifactRecord) -> Reply:
    headers = {"Upload-Offset": str(found.received_bytes), "Upload-Length": str(found.size_bytes)}
    return Reply(found, headers=headers)


# -- downloads ---------------------------------------------------------------------------------------------------------


async def _download(call: Call) -> web.StreamResponse:
    """Send a file, or the stretch of it that is asked for."""
    claim = needed(call.services.downloads).read(call.path["token"])
    if claim is None:
        raise Fault(404, "not_found", "This address is over, or was never one. Ask for the release again.")
    file = await needed(call.services.artifacts).file(claim.brand, claim.artifact)
    size_bytes = (await asyncio.to_thread(file.stat)).st_size
    etag = f'"{claim.artifact}"'
    headers: dict[str, str] = {hdrs.ETAG: etag, hdrs.ACCEPT_RANGES: "bytes", hdrs.CACHE_CONTROL: "private, no-store"}
    request = call.request
    stretch = stretch_of(request.headers.get(hdrs.RANGE), size_bytes)
    if request.headers.get(hdrs.IF_RANGE, etag).strip() != etag:
        stretch = None
    if stretch == UNSATISFIABLE:
        headers[hdrs.CONTENT_RANGE] = f"bytes */{size_bytes}"
        raise Fault(416, "range_not_satisfiable", "The content has no such bytes.", headers=headers)
    if request.headers.get(hdrs.IF_NONE_MATCH, "").strip() == etag:
        return web.Response(status=304, headers=headers)
    response = web.StreamResponse(status=200 if stretch is None else 206, headers=headers)
    if stretch is not None:
        response.headers[hdrs.CONTENT_RANGE] = f"bytes {stretch.start}-{stretch.end - 1}/{size_bytes}"
    return await _sent(request, response, file, stretch or Stretch(0, size_bytes))


async def _sent(request: web.Request, response: web.StreamResponse, file: Path, stretch: Stretch) -> web.StreamResponse:
    response.content_type = OCTETS
    response.content_length = stretch.end - stretch.start
    await response.prepare(request)
    if request.method != hdrs.METH_HEAD:
        opened = await asyncio.to_thread(_opened, file, stretch.start)
        try:
            left = stretch.end - stretch.start
            while left and (piece := await asyncio.to_thread(opened.read, min(left, PIECE_BYTES))):
                await response.write(piece)
                left -= len(piece)
        finally:
            await asyncio.to_thread(opened.close)
    await response.write_eof()
    return response


def _opened(file: Path, start: int) -> BinaryIO:
    opened = file.open("rb")
    opened.seek(start)
    return opened


_P = Permission
_ALL = "/brands/{brand}/artifacts"
OPERATIONS = (
    Operation(
        *("GET", _ALL, "list_artifacts", "The files of a brand.", "releases", _P.BRAND_RELEASES_READ, _list),
        query=PageQuery,
        reply=Page[ArtifactRecord],
    ),
    Operation(
        "GET",
        f"{_ALL}/{{artifact}}",
        "get_artifact",
        "How much of a file was received; Upload-Offset says it too, also to HEAD.",
        "releases",
        _P.BRAND_RELEASES_READ,
        _get,
        reply=ArtifactRecord,
    ),
    Operation(
        "PUT",
        f"{_ALL}/{{artifact}}",
        "put_artifact",
        "Send a file by its SHA-256, whole or from where it ended (Content-Range).",
        "releases",
        _P.BRAND_RELEASES_WRITE,
        _put,
        reply=ArtifactRecord,
        errors=("conflict", "too_large", "timeout"),
        accepts=OCTETS,
    ),
    Operation(
        "GET",
        "/downloads/{token}",
        "download",
        "A file of a release, by an address that a device was given; Range goes on where it ended.",
        "releases",
        None,
        _download,
        errors=("not_found", "range_not_satisfiable"),
        produces=OCTETS,
    ),
)
