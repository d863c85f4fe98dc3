"""A function of Values as a flat list (Wengert list): one row for each operation it did."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Any, NamedTuple, cast

from engine import alone
from engine.integer import Integer
from engine.op import Op
from engine.ops import OPS, PICK
from engine.sweep import sort
from engine.value import Operand, Value

Row = tuple[Op, tuple[int, ...]]


@dataclass(frozen=True)
class Guard:
    """A comparison that the function made, and how it came out."""

    left: int
    relation: str  # a function of the module `operator`: "lt", "le", "gt", "ge", "eq", "ne"
    right: int
    outcome: bool


class Bound(NamedTuple):
    """Where an integer stands that something was picked by, and the least and largest it may be."""

    place: int
    low: int
    high: int


def graded(row: Row) -> tuple[int, ...]:
    """The operands of a row that a backward reaches: all, but of a pick not the integer."""
    op, operands = row
    return operands[1:] if op is PICK else operands


@dataclass(frozen=True)
class Tape:
    """Rows in the order they were made; an operand is the place of an earlier row, or of a leaf.

    Places from 0 on are rows. Those of leaves are negative: -1 is the first of `leaves`, a float
    for a constant, a Value for an input or a parameter. The inputs come first. `order` has the
    rows below the outputs as their backward sorts them; the others are there for the guards.
    A row that picks has the integer as its first operand, then all candidates.
    """

    rows: tuple[Row, ...]
    leaves: tuple[Operand, ...]
    inputs: int
    input_grads: tuple[bool, ...]  # for which inputs a gradient is wanted
    outputs: tuple[int, ...]
    order: tuple[int, ...]
    guards: tuple[Guard, ...]
    bounds: tuple[Bound, ...] = ()

    def order_below(self, output: int) -> tuple[int, ...]:
        """The rows below one of the outputs, as its own backward sorts them.

        >>> from engine.replay.watch import record
        >>> x, y = Value(2.0), Value(3.0)
        >>> with record() as seen:
        ...     outputs = [x + y, x * y]
        >>> seen.tape([x, y], outputs).order_below(1)
        (1,)
        """
        first = self.outputs[output]
        if first < 0:
            return ()
        order, unread, met = [], [first], bytearray(len(self.rows))
        while unread:
            place = unread[-1]
            if not met[place]:
                met[place] = 1
                unread += [p for p in reversed(graded(self.rows[place])) if p >= 0 and not met[p]]
                continue
            unread.pop()
            if met[place] == 1:
                met[place] = 2
                order.append(place)
        return tuple(order)

    def rooted(self, main: int | None) -> tuple[Tape, int | None, bool]:
        """With the order of a backward from one output; which, and if all rows are below it.

        That is the main one, if there is one, or one that has all below it; else it stays all.
        """
        if not self.outputs:
            return self, main, True
        last = max(range(len(self.outputs)), key=self.outputs.__getitem__)  # what may have all
        wanted = last if main is None else main
        below = self._first_below() if wanted == 0 else self.order_below(wanted)
        is_whole = len(below) == len(self.order)
        if main is None and not is_whole:
            return self, None, True
        return replace(self, order=below), wanted, is_whole

    def _first_below(self) -> tuple[int, ...]:
        """The rows below the first output: with these a sort from all of them begins."""
        first = self.outputs[0]
        return self.order[: self.order.index(first) + 1] if first >= 0 else ()


class Escape(NamedTuple):
    """Where a number left the graph."""

    what: str  # such as "looks at the .data"
    line: str


@dataclass
class Recording:
    """What was seen while a function ran."""

    nodes: list[Value] = field(default_factory=list)
    made: list[Value] = field(default_factory=list)  # leaves that the function made itself
    guards: list[tuple[Value, str, Operand, bool]] = field(default_factory=list)
    escapes: list[Escape] = field(default_factory=list)
    lent: list[Value] = field(default_factory=list)  # inputs that stood for numbers outside
    asks_identity: bool = False  # whether somebody asked which of the Values one is
    order: list[Value] = field(default_factory=list)  # all below the first output of a tape, sorted
    integers: list[Integer | None] = field(default_factory=list)  # in the places of the arguments

    def has_used(self, values: Iterable[Value]) -> bool:
        """Whether one of these was an operand, or compared."""
        known = set(map(id, values))
        operands = chain.from_iterable(map(operands_of, self.nodes))
        compared = (side for left, _, right, _ in self.guards for side in (left, right))
        return not known.isdisjoint(map(id, chain(operands, compared)))

    def calculates_otherwise(self, sums: bool) -> bool:
        """Whether numbers outside do what floats do not do as Values do, such as 1 / 0.

        `sums`: Python's own `sum` may have been called, which rounds floats otherwise than Values.
        """
        plain = set(map(id, self.lent))
        for node in self.nodes:
            operands = operands_of(node)
            if plain.isdisjoint(map(id, operands)):
                continue
            if all(type(p) is not Value or id(p) in plain for p in operands):
                plain.add(id(node))
                name = cast(Op, node.op).name
                divides = name == "div" and type(operands[1]) is not Value and operands[1] != 0
                if name == "add" and sums and SUMS_BETTER and _is_total(operands[0]):
                    return True
                if name not in ("add", "sub", "mul", "neg", "abs") and not divides:
                    return True
        return False

    def tape(
        self, inputs: Sequence[Value], outputs: Sequence[Operand], input_grads: Sequence[bool] = ()
    ) -> Tape:
        """The rows that the outputs, the guards and the bounds need.

        `input_grads` says for which inputs a gradient is wanted; for none unless given.
        """
        sides = [side for left, _, right, _ in self.guards for side in (left, right)]
        picks = [v for v in self.nodes if v.op is PICK and type(v._dx.index) is Value]
        sides += [v._dx.index for v in picks]
        made = set(map(id, self.made))
        leaves: list[Operand] = []
        constants: dict[int, int] = {}

        def place(operand: Any) -> int:
            if type(operand) is Value:
                if type(operand.adjoint) is not int:
                    leaves.append(operand._data if id(operand) in made else operand)
                    operand.adjoint = -len(leaves)
                return operand.adjoint
            if id(operand) not in constants:
                leaves.append(operand)
                constants[id(operand)] = -len(leaves)
            return constants[id(operand)]

        tables: dict[tuple[int, ...], tuple[int, ...]] = {}

        def chosen(v: Value) -> tuple[int, ...]:
            """The operands of a pick; many have the same candidates."""
            index, *candidates = operands_of(v)
            known = tuple(map(id, candidates))
            if known not in tables:
                tables[known] = tuple(map(place, candidates))
            return (place(index), *tables[known])

        with alone.lock:  # until its end places stand where a sweep has adjoints
            order, nodes = self._below(outputs, sides)
            for v in inputs:
                leaves.append(v)
                v.adjoint = -len(leaves)
            for row, v in enumerate(nodes):
                v.adjoint = row
            rows = [(v.op, chosen(v) if v.op is PICK else tuple(_places(v, place))) for v in nodes]
            ends = tuple(map(place, outputs))
            guards = dict.fromkeys(
                Guard(place(a), relation, place(b), c) for a, relation, b, c in self.guards
            )
            bounds = dict.fromkeys(
                Bound(place(v._dx.index), v._dx.low, v._dx.size - 1) for v in picks
            )
            return Tape(
                rows=cast(tuple[Row, ...], tuple(rows)),
                leaves=tuple(leaves),
                inputs=len(inputs),
                input_grads=tuple(input_grads) or (False,) * len(inputs),
                outputs=ends,
                order=tuple(
                    [v.adjoint for v in order if type(v.adjoint) is int and v.adjoint >= 0]
                ),
                guards=tuple(guards),
                bounds=tuple(bounds),
            )

    def _below(
        self, outputs: Sequence[Operand], sides: Iterable[Any]
    ) -> tuple[list[Value], list[Value]]:
        """All below the outputs, sorted, and the nodes that they or the sides of guards need."""
        beside = [side for side in sides if type(side) is Value]
        for v in beside:
            v.adjoint = None  # no place yet, though it be a leaf that no sort meets
        order = _sorted(outputs)
        first = next((k for k, v in enumerate(order) if v is outputs[0]), -1) if outputs else -1
        self.order = order[: first + 1]
        met = other = order[0].adjoint
        others = [v for v in beside if v.op is not None and v.adjoint is not met]
        if others:
            other = _sorted(others)[0].adjoint
        return order, [v for v in self.nodes if v.adjoint is met or v.adjoint is other]


def _sorted(values: Sequence[Operand]) -> list[Value]:
    """The graph of all of them, as the backward of their sum sorts it; that sum is the last."""
    root = Value(0.0)
    root.op, root.x = OPS["sum"], tuple(v for v in values if type(v) is Value)
    return sort(root)


def _places(v: Value, place: Callable[[Any], int]) -> Iterable[int]:
    """Where the operands of a node are: `place` finds those that have no place yet."""
    x: Any = v.x
    y: Any = v.y
    if type(x) is not tuple:
        a = x.adjoint if type(x) is Value else None
        a = a if type(a) is int else place(x)
        if y is None:
            return (a,)
        b = y.adjoint if type(y) is Value else None
        return a, b if type(b) is int else place(y)
    operands = operands_of(v)
    if operands is x:
        places = [p.adjoint for p in x]
        if type(sum(places)) is int:  # else some have no place but a float
            return places
    return [
        p.adjoint if type(p) is Value and type(p.adjoint) is int else place(p) for p in operands
    ]


def operands_of(v: Value) -> Any:
    """The operands of a node in order, as they stand in its slots; of a pick as in a tape."""
    if type(v.x) is tuple:
        operands = v.x if v.y is None else v.y
        return operands if v.op is not PICK else (v._dx.index, *cast("tuple[Any, ...]", operands))
    return (v.x,) if v.y is None else (v.x, v.y)


SUMS_BETTER = sys.version_info >= (3, 12)  # sum() of three floats is not a + b + c


def _is_total(left: Operand) -> bool:
    """Whether it may be what `sum` has of several numbers: an addition, or floats before it."""
    return type(left) is not Value or (left.op is not None and left.op.name == "add")
