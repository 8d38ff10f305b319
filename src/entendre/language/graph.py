"""The arcs of many templates in a few arrays, with nodes from which the same goes on taken together."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Mapping, Sequence


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

    def arcs_of(self, node: int) -> Iterator[tuple[int, int]]:
        """The symbol and the target of each arc of a node."""
        packed = self._packed
        for place in range(self._bounds[node], self._bounds[node + 1], 2):
            yield packed[place], packed[place + 1]


class GraphBuilder:
    """Collects arcs. Node 0 is the first."""

    def __init__(self) -> None:
        self._count = 1
        self._sources = array("I")
        self._arcs = array("I")

    def new_node(self) -> int:
        """A node without arcs."""
        self._count += 1
        return self._count - 1

    def connect(self, source: int, symbol: int, target: int) -> None:
        """An arc between two nodes."""
        self._sources.append(source)
        self._arcs.extend((symbol, target))

    def graph(self, accepts: Mapping[int, Sequence[int]]) -> Graph:
        """All nodes that the first one leads to; of nodes from which the same goes on, one is kept."""
        plain = self._plain()
        known: dict[bytes, int] = {}
        merged = array("I", bytes(4 * self._count))
        bounds, packed, kept = array("I", (0,)), array("I"), {}
        for node in _ends_first(plain):
            arcs = sorted({(symbol, merged[target]) for symbol, target in plain.arcs_of(node)})
            own = array("I", [part for arc in arcs for part in arc])
            ends = tuple(sorted(set(accepts.get(node, ()))))
            key = own.tobytes() + b"|" + array("I", ends).tobytes() + len(ends).to_bytes(2, "big")
            found = known.get(key)
            if found is None:
                found = known[key] = len(bounds) - 1
                packed.extend(own)
                bounds.append(len(packed))
                if ends:
                    kept[found] = ends
            merged[node] = found
        return Graph(bounds, packed, kept, merged[0])

    def _plain(self) -> Graph:
        """The arcs as they were collected, sorted by the node that they begin at."""
        bounds = array("I", bytes(4 * (self._count + 1)))
        for source in self._sources:
            bounds[source + 1] += 2
        for node in range(self._count):
            bounds[node + 1] += bounds[node]
        places = array("I", bounds)
        packed = array("I", bytes(4 * len(self._arcs)))
        for index, source in enumerate(self._sources):
            place = places[source]
            packed[place], packed[place + 1] = self._arcs[2 * index], self._arcs[2 * index + 1]
            places[source] = place + 2
        return Graph(bounds, packed, {}, 0)


def _ends_first(graph: Graph) -> Iterator[int]:
    """Every node that the start leads to, after all nodes that it leads to itself."""
    seen = bytearray(len(graph))
    stack: list[tuple[int, bool]] = [(graph.start, False)]
    while stack:
        node, done = stack.pop()
        if done:
            yield node
            continue
        if seen[node]:
            continue
        seen[node] = 1
        stack.append((node, True))
        stack.extend((target, False) for _, target in graph.arcs_of(node) if not seen[target])
