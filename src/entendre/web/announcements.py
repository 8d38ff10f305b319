"""Announcements: a text that speakers of the home say when nobody speaks."""

from __future__ import annotations

import unicodedata

from aiohttp import web

from entendre.web.answers import MAX_NAME_CHARS, request_key
from entendre.web.bodies import json_body, number, text_of
from entendre.web.faults import Fault, invalid
from entendre.web.services import SERVICES, SpokenNotice, WebServices
from entendre.web.standing import household_of

MAX_NOTICE_CHARS = 500
"""About a minute of speech; longer texts are no announcements."""
PRIORITIES = ("normal", "urgent")
DEFAULT_WITHIN_S = 120.0
MAX_WITHIN_S = 3_600.0


async def announce(request: web.Request) -> web.Response:
    """Have a text said in a room, on a device, or everywhere; the answer names the speakers that took it."""
    services = request.app[SERVICES]
    body = await json_body(request)
    if services.announce is None:
        raise Fault(503, "not_ready", "Nothing is there that could announce.")
    key = request_key(request)
    notice = SpokenNotice(
        text=_said(body),
        room=text_of(body, "room", MAX_NAME_CHARS, "") or None,
        device=text_of(body, "device", MAX_NAME_CHARS, "") or None,
        language=_language(services, body),
        urgent=_priority(body) == "urgent",
        within_s=number(body, "within_s", 1.0, MAX_WITHIN_S, DEFAULT_WITHIN_S),
        turn=f"announcement:{key}" if key is not None else None,
        household=await household_of(request, body),
    )
    speakers = await services.announce(notice)
    if not speakers:
        called = f" called {notice.device!r}" if notice.device else ""
        place = f" in {notice.room!r}" if notice.room else ""
        raise Fault(404, "no_speaker", f"No speaker{called}{place} is connected.", "device" if called else "room")
    named = [{"device": device, "room": room} for device, room in speakers]
    return web.json_response({"count": len(named), "speakers": named})


def _said(body: dict[str, object]) -> str:
    """What can be said of the text: no control characters, which no voice reads. Raises: Fault."""
    text = text_of(body, "text", MAX_NOTICE_CHARS)
    text = " ".join("".join(" " if unicodedata.category(each) == "Cc" else each for each in text).split())
    if all(unicodedata.category(each)[0] in "CZ" for each in text):
        raise invalid("text is empty.", "text")
    return text


def _language(services: WebServices, body: dict[str, object]) -> str | None:
    """None is each speaker's own. Raises: Fault for one that would be said without a sound."""
    language = text_of(body, "language", MAX_NAME_CHARS, "") or None
    if language is not None and services.voices() and services.voice(language, None) is None:
        raise invalid("No voice for this language is installed.", "language", "unsupported_language")
    return language


def _priority(body: dict[str, object]) -> str:
    priority = text_of(body, "priority", MAX_NAME_CHARS, PRIORITIES[0])
    if priority not in PRIORITIES:
        raise invalid(f"priority must be {' or '.join(PRIORITIES)}.", "priority")
    return priority
