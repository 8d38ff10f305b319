"""Spoken dates and days of the week."""

from __future__ import annotations

import calendar
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from entendre.language.automaton import State
from entendre.language.building import AutomatonBuilder, slot_by_own_name
from entendre.language.numbers import NumberGrammar
from entendre.language.phrases import Phrases, phrase_set
from entendre.language.templates import parse_template


@dataclass(frozen=True, slots=True)
class Days:
    """Days of the week, in week order, and the half of the day if a part of it was said ("every evening")."""

    days: tuple[str, ...]
    half: str | None = None


DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


_FIGURES = {"iso": "ymd", "ymd": "ymd", "dmy": "dmy", "mdy": "mdy"}
"""Slots of dates in figures, each with the order of day, month and year."""


def add_months(day: date, months: int, number: int | None = None) -> date:
    """The same day of a later month, or the day of this number, or its last day."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, min(number or day.day, calendar.monthrange(year, month + 1)[1]))


class DateGrammar:
    """Reads the dates and days of one language."""

    def __init__(
        self, data: Mapping[str, Any], numbers: NumberGrammar, words_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._numbers = numbers
        self._patterns: list[Mapping[str, Any]] = list(data["dates"])
        builder = AutomatonBuilder(words_of)
        for index, pattern in enumerate(self._patterns):
            builder.add(parse_template(str(pattern["say"])), index, rules={}, slot_of=slot_by_own_name)
        self._automaton = builder.automaton()
        self._lists = {name: Phrases(body, words_of) for name, body in data.get("lists", {}).items()}
        self._buddhist = bool(data.get("buddhist_years"))
        self._months = Phrases(data["months"], words_of)
        self._weekdays = Phrases(data["weekdays"], words_of)
        self._plural = Phrases(data.get("weekdays_plural", {}), words_of)
        days = data["days"]
        self._every = phrase_set(days.get("every", ()), words_of)
        self._lead = phrase_set(days.get("lead", ()), words_of)
        self._joiners = phrase_set(days.get("joiners", ()), words_of)
        self._ranges = phrase_set(days.get("ranges", ()), words_of)
        self._day_tail = phrase_set(days.get("tail", ()), words_of)
        halves = {say: part["half"] for part in data["parts"].values() for say in part["say"]}
        self._ending = Phrases({say: halves[part] for say, part in days.get("ending", {}).items()}, words_of)
        self._ending_plural = Phrases(
            {say: halves[part] for say, part in days.get("ending_plural", {}).items()}, words_of
        )
        self._phrases = Phrases(days.get("phrases", {}), words_of)

    def parse(self, words: Sequence[str], start: int, today: date) -> list[tuple[int, date]]:
        """Dates that begin at `start`; longest first."""
        found: dict[int, date] = {}
        stack: list[tuple[int, State, dict[str, Any]]] = [(start, self._automaton.start, {})]
        while stack:
            position, state, values = stack.pop()
            for accept in state.accepts:
                day = self._date(self._patterns[accept], values, today)
                if day is not None:
                    found.setdefault(position, day)
            if position >= len(words):
                continue
            following = state.move(words[position])
            if following is not None:
                stack.append((position + 1, following, values))
            for kind, targets in state.filled():
                for end, value in self._value(kind, words, position):
                    stack.extend((end, target, {**values, slot.name: value}) for slot, target in targets)
        return sorted(found.items(), key=lambda reading: -reading[0])

    def _value(self, kind: str, words: Sequence[str], start: int) -> Sequence[tuple[int, Any]]:
        if kind == "weekday":
            return self._weekdays.at(words, start)
        if kind == "month":
            return self._months.at(words, start)
        if kind == "ordinal":
            return [(end, value) for end, value in self._numbers.ordinal(words, start) if 1 <= value <= 31]
        own = self._lists.get(kind)
        if own is not None:
            return own.at(words, start)
        if kind in _FIGURES:
            return _in_figures(words, start, _FIGURES[kind])
        limits = {"day": (1, 31), "year": (1900, 2999), "number": (1, 999)}
        low, high = limits[kind]
        found = [(end, value) for end, value in self._numbers.wholes(words, start) if low <= value <= high]
        if kind == "year" and self._buddhist:
            return [(end, value - 543 if value > 2400 else value) for end, value in found]
        return found

    def _date(self, pattern: Mapping[str, Any], values: Mapping[str, Any], today: date) -> date | None:
        if "weekday" in pattern:
            found = _weekday(DAYS.index(values["weekday"]), str(pattern["weekday"]), today)
            return found + timedelta(days=7 * int(pattern.get("weeks", 0)))
        if "weekday_of" in pattern:
            ahead = (DAYS.index(pattern["weekday_of"]) - today.weekday()) % 7
            return today + timedelta(days=ahead + 7 * int(pattern.get("weeks", 0)))
        if "offset_days" in pattern:
            return today + timedelta(days=int(pattern["offset_days"]))
        if "unit_days" in pattern:
            return today + timedelta(days=int(pattern["unit_days"]) * values["number"])
        if "unit_months" in pattern or "months" in pattern:
            months = int(pattern.get("months", 0)) or values["number"]
            return add_months(today, months, values.get("day", today.day))
        if "weekday_nth" in pattern:
            return _nth(today, int(pattern["month"]), DAYS.index(pattern["weekday_nth"]), int(pattern["nth"]))
        if "by_year" in pattern:
            days = (date.fromisoformat(f"{year}-{day}") for year, day in pattern["by_year"].items())
            return min((day for day in days if day >= today), default=None)
        if "easter" in pattern:
            return _feast(today, int(pattern["easter"]))
        if "fixed" in pattern:
            month, day = (int(piece) for piece in str(pattern["fixed"]).split("-"))
            return _coming(today, month, day)
        figures = next((values[kind] for kind in _FIGURES if kind in values), None)
        if figures is not None:
            return _coming(today, figures[0], figures[1], figures[2])
        day = values.get("ordinal", values.get("day"))
        if "month" in values:
            return _coming(today, values["month"], day, values.get("year"))
        return _coming_day(today, day)

    def days(self, words: Sequence[str], start: int) -> list[tuple[int, Days]]:
        """Sets of weekdays that begin at `start` ("every weekday", "on thursday nights"); longest first."""
        found = [
            (end, Days(tuple(value), self._half_before(words, end))) for end, value in self._phrases.at(words, start)
        ]
        position, lead = start, self._lead.longest(words, start)
        position = lead[0] if lead else start
        every = self._every.longest(words, position)
        position = every[0] if every else position
        chosen: list[str] = []
        sure = every is not None
        while position < len(words):
            plural, single = self._plural.longest(words, position), self._weekdays.longest(words, position)
            hit = plural or single
            if hit is None:
                break
            sure = sure or plural is not None
            position = hit[0]
            chosen.append(hit[1])
            position, chosen, ranged = self._range(words, position, chosen)
            sure = sure or ranged or len(chosen) > 1
            ordered = tuple(day for day in DAYS if day in chosen)
            part = self._ending_plural.longest(words, position) or (
                self._ending.longest(words, position) if every or plural else None
            )
            if part is not None and (sure or self._ending_plural.longest(words, position)):
                found.append((part[0], Days(ordered, part[1])))
            if sure:
                found.append((position, Days(ordered)))
            joiner = self._joiners.longest(words, position)
            position = joiner[0] if joiner else position
        found += [(tail[0], each) for end, each in found if (tail := self._day_tail.longest(words, end)) is not None]
        return sorted(found, key=lambda reading: -reading[0])

    def _half_before(self, words: Sequence[str], end: int) -> str | None:
        """The half of the day that a phrase's last word says ("every evening")."""
        last = words[end - 1 : end]
        part = self._ending.longest(last, 0) or self._ending_plural.longest(last, 0)
        return None if part is None else part[1]

    def _range(self, words: Sequence[str], position: int, chosen: list[str]) -> tuple[int, list[str], bool]:
        to = self._ranges.longest(words, position)
        last = (self._weekdays.longest(words, to[0]) or self._plural.longest(words, to[0])) if to else None
        if last is None:
            return position, chosen, False
        first, final = DAYS.index(chosen[-1]), DAYS.index(last[1])
        span = [DAYS[(first + step) % 7] for step in range((final - first) % 7 + 1)]
        return last[0], chosen + span, True

    def may_go_on(self, words: Sequence[str]) -> bool:
        """Whether these words begin a date and leave it unfinished ("on the third of", "next", "every")."""
        if not words:
            return False
        if self._phrases.begins(words) or any(end == len(words) for end, _ in self._every.at(words, 0)):
            return True
        stack: list[tuple[int, State]] = [(0, self._automaton.start)]
        while stack:
            position, state = stack.pop()
            if position == len(words):
                if not state.accepts:
                    return True
                continue
            following = state.move(words[position])
            if following is not None:
                stack.append((position + 1, following))
            for kind, targets in state.filled():
                for end, _ in self._value(kind, words, position):
                    stack.extend((end, target) for _, target in targets)
        return False


def _in_figures(words: Sequence[str], start: int, order: str) -> list[tuple[int, tuple[int, int, int | None]]]:
    """A date in figures as month, day and year; the year may be missing."""
    if start >= len(words) or not words[start][0].isdigit():
        return []
    pieces = re.split("[-/.]", words[start])
    short = len(pieces) == 2 and ("/" in words[start] or ("." in words[start] and order == "dmy"))
    if not all(piece.isdecimal() for piece in pieces) or not (short or len(pieces) == 3):
        return []
    names = order if len(pieces) == 3 else order.replace("y", "")
    read = {name: int(piece) for name, piece in zip(names, pieces, strict=True)}
    year = read.get("y")
    if year is not None and year < 100:
        year += 2000
    fits = 1 <= read["m"] <= 12 and 1 <= read["d"] <= 31 and (year is None or 1900 <= year <= 2999)
    return [(start + 1, (read["m"], read["d"], year))] if fits else []


def _weekday(index: int, which: str, today: date) -> date:
    if which == "next":
        return today + timedelta(days=7 - today.weekday() + index)
    if which == "last":
        return today - timedelta(days=(today.weekday() - index - 1) % 7 + 1)
    return today + timedelta(days=(index - today.weekday()) % 7)


def _nth(today: date, month: int, weekday: int, nth: int) -> date:
    """The coming day that is the nth such weekday of a month."""
    for year in (today.year, today.year + 1):
        first = date(year, month, 1)
        found = first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * (nth - 1))
        if found >= today:
            return found
    return found


def _feast(today: date, offset: int) -> date:
    """The coming day that lies so many days after Easter."""
    return min(day for year in (today.year, today.year + 1) if (day := _easter(year) + timedelta(offset)) >= today)


def _easter(year: int) -> date:
    """Easter Sunday of the Gregorian calendar. Source: Meeus, Astronomical Algorithms."""
    golden, century = year % 19, year // 100
    correction = (century - century // 4 - (8 * century + 13) // 25 + 19 * golden + 15) % 30
    moon = correction - (correction // 28) * (1 - (correction // 28) * (29 // (correction + 1)) * ((21 - golden) // 11))
    weekday = (year + year // 4 + moon + 2 - century + century // 4) % 7
    days = moon - weekday
    month = 3 + (days + 40) // 44
    return date(year, month, days + 28 - 31 * (month // 4))


def _coming(today: date, month: int, day: int, year: int | None = None) -> date | None:
    for candidate in (year,) if year else range(today.year, today.year + 9):
        if 1 <= day <= calendar.monthrange(candidate, month)[1]:
            found = date(candidate, month, day)
            if year or found >= today:
                return found
    return None


def _coming_day(today: date, day: int) -> date | None:
    for months in range(3):
        first = add_months(today.replace(day=1), months)
        if day <= calendar.monthrange(first.year, first.month)[1] and first.replace(day=day) >= today:
            return first.replace(day=day)
    return None
