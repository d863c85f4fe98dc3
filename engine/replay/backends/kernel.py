"""What every backend makes of a program: a kernel, running code on a row of memory."""

from __future__ import annotations

import math
from array import array
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from operator import eq
from struct import error as packing_error
from struct import pack_into
from typing import Any, NamedTuple, TypeAlias, cast

from engine.replay.roll import Program

# Lists where Python itself computes, so that no float is made anew.
Memory: TypeAlias = "array[float] | list[float]"


@dataclass(frozen=True)
class Rows:
    """Rows of `width` numbers each, one after the other."""

    numbers: array[float]
    width: int

    @cached_property
    def floats(self) -> list[float]:
        """The same numbers as objects of Python."""
        return self.numbers.tolist()


class Layout(NamedTuple):
    """Where steps of training have their numbers: in the memory of a loss, and of what moves it.

    Of the loss: the places of its number, of the parameters, and of the first number of each column
    of the data. Of each point `width` outputs, or none where nobody asks: the largest, or with
    `twice` a single one that is larger than `twice` less itself, is right where its place is the
    label of the row. Of the mover: the places of the first parameter, the first gradient, the
    rates, the sum of squares of the gradient, a number that is finite if all that was moved is; and
    what to copy after a move: to where, from where, how many numbers.
    """

    loss: int
    parameters: range
    columns: Sequence[tuple[int, Rows]]
    outputs: array[int]
    width: int
    twice: float | None
    labels: array[int]
    data: int
    gradient: int
    rates: range
    squares: int
    size: int
    copies: Sequence[tuple[int, int, int]]


Seen: TypeAlias = "tuple[array[float], array[float], array[int]]"
TINY = 1e-250  # squares below have lost digits


class Kernel:
    """A program that runs. The caller writes inputs and parameters into `values`.

    `forward()` fills the places of the outputs and of what the guards compare, at least.
    `backward(seeds)`, after a forward, takes d loss / d output for each output and leaves
    d loss / d leaf in `adjoints`, at the places of the inputs and parameters that need one.
    Numbers follow IEEE 754: inf and nan flow, nothing raises.
    """

    source: str
    values: Any  # a Memory
    adjoints: Any
    forward: Callable[[], None]
    backward: Callable[[Sequence[float]], None]

    def gather(self, place: int, table: Rows, rows: array[int]) -> None:
        """Writes rows of a table into `values`, side by side from a place on."""
        values, width = self.values, table.width
        numbers: Memory = table.floats if isinstance(values, list) else table.numbers
        for row in rows:
            start = row * width
            values[place : place + width] = numbers[start : start + width]
            place += width

    def largest(self, places: array[int], width: int) -> Sequence[int]:
        """Which number is the largest of each `width` at these places; of equals the first."""
        numbers = [self.values[place] for place in places]
        groups = [numbers[k : k + width] for k in range(0, len(numbers), width)]
        return [group.index(max(group)) for group in groups]

    def several(self, seeds: Sequence[float], mover: Kernel, layout: Layout) -> Several:
        """What takes steps of training with another kernel, which moves the parameters."""
        return Several(self, seeds, mover, layout)


class Several:
    """Steps of training, one after the other, with nothing asked in between: two kernels in turn.

    `done` is how many steps of the last call were taken.
    """

    done = 0
    _is_moved = False

    def __init__(self, loss: Kernel, seeds: Sequence[float], mover: Kernel, layout: Layout) -> None:
        self._loss, self._seeds, self._mover, self._layout = loss, seeds, mover, layout
        its, n = _flat(mover.values), len(layout.parameters)
        where = slice(layout.parameters.start, layout.parameters.stop)
        self._values, self._its = _flat(loss.values), its
        self._parameters = self._values[where], its[layout.data : layout.data + n]
        gradient = its[layout.gradient : layout.gradient + n]
        self._gradient = gradient, _flat(loss.adjoints)[where]
        self._rates = its[layout.rates.start : layout.rates.stop]
        self._copies = [(its[to : to + n], its[at : at + n]) for to, at, n in layout.copies]

    def settle(self) -> None:
        """Ends a step that was interrupted."""
        if self._is_moved:
            for to, source in self._copies:
                to[:] = source
            self._is_moved = False

    def __call__(
        self, steps: int, points: int, rows: array[int] | None, rates: array[float]
    ) -> Seen:
        """Takes steps: gives the loss of each, the squares of its gradient, how many were right.

        Each looks at the next `points` of the rows, or at all that is in memory, and takes the next
        of the rates. The first that meets a number that is not finite, or where squares lose
        digits, is not taken, nor are those after it.
        """
        losses, squares, rights = array("d"), array("d"), array("i")
        layout, count = self._layout, len(self._rates)
        given = memoryview(rates)
        self.done = 0
        for n in range(steps):
            chosen = rows[n * points : (n + 1) * points] if rows is not None else None
            if chosen is not None:
                for place, column in layout.columns:
                    self._loss.gather(place, column, chosen)
            self._parameters[0][:] = self._parameters[1]
            self._loss.forward()
            loss = self._values[layout.loss]
            if not math.isfinite(loss):
                break
            self._loss.backward(self._seeds)
            self._gradient[0][:] = self._gradient[1]
            self._rates[:] = given[n * count : (n + 1) * count]
            self._mover.forward()
            if not self._is_exact():
                break
            losses.append(loss)
            squares.append(self._its[layout.squares])
            rights.append(self._right(chosen) if layout.width else 0)
            self.done, self._is_moved = n + 1, True
            self.settle()
        return losses, squares, rights

    def _is_exact(self) -> bool:
        squares, size = self._its[self._layout.squares], self._its[self._layout.size]
        is_known = TINY < squares < math.inf or not any(self._gradient[0])
        return is_known and math.isfinite(size)

    def _right(self, rows: array[int] | None) -> int:
        """How many points have the largest output where their label is."""
        layout = self._layout
        if layout.twice is None:
            found = self._loss.largest(layout.outputs, layout.width)
        else:
            found = [x > layout.twice - x for x in map(self._values.__getitem__, layout.outputs)]
        labels = layout.labels if rows is None else map(layout.labels.__getitem__, rows)
        return sum(map(eq, found, labels))


def _flat(numbers: Memory) -> memoryview:
    return memoryview(cast("array[float]", numbers))


def memory(program: Program) -> array[float]:
    """Room for the numbers of a program, its constants filled in.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
    >>> from engine.value import Value
    >>> x = Value(2.0)
    >>> with record() as seen:
    ...     y = x * 3.0
    >>> memory(roll(seen.tape([x], [y])))
    array('d', [3.0, 0.0, 0.0])
    """
    values = array("d", bytes(8 * program.size))
    values[: len(program.constants)] = array("d", program.constants)
    return values


def taken(numbers: Memory | memoryview, where: slice) -> Memory:
    """A copy of some of the numbers.

    >>> taken(memoryview(array("d", [1.0, 2.0, 3.0])), slice(1, 3))
    array('d', [2.0, 3.0])
    """
    found = numbers[where]
    return array("d", found.tobytes()) if isinstance(found, memoryview) else found


def fill(numbers: Memory, start: int, given: Sequence[float]) -> None:
    """Writes numbers into a memory, from a place on.

    >>> values = array("d", [1.0, 2.0, 3.0])
    >>> fill(values, 1, [5.0, 7.0])
    >>> values
    array('d', [1.0, 5.0, 7.0])
    """
    if isinstance(numbers, list):
        numbers[start : start + len(given)] = given
        return
    try:  # faster than to make an array of them
        pack_into(f"{len(given)}d", numbers, numbers.itemsize * start, *given)
    except packing_error:
        numbers[start : start + len(given)] = array("d", given)  # says what is no number
