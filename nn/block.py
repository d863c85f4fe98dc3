"""A recording of a block of rows: how to set its numbers, and how to read its results."""

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate
from operator import itemgetter
from typing import Any

from engine.replay.arguments import Given, flatten, numbers_of, rebuild
from engine.replay.backends.kernel import fill
from engine.replay.recorded import Leaves, Recorded

Results = list[Any]


class Block:
    """A recording of a block, and how to read its memory."""

    def __init__(self, recorded: Recorded, given: Given) -> None:
        self._recorded = recorded
        _, forms = recorded.forms[0]
        count = len(numbers_of(forms))
        self._results = itemgetter(*recorded.program.outputs[: 1 + count])
        self._read = _reader(forms)
        widths = [len(numbers_of(thing)) for thing in given.arguments[0]]
        self._slices = list(zip(accumulate(widths), widths, strict=True))
        self._numbers: Sequence[float] = ()

    def leaves(self, numbers: Sequence[Any]) -> Leaves:
        """The numbers that a forward pass begins with."""
        recorded = self._recorded
        inputs = list(map(float, [*numbers, *recorded.world.numbers()]))
        return inputs, [p.data for p in recorded.program.parameters]

    def forward(self, numbers: Sequence[Any], leaves: Leaves) -> bool:
        """The forward pass; False where the recording does not fit.

        The numbers of the parameters are read once for the same `leaves`.
        """
        recorded, self._numbers = self._recorded, numbers
        values = recorded.kernel.values
        if recorded.leaves is not leaves:
            recorded.leaves = no_leaves()
            parameters = [p.data for p in recorded.program.parameters]
            fill(values, recorded.parameters.start, parameters)
        if isinstance(values, list):
            numbers = list(map(float, numbers))
        fill(values, recorded.inputs.start, [*numbers, *recorded.world.numbers()])
        recorded.leaves = leaves
        return recorded.run()

    def results(self, leaves: Leaves) -> Results:
        """The results of the rows; sets what the function sets beside them."""
        recorded = self._recorded
        values = recorded.kernel.values
        if recorded.sets:
            outputs = [values[place] for place in recorded.program.outputs]
            recorded.result(self._numbers, self.leaves(self._numbers), outputs)
        _, *found = self._results(values)
        return self._read(found)

    def slopes(self, leaves: Leaves) -> Results:
        """The gradients of the rows' own results."""
        kernel = self._recorded.kernel
        kernel.backward(self._recorded.seeds(0))
        gradient = list(kernel.adjoints[self._recorded.inputs])
        return [gradient[stop - width : stop] for stop, width in self._slices]


def no_leaves() -> Leaves:
    """No numbers to begin with: another such thing each time."""
    return ([], [])


def _reader(forms: Sequence[Any]) -> Callable[[Sequence[float]], Results]:
    """What makes results of one form each of the numbers in a block."""
    count = len(forms)
    shapes = [flatten(form, []) for form in forms]
    if shapes.count(shapes[0]) < count or not _is_plain(forms[0]):
        return lambda numbers: list(rebuild(list(forms), iter(numbers)))
    width = len(numbers_of(forms[0]))

    def read(numbers: Sequence[float]) -> Results:
        columns = (numbers[k::width] for k in range(width))
        return list(_joined(forms[0], columns, count))

    return read


def _is_plain(form: Any) -> bool:
    parts = form.values() if type(form) is dict else form if type(form) in (list, tuple) else ()
    return not hasattr(form, "tolist") and all(map(_is_plain, parts))


def _joined(form: Any, columns: Iterator[Sequence[float]], count: int) -> Sequence[Any]:
    """`count` results of a form: its k-th number from the k-th column."""
    kind = type(form)
    if kind is float:
        return next(columns)
    if kind not in (list, tuple, dict) or not form:
        return [rebuild(form, iter(())) for _ in range(count)]
    parts = form.values() if kind is dict else form
    rows = zip(*[_joined(part, columns, count) for part in parts], strict=True)
    if kind is dict:
        return [dict(zip(form, row, strict=True)) for row in rows]
    return list(rows) if kind is tuple else list(map(list, rows))
