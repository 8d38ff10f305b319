"""Templates made into an automaton: one arc for each word or slot that may come next, wherever a template stands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from entendre.core.errors import InvalidInputError
from entendre.language.automaton import Automaton, Slot, Symbol
from entendre.language.graph import GraphBuilder
from entendre.language.templates import Choice, ListSlot, Permutation, Piece, Rule, Sequence, Text

MAX_DEPTH = 96
"""Pieces within pieces, those of rules included."""
MAX_PERMUTED = 7

Frontier = tuple[tuple[int, str], ...]
"""Nodes reached, each with the part of a word that was read since its last space."""


class AutomatonBuilder:
    """Templates by number: `add` them all, then take the automaton.

    `glued`: pieces of a template without a space between them may be parts of one word.
    """

    def __init__(self, words_of: Callable[[str], tuple[str, ...]], *, glued: bool = True) -> None:
        self._glued = glued
        self._words_of = words_of
        self._split: dict[str, tuple[int, ...]] = {}
        self._graph = GraphBuilder()
        self._numbers: dict[Symbol, int] = {}
        self._accepts: dict[int, list[int]] = {}
        self._rules: Mapping[str, Piece] = {}
        self._slot_of: Callable[[ListSlot], Slot] = slot_by_own_name

    def add(
        self, piece: Piece, accept: int, *, rules: Mapping[str, Piece], slot_of: Callable[[ListSlot], Slot]
    ) -> None:
        """Add a template; sentences that fit it end in a state that accepts `accept`.

        Raises: InvalidInputError for an unknown rule or list.
        """
        self._rules, self._slot_of = rules, slot_of
        for node, _ in self._flush(self._build(piece, ((0, ""),), 0)):
            if node != 0:
                self._accepts.setdefault(node, []).append(accept)

    def automaton(self) -> Automaton:
        """What was added so far."""
        return Automaton(tuple(self._numbers), self._graph.graph(self._accepts))

    def _build(self, piece: Piece, frontier: Frontier, depth: int) -> Frontier:
        if depth > MAX_DEPTH:
            raise InvalidInputError("A sentence template's rules refer to each other in a circle.")
        return _WAYS[type(piece)](self, piece, frontier, depth)

    def _text(self, text: Text, frontier: Frontier, _depth: int) -> Frontier:
        if text.opens:
            frontier = self._flush(frontier)
        last = len(text.words) - 1
        for index, word in enumerate(text.words):
            if index < last or text.closes or not self._glued:
                frontier = self._whole(frontier, word)
            else:
                frontier = tuple((node, partial + word) for node, partial in frontier)
        return frontier

    def _slot(self, slot: ListSlot, frontier: Frontier, _depth: int) -> Frontier:
        symbol = self._number(self._slot_of(slot))
        sources = self._flush(frontier)
        target = self._graph.new_node()
        for node, _ in sources:
            self._graph.connect(node, symbol, target)
        return ((target, ""),)

    def _rule(self, rule: Rule, frontier: Frontier, depth: int) -> Frontier:
        body = self._rules.get(rule.name)
        if body is None:
            raise InvalidInputError(f"A sentence template uses the unknown rule <{rule.name}>.")
        return self._build(body, frontier, depth + 1)

    def _sequence(self, sequence: Sequence, frontier: Frontier, depth: int) -> Frontier:
        for item in sequence.items:
            frontier = self._build(item, frontier, depth + 1)
        return frontier

    def _choice(self, choice: Choice, frontier: Frontier, depth: int) -> Frontier:
        reached: dict[tuple[int, str], None] = {}
        for item in choice.items:
            reached.update(dict.fromkeys(self._build(item, frontier, depth + 1)))
        return self._together(tuple(reached), frontier)

    def _permutation(self, permutation: Permutation, frontier: Frontier, depth: int) -> Frontier:
        items = permutation.items
        if len(items) > MAX_PERMUTED:
            raise InvalidInputError(f"A sentence template permutes more than {MAX_PERMUTED} pieces.")
        reached: list[dict[tuple[int, str], None]] = [{} for _ in range(1 << len(items))]
        reached[0].update(dict.fromkeys(self._flush(frontier)))
        for done in range((1 << len(items)) - 1):
            start = self._together(tuple(reached[done]), frontier)
            for index, item in enumerate(items):
                if not done & (1 << index):
                    ends = self._flush(self._build(item, start, depth + 1))
                    reached[done | 1 << index].update(dict.fromkeys(ends))
        return self._together(tuple(reached[-1]), frontier)

    def _together(self, reached: Frontier, before: Frontier) -> Frontier:
        """The same with one node for all that are new and lead nowhere yet: from all of them the same will go on."""
        if len(reached) < 2:
            return reached
        fixed = {node for node, _ in before} | {node for node, partial in reached if partial}
        leads_on = self._graph.leads_on
        ends = [node for node, _ in reached if node not in fixed and not leads_on(node)]
        if len(ends) < 2:
            return reached
        last = self._graph.join(ends)
        joined = set(ends)
        return (*((node, partial) for node, partial in reached if node not in joined), (last, ""))

    def _flush(self, frontier: Frontier) -> Frontier:
        """End the words under way."""
        for _, partial in frontier:
            if partial:
                return self._whole(frontier, "")
        return frontier

    def _whole(self, frontier: Frontier, rest: str) -> Frontier:
        """After the words under way with the rest of them. A node is numbered above all that lead to it."""
        graph = self._graph
        ready: dict[tuple[int, str], None] = {}
        arcs: list[tuple[int, int]] = []
        for node, partial in frontier:
            text = partial + rest
            words = self._words(text) if text else ()
            if not words:
                ready[node, ""] = None
                continue
            for word in words[:-1]:
                following = graph.new_node()
                graph.connect(node, word, following)
                node = following
            arcs.append((node, words[-1]))
        if arcs:
            target = graph.new_node()
            for node, word in arcs:
                graph.connect(node, word, target)
            ready[target, ""] = None
        return tuple(ready)

    def _words(self, text: str) -> tuple[int, ...]:
        """The numbers of the words of a text."""
        found = self._split.get(text)
        if found is None:
            found = self._split[text] = tuple(map(self._number, self._words_of(text)))
        return found

    def _number(self, symbol: Symbol) -> int:
        return self._numbers.setdefault(symbol, len(self._numbers))


_WAYS: Mapping[type, Callable[[AutomatonBuilder, Any, Frontier, int], Frontier]] = {
    Text: AutomatonBuilder._text,
    ListSlot: AutomatonBuilder._slot,
    Rule: AutomatonBuilder._rule,
    Sequence: AutomatonBuilder._sequence,
    Choice: AutomatonBuilder._choice,
    Permutation: AutomatonBuilder._permutation,
}


def slot_by_own_name(slot: ListSlot) -> Slot:
    """The slot of a grammar in which lists are kinds of value."""
    return Slot(slot.list_name, slot.name)
