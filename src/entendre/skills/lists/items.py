"""Splits what people want on a list into items: "milk, two bottles of wine and mac and cheese" is three."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

TOGETHER = "together"
_COMMAS = re.compile(r"\s*[,;、،]\s*")


@dataclass(frozen=True, slots=True)
class SpokenItem:
    """One item; `quantity` is the amount said before it ("2", "2 bottles")."""

    name: str
    quantity: str | None
    spoken: str


def split_items(said: str, words: Mapping[str, str]) -> list[SpokenItem]:
    """The items of a phrase in the order said, each once.

    `words` is the language's table: conjunctions `and`, `pairs` that belong together, `leads` to drop, `groceries`
    known by one word, `amounts` (word=digits), `measures` and the word `of` between a measure and its item, if there
    is one, which `weights` of the measures do without ("two kg rice"). Where words are `written: together`, amounts,
    measures and conjunctions are found without spaces.
    """
    known = frozenset(words.get("groceries", "").split())
    if words.get("written") == TOGETHER:
        said = _spaced(said, words)
        phrases = [phrase for piece in _COMMAS.split(said) for phrase in _at_conjunctions(piece, words)]
        found = [_measured(each, words) for phrase in phrases for each in _cut(phrase, known)]
        return list({item.name: item for item in found if item.name}.values())
    parts = [part for piece in _COMMAS.split(said) for part in _at_conjunctions(piece, words)]
    phrases = [phrase for part in parts for phrase in _run_together(part, known)]
    items = [_plain(_item(phrase, words), words, known) for phrase in phrases]
    return list({item.name: item for item in items if item.name}.values())


def _choices(words: Mapping[str, str], key: str) -> list[str]:
    return [choice.strip() for choice in words.get(key, "").split("|") if choice.strip()]


def _any_of(choices: Iterable[str]) -> str:
    """A regular expression of words, the longest first; one that fits nothing if there are none."""
    return "|".join(map(re.escape, sorted(choices, key=len, reverse=True))) or "(?!)"


def _spaced(said: str, words: Mapping[str, str]) -> str:
    """A phrase whose words are written together, with spaces around conjunctions."""
    kept, joiners = _any_of(_choices(words, "pairs")), _any_of(_choices(words, "and"))
    return re.sub(rf"({kept})|(?<=\S)({joiners})", lambda found: found.group(1) or f" {found.group(2)} ", said)


def _cut(phrase: str, known: frozenset[str]) -> list[str]:
    """Known items that were said without anything between them, or the phrase as it is."""
    if phrase not in known and re.fullmatch(f"(?:{_any_of(known)})+", phrase):
        return re.findall(_any_of(known), phrase)
    return [phrase]


def _measured(phrase: str, words: Mapping[str, str]) -> SpokenItem:
    """An item of words written together; amount and measure may stand before or after it ("two bottles of wine").

    An amount in words counts only with a measure: a name may begin with a number.
    """
    name = re.sub(f"^(?:{_any_of([*_choices(words, 'leads'), *_choices(words, 'articles')])}) *(?=.)", "", phrase)
    amounts = dict(pair.split("=") for pair in _choices(words, "amounts"))
    measured = rf"(?P<amount>\d+|{_any_of(amounts)})\s*(?P<measure>{_any_of(_choices(words, 'measures'))})"
    of = f"(?:{re.escape(words['of'])})?" if words.get("of") else ""
    for pattern in (rf"{measured}\s*{of}\s*(?P<name>\S.*)", rf"(?P<name>\S.*?)\s*{measured}"):
        found = re.fullmatch(pattern, name)
        if found is not None:
            quantity = f"{amounts.get(found['amount'], found['amount'])} {found['measure']}"
            return SpokenItem(found["name"], quantity, phrase)
    counted = re.fullmatch(r"(\d+)\s*(\D.*)", name)
    return SpokenItem(counted[2], counted[1], phrase) if counted else SpokenItem(name, None, phrase)


def _at_conjunctions(piece: str, words: Mapping[str, str]) -> list[str]:
    joiners, pairs = _choices(words, "and"), _choices(words, "pairs")
    tokens = piece.split()
    parts: list[list[str]] = [[]]
    for position, token in enumerate(tokens):
        around = " ".join(tokens[max(0, position - 1) : position + 2]).casefold()
        if token.casefold() in joiners and around not in pairs:
            parts.append([])
        else:
            parts[-1].append(token)
    return [" ".join(part) for part in parts if part]


def _run_together(part: str, known: frozenset[str]) -> list[str]:
    """ "milk eggs" is two items: every word is a known one by itself."""
    tokens = part.split()
    return tokens if len(tokens) > 1 and all(token.casefold() in known for token in tokens) else [part]


def _plain(item: SpokenItem, words: Mapping[str, str], known: frozenset[str]) -> SpokenItem:
    """An item without the ending of a grammatical case (`endings`: ending=what replaces it), if that is a known one."""
    for pair in _choices(words, "endings"):
        ending, _, base = pair.partition("=")
        name = item.name.removesuffix(ending) + base
        if item.name.endswith(ending) and name in known:
            return replace(item, name=name)
    return item


def _item(phrase: str, words: Mapping[str, str]) -> SpokenItem:
    tokens = phrase.split()
    leads = _choices(words, "leads")
    while len(tokens) > 1 and tokens[0].casefold() in leads:
        tokens = tokens[1:]
    spoken = " ".join(tokens)
    amount, rest = _amount(tokens, words)
    if len(rest) > 1 and rest[0].casefold() in _choices(words, "measures"):
        of = words.get("of", "")
        bare = not of or (amount is not None and rest[0].casefold() in _choices(words, "weights"))
        thing = rest[2:] if of and rest[1].casefold() == of else rest[1:] if bare else []
        if thing and (amount is not None or of):
            return SpokenItem(" ".join(thing), f"{amount or 1} {rest[0]}", spoken)
    articles = _choices(words, "articles")
    is_article = len(tokens) - len(rest) == 1 and tokens[0].casefold() in articles
    if amount is not None and not is_article:
        return SpokenItem(" ".join(rest), amount, spoken)
    without = tokens[1:] if len(tokens) > 1 and tokens[0].casefold() in articles else tokens
    return SpokenItem(" ".join(without), None, spoken)


def _amount(tokens: list[str], words: Mapping[str, str]) -> tuple[str | None, list[str]]:
    """The leading amount in digits, and what follows it; an amount alone is an item."""
    amounts = dict(pair.split("=") for pair in _choices(words, "amounts"))
    for length in (3, 2, 1):
        said = " ".join(tokens[:length]).casefold()
        if len(tokens) > length and said in amounts:
            return amounts[said], tokens[length:]
    if len(tokens) > 1 and tokens[0].isdecimal():
        return tokens[0], tokens[1:]
    return None, tokens
