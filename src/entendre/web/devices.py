"""Devices of the household: who waits to be bound, binding by code, names and rooms, and the end of access."""

from __future__ import annotations

from typing import Any

from aiohttp import web

from entendre.core.device import MAX_LABEL_CHARS, DeviceRecord, language_of, shown_device, shown_pending
from entendre.ports import DeviceBook, KeyRecord
from entendre.web.bodies import json_body, text_of
from entendre.web.faults import Fault, invalid
from entendre.web.guard import PRINCIPAL
from entendre.web.services import SERVICES

MAX_CODE_CHARS = 32
CHANGEABLE = ("name", "room", "language", "revoked")
ANYBODY = "http"
"""Who did it, where no key is needed."""


async def listed(request: web.Request) -> web.Response:
    """Every device, and those that show a code now, without the code."""
    book = _book(request)
    known, waiting = await book.devices(), await book.pending()
    return web.json_response(
        {
            "object": "list",
            "data": [shown_device(each) for each in known],
            "waiting": [shown_pending(each) for each in waiting],
        }
    )


async def bind(request: web.Request) -> web.Response:
    """Take the device that shows a code into the household."""
    book, body = _book(request), await json_body(request)
    by = _by(request)
    record = await book.bind(
        text_of(body, "code", MAX_CODE_CHARS),
        name=text_of(body, "name", MAX_LABEL_CHARS, ""),
        room=_room(request, body),
        language=language_of(text_of(body, "language", MAX_LABEL_CHARS, "")),
        by=by,
        guesser=by if by != ANYBODY else request.remote or ANYBODY,
    )
    return web.json_response(shown_device(record), status=201)


async def change(request: web.Request) -> web.Response:
    """Rename a device, put it into another room, give it a language, or revoke its access."""
    book, body = _book(request), await json_body(request)
    record = await _device(request, book)
    unknown = [name for name in body if name not in CHANGEABLE]
    if unknown:
        raise invalid(f"{unknown[0]} can't be changed; {', '.join(CHANGEABLE)} can.", unknown[0])
    if "revoked" in body and body["revoked"] is not True:
        raise invalid("revoked can only become true; forget the device to bind it again.", "revoked")
    record = await book.change(
        record.id,
        name=_optional(body, "name"),
        room=_room(request, body) if "room" in body else None,
        language=language_of(_optional(body, "language") or "") if "language" in body else None,
        by=_by(request),
    )
    if "revoked" in body:
        record = await book.revoke(record.id, by=_by(request))
    return web.json_response(shown_device(record))


async def forget(request: web.Request) -> web.Response:
    """Remove a device; what it had open ends within seconds."""
    book = _book(request)
    record = await _device(request, book)
    await book.forget(record.id, by=_by(request))
    return web.json_response(shown_device(record) | {"deleted": True})


def _book(request: web.Request) -> DeviceBook:
    book = request.app[SERVICES].devices
    if book is None:
        raise Fault(503, "not_ready", "No devices are kept here.")
    return book


async def _device(request: web.Request, book: DeviceBook) -> DeviceRecord:
    """The device of the path. Raises: Fault."""
    wanted = request.match_info["id"]
    record = next((each for each in await book.devices() if each.id == wanted), None)
    if record is None:
        raise Fault(404, "not_found", "There is no such device.")
    return record


def _room(request: web.Request, body: dict[str, Any]) -> str:
    """The id of the room that is named; empty for none."""
    named = text_of(body, "room", MAX_LABEL_CHARS, "").strip()
    return request.app[SERVICES].room_named(named) if named else ""


def _optional(body: dict[str, Any], name: str) -> str | None:
    return text_of(body, name, MAX_LABEL_CHARS) if body.get(name) is not None else None


def _by(request: web.Request) -> str:
    principal = request.get(PRINCIPAL)
    return principal.id if isinstance(principal, KeyRecord) else ANYBODY
