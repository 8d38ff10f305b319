"""Spoken clock times and parts of the day."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from entendre.language.automaton import State
from entendre.language.building import AutomatonBuilder, slot_by_own_name
from entendre.language.numbers import NumberGrammar
from entendre.language.phrases import Phrases, phrase_set
from entendre.language.templates import parse_template

MINUTES_A_DAY = 1440
LATE_MORNING = 10 * 60


@dataclass(frozen=True, slots=True)
class ClockTime:
    """A wall time in minutes after midnight; `ambiguous`: may as well be twelve hours later."""

    minutes: int
    ambiguous: bool = False
    bare: bool = False
    today: bool = False

    @property
    def text(self) -> str:
        """As `HH:MM`."""
        return f"{self.minutes // 60:02d}:{self.minutes % 60:02d}"


class ClockGrammar:
    """Reads the clock times of one language."""

    def __init__(
        self, data: Mapping[str, Any], numbers: NumberGrammar, words_of: Callable[[str], tuple[str, ...]]
    ) -> None:
        self._numbers = numbers
        self._patterns: list[Mapping[str, Any]] = list(data["clock"])
        self._lists = {name: Phrases(body, words_of) for name, body in data.get("lists", {}).items()}
        builder = AutomatonBuilder(words_of)
        for index, pattern in enumerate(self._patterns):
            builder.add(parse_template(pattern["say"]), index, rules={}, slot_of=slot_by_own_name)
        self._automaton = builder.automaton()
        halves = {say: half for half, spoken in data.get("meridiem", {}).items() for say in spoken}
        self._meridiem = Phrases(halves, words_of)
        self._parts = Phrases({say: part for part in data["parts"].values() for say in part["say"]}, words_of)
        self._connectors = phrase_set(data.get("connectors", ()), words_of)

    def part(self, words: Sequence[str], start: int) -> tuple[int, Mapping[str, Any]] | None:
        """A part of the day that begins at `start`."""
        return self._parts.longest(words, start)

    def connector(self, words: Sequence[str], start: int) -> int:
        """Where a small word before a time ends; `start` if there is none."""
        found = self._connectors.longest(words, start)
        return found[0] if found else start

    def parse(self, words: Sequence[str], start: int) -> list[tuple[int, ClockTime]]:
        """Clock times that begin at `start`, with am, pm or a part of the day if said; longest first."""
        found = self._timed(words, start)
        lead = self.part(words, start)
        if lead is not None:
            begin = self.connector(words, lead[0])
            for at in dict.fromkeys((lead[0], begin)):
                found += [
                    (end, _in_part(clock, lead[1])) for end, clock in self._plain(words, at) if _fits(clock, lead[1])
                ]
        return sorted(found, key=lambda reading: -reading[0])

    def _timed(self, words: Sequence[str], start: int) -> list[tuple[int, ClockTime]]:
        """Clock times with what is said after them."""
        found: list[tuple[int, ClockTime]] = []
        for end, clock in self._plain(words, start):
            found.append((end, clock))
            half = self._meridiem.longest(words, end)
            if half is not None:
                found.append((half[0], in_half(clock, half[1])))
                continue
            part = self.part(words, end)
            if part is not None and _fits(clock, part[1]):
                found.append((part[0], _in_part(clock, part[1])))
        return found

    def _plain(self, words: Sequence[str], start: int) -> list[tuple[int, ClockTime]]:
        found: list[tuple[int, ClockTime]] = []
        stack: list[tuple[int, State, dict[str, Any]]] = [(start, self._automaton.start, {})]
        while stack:
            position, state, values = stack.pop()
            for accept in state.accepts:
                clock = self._clock(self._patterns[accept], values)
                if clock is not None:
                    found.append((position, clock))
            if position >= len(words):
                continue
            following = state.move(words[position])
            if following is not None:
                stack.append((position + 1, following, values))
            for kind, targets in state.filled():
                for end, value in self._value(kind, words, position):
                    stack.extend((end, target, {**values, slot.name: value}) for slot, target in targets)
        return found

    def _value(self, kind: str, words: Sequence[str], start: int) -> Sequence[tuple[int, Any]]:
        own = self._lists.get(kind)
        if own is not None:
            return own.at(words, start)
        if kind == "clock":
            return _written_clock(words, start)
        limit = 24 if kind == "hour" else 59
        return [(end, value) for end, value in self._numbers.wholes(words, start) if 0 <= value <= limit]

    def _clock(self, pattern: Mapping[str, Any], values: Mapping[str, Any]) -> ClockTime | None:
        fixed = pattern.get("fixed", values.get("clock"))
        shift = int(pattern.get("shift", 0))
        half = pattern.get("half")
        if fixed is not None:
            minutes = fixed if isinstance(fixed, int) else minutes_of(str(fixed))
            read = ClockTime((minutes + shift) % MINUTES_A_DAY, ambiguous=60 <= minutes < 13 * 60)
            exact = "fixed" in pattern or bool(pattern.get("exact"))
            read = replace(read, ambiguous=read.ambiguous and not exact)
        else:
            hour = int(values["hour"])
            low, high = pattern.get("hours", (0, 24))
            if not low <= hour <= high:
                return None
            minutes = int(values.get("minute", 0)) * int(pattern.get("sign", 1)) + shift
            total = (hour * 60 + minutes) % MINUTES_A_DAY
            exact = bool(pattern.get("exact")) or not 1 <= hour <= 12
            read = ClockTime(total, ambiguous=not exact, bare=bool(pattern.get("bare")))
        return in_half(read, str(half)) if half else read

    def may_go_on(self, words: Sequence[str]) -> bool:
        """Whether these words begin a clock time and leave it unfinished ("half past")."""
        state: State | None = self._automaton.start
        for word in words:
            state = state.move(word) if state is not None else None
        return bool(words) and state is not None and not state.accepts


def minutes_of(time: str) -> int:
    """Minutes after midnight of `HH:MM`."""
    hour, minute = time.split(":")
    return int(hour) * 60 + int(minute)


def _written_clock(words: Sequence[str], start: int) -> list[tuple[int, int]]:
    """A time in figures: "7:30", "7.30"."""
    if start >= len(words) or not words[start][0].isdigit():
        return []
    pieces = words[start].replace(".", ":").split(":")
    if len(pieces) == 2 and all(piece.isdigit() for piece in pieces) and len(pieces[1]) == 2:
        hour, minute = int(pieces[0]), int(pieces[1])
        if hour < 24 and minute < 60:
            return [(start + 1, hour * 60 + minute)]
    return []


def _fits(clock: ClockTime, part: Mapping[str, Any]) -> bool:
    """Whether a clock time may be in a part of the day: five in the evening is none of the morning's."""
    return clock.ambiguous or in_half(replace(clock, ambiguous=True), str(part["half"])).minutes == clock.minutes


def _in_part(clock: ClockTime, part: Mapping[str, Any]) -> ClockTime:
    """A clock time in a part of the day that was said with it."""
    return replace(in_half(clock, part["half"]), today=bool(part.get("today")))


def in_half(clock: ClockTime, half: str) -> ClockTime:
    """A clock time in a half of the day; "night" is the evening's hours and the small ones, "noon" those around 12."""
    if not clock.ambiguous:
        return clock
    twelve = clock.minutes % 720
    if half == "noon" and twelve >= LATE_MORNING:
        return replace(clock, minutes=twelve, ambiguous=False, bare=False)
    if half == "am":
        return replace(clock, minutes=twelve, ambiguous=False, bare=False)
    if half == "night" and twelve < 6 * 60:
        return replace(clock, minutes=twelve, ambiguous=False, bare=False)
    return replace(clock, minutes=twelve + 720, ambiguous=False, bare=False)


def next_occurrence(clock: ClockTime, now_minutes: int) -> int:
    """Minutes after midnight of the reading that comes first after now."""
    if not clock.ambiguous:
        return clock.minutes
    readings = (clock.minutes % 720, clock.minutes % 720 + 720)
    return min(readings, key=lambda minutes: (minutes - now_minutes - 1) % MINUTES_A_DAY)


def waking_hours(clock: ClockTime, half: str | None = None) -> int:
    """Minutes after midnight of the reading that people mean on another day: 7 to 18 o'clock."""
    if not clock.ambiguous:
        return clock.minutes
    if half is not None:
        return in_half(clock, half).minutes
    twelve = clock.minutes % 720
    return twelve if twelve >= 6 * 60 else twelve + 720
