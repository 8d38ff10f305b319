"""Media: play a station or an address on speakers of the home, pause it, go on, stop it."""

from __future__ import annotations

from urllib.parse import urlsplit

from aiohttp import web

from entendre.web.answers import MAX_NAME_CHARS
from entendre.web.bodies import json_body, text_of
from entendre.web.faults import Fault, invalid
from entendre.web.services import SERVICES, MediaRequest
from entendre.web.standing import household_of

COMMANDS = ("play", "pause", "resume", "stop")
MAX_URL_CHARS = 2_000


async def control_media(request: web.Request) -> web.Response:
    """Tell speakers to play or to stop; the answer names those that were told."""
    services = request.app[SERVICES]
    body = await json_body(request)
    if services.control_media is None:
        raise Fault(503, "not_ready", "Nothing is there that could play.")
    wanted = MediaRequest(
        command=_command(body),
        station=text_of(body, "station", MAX_NAME_CHARS, "") or None,
        url=text_of(body, "url", MAX_URL_CHARS, "") or None,
        room=text_of(body, "room", MAX_NAME_CHARS, "") or None,
        device=text_of(body, "device", MAX_NAME_CHARS, "") or None,
        household=await household_of(request, body),
    )
    if wanted.command == "play" and (wanted.station is None) == (wanted.url is None):
        raise invalid("Playing needs either station or url.", "station", "missing_required_parameter")
    if wanted.url is not None and not _is_address(wanted.url):
        raise invalid("url must be an http or https address.", "url")
    speakers = await services.control_media(wanted)
    if speakers is None:
        raise Fault(404, "unknown_station", f"The home has no station called {wanted.station!r}.", "station")
    if not speakers:
        raise Fault(404, "no_speaker", "No such speaker is connected.", "device" if wanted.device else "room")
    named = [{"device": device, "room": room} for device, room in speakers]
    return web.json_response({"count": len(named), "speakers": named})


def _is_address(url: str) -> bool:
    try:
        return url.startswith(("http://", "https://")) and bool(urlsplit(url).hostname)
    except ValueError:
        return False


def _command(body: dict[str, object]) -> str:
    command = text_of(body, "command", MAX_NAME_CHARS, COMMANDS[0])
    if command not in COMMANDS:
        raise invalid(f"command must be one of {', '.join(COMMANDS)}.", "command")
    return command
