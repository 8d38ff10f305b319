"""Sentences that only make sense after the last one: answers to a question, and "what about tomorrow"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from entendre.core.plan import World
from entendre.core.understanding import Command
from entendre.language.automaton import Slot
from entendre.language.grammar import OPEN, Grammar
from entendre.language.meaning import narrow, slots_of
from entendre.language.pack import LanguagePack
from entendre.language.phrases import Phrases, phrase_set
from entendre.language.search import Step
from entendre.language.tokens import Tokenizer, Tokens
from entendre.language.values import Values

ANSWER_CONFIDENCE = 0.95
FOLLOW_UP_CONFIDENCE = 0.85
OPEN_ANSWER_CONFIDENCE = 0.9
PLACE = "place"
FOLLOWED_UP = (PLACE, "item")
"""Open slots that "and …" may fill again."""
MAX_OPEN_WORDS = 4
CONFIRMED = "confirmed"
ALL = "all"
EXCLUSIVE = ("appliance", "kind", "scene")
"""Slots that name what a command is about; a new one takes the place of the others."""
TARGET = (*EXCLUSIVE, "room")


class ValuesOf(Protocol):
    """The values of words in a world."""

    def __call__(self, words: Sequence[str], world: World, *, near: bool = False) -> Values: ...


class FollowUps:
    """Completes a sentence with the last command of the conversation."""

    def __init__(self, pack: LanguagePack, tokenizer: Tokenizer, grammar: Grammar) -> None:
        words_of = tokenizer.words
        self._grammar = grammar
        self._yes = {words_of(phrase) for phrase in pack.words.yes}
        self._no = {words_of(phrase) for phrase in pack.words.no}
        self._all = {words_of(phrase) for phrase in pack.words.all_of_them}
        self._lead = phrase_set(pack.words.follow_up_lead, words_of)
        self._tail = {words_of(phrase) for phrase in pack.words.follow_up_tail}
        self._never_open = frozenset(pack.words.never_begins_open)
        self._small = phrase_set(pack.words.follow_up_small, words_of)
        self._fillers = phrase_set(pack.words.fillers, words_of)
        self._open_words = MAX_OPEN_WORDS * pack.words.tokens_a_word
        self._written_together = pack.words.tokens_a_word > 1
        self._longest_tail = max(map(len, self._tail), default=0)

    def answer(self, tokens: Tokens, world: World, values_of: ValuesOf) -> Command | None:
        """The last command with the answer to its question."""
        last = world.mentioned
        if not last.question or last.intent is None:
            return None
        for phrases, confirmed in ((self._yes, True), (self._no, False)):
            if tokens.words in phrases:
                return self._again(world, tokens, {CONFIRMED: confirmed}, ANSWER_CONFIDENCE)
        if last.question in EXCLUSIVE and tokens.words in self._all:
            return self._again(world, tokens, {ALL: True}, ANSWER_CONFIDENCE)
        return self._completed(tokens, world, values_of, ANSWER_CONFIDENCE)

    def open_answer(self, tokens: Tokens, world: World) -> Command | None:
        """The last command with these words for the open slot that was asked for."""
        last = world.mentioned
        names = self._grammar.intent_slots.get(last.intent or "", {})
        if last.question is None or names.get(last.question) != OPEN:
            return None
        _, end = self._bounds(tokens.words)
        start = _past(self._fillers, tokens.words[:end], 0)
        start = _past(self._small, tokens.words[:end], start)
        return self._again(world, tokens, {last.question: tokens.between(start, end)}, OPEN_ANSWER_CONFIDENCE)

    def follow_up(self, tokens: Tokens, world: World, values_of: ValuesOf) -> Command | None:
        """The last command with a new value: "and in the bedroom too"."""
        if world.mentioned.intent is None:
            return None
        start, end = self._bounds(tokens.words)
        if start == 0 and end == len(tokens.words) and not world.mentioned.question:
            return None
        return self._completed(tokens, world, values_of, FOLLOW_UP_CONFIDENCE) or self._elsewhere(tokens, world)

    def _elsewhere(self, tokens: Tokens, world: World) -> Command | None:
        """The last command for another place of the world, or another item: "what about in London", "and eggs"."""
        start, end = self._bounds(tokens.words)
        place = start
        while (after := _past(self._small, tokens.words[:end], place)) != place:
            place = after
        names = self._grammar.intent_slots.get(world.mentioned.intent or "", {})
        name = next((name for name in FOLLOWED_UP if names.get(name) == OPEN), None)
        tail_only = self._written_together and name == PLACE and end < len(tokens.words)
        if name is None or end - place > self._open_words or (start == 0 and not tail_only):
            return None
        if name == PLACE and place == start and not self._written_together:
            return None
        if self._never_open & set(tokens.words[place:end]):
            return None
        return self._again(world, tokens, {name: tokens.between(place, end)}, FOLLOW_UP_CONFIDENCE)

    def _bounds(self, words: Sequence[str]) -> tuple[int, int]:
        """The part of a follow-up between its lead and its tail."""
        start, end = 0, len(words)
        start = _past(self._fillers, words, start)
        start = _past(self._lead, words, start)
        shortened = True
        while shortened and end - start > 1:
            shortened = False
            for length in range(self._longest_tail, 0, -1):
                if end - length > start and tuple(words[end - length : end]) in self._tail:
                    end -= length
                    shortened = True
                    break
        return start, end

    def _completed(self, tokens: Tokens, world: World, values_of: ValuesOf, confidence: float) -> Command | None:
        """The last command with a value that is all that was said, but for small words around it.

        The whole is tried too: where words are written together, one may begin like a small word.
        """
        for start, end in dict.fromkeys((self._bounds(tokens.words), (0, len(tokens.words)))):
            found = self._filled_by(tokens.part(start, end), world, values_of)
            if found is not None:
                return self._again(world, tokens, found, confidence)
        return None

    def _filled_by(self, part: Tokens, world: World, values_of: ValuesOf) -> dict[str, Any] | None:
        """The slot of the last command that words fill, the one that was asked for first."""
        values = values_of(part.words, world, near=True)
        names = self._grammar.intent_slots.get(world.mentioned.intent or "", {})
        asked = world.mentioned.question
        order = sorted(names, key=lambda name: (name != asked, name != names[name], name in world.mentioned.slots))
        begin = 0
        while begin < len(part.words):
            for name in order:
                step = _filled(Slot(names[name], name), part, values, begin)
                if step is not None:
                    return slots_of([step], part, world)
            after = _past(self._small, part.words, begin)
            if after == begin:
                break
            begin = after
        return None

    def _again(self, world: World, tokens: Tokens, new: dict[str, Any], confidence: float) -> Command:
        slots = dict(world.mentioned.slots)
        if "appliance" in new:
            slots = {name: value for name, value in slots.items() if name not in TARGET}
        elif any(name in new for name in EXCLUSIVE):
            slots = {name: value for name, value in slots.items() if name not in EXCLUSIVE}
        elif "room" in new and isinstance(slots.get("appliance"), list):
            slots = _moved(slots, new["room"], world)
        slots |= new
        if "room" in new:
            narrow(slots, world)
        text = tokens.between(0, len(tokens.words))
        return Command(world.mentioned.intent or "", slots, confidence, text)


def _past(phrases: Phrases[None], words: Sequence[str], start: int) -> int:
    found = phrases.longest(words, start)
    return found[0] if found is not None and found[0] < len(words) else start


def _filled(slot: Slot, part: Tokens, values: Values, start: int) -> Step | None:
    if slot.kind == OPEN:
        return None
    for found in values.at(slot.kind, start):
        if found.end == len(part.words):
            return Step(None, slot, start, found)
    return None


def _moved(slots: dict[str, Any], room: object, world: World) -> dict[str, Any]:
    """An appliance's command in another room: the one of several there, or else what is of its kind there."""
    appliances = {appliance.id: appliance for appliance in world.home.appliances}
    chosen = [appliances[identifier] for identifier in slots["appliance"] if identifier in appliances]
    if any(appliance.room == room for appliance in chosen):
        return slots
    kinds = {appliance.kind for appliance in chosen}
    moved = {name: value for name, value in slots.items() if name != "appliance"}
    return moved | {"kind": kinds.pop()} if len(kinds) == 1 else moved
