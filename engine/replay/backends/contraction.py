"""Sums of products in registers: the plan, which a printer writes down.

A loop of dots over rows, and each of its adjoints, is a contraction: a result with steps along
some axes, summed over the others. One axis is laid along the lanes of a vector register, a second
one over several registers, so that each number that is loaded is used several times.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import NamedTuple

from engine.replay.loops import Loop
from engine.replay.views import View, laid, packed


@dataclass(frozen=True)
class Machine:
    """How many doubles a vector register holds, and how many sums may be kept in registers."""

    lanes: int
    sums: int


Piece = tuple[int, int]  # the first lane and the number of lanes


class Part(NamedTuple):
    """A stretch of an axis: where it begins, how often a step of so many is taken, in what parts.

    The parts of a step are pieces along the lanes, or rows.
    """

    start: int
    turns: int
    step: int
    pieces: Sequence[Piece] = ()
    rows: range = range(1)


class Copy(NamedTuple):
    """Numbers that are copied side by side before: from where, to where, over which axes."""

    source: View
    room: View
    axes: list[int]
    used: int  # numbers of the working memory before it


@dataclass
class Plan:
    """How to compute result (assign) starts + the sum of the products of the factors.

    All have the same axes, and their memories are pointers to their first numbers. The sum runs
    over the axes along which the result has no step.
    """

    machine: Machine
    result: View
    factors: list[View]
    starts: list[View]
    assign: str = "="
    along: int | None = field(init=False)  # the axis along the lanes; None: a plain loop will do
    down: int | None = field(init=False, default=None)  # the axis over several registers
    copies: list[Copy] = field(init=False, default_factory=list)
    work: int = field(init=False, default=0)  # how many numbers of working memory `w` it needs

    def __post_init__(self) -> None:
        self.result, *views = laid([self.result, *self.factors, *self.starts])
        cut = len(self.factors)
        self.factors, self.starts = views[:cut], views[cut:]
        self.lengths = self.result.shape
        axes = range(len(self.lengths))
        self.outer = self.result.own
        self.inner = [k for k in axes if k not in self.outer]
        costs = {k: self._cost(k) for k in axes}
        along = min(costs, key=lambda k: costs[k], default=None)
        if along is None or costs[along] > 1.5 * prod(self.lengths):
            self.along = None
            return
        self.along = along
        self.down = self._second([k for k in self.outer if k != along])
        self.factors = [self._packed(view, along) for view in self.factors]
        self.starts = [self._packed(view, along) for view in self.starts]

    def _cost(self, along: int) -> float:
        """A guess at the number of instructions with this axis laid along the lanes."""
        others = prod(self.lengths) // self.lengths[along]
        steps = others * len(_pieces(self.lengths[along], self.machine.lanes))
        cost = float(steps)
        for part in (*self.factors, *self.starts):
            if part.strides[along] not in (0, 1):
                loads = steps * self.machine.lanes
                cost += _size(part) if self._is_reused(part) else loads
        results = _size(self.result)
        if along in self.inner:
            return cost + 6 * results
        return cost + (results if self.result.strides[along] != 1 else 0)

    def _is_reused(self, part: View) -> bool:
        return not all(part.strides)

    def _packed(self, view: View, along: int) -> View:
        """The view, or its copy: what is used again but does not lie along the lanes is copied."""
        if view.strides[along] in (0, 1) or not self._is_reused(view):
            return view
        axes = [*(k for k in view.own if k != along), along]
        shape = view.along(axes).shape
        room = View(f"{view.memory}_packed", 0, shape, packed(shape)).over(axes, view.shape)
        self.copies.append(Copy(view, room, axes, self.work))
        self.work += prod(shape)
        return room

    def _second(self, axes: Sequence[int]) -> int | None:
        """The axis of results to lay over several registers: one where a factor is used again."""

        def gain(k: int) -> tuple[bool, int]:
            return any(not part.strides[k] for part in self.factors), self.lengths[k]

        return max(axes, key=gain, default=None)

    def chunks(self, limit: int) -> Iterator[Part]:
        """The axis along the lanes in parts of a few registers, and what is left over."""
        lanes = self.machine.lanes
        n = self.lengths[self.along or 0]
        pieces = _pieces(n, lanes)
        if len(pieces) <= limit or n < lanes:
            yield Part(0, 1, n, pieces)
            return
        full = n // lanes
        most = min(limit, full, 4)
        each = next((k for k in range(most, most // 2, -1) if full % k == 0), most)
        step = each * lanes
        end = n // step * step
        yield Part(0, end // step, step, _pieces(step, lanes))
        if rest := n - end:
            yield Part(end, 1, rest, _pieces(rest, lanes))

    def rows(self, limit: int) -> Iterator[Part]:
        """The second axis in blocks of rows, and what is left over."""
        if self.down is None:
            yield Part(0, 1, 1)
            return
        n = self.lengths[self.down]
        limit = max(1, limit)
        blocks = -(-n // limit)
        rows = next(
            (r for r in range(min(limit, n), limit // 2, -1) if n % r == 0), -(-n // blocks)
        )
        end = n // rows * rows
        yield Part(0, end // rows, rows, rows=range(rows))
        if rest := n - end:
            yield Part(end, 1, rest, rows=range(rest))

    def offset(self, part: View, row: int, lane: int = 0) -> int:
        """How far on the array stands in this row, at this lane."""
        step = part.strides[self.down] if self.down is not None else 0
        return step * row + part.strides[self.along or 0] * lane

    def copies_of(self, cells: int) -> int:
        """How many times a few sums are kept, to wait less for each: each takes every so many terms
        of the last axis."""
        return max(1, min(8 // cells, self.lengths[self.inner[-1]] // 4))


def factors(loop: Loop) -> list[str]:
    """The reads that the expression of a loop multiplies, where it does nothing else."""
    names = loop.expression.split(" * ")
    return names if set(names) <= loop.reads.keys() else []


def exponent(loop: Loop) -> str:
    """The x of an expression g * exp(x), the slope of a softmax; of others none."""
    found = re.fullmatch(r"g \* exp\((.*)\)", loop.expression)
    return found[1] if found and "exp" not in loop.callees else ""


def _size(view: View) -> int:
    """How many different numbers it shows."""
    return prod(view.along(view.own).shape)


def _pieces(n: int, lanes: int) -> list[Piece]:
    """n lanes as registers, full ones first.

    >>> _pieces(11, 4)
    [(0, 4), (4, 4), (8, 2), (10, 1)]
    """
    pieces = []
    at = 0
    while lanes:
        while n - at >= lanes:
            pieces.append((at, lanes))
            at += lanes
        lanes //= 2
    return pieces
