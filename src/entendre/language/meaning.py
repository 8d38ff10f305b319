"""What a reading means: its template's intent, and its slots with canonical values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entendre.core.home import Appliance, all_names
from entendre.core.plan import World
from entendre.core.understanding import Command
from entendre.language.dates import Days
from entendre.language.grammar import OPEN, Template
from entendre.language.moments import DateValue, Moment, clock_on
from entendre.language.search import Reading, Step
from entendre.language.times import ClockTime
from entendre.language.tokens import Tokens

CONTEXT_BONUS = 0.03
CLEAR_COST = 0.12


@dataclass(frozen=True, slots=True)
class Meaning:
    """One command with what it cost to understand.

    `exact`: nothing was repaired; `ends_used`: its last word was not just skipped.
    """

    command: Command
    cost: float
    exact: bool
    template: Template
    steps: tuple[Step, ...]
    word_count: int
    ends_used: bool = True

    @property
    def ends_open(self) -> bool:
        """Whether its last words are an open slot."""
        last = self.steps[-1] if self.steps else None
        return last is not None and last.slot.kind == OPEN and last.found.end == self.word_count

    @property
    def is_open(self) -> bool:
        """Whether any of its slots takes any words."""
        return any(step.slot.kind == OPEN for step in self.steps)

    @property
    def is_sure(self) -> bool:
        """Whether it is what was said, word for word, and no words of it are free."""
        return self.exact and self.ends_used and self.cost <= CLEAR_COST and not self.is_open


def holds(requires: Mapping[str, Any], world: World) -> bool:
    """Whether a block's context is met."""
    return all(_met(key, wanted, world) for key, wanted in requires.items())


def _met(key: str, wanted: Any, world: World) -> bool:
    if key == "kind":
        return True
    if key == "measures":
        return _measures(wanted, world)
    if key == "intent":
        return world.mentioned.intent in ([wanted] if isinstance(wanted, str) else wanted)
    if key == "question" and not isinstance(wanted, bool):
        return world.mentioned.question in ([wanted] if isinstance(wanted, str) else wanted)
    read = _CONTEXT.get(key)
    return read is not None and bool(read(world)) == bool(wanted)


def _measures(wanted: Any, world: World) -> bool:
    """Whether the home knows a measured value, in a place or by a name that has one of some words if they are given."""
    trait, words = (wanted["trait"], wanted.get("called")) if isinstance(wanted, Mapping) else (wanted, None)
    rooms = {room.id: all_names(room.names) for room in world.home.rooms}
    return any(
        each.state.get(trait) is not None
        and (words is None or _called(words, *all_names(each.names), *rooms.get(each.room or "", ())))
        for each in world.home.appliances
    )


def _called(words: Sequence[str], *names: str) -> bool:
    return any(word in name.casefold().split() for name in names for word in words)


_CONTEXT: dict[str, Callable[[World], object]] = {
    "ringing": lambda world: any(it.ringing for it in world.timers) or any(it.ringing for it in world.alarms),
    "playing": lambda world: world.device.playing,
    "speaking": lambda world: world.device.speaking,
    "timers": lambda world: world.timers,
    "alarms": lambda world: world.alarms,
    "reminders": lambda world: world.reminders,
    "mentioned": lambda world: world.mentioned.appliances,
    "room": lambda world: world.device.room,
    "question": lambda world: world.mentioned.question,
}


def slots_of(steps: Sequence[Step], tokens: Tokens, world: World) -> dict[str, Any]:
    """The canonical slots of a reading, without its template's fixed ones."""
    slots: dict[str, Any] = {}
    day = next((step.found.value for step in steps if isinstance(step.found.value, DateValue)), None)
    repeated = next((step.found.value for step in steps if isinstance(step.found.value, Days)), None)
    repeats = any(step.slot.kind == "days" for step in steps)
    for step in steps:
        name, value = step.slot.name, step.found.value
        if step.slot.kind == OPEN:
            slots[name] = tokens.between(step.start, step.found.end)
        elif isinstance(value, ClockTime):
            half = day.half if day else repeated.half if repeated else None
            slots[name] = clock_on(value, world.now, day, repeats, half)
            if value.ambiguous and half is None:
                slots[f"{name}_ambiguous"] = True
        elif isinstance(value, Moment):
            slots[name] = value.text
            if value.ambiguous:
                slots[f"{name}_ambiguous"] = True
        elif isinstance(value, Days):
            slots[name] = list(value.days)
        elif isinstance(value, DateValue):
            slots[name] = value.day.isoformat()
            if value.part is not None:
                slots[f"{name}_part"] = value.part
        else:
            slots[name] = value
    return slots


def _summed(slots: dict[str, Any], sums: Mapping[str, Mapping[str, float]]) -> dict[str, Any]:
    """Slots with those that are added up taken together: hours and minutes as one duration."""
    for name, factors in sums.items():
        parts = [float(slots.pop(part)) * factor for part, factor in factors.items() if part in slots]
        if parts:
            slots[name] = round(sum(parts))
    return slots


def _kinds(requires: Mapping[str, Any]) -> frozenset[str] | None:
    kinds = requires.get("kind")
    return None if kinds is None else frozenset([kinds] if isinstance(kinds, str) else kinds)


def narrow(slots: dict[str, Any], world: World, kinds: frozenset[str] | None = None) -> bool:
    """Decide between appliances that share a name, by kind, then room; False if none is left of those kinds."""
    if kinds is not None and slots.get("kind", next(iter(kinds))) not in kinds:
        return False
    ids = slots.get("appliance")
    if not isinstance(ids, list):
        return True
    known = {appliance.id: appliance for appliance in world.home.appliances if appliance.id in ids}
    chosen = [known[identifier] for identifier in ids if identifier in known]
    if kinds is not None:
        chosen = [appliance for appliance in chosen if appliance.kind in kinds]
        if not chosen:
            return False
    if len(chosen) > 1 and set(ids) != set(world.mentioned.appliances):
        chosen = _in_room(chosen, slots.get("room"), world) or _in_room(chosen, world.device.room, world) or chosen
    slots["appliance"] = [appliance.id for appliance in chosen]
    return True


def _in_room(chosen: Sequence[Appliance], room: Any, world: World) -> list[Appliance]:
    floors = {entry.id: entry.floor for entry in world.home.rooms}
    return [
        appliance
        for appliance in chosen
        if room is not None and (appliance.room == room or floors.get(appliance.room or "") == room)
    ]


def meaning_of(
    reading: Reading, templates: Sequence[Template], tokens: Tokens, world: World, *, exact: bool
) -> Meaning | None:
    """The best meaning of a reading whose context is met."""
    best: Meaning | None = None
    steps = reading.slots()
    for accept in reading.state.accepts:
        template = templates[accept]
        block = template.block
        cost = reading.cost + block.cost - (CONTEXT_BONUS if block.requires else 0.0)
        if (
            (best is not None and cost >= best.cost)
            or template.excludes.within(tokens.words)
            or not holds(block.requires, world)
        ):
            continue
        doubt = reading.cost + max(0.0, block.cost) - sum(min(0.0, step.found.cost) for step in steps)
        slots = _summed(slots_of(steps, tokens, world), block.sums)
        if not narrow(slots, world, _kinds(block.requires)):
            continue
        command = Command(
            intent=block.intent,
            slots=slots | dict(block.slots),
            confidence=round(max(0.0, min(1.0, 1.0 - doubt)), 3),
            text=tokens.between(0, len(tokens.words)),
            skill=template.skill,
        )
        used = reading.used == len(tokens.words)
        best = Meaning(command, cost, exact, template, tuple(steps), len(tokens.words), used)
    return best
