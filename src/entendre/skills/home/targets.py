"""Which appliances a command is about: names, kinds, rooms, exceptions, and the speaker's own room."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from entendre.core.home import Appliance, HomeSnapshot, Names, all_names, name_in
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.slots import flag, text

Able = Callable[[Appliance], bool]

EVERYWHERE = "everywhere"
HERE = "here"

COVERS = ("blind", "curtain", "shutter")
FAMILIES: dict[str, tuple[str, ...]] = {
    "blind": COVERS,
    "curtain": COVERS,
    "shutter": COVERS,
    "cover": (*COVERS, "garage_door", "gate", "door", "window"),
    "door": ("door", "lock", "garage_door", "gate"),
    "lock": ("lock", "door"),
    "gate": ("gate", "garage_door"),
    "garage_door": ("garage_door",),
    "thermostat": ("thermostat", "heater", "air_conditioner"),
    "heater": ("heater", "thermostat"),
    "air_conditioner": ("air_conditioner", "thermostat"),
    "climate": ("thermostat", "air_conditioner", "heater"),
    "tv": ("tv", "media_player"),
    "speaker": ("speaker", "media_player"),
    "media_player": ("media_player", "tv", "speaker"),
    "switch": ("switch", "outlet"),
    "outlet": ("outlet", "switch"),
}
"""A word for a kind also means its relatives, when the exact kind is missing where it was asked for."""

NOT_EVERYTHING = frozenset(
    {*COVERS, "thermostat", "camera", "lock", "garage_door", "gate", "door", "window", "valve", "sensor", "speaker"}
)
"""What switching "everything" leaves alone: safety, the heating, and what has nothing to switch."""

CENTRAL_KIND = "thermostat"

ONE_OF_A_KIND = frozenset({"lock", "garage_door", "gate", "door", "valve", "vacuum"})
"""Kinds of which a bare word means one: with several of them, ask which."""

MAX_NAMES_SPOKEN = 4


@dataclass(frozen=True, slots=True)
class Target:
    """The appliances found, and how they were called."""

    appliances: tuple[Appliance, ...]
    kind: str | None = None
    room: str | None = None
    everything: bool = False

    def only(self, appliances: Iterable[Appliance]) -> Target:
        """The same words for fewer appliances."""
        return Target(tuple(appliances), self.kind, self.room, self.everything)


def find(
    request: Request, able: Able, fallback_kinds: Sequence[str] = (), spared: frozenset[str] = NOT_EVERYTHING
) -> Target | Plan:
    """The appliances of a command that are able to do it, or the plan that says why there are none.

    `fallback_kinds`: what a command without a name or kind is about, best first; `spared`: kinds that "everything"
    leaves out.
    """
    slots = request.command.slots
    if slots.get("appliance"):
        return _named(request, able)
    if text(request, "name"):
        return Plan(request.say("not_found", name=text(request, "name")), refusal=True)
    called = _called(request, able)
    if called is not None:
        return called
    if flag(request, "everything"):
        return _everything(request, able, spared)
    kind = text(request, "kind")
    if kind is not None:
        return _of_kinds(request, able, (kind,))
    mentioned = _mentioned(request, able)
    if mentioned is not None and not slots.get("room"):
        return mentioned
    if flag(request, "bare"):
        return Plan(request.say("ask_what"), expects_reply=True, refusal=True, question="appliance")
    return _of_kinds(request, able, tuple(fallback_kinds))


def identifiers(value: object) -> tuple[str, ...]:
    """A slot of appliance ids, whether one or several."""
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, list | tuple) else ()


def _named(request: Request, able: Able) -> Target | Plan:
    home = request.world.home
    wanted = identifiers(request.command.slots.get("appliance"))
    known = [appliance for appliance in home.appliances if appliance.id in wanted]
    if flag(request, "all"):
        known = _namesakes(home, known)
    known = _in_said_room(request, known)
    if not known:
        return Plan(request.say("not_there", room=room_name(request, text(request, "room"))), refusal=True)
    found = [appliance for appliance in known if able(appliance)]
    if not found:
        return Plan(request.say("cannot", what=spoken_names(request, known[:1])), refusal=True)
    mentioned = set(wanted) == set(request.world.mentioned.appliances)
    if len(found) == 1 or mentioned or flag(request, "all"):
        return Target(tuple(_without_exceptions(request, found)))
    return which(request, _near(request, found))


def _namesakes(home: HomeSnapshot, appliances: Sequence[Appliance]) -> list[Appliance]:
    """Everything that shares a name with these: "all the ceiling lights"."""
    names = {name.casefold() for each in appliances for name in all_names(each.names)}
    return [each for each in home.appliances if names & {name.casefold() for name in all_names(each.names)}]


def _in_said_room(request: Request, appliances: list[Appliance]) -> list[Appliance]:
    """Those in the room that was said; one without a room may be anywhere."""
    said = text(request, "room")
    rooms = None if said is None else room_ids(request, said)
    if rooms is None:
        return appliances
    inside = [appliance for appliance in appliances if appliance.room in rooms]
    return inside or [appliance for appliance in appliances if appliance.room is None]


def _near(request: Request, appliances: list[Appliance]) -> list[Appliance]:
    here = [appliance for appliance in appliances if appliance.room == request.world.device.room]
    return here or appliances


def which(request: Request, options: list[Appliance]) -> Target | Plan:
    """The only option, or the question which one was meant."""
    if len(options) == 1:
        return Target(tuple(options))
    names = [name_in(option.names, request.language) for option in options]
    if len(set(names)) < len(names):
        names = [_name_with_room(request, option) for option in options]
    return Plan(
        request.say("which_one", names=names[: MAX_NAMES_SPOKEN + 1]),
        expects_reply=True,
        refusal=True,
        question="appliance",
    )


def _called(request: Request, able: Able) -> Target | Plan | None:
    """What a bare word of its name means ("the lamp"): the one of the room, else of the home, else ask."""
    word = text(request, "named")
    if word is None:
        return None
    found = [each for each in request.world.home.appliances if able(each) and _has_word(each, word)]
    here = _in_rooms(found, room_ids(request, text(request, "room") or HERE) or set())
    if not here and text(request, "room") is not None:
        return None
    if flag(request, "all"):
        return Target(tuple(here or found)) if found else None
    return which(request, here or found) if here or found else None


def _has_word(appliance: Appliance, word: str) -> bool:
    return any(word in name.casefold().split() for name in all_names(appliance.names))


def _everything(request: Request, able: Able, spared: frozenset[str]) -> Target | Plan:
    said = text(request, "room")
    rooms = None if said is None else room_ids(request, said)
    scope = _in_rooms(request.world.home.appliances, rooms)
    found = [each for each in scope if able(each) and each.kind not in spared]
    found = _without_exceptions(request, found)
    if not found:
        return _none(request, None, said)
    return Target(tuple(found), room=said, everything=True)


def _mentioned(request: Request, able: Able) -> Target | None:
    """What the last turn was about, for a command that names nothing."""
    ids = request.world.mentioned.appliances
    found = tuple(each for each in request.world.home.appliances if each.id in ids and able(each))
    return Target(found) if found else None


def _of_kinds(request: Request, able: Able, kinds: tuple[str, ...]) -> Target | Plan:
    said = text(request, "room")
    usable = [each for each in request.world.home.appliances if able(each)]
    if said is None and (flag(request, "all") or request.command.slots.get("except_room")):
        said = EVERYWHERE
    here = request.world.device.room
    if said == HERE or (said is None and here is not None):
        said = here if said is None or here is not None else None
        found = _first_family(_in_rooms(usable, {str(here)}), kinds) if here is not None else []
        if found:
            return _group(request, found, kinds, said)
        if text(request, "room") is not None:
            return _none(request, kinds[0] if kinds else None, said)
        return _elsewhere(request, usable, kinds)
    if said is None:
        return _elsewhere(request, usable, kinds)
    found = _first_family(_in_rooms(usable, room_ids(request, said)), kinds)
    found = found or _central(usable, kinds)
    if not found:
        return _none(request, kinds[0] if kinds else None, said)
    return _group(request, found, kinds, said)


def _elsewhere(request: Request, usable: Sequence[Appliance], kinds: tuple[str, ...]) -> Target | Plan:
    """No room was said and the speaker's has none: the only one of the home, else ask. Never the whole house."""
    for kind in kinds:
        exact = _first_family(usable, (kind,))
        if len(exact) == 1:
            return Target(tuple(exact))
        if exact and kind in ONE_OF_A_KIND:
            return _group(request, exact, kinds, None)
        if exact:
            return Plan(request.say("which_room", kind=kind), expects_reply=True, refusal=True, question="room")
    return _none(request, kinds[0] if kinds else None, None)


def _central(usable: Sequence[Appliance], kinds: tuple[str, ...]) -> list[Appliance]:
    """The home's only thermostat heats a room that has none of its own."""
    thermostats = [appliance for appliance in usable if appliance.kind == CENTRAL_KIND]
    return thermostats if kinds[:1] == (CENTRAL_KIND,) and len(thermostats) == 1 else []


def _group(request: Request, found: list[Appliance], kinds: tuple[str, ...], room: str | None) -> Target | Plan:
    found = _without_exceptions(request, found)
    kind = kinds[0] if kinds else None
    if not found:
        return _none(request, kind, room)
    if len(found) > 1 and kind in ONE_OF_A_KIND and not flag(request, "all") and not flag(request, "several"):
        return which(request, found)
    return Target(tuple(found), kind=kind, room=room)


def _first_family(appliances: Iterable[Appliance], kinds: Sequence[str]) -> list[Appliance]:
    """Those of the first kind that is there; then of its relatives."""
    pool = list(appliances)
    for kind in kinds:
        exact = [appliance for appliance in pool if appliance.kind == kind]
        if exact:
            return exact
    for kind in kinds:
        related = [appliance for appliance in pool if appliance.kind in FAMILIES.get(kind, ())]
        if related:
            return related
    return []


def _in_rooms(appliances: Iterable[Appliance], rooms: set[str] | None) -> list[Appliance]:
    return [appliance for appliance in appliances if rooms is None or appliance.room in rooms]


def room_ids(request: Request, said: str) -> set[str] | None:
    """The rooms that a room slot means; None is the whole home."""
    if said == EVERYWHERE:
        return None
    if said == HERE:
        here = request.world.device.room
        return None if here is None else {here}
    home = request.world.home
    if any(room.id == said for room in home.rooms):
        return {said}
    return {room.id for room in home.rooms if room.floor == said}


def _without_exceptions(request: Request, found: list[Appliance]) -> list[Appliance]:
    slots = request.command.slots
    room, kind = text(request, "except_room"), text(request, "except_kind")
    ids = identifiers(slots.get("except_appliance"))
    rooms = room_ids(request, room) if room is not None else set()
    if rooms is None:
        rooms = set()

    def excluded(appliance: Appliance) -> bool:
        by_room = appliance.room in rooms
        if kind is not None:
            return appliance.kind == kind and (by_room or room is None)
        return by_room or appliance.id in ids

    return [appliance for appliance in found if not excluded(appliance)]


def _none(request: Request, kind: str | None, room: str | None) -> Plan:
    where = None if room in (None, EVERYWHERE) else room_name(request, room)
    key = "nothing_there" if kind is None else "none_of_kind"
    return Plan(request.say(key, kind=kind, room=where), refusal=True)


def room_name(request: Request, said: str | None) -> str | None:
    """A room or floor as it is said."""
    if said == HERE:
        said = request.world.device.room
    names = _room_names(request.world.home, said)
    return name_in(names, request.language) if names else None


def _room_names(home: HomeSnapshot, said: str | None) -> Names | None:
    for room in home.rooms:
        if room.id == said:
            return room.names
    return home.floors.get(said or "")


def is_floor(request: Request, said: str | None) -> bool:
    """Whether a room slot names a floor."""
    home = request.world.home
    return said in home.floors and all(room.id != said for room in home.rooms)


def spoken_names(request: Request, appliances: Sequence[Appliance]) -> str:
    """Appliances by name, joined as the language does."""
    plain = [name_in(each.names, request.language) for each in appliances]
    if len(set(plain)) < len(plain):
        plain = [_name_with_room(request, each) for each in appliances]
    names = [_spoken(request, name) for name in plain]
    if len(names) > MAX_NAMES_SPOKEN + 1:
        names[MAX_NAMES_SPOKEN:] = [request.say("more", count=len(names) - MAX_NAMES_SPOKEN)]
    return request.say("joined", names=names)


def _spoken(request: Request, name: str) -> str:
    """A name in a sentence; one that is written with a capital is a proper name."""
    return request.say("own_name" if name[:1].isupper() else "the_name", name=name)


def grammatical_number(request: Request, appliance: Appliance) -> int:
    """2 for a name that ends as its kind's plural does ("bedroom curtains"), so that a reply can agree with it."""
    plural = request.say("kind_word", kind=appliance.kind).casefold().split()
    name = name_in(appliance.names, request.language).casefold().split()
    return 2 if name[-1:] == plural[-1:] else 1


def _name_with_room(request: Request, appliance: Appliance) -> str:
    name, room = name_in(appliance.names, request.language), room_name(request, appliance.room)
    return request.say("name_in_room", name=name, room=room) if room else name


def describe(request: Request, target: Target) -> str:
    """How a reply calls the target: by name when few, by kind and room when a group."""
    count = len(target.appliances)
    if target.everything:
        where = room_name(request, target.room)
        return request.say("everything_on_floor" if is_floor(request, target.room) else "everything", room=where)
    if count == 1 or (target.kind is None and count <= MAX_NAMES_SPOKEN):
        return spoken_names(request, target.appliances)
    kind = target.appliances[0].kind if len({each.kind for each in target.appliances}) == 1 else target.kind
    where = room_name(request, target.room)
    if is_floor(request, target.room):
        return request.say("group_on_floor", kind=kind or "appliance", room=where)
    return request.say("group", kind=kind or "appliance", room=where, count=count)
