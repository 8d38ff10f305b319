"""Templates of hassil's language compiled into one automaton over words and slots, made deterministic as it is used.

The names of a home are not in it, so it is built once; many sentences share its states.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from entendre.language.graph import Graph, nodes_of


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for a value: what `kind` of value, and the `name` it is stored under."""

    kind: str
    name: str


Symbol = str | Slot


class State:
    """A set of nodes of the automaton; its moves are found when first asked for."""

    __slots__ = ("_automaton", "_filled", "_moves", "_supplied", "accepts", "kinds", "slots")

    def __init__(self, automaton: Automaton, nodes: Sequence[int]) -> None:
        reached = automaton.reached_from(nodes)
        accepts = {accept for node in nodes for accept in automaton.accepts_of(node)}
        self._automaton = automaton
        self._moves: dict[Symbol, State | bytes] = {
            symbol: array("I", sorted(targets)).tobytes() for symbol, targets in reached.items()
        }
        self._filled: tuple[tuple[str, list[tuple[Slot, State]]], ...] | None = None
        self._supplied: tuple[tuple[State, float], ...] | None = None
        self.accepts = tuple(sorted(accepts))
        self.slots = tuple(symbol for symbol in reached if isinstance(symbol, Slot))
        self.kinds = frozenset(slot.kind for slot in self.slots)

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

    def has_word(self, word: str) -> bool:
        """Whether a word may come next."""
        return word in self._moves

    def filled(self) -> tuple[tuple[str, list[tuple[Slot, State]]], ...]:
        """The kinds of slots that may come next, each with these slots and the states after them."""
        if self._filled is None:
            found: dict[str, list[tuple[Slot, State]]] = {}
            for slot in self.slots:
                target = self.move(slot)
                if target is not None:
                    found.setdefault(slot.kind, []).append((slot, target))
            self._filled = tuple(found.items())
        return self._filled

    def supplied(self, costs: Mapping[str, float]) -> tuple[tuple[State, float], ...]:
        """The states after each word of `costs` that may come next, and its cost. `costs` must never change."""
        if self._supplied is None:
            found = ((self.move(word), cost) for word, cost in costs.items() if word in self._moves)
            self._supplied = tuple((target, cost) for target, cost in found if target is not None)
        return self._supplied


class Automaton:
    """Walked from `start`. `symbols` are what the graph's arcs have numbers for."""

    def __init__(self, symbols: Sequence[Symbol], graph: Graph) -> None:
        self.graph = graph
        self.symbols = symbols
        self.vocabulary = frozenset(symbol for symbol in symbols if isinstance(symbol, str))
        self._states: dict[bytes, State] = {}
        self._start: State | None = None

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

    def reached_from(self, nodes: Iterable[int]) -> dict[Symbol, set[int]]:
        """Where each word or slot leads from nodes."""
        return {self.symbols[number]: targets for number, targets in self.graph.reached_from(nodes).items()}

    def accepts_of(self, node: int) -> Sequence[int]:
        """The templates that end at a node."""
        return self.graph.accepts.get(node, ())

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
