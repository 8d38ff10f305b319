"""A home as data: rooms, appliances and their traits, scenes, lists. The graph that holds it lives in `home/`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from entendre.core.actions import Trait, TraitValue
from entendre.core.scripts import script_of, written_in

HOME = "home"
"""The id of the household, and of the brand, that a server has without having been given others."""

Names = Mapping[str, tuple[str, ...]]
"""Language tag -> names, first the one to say. The tag "" holds names for every language."""


@dataclass(frozen=True, slots=True)
class Room:
    """A room or an area; `floor` groups rooms ("upstairs")."""

    id: str
    names: Names
    floor: str | None = None


@dataclass(frozen=True, slots=True)
class Appliance:
    """Anything that can be controlled or asked.

    `kind`: light, switch, outlet, fan, blind, curtain, shutter, garage_door, gate, door, window, lock, thermostat,
    air_conditioner, heater, humidifier, tv, speaker, media_player, vacuum, valve, camera, sensor, appliance.
    """

    id: str
    kind: str
    names: Names
    room: str | None = None
    traits: frozenset[Trait] = frozenset()
    modes: tuple[str, ...] = ()
    state: Mapping[Trait, TraitValue] = field(default_factory=dict)
    available: bool = True


@dataclass(frozen=True, slots=True)
class Scene:
    """A named set of states that the home can take: `states` maps an appliance's id to what it becomes.

    A scene that another system keeps (MQTT) has no states here.
    """

    id: str
    names: Names
    room: str | None = None
    states: Mapping[str, Mapping[Trait, TraitValue]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ItemList:
    """A list of the household with its items in the order added."""

    id: str
    names: Names
    items: tuple[str, ...] = ()
    done: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Station:
    """A radio station, or anything else that plays from an address (http or https)."""

    id: str
    names: Names
    url: str


@dataclass(frozen=True, slots=True)
class HomeSnapshot:
    """The home at one moment; planning reads it and never changes it. `country`: ISO 3166, where it is known."""

    rooms: tuple[Room, ...] = ()
    appliances: tuple[Appliance, ...] = ()
    scenes: tuple[Scene, ...] = ()
    lists: tuple[ItemList, ...] = ()
    media: tuple[Station, ...] = ()
    floors: Mapping[str, Names] = field(default_factory=dict)
    temperature_unit: str = "C"
    time_zone: str = "UTC"
    place: str | None = None
    country: str | None = None


def name_in(names: Names, language: str) -> str:
    """The name to say in a language: of its tag or base tag, else any; one in its script before others."""
    for tag in (language, language.split("-")[0]):
        if names.get(tag):
            return names[tag][0]
    others = all_names({tag: names[tag] for tag in ("", *names) if tag in names})
    script = written_in(language)
    return next((name for name in others if script_of(name) == script), next(iter(others), ""))


def plain_name(name: str) -> str:
    """A name without what people vary when they write it: case, hyphens, underscores, apostrophes, spaces."""
    return " ".join(name.casefold().replace("-", " ").replace("_", " ").replace("'", "").split())


def all_names(names: Names) -> tuple[str, ...]:
    """Every name in every language, in order, once."""
    return tuple(dict.fromkeys(name for group in names.values() for name in group))
