"""Spoken and written numbers: whole, decimal, fractions, percentages, temperatures, ordinals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from entendre.language.pack import NumberData
from entendre.language.phrases import Phrases, phrase_set

Number = int | float
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
        self._grouped = re.compile(rf"\d{{1,3}}({group}\d{{3}})+({mark}\d+)?$")
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
        self._words = {*data.ones, *data.teens, *data.tens, *data.hundred, *data.scales}

    def digits(self, word: str) -> Number | None:
        """The value of a token of digits, None if it is none."""
        if not word[:1].isdigit():
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
        total, current, level, position = 0, 0, 1_000_000_000_000, start
        last_end = start
        seen = False
        while position < len(words):
            word = words[position]
            step = self._step(word, current, level, seen, position + 1 < len(words) and words[position + 1])
            if step is None:
                if not (seen and level >= 100 and word in self._data.joiner and self._continues(words, position + 1)):
                    break
                position += 1
                continue
            kind, value = step
            seen = True
            position += 1
            last_end = position
            if kind == "scale":
                total += max(current, 1) * value
                current, level = 0, value
            elif kind == "hundred":
                current, level = max(current, 1) * 100, 100
            else:
                current += value
                level = 10 if kind == "ten" else 1
        return (last_end, total + current) if seen else None

    def _step(self, word: str, current: int, level: int, seen: bool, following: str | bool) -> tuple[str, int] | None:
        data = self._data
        if word in data.ones and (not seen or (level >= 10 and data.ones[word] > 0)):
            return "one", data.ones[word]
        if word in data.teens and (not seen or level >= 100):
            return "one", data.teens[word]
        if word in data.tens and (not seen or level >= 100):
            return "ten", data.tens[word]
        if word in data.hundred and 0 < current < 100:
            return "hundred", 100
        if word in data.scales and current > 0:
            return "scale", data.scales[word]
        if word in data.articles and not seen and (following in data.hundred or following in data.scales):
            return "one", 1
        return None

    def _continues(self, words: Sequence[str], position: int) -> bool:
        return position < len(words) and (
            words[position] in self._data.ones
            or words[position] in self._data.teens
            or words[position] in self._data.tens
        )

    def parse(self, words: Sequence[str], start: int) -> Found:
        """Numbers that begin at `start`."""
        minus = self._minus.longest(words, start)
        if minus is not None:
            return [(end, -value) for end, value in self._unsigned(words, minus[0])]
        return self._unsigned(words, start)

    def _unsigned(self, words: Sequence[str], start: int) -> Found:
        found: Found = [(end, tidy(value)) for end, value in self._phrases.at(words, start)]
        if start >= len(words):
            return found
        base = self._base(words, start)
        if base is None:
            return found
        end, value = base
        for tail_end, part in self._tails.at(words, end):
            if isinstance(value, int):
                found.append((tail_end, tidy(value + part)))
        if end < len(words) and words[end] in self._data.point:
            decimals = self._decimals(words, end + 1)
            if decimals:
                found.append((end + 1 + len(decimals), tidy(float(f"{value}.{decimals}"))))
        found.append((end, value))
        return found

    def _base(self, words: Sequence[str], start: int) -> tuple[int, Number] | None:
        written = self.digits(words[start])
        if written is None:
            return self.whole(words, start)
        end = start + 1
        while end < len(words) and words[end] in self._data.scales:
            written = tidy(written * self._data.scales[words[end]])
            end += 1
        return end, written

    def _decimals(self, words: Sequence[str], start: int) -> str:
        digits = ""
        for word in words[start:]:
            if word in self._data.ones:
                digits += str(self._data.ones[word])
            elif word.isdigit() and not digits:
                return word
            else:
                break
        return digits

    def percent(self, words: Sequence[str], start: int) -> Found:
        """Percentages that begin at `start`, with or without the word; 0 to 100."""
        found: Found = list(self._percent_phrases.at(words, start))
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
            found.append((end, value))
        return sorted(found, key=lambda reading: -reading[0])

    def ordinal(self, words: Sequence[str], start: int) -> Found:
        """Ordinals that begin at `start`; -1 is the last."""
        found: Found = list(self._ordinals.at(words, start))
        if start >= len(words):
            return found
        word = words[start]
        if word in self._data.tens and start + 1 < len(words):
            tail = self._data.ordinals.get(words[start + 1], 0)
            if 0 < tail < 10:
                found.append((start + 2, self._data.tens[word] + tail))
        if word.isdigit() and start + 1 < len(words) and words[start + 1] in self._data.ordinal_suffixes:
            found.append((start + 2, int(word)))
        return found


def convert_temperature(value: Number, unit: str, wanted: str) -> Number:
    """A temperature in another unit, to a tenth."""
    if unit == wanted:
        return value
    converted = value * 9 / 5 + 32 if wanted == "F" else (value - 32) * 5 / 9
    return tidy(round(converted, 1))


def _without_marks(words: Sequence[str]) -> list[str]:
    """Words, with the hours and minutes of a written time apart."""
    return [part for word in words for part in re.split("[.:]", word)]
