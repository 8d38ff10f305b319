"""Moments: a date, a clock time and a part of the day in any order, or a duration from now."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

from entendre.language.dates import DateGrammar
from entendre.language.durations import DurationGrammar
from entendre.language.phrases import phrase_set
from entendre.language.times import ClockGrammar, ClockTime, in_half, next_occurrence, waking_hours


@dataclass(frozen=True, slots=True)
class DateValue:
    """A date and, if one was said, the part of that day."""

    day: date
    part: str | None = None
    half: str | None = None


@dataclass(frozen=True, slots=True)
class Moment:
    """A local date and time; `ambiguous`: am or pm was not said."""

    text: str
    ambiguous: bool = False


@dataclass(frozen=True, slots=True)
class _Pieces:
    day: date | None = None
    clock: ClockTime | None = None
    part: Mapping[str, Any] | None = None


class MomentGrammar:
    """Reads moments of one language."""

    def __init__(
        self,
        data: Mapping[str, Any],
        clocks: ClockGrammar,
        dates: DateGrammar,
        durations: DurationGrammar,
        words_of: Callable[[str], tuple[str, ...]],
    ) -> None:
        self._clocks = clocks
        self._dates = dates
        self._durations = durations
        self._lead = phrase_set(data.get("relative_lead", ()), words_of)
        self._tail = phrase_set(data.get("relative_tail", ()), words_of)
        self._part_names = {id(part): name for name, part in data["parts"].items()}

    def dates(self, words: Sequence[str], start: int, now: datetime) -> list[tuple[int, DateValue]]:
        """Dates that begin at `start`, with a part of the day if one follows; longest first."""
        found: list[tuple[int, DateValue]] = []
        for end, day in self._dates.parse(words, start, now.date()):
            found.append((end, DateValue(day)))
            part = self._clocks.part(words, end)
            if part is not None and not part[1].get("today"):
                found.append((part[0], self._in_part(day, part[1])))
        alone = self._clocks.part(words, start)
        if alone is not None and alone[1].get("today"):
            found.append((alone[0], self._in_part(now.date(), alone[1])))
        return sorted(found, key=lambda reading: -reading[0])

    def _in_part(self, day: date, part: Mapping[str, Any]) -> DateValue:
        return DateValue(day, self._part_names[id(part)], str(part["half"]))

    def parse(self, words: Sequence[str], start: int, now: datetime) -> list[tuple[int, Moment]]:
        """Moments that begin at `start`; longest first."""
        found: dict[int, Moment] = {}
        for end, seconds in self._relative(words, start):
            found[end] = Moment(_after(now, seconds))
        stack = [(self._clocks.connector(words, start), _Pieces()), (start, _Pieces())]
        while stack:
            position, pieces = stack.pop()
            if pieces.clock is not None or pieces.part is not None:
                found.setdefault(position, _moment(pieces, now))
            for end, following in self._pieces(words, position, pieces, now):
                stack.append((end, following))
                connected = self._clocks.connector(words, end)
                if connected != end:
                    stack.extend(self._pieces(words, connected, following, now))
        return sorted(found.items(), key=lambda reading: -reading[0])

    def _relative(self, words: Sequence[str], start: int) -> list[tuple[int, int]]:
        lead = self._lead.longest(words, start)
        if lead is not None:
            return self._durations.parse(words, lead[0])
        ended = []
        for end, seconds in self._durations.parse(words, start):
            tail = self._tail.longest(words, end)
            if tail is not None:
                ended.append((tail[0], seconds))
        return ended

    def _pieces(self, words: Sequence[str], start: int, pieces: _Pieces, now: datetime) -> list[tuple[int, _Pieces]]:
        found: list[tuple[int, _Pieces]] = []
        if start >= len(words):
            return found
        if pieces.day is None:
            found += [(end, replace(pieces, day=day)) for end, day in self._dates.parse(words, start, now.date())]
        if pieces.clock is None:
            for end, read in self._clocks.parse(words, start):
                timed = in_half(read, pieces.part["half"]) if pieces.part is not None else read
                found.append((end, replace(pieces, clock=timed)))
        if pieces.part is None:
            part = self._clocks.part(words, start)
            if part is not None:
                clock = in_half(pieces.clock, part[1]["half"]) if pieces.clock else None
                day = now.date() if part[1].get("today") and pieces.day is None else pieces.day
                found.append((part[0], replace(pieces, clock=clock, part=part[1], day=day)))
        return found


def _after(now: datetime, seconds: int) -> str:
    later = (now.astimezone(UTC) + timedelta(seconds=seconds)).astimezone(now.tzinfo)
    whole = seconds % 60 == 0
    return later.replace(tzinfo=None, microsecond=0).isoformat(timespec="minutes" if whole else "seconds")


def _moment(pieces: _Pieces, now: datetime) -> Moment:
    clock = pieces.clock
    if clock is None:
        assert pieces.part is not None
        hour, minute = (int(piece) for piece in str(pieces.part["default"]).split(":"))
        clock = ClockTime(hour * 60 + minute)
    now_minutes = now.hour * 60 + now.minute
    day = now.date() if clock.today and pieces.day is None else pieces.day
    if day is None or day == now.date():
        minutes = next_occurrence(clock, now_minutes)
        late = minutes <= now_minutes and day is None
        day = now.date() + timedelta(days=1 if late else 0)
    else:
        minutes = waking_hours(clock)
    moment = datetime.combine(day, time(minutes // 60, minutes % 60))
    return Moment(moment.isoformat(timespec="minutes"), clock.ambiguous)


def clock_on(clock: ClockTime, now: datetime, day: DateValue | None, repeats: bool, half: str | None = None) -> str:
    """A clock time as `HH:MM`, its half of the day the one that was said, or chosen by the day it is for."""
    if half is not None:
        clock = in_half(clock, half)
    if repeats or (day is not None and day.day != now.date()):
        minutes = waking_hours(clock)
    else:
        minutes = next_occurrence(clock, now.hour * 60 + now.minute)
    return f"{minutes // 60:02d}:{minutes % 60:02d}"
