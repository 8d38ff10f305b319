"""Sentences to commands: exact templates first, then paraphrase and misheard words, several commands, and context."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from dataclasses import replace

from entendre.core.home import HomeSnapshot
from entendre.core.plan import World
from entendre.core.understanding import Command, Completeness, Understanding
from entendre.language.called import without_call
from entendre.language.context import FollowUps
from entendre.language.endings import Endings
from entendre.language.grammar import OPEN, compile_grammar
from entendre.language.homophones import respelled
from entendre.language.meaning import CLEAR_COST, Meaning, meaning_of, narrow
from entendre.language.names import NameIndex, NameWords
from entendre.language.pack import LanguagePack
from entendre.language.phrases import EdgeWords, Phrases, phrase_set
from entendre.language.search import SUPPLY_COST, Search
from entendre.language.sentences import SentenceFile
from entendre.language.several import Interpret, Splitter
from entendre.language.sounds import SoundIndex
from entendre.language.tokens import Token, Tokenizer, Tokens
from entendre.language.values import Readers, Values

LEAST_CONFIDENCE = 0.6
ALTERNATIVE_COST = 0.05
NUMBERS_UNSURE = 0.65
"""Confidence in a number that may as well be one that sounds like it: below what is acted on without a question."""
RESPELLED = 0.85
"""Confidence in what was heard as something else: too little for what lets somebody in without a question."""
DETACHED_COST = 0.1
UNSURE_COST = 0.2
MAX_WORDS = 60
MAX_CHARACTERS = 1500
"""No sentence of so many words has more; what has is not even cut into words."""
_UNFINISHED = (Completeness.INCOMPLETE, Completeness.UNKNOWN, Completeness.EXTENDABLE)
TARGET_KINDS = frozenset({"appliance", "kind", "room"})
FREE_SLOTS = frozenset({"text", "query"})


class Understander:
    """Understands one language's sentences about one home. Pure and fast; one instance serves every thread."""

    def __init__(self, pack: LanguagePack, sentence_files: Iterable[SentenceFile], home: HomeSnapshot) -> None:
        """Compile the sentence files. Raises: InvalidInputError for a template that can't be compiled."""
        self.pack = pack
        self._tokenizer = Tokenizer(pack.words)
        self._readers = Readers(pack, self._tokenizer.words)
        self._grammar = compile_grammar(pack, sentence_files, self._tokenizer)
        self._sounds = SoundIndex(pack.words, self._grammar.vocabulary)
        self._fillers = phrase_set(pack.words.fillers, self._tokenizer.words)
        self._light: Phrases[float] = Phrases(pack.words.light, self._tokenizer.words)
        self._never_ends = EdgeWords(pack.words.never_ends, self._tokenizer.words)
        self._never_begins_open = EdgeWords(pack.words.never_begins_open, self._tokenizer.words)
        self._endings = Endings(pack.words, self._tokenizer.words)
        self._max_words = MAX_WORDS * pack.words.tokens_a_word
        self._suppliable = {
            word: cost + SUPPLY_COST for word, cost in pack.words.light.items() if word not in pack.words.required_light
        }
        self._grammar.automaton.warm(self._suppliable)
        self._room_lead = phrase_set(pack.names.get("room_lead", ()), self._tokenizer.words)
        self._name_words = NameWords(pack, self._tokenizer)
        self._names = NameIndex(home, self._name_words)
        self._follow_ups = FollowUps(pack, self._tokenizer, self._grammar)
        beginnings = self._grammar.automaton.start.words
        if pack.words.tokens_a_word > 1:  # what a command is about may stand first, and nothing shows where it begins
            beginnings = beginnings | self._grammar.lists.start.words
        self._splitter = Splitter(pack, self._tokenizer, self.interpret, beginnings)

    @property
    def intents(self) -> frozenset[str]:
        """Every intent that a sentence can mean."""
        return frozenset(self._grammar.intent_slots)

    @property
    def has_homophones(self) -> bool:
        """Whether words are heard for others that sound the same (`respelled`)."""
        return bool(self.pack.words.syllables)

    def with_home(self, home: HomeSnapshot) -> Understander:
        """The same sentences with another home's names; cheap."""
        other = copy(self)
        other._names = NameIndex(home, self._name_words)
        other._splitter = self._splitter.by(other.interpret)
        return other

    def understand(self, text: str, world: World, *, alternatives: Sequence[str] = ()) -> Understanding:
        """What a sentence means in a world; no commands if that is not sure enough.

        Where that is not clear, an alternative reading with a clear meaning counts, and `text` is that reading. Where
        readings differ only in numbers that sound alike, none of them is sure.
        """
        best = first = self._understand(text, world)
        for alternative in alternatives if first.confidence < 1 - CLEAR_COST else ():
            other = self._understand(alternative, world)
            confidence = round(other.confidence - ALTERNATIVE_COST, 3)
            if other.confidence >= 1 - CLEAR_COST and confidence > best.confidence:
                best = _at_most(other, confidence)
        if first.completeness is Completeness.INCOMPLETE:
            best = replace(best, completeness=Completeness.INCOMPLETE)
        if best.understood and self._numbers_unsure(best.text, (text, *alternatives)):
            best = _at_most(best, NUMBERS_UNSURE)
        return best

    def respelled(self, text: str, world: World) -> Understanding | None:
        """What words that were heard and make no sense mean, if they were heard for others that sound the same.

        None unless exactly one command comes of it. Takes up to a second.
        """
        syllables = self.pack.words.syllables
        sounds, names = self._sounds.by_sound(frozenset()), self._names.sounds.by_sound(frozenset())

        def alike(word: str) -> list[str]:
            found = (*sounds.alike(word), *names.alike(word)) if word in syllables else ()
            return list(dict.fromkeys(meant for meant, _ in found if len(meant) == 1))

        def by_sound(fixed: frozenset[str]) -> Callable[[Tokens], Meaning | None]:
            other = copy(self)
            other._sounds, other._names = self._sounds.by_sound(fixed), self._names.by_sound(fixed)

            def meaning(tokens: Tokens) -> Meaning | None:
                search = other._search(tokens.words, other._values(tokens.words, world, near=True), near=True)
                return other._best(search, tokens, world, exact=False)

            return meaning

        def exactly(tokens: Tokens) -> Meaning | None:
            return self.interpret(tokens, world, exact=True)

        words_of = self._tokenizer.tokenize
        meant = respelled(text, words_of=words_of, alike=alike, by_sound=by_sound, exactly=exactly)
        understanding = self._understand(meant, world) if meant is not None else None
        if understanding is None or understanding.confidence < 1 - CLEAR_COST:
            return None
        return _at_most(understanding, RESPELLED)

    def _numbers_unsure(self, text: str, readings: Sequence[str]) -> bool:
        """Whether another reading says the same with a number that sounds like this one's."""
        others = [reading for reading in readings if reading != text]
        words = self._tokenizer.words(text) if others else ()
        confusable = self._readers.numbers.confusable
        return any(confusable(words, self._tokenizer.words(reading)) for reading in others)

    def _understand(self, text: str, world: World) -> Understanding:
        language = self.pack.language
        if len(text) > MAX_CHARACTERS:
            return Understanding(text, language)
        tokens = self._tokenizer.tokenize(text)
        if not tokens.words or len(tokens.words) > self._max_words:
            return Understanding(text, language)
        answer = self._follow_ups.answer(tokens, world, self._values)
        if answer is not None:
            return Understanding(text, language, (answer,), Completeness.COMPLETE, answer.confidence)
        values = self._values(tokens.words, world)
        search = self._search(tokens.words, values)
        splitter = self._splitter.by(_Remembered(self.interpret))
        exact = self._best(search, tokens, world, exact=True)
        meanings = splitter.split_surely(tokens, world) if exact is None else []
        if not meanings:
            meaning = self._choose(tokens, world, exact)
            meanings = splitter.split(tokens, world, meaning, may_end=search.accepts_at)
        if not meanings or (len(meanings) == 1 and meanings[0].cost > UNSURE_COST):
            follow_up = self._follow_ups.follow_up(tokens, world, self._values)
            if follow_up is not None:
                return Understanding(text, language, (follow_up,), Completeness.COMPLETE, follow_up.confidence)
        if not meanings:
            open_answer = self._follow_ups.open_answer(tokens, world)
            if open_answer is not None:
                return Understanding(text, language, (open_answer,), Completeness.EXTENDABLE, open_answer.confidence)
            rest = without_call(tokens, self.pack.words)
            inner = self._understand(rest.between(0, len(rest.words)), world) if rest is not None else None
            if inner is not None and inner.confidence >= 1 - CLEAR_COST:
                return replace(inner, text=text)
        completeness = self._endings.completeness(tokens.words, meanings[-1] if meanings else None, search, values)
        if completeness is Completeness.EXTENDABLE and self._breaks_off(tokens, world):
            completeness = Completeness.INCOMPLETE
        commands = tuple(_clean(meaning.command) for meaning in meanings)
        confidence = min((command.confidence for command in commands), default=0.0)
        return Understanding(text, language, commands, completeness, confidence)

    def _breaks_off(self, tokens: Tokens, world: World) -> bool:
        """Whether the last word is likely a small word that a recognizer finished for somebody who paused after it.

        A word after what is a whole command already ("… the lamp too") is taken as it was heard.
        """
        words = tokens.words
        misheard = self.pack.words.ends_misheard.get(words[-1], ())
        if not misheard or self._understand(tokens.between(0, len(words) - 1), world).completeness not in _UNFINISHED:
            return False
        for meant in misheard:
            broken = (*words[:-1], meant)
            values = self._values(broken, world)
            if self._endings.goes_on(self._search(broken, values), values):
                return True
        return False

    def interpret(self, tokens: Tokens, world: World, *, exact: bool = False) -> Meaning | None:
        """The meaning of words as one command, if it is sure enough."""
        if not tokens.words:
            return None
        search = self._search(tokens.words, self._values(tokens.words, world))
        meaning = self._best(search, tokens, world, exact=True)
        return meaning if exact else self._choose(tokens, world, meaning)

    def _choose(self, tokens: Tokens, world: World, meaning: Meaning | None) -> Meaning | None:
        """The exact meaning if it is clear, else the best with repairs."""
        unfinished = self._never_ends.ends(tokens.words)
        if meaning is not None and meaning.cost <= CLEAR_COST and (meaning.ends_used or not unfinished):
            return meaning
        light = self.pack.words.light
        if all(word in light for word in tokens.words):
            return None if meaning is None or meaning.command.confidence < LEAST_CONFIDENCE else meaning
        values = self._values(tokens.words, world, near=True)
        repaired = self._best(self._search(tokens.words, values, near=True), tokens, world, exact=False)
        candidates = [
            found for found in (meaning, repaired) if found is not None and (found.ends_used or not unfinished)
        ]
        best = min(candidates, key=lambda found: found.cost, default=None)
        if best is not None and best.command.confidence >= (1 - CLEAR_COST if unfinished else LEAST_CONFIDENCE):
            return best
        return self._detached(tokens, world)

    def _detached(self, tokens: Tokens, world: World) -> Meaning | None:
        """A command that holds without its room, which may stand at the beginning or the end of any sentence."""
        values = self._values(tokens.words, world)
        for start, end, room in self._rooms_at_edges(tokens.words, values):
            rest = tokens.part(0, start) if start else tokens.part(end, len(tokens.words))
            search = self._search(rest.words, self._values(rest.words, world))
            meaning = self._best(search, rest, world, exact=True)
            if meaning is None or meaning.cost > CLEAR_COST or meaning.is_open:
                continue
            command = meaning.command
            if "room" not in self._grammar.intent_slots[command.intent] or "room" in command.slots:
                continue
            slots = dict(command.slots) | {"room": room}
            narrow(slots, world)
            cost = meaning.cost + DETACHED_COST
            command = replace(
                command, slots=slots, confidence=round(1 - cost, 3), text=tokens.between(0, len(tokens.words))
            )
            return replace(meaning, command=command, cost=cost)
        return None

    def _rooms_at_edges(self, words: Sequence[str], values: Values) -> Iterable[tuple[int, int, object]]:
        for start in range(len(words)):
            lead = self._room_lead.longest(words, start)
            for found in values.at("room", lead[0] if lead is not None else start):
                if (start == 0) != (found.end == len(words)):
                    yield start, found.end, found.value

    def _best(self, search: Search, tokens: Tokens, world: World, *, exact: bool) -> Meaning | None:
        best: Meaning | None = None
        for reading in sorted(search.ends, key=lambda reading: reading.cost):
            if not reading.state.accepts:
                continue
            meaning = meaning_of(reading, self._grammar.templates, tokens, world, exact=exact)
            if meaning is None or (best is not None and meaning.cost >= best.cost) or self._is_hollow(meaning, tokens):
                continue
            if not exact and self._only_names(meaning, tokens):
                continue
            best = meaning
        return best

    def _is_hollow(self, meaning: Meaning, tokens: Tokens) -> bool:
        """Whether an open slot holds nothing but small words, or begins or ends as no name or thing does."""
        light = self.pack.words.light
        return any(
            step.slot.kind == OPEN
            and (
                all(word in light for word in tokens.words[step.start : step.found.end])
                or self._never_ends.ends(tokens.words[step.start : step.found.end])
                or (
                    step.slot.name not in FREE_SLOTS
                    and self._never_begins_open.begins(tokens.words[step.start : step.found.end])
                )
            )
            for step in meaning.steps
        )

    def _only_names(self, meaning: Meaning, tokens: Tokens) -> bool:
        """Whether nothing was said but what a command is about ("the light, please"): all else was supplied."""
        if not meaning.steps or any(step.slot.kind not in TARGET_KINDS for step in meaning.steps):
            return False
        position = 0
        for step in meaning.steps:
            if any(word not in self._suppliable for word in tokens.words[position : step.start]):
                return False
            position = step.found.end
        return all(word in self._suppliable for word in tokens.words[position:])

    def _values(self, words: Sequence[str], world: World, *, near: bool = False) -> Values:
        return Values(
            words,
            world,
            readers=self._readers,
            grammar=self._grammar,
            names=self._names,
            sounds=self._sounds,
            near=near,
        )

    def _search(self, words: Sequence[str], values: Values, *, near: bool = False) -> Search:
        return Search(
            words,
            values,
            self._grammar.automaton.start,
            data=self.pack.words,
            fillers=self._fillers,
            light=self._light,
            sounds=self._sounds if near else None,
            suppliable=self._suppliable,
        )


class _Remembered:
    """What the pieces of one sentence mean, each looked at once."""

    def __init__(self, interpret: Interpret) -> None:
        self._interpret = interpret
        self._found: dict[tuple[tuple[Token, ...], tuple[str, ...], bool], Meaning | None] = {}

    def __call__(self, tokens: Tokens, world: World, *, exact: bool = False) -> Meaning | None:
        """The meaning of words as one command."""
        key = (tokens.tokens, world.mentioned.appliances, exact)
        if key not in self._found:
            self._found[key] = self._interpret(tokens, world, exact=exact)
        return self._found[key]


def _at_most(understanding: Understanding, confidence: float) -> Understanding:
    commands = tuple(
        replace(command, confidence=min(command.confidence, confidence)) for command in understanding.commands
    )
    return replace(understanding, commands=commands, confidence=min(understanding.confidence, confidence))


def _clean(command: Command) -> Command:
    return replace(command, text=command.text.strip())
