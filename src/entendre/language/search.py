"""Finds the cheapest way to read a sentence as a template: exactly first, then with small repairs.

Words and slots are moves of the automaton. Skipping a filler costs little, skipping or supplying a small word a little
more, taking a word for one that sounds alike more again; words of content are never skipped and never supplied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from entendre.language.automaton import Slot, State
from entendre.language.grammar import OPEN
from entendre.language.pack import WordData
from entendre.language.phrases import Phrases
from entendre.language.sounds import SoundIndex
from entendre.language.values import Found, Values

FILLER_COST = 0.01
OPEN_COST, OPEN_FIRST_COST = 0.005, 0.2
MAX_OPEN_FIRST_WORDS = 4
OPEN_WORD_COST = 0.012
OPEN_SMALL_WORD_COST = 0.02
SLOT_COST = {"appliance": 0.0, "scene": 0.0, "kind": 0.003, "room": 0.002, "datetime": 0.002}
OTHER_SLOT_COST = 0.001
SUPPLY_COST = 0.04
MAX_SUPPLIED = 2
ONLY_SUPPLIED = MAX_SUPPLIED + 1
REPAIR_BUDGET = 0.42
REPAIR_BASE, REPAIR_A_WORD = 0.12, 0.07
MAX_READINGS = 2000


class Step(NamedTuple):
    """A slot that was filled from word `start` on; steps lead back to the beginning."""

    before: Step | None
    slot: Slot
    start: int
    found: Found


class Reading(NamedTuple):
    """A state that holds after some words, and what it cost to get there; after word `used` all were skipped."""

    state: State
    cost: float
    steps: Step | None
    supplied: int = 0
    used: int = 0

    def slots(self) -> list[Step]:
        """The slots filled, in the order spoken."""
        found: list[Step] = []
        step = self.steps
        while step is not None:
            found.append(step)
            step = step.before
        return found[::-1]


Beam = dict[State, Reading]


class Search:
    """One sentence's readings. `beams[i]` holds what is possible after `i` words."""

    def __init__(
        self,
        words: Sequence[str],
        values: Values,
        start: State,
        *,
        data: WordData,
        fillers: Phrases[None],
        light: Phrases[float],
        sounds: SoundIndex | None = None,
        suppliable: Mapping[str, float] | None = None,
    ) -> None:
        self._words = words
        self._values = values
        self._data = data
        self._fillers = fillers
        self._light = light
        self._a_word = data.tokens_a_word
        self._sounds = sounds
        self._suppliable = suppliable or {}
        self._start = start
        self._budget = (
            1.0 if sounds is None else min(REPAIR_BUDGET, REPAIR_BASE + REPAIR_A_WORD * len(words) / data.tokens_a_word)
        )
        self._spent = 0
        self.beams: list[Beam] = [{} for _ in range(len(words) + 1)]
        self._put(0, Reading(start, 0.0, None))
        for position in range(len(words) + 1):
            self._expand(position)

    @property
    def ends(self) -> list[Reading]:
        """Readings of the whole sentence in which a word of it was said, not only supplied."""
        return [reading for reading in self.beams[-1].values() if reading.supplied <= MAX_SUPPLIED]

    def accepts_at(self, position: int) -> bool:
        """Whether a template ends before a word."""
        return any(reading.state.accepts for reading in self.beams[position].values())

    def _put(self, position: int, reading: Reading) -> bool:
        if reading.cost > self._budget:
            return False
        beam = self.beams[position]
        known = beam.get(reading.state)
        if known is not None and known.cost <= reading.cost:
            return False
        beam[reading.state] = reading
        return True

    def _expand(self, position: int) -> None:
        if self._sounds is not None:
            self._supply(position)
        if position == len(self._words):
            return
        word = self._words[position]
        skips = self._skips(position)
        alike = self._alike(position)
        here: dict[str, Sequence[Found]] = {}
        for reading in list(self.beams[position].values()):
            self._spent += 1
            if self._spent > MAX_READINGS:
                return
            state, cost, steps = reading.state, reading.cost, reading.steps
            following = state.move(word)
            if following is not None:
                self._put(position + 1, Reading(following, cost, steps, 0, position + 1))
            for meant, extra in alike:
                other = state.move(meant)
                if other is not None:
                    self._put(position + 1, Reading(other, cost + extra, steps, 0, position + 1))
            for end, skip_cost in skips:
                used = end if skip_cost == FILLER_COST and reading.used == position else reading.used
                self._put(end, Reading(state, cost + skip_cost, steps, reading.supplied, used))
            self._fill_slots(position, reading, here)

    def _fill_slots(self, position: int, reading: Reading, here: dict[str, Sequence[Found]]) -> None:
        """Readings that go on with a slot; `here` keeps the values at this position by kind."""
        for kind, targets in reading.state.filled():
            if kind == OPEN:
                for slot, target in targets:
                    self._fill_open(position, slot, target, reading)
                continue
            found = here.get(kind)
            if found is None:
                found = here[kind] = self._values.at(kind, position)
            if found:
                for slot, target in targets:
                    self._fill(position, slot, target, reading, found)

    def _skips(self, position: int) -> list[tuple[int, float]]:
        skips = [(end, FILLER_COST) for end, _ in self._fillers.at(self._words, position)]
        if self._sounds is not None:
            light = self._light.longest(self._words, position)
            if light is not None and not self._leads_value(position):
                skips.append(light)
        return skips

    def _leads_value(self, position: int) -> bool:
        """Whether a word tells how the number after it is meant ("up to 20", "up by 20"), and so is never skipped."""
        word = self._words[position]
        return word in self._data.value_leads and bool(self._values.at("number", position + 1))

    def _fill_open(self, position: int, slot: Slot, target: State, reading: Reading) -> None:
        """Readings in which the words from a position on, one or more, are an open slot's."""
        first = reading.state is self._start
        if self._sounds is not None and (first or reading.supplied):
            return
        cost = reading.cost + (OPEN_FIRST_COST if first else OPEN_COST)
        last = len(self._words)
        if first:
            last = min(last, position + MAX_OPEN_FIRST_WORDS * self._a_word)
        for end in range(position + 1, last + 1):
            small = self._words[end - 1] in self._data.light
            cost += (OPEN_SMALL_WORD_COST if small else OPEN_WORD_COST) / self._a_word
            step = Step(reading.steps, slot, position, Found(end, None))
            self._put(end, Reading(target, cost, step, 0, end))

    def _fill(self, position: int, slot: Slot, target: State, reading: Reading, values: Sequence[Found]) -> None:
        """Readings in which a value stands at a position."""
        base = reading.cost + SLOT_COST.get(slot.kind, OTHER_SLOT_COST)
        for found in values:
            step = Step(reading.steps, slot, position, found)
            self._put(found.end, Reading(target, base + found.cost, step, 0, found.end))

    def _alike(self, position: int) -> Sequence[tuple[str, float]]:
        """The words that the word at a position may stand for, each with its cost."""
        if self._sounds is None or (position and self._words[position - 1] in self._data.subjects):
            return ()
        return self._sounds.alike(self._words[position])

    def _supply(self, position: int) -> None:
        """Small words that a template has and the sentence lacks, if what is said here may stand after them."""
        beam = self.beams[position]
        waiting = list(beam.values())
        least = {reading.state: reading.cost for reading in waiting}
        while waiting:
            reading = waiting.pop()
            if reading.supplied >= MAX_SUPPLIED or reading.cost + SUPPLY_COST > self._budget:
                continue
            count = ONLY_SUPPLIED if reading.state is self._start else reading.supplied + 1
            for following, extra in reading.state.supplied(self._suppliable):
                cost = reading.cost + extra
                if cost > self._budget or least.get(following, math.inf) <= cost:
                    continue
                least[following] = cost
                self._spent += 1
                supplied = Reading(following, cost, reading.steps, count, reading.used)
                waiting.append(supplied)
                if self._takes(following, position):
                    beam[following] = supplied
            if self._spent > MAX_READINGS:
                return

    def _takes(self, state: State, position: int) -> bool:
        """Whether what stands at a position may follow a state; at the end, whether a template ends in it."""
        if position == len(self._words):
            return bool(state.accepts)
        if state.has_word(self._words[position]) or any(state.has_word(word) for word, _ in self._alike(position)):
            return True
        return any(kind != OPEN and self._values.at(kind, position) for kind in state.kinds)
