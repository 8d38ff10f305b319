"""Places that people name, and the time zone of each: one data file a language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import yaml
from rapidfuzz import fuzz, process

_FOLDER = Path(__file__).parent / "places"
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

MIN_LIKENESS = 80
"""Percent likeness from which a misheard place name counts as a known one."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place as said, and its IANA zone."""

    name: str
    zone: str


def find_place(asked: str, language: str) -> Place | None:
    """The place that goes by a name, or by nearly that name."""
    places = _places(language.split("-")[0])
    key = _folded(asked)
    if key in places:
        return places[key]
    qualified = _qualified(key, places)
    if qualified is not None:
        return Place(asked, qualified.zone)
    best = process.extractOne(key, places.keys(), scorer=fuzz.ratio, score_cutoff=MIN_LIKENESS)
    return places[best[0]] if best else None


def plain_place(asked: str, language: str) -> str:
    """A place as others know it: in its first case where it is one of the listed ones, else as it was said."""
    known = _places(language.split("-")[0]).get(_folded(asked))
    return known.name if known else asked


def _qualified(key: str, places: Mapping[str, Place]) -> Place | None:
    """ "paris france", "birmingham alabama": the first place, unless the second lies in another part of the world."""
    words = key.split()
    for cut in range(len(words) - 1, 0, -1):
        first, second = places.get(" ".join(words[:cut])), places.get(" ".join(words[cut:]))
        if first and second:
            same_area = first.zone.split("/")[0] == second.zone.split("/")[0]
            return first if same_area else second
    return None


@lru_cache(maxsize=32)
def _places(language: str) -> dict[str, Place]:
    """Folded name -> place, of one language's file; languages without one have the zones' own city names."""
    path = _FOLDER / f"{language}.yaml"
    if not path.is_file():
        path = _FOLDER / "en.yaml"
    zones = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)
    return {
        _folded(form): Place(forms[0], zone)
        for zone, names in zones.items()
        for forms in map(forms_of, names)
        for form in forms
    }


def forms_of(name: str) -> list[str]:
    """A name and its forms in other cases, which stand after bars; the first is the one to say."""
    return name.split("|")


def _folded(name: str) -> str:
    return " ".join(name.casefold().replace("'", "").replace(".", "").replace("-", " ").split())
