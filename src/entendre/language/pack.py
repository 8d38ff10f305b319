"""One language as data: how its text becomes words, and how it says numbers, times and what homes have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

Phrases = tuple[str, ...]


@dataclass(frozen=True)
class WordData:
    """How text becomes words, which may be skipped, and which are taken for one another.

    `tokens_a_word`: 1 where words are joined by spaces; more where they are written together, in smaller tokens.
    """

    token_pattern: str
    tokens_a_word: int = 1
    case: Mapping[str, str] = field(default_factory=dict)
    folded: Mapping[str, str] = field(default_factory=dict)
    replacements: tuple[tuple[str, str], ...] = ()
    contractions: Mapping[str, str] = field(default_factory=dict)
    inflections: tuple[tuple[str, ...], ...] = ()
    inflected: frozenset[str] = frozenset()
    fillers: Phrases = ()
    greetings: frozenset[str] = frozenset()
    called: Phrases = ()
    light: Mapping[str, float] = field(default_factory=dict)
    required_light: frozenset[str] = frozenset()
    dangling: Phrases = ()
    dangling_unless_whole: frozenset[str] = frozenset()
    never_ends: frozenset[str] = frozenset()
    never_begins_open: frozenset[str] = frozenset()
    subjects: frozenset[str] = frozenset()
    closing: frozenset[str] = frozenset()
    value_leads: frozenset[str] = frozenset()
    conjunctions: Phrases = ()
    pauses: Phrases = ()
    plural_endings: tuple[tuple[str, str], ...] = ()
    possessive: Phrases = ()
    confusions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    ends_misheard: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    confusion_cost: float = 0.14
    verb_forms: tuple[tuple[str, str], ...] = ()
    verb_form_cost: float = 0.05
    phonetics: tuple[tuple[str, str], ...] = ()
    phonetic_cost: float = 0.15
    spelling_cost: float = 0.25
    yes: Phrases = ()
    no: Phrases = ()
    all_of_them: Phrases = ()
    follow_up_lead: Phrases = ()
    follow_up_tail: Phrases = ()
    one_more_tail: Phrases = ()
    follow_up_small: Phrases = ()
    known: frozenset[str] = frozenset()
    syllables: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """How the characters of a script with many homophones may sound; none elsewhere."""


@dataclass(frozen=True)
class NumberData:
    """How numbers, fractions, percentages, temperatures and ordinals are said.

    `ones` are digits, `values` all other words that add, `multipliers` multiply what stands before them;
    `lone_multipliers` do so without anything before them. `short_tail`: a last digit counts tenths of the unit before
    it. `digits` count only in strings of digits. `joiner_after`: the least unit after which a joiner may stand.
    `ends`: words after which a number is over, such as those with a case ending.
    """

    ones: Mapping[str, int]
    values: Mapping[str, int]
    multipliers: Mapping[str, int] = field(default_factory=dict)
    lone_multipliers: Phrases = ()
    digits: Mapping[str, int] = field(default_factory=dict)
    joiner: Phrases = ()
    joiner_after: int = 10
    ends: Phrases = ()
    short_tail: bool = False
    minus: Phrases = ()
    point: Phrases = ()
    articles: Phrases = ()
    decimal_mark: str = "."
    group_mark: str = ","
    phrases: Mapping[str, float] = field(default_factory=dict)
    fraction_leads: Mapping[str, float] = field(default_factory=dict)
    fraction_tails: Mapping[str, float] = field(default_factory=dict)
    percent_lead: Phrases = ()
    percent_words: Phrases = ()
    percent_phrases: Mapping[str, float] = field(default_factory=dict)
    temperature: Mapping[str, Phrases] = field(default_factory=dict)
    ordinals: Mapping[str, int] = field(default_factory=dict)
    ordinal_prefixes: Phrases = ()
    ordinal_suffixes: Phrases = ()
    sound_alike: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True)
class LanguagePack:
    """Everything that the engine knows of one language. `time`, `names` and `say` keep the shape of their files."""

    language: str
    words: WordData
    numbers: NumberData
    time: Mapping[str, Any]
    names: Mapping[str, Any]
    say: Mapping[str, Any]
    rules: Mapping[str, str] = field(default_factory=dict)


def pack_from_documents(language: str, documents: Mapping[str, Mapping[str, Any]]) -> LanguagePack:
    """A pack from `words`, `numbers`, `time`, `names`, `say`, `rules` and `sounds`. Raises: TypeError, KeyError."""
    words = {key: _frozen(value) for key, value in documents["words"].items() if key != "language"}
    for key in (
        "greetings",
        "inflected",
        "required_light",
        "dangling_unless_whole",
        "never_ends",
        "never_begins_open",
        "subjects",
        "closing",
        "value_leads",
        "known",
    ):
        words[key] = frozenset(words.get(key, ()))
    words["syllables"] = _by_character(documents.get("sounds", {}).get("syllables", {}))
    return LanguagePack(
        language=language,
        words=_folded(WordData(**words)),
        numbers=NumberData(**{key: _frozen(value) for key, value in documents["numbers"].items()}),
        time=documents["time"],
        names=documents["names"],
        say=documents["say"],
        rules={name: str(body) for name, body in documents.get("rules", {}).items()},
    )


def _by_character(syllables: Mapping[str, str]) -> dict[str, frozenset[str]]:
    """Characters and their syllables, of syllables and their characters."""
    found: dict[str, frozenset[str]] = {}
    sets: dict[frozenset[str], frozenset[str]] = {}
    for syllable, characters in syllables.items():
        for character in characters:
            sounds = found.get(character, frozenset()) | {syllable}
            found[character] = sets.setdefault(sounds, sounds)
    return found


_BY_WORD = (
    *("light", "required_light", "dangling", "dangling_unless_whole", "never_ends", "never_begins_open", "subjects"),
    *("value_leads", "greetings", "called", "known", "confusions", "ends_misheard"),
)
"""What is looked up by words that are folded already."""


def _folded(data: WordData) -> WordData:
    """The same data with its words as a tokenizer that drops accents makes them."""
    table = str.maketrans(dict(data.folded))
    return replace(data, **{key: _translated(getattr(data, key), table) for key in _BY_WORD}) if table else data


def _translated(value: Any, table: Mapping[int, Any]) -> Any:
    if isinstance(value, str):
        return value.translate(dict(table))
    if isinstance(value, Mapping):
        return {_translated(key, table): _translated(inner, table) for key, inner in value.items()}
    if isinstance(value, tuple | frozenset):
        return type(value)(_translated(inner, table) for inner in value)
    return value


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_frozen(item) for item in value)
    if isinstance(value, dict):
        return {key: _frozen(item) for key, item in value.items()}
    return value
