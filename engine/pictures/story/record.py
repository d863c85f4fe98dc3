"""The numbers of one forward and backward pass, in the order in which they are told.

A record is a copy: Values that change later do not change it, and it changes no Value.
"""

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from engine.pictures.drawing.outline import Graph, graph_of
from engine.value import Value

Combine = Callable[[float, float], float]


class Edge(NamedTuple):
    """From an operand (`tail`) to the operation that takes it; no partial from a constant."""

    tail: int
    head: int
    position: int
    partial: float | None


class Share(NamedTuple):
    """What one edge adds to the gradient of its tail: `adjoint` is the gradient of its head."""

    edge: int
    adjoint: float
    contribution: float
    old: float
    new: float


@dataclass(frozen=True)
class Record:
    """A graph, and the numbers and labels that it had; places are those of `graph`.

    `operations` stand in the order of the story, layer by layer; the edges into place p are
    `edges[first[p]:first[p + 1]]`.
    """

    graph: Graph
    outside: int
    data: list[float]
    labels: list[str]
    operations: list[int]
    edges: list[Edge]
    first: list[int]

    @property
    def root(self) -> int:
        """The place of the loss."""
        return len(self.data) - 1

    def into(self, place: int) -> Iterator[tuple[int, Edge]]:
        """The edges into a place that carry gradient, with their numbers."""
        for e in range(self.first[place], self.first[place + 1]):
            if self.edges[e].partial is not None:
                yield e, self.edges[e]

    def place_of(self) -> dict[Value, int]:
        """Where each Value stands."""
        return {v: place for place, v in enumerate(self.graph.atoms) if isinstance(v, Value)}


@dataclass(frozen=True)
class Sweep:
    """A backward pass: its shares in order, and the gradient of each place at the end."""

    shares: list[Share]
    grads: list[float]


Way = Callable[[Record], Iterable[tuple[int, Edge]]]


def record(root: Value, also: Iterable[Value] = ()) -> Record:
    """The record of everything that `root` was computed from.

    Those of `also` that it was not computed from are there too, in the first places.
    """
    graph = graph_of(root, False, also)
    data: list[float] = []
    labels: list[str] = []
    edges: list[Edge] = []
    first = [0]
    for place, (atom, operands) in enumerate(zip(graph.atoms, graph.operands, strict=True)):
        if isinstance(atom, Value):
            data.append(atom.data)
            labels.append(atom.label)
            if operands:
                slopes = zip(operands, atom.partials, strict=False)  # a bias of 0 is not drawn
                edges += [Edge(o, place, i, slope) for i, (o, slope) in enumerate(slopes)]
        else:
            assert isinstance(atom, float)
            data.append(atom)
            labels.append("")
        first.append(len(edges))
    used = {edge.tail for edge in edges} | {len(data) - 1}
    outside = next(place for place in range(len(data)) if place in used)
    return Record(graph, outside, data, labels, in_layers(graph), edges, first)


def in_layers(graph: Graph) -> list[int]:
    """The operations by level, those of one level in the order of the sort.

    The uses of a number keep the order of the sort: sums of shares are those of `backward()` to
    the last bit. Where a later use would stand in an earlier level, it moves to that of the former.
    """
    level = [0] * len(graph.atoms)
    last = level.copy()
    for place, operands in enumerate(graph.operands):
        if operands:
            level[place] = max(max(level[o] + 1, last[o]) for o in operands)
            for o in operands:
                last[o] = level[place]
    computed = (place for place, operands in enumerate(graph.operands) if operands)
    return sorted(computed, key=level.__getitem__)


def added(old: float, contribution: float) -> float:
    """How shares meet: they add up."""
    return old + contribution


def mirrored(record: Record) -> Iterator[tuple[int, Edge]]:
    """The edges of the backward pass: the mirror of the forward one."""
    for head in reversed(record.operations):
        yield from record.into(head)


def replaced(old: float, contribution: float) -> float:
    """The mistake of writing `=` for `+=`."""
    return contribution


def hasty(record: Record) -> Iterator[tuple[int, Edge]]:
    """The mistake of a wrong order: a number hands on its first share at once, and never again."""
    met = {record.root}
    way = [record.into(record.root)]
    while way:
        for e, edge in way[-1]:
            yield e, edge
            if edge.tail not in met:
                met.add(edge.tail)
                way.append(record.into(edge.tail))
                break
        else:
            way.pop()


def sweep(
    record: Record,
    way: Way = mirrored,
    combine: Combine = added,
) -> Sweep:
    """The backward pass along the edges in an order; right with the order and sum given here."""
    grads = [0.0] * len(record.data)
    grads[record.root] = 1.0
    shares = []
    for e, (tail, head, _, partial) in way(record):
        assert partial is not None
        adjoint, old = grads[head], grads[tail]
        contribution = 0.0 if adjoint == 0 and passes_zero(record, head) else adjoint * partial
        grads[tail] = new = combine(old, contribution)
        shares.append(Share(e, adjoint, contribution, old, new))
    return Sweep(shares, grads)


def passes_zero(record: Record, head: int) -> bool:
    """Whether `backward()` passes on a zero as it is, without multiplying it by slopes."""
    atom = record.graph.atoms[head]
    many = isinstance(atom, Value) and isinstance(atom.x, tuple) and isinstance(atom.dx, tuple)
    return many and math.isfinite(record.data[head])
