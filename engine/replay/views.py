"""Arrays laid over rows of memory: a first place, and a step along each axis."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from string import ascii_lowercase
from typing import NamedTuple

AXES = ascii_lowercase[8:]  # i, j and so on
SHOWN = 9  # places of a table in text
MANY_RUNS = 4096  # of a view; more count as one stretch

Lengths = tuple[int, ...]
Strides = tuple[int, ...]
Run = tuple[int, int]  # the first place, and the one after the last


class View(NamedTuple):
    """Numbers within a memory: an array of `shape` from place `base` on, its strides in numbers.

    The memory of a loop is "v", the numbers of a program, "a", their adjoints, or "s", the seeds.
    With a table the strides go through the table, which holds the places.
    """

    memory: str
    base: int
    shape: Lengths
    strides: Strides
    table: tuple[int, ...] | None = None

    def __str__(self) -> str:
        """Where it stands at a point of the axes i, j, ...

        >>> print(View("v", 5, (3, 2), (2, 1)), View("a", 0, (3,), (1,), (9, 4, 7)))
        v[5 + 2i + j] a[(9, 4, 7)[i]]
        """
        steps = [(s, axis) for s, axis in zip(self.strides, AXES, strict=False) if s]
        moves = [f"{'' if s == 1 else s}{axis}" for s, axis in steps]
        at = " + ".join([str(self.base)] * (self.base > 0 or not moves) + moves)
        if self.table:
            shown = [*map(str, self.table[:SHOWN]), *["..."] * (len(self.table) > SHOWN)]
            at = f"({', '.join(shown)})[{at}]"
        return f"{self.memory}[{at}]"

    @property
    def adjoint(self) -> View:
        """The adjoints of these numbers, which lie as they do."""
        return View("a", *self[1:])

    @property
    def least(self) -> View:
        """The same without axes that repeat one number: NumPy is fastest when told so."""
        return self if any(self.strides) else View(self.memory, self.base, (), ())

    def first(self, axes: int) -> View:
        """The same along the first axes alone."""
        return self._replace(shape=self.shape[:axes], strides=self.strides[:axes])

    def along(self, axes: Sequence[int]) -> View:
        """Of all axes these, in this order."""
        shape, strides = (tuple(part[k] for k in axes) for part in (self.shape, self.strides))
        return View(self.memory, self.base, shape, strides)

    def over(self, axes: Sequence[int], shape: Lengths) -> View:
        """As one of more axes, of which it has these; along the others it repeats."""
        own = dict(zip(axes, self.strides, strict=True))
        strides = tuple(own.get(k, 0) for k in range(len(shape)))
        return View(self.memory, self.base, shape, strides)

    def at(self, indices: Sequence[tuple[int, int]]) -> View:
        """The same moved to (axis, index) pairs."""
        return self._replace(base=self.base + sum(self.strides[k] * i for k, i in indices))

    def repeated(self, lengths: Lengths) -> View:
        """The same with more axes, the last ones, along which it stands still."""
        still = (0,) * len(lengths)
        return self._replace(shape=(*self.shape, *lengths), strides=(*self.strides, *still))

    @property
    def own(self) -> list[int]:
        """The axes along which it does not repeat."""
        return [k for k, step in enumerate(self.strides) if step]

    def places(self) -> list[int]:
        """All places, those of the last axis innermost."""
        if self.table is not None and not self.base and self.strides == packed(self.shape):
            return list(self.table)
        at = [self.base]
        for n, step in zip(self.shape, self.strides, strict=True):
            at = [first + i * step for first in at for i in range(n)]
        return at if self.table is None else [self.table[k] for k in at]

    def runs(self) -> tuple[list[Run], bool]:
        """Stretches of memory that it covers, and whether it comes to no place twice.

        Strides of 0 do not count: what is added up along them is written once.

        >>> View("a", 7, (2, 5, 3), (10, 0, 1)).runs()
        ([(7, 10), (17, 20)], True)
        """
        if self.table is not None:
            return _runs_of_table(self.table)
        if max(self.shape, default=1) == 1:
            return [(self.base, self.base + 1)], True
        axes = [(s, n) for s, n in zip(self.strides, self.shape, strict=True) if s and n > 1]
        base = self.base + sum([s * (n - 1) for s, n in axes if s < 0])
        span, run, is_once = 1, 1, True
        outside = [0]
        axes = sorted([(abs(s), n) for s, n in axes])
        for step, n in axes:
            is_once = is_once and step >= span
            span += step * (n - 1)
            if step <= run and len(outside) == 1:
                run += step * (n - 1)
            elif n * len(outside) <= MANY_RUNS:
                outside = [at + i * step for i in range(n) for at in outside]
            else:
                return [(base, base + sum(s * (m - 1) for s, m in axes) + 1)], False
        return [(base + at, base + at + run) for at in outside], is_once


def _runs_of_table(table: Sequence[int]) -> tuple[list[Run], bool]:
    places = sorted(set(table))
    runs = [(first, first + count) for first, _, count in side_by_side(places)]
    if len(places) < len(table) or len(runs) > MANY_RUNS:
        return [(places[0], places[-1] + 1)], False
    return runs, True


def side_by_side(places: Sequence[int]) -> Iterator[tuple[int, int, int]]:
    """Runs of consecutive places: the first place, where it stands in the list, how many.

    >>> list(side_by_side([7, 8, 9, 3]))
    [(7, 0, 3), (3, 3, 1)]
    """
    start = 0
    for stop in range(1, len(places) + 1):
        if stop == len(places) or places[stop] != places[stop - 1] + 1:
            yield places[start], start, stop - start
            start = stop


def packed(shape: Lengths) -> Strides:
    """The strides of an array without gaps.

    >>> packed((2, 3, 4))
    (12, 4, 1)
    """
    strides = []
    step = 1
    for n in reversed(shape):
        strides.append(step)
        step *= n
    return tuple(reversed(strides))


def joined(shape: Sequence[int], *columns: Strides) -> tuple[Lengths, list[Strides]]:
    """The same places with few axes: neighbours are one where all columns step through evenly.

    >>> joined((2, 3, 4), (12, 4, 1), (0, 0, 5))
    ((6, 4), [(4, 1), (0, 5)])
    """
    axes: list[tuple[int, ...]] = []
    for n, *steps in zip(shape, *columns, strict=True):
        if n == 1:
            continue
        if axes and list(axes[-1][1:]) == [n * step for step in steps]:
            axes[-1] = (axes[-1][0] * n, *steps)
        else:
            axes.append((n, *steps))
    lengths, *strides = zip(*axes, strict=True) if axes else ((),) * (1 + len(columns))
    return tuple(lengths), [tuple(column) for column in strides]


def laid(views: Sequence[View]) -> list[View]:
    """Views of one shape, with few axes."""
    shape, columns = joined(views[0].shape, *[view.strides for view in views])
    return [
        view._replace(shape=shape, strides=strides)
        for view, strides in zip(views, columns, strict=True)
    ]


def is_one_to_one(view: View) -> bool:
    """Whether no place comes twice: each stride leaps over all that the smaller ones reach."""
    reach = 0
    for step, n in sorted(
        (abs(step), n) for n, step in zip(view.shape, view.strides, strict=True) if n > 1
    ):
        if step <= reach:
            return False
        reach += step * (n - 1)
    return True


def is_matrix(view: View) -> bool:
    """Whether the last two axes are a matrix that BLAS takes: no steps between its numbers."""
    (rows, columns), (down, right) = view.shape[-2:], view.strides[-2:]
    return (right == 1 and down >= columns) or (down == 1 and right >= rows)
