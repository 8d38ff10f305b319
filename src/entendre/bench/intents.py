"""The test sentences of the project home-assistant/intents, from a checkout of it: our intent and slots of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path
from typing import Any

from entendre.core.actions import Trait
from entendre.core.errors import InvalidInputError
from entendre.core.home import Appliance, HomeSnapshot, ItemList, Room, Scene
from entendre.core.plan import DeviceView, World
from entendre.core.understanding import Command
from entendre.markets.home_assistant import KINDS, their_language
from entendre.markets.loader import languages as taught
from entendre.markets.loader import read_yaml
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
UNIT_S = {"hours": 3600, "minutes": 60, "seconds": 1}
COVERS = {"garage": "garage_door", "awning": "blind", "shade": "blind", "damper": "valve"}
SCENES, LISTS = ("scene",), ("todo",)
NOT_HERE = frozenset({"binary_sensor", "lawn_mower", "person", "script", "sensor", "weather"})
"""Domains of which there is nothing here: a test about one of them is left out."""
NO_APPLIANCES = frozenset({*SCENES, *LISTS, *NOT_HERE})


@dataclass(frozen=True)
class Case:
    """A sentence, and what it means by their words."""

    intent: str
    text: str
    slots: Mapping[str, Any]
    home: HomeSnapshot
    room: str | None
    is_here: bool = True


def cases(folder: Path) -> Iterator[Case]:
    """The sentences of a language's folder. Raises: InvalidInputError when there are none."""
    found = sorted(folder.glob("Hass*/*.yaml"))
    if not found:
        raise InvalidInputError(f"{folder} holds no tests; give a checkout of github.com/OHF-Voice/intents.")
    for path in found:
        document = read_yaml(path)
        home = home_of(document)
        entities = document.get("entities", ())
        for test in document["tests"]:
            slots, context = test.get("slots") or {}, test.get("context") or {}
            for sentence in test["sentences"]:
                yield Case(path.parent.name, sentence, slots, home, context.get("area"), _is_here(slots, entities))


def _is_here(slots: Mapping[str, Any], entities: Sequence[Mapping[str, Any]]) -> bool:
    """Whether a test is about things that there are here: not about where somebody is, nor what a script does."""
    domains = {str(each["domain"]) for each in entities}
    named = {str(each["domain"]) for each in entities if each["name"] == slots.get("name")}
    where = {str(each.get("state")) for each in entities if each["domain"] == "person"}
    at_a_place = "name" not in slots and str(slots.get("state")) in where
    return not (domains and domains <= NOT_HERE) and not (named and named <= NOT_HERE) and not at_a_place


def home_of(document: Mapping[str, Any]) -> HomeSnapshot:
    """The home of a test file; things are called by their names, which are their ids too."""
    entities = document.get("entities", ())
    areas = {str(area["name"]): area.get("floor") for area in document.get("areas", ())}
    areas |= {str(each["area"]): None for each in entities if "area" in each and each["area"] not in areas}
    floors = [str(floor["name"]) for floor in document.get("floors", ())]
    floors += [str(floor) for floor in areas.values() if floor]
    return HomeSnapshot(
        rooms=tuple(Room(name, {"": (name,)}, floor=floor) for name, floor in areas.items()),
        floors={name: {"": (name,)} for name in dict.fromkeys(floors)},
        appliances=tuple(_appliance(each) for each in entities if each["domain"] not in NO_APPLIANCES),
        scenes=tuple(Scene(each["name"], {"": (each["name"],)}) for each in entities if each["domain"] in SCENES),
        lists=(
            ItemList("shopping", {"en": ("Shopping list",)}),
            *(ItemList(each["name"], {"": (each["name"],)}) for each in entities if each["domain"] in LISTS),
        ),
    )


def _appliance(entity: Mapping[str, Any]) -> Appliance:
    name, domain = str(entity["name"]), str(entity["domain"])
    own = (entity.get("attributes") or {}).get("device_class")
    kind = COVERS.get(str(own), own) if domain == "cover" and own else KINDS.get(domain, ("sensor",))[0]
    return Appliance(name, str(kind), {"": (name,)}, room=entity.get("area"), traits=frozenset(Trait))


class Judge:
    """Compares what was understood with what was meant."""

    def __init__(self) -> None:
        document = read_yaml(files("entendre.bench") / "data" / "home_assistant_tests.yaml")
        self._intents: Mapping[str, Mapping[str, Any]] = document["intents"]
        self._values: Mapping[str, list[str]] = document["values"]

    def offered(self, case: Case) -> bool:
        """Whether there is an intent of ours for it, with all its slots."""
        target = self._intents.get(case.intent)
        return target is not None and case.is_here and not set(target.get("not_offered", ())) & set(case.slots)

    def right(self, case: Case, commands: tuple[Command, ...]) -> bool:
        """Whether one command with the intent and the slots was understood."""
        if len(commands) != 1 or commands[0].intent not in self._intents[case.intent]["intents"]:
            return False
        slots = commands[0].slots
        wanted = case.slots
        if not _placed(wanted, slots, case.home):
            return False
        seconds = sum(UNIT_S[unit] * int(wanted[unit]) for unit in UNIT_S if unit in wanted)
        if seconds and slots.get("duration", 0) != seconds:
            return False
        ours = {name: self._values[name] for name in wanted if name in self._values}
        return all(_has(slots, names, wanted[name]) for name, names in ours.items())


def _placed(wanted: Mapping[str, Any], slots: Mapping[str, Any], home: HomeSnapshot) -> bool:
    """Whether the thing and the place are those that are wanted."""
    if isinstance(wanted.get("name"), list):
        return any(_placed({**wanted, "name": each}, slots, home) for each in wanted["name"])
    rooms = {each.id: each.room for each in home.appliances}
    named = slots.get("appliance") or ()
    if "name" in wanted:
        known = str(wanted["name"])
        places = [slots.get(slot) for slot in ("scene", "list", "name")]
        only = [each.id for each in home.appliances if each.kind == slots.get("kind")] == [known]
        if known not in named and not only and not any(_same(place, known) for place in places if place):
            return False
    for slot in ("area", "floor"):
        if slot in wanted and slots.get("room") != wanted[slot]:
            inside = [rooms.get(each) for each in named]
            floors = {room.id: room.floor for room in home.rooms}
            if not inside or any(wanted[slot] not in (room, floors.get(str(room))) for room in inside):
                return False
    return True


def _has(slots: Mapping[str, Any], names: list[str], wanted: Any) -> bool:
    return any(_same(slots[name], wanted) for name in names if name in slots)


def _same(value: Any, wanted: Any) -> bool:
    if isinstance(wanted, list):
        return any(_same(value, each) for each in wanted)
    if isinstance(wanted, int | float) and isinstance(value, int | float):
        return float(value) == float(wanted)
    return str(value).casefold().strip() == str(wanted).casefold().strip()


def measure(checkout: Path, language: str, planner: Planner) -> dict[str, Any]:
    """The share of a language's test sentences that are understood, and some that are not."""
    judge, counts, missed = Judge(), Counter[str](), []
    last: HomeSnapshot | None = None
    for case in cases(checkout / "tests" / their_language(language)):
        if not judge.offered(case):
            counts["not_offered"] += 1
            continue
        if case.home is not last:
            planner.set_home(case.home)
            last = case.home
        world = World(now=NOW, home=case.home, device=DeviceView(id="speaker", room=case.room))
        commands = planner.understand(case.text, language, world).commands
        right = judge.right(case, commands)
        counts["right" if right else "wrong" if commands else "none"] += 1
        if not right:
            read = "; ".join(f"{each.intent} {each.slots}" for each in commands)
            missed.append(f"{case.intent} {dict(case.slots)}: {case.text} -> {read or 'nothing'}")
    total = counts["right"] + counts["wrong"] + counts["none"]
    return {**counts, "share": round(counts["right"] / total, 4) if total else None, "missed": missed}


def measure_all(checkout: Path, chosen: list[str]) -> dict[str, Any]:
    """Measure the chosen languages, or all that both sides know."""
    known = [tag for tag in taught() if (checkout / "tests" / their_language(tag)).is_dir()]
    planner = Planner(load_skills(), HomeSnapshot())
    return {tag: measure(checkout, tag, planner) for tag in chosen or known}
