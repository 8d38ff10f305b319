"""Time to understand a sentence in every language, in a home of many names, and the memory of all of them."""

from __future__ import annotations

import gc
import statistics
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from entendre.core.errors import InvalidInputError
from entendre.core.home import Appliance, HomeSnapshot
from entendre.core.plan import DeviceView, World
from entendre.home.document import load_home
from entendre.markets.loader import languages as taught
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

NAMES = 500
ROUNDS = 7
NOW = datetime(2026, 11, 25, 10, 0, tzinfo=UTC)
PAGE_BYTES = 4096
ENGLISH_HOME = "loft"


def sentences(folder: Path, language: str) -> Iterator[tuple[str, str]]:
    """Each sentence of a language's sets, with the room it is said in."""
    for path in sorted(folder.glob(f"{language}*.txt")):
        for line in path.read_text("utf-8").splitlines():
            if line and not line.startswith("#"):
                place, _, rest = line.partition(": ")
                yield place.split()[-1], rest.partition(" => ")[0]


def home_of(folder: Path, language: str) -> HomeSnapshot:
    """The language's home with its appliances again and again, numbered, until there are enough names."""
    path = folder / f"{language}.json"
    home = load_home(path if path.is_file() else folder / f"{ENGLISH_HOME}.json")
    named = [each for each in home.appliances if each.names]
    more: list[Appliance] = []
    for index in range(NAMES - len(named)):
        each, number = named[index % len(named)], index // len(named) + 2
        names = {tag: tuple(f"{name} {number}" for name in group) for tag, group in each.names.items()}
        more.append(replace(each, id=f"{each.id}_{number}", names=names))
    return replace(home, appliances=(*home.appliances, *more))


def resident_bytes() -> int:
    """This process's memory. Source: proc(5), statm."""
    return int(Path("/proc/self/statm").read_text("ascii").split()[1]) * PAGE_BYTES


def times_ms(planner: Planner, folder: Path, language: str) -> list[float]:
    """The median time of each sentence in rounds through all of them, so that none is remembered from just before."""
    home = home_of(folder, language)
    planner.set_home(home)
    cases = [
        (sentence, World(now=NOW, home=home, device=DeviceView(id="speaker", room=room)), list[float]())
        for room, sentence in sentences(folder, language)
    ]
    for first_round in (True, *[False] * ROUNDS):
        for sentence, world, taken in cases:
            started = time.perf_counter()
            planner.understand(sentence, language, world)
            if not first_round:
                taken.append((time.perf_counter() - started) * 1e3)
    return [statistics.median(taken) for _, _, taken in cases]


def measure(folder: Path, chosen: list[str]) -> dict[str, Any]:
    """Milliseconds a sentence by language, and mebibytes of all of them: loaded, and with their homes after all that.

    Raises: InvalidInputError when there are no sentences.
    """
    tags = chosen or [tag for tag in taught() if (folder / f"{tag}.txt").is_file()]
    if not tags:
        raise InvalidInputError(f"{folder} holds no <language>.txt; run this in a checkout, or say --sentences FOLDER.")
    skills = load_skills()
    gc.collect()
    before = resident_bytes()
    planner = Planner(skills, HomeSnapshot())
    nowhere = World(now=NOW, home=HomeSnapshot(), device=DeviceView(id="speaker"))
    for tag in tags:
        planner.understand("", tag, nowhere)
    gc.collect()
    loaded = resident_bytes()
    figures: dict[str, Any] = {}
    for tag in tags:
        times = sorted(times_ms(planner, folder, tag))
        figures[tag] = {
            "sentences": len(times),
            "p50_ms": round(statistics.median(times), 3),
            "p99_ms": round(times[min(len(times) - 1, int(len(times) * 0.99))], 3),
            "max_ms": round(times[-1], 3),
        }
    gc.collect()
    return {
        "names": NAMES,
        "languages": figures,
        "loaded_mib": round((loaded - before) / 2**20, 1),
        "used_mib": round((resident_bytes() - before) / 2**20, 1),
    }
