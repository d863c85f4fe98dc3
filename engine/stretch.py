"""A program for many numbers, out of two programs for few: what grows evenly grows on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import NamedTuple, TypeVar

from engine.roll import Access, Loop, Program
from engine.tape import Guard

T = TypeVar("T")


def stretched(programs: Sequence[Program], sizes: tuple[int, int], size: int) -> Program | None:
    """What a program is for `size` numbers, out of what it is for two other `sizes`.

    Every length, place and step in it is taken to be a line through the two; outputs are taken to
    lie in columns of that many numbers, but for those that are alone. None where the two programs
    do not fit that. Nothing is proved: compare its kernel with the function.

    >>> from engine.roll import roll
    >>> from engine.tape import record
    >>> from engine.value import Value
    >>> def halves(n):
    ...     xs = [Value(1.0) for _ in range(n)]
    ...     with record() as seen:
    ...         ys = [x * 0.5 for x in xs]
    ...     return roll(seen.tape(xs, ys))
    >>> stretched([halves(3), halves(5)], (3, 5), 1000).loops == halves(1000).loops
    True
    """
    a, b = programs
    at = _Line(*sizes, size)
    try:
        if a.constants != b.constants or a.parameters or b.parameters or a.bounds or b.bounds:
            raise _UnevenError
        return Program(
            loops=tuple(at.loop(*pair) for pair in _paired(a.loops, b.loops)),
            size=at.number(a.size, b.size),
            constants=a.constants,
            inputs=at.number(a.inputs, b.inputs),
            parameters=(),
            outputs=tuple(at.outputs(a.outputs, b.outputs)),
            guards=tuple(at.guard(*pair) for pair in _paired(a.guards, b.guards)),
            place=(),
        )
    except _UnevenError:
        return None


class _UnevenError(Exception):
    """It does not grow evenly."""


def _paired(a: Sequence[T], b: Sequence[T]) -> Iterator[tuple[T, T]]:
    if len(a) != len(b):
        raise _UnevenError
    return zip(a, b, strict=True)


class _Line(NamedTuple):
    """What is a number at `size` that is known at two sizes."""

    first: int
    second: int
    size: int

    def number(self, a: int, b: int) -> int:
        slope, rest = divmod(b - a, self.second - self.first)
        if rest:
            raise _UnevenError
        return a + slope * (self.size - self.first)

    def numbers(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        return tuple([self.number(*pair) for pair in _paired(a, b)])

    def access(self, a: Access, b: Access) -> Access:
        if (a.table is None) is not (b.table is None) or a.needs_grad is not b.needs_grad:
            raise _UnevenError
        base, strides = self.number(a.base, b.base), self.numbers(a.strides, b.strides)
        table = self.table(a.table, b.table) if a.table and b.table else None
        return replace(a, base=base, strides=strides, table=table)

    def table(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """So many places for each row, each of which takes even steps from row to row."""
        width, rest = divmod(len(a), self.first)
        if rest or len(b) != width * self.second:
            raise _UnevenError
        columns = []
        for k in range(width):
            (start, step), (other, same) = _steps(a[k::width]), _steps(b[k::width])
            if step != same:
                raise _UnevenError
            start = self.number(start, other)
            columns.append([start + step * row for row in range(self.size)])
        return tuple(chain.from_iterable(zip(*columns, strict=True)))

    def loop(self, a: Loop, b: Loop) -> Loop:
        if a.op is not b.op:
            raise _UnevenError
        return Loop(
            a.op,
            self.numbers(a.shape, b.shape),
            self.numbers(a.terms, b.terms),
            tuple([self.access(*pair) for pair in _paired(a.scalars, b.scalars)]),
            tuple([self.access(*pair) for pair in _paired(a.vectors, b.vectors)]),
            self.number(a.out, b.out),
        )

    def guard(self, a: Guard, b: Guard) -> Guard:
        left, right = self.number(a.left, b.left), self.number(a.right, b.right)
        if replace(b, left=a.left, right=a.right) != a:
            raise _UnevenError
        return replace(a, left=left, right=right)

    def outputs(self, a: Sequence[int], b: Sequence[int]) -> Iterator[int]:
        columns, alone = divmod(len(a), self.first)
        if divmod(len(b), self.second) != (columns, alone):
            raise _UnevenError
        for k in range(columns):
            parts = [
                _steps(places[k * n : (k + 1) * n])
                for places, n in ((a, self.first), (b, self.second))
            ]
            if [step for _, step in parts] != [1, 1]:
                raise _UnevenError
            start = self.number(*(start for start, _ in parts))
            yield from range(start, start + self.size)
        for pair in zip(a[len(a) - alone :], b[len(b) - alone :], strict=True):
            yield self.number(*pair)


def _steps(places: Sequence[int]) -> tuple[int, int]:
    """The first of several places, and the step to each of the next."""
    start, step = places[0], places[1] - places[0]
    if list(places) != [start + k * step for k in range(len(places))]:
        raise _UnevenError
    return start, step
