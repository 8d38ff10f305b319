"""What each trait's value may be, and which traits each kind of appliance has when its document names none."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from entendre.core.actions import Trait, TraitValue

MAX_TEXT_CHARS = 64
"""Longest mode or colour; keeps a peer's text from growing the home without bound."""


@dataclass(frozen=True, slots=True)
class TraitRule:
    """The values of one trait. `initial` is where a simulated appliance starts; None means unknown."""

    type: Literal["boolean", "number", "string"]
    minimum: float | None = None
    maximum: float | None = None
    writable: bool = True
    initial: TraitValue | None = None


_SWITCH = TraitRule("boolean", initial=False)
_PERCENT = TraitRule("number", 0, 100)

RULES: dict[Trait, TraitRule] = {
    Trait.ON: _SWITCH,
    Trait.BRIGHTNESS: TraitRule("number", 0, 100, initial=100),
    Trait.COLOR: TraitRule("string"),
    Trait.COLOR_TEMPERATURE: TraitRule("number", 1000, 12000),
    Trait.TEMPERATURE: TraitRule("number", -50, 150),
    Trait.CURRENT_TEMPERATURE: TraitRule("number", -100, 250, writable=False),
    Trait.HUMIDITY: TraitRule("number", 0, 100, initial=50),
    Trait.CURRENT_HUMIDITY: TraitRule("number", 0, 100, writable=False),
    Trait.MODE: TraitRule("string"),
    Trait.POSITION: TraitRule("number", 0, 100, initial=0),
    Trait.LOCKED: TraitRule("boolean", initial=True),
    Trait.SPEED: TraitRule("number", 0, 100, initial=50),
    Trait.OSCILLATING: _SWITCH,
    Trait.VOLUME: TraitRule("number", 0, 100, initial=30),
    Trait.MUTED: _SWITCH,
    Trait.PLAYING: _SWITCH,
    Trait.CLEANING: _SWITCH,
    Trait.OPEN: TraitRule("boolean", writable=False, initial=False),
    Trait.MOTION: TraitRule("boolean", writable=False, initial=False),
    Trait.BATTERY: TraitRule("number", 0, 100, writable=False),
    Trait.POWER: TraitRule("number", None, None, writable=False),
}

INITIAL_TEMPERATURE = {"C": 20, "F": 68}
"""Target of a simulated thermostat whose document gives none."""

TEMPERATURE_RANGE = {"C": (5.0, 35.0), "F": (41.0, 95.0)}
"""Targets that a step may reach; what a person asks for by number is bounded by the rule only."""

_COVER = (Trait.POSITION,)
_MEDIA = (Trait.ON, Trait.VOLUME, Trait.MUTED, Trait.PLAYING)
_CLIMATE = (Trait.TEMPERATURE, Trait.CURRENT_TEMPERATURE, Trait.MODE)

KIND_TRAITS: dict[str, tuple[Trait, ...]] = {
    "light": (Trait.ON, Trait.BRIGHTNESS, Trait.COLOR, Trait.COLOR_TEMPERATURE),
    "switch": (Trait.ON,),
    "outlet": (Trait.ON,),
    "fan": (Trait.ON, Trait.SPEED, Trait.OSCILLATING),
    "blind": _COVER,
    "curtain": _COVER,
    "shutter": _COVER,
    "garage_door": _COVER,
    "gate": _COVER,
    "door": (Trait.OPEN,),
    "window": (Trait.OPEN,),
    "lock": (Trait.LOCKED,),
    "thermostat": _CLIMATE,
    "air_conditioner": (Trait.ON, *_CLIMATE, Trait.SPEED),
    "heater": (Trait.ON, Trait.TEMPERATURE),
    "humidifier": (Trait.ON, Trait.HUMIDITY, Trait.CURRENT_HUMIDITY),
    "tv": _MEDIA,
    "speaker": (Trait.VOLUME, Trait.MUTED, Trait.PLAYING),
    "media_player": _MEDIA,
    "vacuum": (Trait.CLEANING, Trait.BATTERY),
    "valve": _COVER,
    "camera": (Trait.ON,),
    "sensor": (),
    "appliance": (Trait.ON,),
}

KIND_MODES: dict[str, tuple[str, ...]] = {
    "thermostat": ("heat", "cool", "auto", "off"),
    "air_conditioner": ("cool", "heat", "dry", "fan_only", "auto", "off"),
}

SECURITY_KINDS = frozenset({"lock", "garage_door", "gate", "door"})
"""Kinds whose opening or unlocking lets people in."""


def canonical(trait: Trait, value: object) -> TraitValue:
    """A value in the trait's own type, whole numbers as int.

    Raises: ValueError with what is allowed.
    """
    rule = RULES[trait]
    if rule.type == "boolean":
        if not isinstance(value, bool):
            raise ValueError("must be true or false")
        return value
    if rule.type == "string":
        if not isinstance(value, str) or not value.strip() or len(value) > MAX_TEXT_CHARS:
            raise ValueError(f"must be a text of 1 to {MAX_TEXT_CHARS} characters")
        return value.strip().lower()
    return _number(rule, value)


def _number(rule: TraitRule, value: object) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
        raise ValueError("must be a number")
    low, high = rule.minimum, rule.maximum
    if low is not None and high is not None and not low <= value <= high:
        raise ValueError(f"must be between {low:g} and {high:g}")
    return whole(value)


def whole(value: float) -> int | float:
    """A whole number as int, any other rounded to one decimal."""
    rounded = round(float(value), 1)
    return int(rounded) if rounded.is_integer() else rounded


def bounds(trait: Trait, unit: str) -> tuple[float, float]:
    """The range that a relative step stays in."""
    if trait is Trait.TEMPERATURE:
        return TEMPERATURE_RANGE[unit]
    rule = RULES[trait]
    low = rule.minimum if rule.minimum is not None else float("-inf")
    high = rule.maximum if rule.maximum is not None else float("inf")
    return low, high


def initial_value(trait: Trait, modes: Iterable[str], unit: str) -> TraitValue | None:
    """Where a simulated appliance's trait starts; None if nothing is known."""
    if trait is Trait.MODE:
        return next(iter(modes), None)
    if trait is Trait.TEMPERATURE:
        return INITIAL_TEMPERATURE[unit]
    return RULES[trait].initial


def implied(trait: Trait, value: TraitValue, traits: frozenset[Trait]) -> dict[Trait, TraitValue]:
    """What setting a trait brings with it: a light that is dimmed is on, one at 0 % is off."""
    if Trait.ON not in traits:
        return {}
    if trait in (Trait.BRIGHTNESS, Trait.SPEED) and isinstance(value, int | float):
        return {Trait.ON: value > 0}
    if trait in (Trait.COLOR, Trait.COLOR_TEMPERATURE) or (trait is Trait.PLAYING and value):
        return {Trait.ON: True}
    if trait is Trait.MODE:
        return {Trait.ON: value != "off"}
    return {}
