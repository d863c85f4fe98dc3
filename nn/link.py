"""Joins a recorded loss with a recorded optimiser, so that both work on the same flat memory."""

import math
import time
from array import array
from collections.abc import Sequence
from functools import partial
from itertools import accumulate
from operator import is_
from typing import Any, NamedTuple, cast

from engine.replay.arguments import rebuild
from engine.replay.backends.kernel import Layout, Rows, Several
from engine.replay.recorded import Recorded
from engine.replay.tape import Bound
from engine.value import data_of
from nn.flat import FlatMover
from nn.mover import Mover, view
from nn.table import Batch, Table


class Aims(NamedTuple):
    """What the outputs should say: for each row of the data the place of its label.

    The place is that of the largest of several outputs; of a single one it is 1 where that is
    larger than `twice` less itself, else 0.
    """

    labels: "array[int]"
    twice: float


class Many(NamedTuple):
    """What several steps saw: a number for each."""

    losses: Sequence[float]
    gradient_norms: Sequence[float]
    rights: Sequence[int]  # of the points of the step


class Link:
    """A recorded loss, the optimiser that moves its parameters, and the memory that both use."""

    def __init__(self, recorded: Recorded, mover: Mover) -> None:
        self.mover, self.kernel = mover, recorded.kernel
        self.output, self.seeds = recorded.program.outputs[0], recorded.seeds(0)
        self.outputs = partial(_outputs, recorded)
        self._recorded, self._world = recorded, recorded.world
        recorded.goes_back = True
        self._parameters = recorded.parameters
        last = recorded.inputs.stop - len(recorded.world.free)
        self._inputs, self._free = (
            slice(recorded.inputs.start, last),
            slice(last, last + len(recorded.world.free)),
        )
        self._values, self._adjoints = view(self.kernel.values), view(self.kernel.adjoints)
        known = set(mover.parameters)
        of_recorded = list(enumerate(recorded.program.parameters, recorded.parameters.start))
        place = {p: k for k, p in of_recorded}
        self._picks = [place[p] for p in mover.parameters]
        self._frozen = [(k, p) for k, p in of_recorded if p not in known]
        self._is_direct = self._picks == [k for k, _ in of_recorded]
        of_loss = set(recorded.sources(0).parameters)
        self._others = [(k, p) for k, p in self._frozen if p in of_loss]
        self._bound: Table | None = None  # all of whose numbers are in the memory
        self._outputs = array("i", recorded.program.outputs[1:])
        self._width = _width(recorded.forms[0][1])
        self._several: Several | None = None
        self._several_of: tuple[Any, ...] = (None, None, None, None)

    def lend(self, data: Table, rows: Batch) -> None:
        """Puts a batch and the parameters into the memory of the recording."""
        values = self._values
        if rows is not None or self._bound is not data:
            self._gather(data, rows)
        if self._world.free:
            others = self._world.numbers()
            values[self._free] = others if self.mover.is_exact else view(array("d", others))
        if self._is_direct:
            values[self._parameters] = self.mover.data
            return
        for place, x in zip(self._picks, self.mover.data, strict=True):
            values[place] = x
        for place, p in self._frozen:
            values[place] = p.data

    def _gather(self, data: Table, rows: Batch) -> None:
        """Puts a batch into the memory; all of the data stays there."""
        self._bound = data if rows is None else None
        if rows is None or data.columns is None:
            given = data.numbers if rows is None else map(data_of, data.given(rows).numbers)
            numbers = list(given) if self.mover.is_exact else view(array("d", given))
            self._values[self._inputs] = numbers
            return
        place = self._inputs.start
        for column in data.columns:
            self.kernel.gather(place, column, rows)
            place += column.width * len(rows)

    def several(
        self, data: Table, batches: Sequence[Batch], rates: Sequence[float], aims: Aims | None
    ) -> Many | None:
        """Steps in one call; None where there are none to take in that way."""
        mover = self.mover
        if not (batches and isinstance(mover, FlatMover)) or mover.is_outdated():
            return None
        rows = batches[0]
        points = len(data if rows is None else rows)
        asked = data, rows is None, aims, mover.kernel
        if not all(map(is_, asked, self._several_of)):
            layout = self._layout(data, None if rows is None else points, aims)
            self._several_of = asked
            self._several = layout and self.kernel.several(self.seeds, mover.kernel, layout)
        if not self._several:
            return None
        self.lend(data, rows)
        start = time.perf_counter()
        given = mover.rates_of(rates, len(batches))
        count = len(given) // mover.rate_count
        chosen = None if rows is None else _joined(batches[:count])
        losses, squares, rights = mover.take(self._several, count, points, chosen, given)
        done = self._several.done
        self._recorded.note_run(done, time.perf_counter() - start)
        return Many(losses[:done], list(map(math.sqrt, squares[:done])), rights[:done])

    def _layout(self, data: Table, points: int | None, aims: Aims | None) -> Layout | None:
        """Where steps on so many points, or all, find their numbers; None where there is no way."""
        outputs, moves = self._recorded.forms[0][1], cast(FlatMover, self.mover).layout()
        are_single = type(outputs) is list and {*map(type, outputs)} == {float}
        is_counted = not aims or self._width or are_single
        columns = self._columns(data, points)
        if not (moves and columns and is_counted and self._is_direct) or self._others:
            return None
        bounds = self._recorded.program.bounds
        if any(bound.place >= self._inputs.stop for bound in bounds):
            return None
        for k, *limits in {_limits(bound, columns) for bound in bounds}:
            if not _are_in_bounds(columns[k][1], *limits):
                return None
        return Layout(
            loss=self.output,
            parameters=range(self._parameters.start, self._parameters.stop),
            columns=columns if points else [],
            outputs=self._outputs,
            width=(self._width or 1) if aims else 0,
            twice=aims.twice if aims and are_single else None,
            labels=aims.labels if aims else array("i"),
            **moves,
        )

    def _columns(self, data: Table, points: int | None) -> list[tuple[int, Rows]]:
        """Where the numbers of each column of the data go; of all data as one row."""
        place = self._inputs.start
        if points is None:
            return [(place, Rows(data.numbers, len(data.numbers)))]
        columns = data.columns or []
        places = accumulate((column.width * points for column in columns), initial=place)
        return list(zip(places, columns, strict=False))

    def numbers(self) -> list[float]:
        """The inputs in the memory."""
        inputs = self._values[self._inputs.start : self._free.stop]
        return inputs if isinstance(inputs, list) else cast("list[float]", inputs.tolist())

    def largest(self) -> Sequence[int] | None:
        """Which output is the largest for each example; None where they are no such lists."""
        if not self._width:
            return None
        return self.kernel.largest(self._outputs, self._width)

    def set(self, numbers: Sequence[float]) -> None:
        """Sets what the loss sets beside its result."""
        recorded, values = self._recorded, self.kernel.values
        leaves = numbers, list(values[self._parameters])
        recorded.result(numbers, leaves, [values[k] for k in recorded.program.outputs])

    def take_gradient(self) -> None:
        """Gives the gradient to the mover."""
        if self._is_direct:
            self.mover.gradient[:] = self._adjoints[self._parameters]
            return
        for k, place in enumerate(self._picks):
            self.mover.gradient[k] = self._adjoints[place]

    def add_to_others(self) -> None:
        """Adds to the gradients of Values that are not moved: nobody forgets these."""
        for place, p in self._others:
            p.grad += self._adjoints[place]


def _width(outputs: Any) -> int:
    """How many numbers each of the outputs has, which are lists of one length; else 0."""
    if type(outputs) is not list or {*map(type, outputs)} != {list}:
        return 0
    lengths = {*map(len, outputs)}
    are_numbers = all(type(x) is float for output in outputs for x in output)
    return lengths.pop() if are_numbers and len(lengths) == 1 else 0


def _joined(batches: Sequence[Batch]) -> "array[int]":
    """The rows of all of them."""
    found = array("i")
    for rows in cast("Sequence[array[int]]", batches):
        found += rows
    return found


def _limits(bound: Bound, columns: Sequence[tuple[int, Rows]]) -> tuple[int, int, int, int]:
    """What may come to the place of a bound: the same for each point of a batch."""
    k = next(k for k, (place, _) in reversed([*enumerate(columns)]) if place <= bound.place)
    place, rows = columns[k]
    return k, (bound.place - place) % rows.width, bound.low, bound.high


def _are_in_bounds(rows: Rows, start: int, low: int, high: int) -> bool:
    """Whether all numbers that come to a place are whole, and between its limits."""
    numbers = rows.numbers[start :: rows.width]
    return all(map(float.is_integer, numbers)) and low <= min(numbers) <= max(numbers) <= high


def _outputs(recorded: Recorded) -> Any:
    """What the model said, as numbers."""
    values, places = recorded.kernel.values, recorded.program.outputs
    return rebuild(recorded.forms[0], map(values.__getitem__, places))[1]
