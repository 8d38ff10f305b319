"""Music and radio: what is asked for, found among the home's stations, and where it shall play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from rapidfuzz import fuzz

from entendre.core.actions import EVERYWHERE, ControlMedia, SetTrait, Trait
from entendre.core.home import Appliance, Station, all_names, name_in, plain_name
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.slots import has_name, text

KINDS = ("media_player", "speaker", "tv")
"""Kinds of appliances that play, the likeliest first."""

MISHEARD = 85.0
"""Likeness of a name that was said to a station's, percent, from which it is meant."""

ANYWHERE = "anywhere"
"""Of the table of what has no sound, the words that give it away wherever they stand; the others begin it."""

Command = Literal["play", "pause", "resume", "stop", "next", "previous"]
COMMANDS: Mapping[str, Command] = {
    "MediaPlay": "play",
    "MediaPause": "pause",
    "MediaResume": "resume",
    "MediaStop": "stop",
    "MediaNext": "next",
    "MediaPrevious": "previous",
}


def plan_media(request: Request, command: Command) -> Plan:
    """A plan for one media command."""
    query, room = text(request, "query"), text(request, "room")
    appliance = _player(request)
    elsewhere = appliance is None and room is not None and room != request.world.device.room
    if elsewhere and room != EVERYWHERE and room not in request.world.rooms_with_speakers:
        names = {known.id: name_in(known.names, request.language) for known in request.world.home.rooms}
        return Plan(request.say("media_no_player", room=names.get(room or "", room)), refusal=True)
    if appliance is not None:
        action = ControlMedia(command, query, appliance.id)
        return Plan(request.say(f"media_{command}", query=query), (action,))
    target = room if elsewhere else None
    station = _station(request, command, query)
    if station is not None:
        name = name_in(station.names, request.language)
        return Plan(request.say("media_play", query=name), (ControlMedia("play", name, url=station.url, room=target),))
    if command == "play" and query is not None:
        return _unknown(request, query, target)
    return Plan(request.say(f"media_{command}", query=query), (ControlMedia(command, query, room=target),))


def plan_playing(request: Request) -> Plan:
    """What plays."""
    device = request.world.device
    if device.media is None:
        return Plan(request.say("media_nothing"))
    return Plan(request.say("media_is" if device.playing else "media_paused", name=device.media))


def _unknown(request: Request, query: str, room: str | None) -> Plan:
    """What is no station: an appliance that plays, nothing that could be played, or for the device to know."""
    for appliance in request.world.home.appliances:
        if Trait.PLAYING in appliance.traits and has_name(appliance.names, _trimmed(request, query)):
            return Plan(request.say("media_play", query=query), (SetTrait(appliance.id, Trait.PLAYING, True),))
    if _is_no_sound(request, query):
        return Plan(request.say("media_unknown", query=query), refusal=True)
    return Plan(request.say("media_play", query=query), (ControlMedia("play", query, room=room),))


def _is_no_sound(request: Request, query: str) -> bool:
    """Whether "play" means something that has no sound: a game, a sport, a trick."""
    words, unheard = f" {_trimmed(request, query)} ", request.terms("not_media")
    if any(f" {word} " in words for word in request.terms("station").get("music", "").split("|")):
        return False
    if any(f" {word} " in words for word in unheard.get(ANYWHERE, "").split("|")):
        return True
    beginnings = (word for name, group in unheard.items() if name != ANYWHERE for word in group.split("|"))
    return any(words.startswith(f" {word} ") for word in beginnings)


def _station(request: Request, command: Command, query: str | None) -> Station | None:
    """The station that is meant: by name, the first one for just "music", the one before or after."""
    stations, playing = request.world.home.media, request.world.device.media
    if not stations:
        return None
    if command == "play" and query is not None:
        return _named(request, query)
    if command == "play" and playing is None:
        return stations[0]
    if command in ("next", "previous"):
        at = next((i for i, each in enumerate(stations) if playing in all_names(each.names)), None)
        return None if at is None else stations[(at + (1 if command == "next" else -1)) % len(stations)]
    return None


def _named(request: Request, query: str) -> Station | None:
    said = {plain_name(query), _trimmed(request, query)}
    best, likeness = None, 0.0
    for station in request.world.home.media:
        for name in all_names(station.names):
            known = {plain_name(name), _trimmed(request, name)}
            score = max(fuzz.ratio(one, other) for one in said for other in known)
            if score > likeness:
                best, likeness = station, score
    return best if likeness >= MISHEARD else None


def _trimmed(request: Request, name: str) -> str:
    """A name without the words that people put around a station's name."""
    words = plain_name(name).split()
    around = request.terms("station").get("around", "").split("|")
    while len(words) > 1 and words[0] in around:
        words = words[1:]
    while len(words) > 1 and words[-1] in around:
        words = words[:-1]
    return " ".join(words)


def _player(request: Request) -> Appliance | None:
    """The appliance that shall play: one named, or the likeliest of the room named; None is this speaker."""
    appliances = {appliance.id: appliance for appliance in request.world.home.appliances}
    named = request.command.slots.get("appliance")
    for asked in named if isinstance(named, list | tuple) else ():
        if asked in appliances:
            return appliances[asked]
    room = text(request, "room")
    if room is None or room == request.world.device.room:
        return None
    players = [one for one in appliances.values() if one.room == room and one.kind in KINDS]
    return min(players, key=lambda one: KINDS.index(one.kind), default=None)
