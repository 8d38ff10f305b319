"""The values that a sentence holds, by kind and place; found when first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from entendre.core.plan import World
from entendre.language.automaton import State
from entendre.language.dates import DateGrammar
from entendre.language.durations import DurationGrammar
from entendre.language.grammar import RANGE, Grammar
from entendre.language.moments import MomentGrammar
from entendre.language.names import NameIndex
from entendre.language.numbers import NumberGrammar
from entendre.language.pack import LanguagePack
from entendre.language.phrases import Phrases, phrase_set
from entendre.language.sounds import SoundIndex
from entendre.language.times import ClockGrammar

NAMED = frozenset({"appliance", "room", "scene", "list"})
PRONOUN_COST = 0.02
NEAR_BUDGET = 0.3
MISHEARD_NUMBER_COST = 0.12


@dataclass(frozen=True, slots=True)
class Found:
    """A value and where it ends; `cost` 0 is certain."""

    end: int
    value: Any
    cost: float = 0.0


class Readers:
    """The grammars of values of one language."""

    def __init__(self, pack: LanguagePack, words_of: Callable[[str], tuple[str, ...]]) -> None:
        firsts: set[str] = set()

        def noted(text: str) -> tuple[str, ...]:
            words = words_of(text)
            firsts.update(words[:1])
            return words

        self.numbers = NumberGrammar(pack.numbers, noted)
        self.durations = DurationGrammar(pack.time["duration"], self.numbers, noted)
        self.clocks = ClockGrammar(pack.time, self.numbers, noted)
        self.dates = DateGrammar(pack.time, self.numbers, noted)
        self.moments = MomentGrammar(pack.time, self.clocks, self.dates, self.durations, noted)
        self._firsts = frozenset(firsts)
        self.confusions = pack.words.confusions
        self.small_words = frozenset(pack.words.light)
        self.kelvin: Phrases[None] = phrase_set(pack.names.get("kelvin_words", ()), words_of)

    def may_begin(self, words: Sequence[str], start: int) -> bool:
        """Whether a number, a time or a date may begin at a word: most words begin none, and nothing is read there."""
        return start < len(words) and (words[start] in self._firsts or words[start][0].isdigit())


class Values:
    """The values of one sentence in one world. `near` also finds misheard ones."""

    def __init__(
        self,
        words: Sequence[str],
        world: World,
        *,
        readers: Readers,
        grammar: Grammar,
        names: NameIndex,
        sounds: SoundIndex,
        near: bool = False,
    ) -> None:
        self.words = words
        self._world = world
        self._readers = readers
        self._grammar = grammar
        self._names = names
        self._sounds = sounds
        self._near = near
        self._confusions = readers.confusions
        self._as_numbers = tuple(map(self._as_number, words)) if near else tuple(words)
        if near and words and words[-1] in readers.small_words:
            self._as_numbers = (*self._as_numbers[:-1], words[-1])
        self._misheard = [place for place, word in enumerate(words) if self._as_numbers[place] != word]
        self._found: dict[tuple[str, int], list[Found]] = {}
        self._listed: dict[int, dict[str, list[Found]]] = {}
        self._named: dict[int, dict[str, list[Found]]] = {}

    def _as_number(self, word: str) -> str:
        """The number word that a misheard word may stand for."""
        is_number = self._readers.numbers.is_number_word
        if is_number(word) or self._names.has_word(word):
            return word
        return next((meant for meant in self._confusions.get(word, ()) if is_number(meant)), word)

    def at(self, kind: str, start: int) -> list[Found]:
        """Values of a kind that begin at a word."""
        key = (kind, start)
        found = self._found.get(key)
        if found is None:
            found = self._found[key] = self._find(kind, start)
        return found

    def _find(self, kind: str, start: int) -> list[Found]:
        if kind in NAMED:
            return self._names_at(kind, start)
        read = self._READ.get(kind)
        if read is not None:
            return self._read(kind, start)
        if kind.startswith(RANGE):
            _, low, high = kind.split(":")
            if not self._readers.may_begin(self.words, start):
                return []
            readings = self._readers.numbers.parse(self.words, start)
            return [Found(end, value) for end, value in readings if int(low) <= value <= int(high)]
        found = self._listed_at(start).get(kind, [])
        if kind == "kelvin":
            return [*found, *self._kelvin(start)]
        return found

    _READ: dict[str, Callable[[Values, int], Sequence[tuple[int, Any]]]] = {  # noqa: RUF012
        "number": lambda self, start: self._readers.numbers.parse(self.words, start),
        "percent": lambda self, start: self._readers.numbers.percent(self.words, start),
        "ordinal": lambda self, start: self._readers.numbers.ordinal(self.words, start),
        "temperature": lambda self, start: self._readers.numbers.temperature(
            self.words, start, self._world.home.temperature_unit
        ),
        "duration": lambda self, start: self._readers.durations.parse(self.words, start),
        "time": lambda self, start: self._readers.clocks.parse(self.words, start),
        "date": lambda self, start: self._readers.moments.dates(self.words, start, self._world.now),
        "datetime": lambda self, start: self._readers.moments.parse(self.words, start, self._world.now),
        "days": lambda self, start: self._readers.dates.days(self.words, start),
    }

    def _read(self, kind: str, start: int) -> list[Found]:
        read = self._READ[kind]
        may_begin = self._readers.may_begin
        found = [Found(end, value) for end, value in read(self, start)] if may_begin(self.words, start) else []
        if self._misheard and may_begin(self._as_numbers, start):
            spoken, self.words = self.words, self._as_numbers
            cost = MISHEARD_NUMBER_COST
            for end, value in read(self, start):
                if any(start <= place < end for place in self._misheard):
                    found.append(Found(end, value, cost))
            self.words = spoken
        return found

    def _kelvin(self, start: int) -> list[Found]:
        found = []
        for end, value in self._readers.numbers.parse(self.words, start):
            unit = self._readers.kelvin.longest(self.words, end)
            if unit is not None and isinstance(value, int) and 1000 <= value <= 12_000:
                found.append(Found(unit[0], value))
        return found

    def _names_at(self, kind: str, start: int) -> list[Found]:
        named = self._named.get(start)
        if named is None:
            hits = list(self._names.at(self.words, start))
            if self._near:
                hits += self._names.near(self.words, start, NEAR_BUDGET)
            named = self._named[start] = {}
            for hit in hits:
                value = list(hit.ids) if hit.kind == "appliance" else hit.ids[0]
                named.setdefault(hit.kind, []).append(Found(hit.end, value, hit.cost))
        found = named.get(kind, [])
        listed = self._listed_at(start)
        if kind == "room":
            return [*found, *(self._place_word(place) for place in listed.get("place_word", ()))]
        if kind == "appliance" and self._world.mentioned.appliances:
            mentioned = list(self._world.mentioned.appliances)
            return [*found, *(Found(it.end, mentioned, PRONOUN_COST) for it in listed.get("pronoun", ()))]
        return found

    def _place_word(self, place: Found) -> Found:
        if place.value == "here" and self._world.device.room:
            return Found(place.end, self._world.device.room, place.cost)
        return place

    def _listed_at(self, start: int) -> dict[str, list[Found]]:
        listed = self._listed.get(start)
        if listed is not None:
            return listed
        listed = self._listed[start] = {}
        stack = [(start, self._grammar.lists.start, 0.0)]
        while stack:
            position, state, cost = stack.pop()
            for accept in state.accepts:
                kind, value = self._grammar.list_values[accept]
                listed.setdefault(kind, []).append(Found(position, value, cost))
            if position >= len(self.words):
                continue
            word = self.words[position]
            following = state.move(word)
            if following is not None:
                stack.append((position + 1, following, cost))
            elif self._near:
                for meant, extra in self._sounds.alike(word):
                    near = state.move(meant)
                    if near is not None and cost + extra <= NEAR_BUDGET:
                        stack.append((position + 1, near, cost + extra))
        return listed

    def may_go_on(self, kind: str, start: int) -> bool:
        """Whether the words from `start` to the end are the unfinished beginning of a value of this kind."""
        rest = self.words[start:]
        if not rest:
            return False
        if kind in NAMED:
            return self._names.begins(rest, kind)
        if kind == "duration":
            return self._readers.durations.may_go_on(rest)
        if kind == "time":
            return self._readers.clocks.may_go_on(rest)
        if kind in ("date", "days"):
            return self._readers.dates.may_go_on(rest)
        if kind == "datetime":
            return (
                self._readers.dates.may_go_on(rest)
                or self._readers.clocks.may_go_on(rest[self._readers.clocks.connector(rest, 0) :])
                or (len(rest) > 1 and self._readers.durations.may_go_on(rest[1:]))
            )
        return ":" in kind and not kind.startswith(RANGE) and self._begins_listed(kind, rest)

    def _begins_listed(self, kind: str, rest: Sequence[str]) -> bool:
        """Whether words are the beginning of a value of a file's list, and none themselves ("new" of "new york")."""
        state: State | None = self._grammar.lists.start
        for word in rest:
            state = state.move(word) if state is not None else None
        if state is None or any(self._grammar.list_values[accept][0] == kind for accept in state.accepts):
            return False
        return any(
            self._grammar.list_values[accept][0] == kind
            for word in state.words
            if (following := state.move(word)) is not None
            for accept in following.accepts
        )
