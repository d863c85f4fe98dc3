"""Write scalars, run matrices: a function of Values is recorded once and replayed many times."""

from __future__ import annotations

import inspect
import math
import operator
import time
import warnings
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from functools import cached_property, partial, update_wrapper
from itertools import chain, count, islice, repeat
from struct import Struct
from threading import RLock
from types import MethodType, ModuleType
from typing import Any, NamedTuple, cast, overload

from engine import backends, functions
from engine.backends.kernel import Kernel
from engine.ops import Op
from engine.roll import roll
from engine.tape import Tape, record
from engine.value import Operand, Value, data_of, is_watched, mode, node, sweeping
from engine.words import in_words

REPLAY = Op("replay", "replay", "", (), (), many=True)  # its partials come from a kernel
LIMIT = 32  # recordings kept of one function
MANY = 9  # the recording of one function that warns
SLACK = 1e-9  # sums in another order differ by far less, numbers that were frozen by far more
PLAIN = (type(None), bool, int, str)  # what a result may hold beside numbers


class ReplayError(RuntimeError):
    """A function cannot be replayed, or its replay does not do what the function does."""


# --- arguments: numbers apart from the shape they came in --------------------------------------


def flatten(argument: Any, numbers: list[Operand]) -> Any:
    """Appends the numbers of an argument; what is left is its shape, equal for equal shapes.

    >>> numbers = []
    >>> flatten([[1.0, 2.0], 3.0, True], numbers)[1]
    (<class 'list'>, 2)
    >>> numbers
    [1.0, 2.0, 3.0]
    """
    kind = type(argument)
    if kind is float or kind is Value:
        numbers.append(argument)
        return kind
    if kind is list or kind is tuple:
        return kind, *(_grid(argument, numbers) or [flatten(part, numbers) for part in argument])
    if kind is dict:
        return kind, *[(key, flatten(part, numbers)) for key, part in argument.items()]
    if hasattr(argument, "tolist"):  # NumPy's arrays and numbers
        return flatten(argument.tolist(), numbers)
    if isinstance(argument, Iterator) or not _is_hashable(argument):
        raise TypeError(
            "replay expected numbers, lists, tuples and dicts of them, or what can be told apart "
            f"by hashing, got {kind.__name__}"
        )
    return kind, argument


def _grid(rows: Sequence[Any], numbers: list[Operand]) -> tuple[Any, ...] | None:
    """The shape of a list of floats, or of lists of floats of one length: the usual, and fast."""
    if _are_all(float, rows):
        numbers += rows
        return (len(rows),)
    if _are_all(list, rows) and len(set(map(len, rows))) == 1:
        entries: list[Any] = []
        for row in rows:
            entries += row
        if _are_all(float, entries):
            numbers += entries
            return len(rows), len(rows[0])
    return None


def _are_all(kind: type, things: Sequence[Any]) -> bool:
    return list(map(type, things)).count(kind) == len(things)


def _is_hashable(thing: Any) -> bool:
    try:
        hash(thing)
    except TypeError:
        return False
    return True


def rebuild(argument: Any, values: Iterator[Any]) -> Any:
    """The argument again, its numbers replaced by the next of `values`."""
    kind = type(argument)
    if kind is float or kind is Value:
        return next(values)
    if kind is list or kind is tuple:
        if set(map(type, argument)) == {float}:
            return kind(islice(values, len(argument)))
        return kind(rebuild(part, values) for part in argument)
    if kind is dict:
        return {key: rebuild(part, values) for key, part in argument.items()}
    if hasattr(argument, "tolist"):
        return rebuild(argument.tolist(), values)
    return argument


Shape = tuple[tuple[Any, ...], tuple[tuple[str, Any], ...]]  # of arguments, and by keyword


class Given(NamedTuple):
    """The arguments of a call, and their numbers apart from their shape."""

    arguments: tuple[Any, ...]
    keywords: dict[str, Any]
    shape: Shape
    numbers: list[Operand]


def read(arguments: tuple[Any, ...], keywords: dict[str, Any]) -> Given:
    """The arguments of a call taken apart; TypeError where they cannot be."""
    numbers: list[Operand] = []
    shape = tuple([flatten(argument, numbers) for argument in arguments])
    named = tuple([(name, flatten(argument, numbers)) for name, argument in keywords.items()])
    return Given(arguments, keywords, (shape, named), numbers)


def _results(result: Any) -> list[Operand]:
    """The numbers of what a function returned; TypeError where it holds more than that."""
    found: list[Operand] = []
    todo = [flatten(result, found)]
    while todo:
        shape = todo.pop()
        if type(shape) is tuple and shape and shape[0] in (list, tuple):
            todo += [part for part in shape[1:] if type(part) is not int]
        elif type(shape) is tuple and shape and shape[0] is dict:
            todo += [part for _, part in shape[1:]]
        elif type(shape) is tuple and shape[0] not in PLAIN:
            raise TypeError(
                "replay expected Values, numbers, and lists, tuples and dicts of them as the "
                f"result, got {shape[0].__name__}"
            )
    return found


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
        outputs = range(len(self.program.outputs))
        self.seeds = [tuple(float(k == one) for k in outputs) for one in outputs]
        self.is_flat = not self.wanted and all(p.op is None for p in self.program.parameters)
        self._guards = [
            (getattr(operator, g.relation), g.left, g.right, g.outcome) for g in self.program.guards
        ]
        self._pack = Struct(f"{self.program.leaves - first}d").pack_into
        chosen = backends.first(self.program) if self.auto else backends.backend(backend)
        self.kernel: Kernel = chosen.compile(self.program, tape)
        self.backend: str = chosen.NAME

    def use(self, backend: ModuleType) -> None:
        """Moves to another backend, with the leaves that are in memory."""
        kernel: Kernel = backend.compile(self.program, self.tape)
        kernel.values[: self.program.leaves] = self.kernel.values[: self.program.leaves]
        self.kernel, self.backend = kernel, backend.NAME

    def run(self) -> bool:
        """The forward pass on the leaves in memory; False where a guard does not hold."""
        if self.auto:
            self._run_timed()
        else:
            self.kernel.forward()
        values = self.kernel.values
        for relation, left, right, outcome in self._guards:
            if relation(values[left], values[right]) is not outcome:
                return False
        return True

    def _run_timed(self) -> None:
        start = time.perf_counter()
        self.kernel.forward()
        self.seconds += time.perf_counter() - start
        better = backends.better(self.program, self.seconds)
        if better:
            self.auto = False
            with suppress(RuntimeError):  # a compiler that fails is none
                self.use(better)
                self.kernel.forward()

    def forward(self, leaves: Leaves) -> bool:
        """The forward pass on other leaves; False where a guard does not hold."""
        self.leaves = leaves
        inputs, parameters = leaves
        self._pack(self.kernel.values, 8 * self.inputs.start, *inputs, *parameters)
        return self.run()

    def backward(self, leaves: Leaves, seeds: Sequence[float]) -> array[float]:
        """The gradients of the parameters, then of the inputs that want one."""
        with self.lock:
            if self.leaves is not leaves:
                self.forward(leaves)
            self.kernel.backward(seeds)
            gradients = self.kernel.adjoints[self.parameters]
            if self.wanted:
                inputs = self.kernel.adjoints[self.inputs]
                gradients.extend([inputs[k] for k in self.wanted])
            return gradients

    def compute(self, numbers: Sequence[Operand]) -> tuple[Leaves, list[float]] | None:
        """The leaves and the outputs for other numbers; None where a guard does not hold."""
        inputs = [data_of(x) for x in numbers] if self.wanted else cast(Sequence[float], numbers)
        leaves = inputs, [p.data for p in self.program.parameters]
        with self.lock:
            if not self.forward(leaves):
                return None
            self.calls += 1
            values = self.kernel.values
            return leaves, [values[place] for place in self.program.outputs]

    def result(self, numbers: Sequence[Operand], leaves: Leaves, outputs: Sequence[float]) -> Any:
        """What the function returns: its outputs as Values that know their sources."""
        made: list[Operand] = []
        for k, z in enumerate(outputs):
            if self._constant[k]:
                made.append(z)
                continue
            parameters, wanted, picks = self.sources[k]
            inner = tuple([cast(Value, numbers[k]) for k in wanted])
            slopes = Slopes(self, leaves, k, picks)
            made.append(node(REPLAY, z, parameters + inner, None, slopes, None))
        return rebuild(self.form, iter(made))

    @cached_property
    def _constant(self) -> list[bool]:
        """Which outputs are plain floats."""
        return [p < 0 and type(self.tape.leaves[-1 - p]) is float for p in self.tape.outputs]

    @cached_property
    def sources(self) -> list[tuple[tuple[Value, ...], list[int], list[int]]]:
        """What each output was computed from: parameters, inputs that want a gradient, and the
        places of all of these among the gradients.
        """
        rows, leaves = self.tape.rows, self.tape.leaves
        above = [0] * (len(rows) + len(leaves))  # a bit for each output
        for k, place in enumerate(self.tape.outputs):
            above[place] |= 1 << k
        for place in range(len(rows) - 1, -1, -1):
            bits = above[place]
            if bits:
                for p in rows[place][1]:
                    above[p] |= bits
        at = {id(leaf): above[-1 - k] for k, leaf in enumerate(leaves)}
        parameters = self.program.parameters
        bits_of = [at[id(p)] for p in parameters] + [above[-1 - k] for k in self.wanted]
        found = []
        for k in range(len(self.tape.outputs)):
            picks = [j for j, bits in enumerate(bits_of) if bits >> k & 1]
            inner = [self.wanted[j - len(parameters)] for j in picks if j >= len(parameters)]
            found.append(
                (tuple([parameters[j] for j in picks if j < len(parameters)]), inner, picks)
            )
        return found


class Slopes:
    """The partials of a replayed result, computed when a backward asks for them."""

    def __init__(
        self, recorded: Recorded, leaves: Leaves, output: int, picks: Sequence[int]
    ) -> None:
        self._recorded, self._leaves, self._output, self._picks = recorded, leaves, output, picks
        self._slopes: Sequence[float] | None = None

    @property
    def reach_leaves(self) -> bool:
        """Whether there are only leaves below the result, each once."""
        return self._recorded.is_flat

    def __iter__(self) -> Iterator[float]:
        if self._slopes is None:
            recorded = self._recorded
            slopes = recorded.backward(self._leaves, recorded.seeds[self._output])
            is_all = len(self._picks) == len(slopes)
            self._slopes = slopes if is_all else [slopes[j] for j in self._picks]
        return iter(self._slopes)


# --- a function and its recordings --------------------------------------------------------------


class Replay:
    """A function that is recorded when first called with arguments of a shape, then replayed.

    Numbers in the arguments, also in nested lists, tuples, dicts and arrays, are inputs and come
    to the function as Values; integers, texts and what else can be hashed are part of the shape.
    Values that the function takes from elsewhere are parameters. What comes back is a Value, or
    lists of Values, like any other.
    """

    def __init__(
        self, function: Callable[..., Any], *, backend: str = "auto", check: int | None = None
    ) -> None:
        if backend not in ("auto", "eager", *backends.NAMES):
            names = ", ".join(("auto", "eager", *backends.NAMES))
            raise ValueError(f"replay expected a backend of {names}, got {backend!r}")
        if check is not None and check < 1:
            raise ValueError(f"replay expected check of 1 or more calls, got {check}")
        if not callable(function):
            raise TypeError(f"replay expected a function, got {type(function).__name__}")
        self.function, self.wanted, self.check = function, backend, check
        self.recordings: dict[Any, list[Recorded]] = {}
        self.made = 0
        self._lock = RLock()
        update_wrapper(self, function)
        if backend in backends.NAMES:
            backends.backend(backend)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The function's result, by replay where a recording fits.

        Inside another recording, `no_grad()` or `detect_anomaly()` the function itself runs.
        """
        given = read(arguments, keywords)
        if self.wanted == "eager" or is_watched():
            return self._run(given, given.numbers)
        result = self._replayed(given)
        if result is None:
            self.record(given)
            result = self._replayed(given)
        return result[0] if result else self._run(given, given.numbers)

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, the instance is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        """A copy begins without recordings."""
        return partial(Replay, backend=self.wanted, check=self.check), (self.function,)

    @property
    def backend(self) -> str:
        """What runs the newest recording: "python", "numpy" or "c"; "eager" before one."""
        recorded = self._newest()
        return recorded.backend if recorded else "eager"

    def source(self, backend: str = "words", names: Iterable[tuple[str, Value]] = ()) -> str:
        """The loops of the newest recording: in words, or as the code of a backend.

        `names` are those of parameters, such as `model.named_parameters()`: loops that read them
        are named by what the names have in common. Raises ReplayError before the first recording.
        """
        recorded = self._newest()
        if recorded is None:
            raise ReplayError(f"{self._name} has no recording yet: call it first")
        if backend == "words":
            return in_words(recorded.program, names)
        if backend == recorded.backend:
            return recorded.kernel.source
        kernel: Kernel = backends.backend(backend).compile(recorded.program, recorded.tape)
        return kernel.source

    def candidates(self, given: Given) -> list[Recorded]:
        """The recordings for such arguments; which of them fits, the guards say."""
        return self.recordings.setdefault(given.shape, [])

    def record(self, given: Given) -> Any:
        """Records the function anew, whatever there is; its result, as computed on the way."""
        inputs = [Value(data_of(x)) for x in given.numbers]
        with record() as seen:
            result = self._run(given, inputs)
        if seen.escapes:
            raise ReplayError(
                f"{self._name} looks at the .data of a Value at {seen.escapes[0]}: the number "
                "would be frozen in every replay; compute with Values (engine.max and "
                'engine.softmax choose by value), or use backend="eager"'
            )
        tape = seen.tape(inputs, _results(result), [isinstance(x, Value) for x in given.numbers])
        form = rebuild(result, repeat(0.0))
        self._keep(given, Recorded(tape, form, self.wanted, self.made + 1))
        return result

    def compare(self, recorded: Recorded, leaves: Leaves, given: Given) -> None:
        """Runs the function itself beside a replay of it; ReplayError where they differ."""
        inputs = [Value(x) for x in leaves[0]]
        with mode(_unchanged):  # so that replays inside this one run as functions
            expected = _results(self._run(given, inputs))
        with recorded.lock:
            if recorded.leaves is not leaves:
                recorded.forward(leaves)
            got = [recorded.kernel.values[place] for place in recorded.program.outputs]
            gradients = recorded.backward(leaves, [1.0] * len(got))
        sources = [*recorded.program.parameters, *(inputs[k] for k in recorded.wanted)]
        exact = recorded.backend == "python"
        wrong = _difference("the result", got, list(map(data_of, expected)), exact) or _difference(
            "a gradient", gradients, _gradients(expected, sources), exact
        )
        if not wrong:
            return
        self.candidates(given).remove(recorded)
        raise ReplayError(
            f"the replay of {self._name} differs from {self._name} itself: {wrong}. Random "
            "numbers, numbers and Values from outside the arguments, and flags are frozen when a "
            "function is recorded: pass them as arguments"
        )

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _newest(self) -> Recorded | None:
        kept = [recorded for same_shape in self.recordings.values() for recorded in same_shape]
        return max(kept, key=lambda recorded: recorded.number, default=None)

    def _run(self, given: Given, numbers: Iterable[Operand]) -> Any:
        """The function itself; numbers come to it as Values, as in a recording."""
        values = iter([x if type(x) is Value else Value(cast(float, x)) for x in numbers])
        arguments = rebuild(given.arguments, values)
        return self.function(*arguments, **rebuild(given.keywords, values))

    def _replayed(self, given: Given) -> tuple[Any] | None:
        """The result of the recording that fits, in a tuple."""
        for recorded in tuple(self.recordings.get(given.shape, ())):
            computed = recorded.compute(given.numbers)
            if computed:
                if self._is_due(recorded):
                    self.compare(recorded, computed[0], given)
                return (recorded.result(given.numbers, *computed),)
        return None

    def _is_due(self, recorded: Recorded) -> bool:
        return recorded.calls % self.check == 0 if self.check else recorded.calls == 2

    def _keep(self, given: Given, recorded: Recorded) -> None:
        with self._lock:
            self.made += 1
            if self.made == MANY:
                self._warn(given, recorded)
            self.candidates(given).append(recorded)
            kept = {old.number: s for s, olds in self.recordings.items() for old in olds}
            if len(kept) > LIMIT:
                shape = kept[min(kept)]
                self.recordings[shape].pop(0)
                if not self.recordings[shape]:
                    del self.recordings[shape]

    def _warn(self, given: Given, recorded: Recorded) -> None:
        alike = self.recordings.get(given.shape)
        if alike:
            cause = _changed_guard(alike[-1].tape, recorded.tape)
        else:
            before = next(shape for shape, olds in reversed(self.recordings.items()) if olds)
            cause = _changed_argument(self.function, before, given.shape)
        warnings.warn(
            f"{self._name} was recorded {MANY} times, which takes longer than it saves: {cause}",
            stacklevel=5,
        )


# --- what differs, in words ---------------------------------------------------------------------


def _unchanged(v: Value) -> Value:
    return v


def _gradients(outputs: Sequence[Operand], sources: Sequence[Value]) -> list[float]:
    """The derivatives of the sum of the outputs; nobody's `.grad` changes."""
    total = functions.sum(outputs) if len(outputs) > 1 else next(iter(outputs), 0.0)
    if not isinstance(total, Value):
        return [0.0] * len(sources)
    with sweeping:
        for v in sources:
            v.adjoint = 0.0  # stays so where no path leads there
        total.sweep()
        return [v.adjoint for v in sources]


def _difference(
    what: str, got: Sequence[float], expected: Sequence[float], exact: bool
) -> str | None:
    """The largest difference; None where none is too large."""
    if len(got) != len(expected):
        return f"{what} has {len(got)} numbers replayed and {len(expected)} computed anew"
    largest = max((abs(x) for x in expected if math.isfinite(x)), default=0.0)
    slack = 0.0 if exact else SLACK * largest

    def is_close(pair: tuple[float, float]) -> bool:
        a, b = pair
        return a == b or abs(a - b) <= slack or not (math.isfinite(a) or math.isfinite(b))

    wrong = next((pair for pair in zip(got, expected, strict=True) if not is_close(pair)), None)
    return f"{what} is {wrong[0]} replayed and {wrong[1]} computed anew" if wrong else None


def _changed_argument(function: Callable[..., Any], before: Shape, now: Shape) -> str:
    """Which argument makes two shapes differ, in words."""
    try:
        names = list(inspect.signature(function).parameters)
    except (TypeError, ValueError):  # some builtins have none
        names = []
    old, new = (
        {**dict(zip(chain(names, count(len(names))), shape, strict=False)), **dict(keywords)}
        for shape, keywords in (before, now)
    )
    for name in old.keys() & new.keys():
        if old[name] != new[name]:
            return _changed(old[name], new[name], str(name))
    return "the number of arguments changes"


def _changed(old: Any, new: Any, path: str) -> str:
    """Where two shapes differ, in words."""
    if type(old) is not tuple or type(new) is not tuple or old[0] is not new[0]:
        return f"{path} changes its type"
    kind = old[0]
    if kind not in (list, tuple, dict):
        return (
            f"{path} changes, such as from {old[1]!r} to {new[1]!r}, and a {kind.__name__} is part "
            "of the shape (a float is not)"
        )
    if len(old) != len(new):
        return f"the length of {path} changes, such as from {len(old) - 1} to {len(new) - 1}"
    parts = zip(old[1:], new[1:], strict=True)
    k, a, b = next((k, a, b) for k, (a, b) in enumerate(parts) if a != b)
    if int in (type(a), type(b)):
        return f"the length of {path} changes, such as from {a} to {b}"
    return (
        _changed(a[1], b[1], f"{path}[{b[0]!r}]")
        if kind is dict
        else _changed(a, b, f"{path}[{k}]")
    )


SYMBOLS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def _changed_guard(before: Tape, now: Tape) -> str:
    """Which comparison makes two recordings of the same shape differ, in words."""
    for k, (old, new) in enumerate(zip(before.guards, now.guards, strict=False)):
        if old != new:
            right = now.leaves[-1 - new.right] if new.right < 0 else None
            other = right if type(right) is float else "another Value"
            return (
                f"comparison {k} in it, Value {SYMBOLS[new.relation]} {other}, comes out "
                "differently from call to call; relu, abs, max and min need no comparison"
            )
    return "its comparisons are so close that rounding decides them"


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
