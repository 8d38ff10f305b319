"""The built-in demo home, for trying everything without an appliance."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from importlib.resources import files
from typing import Any

from entendre.core.home import HomeSnapshot
from entendre.core.tags import base_tag
from entendre.home.document import load_home

OWN_LANGUAGE = "en"


def demo_home(languages: Iterable[str] = ()) -> HomeSnapshot:
    """A family house of eight rooms, the yard and some thirty appliances, with names in these languages and English."""
    return _demo_home(tuple(dict.fromkeys(map(base_tag, languages))))


def demo_languages() -> tuple[str, ...]:
    """Languages in which the demo home has names."""
    folder = files("entendre.home") / "data" / "names"
    return (OWN_LANGUAGE, *sorted(each.name.removesuffix(".json") for each in folder.iterdir()))


@lru_cache(maxsize=16)
def _demo_home(languages: tuple[str, ...]) -> HomeSnapshot:
    folder = files("entendre.home") / "data"
    document = json.loads((folder / "demo.json").read_text(encoding="utf-8"))
    for language in languages:
        file = folder / "names" / f"{language}.json"
        if file.is_file():
            names = json.loads(file.read_text(encoding="utf-8"))
            for thing in _named(document):
                thing["names"] |= {language: names[thing["id"]]} if thing["id"] in names else {}
    return load_home(document)


def _named(document: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for kind in ("floors", "rooms", "appliances", "scenes", "lists"):
        yield from document[kind]
