"""Commands with a value: brightness, colour, temperature, position, speed, volume, mode, set or stepped."""

from __future__ import annotations

from dataclasses import dataclass, replace

from entendre.core.actions import AdjustTrait, SetTrait, Trait, TraitValue
from entendre.core.home import Appliance
from entendre.core.plan import Plan
from entendre.skills.base import Request
from entendre.skills.home.commands import guarded
from entendre.skills.home.targets import Able, Target, describe, find
from entendre.skills.slots import flag, number, text

LEVEL_TRAITS = (
    Trait.BRIGHTNESS,
    Trait.POSITION,
    Trait.TEMPERATURE,
    Trait.HUMIDITY,
    Trait.VOLUME,
    Trait.SPEED,
)
"""What a bare number sets on an appliance: the first of these that it has."""

STEPS: dict[Trait, float] = {
    Trait.BRIGHTNESS: 20,
    Trait.COLOR_TEMPERATURE: 500,
    Trait.TEMPERATURE: 1,
    Trait.HUMIDITY: 5,
    Trait.POSITION: 20,
    Trait.SPEED: 20,
    Trait.VOLUME: 10,
}
"""How much "a bit more" is, in the trait's unit; temperatures in °C."""

FAHRENHEIT_PER_CELSIUS_STEP = 2
SIZES = {"small": 0.5, "large": 2.0}
TARGET_TEMPERATURE_RANGE = {"C": (4.0, 40.0), "F": (39.0, 104.0)}

NAMED_MODES = frozenset({"heat", "cool", "auto", "dry", "fan_only", "eco", "heat_cool", "off"})
"""Modes that have words in a language file; any other is said as the appliance names it."""

WARM_WHITE_BELOW_KELVIN = 3500

KINDS_OF_TRAIT: dict[Trait, tuple[str, ...]] = {
    Trait.BRIGHTNESS: ("light",),
    Trait.COLOR: ("light",),
    Trait.COLOR_TEMPERATURE: ("light",),
    Trait.TEMPERATURE: ("thermostat", "air_conditioner", "heater"),
    Trait.MODE: ("thermostat", "air_conditioner"),
    Trait.HUMIDITY: ("humidifier",),
    Trait.POSITION: ("blind", "curtain", "shutter"),
    Trait.SPEED: ("fan",),
    Trait.VOLUME: ("tv", "media_player", "speaker"),
}

_VALUE_SLOTS: tuple[tuple[str, Trait | None], ...] = (
    ("brightness", Trait.BRIGHTNESS),
    ("position", Trait.POSITION),
    ("fan_speed", Trait.SPEED),
    ("volume", Trait.VOLUME),
    ("humidity", Trait.HUMIDITY),
    ("color", Trait.COLOR),
    ("color_temperature", Trait.COLOR_TEMPERATURE),
    ("kelvin", Trait.COLOR_TEMPERATURE),
    ("mode", Trait.MODE),
    ("temperature", None),
    ("percent", None),
    ("level", None),
    ("number", None),
)


_ASKED = {"temperature": "temperature", "color": "color", "color_temperature": "kelvin", "mode": "mode"}
"""The slot that is asked for when a trait is named without a value; percent for the rest."""


@dataclass(frozen=True, slots=True)
class Wish:
    """The value that was said, and the trait if the words named one. `bare`: a number that may be of any unit."""

    trait: Trait | None
    value: TraitValue
    bare: bool = False


def _wish(request: Request) -> Wish | None:
    said = text(request, "trait")
    for slot, trait in _VALUE_SLOTS:
        value = request.command.slots.get(slot)
        if value is not None and isinstance(value, bool | int | float | str):
            named = trait or (Trait(said) if said else None)
            return Wish(named, value, bare=slot == "temperature")
    return None


def set_level(request: Request) -> Plan:
    """Bring appliances to the value that was said."""
    wish = _wish(request)
    if wish is None:
        question = _ASKED.get(text(request, "trait") or "", "percent")
        return Plan(request.say("ask_value"), expects_reply=True, refusal=True, question=question)
    kinds = KINDS_OF_TRAIT.get(wish.trait, ()) if wish.trait else _kinds_by_value(request)
    target = find(request, lambda appliance: _set_action(appliance, wish) is not None, kinds)
    if isinstance(target, Plan):
        return target
    actions = [action for action in (_set_action(each, wish) for each in target.appliances) if action is not None]
    if not all(_in_range(request, action) for action in actions):
        return Plan(request.say("out_of_range", what=describe(request, target)), refusal=True)
    guard = guarded(request, target, tuple(actions))
    return guard or Plan(_set_reply(request, target, actions[0]), tuple(actions))


def _kinds_by_value(request: Request) -> tuple[str, ...]:
    """What a bare value without a name is about: degrees are the heating, percent the lights."""
    trait = Trait.TEMPERATURE if "temperature" in request.command.slots else Trait.BRIGHTNESS
    return KINDS_OF_TRAIT[trait]


def _set_action(appliance: Appliance, wish: Wish) -> SetTrait | None:
    trait = wish.trait or _level_trait(appliance)
    if trait is Trait.TEMPERATURE and trait not in appliance.traits and wish.bare:
        trait = _level_trait(appliance)
    if trait is Trait.COLOR_TEMPERATURE and trait not in appliance.traits and Trait.COLOR in appliance.traits:
        warm = isinstance(wish.value, int | float) and wish.value < WARM_WHITE_BELOW_KELVIN
        return SetTrait(appliance.id, Trait.COLOR, "warmwhite" if warm else "coolwhite")
    if trait is None or trait not in appliance.traits:
        return None
    if trait is Trait.MODE:
        return _mode_action(appliance, str(wish.value))
    return SetTrait(appliance.id, trait, wish.value)


def _mode_action(appliance: Appliance, mode: str) -> SetTrait | None:
    if appliance.modes and mode not in appliance.modes:
        return None
    return SetTrait(appliance.id, Trait.MODE, mode)


def _level_trait(appliance: Appliance) -> Trait | None:
    return next((trait for trait in LEVEL_TRAITS if trait in appliance.traits), None)


def _in_range(request: Request, action: SetTrait) -> bool:
    if isinstance(action.value, str | bool):
        return True
    if action.trait is Trait.TEMPERATURE:
        low, high = TARGET_TEMPERATURE_RANGE[request.world.home.temperature_unit]
        return low <= action.value <= high
    if action.trait is Trait.COLOR_TEMPERATURE:
        return 1000 <= action.value <= 12000
    return 0 <= action.value <= 100


def _set_reply(request: Request, target: Target, action: SetTrait) -> str:
    what = describe(request, target)
    if action.trait in (Trait.COLOR, Trait.MODE) and action.value not in NAMED_MODES:
        return request.say("set_color", what=what, color=action.value)
    if action.trait is Trait.MODE and action.value in NAMED_MODES:
        return request.say("set_mode", what=what, mode=action.value)
    key = {Trait.TEMPERATURE: "set_degrees", Trait.COLOR_TEMPERATURE: "set_kelvin"}.get(action.trait, "set_percent")
    return request.say(key, what=what, value=action.value)


def adjust(request: Request) -> Plan:
    """Step appliances up or down."""
    request = _continued(request)
    said = text(request, "trait")
    trait = Trait(said) if said else None
    kinds = KINDS_OF_TRAIT.get(trait, ()) if trait else ("light",)
    implicit = flag(request, "implicit")
    target = find(_without_kind(request) if implicit else request, _able_to_step(trait), kinds)
    if isinstance(target, Plan):
        return target
    if implicit and trait is Trait.BRIGHTNESS:
        return _lighten(request, target)
    return _step(request, target, trait)


def _continued(request: Request) -> Request:
    """ "A bit more" steps the same things again."""
    if not flag(request, "more"):
        return request
    slots = {**request.world.mentioned.slots, **request.command.slots}
    return replace(request, command=replace(request.command, slots=slots))


def _without_kind(request: Request) -> Request:
    """ "Make it brighter" is about what was mentioned, before it is about the lights of the room."""
    slots = {name: value for name, value in request.command.slots.items() if name != "kind"}
    return replace(request, command=replace(request.command, slots=slots))


def _able_to_step(trait: Trait | None) -> Able:
    return lambda appliance: _stepped_trait(appliance, trait) is not None


def _stepped_trait(appliance: Appliance, trait: Trait | None) -> Trait | None:
    wanted = trait or _level_trait(appliance)
    return wanted if wanted is not None and wanted in appliance.traits else None


def _lighten(request: Request, target: Target) -> Plan:
    """ "It is too dark": the lights that are on become brighter; when none is on, they go on."""
    lit = [appliance for appliance in target.appliances if appliance.state.get(Trait.ON)]
    if lit:
        return _step(request, target.only(lit), Trait.BRIGHTNESS)
    if _sign(request) < 0:
        return Plan(request.say("already_dark"))
    actions = tuple(SetTrait(appliance.id, Trait.ON, True) for appliance in target.appliances)
    return Plan(request.say("turned_on", what=describe(request, target)), actions)


def _step(request: Request, target: Target, trait: Trait | None) -> Plan:
    actions = []
    for appliance in target.appliances:
        stepped = _stepped_trait(appliance, trait)
        if stepped is not None:
            actions.append(AdjustTrait(appliance.id, stepped, _delta(request, stepped)))
    openings = tuple(SetTrait(each.appliance, each.trait, 1 if each.delta > 0 else 0) for each in actions)
    guard = guarded(request, target, openings)
    return guard or Plan(_step_reply(request, target, actions[0]), tuple(actions))


def _sign(request: Request) -> int:
    return -1 if text(request, "direction") == "down" else 1


def _delta(request: Request, trait: Trait) -> float:
    amount = next((value for slot in ("amount", "percent", "number") if (value := number(request, slot))), None)
    if amount is None:
        amount = STEPS[trait] * SIZES.get(text(request, "size") or "", 1.0)
        if trait is Trait.TEMPERATURE and request.world.home.temperature_unit == "F":
            amount *= FAHRENHEIT_PER_CELSIUS_STEP
    delta = abs(amount) * _sign(request)
    return int(delta) if float(delta).is_integer() else delta


def _step_reply(request: Request, target: Target, action: AdjustTrait) -> str:
    up = action.delta > 0
    key = {
        Trait.BRIGHTNESS: "brighter" if up else "dimmer",
        Trait.TEMPERATURE: "warmer" if up else "cooler",
        Trait.COLOR_TEMPERATURE: "whiter" if up else "yellower",
        Trait.POSITION: "opened_more" if up else "closed_more",
    }.get(action.trait, "raised" if up else "lowered")
    return request.say(key, what=describe(request, target))
