"""The arcs of many templates in a few arrays, with nodes from which the same goes on taken together."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Mapping, Sequence


def nodes_of(key: bytes) -> array[int]:
    """The nodes of a set that was kept as bytes."""
    nodes = array("I")
    nodes.frombytes(key)
    return nodes


class Graph:
    """Nodes by number, each with arcs that have a symbol's number and lead to a node. It has no circles."""

    def __init__(
        self, bounds: array[int], packed: array[int], accepts: Mapping[int, Sequence[int]], start: int
    ) -> None:
        self._bounds = bounds
        self._packed = packed
        self.accepts = accepts
        self.start = start

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def reached_from(self, nodes: Iterable[int]) -> dict[int, set[int]]:
        """The targets of all arcs of nodes, by symbol."""
        bounds, packed = self._bounds, self._packed
        found: dict[int, set[int]] = {}
        for node in nodes:
            start, end = bounds[node], bounds[node + 1]
            for symbol, target in zip(packed[start:end:2], packed[start + 1 : end : 2], strict=True):
                targets = found.get(symbol)
                if targets is None:
                    found[symbol] = {target}
                else:
                    targets.add(target)
        return found


_TARGET_BITS = 32
_TARGET = (1 << _TARGET_BITS) - 1


class GraphBuilder:
    """Collects arcs, each of which leads to a node with a higher number. Node 0 is the first."""

    def __init__(self) -> None:
        self._arcs: list[list[int]] = [[]]
        self._same: dict[int, int] = {}

    def new_node(self) -> int:
        """A node without arcs."""
        self._arcs.append([])
        return len(self._arcs) - 1

    def connect(self, source: int, symbol: int, target: int) -> None:
        """An arc between two nodes."""
        self._arcs[source].append(symbol << _TARGET_BITS | target)

    def leads_on(self, node: int) -> bool:
        """Whether an arc begins at a node."""
        return bool(self._arcs[node])

    def join(self, nodes: Sequence[int]) -> int:
        """One node for several that no arc begins at; only this one is used from now on."""
        last = max(nodes)
        for node in nodes:
            if node != last:
                self._same[node] = last
        return last

    def graph(self, accepts: Mapping[int, Sequence[int]]) -> Graph:
        """All arcs; of nodes from which the same goes on, one is kept."""
        known: dict[tuple[bytes, tuple[int, ...]], int] = {}
        merged = array("I", bytes(4 * len(self._arcs)))
        bounds, packed, kept = array("I", (0,)), array("I"), {}
        for node in range(len(self._arcs) - 1, -1, -1):
            if node in self._same:
                merged[node] = merged[self._same[node]]
                continue
            arcs = [arc & ~_TARGET | merged[arc & _TARGET] for arc in self._arcs[node]]
            own = array("Q", arcs if len(arcs) < 2 else sorted(set(arcs)))
            ends = tuple(sorted(set(accepts[node]))) if node in accepts else ()
            key = (own.tobytes(), ends)
            found = known.get(key)
            if found is None:
                found = known[key] = len(bounds) - 1
                for arc in own:
                    packed.extend((arc >> _TARGET_BITS, arc & _TARGET))
                bounds.append(len(packed))
                if ends:
                    kept[found] = ends
            merged[node] = found
        return Graph(bounds, packed, kept, merged[0])
