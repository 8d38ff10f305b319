"""What the HTTP API does in the home: announcements and media."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal
from urllib.parse import urlsplit

from entendre.core.actions import ControlMedia
from entendre.core.home import Station, all_names, name_in, plain_name
from entendre.session.announcing import Announcement, Audience, announce
from entendre.system import new_id
from entendre.web.services import MediaRequest, SpokenNotice

COMMANDS: dict[str, Literal["play", "pause", "resume", "stop"]] = {
    "play": "play",
    "pause": "pause",
    "resume": "resume",
    "stop": "stop",
}

if TYPE_CHECKING:
    from entendre.app.application import App


async def say_in_home(app: App, notice: SpokenNotice) -> list[tuple[str, str | None]]:
    """Have a notice said; the speakers that took it. Raises: OverloadedError, StoreError."""
    announcement = Announcement(notice.text, notice.language, notice.urgent, notice.within_s)
    audience = Audience(notice.room, notice.device)
    async with app.households.using(notice.household) as runtime:
        taken = await announce(runtime.assistant, announcement, audience, turn=notice.turn or new_id())
    return [(speaker.device, speaker.room) for speaker in taken]


async def play_in_home(app: App, wanted: MediaRequest) -> list[tuple[str, str | None]] | None:
    """Tell speakers to play or to stop; those that were told, None for a station that the home does not have."""
    url = wanted.url
    name = urlsplit(url).hostname if url is not None else None  # said if it can't be played: never the whole address
    async with app.households.using(wanted.household) as runtime:
        if wanted.station is not None:
            station = _station(runtime.graph.snapshot().media, wanted.station)
            if station is None:
                return None
            name, url = name_in(station.names, runtime.language), station.url
        action = ControlMedia(COMMANDS[wanted.command], name, url=url)
        told = runtime.hub.control_media(action, Audience(wanted.room, wanted.device))
        return [(speaker.device, speaker.room) for speaker in told]


def _station(stations: Iterable[Station], name: str) -> Station | None:
    wanted = plain_name(name)
    return next((each for each in stations if wanted in map(plain_name, (each.id, *all_names(each.names)))), None)
