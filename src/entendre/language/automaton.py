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
    """A set of nodes of the automaton; where it leads is found when first asked for, which most states never are."""

    __slots__ = ("_automaton", "_filled", "_kinds", "_moves", "_nodes", "_supplied", "accepts")

    def __init__(self, automaton: Automaton, nodes: bytes) -> None:
        self._automaton = automaton
        self._nodes = nodes
        self._moves: dict[Symbol, State | bytes] | None = None
        self._filled: tuple[tuple[str, list[tuple[Slot, State]]], ...] | None = None
        self._kinds: frozenset[str] | None = None
        self._supplied: tuple[tuple[State, float], ...] | None = None
        accepts = {accept for node in nodes_of(nodes) for accept in automaton.accepts_of(node)}
        self.accepts = tuple(sorted(accepts))

    def _reached(self) -> dict[Symbol, State | bytes]:
        reached = self._automaton.reached_from(nodes_of(self._nodes))
        self._moves = {symbol: array("I", sorted(targets)).tobytes() for symbol, targets in reached.items()}
        return self._moves

    @property
    def words(self) -> frozenset[str]:
        """The words that may come next."""
        return frozenset(symbol for symbol in self._moves or self._reached() if isinstance(symbol, str))

    @property
    def slots(self) -> tuple[Slot, ...]:
        """The slots that may come next."""
        return tuple(slot for _, targets in self.filled() for slot, _ in targets)

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of slots that may come next."""
        if self._kinds is None:
            self._kinds = frozenset(kind for kind, _ in self.filled())
        return self._kinds

    @property
    def goes_on(self) -> bool:
        """Whether anything may come next."""
        return bool(self._moves or self._reached())

    def move(self, symbol: Symbol) -> State | None:
        """The state after a word or a slot; None if no template goes on so."""
        moves = self._moves
        if moves is None:
            moves = self._reached()
        target = moves.get(symbol)
        if target is None or isinstance(target, State):
            return target
        found = moves[symbol] = self._automaton.state(nodes_of(target))
        return found

    def has_word(self, word: str) -> bool:
        """Whether a word may come next."""
        return word in (self._reached() if self._moves is None else self._moves)

    def filled(self) -> tuple[tuple[str, list[tuple[Slot, State]]], ...]:
        """The kinds of slots that may come next, each with these slots and the states after them."""
        if self._filled is None:
            found: dict[str, list[tuple[Slot, State]]] = {}
            for symbol in self._reached() if self._moves is None else tuple(self._moves):
                if isinstance(symbol, Slot) and (target := self.move(symbol)) is not None:
                    found.setdefault(symbol.kind, []).append((symbol, target))
            self._filled = tuple(found.items())
        return self._filled

    def supplied(self, costs: Mapping[str, float]) -> tuple[tuple[State, float], ...]:
        """The states after each word of `costs` that may come next, and its cost. `costs` must never change."""
        if self._supplied is None:
            moves = self._reached() if self._moves is None else self._moves
            found = ((self.move(word), cost) for word, cost in costs.items() if word in moves)
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
            found = self._states[key] = State(self, key)
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
