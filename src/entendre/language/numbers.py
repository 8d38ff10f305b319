"""Spoken and written numbers: whole, decimal, fractions, percentages, temperatures, ordinals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from entendre.language.pack import NumberData
from entendre.language.phrases import Phrases, phrase_set
from entendre.language.wholes import TENS_FROM, WholeGrammar

Number = int | float
MAX_DIGITS = 30
"""Longest number that is read from digits; what is longer is no number that anybody means."""
MILLION = 1_000_000
"""From here on "and a half" is half of the last multiplier: "two million and a half" is 2,500,000."""
Found = list[tuple[int, Number]]
"""Readings that begin at one place: where each ends, and its value; longest first."""


def tidy(value: float) -> Number:
    """An int where the value is whole, else a float without binary dust."""
    rounded = round(value, 10)
    return int(rounded) if rounded == int(rounded) else rounded


class NumberGrammar:
    """Reads the numbers of one language."""

    def __init__(self, data: NumberData, words_of: Callable[[str], tuple[str, ...]]) -> None:
        self._data = data
        group, mark = re.escape(data.group_mark), re.escape(data.decimal_mark)
        self._grouped = re.compile(rf"\d{{1,3}}({group}\d{{2,3}})*{group}\d{{3}}({mark}\d+)?$")
        self._plain = re.compile(rf"\d+({mark}\d+)?$")
        self._phrases = Phrases(data.phrases, words_of)
        self._tails = Phrases(data.fraction_tails, words_of)
        self._minus = phrase_set(data.minus, words_of)
        self._percent = phrase_set(data.percent_words, words_of)
        self._percent_phrases = Phrases(data.percent_phrases, words_of)
        units = {word: unit for unit, spoken in data.temperature.items() for word in spoken}
        self._degrees = Phrases(units, words_of)
        self._ordinals = Phrases(data.ordinals, words_of)
        self._sound_alike = {frozenset(pair) for pair in data.sound_alike}
        self._lead = phrase_set(data.percent_lead, words_of)
        self._leads = Phrases(data.fraction_leads, words_of)
        self._point = phrase_set(data.point, words_of)
        self._ones = Phrases({**data.ones, **data.digits}, words_of)
        self._multipliers = Phrases(data.multipliers, words_of)
        self._articles = phrase_set(data.articles, words_of)
        self._ordinal_prefix = phrase_set(data.ordinal_prefixes, words_of)
        self._wholes = WholeGrammar(data, words_of, self.digits)
        spoken = (*data.ones, *data.values, *data.multipliers)
        self._words = {words[0] for phrase in spoken if len(words := words_of(phrase)) == 1}

    def digits(self, word: str) -> Number | None:
        """The value of a token of digits, None if it is none."""
        if not word[:1].isdigit() or len(word) > MAX_DIGITS:
            return None
        if self._grouped.match(word):
            word = word.replace(self._data.group_mark, "")
        elif not self._plain.match(word):
            return None
        return tidy(float(word.replace(self._data.decimal_mark, ".")))

    def is_number_word(self, word: str) -> bool:
        """Whether a word is part of numbers."""
        return word in self._words or word[:1].isdigit()

    def confusable(self, words: Sequence[str], others: Sequence[str]) -> bool:
        """Whether two readings say the same but for numbers that sound alike."""
        parts, other_parts = _without_marks(words), _without_marks(others)
        if len(parts) != len(other_parts):
            return False
        differing = [
            (self.whole_word(part), self.whole_word(other))
            for part, other in zip(parts, other_parts, strict=True)
            if part != other
        ]
        unlike = [pair for pair in differing if pair[0] != pair[1] or None in pair]
        return bool(unlike) and all(frozenset(pair) in self._sound_alike for pair in unlike)

    def whole_word(self, word: str) -> int | None:
        """The value of a word that is a whole number by itself, in digits or spelled out."""
        if word.isdecimal():
            return int(word)
        found = self.whole((word,), 0)
        return found[1] if found else None

    def whole(self, words: Sequence[str], start: int) -> tuple[int, int] | None:
        """The longest whole number in words that begins at `start`."""
        if start >= len(words) or words[start][:1].isdigit():
            return None
        found = self._wholes.at(words, start)
        return (found[0].end, int(found[0].value)) if found else None

    def wholes(self, words: Sequence[str], start: int) -> list[tuple[int, int]]:
        """Whole numbers that begin at `start`, longest first: "twenty five" is 25, and 20 of fewer words."""
        found = self._wholes.at(words, start)
        return [(read.end, int(read.value)) for read in found if read.value == int(read.value)]

    def parse(self, words: Sequence[str], start: int) -> Found:
        """Numbers that begin at `start`."""
        minus = self._minus.longest(words, start)
        if minus is not None:
            return [(end, -value) for end, value in self._unsigned(words, minus[0])]
        return self._unsigned(words, start)

    def _unsigned(self, words: Sequence[str], start: int) -> Found:
        found = self._phrased(words, start)
        base = self._wholes.at(words, start)
        if base:
            end, value = base[0].end, tidy(base[0].value)
            for tail_end, part in self._tails.at(words, end):
                if isinstance(value, int):
                    found += self._times(words, tail_end, value + part * (base[0].unit if value >= MILLION else 1))
            point = self._point.longest(words, end)
            if point is not None:
                decimals_end, decimals = self._decimals(words, point[0])
                if decimals:
                    found.append((decimals_end, tidy(float(f"{value}.{decimals}"))))
            found.append((end, value))
        return sorted(found, key=lambda reading: -reading[0])

    def _phrased(self, words: Sequence[str], start: int) -> Found:
        """Fixed phrases, also multiplied ("half a million"), and fractions before a number."""
        found: Found = []
        for end, value in self._phrases.at(words, start):
            found += self._times(words, end, value)
        for end, part in self._leads.at(words, start):
            found += [(read.end, tidy(read.value + part * read.unit)) for read in self._wholes.at(words, end)[:1]]
        return found

    def _times(self, words: Sequence[str], end: int, value: float) -> Found:
        """A value, and that value of what is counted after it ("two and a half million")."""
        article = self._articles.longest(words, end)
        times = self._multipliers.longest(words, article[0] if article else end)
        multiplied = [] if times is None else [(times[0], tidy(value * times[1]))]
        return [(end, tidy(value)), *multiplied]

    def _decimals(self, words: Sequence[str], start: int) -> tuple[int, str]:
        """The digits after a decimal point, said one by one or as one number, and where they end."""
        digits, position = "", start
        while (digit := self._ones.longest(words, position)) is not None:
            position, digits = digit[0], digits + str(digit[1])
        read = self._wholes.at(words, start)
        if read and read[0].end > position:
            return read[0].end, str(int(read[0].value))
        return position, digits

    def percent(self, words: Sequence[str], start: int) -> Found:
        """Percentages that begin at `start`, with or without the word; 0 to 100."""
        found: Found = list(self._percent_phrases.at(words, start))
        lead = self._lead.longest(words, start)
        if lead is not None:
            found += self.parse(words, lead[0])
        for end, value in self.parse(words, start):
            mark = self._percent.longest(words, end)
            if mark is not None:
                found.append((mark[0], value))
            if 0 <= value <= 100:
                found.append((end, value))
        return [(end, value) for end, value in found if 0 <= value <= 100]

    def temperature(self, words: Sequence[str], start: int, home_unit: str) -> Found:
        """Temperatures that begin at `start`, in the home's unit."""
        found: Found = []
        for end, value in self.parse(words, start):
            position, unit = end, home_unit
            for _ in range(2):
                mark = self._degrees.longest(words, position)
                if mark is None:
                    break
                position = mark[0]
                unit = mark[1] if mark[1] in ("C", "F") else unit
                found.append((position, convert_temperature(value, unit, home_unit)))
                for tail_end, part in self._tails.at(words, position) if isinstance(value, int) else ():
                    found.append((tail_end, convert_temperature(value + part, unit, home_unit)))
            found.append((end, value))
        return sorted(found, key=lambda reading: -reading[0])

    def ordinal(self, words: Sequence[str], start: int) -> Found:
        """Ordinals that begin at `start`; -1 is the last."""
        found: Found = list(self._ordinals.at(words, start))
        if start >= len(words):
            return found
        prefix = self._ordinal_prefix.longest(words, start)
        if prefix is not None:
            found += self.wholes(words, prefix[0])[:1]
        for end, value in self.wholes(words, start):
            for tail_end, tail in self._ordinals.at(words, end):
                if value >= TENS_FROM and value % 10 == 0 and 0 < tail < 10:
                    found.append((tail_end, value + tail))
        if words[start].isdigit() and start + 1 < len(words) and words[start + 1] in self._data.ordinal_suffixes:
            found.append((start + 2, int(words[start])))
        return sorted(found, key=lambda reading: -reading[0])


def convert_temperature(value: Number, unit: str, wanted: str) -> Number:
    """A temperature in another unit, to a tenth."""
    if unit == wanted:
        return value
    converted = value * 9 / 5 + 32 if wanted == "F" else (value - 32) * 5 / 9
    return tidy(round(converted, 1))


def _without_marks(words: Sequence[str]) -> list[str]:
    """Words, with the hours and minutes of a written time apart."""
    return [part for word in words for part in re.split("[.:]", word)]
