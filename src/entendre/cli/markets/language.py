"""What a language lacks: files, sentences, replies, plural forms, words that are said, places, pages, the demo."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from entendre.cli.markets.finding import MISSING, NOTE, Check, Finding, document, guarded, package
from entendre.core.plan import World
from entendre.home.demo import demo_home
from entendre.language.formats import formatters
from entendre.language.plurals import plural_index
from entendre.markets.home_assistant import base_sentences
from entendre.markets.loader import load_pack
from entendre.markets.market import markets
from entendre.skills.planner import Planner
from entendre.skills.plugins import load_skills

REFERENCE = "en"
NEEDED = ("words", "numbers", "time", "names", "say")
UNITS = "unit"
CANONICAL = ("kinds", "colors", "units")
"""Tables of names.yaml whose keys are ours: each language has its words for all of them."""
FEWEST_ZONES = 40
"""With fewer, people ask for places that are not there."""
_MARK = re.compile(r"\{(\w+)(?::(\w+)(?:\(([^()]*)\))?)?\}")
_TEXT_MARK = re.compile(r"\{\w+\}")
_TODAY = date(2026, 11, 25)
SAMPLES: dict[str, tuple[Any, ...]] = {
    "number": (0, 1, 2, 5, 21, 1.5, -3, 1_234_567),
    "duration": (0, 1, 90, 3_600, 5_400, 90_061),
    "time": tuple(f"{hour:02}:{minute:02}" for hour in range(24) for minute in (0, 5, 15, 30, 45)),
    "ordinal": tuple(range(1, 32)),
    "percent": (0, 1, 50),
    "temperature": (-5, 0, 1, 21.5),
    "days": (("mon",), ("sat", "sun"), ("mon", "wed", "fri"), ("mon", "tue", "wed", "thu", "fri", "sat", "sun")),
    "list": (("a",), ("a", "b"), ("a", "b", "c")),
    "choice": (("a",), ("a", "b"), ("a", "b", "c")),
    "date": ("2026-11-25", "2026-11-26", "2026-11-24", "2026-11-29", "2026-12-31", "2027-02-01"),
    "full_date": ("2026-11-25", "2027-02-01"),
    "datetime": ("2026-11-25T07:30", "2026-11-26T15:00", "2027-02-01T00:00"),
    "weekday": ("mon", "tue", "wed", "thu", "fri", "sat", "sun"),
}
SCRIPTS = {"THAI": "th", "DEVANAGARI": "hi", "TAMIL": "ta", "CJK": "zh"}
"""Scripts that need fonts of their own, by the first word of their letters' Unicode names."""


def check_language(language: str) -> list[Finding]:
    """Everything that a language lacks beside English."""
    return [finding for check in CHECKS for finding in guarded(check, language)]


def is_begun(language: str) -> bool:
    """Whether somebody began to teach a language."""
    return (package() / f"markets/languages/{language}").is_dir()


def _missing(language: str, place: str, text: str) -> Finding:
    return Finding(language, MISSING, place, text)


def pack_files(language: str) -> Iterator[Finding]:
    """The files of the pack, and the words for what homes have in common."""
    folder = f"markets/languages/{language}"
    for name in NEEDED:
        if not (package() / f"{folder}/{name}.yaml").is_file():
            yield _missing(language, f"{folder}/{name}.yaml", "the file is not there")
    reference, names = document(f"markets/languages/{REFERENCE}/names.yaml"), document(f"{folder}/names.yaml")
    for table in CANONICAL:
        local = {unit for market in markets().values() for unit in market.units.local}
        lacking = sorted(set(reference.get(table) or ()) - set(names.get(table) or ()) - local)
        if names and lacking:
            severity = MISSING if table == "kinds" else NOTE
            yield Finding(language, severity, f"{folder}/names.yaml", f"{table} without words: {', '.join(lacking)}")


def spoken_values(language: str) -> Iterator[Finding]:
    """Every format that replies use, tried with values of every kind."""
    said = formatters(load_pack(language), _TODAY)
    for name, values in SAMPLES.items():
        for each in [name, *(found for found in said if found.startswith(f"{name}("))]:
            for value in values:
                try:
                    text = said[each](value)
                except Exception as error:
                    text = f"{type(error).__name__} {error}"
                    yield _missing(language, f"markets/languages/{language}/say.yaml", f"{each} of {value!r}: {text}")
                    break
                if not text.strip() or "{" in text:
                    yield _missing(language, f"markets/languages/{language}/say.yaml", f"{each} of {value!r}: {text!r}")
                    break


def skill_folders() -> list[str]:
    """Folders of skills, and of what the conversation says, that English has a file in."""
    folders = ((package() / "skills").iterdir(),)
    return sorted(each.name for group in folders for each in group if (each / f"{REFERENCE}.yaml").is_file())


def skills(language: str) -> Iterator[Finding]:
    """Each skill's sentences, replies and terms beside English."""
    for skill in skill_folders():
        place = f"skills/{skill}/{language}.yaml"
        yield from guarded(partial(_skill, skill, place), language, place)


def _skill(skill: str, place: str, language: str) -> Iterator[Finding]:
    if not (package() / place).is_file():
        yield _missing(language, place, "the file is not there")
        return
    english, own = document(f"skills/{skill}/{REFERENCE}.yaml"), document(place)
    yield from _intents(language, place, english, own)
    yield from _replies(language, place, english, own)
    yield from _terms(language, place, english, own)


def _intents(language: str, place: str, english: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Finding]:
    wanted = set(english.get("intents") or ())
    borrowed = base_sentences(language, wanted)
    has = set(own.get("intents") or ()) | set(borrowed.intents if borrowed is not None else ())
    for intent in sorted(wanted - has):
        yield _missing(language, place, f"no sentence for {intent}")


def _replies(language: str, place: str, english: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Finding]:
    theirs, ours = english.get("replies") or {}, own.get("replies") or {}
    for key in sorted(set(theirs) - set(ours)):
        yield _missing(language, place, f"no reply {key}")
    for key in sorted(set(ours) - set(theirs)):
        yield Finding(language, NOTE, place, f"reply {key} is said by nobody")
    for key in sorted(set(ours) & set(theirs)):
        for text in _variants(ours[key]):
            yield from _one_reply(language, f"{place}, {key}", _variants(theirs[key]), text)


def _variants(reply: object) -> list[str]:
    return [str(each) for each in reply] if isinstance(reply, list) else [str(reply)]


def _one_reply(language: str, place: str, english: list[str], text: str) -> Iterator[Finding]:
    wanted = {name for each in english for name, form, _ in _MARK.findall(each) if form != "plural"}
    may = {name for each in english for name, _, _ in _MARK.findall(each)}
    has = {name for name, _, _ in _MARK.findall(text)}
    for name in sorted(wanted - has):
        yield Finding(language, NOTE, place, f"{{{name}}} is not said")
    for name in sorted(has - may):
        yield _missing(language, place, f"{{{name}}} is not known in English")
    forms = plural_forms(language)
    for name, form, argument in _MARK.findall(text):
        if form == "plural" and len(argument.split("|")) != forms:
            yield _missing(
                language, place, f"{{{name}}} has {len(argument.split('|'))} plural forms, CLDR asks {forms}"
            )


def plural_forms(language: str) -> int:
    """How many forms of a word a language's numbers take."""
    return len({plural_index(language, count) for count in (*range(200), 0.5, 1.5)})


def _terms(language: str, place: str, english: Mapping[str, Any], own: Mapping[str, Any]) -> Iterator[Finding]:
    theirs, ours = english.get("terms") or {}, own.get("terms") or {}
    said = {arg or name for text in _all_replies(english) for name, form, arg in _MARK.findall(text) if form == "term"}
    local = {unit for market in markets().values() for unit in market.units.local}
    for table in sorted(set(theirs) & {*said, UNITS}):  # keys of the others are words of English
        lacking = sorted(map(str, set(theirs[table]) - set(ours.get(table) or ()) - local))
        if lacking:
            yield _missing(language, place, f"terms {table}: {', '.join(lacking)}")
        forms = plural_forms(language)
        for key, words in (ours.get(table) or {}).items():
            if table == UNITS and 1 < len(str(words).split("|")) < forms:
                yield _missing(language, place, f"terms {table}, {key}: {words!r} has not {forms} plural forms")


def _all_replies(file: Mapping[str, Any]) -> list[str]:
    return [text for reply in (file.get("replies") or {}).values() for text in _variants(reply)]


def places(language: str) -> Iterator[Finding]:
    """The places that people ask the time of."""
    place = f"skills/clock/places/{language}.yaml"
    if not (package() / place).is_file():
        yield _missing(language, place, "the file is not there")
        return
    known = document(place)
    unknown = sorted(set(known) - available_timezones())
    if unknown:
        yield _missing(language, place, f"no zones of the IANA database: {', '.join(unknown)}")
    if len(known) < FEWEST_ZONES:
        yield Finding(language, NOTE, place, f"only {len(known)} zones have a place")


def pages(language: str) -> Iterator[Finding]:
    """The words of the talk page and of the sign-in pages, and the fonts that they need."""
    letters = ""
    for folder, name in (("web/static", "text"), ("web/forms", "account")):
        place = f"{folder}/{name}.{language}.json"
        if not (package() / place).is_file():
            yield _missing(language, place, "the file is not there")
            continue
        english = json.loads((package() / f"{folder}/{name}.{REFERENCE}.json").read_text("utf-8"))
        own = json.loads((package() / place).read_text("utf-8"))
        letters += "".join(map(str, own.values()))
        for key in english:
            if not own.get(key):
                yield _missing(language, place, f"no text {key}")
            elif sorted(_TEXT_MARK.findall(str(own[key]))) != sorted(_TEXT_MARK.findall(str(english[key]))):
                yield _missing(language, place, f"{key} has other placeholders than English")
    style = (package() / "web/static/fonts.css").read_text("utf-8")
    for script in {unicodedata.name(each, "").split(" ")[0].split("-")[0] for each in letters} & set(SCRIPTS):
        if f":lang({SCRIPTS[script]})" not in style:
            yield _missing(language, "web/static/fonts.css", f"no fonts for {script.capitalize()}")


def demo(language: str) -> Iterator[Finding]:
    """The demo's commands and the talk page's examples, understood in the demo home."""
    place = f"cli/data/demo.{language}.json"
    sentences: dict[str, str] = {}
    if (package() / place).is_file():
        script = json.loads((package() / place).read_text("utf-8"))
        recorded = (each["text"] for each in script["recordings"])
        sentences |= dict.fromkeys((*recorded, *script["sentences"]), place)
    else:
        yield _missing(language, place, "the file is not there")
    page = f"web/static/text.{language}.json"
    if (package() / page).is_file():
        sentences |= dict.fromkeys(json.loads((package() / page).read_text("utf-8"))["examples"], page)
    home = demo_home([language])
    planner = Planner(load_skills([], {}), home, language)
    world = World(datetime.combine(_TODAY, time(12), ZoneInfo(home.time_zone)), home)
    for sentence, where in sentences.items():
        if not planner.understand(sentence, language, world).commands:
            yield _missing(language, where, f"is not understood: {sentence}")


CHECKS: tuple[Check, ...] = (pack_files, spoken_values, skills, places, pages, demo)
