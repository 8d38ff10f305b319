"""Spoken durations as whole seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from entendre.language.numbers import NumberGrammar
from entendre.language.phrases import Phrases, phrase_set

UNIT_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400, "week": 604_800}
NEXT_LOWER_S = {60: 1, 3600: 60}
MAX_DURATION_S = 366 * 86_400


class DurationGrammar:
    """Reads the durations of one language: parts of a number and a unit, largest unit first."""

    def __init__(
        self, data: Mapping[str, Any], numbers: NumberGrammar, words_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        spoken = {word: UNIT_S[unit] for unit, names in data["units"].items() for word in names}
        self._units = Phrases(spoken, words_of)
        self._numbers = numbers
        self._articles = phrase_set(data.get("articles", ()), words_of)
        self._between = phrase_set(data.get("between", ()), words_of)
        self._joiners = phrase_set(data.get("joiners", ()), words_of)
        self._phrases = Phrases(data.get("phrases", {}), words_of)
        before = (
            dict.fromkeys(data.get("half_before", ()), 0.5)
            | dict(data.get("fraction_before", {}))
            | dict(data.get("couple", {}))
        )
        self._before = Phrases(before, words_of)
        after = dict.fromkeys(data.get("half_after", ()), 0.5) | dict(data.get("fraction_after", {}))
        self._after = Phrases(after, words_of)

    def parse(self, words: Sequence[str], start: int) -> list[tuple[int, int]]:
        """Durations that begin at `start`: where each ends and its seconds; longest first."""
        found: list[tuple[int, int]] = []
        total, unit_above, position = 0.0, MAX_DURATION_S, start
        while position < len(words):
            part = self._part(words, position, unit_above)
            if part is None:
                break
            position, seconds, unit_above = part
            total += seconds
            if 0 < total <= MAX_DURATION_S:
                found.append((position, round(total)))
            joiner = self._joiners.longest(words, position)
            joined = joiner[0] if joiner else position
            for place in dict.fromkeys((position, joined)):
                lower = self._bare_lower(words, place, unit_above)
                if lower is not None:
                    found.append((lower[0], round(total + lower[1])))
            position = joined
        return sorted(found, key=lambda reading: -reading[0])

    def _part(self, words: Sequence[str], start: int, unit_above: int) -> tuple[int, float, int] | None:
        """One number and its unit, or a phrase that is both: where it ends, its seconds, its unit in seconds."""
        phrase = self._phrases.longest(words, start)
        if phrase is not None and phrase[1] < unit_above:
            return phrase[0], float(phrase[1]), _unit_below(phrase[1])
        counts = [(end, float(value)) for end, value in self._numbers.parse(words, start) if value >= 0]
        counts += [(end, value) for end, value in self._before.at(words, start)]
        counts += [(end, 1.0) for end, _ in self._articles.at(words, start)]
        for end, count in sorted(counts, key=lambda entry: -entry[0]):
            between = self._between.longest(words, end)
            unit = self._units.longest(words, between[0] if between else end)
            if unit is None or unit[1] >= unit_above:
                continue
            position, seconds = unit
            tail = self._after.longest(words, position)
            if tail is not None and self._units.longest(words, tail[0]) is None:
                return tail[0], (count + tail[1]) * seconds, seconds
            return position, count * seconds, seconds
        return None

    def _bare_lower(self, words: Sequence[str], start: int, unit_s: int) -> tuple[int, int] | None:
        """A number without a unit after hours or minutes: "two minutes thirty", "una hora y veinte"."""
        lower = NEXT_LOWER_S.get(unit_s)
        if lower is None:
            return None
        for end, value in self._numbers.parse(words, start):
            if isinstance(value, int) and 0 < value < 60 and self._units.longest(words, end) is None:
                return end, value * lower
        return None

    def may_go_on(self, words: Sequence[str]) -> bool:
        """Whether these words can be the beginning of a duration that still lacks its unit."""
        if not words:
            return False
        if any(end == len(words) for end, _ in self._numbers.parse(words, 0)):
            return True
        if self._phrases.begins(words):
            return True
        return any(end == len(words) for end, _ in self._before.at(words, 0)) or self._before.begins(words)


def _unit_below(seconds: float) -> int:
    """The largest unit that a phrase of some seconds holds: nothing as large may follow it."""
    return max((unit for unit in UNIT_S.values() if unit <= seconds), default=1)
