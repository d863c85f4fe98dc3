"""Write scalars, run matrices: a function of Values is recorded once and replayed many times."""

from __future__ import annotations

import math
import operator
import time
import warnings
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial, update_wrapper
from itertools import chain, repeat
from threading import RLock
from types import ModuleType
from typing import Any, cast, overload

from engine import backends, functions
from engine.backends.kernel import Kernel
from engine.ops import Op
from engine.roll import Program, roll
from engine.tape import Tape, is_recording, record
from engine.value import Operand, Value, data_of, node, toposort

REPLAY = Op("replay", "replay", "", (), (), many=True)  # its partials come from a kernel
LIMIT = 32  # recordings kept of one function
MANY = 9  # the recording of one function that warns


class ReplayError(RuntimeError):
    """A function cannot be replayed, or its replay does not do what the function does."""


# --- arguments: numbers apart from the shape they came in --------------------------------------


def flatten(argument: Any, numbers: list[Operand]) -> Any:
    """Appends the numbers of an argument; what is left is its shape, equal for equal shapes."""
    if hasattr(argument, "tolist"):  # NumPy's arrays and numbers
        argument = argument.tolist()
    kind = type(argument)
    if kind is float or kind is Value:
        numbers.append(argument)
        return kind
    if kind is list or kind is tuple:
        return kind, *(_grid(argument, numbers) or [flatten(part, numbers) for part in argument])
    if kind is dict:
        return kind, *[(key, flatten(part, numbers)) for key, part in argument.items()]
    try:
        hash(argument)
    except TypeError:
        raise TypeError(
            "replay expected numbers, lists of them, or what can be told apart by hashing, "
            f"got {kind.__name__}"
        ) from None
    return kind, argument


def _grid(rows: Sequence[Any], numbers: list[Operand]) -> tuple[Any, ...] | None:
    """The shape of a list of floats, or of lists of floats of one length: the usual, and fast."""
    kinds = set(map(type, rows))
    if kinds == {float}:
        numbers += rows
        return (len(rows),)
    if kinds == {list}:
        lengths, inner = set(map(len, rows)), list(chain.from_iterable(rows))
        if len(lengths) == 1 and set(map(type, inner)) == {float}:
            numbers += inner
            return len(rows), *lengths
    return None


def rebuild(argument: Any, values: Iterator[Operand]) -> Any:
    """The argument again, its numbers replaced by the next of `values`."""
    if hasattr(argument, "tolist"):
        argument = argument.tolist()
    kind = type(argument)
    if kind is float or kind is Value:
        return next(values)
    if kind is list or kind is tuple:
        return kind(rebuild(part, values) for part in argument)
    if kind is dict:
        return {key: rebuild(part, values) for key, part in argument.items()}
    return argument


# --- one recording -----------------------------------------------------------------------------

Leaves = tuple[Sequence[float], Sequence[float]]  # the inputs and the parameters of one call


class Recorded:
    """One recording: its program, and the kernel that runs it."""

    def __init__(self, tape: Tape, form: Any, backend: str, number: int = 0) -> None:
        self.tape, self.program, self.form, self.number = tape, roll(tape), form, number
        self.lock = RLock()
        self.calls = 0
        self.auto = backend == "auto"
        self.seconds = 0.0  # replaying so far, while a faster backend may be worth its time
        first = len(self.program.constants)
        self.inputs = slice(first, first + self.program.inputs)
        self.parameters = slice(self.inputs.stop, self.program.leaves)
        self.wanted = [k for k, is_wanted in enumerate(tape.input_grads) if is_wanted]
        self.leaves: Leaves = ((), ())  # those that the kernel's values belong to
        chosen = backends.first(tape) if self.auto else backends.backend(backend)
        self.kernel: Kernel = chosen.compile(self.program, tape)
        self.backend: str = chosen.NAME

    def use(self, backend: ModuleType) -> None:
        """Moves to another backend, with the leaves that are in memory."""
        leaves = self.kernel.values[: self.program.leaves]
        self.kernel, self.backend = backend.compile(self.program, self.tape), backend.NAME
        self.kernel.values[: self.program.leaves] = leaves

    def run(self) -> bool:
        """The forward pass on the leaves in memory; False where a guard does not hold."""
        start = time.perf_counter()
        self.kernel.forward()
        if self.auto:
            self.seconds += time.perf_counter() - start
            better = backends.better(self.program, self.seconds)
            if better:
                self.auto = False
                self.use(better)
                self.kernel.forward()
        guards, values = self.program.guards, self.kernel.values
        return not guards or all(
            getattr(operator, g.relation)(values[g.left], values[g.right]) is g.outcome
            for g in guards
        )

    def forward(self, leaves: Leaves) -> bool:
        """The forward pass on other leaves; False where a guard does not hold."""
        self.leaves = leaves
        values = self.kernel.values
        values[self.inputs] = array("d", leaves[0])
        values[self.parameters] = array("d", leaves[1])
        return self.run()

    def backward(self, leaves: Leaves, seeds: Sequence[float]) -> list[float]:
        """The gradients of the parameters and of the inputs that want one."""
        with self.lock:
            if self.leaves is not leaves:
                self.forward(leaves)
            self.kernel.backward(seeds)
            adjoints = self.kernel.adjoints
            gradients = adjoints[self.parameters].tolist()
            if self.wanted:
                inputs = adjoints[self.inputs]
                gradients += [inputs[k] for k in self.wanted]
            return gradients

    def result(self, numbers: Sequence[Operand]) -> list[Value] | None:
        """The outputs for other numbers, as Values; None where a guard does not hold."""
        with self.lock:
            self.calls += 1
            inputs = [data_of(x) for x in numbers] if self.wanted else numbers
            leaves = (inputs, [p.data for p in self.program.parameters])
            if not self.forward(cast(Leaves, leaves)):
                return None
            outputs = [self.kernel.values[place] for place in self.program.outputs]
        inner = tuple(cast(Value, numbers[k]) for k in self.wanted)
        sources = (*self.program.parameters, *inner) if inner else self.program.parameters
        return [
            node(REPLAY, z, sources, None, Slopes(self, cast(Leaves, leaves), k), None)
            for k, z in enumerate(outputs)
        ]


class Slopes:
    """The partials of a replayed result, computed when a backward asks for them."""

    def __init__(self, recorded: Recorded, leaves: Leaves, output: int) -> None:
        self._recorded, self._leaves, self._output = recorded, leaves, output
        self._slopes: list[float] | None = None

    def __iter__(self) -> Iterator[float]:
        if self._slopes is None:
            seeds = [0.0] * len(self._recorded.program.outputs)
            seeds[self._output] = 1.0
            self._slopes = self._recorded.backward(self._leaves, seeds)
        return iter(self._slopes)


# --- a function and its recordings --------------------------------------------------------------


class Replay:
    """A function that is recorded when first called with arguments of a shape, then replayed.

    Numbers in the arguments, also in nested lists, tuples, dicts and arrays, are inputs; integers,
    texts and what else can be hashed are part of the shape. Values that the function takes from
    elsewhere are parameters. What comes back is a Value, or lists of Values, like any other.
    """

    def __init__(
        self, function: Callable[..., Any], *, backend: str = "auto", check: int | None = None
    ) -> None:
        if backend not in ("auto", "eager", *backends.NAMES):
            names = ", ".join(("auto", "eager", *backends.NAMES))
            raise ValueError(f"replay expected a backend of {names}, got {backend!r}")
        if check is not None and check < 1:
            raise ValueError(f"replay expected check of 1 or more calls, got {check}")
        self.function, self.wanted, self.check = function, backend, check
        self.recordings: dict[Any, list[Recorded]] = {}
        self.made = 0
        update_wrapper(self, function)
        if backend in backends.NAMES:
            backends.backend(backend)

    def __call__(self, *arguments: Any) -> Any:
        """The function's result, by replay where a recording fits."""
        if self.wanted == "eager" or is_recording():
            return self.function(*arguments)
        numbers: list[Operand] = []
        shape = tuple(flatten(argument, numbers) for argument in arguments)
        for recorded in self.recordings.get(shape, ()):
            outputs = recorded.result(numbers)
            if outputs is not None:
                if self._is_due(recorded):
                    self._compare(recorded, arguments, numbers)
                return rebuild(recorded.form, iter(outputs))
        return self._record(arguments, numbers, shape)

    def _is_due(self, recorded: Recorded) -> bool:
        return recorded.calls % self.check == 0 if self.check else recorded.calls == 1

    @property
    def backend(self) -> str:
        """What runs the newest recording: "python", "numpy" or "c"; "eager" before one."""
        recorded = self._newest()
        return recorded.backend if recorded else "eager"

    def source(self, backend: str = "words") -> str:
        """The loops of the newest recording: in words, or as the code of a backend.

        Raises ReplayError before the first recording.
        """
        recorded = self._newest()
        if recorded is None:
            raise ReplayError(f"{self._name} has no recording yet: call it first")
        if backend == "words":
            return in_words(recorded.program)
        if backend == recorded.backend:
            return recorded.kernel.source
        return backends.backend(backend).compile(recorded.program, recorded.tape).source

    def candidates(self, *arguments: Any) -> tuple[list[Recorded], list[Operand]]:
        """The recordings for such arguments, and their numbers, for loops that run kernels.

        Which of them fits, the guards say; where none does, `record` makes one.
        """
        numbers: list[Operand] = []
        shape = tuple(flatten(argument, numbers) for argument in arguments)
        if not self.recordings.get(shape):
            self._record(arguments, numbers, shape)
        return self.recordings[shape], numbers

    def record(self, *arguments: Any) -> list[Recorded]:
        """Records anew, whatever there is; the recordings for such arguments."""
        numbers: list[Operand] = []
        shape = tuple(flatten(argument, numbers) for argument in arguments)
        self._record(arguments, numbers, shape)
        return self.recordings[shape]

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _newest(self) -> Recorded | None:
        kept = [recorded for same_shape in self.recordings.values() for recorded in same_shape]
        return max(kept, key=lambda recorded: recorded.number, default=None)

    def _record(self, arguments: Sequence[Any], numbers: list[Operand], shape: Any) -> Any:
        inputs = [x if isinstance(x, Value) else Value(x) for x in numbers]
        with record() as seen:
            result = self.function(*rebuild(tuple(arguments), iter(inputs)))
        if seen.escapes:
            raise ReplayError(
                f"{self._name} looks at the .data of a Value at {seen.escapes[0]}: the number "
                "would be frozen in every replay; compute with Values (engine.max and engine.softmax "
                'choose by value), or use backend="eager"'
            )
        outputs: list[Operand] = []
        flatten(result, outputs)
        tape = seen.tape(inputs, outputs, [isinstance(x, Value) for x in numbers])
        self.made += 1
        if self.made == MANY:
            self._warn(shape)
        form = rebuild(result, repeat(0.0))
        same_shape = self.recordings.setdefault(shape, [])
        same_shape.append(Recorded(tape, form, self.wanted, self.made))
        kept = [recorded for recordings in self.recordings.values() for recorded in recordings]
        if len(kept) > LIMIT:
            oldest = min(kept, key=lambda recorded: recorded.number)
            for recordings in self.recordings.values():
                if oldest in recordings:
                    recordings.remove(oldest)
        return result

    def _warn(self, shape: Any) -> None:
        if shape in self.recordings:
            cause = "comparisons of Values in it come out differently from call to call"
        else:
            cause = _difference(next(reversed(self.recordings)), shape)
        warnings.warn(
            f"{self._name} was recorded {MANY} times, which takes longer than it saves: {cause}",
            stacklevel=4,
        )

    def _compare(self, recorded: Recorded, arguments: Any, numbers: list[Operand]) -> None:
        """Runs the function itself beside its replay; ReplayError where they differ."""
        inputs = [x if isinstance(x, Value) else Value(x) for x in numbers]
        outputs: list[Any] = []
        flatten(self.function(*rebuild(tuple(arguments), iter(inputs))), outputs)
        expected = [data_of(z) for z in outputs]
        got = [recorded.kernel.values[place] for place in recorded.program.outputs]
        what = "the result"
        if len(got) == len(expected) and _close(got, expected, recorded.backend):
            seeds = [1.0] * len(got)
            expected = _eager_gradients(outputs, recorded, inputs)
            got = recorded.backward(recorded.leaves, seeds)
            what = "a gradient"
            if _close(got, expected, recorded.backend):
                return
        worst = max(
            zip(got, expected, strict=False),
            key=lambda pair: abs(pair[0] - pair[1]),
            default=(0, 0),
        )
        raise ReplayError(
            f"the replay of {self._name} differs from {self._name} itself: {what} is {worst[0]} "
            f"replayed and {worst[1]} computed anew. Random numbers, numbers from outside the "
            "arguments and flags are frozen when a function is recorded: pass them as arguments"
        )


def _eager_gradients(outputs: list[Any], recorded: Recorded, inputs: list[Value]) -> list[float]:
    """The gradients of the sum of the outputs; the `.grad` of all leaves stays as it was."""
    total = functions.sum(outputs) if len(outputs) > 1 else outputs[0]
    leaves = [*recorded.program.parameters, *(inputs[k] for k in recorded.wanted)]
    if not isinstance(total, Value):
        return [0.0] * len(leaves)
    below = [v for v in toposort(total) if v.op is None]
    before = [v.grad for v in below]
    for v in {*below, *leaves}:
        v.zero_grad()
    total.backward()
    gradients = [v.grad for v in leaves]
    for v, g in zip(below, before, strict=True):
        v.grad = g
    return gradients


def _close(got: list[float], expected: list[float], backend: str) -> bool:
    """Equal: bit for bit in Python, within 1e-12 of the largest number elsewhere."""
    slack = 0.0
    if backend != "python":
        slack = 1e-12 * max((abs(x) for x in expected if math.isfinite(x)), default=0.0)
    return all(
        g == e or abs(g - e) <= slack or (g != g and e != e)
        for g, e in zip(got, expected, strict=True)
    )


def _difference(before: Any, now: Any) -> str:
    """Where two shapes differ, in words."""
    if isinstance(before, tuple) and isinstance(now, tuple) and len(before) == len(now):
        for k, (old, new) in enumerate(zip(before, now, strict=True)):
            if old != new:
                inner = _difference(old, new)
                return (
                    inner
                    if isinstance(old, tuple) and isinstance(new, tuple)
                    else (
                        f"item {k} changes, such as from {old!r} to {new!r}: "
                        "integers are part of the shape, floats are not"
                    )
                )
    return f"its arguments change their shape, such as from {before!r} to {now!r}"


def in_words(program: Program) -> str:
    """The loops of a program, one line each.

    "100 x 16 dots of 2 terms" are 100 times 16 numbers, each a sum of 2 products.
    """
    lines = []
    for loop in program.loops:
        size = " x ".join(map(str, loop.shape))
        terms = f" of {' x '.join(map(str, loop.terms))} terms" if loop.terms else ""
        plural = "" if loop.rows == 1 else "s"
        lines.append(f"{size} {loop.op.name}{plural}{terms}")
    return "\n".join(lines)


@overload
def replay(function: Callable[..., Any], /) -> Replay: ...
@overload
def replay(
    function: None = None, /, *, backend: str = "auto", check: int | None = None
) -> Callable[[Callable[..., Any]], Replay]: ...
@overload
def replay(
    function: Callable[..., Any], /, *, backend: str = "auto", check: int | None = None
) -> Replay: ...
def replay(
    function: Callable[..., Any] | None = None,
    /,
    *,
    backend: str = "auto",
    check: int | None = None,
) -> Replay | Callable[[Callable[..., Any]], Replay]:
    """Makes a function of Values fast: it is recorded once and replayed; `@replay` works too.

    `backend` is "auto" (the fastest that is there and worth its compile time), "python", "numpy",
    "c" or "eager" (no replay). The second call of each recording is compared with the function
    itself, or every `check`-th call.

    Raises ReplayError where the function cannot be replayed, RuntimeError where a backend asked
    for by name cannot run, ValueError for other settings.

    >>> w = Value(3.0)
    >>> @replay
    ... def loss(xs, ys):
    ...     return sum((w * x - y) ** 2 for x, y in zip(xs, ys))
    >>> for _ in range(3):
    ...     total = loss([1.0, 2.0], [2.0, 4.0])
    >>> total.backward()
    >>> total.data, w.grad
    (5.0, 10.0)
    """
    if function is None:
        return partial(Replay, backend=backend, check=check)
    return Replay(function, backend=backend, check=check)
