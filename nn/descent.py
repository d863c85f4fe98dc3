"""A training step on flat memory: kernels compute loss and gradient, and move the parameters.

While training runs the parameters' numbers live in the memory of the kernels; `store` gives them
back to the Values.
"""

import math
import warnings
from array import array
from collections.abc import Callable
from itertools import chain
from typing import Any, NamedTuple

from engine import backends
from engine.functions import dot
from engine.functions import sum as sum_of
from engine.replay import Recorded, ReplayError, rebuild, replay
from engine.tape import record
from engine.value import Value, data_of, set_each
from nn.optim import Optimizer

KEPT = 4  # bound batches
NOTHING_TO_MOVE = (
    "the loss gave no parameter of the optimizer a gradient: build the optimizer from "
    "model.parameters(), and train outside no_grad()"
)
Run = Callable[[Any, Any], tuple[Value, Any]]


class Taken(NamedTuple):
    """What a step saw before the parameters moved: loss, outputs, the length of the gradient."""

    loss: float
    outputs: Any
    gradient_norm: float


class Descent:
    """Steps of an optimiser down the slope of `run`: (xs, ys) -> (what is made small, outputs).

    By replay: `run` is recorded once for each shape of a batch. Where that cannot be, or with
    `backend="eager"`, steps build their graphs. Lists of data that were used must not change:
    their numbers are read once.

    >>> from nn.optim import SGD
    >>> w, xs, ys = Value(0.0), [1.0, 2.0], [2.0, 4.0]
    >>> def run(xs, ys):
    ...     outputs = [w * x for x in xs]
    ...     return sum((o - y) ** 2 for o, y in zip(outputs, ys)), outputs
    >>> descent = Descent(run, SGD([w], lr=0.1))
    >>> for _ in range(20):
    ...     taken = descent.step(xs, ys)
    >>> descent.store()
    >>> f"{w:.4f}"
    '2.0000'
    """

    def __init__(self, run: Run, optimizer: Optimizer, backend: str = "auto") -> None:
        self.run, self.optimizer = run, optimizer
        self._replay = replay(run, backend=backend)
        self._eager = backend == "eager" or len(set(optimizer.steps)) > 1
        self._mover: _Mover | None = None
        self._bound: dict[tuple[int, int], _Batch] = {}

    @property
    def backend(self) -> str:
        """What runs the steps: "eager", "python", "numpy" or "c"."""
        return "eager" if self._eager else self._replay.backend

    def step(self, xs: Any, ys: Any) -> Taken:
        """Takes one step; FloatingPointError, and no step, where a number is not finite."""
        if not self._eager:
            try:
                return self._replayed(xs, ys)
            except ReplayError as error:
                warnings.warn(f"training goes on without replay, slower: {error}", stacklevel=2)
                self.store()
                self._eager = True
        total, outputs = self.run(xs, ys)
        _check_finite("the loss", total.data)
        self.optimizer.zero_grad()
        total.backward()
        norm = math.hypot(*[p.grad for p in self.optimizer.parameters])
        _check_finite("the length of the gradient", norm)
        if not any(p.has_grad for p in self.optimizer.parameters):
            raise ValueError(NOTHING_TO_MOVE)
        self.optimizer.step()
        return Taken(total.data, outputs, norm)

    def _replayed(self, xs: Any, ys: Any) -> Taken:
        recorded = self._forward(xs, ys)
        values, places = recorded.kernel.values, recorded.program.outputs
        loss = values[places[0]]
        _check_finite("the loss", loss)
        recorded.kernel.backward((1.0, *[0.0] * (len(places) - 1)))
        assert self._mover
        norm = self._mover.move(recorded)
        _, outputs = rebuild(recorded.form, map(values.__getitem__, places))
        return Taken(loss, outputs, norm)

    def store(self) -> None:
        """Sets data and gradient of the parameters, and the memory of the optimiser."""
        if self._mover and not self._eager:
            self._mover.store()

    def _forward(self, xs: Any, ys: Any) -> Recorded:
        """Runs the forward pass of the recording that fits."""
        batch = self._bound.get((id(xs), id(ys))) or self._bind(xs, ys)
        while True:
            for recorded in batch.candidates:
                if self._mover is None:
                    self._mover = _Mover(self.optimizer, recorded)
                recorded.kernel.values[recorded.inputs] = batch.numbers
                self._mover.lend(recorded)
                if recorded.run():
                    return recorded
            self.store()
            self._replay.record(xs, ys)

    def _bind(self, xs: Any, ys: Any) -> "_Batch":
        """The numbers of a batch as an array; kept for the batches that come again."""
        candidates, numbers = self._replay.candidates(xs, ys)
        batch = _Batch((xs, ys), candidates, array("d", map(data_of, numbers)))
        if len(self._bound) == KEPT:
            del self._bound[next(iter(self._bound))]
        self._bound[id(xs), id(ys)] = batch
        return batch


class _Batch(NamedTuple):
    """A batch bound to the recordings of its shape; it holds the data, so that ids stay theirs."""

    data: tuple[Any, Any]
    candidates: list[Recorded]
    numbers: "array[float]"


class _Mover:
    """The arithmetic of an optimiser, recorded for all parameters at once."""

    def __init__(self, optimizer: Optimizer, first: Recorded) -> None:
        place = {p: k for k, p in enumerate(optimizer.parameters)}
        self.optimizer = optimizer
        self.parameters = tuple(p for p in first.program.parameters if p in place)
        if not self.parameters:
            raise ValueError(NOTHING_TO_MOVE)
        self.places = [place[p] for p in self.parameters]
        self.steps = optimizer.steps[self.places[0]]
        n = len(self.places)
        memory = [[getattr(optimizer, name)[k] for k in self.places] for name in optimizer.MEMORY]
        columns = [[p.data for p in self.parameters], [0.0] * n, *memory]
        rates = optimizer.rates(self.steps + 1)
        inputs = [[Value(x) for x in column] for column in columns]
        given = [Value(rate) for rate in rates]
        with record() as seen:
            moved = [
                optimizer.moved(p, g, kept, given) for p, g, *kept in zip(*inputs, strict=True)
            ]
            after = list(zip(*moved, strict=True))
            checks = [dot(inputs[1], inputs[1]), sum_of(chain(*after))]
        tape = seen.tape([*chain(*inputs), *given], [*chain(*after), *checks])
        self.recorded = Recorded(tape, None, first.backend)
        self.recorded.forward(([*chain(*columns), *rates], ()))
        start = self.recorded.inputs.start
        self.data, self.gradient, *self.kept = [
            slice(start + k * n, start + (k + 1) * n) for k in range(len(columns))
        ]
        self.rates = slice(start + len(columns) * n, self.recorded.inputs.stop)
        outputs = self.recorded.program.outputs
        self.after = [_side_by_side(outputs[k * n : (k + 1) * n]) for k in range(len(columns) - 1)]
        self.checks = outputs[-2:]
        self.index = {p: k for k, p in enumerate(self.parameters)}

    def lend(self, recorded: Recorded) -> None:
        """Puts the parameters into the memory of a recording."""
        mine, theirs = memoryview(self.recorded.kernel.values), memoryview(recorded.kernel.values)
        if recorded.program.parameters == self.parameters:
            theirs[recorded.parameters] = mine[self.data]
        else:
            data = mine[self.data].tolist()
            place = self.index.get
            theirs[recorded.parameters] = array(
                "d",
                [
                    p.data if (k := place(p)) is None else data[k]
                    for p in recorded.program.parameters
                ],
            )

    def move(self, recorded: Recorded) -> float:
        """Moves the parameters by the gradient of a recording; its length."""
        if self.recorded.backend != recorded.backend:
            self.recorded.use(backends.backend(recorded.backend))
        values = memoryview(self.recorded.kernel.values)
        gradient = memoryview(recorded.kernel.adjoints)[recorded.parameters]
        if recorded.program.parameters != self.parameters:
            known = dict(zip(recorded.program.parameters, gradient, strict=True))
            gradient = memoryview(array("d", [known.get(p, 0.0) for p in self.parameters]))
        values[self.gradient] = gradient
        values[self.rates] = array("d", self.optimizer.rates(self.steps + 1))
        self.recorded.run()
        squares, total = (values[place] for place in self.checks)
        norm = math.sqrt(squares) if math.isfinite(squares) else math.hypot(*gradient)
        _check_finite("the length of the gradient", norm)
        _check_finite("the sum of the parameters after it", total)
        for column, after in zip((self.data, *self.kept), self.after, strict=True):
            values[column] = values[after] if isinstance(after, slice) else _gathered(values, after)
        self.steps += 1
        return norm

    def store(self) -> None:
        """Sets data and gradient of the parameters, and the memory of the optimiser."""
        values = self.recorded.kernel.values
        set_each("data", self.parameters, values[self.data])
        set_each("grad", self.parameters, values[self.gradient])
        for name, column in zip(("steps", *self.optimizer.MEMORY), (None, *self.kept), strict=True):
            entries = getattr(self.optimizer, name)
            numbers = values[column] if column else [self.steps] * len(self.places)
            for k, number in zip(self.places, numbers, strict=True):
                entries[k] = number


def _side_by_side(places: tuple[int, ...]) -> slice | tuple[int, ...]:
    """Places as a slice where they lie side by side."""
    run = slice(places[0], places[0] + len(places))
    return run if places == tuple(range(run.start, run.stop)) else places


def _gathered(values: Any, places: tuple[int, ...]) -> "memoryview[float]":
    return memoryview(array("d", [values[place] for place in places]))


def _check_finite(name: str, x: float) -> None:
    if not math.isfinite(x):
        raise FloatingPointError(f"{name} is {x}")
