"""Sentences whose words were heard for others that sound the same, in scripts that have many of them.

Nearly anything can be spelled as something else by its sound. So this is only for what was heard and makes no sense,
and it counts only if exactly one command comes of it, one without free words.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from itertools import islice, product

from entendre.language.meaning import CLEAR_COST, Meaning
from entendre.language.tokens import Tokens

MAX_TOKENS = 24
"""Commands are short; what is longer is talk, and would take long."""
MAX_SPELLINGS = 16
LESS = 0.03
"""A sentence costs at least so much less with the word that was meant."""

Interpret = Callable[[Tokens], Meaning | None]


def respelled(
    text: str,
    *,
    words_of: Callable[[str], Tokens],
    alike: Callable[[str], Iterable[str]],
    by_sound: Callable[[frozenset[str]], Interpret],
    exactly: Interpret,
) -> str | None:
    """The text with the words that make it a command; None if there is none, or more than one.

    `alike`: what a word may have been heard for. `by_sound`: the meaning of words that may all stand for those, except
    some. `exactly`: the meaning of words as they are.
    """
    tokens, loosely = words_of(text), by_sound(frozenset())
    heard = list(dict.fromkeys(word for word in tokens.words if alike(word)))
    if not heard or len(tokens.words) > MAX_TOKENS:
        return None
    first = loosely(tokens)
    if first is None or first.is_open:
        return None
    wrong = [word for word in heard if not _as_cheap(by_sound(frozenset((word,)))(tokens), first.cost)]
    likely: list[tuple[str, list[str]]] = []
    for word in wrong:
        meant = [
            each for each in alike(word) if _as_cheap(loosely(words_of(text.replace(word, each))), first.cost - LESS)
        ]
        likely.append((word, meant))
    found: dict[str, str] = {}
    for spelling in islice(_spellings(text, likely), MAX_SPELLINGS):
        meaning = exactly(words_of(spelling))
        if meaning is not None and meaning.cost <= CLEAR_COST and not meaning.is_open:
            command = meaning.command
            found.setdefault(json.dumps([command.intent, dict(command.slots)], sort_keys=True, default=repr), spelling)
    return next(iter(found.values())) if len(found) == 1 else None


def _as_cheap(meaning: Meaning | None, cost: float) -> bool:
    return meaning is not None and meaning.cost <= cost + 1e-6


def _spellings(text: str, wrong: list[tuple[str, list[str]]]) -> Iterator[str]:
    """Every text in which other words stand for the wrong ones."""
    if not wrong:
        return
    for meant in product(*(others for _, others in wrong)):
        table = {ord(word): other for (word, _), other in zip(wrong, meant, strict=True)}
        yield text.translate(table)
