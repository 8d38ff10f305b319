"""What a market lacks: languages that can be understood, voices, ears, wake words, words for its money and units."""

from __future__ import annotations

from collections.abc import Iterator

from entendre.cli.markets.finding import MISSING, NOTE, Check, Finding, document, guarded
from entendre.cli.markets.language import is_begun, plural_forms
from entendre.core.tags import base_tag
from entendre.language.numbers import tidy
from entendre.markets.loader import load_pack
from entendre.markets.market import FILE, Market, markets
from entendre.skills.calculator.units import UNITS
from entendre.speech.catalogue import catalogue
from entendre.speech.wake_models import wake_models

FLOOR = "espeak-ng"


def check_market(market: Market) -> list[Finding]:
    """Everything that a market lacks, beside what its languages lack."""
    return [finding for check in CHECKS for finding in guarded(check, market.code)]


def _place(code: str) -> str:
    return f"markets/{code.lower()}/{FILE}"


def _missing(code: str, key: str, text: str) -> Finding:
    return Finding(code, MISSING, f"{_place(code)}, {key}", text)


def _note(code: str, key: str, text: str) -> Finding:
    return Finding(code, NOTE, f"{_place(code)}, {key}", text)


def _bases(code: str) -> list[str]:
    return [base_tag(tag) for tag in markets()[code].languages]


def voices(code: str) -> Iterator[Finding]:
    """Each language's voices are in the catalogue and speak it."""
    models = {model.name: model for model in catalogue() if model.kind == "voice"}
    for tag, language in markets()[code].languages.items():
        key = f"languages.{tag}.voices"
        for name in language.voices:
            if name not in models:
                yield _missing(code, key, f"{name} is not in the catalogue")
            elif not models[name].speaks(tag):
                yield _missing(code, key, f"{name} does not speak {tag}")
        if not language.voices:
            yield _missing(code, key, "no voice")
        elif language.voices == (FLOOR,):
            yield _note(code, key, f"only {FLOOR}, a floor")


def ears(code: str) -> Iterator[Finding]:
    """Something hears each language, and how well."""
    for tag in markets()[code].languages:
        heard = [model for model in catalogue() if model.kind == "recognizer" and model.speaks(tag)]
        if not heard:
            yield _missing(code, f"languages.{tag}", "no recognizer of the catalogue hears it")
        elif heard[0].is_weak_in(tag):
            others = [model.name for model in heard if not model.is_weak_in(tag)]
            yield _note(
                code, f"languages.{tag}", f"{heard[0].name} hears it badly; others that know it: {' '.join(others)}"
            )


def wake_words(code: str) -> Iterator[Finding]:
    """Each language's wake words are installed, and were trained on its speakers."""
    known = {model.id: model for model in wake_models()}
    for tag, language in markets()[code].languages.items():
        key = f"languages.{tag}.wake_words"
        if not language.wake_words:
            yield _missing(code, key, "no wake word")
        unknown = [word for word in language.wake_words if known and word not in known]
        if unknown:
            yield _missing(code, key, f"not in the catalogue: {', '.join(unknown)}")
        if known and not any(base_tag(tag) in known[word].languages for word in language.wake_words if word in known):
            yield _note(code, key, f"none was trained on speakers of {base_tag(tag)}")


def packs(code: str) -> Iterator[Finding]:
    """Each language is taught, and writes numbers as its country does."""
    market = markets()[code]
    for tag in market.languages:
        if not is_begun(base_tag(tag)):
            yield _missing(code, f"languages.{tag}", "nobody taught it")
            continue
        mark = str(load_pack(tag).say["numbers"]["decimal_mark"])
        if mark != market.formats.decimal_mark:
            yield _note(code, "formats.decimal_mark", f"{tag} is said with {mark!r}")


def money(code: str) -> Iterator[Finding]:
    """The currency has a name in each language, in as many forms as its numbers take."""
    spoken = markets()[code].currency.spoken
    for base in dict.fromkeys(_bases(code)):
        if base not in spoken:
            yield _missing(code, "currency.spoken", f"no name in {base}")
        elif (forms := len(spoken[base].split("|"))) != plural_forms(base):
            yield _missing(code, f"currency.spoken.{base}", f"{forms} plural forms, CLDR asks {plural_forms(base)}")


def units(code: str) -> Iterator[Finding]:
    """The calculator has a word for each unit of the country in one of its languages."""
    words = [document(f"skills/calculator/{base}.yaml").get("terms", {}).get("unit", {}) for base in _bases(code)]
    for unit in markets()[code].units.local:
        if unit not in UNITS:
            yield _missing(code, "units.local", f"the calculator does not know {unit}")
        elif not any(unit in each for each in words):
            yield _note(code, "units.local", f"the calculator has no word for {unit} in any language of the country")


def number_words(code: str) -> Iterator[Finding]:
    """Number words of the country are understood in one of its languages."""
    known: dict[str, float] = {}
    for base in _bases(code):
        if is_begun(base):
            known |= load_pack(base).numbers.multipliers
    for word, value in markets()[code].numbers.items():
        if tidy(known.get(word, -1)) != value:
            yield _note(code, f"numbers.{word}", "no language of the country counts with it")


CHECKS: tuple[Check, ...] = (packs, voices, ears, wake_words, money, units, number_words)
