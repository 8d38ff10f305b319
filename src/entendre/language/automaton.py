"""Templates of hassil's language compiled into one automaton over words and slots, made deterministic as it is used.

The names of a home are not in it, so it is built once; many sentences share its states.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from hassil.expression import (
    Alternative,
    Expression,
    Group,
    ListReference,
    Permutation,
    RuleReference,
    TextChunk,
)

from entendre.core.errors import InvalidInputError
from entendre.language.graph import Graph, GraphBuilder, nodes_of

MAX_RULE_DEPTH = 24
MAX_PERMUTED = 7


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value: what `kind` of value, and the `name` it is stored under."""

    kind: str
    name: str


Symbol = str | Slot
Frontier = frozenset[tuple[int, str]]
"""Nodes reached, each with the part of a word that was read since its last space."""


class State:
    """A set of nodes of the automaton; its moves are found when first asked for."""

    __slots__ = ("_automaton", "_filled", "_moves", "_supplied", "accepts", "slots")

    def __init__(self, automaton: Automaton, nodes: Sequence[int]) -> None:
        reached: dict[Symbol, list[int]] = {}
        accepts: set[int] = set()
        for node in nodes:
            for symbol, target in automaton.arcs_of(node):
                reached.setdefault(symbol, []).append(target)
            accepts.update(automaton.accepts_of(node))
        self._automaton = automaton
        self._moves: dict[Symbol, State | bytes] = {
            symbol: array("I", sorted(set(targets))).tobytes() for symbol, targets in reached.items()
        }
        self._filled: tuple[tuple[Slot, State], ...] | None = None
        self._supplied: tuple[tuple[State, float], ...] | None = None
        self.accepts = tuple(sorted(accepts))
        self.slots = tuple(symbol for symbol in reached if isinstance(symbol, Slot))

    @property
    def words(self) -> frozenset[str]:
        """The words that may come next."""
        return frozenset(symbol for symbol in self._moves if isinstance(symbol, str))

    @property
    def goes_on(self) -> bool:
        """Whether anything may come next."""
        return bool(self._moves)

    def move(self, symbol: Symbol) -> State | None:
        """The state after a word or a slot; None if no template goes on so."""
        target = self._moves.get(symbol)
        if target is None or isinstance(target, State):
            return target
        found = self._moves[symbol] = self._automaton.state(nodes_of(target))
        return found

    def filled(self) -> tuple[tuple[Slot, State], ...]:
        """The slots that may come next, each with the state after it."""
        if self._filled is None:
            found = ((slot, self.move(slot)) for slot in self.slots)
            self._filled = tuple((slot, target) for slot, target in found if target is not None)
        return self._filled

    def supplied(self, costs: Mapping[str, float]) -> tuple[tuple[State, float], ...]:
        """The states after each word of `costs` that may come next, and its cost. `costs` must never change."""
        if self._supplied is None:
            found = ((self.move(word), costs[word]) for word in costs.keys() & self.words)
            self._supplied = tuple((target, cost) for target, cost in found if target is not None)
        return self._supplied


class Automaton:
    """Templates by number; `add` them all, then walk from `start`.

    `glued`: pieces of a template without a space between them may be parts of one word.
    """

    def __init__(self, words_of: Callable[[str], tuple[str, ...]], *, glued: bool = True) -> None:
        self.glued = glued
        self._words_of = words_of
        self._split: dict[str, tuple[str, ...]] = {}
        self._builder = GraphBuilder()
        self._symbols: list[Symbol] = []
        self._numbers: dict[Symbol, int] = {}
        self._graph: Graph | None = None
        self._accepts: dict[int, list[int]] = {}
        self._states: dict[bytes, State] = {}
        self._start: State | None = None
        self.vocabulary: set[str] = set()

    @property
    def graph(self) -> Graph:
        """The nodes and arcs of all templates; none is added after it was first asked for."""
        if self._graph is None:
            self._graph = self._builder.graph(self._accepts)
            self._builder, self._numbers, self._split, self._accepts = GraphBuilder(), {}, {}, {}
        return self._graph

    @property
    def start(self) -> State:
        """Where every sentence begins."""
        if self._start is None:
            self._start = self.state((self.graph.start,))
        return self._start

    def state(self, nodes: Iterable[int]) -> State:
        """The state of a set of nodes."""
        key = array("I", sorted(nodes)).tobytes()
        found = self._states.get(key)
        if found is None:
            found = self._states[key] = State(self, nodes_of(key))
        return found

    def arcs_of(self, node: int) -> Iterator[tuple[Symbol, int]]:
        """Where each word or slot leads from a node; a symbol comes several times if it leads to several nodes."""
        for number, target in self.graph.arcs_of(node):
            yield self._symbols[number], target

    def accepts_of(self, node: int) -> Sequence[int]:
        """The templates that end at a node."""
        return self.graph.accepts.get(node, ())

    def add(
        self,
        expression: Expression,
        accept: int,
        *,
        rules: Mapping[str, Expression],
        slot_of: Callable[[ListReference], Slot],
    ) -> None:
        """Add a template; sentences that fit it end in a state that accepts `accept`.

        Raises: InvalidInputError for an unknown rule or list.
        """
        assert self._graph is None, "templates are added before the first sentence"
        builder = _Builder(self, rules, slot_of)
        ends = builder.flush(builder.build(expression, frozenset(((0, ""),)), 0))
        for node, _ in ends:
            if node != 0:
                self._accepts.setdefault(node, []).append(accept)

    def new_node(self) -> int:
        """A node without arcs."""
        return self._builder.new_node()

    def connect(self, source: int, symbol: Symbol, target: int) -> None:
        """An arc between two nodes."""
        number = self._numbers.get(symbol)
        if number is None:
            number = self._numbers[symbol] = len(self._symbols)
            self._symbols.append(symbol)
        self._builder.connect(source, number, target)
        if isinstance(symbol, str):
            self.vocabulary.add(symbol)

    def warm(self, costs: Mapping[str, float]) -> None:
        """Find the first moves of every sentence ahead of the first one."""
        start = self.start
        start.supplied(costs)
        symbols: list[Symbol] = [*start.words, *start.slots]
        for symbol in symbols:
            state = start.move(symbol)
            if state is not None:
                state.filled()
                state.supplied(costs)

    def split(self, text: str) -> tuple[str, ...]:
        """The words of a piece of template text."""
        found = self._split.get(text)
        if found is None:
            found = self._split[text] = self._words_of(text)
        return found


class _Builder:
    def __init__(
        self, automaton: Automaton, rules: Mapping[str, Expression], slot_of: Callable[[ListReference], Slot]
    ) -> None:
        self._automaton = automaton
        self._rules = rules
        self._slot_of = slot_of

    def build(self, expression: Expression, frontier: Frontier, depth: int) -> Frontier:
        if depth > MAX_RULE_DEPTH * 4:
            raise InvalidInputError("A sentence template's rules refer to each other in a circle.")
        if isinstance(expression, TextChunk):
            return self._text(expression.original_text, frontier)
        if isinstance(expression, ListReference):
            return self._slot(self._slot_of(expression), frontier)
        if isinstance(expression, RuleReference):
            body = self._rules.get(expression.rule_name)
            if body is None:
                raise InvalidInputError(f"A sentence template uses the unknown rule <{expression.rule_name}>.")
            return self.build(body, frontier, depth + 1)
        if isinstance(expression, Permutation):
            return self._permuted(expression.items, frontier, depth)
        if isinstance(expression, Alternative):
            results: set[tuple[int, str]] = set()
            for item in expression.items:
                results |= self.build(item, frontier, depth + 1)
            return frozenset(results)
        if isinstance(expression, Group):
            for item in expression.items:
                frontier = self.build(item, frontier, depth + 1)
            return frontier
        raise InvalidInputError(f"A sentence template has an unknown piece: {type(expression).__name__}.")

    def flush(self, frontier: Frontier) -> Frontier:
        """End the words under way."""
        ready = {(node, "") for node, partial in frontier if not partial}
        open_ends = [(node, partial) for node, partial in frontier if partial]
        target = -1
        for node, partial in open_ends:
            words = self._automaton.split(partial)
            if not words:
                ready.add((node, ""))
                continue
            if target < 0:
                target = self._automaton.new_node()
            self._chain(node, words, target)
        if target >= 0:
            ready.add((target, ""))
        return frozenset(ready)

    def _chain(self, node: int, words: Iterable[str], target: int) -> None:
        *first, last = words
        for word in first:
            following = self._automaton.new_node()
            self._automaton.connect(node, word, following)
            node = following
        self._automaton.connect(node, last, target)

    def _text(self, text: str, frontier: Frontier) -> Frontier:
        if not text:
            return frontier
        if text[0].isspace():
            frontier = self.flush(frontier)
        pieces = text.split()
        for index, piece in enumerate(pieces):
            if index:
                frontier = self.flush(frontier)
            frontier = frozenset((node, partial + piece) for node, partial in frontier)
        return self.flush(frontier) if text[-1].isspace() or not self._automaton.glued else frontier

    def _slot(self, slot: Slot, frontier: Frontier) -> Frontier:
        target = self._automaton.new_node()
        for node, _ in self.flush(frontier):
            self._automaton.connect(node, slot, target)
        return frozenset(((target, ""),))

    def _permuted(self, items: list[Expression], frontier: Frontier, depth: int) -> Frontier:
        if len(items) > MAX_PERMUTED:
            raise InvalidInputError(f"A sentence template permutes more than {MAX_PERMUTED} pieces.")
        reached: list[set[tuple[int, str]]] = [set() for _ in range(1 << len(items))]
        reached[0] |= self.flush(frontier)
        for done in range((1 << len(items)) - 1):
            for index, item in enumerate(items):
                if not done & (1 << index):
                    reached[done | 1 << index] |= self.flush(self.build(item, frozenset(reached[done]), depth + 1))
        return frozenset(reached[-1])
