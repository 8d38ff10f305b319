"""How long understanding a sentence takes, beside hassil alone with Home Assistant's sentences in the same run."""

from __future__ import annotations

import gc
import json as json_text
import platform
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from hassil.intents import Intents, SlotList, TextSlotList
from hassil.recognize import recognize_best
from home_assistant_intents import get_intents

from entendre.core.home import Appliance, HomeSnapshot, ItemList, Room
from entendre.core.plan import DeviceView, World
from entendre.language.understander import Understander
from entendre.markets.home_assistant import base_sentences
from entendre.markets.loader import load_builtin_sentences, load_pack

SMALL, LARGE = 56, 556
ROOM_COUNT = 6
OURS_ROUNDS, HASSIL_ROUNDS = 21, 5
ROOMS = ("Kitchen", "Bedroom", "Living Room", "Bathroom", "Hallway", "Office")
THINGS = (
    "Ceiling Light", "Floor Lamp", "Desk Lamp", "Table Lamp", "Fan", "Heater", "Coffee Machine", "Window Blind",
    "Radio", "Night Light", "Humidifier",
)  # fmt: skip
SENTENCES = (
    "turn on the kitchen ceiling light",
    "turn off the bedroom floor lamp",
    "turn on the lights in the living room",
    "switch off the office desk lamp",
    "set the bedroom table lamp to 40 percent",
    "turn off all the lights",
    "lights on",
    "could you please turn on the hallway night light",
    "turn of the kitchen sealing light",
    "set a timer for ten minutes",
    "set a pizza timer for twelve minutes",
    "what is the weather like",
    "what time is it",
    "add milk to the shopping list",
    "turn off the kitchen radio and set a timer for five minutes",
    "who won the world cup",
    "tell me something about black holes",
    "the bathroom heater is really old now",
)
"""Exact commands, paraphrases, misheard words, two commands at once, and sentences that mean nothing here."""


def names(count: int) -> list[tuple[str, str]]:
    """`count` appliance names, each with its room."""
    made = []
    for index in range(count):
        room = ROOMS[index % ROOM_COUNT]
        number = index // (ROOM_COUNT * len(THINGS))
        thing = THINGS[index // ROOM_COUNT % len(THINGS)]
        made.append((f"{room} {thing} {number + 1}" if number else f"{room} {thing}", room))
    return made


def home_of(count: int) -> HomeSnapshot:
    """A home with `count` names, rooms included."""
    appliances = tuple(
        Appliance(f"thing_{index}", "light", {"en": (name,)}, room=room)
        for index, (name, room) in enumerate(names(count - ROOM_COUNT))
    )
    rooms = tuple(Room(room, {"en": (room,)}) for room in ROOMS)
    lists = (ItemList("shopping", {"en": ("Shopping list",)}),)
    return HomeSnapshot(rooms=rooms, appliances=appliances, lists=lists)


def _times_us(call: Callable[[str], object], rounds: int) -> list[float]:
    """Each sentence's median over the rounds, so that other work on the machine counts little."""
    for sentence in SENTENCES:
        call(sentence)
    gc.collect()
    times: dict[str, list[float]] = {sentence: [] for sentence in SENTENCES}
    for _ in range(rounds):
        for sentence in SENTENCES:
            started = time.perf_counter()
            call(sentence)
            times[sentence].append((time.perf_counter() - started) * 1e6)
    return [statistics.median(measured) for measured in times.values()]


def _ours(count: int) -> list[float]:
    home = home_of(count)
    own = load_builtin_sentences("en")
    base = base_sentences("en", {intent for file in own for intent in file.intents})
    understander = Understander(load_pack("en"), own if base is None else (*own, base), home)
    world = World(now=datetime(2026, 1, 5, 9, 0, tzinfo=UTC), home=home, device=DeviceView(room="Kitchen"))
    return _times_us(lambda sentence: understander.understand(sentence, world), OURS_ROUNDS)


def _hassil(count: int) -> list[float]:
    document = get_intents("en")
    assert document is not None
    intents = Intents.from_dict(document)
    tuples = [(name, name, {"domain": "light"}) for name, _ in names(count - ROOM_COUNT)]
    slot_lists: dict[str, SlotList] = {
        "name": TextSlotList.from_tuples(tuples, name="name"),
        "area": TextSlotList.from_strings(ROOMS, name="area"),
        "floor": TextSlotList.from_strings(["Upstairs"], name="floor"),
    }
    return _times_us(lambda sentence: recognize_best(sentence, intents, slot_lists=slot_lists), HASSIL_ROUNDS)


def _percentile(times: Sequence[float], share: float) -> float:
    return round(sorted(times)[min(len(times) - 1, int(len(times) * share))], 1)


def run(json: bool) -> dict[str, Any]:
    """Measure both; prints the figures, as JSON if `json`. Units: µs a sentence."""
    figures: dict[str, Any] = {"sentences": len(SENTENCES)}
    for count, suffix in ((LARGE, ""), (SMALL, f"_{SMALL}")):
        for owner, times in (("", _ours(count)), ("hassil_", _hassil(count))):
            figures[f"{owner}p50_us{suffix}"] = round(statistics.median(times), 1)
            figures[f"{owner}p99_us{suffix}"] = _percentile(times, 0.99)
    if json:
        print(json_text.dumps(figures))
    else:
        print(f"{platform.machine()}, Python {platform.python_version()}, {len(SENTENCES)} sentences")
        for name, value in figures.items():
            print(f"{name:>18}: {value}")
    return figures
