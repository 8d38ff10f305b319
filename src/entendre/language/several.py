"""Several commands in one sentence, split where both sides make sense."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from copy import copy
from dataclasses import replace
from typing import Protocol

from entendre.core.plan import World
from entendre.language.meaning import Meaning
from entendre.language.pack import LanguagePack
from entendre.language.phrases import phrase_set
from entendre.language.tokens import Tokenizer, Tokens

ALONE_COST = 0.2
MAX_SPLITS = 6
MAX_POINTS = 16
"""Where a sentence might be split; one with more is no row of commands."""
MAX_CARRIED_END = 3
MAX_ROW_WORDS = 8
"""Of a verb and two things that stand side by side before a third one."""
MAX_UNJOINED_WORDS, MIN_UNJOINED_WORDS = 20, 3
MIN_CLOSED_WORDS = 2
NAME_SLOTS = frozenset({"name", "list_name"})
UNSPLIT_SLOTS = frozenset({"text"})
ANSWERING = frozenset({"about", "clock", "weather", "calculator"})
"""Skills that only answer."""
TAKES_BACK = frozenset({"NeverMind"})
"""Intents whose words, right before a command, say that it shall not be done ("no need to turn off the tv")."""


def _anywhere(_: int) -> bool:
    return True


class Interpret(Protocol):
    """The meaning of words as one command."""

    def __call__(self, tokens: Tokens, world: World, *, exact: bool = False) -> Meaning | None: ...


class Splitter:
    """Finds the commands of a sentence."""

    def __init__(
        self, pack: LanguagePack, tokenizer: Tokenizer, interpret: Interpret, beginnings: Collection[str] = ()
    ) -> None:
        """`beginnings`: words that a sentence may begin with."""
        together = pack.words.tokens_a_word > 1  # there a small word may be the beginning of a longer one
        self._verbs = frozenset(beginnings) - (frozenset() if together else pack.words.light.keys())
        self._closing = pack.words.closing
        self._conjunctions = phrase_set(pack.words.conjunctions, tokenizer.words)
        self._fillers = phrase_set(pack.words.fillers, tokenizer.words)
        self._tails = frozenset(tokenizer.words(phrase) for phrase in pack.words.one_more_tail)
        self._longest_tail = max(map(len, self._tails), default=0)
        self._a_word = pack.words.tokens_a_word
        self._least = MIN_UNJOINED_WORDS if self._a_word == 1 else 2
        self._pauses = pack.words.pauses
        self._interpret = interpret

    def by(self, interpret: Interpret) -> Splitter:
        """The same, with another interpreter of the pieces."""
        other = copy(self)
        other._interpret = interpret
        return other

    def split_surely(self, tokens: Tokens, world: World) -> list[Meaning]:
        """The commands of a sentence that is no command as a whole, if each is exact; none if they are not.

        What `split` finds for such a sentence, without the search for what a misheard or unusual one may mean.
        """
        for start, end in self._points(tokens):
            left, right = tokens.part(0, start), self._without_tail(tokens.part(end, len(tokens.words)))
            if self._says_nothing(left.words) or self._says_nothing(right.words):
                continue
            first = self._interpret(left, world)
            if first is None or not first.is_sure:
                return []
            later = _with_mentioned(world, first)
            second = self._interpret(right, later, exact=True)
            more = [second] if second is not None else self.split_surely(right, later)
            if not more:
                more = (self._carry_beginning(first, left, right, world, 0) or [])[1:]
            return [first, *more] if more and all(meaning.is_sure for meaning in more) else []
        return []

    def split(
        self,
        tokens: Tokens,
        world: World,
        whole: Meaning | None,
        depth: int = 0,
        *,
        may_end: Callable[[int], bool] = _anywhere,
    ) -> list[Meaning]:
        """The commands of a sentence in order; `whole` is its meaning as one command.

        `may_end`: whether a command may end before a word.
        """
        alone = [whole] if whole is not None else []
        points = self._points(tokens)
        if whole is None and not points and depth == 0:
            return self._unjoined(tokens, world, may_end)
        if not points or depth >= MAX_SPLITS or (whole is not None and self._is_one(whole, points)):
            return alone
        for start, end in points:
            left, right = tokens.part(0, start), self._without_tail(tokens.part(end, len(tokens.words)))
            if self._says_nothing(left.words) or self._says_nothing(right.words):
                continue
            found = self._both(left, right, world, whole, depth)
            if found:
                return found
        return alone or (self._in_a_row(tokens, points, world, may_end) if depth == 0 else [])

    def _in_a_row(
        self, tokens: Tokens, points: Sequence[tuple[int, int]], world: World, may_end: Callable[[int], bool]
    ) -> list[Meaning]:
        """Three commands or four, joined once: "close the curtains turn off the lamp and turn on the tv"; all exact."""
        for start, end in points:
            left, right = tokens.part(0, start), self._without_tail(tokens.part(end, len(tokens.words)))
            first = self._one_or_unjoined(left, world, may_end)
            second = self._one_or_unjoined(right, _with_mentioned(world, first[-1]), _anywhere) if first else []
            if second:
                return [*first, *second]
            if things := self._things_in_a_row(left, right, world):
                return things
        return []

    def _things_in_a_row(self, left: Tokens, right: Tokens, world: World) -> list[Meaning]:
        """One verb for three things, the last of them joined: "turn off the tv the fan and the lamp"; all exact."""
        count = len(left.words)
        if not MIN_UNJOINED_WORDS - 1 <= count <= MAX_ROW_WORDS * self._a_word:
            return []
        last = self._exactly(right, world)
        for place in range(1, count):
            parts = left.part(0, place), left.part(place, count)
            found = self._row_after_verb(*parts, right, world)
            if not found and last is not None:
                found = self._row_before_verb(parts, right, last, world)
            if found and len({_thing(each) for each in found}) == len(found):
                return found
        return []

    def _row_after_verb(self, begun: Tokens, thing: Tokens, right: Tokens, world: World) -> list[Meaning]:
        first = self._exactly(begun, world) if len(begun.words) > 1 else None
        for length in range(1, min(len(begun.words), MAX_CARRIED_END + 1)) if first is not None else ():
            verb = begun.part(0, length)
            second = self._exactly(verb.joined(thing), world)
            if first is not None and second is not None and first.command.intent == second.command.intent:
                more = self._carried(verb, right, world, first.command.intent, 1)
                return [first, _said(second, thing), *more] if more else []
        return []

    def _row_before_verb(self, parts: Sequence[Tokens], right: Tokens, last: Meaning, world: World) -> list[Meaning]:
        for length in range(1, min(MAX_CARRIED_END + 1, len(right.words))):
            verb = right.part(len(right.words) - length, len(right.words))
            found = [
                _said(meaning, part)
                for part in parts
                if (meaning := self._exactly(part.joined(verb), world))
                and meaning.command.intent == last.command.intent
            ]
            if len(found) == len(parts):
                return [*found, last]
        return []

    def _exactly(self, tokens: Tokens, world: World) -> Meaning | None:
        meaning = self._interpret(tokens, world, exact=True)
        return None if meaning is None or meaning.is_open else meaning

    def _one_or_unjoined(self, tokens: Tokens, world: World, may_end: Callable[[int], bool]) -> list[Meaning]:
        one = self._interpret(tokens, world, exact=True)
        if one is not None:
            return [] if one.is_open else [one]
        return self._unjoined(tokens, world, may_end)

    def _unjoined(self, tokens: Tokens, world: World, may_end: Callable[[int], bool]) -> list[Meaning]:
        """Two commands with nothing between them ("turn off the lamp turn on the fan"), both exact.

        They part before a verb, or after one where verbs close a sentence ("lambayı aç televizyonu kapat").
        """
        if len(tokens.words) > MAX_UNJOINED_WORDS * self._a_word:
            return []
        for place in range(1, len(tokens.words)):
            closed = tokens.words[place - 1] in self._closing
            least = MIN_CLOSED_WORDS if closed else self._least
            if not least <= place <= len(tokens.words) - least:
                continue
            if (not closed and tokens.words[place] not in self._verbs) or not may_end(place):
                continue
            first = self._interpret(tokens.part(0, place), world, exact=True)
            if first is None or first.is_open or first.command.intent in TAKES_BACK:
                continue
            right = tokens.part(place, len(tokens.words))
            second = self._interpret(right, _with_mentioned(world, first), exact=True)
            if second is not None and not second.is_open and self._may_adjoin(first, second):
                return [first, second]
            more = self._unjoined(right, _with_mentioned(world, first), _anywhere) if closed and second is None else []
            if more:
                return [first, *more]
        return []

    def _may_adjoin(self, first: Meaning, second: Meaning) -> bool:
        """Whether two commands may stand side by side: where nothing parts words, answers are too easily found."""
        return self._a_word == 1 or not {first.command.skill, second.command.skill} & ANSWERING

    def _points(self, tokens: Tokens) -> list[tuple[int, int]]:
        """Where a sentence may be split: at words that join commands, and at marks."""
        words, found = tokens.words, []
        for start in range(1, len(words)):
            match = self._conjunctions.longest(words, start)
            if match is not None and match[0] < len(words):
                found.append((start, match[0]))
            elif self._is_pause(tokens, start):
                found.append((start, start))
        return found if len(found) <= MAX_POINTS else []

    def _is_pause(self, tokens: Tokens, start: int) -> bool:
        between = tokens.text[tokens.tokens[start - 1].end : tokens.tokens[start].start]
        return any(mark in between for mark in self._pauses)

    def _without_tail(self, tokens: Tokens) -> Tokens:
        """Without words that only say that it is one more ("and the tree too")."""
        for length in range(min(self._longest_tail, len(tokens.words) - 1), 0, -1):
            if tokens.words[-length:] in self._tails:
                return tokens.part(0, len(tokens.words) - length)
        return tokens

    def _says_nothing(self, words: Sequence[str]) -> bool:
        """Whether words are nothing but fillers ("hey", "thank you")."""
        position = 0
        while position < len(words):
            filler = self._fillers.longest(words, position)
            if filler is None:
                return False
            position = filler[0]
        return True

    def _is_one(self, whole: Meaning, points: Sequence[tuple[int, int]]) -> bool:
        """Whether a sentence is surely one command: exact, and no conjunction in its open words."""
        if any(step.slot.name in UNSPLIT_SLOTS and _covers(step, points) for step in whole.steps):
            return True
        if whole.cost > ALONE_COST:
            return False
        return whole.exact and not any(step.found.value is None and _covers(step, points) for step in whole.steps)

    def _both(
        self, left: Tokens, right: Tokens, world: World, whole: Meaning | None, depth: int
    ) -> list[Meaning] | None:
        first = self._interpret(left, world)
        if first is not None and first.cost > ALONE_COST:
            first = None
        if first is None:
            unsure = whole is None or (not whole.exact and whole.cost > ALONE_COST)
            return self._carry_end(left, right, world) if unsure else None
        later = _with_mentioned(world, first)
        second = self.split(right, later, self._interpret(right, later), depth + 1)
        if second and max(meaning.cost for meaning in second) > ALONE_COST:
            second = []
        if second and not any(meaning.exact for meaning in second):
            carried = self._carry_beginning(first, left, right, world, depth)
            second = carried[1:] if carried else second
        if second:
            return [first, *second] if whole is None or not any(meaning.is_open for meaning in second) else None
        if whole is None or not whole.exact or _names_several(whole, len(left.words)):
            return self._carry_beginning(first, left, right, world, depth)
        return None

    def _carry_beginning(
        self, first: Meaning, left: Tokens, right: Tokens, world: World, depth: int
    ) -> list[Meaning] | None:
        """The second command lacks the first one's verb: "turn off the lamp and the fan"."""
        if first.is_open:
            return None
        for intent in (first.command.intent, None):
            for length in range(len(left.words) - 1, 0, -1):
                second = self._carried(left.part(0, length), right, world, intent, depth)
                if second:
                    return [first, *second]
        return self._carry_around(first, left, right, world)

    def _carry_around(self, first: Meaning, left: Tokens, right: Tokens, world: World) -> list[Meaning] | None:
        """The second command lacks the first one's verb and its last word: "turn the tv off and the fan"."""
        last = left.part(len(left.words) - 1, len(left.words))
        for length in range(1, min(MAX_CARRIED_END * self._a_word, len(left.words) - 1)):
            second = self._interpret(left.part(0, length).joined(right).joined(last), world, exact=True)
            if second is not None and second.command.intent == first.command.intent and not second.is_open:
                return [first, _said(second, right)]
        return self._carry_last(first, left, right, world)

    def _carry_last(self, first: Meaning, left: Tokens, right: Tokens, world: World) -> list[Meaning] | None:
        """The second command lacks the verb that ends the first one, where verbs come last: "fan off and lamp too"."""
        for length in range(min(MAX_CARRIED_END * self._a_word, len(left.words) - 1), 0, -1):
            verb = left.part(len(left.words) - length, len(left.words))
            second = self._interpret(right.joined(verb), world, exact=True)
            if second is not None and second.command.intent == first.command.intent and not second.is_open:
                return [first, _said(second, right)]
        return None

    def _carried(
        self, verb: Tokens, right: Tokens, world: World, intent: str | None, depth: int
    ) -> list[Meaning] | None:
        """The commands of `right`, the first of which lacks its verb; of one intent if `intent` is given."""
        for start, end in ((len(right.words), len(right.words)), *self._points(right)):
            part, rest = right.part(0, start), right.part(end, len(right.words))
            meaning = self._interpret(verb.joined(part), world, exact=True)
            if meaning is None or meaning.is_open or intent not in (None, meaning.command.intent):
                continue
            if not rest.words:
                return [_said(meaning, part)]
            alone = self.split(rest, world, self._interpret(rest, world, exact=True), depth + 1)
            more = alone if alone and all(found.exact for found in alone) else None
            more = more or self._carried(verb, rest, world, intent, depth)
            if more:
                return [_said(meaning, part), *more]
        return None

    def _carry_end(self, left: Tokens, right: Tokens, world: World) -> list[Meaning] | None:
        """The first command lacks the second one's end: "turn the lamp and the fan off"."""
        verb_of = next(
            (count for count in range(1, min(3, len(left.words)))
             if (found := self._interpret(left.part(0, count).joined(right), world, exact=True)) and not found.is_open),
            0,
        )  # fmt: skip
        second = self._interpret(left.part(0, verb_of).joined(right), world, exact=True)
        if second is None or second.is_open:
            return None
        for length in range(1, min(MAX_CARRIED_END * self._a_word, len(right.words) - 1) + 1):
            carried = left.joined(right.part(len(right.words) - length, len(right.words)))
            first = self._interpret(carried, world, exact=True)
            if first is not None and first.command.intent == second.command.intent and not first.is_open:
                return [_said(first, left), _said(second, right)]
        return None


def _covers(step: object, points: Sequence[tuple[int, int]]) -> bool:
    start, end = getattr(step, "start", 0), getattr(step, "found").end  # noqa: B009
    return any(start <= place[0] < end for place in points)


def _names_several(whole: Meaning, place: int) -> bool:
    """Whether a conjunction stands in an open name ("cancel the alarm and the timer")."""
    return any(step.slot.name in NAME_SLOTS and _covers(step, ((place, place),)) for step in whole.steps)


def _thing(meaning: Meaning) -> str:
    slots = meaning.command.slots
    return f"{slots.get('appliance')} {slots.get('kind')} {slots.get('room')}"


def _said(meaning: Meaning, part: Tokens) -> Meaning:
    return replace(meaning, command=replace(meaning.command, text=part.between(0, len(part.words))))


def _with_mentioned(world: World, first: Meaning) -> World:
    """The world for the commands after the first: "it" and "them" are what that one was about."""
    slots = first.command.slots
    ids = slots.get("appliance") or _of_kind(slots.get("kind"), slots.get("room") or world.device.room, world)
    if not isinstance(ids, list) or not ids:
        return world
    return replace(world, mentioned=replace(world.mentioned, appliances=tuple(ids)))


def _of_kind(kind: object, room: object, world: World) -> list[str]:
    rooms = {entry.id for entry in world.home.rooms if room in (entry.id, entry.floor)}
    return [each.id for each in world.home.appliances if each.kind == kind and each.room in rooms]
