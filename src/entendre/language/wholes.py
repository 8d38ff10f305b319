"""Spoken whole numbers of any language: words that add, and words that multiply what stands before them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from entendre.language.pack import NumberData
from entendre.language.phrases import Phrases, phrase_set

LARGEST = 10**15
SHORT_TAIL_FROM = 100
TENS_FROM = 20
REMEMBERED = 128
"""Places of sentences whose numbers are remembered: a day, an hour, a year and a percentage all ask for them."""


@dataclass(frozen=True, slots=True)
class _Part:
    """A summand; what follows it must be smaller than `room`."""

    value: float
    room: int


@dataclass(frozen=True, slots=True)
class Whole:
    """A number that ends before word `end`; `unit` is the multiplier that it ends in, 1 if none."""

    end: int
    value: float
    unit: int = 1


class WholeGrammar:
    """Reads whole numbers, in words or in words around digits ("3 million")."""

    def __init__(
        self,
        data: NumberData,
        words_of: Callable[[str], tuple[str, ...]],
        digits: Callable[[str], float | None],
    ) -> None:
        self._data = data
        self._values: Phrases[int] = Phrases({**data.ones, **data.values}, words_of)
        self._multipliers: Phrases[int] = Phrases(data.multipliers, words_of)
        self._lone: Phrases[None] = phrase_set(data.lone_multipliers, words_of)
        self._articles: Phrases[None] = phrase_set(data.articles, words_of)
        self._joiners: Phrases[None] = phrase_set(data.joiner, words_of)
        self._ends = frozenset(data.ends)
        self._digits = digits
        spoken = (*data.ones, *data.values, *data.multipliers, *data.articles)
        self._firsts = frozenset(cut[0] for phrase in spoken if (cut := words_of(str(phrase))))
        self._read = lru_cache(REMEMBERED)(self._all)

    def at(self, words: Sequence[str], start: int) -> Sequence[Whole]:
        """Numbers that begin at `start`: the longest first, then those of fewer words."""
        if start >= len(words) or not (words[start] in self._firsts or words[start][0].isdigit()):
            return ()
        return self._read(tuple(words), start)

    def _all(self, words: tuple[str, ...], start: int) -> Sequence[Whole]:
        found: list[Whole] = []
        parts: list[_Part] = []
        position, joined, unit = start, False, 1
        while position < len(words):
            step = self._multiplied(words, position, parts) or self._added(words, position, parts)
            if step is None:
                after = self._joiner(words, position, parts)
                if after is None:
                    break
                position, joined = after, True
                continue
            position, parts = step
            unit = parts[-1].room if parts[-1].room > TENS_FROM else 1
            found.append(Whole(position, self._total(parts, joined), unit))
            joined = False
            if words[position - 1] in self._ends:
                break
        return tuple(found[::-1])

    def _multiplied(self, words: Sequence[str], start: int, parts: list[_Part]) -> tuple[int, list[_Part]] | None:
        if not parts:
            article = self._articles.longest(words, start)
            if article is not None:
                hit = self._multipliers.longest(words, article[0])
                return None if hit is None else (hit[0], [_Part(hit[1], hit[1])])
        hit = self._multipliers.longest(words, start)
        if hit is None or hit[1] >= LARGEST:
            return None
        end, times = hit
        kept = list(parts)
        group = 0.0
        while kept and kept[-1].value < times:
            group += kept.pop().value
        if not group and self._lone.longest(words, start) is None:
            return None
        value = (group or 1) * times
        if kept and value >= kept[-1].room:
            return None
        return end, [*kept, _Part(value, times)]

    def _added(self, words: Sequence[str], start: int, parts: list[_Part]) -> tuple[int, list[_Part]] | None:
        written = self._digits(words[start])
        if written is not None:
            fits = not parts or 0 < written < parts[-1].room
            return (start + 1, [*parts, _Part(written, 1)]) if fits else None
        for end, value in self._values.at(words, start):
            if not parts:
                return end, [_Part(value, _room(value))]
            if 0 < value < parts[-1].room:
                return end, [*parts, _Part(value, _room(value))]
        return None

    def _joiner(self, words: Sequence[str], start: int, parts: list[_Part]) -> int | None:
        """Where a small word between two parts ends, if a part follows that goes on."""
        if not parts or parts[-1].room < max(2, self._data.joiner_after):
            return None
        joiner = self._joiners.longest(words, start)
        if joiner is None or joiner[0] >= len(words):
            return None
        goes_on = self._multiplied(words, joiner[0], parts) or self._added(words, joiner[0], parts)
        return None if goes_on is None else joiner[0]

    def _total(self, parts: Sequence[_Part], joined: bool) -> float:
        total = sum(part.value for part in parts)
        if self._data.short_tail and not joined and len(parts) > 1:
            before, last = parts[-2], parts[-1]
            if before.room >= SHORT_TAIL_FROM and last.room == 1 and 0 < last.value < 10:
                return total - last.value + last.value * before.room // 10
        return total


def _room(value: int) -> int:
    """What may follow a word that adds: less than a ten after "twenty", nothing after "twelve"."""
    if value < TENS_FROM:
        return 1
    room = 1
    while value % (room * 10) == 0:
        room *= 10
    return room
