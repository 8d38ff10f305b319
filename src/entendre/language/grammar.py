"""Sentence files of every skill compiled into one automaton, and the closed lists of their slots into another."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from entendre.core.errors import InvalidInputError
from entendre.language.automaton import Automaton, Slot
from entendre.language.building import AutomatonBuilder
from entendre.language.pack import LanguagePack
from entendre.language.phrases import EdgeWords
from entendre.language.sentences import Block, SentenceFile
from entendre.language.templates import ListSlot, Piece, parse_template
from entendre.language.tokens import Tokenizer

OPEN = "*"
"""The kind of slots that take any words."""
OPEN_SLOTS = frozenset({"item", "text", "name", "query", "list_name", "place"})
TYPED_SLOTS = frozenset(
    {
        "duration", "time", "date", "datetime", "days", "number", "ordinal", "percent", "temperature", "color",
        "kelvin", "appliance", "kind", "room", "scene", "list", "unit",
    }
)  # fmt: skip
RANGE = "range"


@dataclass(frozen=True, slots=True)
class Template:
    """What an accepted sentence means; `skill` is the file it came from."""

    skill: str
    block: Block
    open_slots: frozenset[str]
    excludes: EdgeWords


@dataclass(frozen=True, slots=True)
class Grammar:
    """Everything that can be said, without the names of a home.

    `automaton` accepts numbers of `templates`, `lists` numbers of `list_values`: a kind and what is meant.
    `intent_slots`: the slots of each intent, and their kinds.
    """

    automaton: Automaton
    lists: Automaton
    templates: Sequence[Template]
    list_values: Sequence[tuple[str, Any]]
    intent_slots: Mapping[str, Mapping[str, str]]
    vocabulary: frozenset[str]


def compile_grammar(pack: LanguagePack, files: Iterable[SentenceFile], tokenizer: Tokenizer) -> Grammar:
    """The grammar of sentence files. Raises: InvalidInputError for a template that can't be compiled."""
    return _Compiler(pack, tokenizer).grammar(files)


class _Compiler:
    def __init__(self, pack: LanguagePack, tokenizer: Tokenizer) -> None:
        self._pack = pack
        self._words_of = tokenizer.words
        glued = pack.words.tokens_a_word == 1
        self._sentences = AutomatonBuilder(tokenizer.words, glued=glued)
        self._lists = AutomatonBuilder(tokenizer.words, glued=glued)
        self._templates: list[Template] = []
        self._list_values: list[tuple[str, Any]] = []
        self._intent_slots: dict[str, dict[str, str]] = {}
        self._common_rules = {name: parse_template(body) for name, body in pack.rules.items()}

    def grammar(self, files: Iterable[SentenceFile]) -> Grammar:
        self._add_pack_lists()
        for file in files:
            self._add_file(file)
        automaton, lists = self._sentences.automaton(), self._lists.automaton()
        return Grammar(
            automaton,
            lists,
            tuple(self._templates),
            tuple(self._list_values),
            self._intent_slots,
            automaton.vocabulary | lists.vocabulary,
        )

    def _add_pack_lists(self) -> None:
        names = self._pack.names
        for kind, source in (("kind", "kinds"), ("color", "colors"), ("kelvin", "kelvin"), ("unit", "units")):
            for value, spoken in names.get(source, {}).items():
                self._add_values(kind, [{"in": template, "out": value} for template in spoken], self._common_rules)
        for value in ("everywhere", "here"):
            spoken = names.get(value, ())
            self._add_values("place_word", [{"in": say, "out": value} for say in spoken], self._common_rules)
        pronouns = [{"in": say, "out": True} for say in names.get("pronouns", ())]
        self._add_values("pronoun", pronouns, self._common_rules)

    def _add_values(self, kind: str, values: Sequence[Any], rules: Mapping[str, Piece]) -> None:
        for value in values:
            spoken, out = (value["in"], value.get("out", value["in"])) if isinstance(value, Mapping) else (value, value)
            self._list_values.append((kind, out))
            self._lists.add(parse_template(str(spoken)), len(self._list_values) - 1, rules=rules, slot_of=_no_slots)

    def _add_file(self, file: SentenceFile) -> None:
        rules = self._common_rules | {name: parse_template(body) for name, body in file.rules.items()}
        for name, definition in file.lists.items():
            if "values" in definition:
                self._add_values(f"{file.skill}:{name}", definition["values"], rules)
        for block in file.blocks:
            self._add_block(file, block, rules)

    def _add_block(self, file: SentenceFile, block: Block, rules: Mapping[str, Piece]) -> None:
        accept = len(self._templates)
        used: dict[str, str] = {}

        def slot_of(reference: ListSlot) -> Slot:
            slot = _slot(reference, file)
            used[slot.name] = slot.kind
            return slot

        for template in block.templates:
            self._sentences.add(parse_template(template), accept, rules=rules, slot_of=slot_of)
        open_slots = frozenset(name for name, kind in used.items() if kind == OPEN)
        self._templates.append(Template(file.skill, block, open_slots, EdgeWords(block.excludes, self._words_of)))
        self._intent_slots.setdefault(block.intent, {}).update(used)


def _slot(reference: ListSlot, file: SentenceFile) -> Slot:
    name, stored, bounds = reference.list_name, reference.name, reference.bounds
    if bounds is not None:
        return Slot(f"{RANGE}:{bounds[0]}:{bounds[1]}", stored)
    own = file.lists.get(name)
    if own is not None:
        if own.get("wildcard"):
            return Slot(OPEN, stored)
        if "range" in own:
            return Slot(f"{RANGE}:{own['range']['from']}:{own['range']['to']}", stored)
        return Slot(f"{file.skill}:{name}", stored)
    if name in OPEN_SLOTS:
        return Slot(OPEN, stored)
    if name in TYPED_SLOTS:
        return Slot(name, stored)
    raise InvalidInputError(f"{file.skill}: a sentence uses the unknown list {{{name}}}.")


def _no_slots(reference: ListSlot) -> Slot:
    raise InvalidInputError(f"A list value can't hold the slot {{{reference.list_name}}}.")
