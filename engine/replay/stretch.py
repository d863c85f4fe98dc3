"""A program for many numbers, out of two programs for few: what grows evenly grows on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain, groupby
from typing import NamedTuple, TypeVar

from engine.replay.roll import Program, Rolled
from engine.replay.tape import Bound, Guard
from engine.replay.views import View, side_by_side

T = TypeVar("T")
FEW = 3, 4, 5  # numbers; the last of them is to be what the first two show


def program_of(few: Mapping[int, Program], size: int) -> Program | None:
    """What a program is for `size` numbers, where it is known for FEW, and grows evenly there."""
    *two, third = FEW
    pair, sizes = [few[n] for n in two], (two[0], two[1])
    if stretched(pair, sizes, third) != replace(few[third], place=()):
        return None
    return stretched(pair, sizes, size)


def stretched(programs: Sequence[Program], sizes: tuple[int, int], size: int) -> Program | None:
    """What a program is for `size` numbers, out of what it is for two other `sizes`.

    Every length, place and step in it is taken to be a line through the two, and so is a constant
    that differs. None where the two programs do not fit that. Nothing is proved: compare with a
    third program, or its kernel with the function.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
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
        return Program(
            loops=tuple(at.loop(*pair) for pair in _paired(a.loops, b.loops)),
            size=at.number(a.size, b.size),
            constants=tuple(at.constants(a.constants, b.constants)),
            inputs=at.number(a.inputs, b.inputs),
            parameters=_same(a.parameters, b.parameters),
            outputs=tuple(at.places(a.outputs, b.outputs)),
            guards=tuple(at.guard(*pair) for pair in _paired(a.guards, b.guards)),
            place=(),
            bounds=tuple(at.bounds(a.bounds, b.bounds)),
        )
    except _UnevenError:
        return None


def is_line(points: Sequence[tuple[int, int]]) -> bool:
    """Whether points in order lie on a line.

    >>> is_line([(0, 1), (1, 3), (4, 9)]), is_line([(0, 1), (1, 3), (4, 8)])
    (True, False)
    """
    (x, y), (next_x, next_y), *others = points
    return all((b - y) * (next_x - x) == (a - x) * (next_y - y) for a, b in others)


class _UnevenError(Exception):
    """It does not grow evenly."""


def _paired(a: Sequence[T], b: Sequence[T]) -> Iterator[tuple[T, T]]:
    if len(a) != len(b):
        raise _UnevenError
    return zip(a, b, strict=True)


def _same(a: T, b: T) -> T:
    if a != b:
        raise _UnevenError
    return a


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

    def constants(self, a: Sequence[float], b: Sequence[float]) -> Iterator[float]:
        """Constants, of which there may be more; one may say how many numbers there are."""
        groups = ([list(equal) for _, equal in groupby(numbers, repr)] for numbers in (a, b))
        for some, more in _paired(*groups):
            x, y = some[0], more[0]
            if repr(x) != repr(y):
                if not (x.is_integer() and y.is_integer()):
                    raise _UnevenError
                x = float(self.number(int(x), int(y)))
            yield from [x] * self.number(len(some), len(more))

    def view(self, a: View, b: View) -> View:
        if (a.table is None) is not (b.table is None):
            raise _UnevenError
        base, strides = self.number(a.base, b.base), self.numbers(a.strides, b.strides)
        table = self.table(a.table, b.table) if a.table and b.table else None
        return View(a.memory, base, self.numbers(a.shape, b.shape), strides, table)

    def table(self, a: Sequence[int], b: Sequence[int]) -> tuple[int, ...]:
        """So many places for each row, each of which takes even steps from row to row; or for all
        rows the same."""
        if len(a) == len(b):
            return self.numbers(a, b)
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

    def loop(self, a: Rolled, b: Rolled) -> Rolled:
        return Rolled(
            _same(a.op, b.op),
            self.numbers(a.shape, b.shape),
            self.numbers(a.terms, b.terms),
            tuple([self.view(*pair) for pair in _paired(a.scalars, b.scalars)]),
            tuple([self.view(*pair) for pair in _paired(a.vectors, b.vectors)]),
            self.number(a.out, b.out),
            _same(a.needs_grad, b.needs_grad),
        )

    def guard(self, a: Guard, b: Guard) -> Guard:
        left, right = self.number(a.left, b.left), self.number(a.right, b.right)
        return replace(_same(a, replace(b, left=a.left, right=a.right)), left=left, right=right)

    def places(self, a: Sequence[int], b: Sequence[int]) -> Iterator[int]:
        """Stretches of places that lie side by side, each of which grows."""
        stretches = (list(side_by_side(places)) for places in (a, b))
        for (place, _, count), (other, _, more) in _paired(*stretches):
            start = self.number(place, other)
            yield from range(start, start + self.number(count, more))

    def bounds(self, a: Sequence[Bound], b: Sequence[Bound]) -> Iterator[Bound]:
        """The same limits for stretches of places."""
        groups = ([(k, list(g)) for k, g in groupby(bounds, _limits)] for bounds in (a, b))
        for (limits, some), (others, more) in _paired(*groups):
            low, high = _same(limits, others)
            columns = ([bound.place for bound in bounds] for bounds in (some, more))
            yield from [Bound(place, low, high) for place in self.places(*columns)]


def _limits(bound: Bound) -> tuple[int, int]:
    return bound.low, bound.high


def _steps(places: Sequence[int]) -> tuple[int, int]:
    """The first of several places, and the step to each of the next."""
    start, step = places[0], places[1] - places[0]
    if list(places) != [start + k * step for k in range(len(places))]:
        raise _UnevenError
    return start, step
