"""What every backend makes of a program: a kernel, running code on a row of memory."""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from struct import error as packing_error
from struct import pack_into
from typing import Any, Protocol, TypeAlias

from engine.roll import Program

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


class Kernel(Protocol):
    """A program that runs. The caller writes inputs and parameters into `values`.

    `forward` fills the places of the outputs and of what the guards compare, at least.
    `backward(seeds)`, after a forward, takes d loss / d output for each output and leaves
    d loss / d leaf in `adjoints`, at the places of the inputs and parameters that need one.
    Numbers follow IEEE 754: inf and nan flow, nothing raises.
    """

    source: str

    @property
    def values(self) -> Memory:
        """The numbers of the leaves, and of what was computed."""

    @property
    def adjoints(self) -> Memory:
        """The gradients."""

    def forward(self) -> None:
        """Computes the results from the leaves."""

    def backward(self, seeds: Sequence[float]) -> None:
        """Computes the gradients of the leaves at the values of the last forward."""

    def gather(self, place: int, table: Rows, rows: array[int]) -> None:
        """Writes rows of a table into `values`, side by side from a place on."""

    def largest(self, places: array[int], width: int) -> Sequence[int]:
        """Which number is the largest of each `width` at these places; of equals the first."""


class Gathering:
    """How a kernel gathers rows and finds the largest numbers, in Python."""

    values: Any  # a Memory

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


def memory(program: Program) -> array[float]:
    """Room for the numbers of a program, its constants filled in.

    >>> from engine.roll import roll
    >>> from engine.tape import record
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
