"""Data as numbers in flat memory, laid out once: a batch of it is a list of row numbers."""

from array import array
from collections.abc import Sequence
from functools import cached_property, partial
from itertools import chain
from typing import Any, TypeAlias

from engine.replay.arguments import Given, Shape, flatten, read
from engine.replay.backends.kernel import Rows
from engine.value import data_of
from nn.dataset import rows_at

Batch: TypeAlias = "array[int] | None"  # the numbers of its rows; None for all


class Table:
    """Examples and their targets; those of one shape can be gathered straight into a kernel.

    The lists are read once: what changes in them later does not count.

    >>> table = Table([[1.0, 2.0], [3.0, 4.0]], [0.0, 1.0])
    >>> table.batch(array("i", [1]))
    ([[3.0, 4.0]], [1.0])
    >>> [rows.numbers.tolist() for rows in table.columns]
    [[1.0, 2.0, 3.0, 4.0], [0.0, 1.0]]
    """

    def __init__(self, xs: Sequence[Any], ys: Sequence[Any]) -> None:
        self.xs, self.ys = xs, ys
        self._shapes: dict[int, Shape] = {}  # of batches, by their length
        self._latest: tuple[Batch, Given | None] = None, None

    def __len__(self) -> int:
        return len(self.xs)

    def first(self, count: int) -> "Table":
        """The first rows, whose numbers need not be laid down again."""
        table = Table(self.xs[:count], self.ys[:count])
        if self.columns:
            table.columns = [
                Rows(rows.numbers[: rows.width * count], rows.width) for rows in self.columns
            ]
        return table

    def pick(self, places: Sequence[int]) -> "Table":
        """The rows at some places, whose numbers need not be looked at again."""
        table = Table([self.xs[k] for k in places], [self.ys[k] for k in places])
        if self.columns:
            table.columns = [
                Rows(rows_at(rows.numbers, rows.width, places), rows.width) for rows in self.columns
            ]
        return table

    def batch(self, rows: Batch) -> tuple[Sequence[Any], Sequence[Any]]:
        """The examples and the targets of some rows; of all of them for None."""
        if rows is None:
            return self.xs, self.ys
        return [self.xs[i] for i in rows], [self.ys[i] for i in rows]

    def given(self, rows: Batch) -> Given:
        """Some rows as the arguments of a loss, with a way to have those of the first few alone."""
        if rows is None:
            return self._all
        latest, given = self._latest
        if given is None or latest is not rows:
            given = self._read(rows)
            self._latest = rows, given
        return given

    def shape(self, rows: Batch) -> Shape:
        """The shape of such arguments."""
        count = len(self if rows is None else rows)
        if self.columns is None:
            return self.given(rows).shape
        if count not in self._shapes:
            self._shapes[count] = self.given(rows).shape
        return self._shapes[count]

    @cached_property
    def columns(self) -> list[Rows] | None:
        """The numbers of the examples, and those of the targets; None where shapes differ."""
        found = [_rows(things) for things in (self.xs, self.ys)]
        kept = [rows for rows in found if rows]
        return [rows for rows in kept if rows.width] if len(kept) == len(found) else None

    @cached_property
    def numbers(self) -> "array[float]":
        """The numbers of all examples, then those of all targets."""
        return array("d", map(data_of, self._all.numbers))

    @cached_property
    def _all(self) -> Given:
        return self._read(None)

    def _read(self, rows: Batch) -> Given:
        first = array("i", range(len(self))) if rows is None else rows
        few = partial(_few, self.xs, self.ys, first) if self.columns else None
        return read(self.batch(rows), {})._replace(examples=len(first), few=few)


def _few(xs: Sequence[Any], ys: Sequence[Any], rows: "array[int]", count: int) -> Given:
    """The first of some rows, as the arguments of a loss."""
    few = rows[:count]
    return read(([xs[i] for i in few], [ys[i] for i in few]), {})


def table_of(xs: Sequence[list[float]], ys: Sequence[Any], numbers: "array[float]") -> "Table":
    """A table of rows whose numbers are laid down already."""
    table, targets = Table(xs, ys), _rows(ys)
    if targets:
        table.columns = [Rows(numbers, len(xs[0])), targets]
    return table


def _rows(things: Sequence[Any]) -> Rows | None:
    """The numbers of things of one shape, one row for each."""
    numbers: list[Any] = []
    kinds = {*map(type, things)}
    if kinds == {list} and len({*map(len, things)}) == 1:  # the usual, and fast
        entries = [*chain.from_iterable(things)]
        if {*map(type, entries)} == {float}:
            return Rows(array("d", entries), len(things[0]))
    elif kinds in ({float}, {int}) and flatten(list(things), numbers, whole=True):
        if len(numbers) == len(things):
            return Rows(array("d", numbers), 1)
        numbers = []
    shapes = [flatten(thing, numbers, whole=True) for thing in things]
    if shapes and shapes.count(shapes[0]) < len(shapes):
        return None
    return Rows(array("d", map(data_of, numbers)), len(numbers) // max(1, len(shapes)))
