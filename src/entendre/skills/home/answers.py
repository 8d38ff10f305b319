"""Questions about the home: is it on, which are open, how warm is it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from entendre.core.actions import Trait, TraitValue
from entendre.core.home import Appliance, all_names
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.home.levels import NAMED_MODES
from entendre.skills.home.targets import (
    CENTRAL_KIND,
    EVERYWHERE,
    Target,
    find,
    grammatical_number,
    room_name,
    spoken_names,
)
from entendre.skills.slots import text

STATES: dict[str, tuple[tuple[Trait, bool], ...]] = {
    "on": ((Trait.ON, True), (Trait.CLEANING, True), (Trait.PLAYING, True), (Trait.MODE, True)),
    "off": ((Trait.ON, False), (Trait.CLEANING, False), (Trait.PLAYING, False), (Trait.MODE, False)),
    "open": ((Trait.OPEN, True), (Trait.POSITION, True), (Trait.LOCKED, False)),
    "closed": ((Trait.OPEN, False), (Trait.POSITION, False), (Trait.LOCKED, True)),
    "locked": ((Trait.LOCKED, True), (Trait.OPEN, False), (Trait.POSITION, False)),
    "unlocked": ((Trait.LOCKED, False), (Trait.OPEN, True), (Trait.POSITION, True)),
    "playing": ((Trait.PLAYING, True),),
    "paused": ((Trait.PLAYING, False),),
    "muted": ((Trait.MUTED, True),),
    "cleaning": ((Trait.CLEANING, True),),
    "motion": ((Trait.MOTION, True),),
}
"""A state in words: the traits that show it, best first, and which side of them it is."""

WHOLE_HOME_KINDS = frozenset({"door", "lock", "window", "garage_door", "gate"})
"""Kinds that are asked about for safety: without a room, the whole home is meant."""

LOOSE_STATES = frozenset({"on", "open", "unlocked", "playing", "cleaning", "motion"})
"""States that one of a group is enough for: "are the lights on" is answered by the one that is."""

_SHOWN: dict[Trait, tuple[str, str]] = {
    Trait.ON: ("on", "off"),
    Trait.MODE: ("on", "off"),
    Trait.CLEANING: ("cleaning", "docked"),
    Trait.PLAYING: ("playing", "paused"),
    Trait.OPEN: ("open", "closed"),
    Trait.POSITION: ("open", "closed"),
    Trait.LOCKED: ("locked", "unlocked"),
    Trait.MUTED: ("muted", "unmuted"),
    Trait.MOTION: ("motion", "still"),
}

OPENING_KINDS = ("window", "door", "garage_door", "gate", "blind", "curtain", "shutter")
KINDS_OF_STATE: dict[str, tuple[str, ...]] = {
    "locked": ("lock",),
    "unlocked": ("lock",),
    "open": OPENING_KINDS,
    "closed": OPENING_KINDS,
    "motion": ("sensor",),
    "cleaning": ("vacuum",),
    "playing": ("tv", "media_player", "speaker"),
}

_VALUE_KINDS: dict[Trait, tuple[str, ...]] = {
    Trait.BRIGHTNESS: ("light",),
    Trait.COLOR: ("light",),
    Trait.TEMPERATURE: ("thermostat", "air_conditioner", "heater"),
    Trait.MODE: ("thermostat", "air_conditioner"),
    Trait.CURRENT_TEMPERATURE: ("sensor", "thermostat", "air_conditioner", "heater"),
    Trait.CURRENT_HUMIDITY: ("sensor", "humidifier", "thermostat", "air_conditioner"),
    Trait.HUMIDITY: ("humidifier",),
    Trait.POSITION: ("blind", "curtain", "shutter"),
    Trait.SPEED: ("fan",),
    Trait.VOLUME: ("tv", "media_player", "speaker"),
    Trait.BATTERY: ("vacuum", "lock", "sensor"),
    Trait.POWER: ("outlet", "switch"),
}

_MAIN_TRAITS = (
    Trait.LOCKED,
    Trait.OPEN,
    Trait.POSITION,
    Trait.MODE,
    Trait.ON,
    Trait.CLEANING,
    Trait.PLAYING,
    Trait.CURRENT_TEMPERATURE,
    Trait.CURRENT_HUMIDITY,
    Trait.MOTION,
)
"""What "how is it" asks of an appliance, best first."""


def _showing(appliance: Appliance, state: str) -> tuple[Trait, bool] | None:
    """The trait that shows a state, and whether the appliance is in it; None if it can't be known."""
    for trait, positive in STATES.get(state, ()):
        value = appliance.state.get(trait)
        if value is not None:
            return trait, _is_positive(trait, value) == positive
    return None


def _is_positive(trait: Trait, value: TraitValue) -> bool:
    return value != "off" if trait is Trait.MODE else bool(value)


def ask_state(request: Request) -> Plan:
    """Whether one thing, any, or which of a kind are in a state."""
    state = text(request, "state") or ""
    widened = _widened(request)
    target = _shown(widened, state)
    if isinstance(target, Plan) and target.expects_reply and not widened.command.slots.get("appliance"):
        target = _shown(_in_room(widened, EVERYWHERE), state)
    if isinstance(target, Plan):
        return target
    matching = [each for each in target.appliances if (_showing(each, state) or (None, False))[1]]
    question = text(request, "question") or "one"
    if question == "one" and len(target.appliances) == 1:
        return Plan(_one(request, target.appliances[0], state))
    return Plan(_many(request, target, matching, state, question))


def _shown(request: Request, state: str) -> Target | Plan:
    kinds = KINDS_OF_STATE.get(state, ("light",))
    return find(request, lambda each: _showing(each, state) is not None, kinds, frozenset())


def _in_room(request: Request, room: str) -> Request:
    return replace(request, command=replace(request.command, slots={**request.command.slots, "room": room}))


def _widened(request: Request) -> Request:
    """ "Are any lights on" is about the whole home unless a room was said."""
    slots = dict(request.command.slots)
    general = slots.get("question", "one") != "one" or slots.get("kind") in WHOLE_HOME_KINDS
    if general and not slots.get("room") and not slots.get("appliance"):
        slots["room"] = EVERYWHERE
    slots["several"] = True
    return replace(request, command=replace(request.command, slots=slots))


def _one(request: Request, appliance: Appliance, state: str) -> str:
    shown = _showing(appliance, state)
    assert shown is not None
    trait, matches = shown
    actual = _SHOWN[trait][0 if _is_positive(trait, appliance.state[trait]) else 1]
    what = spoken_names(request, [appliance])
    return request.say(
        "yes_state" if matches else "no_state", what=what, state=actual, count=grammatical_number(request, appliance)
    )


def _many(request: Request, target: Target, matching: Sequence[Appliance], state: str, question: str) -> str:
    kind = target.kind or "appliance"
    where = None if target.room in (None, EVERYWHERE) else room_name(request, target.room)
    values = {"kind": kind, "room": where, "state": state, "count": len(matching)}
    if question == "one" and state in LOOSE_STATES:
        question = "any"
    if question in ("all", "one"):
        if len(matching) == len(target.appliances):
            return request.say("all_are", **values)
        rest = [appliance for appliance in target.appliances if appliance not in matching]
        return request.say("not_all_are", what=spoken_names(request, rest), **(values | {"count": len(rest)}))
    if state == "motion":
        return request.say("motion" if matching else "no_motion", room=where)
    if not matching:
        return request.say("none_are", **values)
    if question == "count":
        return request.say("count_are", what=spoken_names(request, matching), **values)
    key = "which_are" if question == "which" else "some_are"
    return request.say(key, what=spoken_names(request, matching), **values)


_VALUE_REPLIES: dict[Trait, str] = {
    Trait.TEMPERATURE: "value_degrees",
    Trait.CURRENT_TEMPERATURE: "value_degrees",
    Trait.COLOR: "value_text",
    Trait.MODE: "value_text",
    Trait.COLOR_TEMPERATURE: "value_kelvin",
    Trait.POWER: "value_watts",
    Trait.POSITION: "value_open",
}
"""How a value is said; percent for the rest."""


def ask_value(request: Request) -> Plan:
    """A measured or set value, or the state of one thing."""
    said = text(request, "trait")
    if said is None:
        return _ask_main(request)
    trait = _asked_trait(request, Trait(said))
    nearest = _nearest(request, trait)
    if nearest is not None:
        return Plan(_climate(request, trait, nearest))
    target = find(request, lambda each: each.state.get(trait) is not None, _VALUE_KINDS.get(trait, ()))
    if isinstance(target, Plan):
        return _value_unknown(request, trait, target)
    if trait is Trait.CURRENT_TEMPERATURE or trait is Trait.CURRENT_HUMIDITY:
        return Plan(_climate(request, trait, target.appliances[0]))
    return Plan(_values(request, trait, target))


def _nearest(request: Request, trait: Trait) -> Appliance | None:
    """What measures the climate outside, or for a question that names no place: here, centrally, or wherever else."""
    slots = request.command.slots
    if trait not in (Trait.CURRENT_TEMPERATURE, Trait.CURRENT_HUMIDITY):
        return None
    if any(slots.get(name) for name in ("appliance", "room", "kind", "name", "named")):
        return None
    known = [each for each in request.world.home.appliances if each.state.get(trait) is not None]
    outside = [each for each in known if _is_outside(request, each)]
    if slots.get("outdoors"):
        return next(iter(outside), None)
    inside = [each for each in known if each not in outside]
    here = [each for each in inside if each.room == request.world.device.room and each.room is not None]
    central = [each for each in inside if each.kind == CENTRAL_KIND]
    return next(iter((*here, *central, *inside, *outside)), None)


def _is_outside(request: Request, appliance: Appliance) -> bool:
    words = set(request.terms("outdoors").values())
    room = next((room for room in request.world.home.rooms if room.id == appliance.room), None)
    names = (*all_names(appliance.names), *(all_names(room.names) if room else ()))
    return any(words & set(name.casefold().split()) for name in names)


def _asked_trait(request: Request, trait: Trait) -> Trait:
    """ "How warm is the heater": an appliance that measures nothing answers with its target."""
    ids = request.command.slots.get("appliance") or ()
    named = [each for each in request.world.home.appliances if each.id in ids]
    twin = {Trait.CURRENT_TEMPERATURE: Trait.TEMPERATURE, Trait.CURRENT_HUMIDITY: Trait.HUMIDITY}.get(trait)
    if twin is not None and named and all(each.state.get(trait) is None for each in named):
        return twin
    return trait


def _value_unknown(request: Request, trait: Trait, plan: Plan) -> Plan:
    if plan.expects_reply or request.command.slots.get("appliance"):
        return plan
    return Plan(request.say("value_unknown", trait=trait.value, room=room_name(request, text(request, "room"))))


def _climate(request: Request, trait: Trait, appliance: Appliance) -> str:
    key = "is_degrees" if trait is Trait.CURRENT_TEMPERATURE else "is_humid"
    room = room_name(request, appliance.room)
    return request.say(key, value=appliance.state[trait], room=room)


def _values(request: Request, trait: Trait, target: Target) -> str:
    parts = [_value(request, trait, appliance) for appliance in target.appliances]
    return request.say("sentence", text=request.say("joined", names=parts))


def _value(request: Request, trait: Trait, appliance: Appliance) -> str:
    value, count = appliance.state[trait], grammatical_number(request, appliance)
    what = spoken_names(request, [appliance])
    state = _state_word(trait, appliance)
    if state is not None:
        return request.say("value_state", what=what, state=state, count=count)
    if trait is Trait.MODE and value in NAMED_MODES:
        return request.say("value_mode", what=what, mode=value, count=count)
    return request.say(_VALUE_REPLIES.get(trait, "value_percent"), what=what, value=value, count=count)


def _state_word(trait: Trait, appliance: Appliance) -> str | None:
    """The word for a value that has one: "on", "closed"; None for one that is said as a number or a name."""
    value = appliance.state[trait]
    if trait is Trait.BRIGHTNESS and appliance.state.get(Trait.ON) is False:
        return "off"
    if trait is Trait.MODE or trait not in _SHOWN or (trait is Trait.POSITION and value not in (0, 100)):
        return None
    return _SHOWN[trait][0 if value else 1]


def _ask_main(request: Request) -> Plan:
    """ "What about the front door": whatever says most about it."""
    target = find(request, lambda each: _main_trait(each) is not None, ("light",))
    if isinstance(target, Plan):
        return target
    parts = []
    for appliance in target.appliances:
        trait = _main_trait(appliance)
        if trait is not None:
            parts.append(_value(request, trait, appliance))
    return Plan(request.say("sentence", text=request.say("joined", names=parts)))


def _main_trait(appliance: Appliance) -> Trait | None:
    return next((trait for trait in _MAIN_TRAITS if appliance.state.get(trait) is not None), None)
