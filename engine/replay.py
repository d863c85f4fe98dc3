"""Write scalars, run matrices: a function of Values is recorded once and replayed many times."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Sequence
from functools import partial, update_wrapper
from itertools import repeat
from threading import RLock
from types import MethodType
from typing import Any, cast, overload
from weakref import WeakSet

from engine import backends
from engine.arguments import (
    Given,
    changed_argument,
    copies,
    digest,
    identities,
    numbers_of,
    read,
    rebuild,
)
from engine.backends.kernel import Kernel
from engine.compare import ReplayError, change
from engine.fork import after_fork
from engine.modes import enable_grad, is_grad_enabled, is_watched
from engine.recorded import Leaves, Recorded
from engine.tape import Recording, Tape, record, standing_in
from engine.value import Operand, Value, data_of
from engine.words import in_words

LIMIT = 32  # recordings kept of one function
TOO_MANY = 9  # recordings of one function: a warning; of one shape: no more are made
FROZEN = (
    "Random numbers, numbers and Values from outside the arguments, and flags are frozen when a "
    "function is recorded: pass them as arguments"
)


class Replay:
    """A function that is recorded when first called with arguments of a shape, then replayed.

    Numbers in the arguments, also in nested lists, tuples, dicts and arrays, are inputs and come
    to the function as Values; integers, texts and what else can be hashed are part of the shape.
    Values that the function takes from elsewhere are parameters. What comes back is a Value, or
    lists of Values, like any other. A function that changes its arguments is refused.
    """

    def __init__(
        self,
        function: Callable[..., Any],
        *,
        backend: str = "auto",
        check: int | None = None,
        main: int | None = None,
    ) -> None:
        """As `replay`; `main` is the only output that `backward()` will be called on, if any is."""
        if backend not in ("auto", "eager", *backends.NAMES):
            names = ", ".join(("auto", "eager", *backends.NAMES))
            raise ValueError(f"replay expected a backend of {names}, got {backend!r}")
        if check is not None and check < 1:
            raise ValueError(f"replay expected check of 1 or more calls, got {check}")
        if not callable(function):
            raise TypeError(f"replay expected a function, got {type(function).__name__}")
        self.function, self.wanted, self.check = function, backend, check
        self.recordings: dict[Any, list[Recorded]] = {}
        self.made, self._main = 0, main
        self.patterns: list[str] = []  # shape and comparisons of each recording that counts
        self._lost: set[str] = set()  # those of a former run, not made again yet
        self._lock = RLock()
        _living.add(self)
        update_wrapper(self, function)
        if backend in backends.NAMES:
            backends.backend(backend)

    def __call__(self, *arguments: Any, **keywords: Any) -> Any:
        """The function's result, by replay where a recording fits.

        Inside another recording or `detect_anomaly()` the function itself runs.
        """
        if not is_grad_enabled():
            with enable_grad():
                return _detached(self(*arguments, **keywords))
        given = read(arguments, keywords)
        if self.wanted == "eager" or is_watched():
            return self._run(given, given.numbers)
        result = self._replayed(given)
        if result is None and not (self.wanted == "auto" and self.is_full(given)):
            self.record(given)
            result = self._replayed(given, is_first=True)
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

    def is_full(self, given: Given) -> bool:
        """Whether one more recording for such arguments would take longer than it saves."""
        return not self._lost and self._has_enough(given)

    def _has_enough(self, given: Given) -> bool:
        shape = digest(given.shape)
        alike = [pattern for pattern in self.patterns if pattern.startswith(shape)]
        return len(alike) >= TOO_MANY or len(self.patterns) >= LIMIT

    def recall(self, patterns: Iterable[str]) -> None:
        """Counts the recordings of a run before, and makes each again where it is needed."""
        self.patterns = list(patterns)
        self._lost = set(patterns)

    def record(self, given: Given) -> Any:
        """Records the function anew, whatever there is; its result, as computed on the way.

        A run that was recalled keeps no recording that the run before would not have made.
        """
        inputs = copies(given.numbers)
        seen, result = self._watched_run(given, inputs)
        if seen.made:  # a layer may be built when first called: its Values are there now
            seen, result = self._watched_run(given, inputs)
        results = numbers_of(result)
        tape = self._tape(seen, given, inputs, results)
        pattern = digest(given.shape) + digest([guard.outcome for guard in tape.guards])
        if self._lost and pattern not in self._lost and self._has_enough(given):
            return result
        recorded = Recorded(tape, results, _form(result), self.wanted, self.made + 1, self._main)
        recorded.fit(given.numbers)
        recorded.due = self.check or 2
        leaves = [v.data for v in inputs], [p.data for p in recorded.program.parameters]
        self._check_kernel(recorded, leaves, inputs, results)
        if recorded.grad_inputs:
            self._check_identity(given, results)
        self._keep(given, recorded, pattern)
        return result

    def compare(self, recorded: Recorded, leaves: Leaves, given: Given) -> bool:
        """Runs the function itself beside a replay of it.

        False where it is another function by now, which the calls before did not miss: it is to be
        recorded anew. Raises ReplayError where they may have missed it, where numbers alone have
        changed, and where the kernel computes something else.
        """
        inputs = copies(given.numbers)
        try:
            seen, result = self._watched_run(given, inputs)
            results = numbers_of(result)
            changed = change(recorded.tape, self._tape(seen, given, inputs, results))
            if changed is None:
                self._check_kernel(recorded, leaves, inputs, results)
                if recorded.grad_inputs:
                    self._check_identity(given, results)
        except ReplayError:
            self._forget(recorded, given)
            raise
        if changed is None:
            calls = recorded.compared = recorded.calls
            recorded.due = calls + self.check if self.check else 10 * calls
            return True
        self._forget(recorded, given)
        was_missed = recorded.calls > recorded.compared + 1 and not changed.is_close
        if changed.is_frozen or was_missed:
            raise ReplayError(
                f"the replay of {self._name} differs from {self._name} itself: {changed.words}. "
                f"{FROZEN}"
            )
        return False

    def _forget(self, recorded: Recorded, given: Given) -> None:
        with self._lock:
            kept = self.candidates(given)
            kept[:] = [other for other in kept if other is not recorded]

    def _watched_run(self, given: Given, inputs: Sequence[Value]) -> tuple[Recording, Any]:
        with record() as seen:
            result = self._run(given, inputs)
        if seen.escapes:
            what, line = seen.escapes[0]
            raise ReplayError(
                f"{self._name} {what} of a Value at {line}: the number would be frozen in every "
                "replay, and what is set would be set once; compute with Values (engine.max and "
                'engine.softmax choose by value), or use backend="eager"'
            )
        return seen, result

    def _tape(
        self, seen: Recording, given: Given, inputs: Sequence[Value], results: Sequence[Operand]
    ) -> Tape:
        return seen.tape(inputs, results, [isinstance(x, Value) for x in given.numbers])

    def _check_kernel(
        self,
        recorded: Recorded,
        leaves: Leaves,
        inputs: Sequence[Value],
        results: Sequence[Operand],
    ) -> None:
        wrong = recorded.difference(leaves, inputs, results)
        if wrong:
            raise ReplayError(
                f"the {recorded.backend} kernel of {self._name} differs from {self._name} itself: "
                f'{wrong}. Please report it, and use backend="eager"'
            )

    def _check_identity(self, given: Given, results: Sequence[Operand]) -> None:
        """Compares with a run on the Values that were passed, not on copies of them."""

        def gives(numbers: Iterable[Operand]) -> list[str]:
            with record():  # so that replays inside this one run as functions
                return [repr(data_of(x)) for x in numbers_of(self._run(given, numbers))]

        wanted = [repr(data_of(x)) for x in results]
        if gives(given.numbers) != wanted:
            if gives(copies(given.numbers)) != wanted:
                raise ReplayError(f"{self._name} gives other numbers at each call. {FROZEN}")
            raise ReplayError(
                f"{self._name} asks whether an argument is a certain Value: a replay cannot, it "
                'passes others in; compare numbers, or use backend="eager"'
            )

    @property
    def _name(self) -> str:
        return getattr(self.function, "__name__", type(self.function).__name__)

    def _newest(self) -> Recorded | None:
        kept = [recorded for same_shape in self.recordings.values() for recorded in same_shape]
        return max(kept, key=lambda recorded: recorded.number, default=None)

    def _run(self, given: Given, numbers: Iterable[Operand]) -> Any:
        """The function itself; numbers come to it as Values, as in a recording."""
        values = [x if type(x) is Value else Value(cast(float, x)) for x in numbers]
        floats = [v for v, x in zip(values, given.numbers, strict=True) if type(x) is not Value]
        unread = iter(values)
        arguments, keywords = rebuild(given.arguments, unread), rebuild(given.keywords, unread)
        before = identities(arguments, keywords)
        with standing_in(floats):
            result = self.function(*arguments, **keywords)
        if identities(arguments, keywords) != before:
            raise ReplayError(
                f"{self._name} changes a list, a dict or an array that it was given: a replay has "
                "copies of them, so that its caller would not see it; change a copy, and return it"
            )
        return result

    def _replayed(self, given: Given, is_first: bool = False) -> tuple[Any] | None:
        """The result of the recording that fits, in a tuple."""
        for recorded in tuple(self.recordings.get(given.shape, ())):
            computed = recorded.compute(given.numbers, not is_first)
            if computed:
                is_due = recorded.calls >= recorded.due and not is_first
                if is_due and not self.compare(recorded, computed[0], given):
                    return None
                return (recorded.result(given.numbers, *computed),)
        return None

    def _keep(self, given: Given, recorded: Recorded, pattern: str) -> None:
        with self._lock:
            self.made += 1
            if self.made == TOO_MANY:
                self._warn(given, recorded)
            if pattern not in self._lost:
                self.patterns = [*self.patterns, pattern][:LIMIT]
            self._lost.discard(pattern)
            alike = self.candidates(given)
            alike.append(recorded)
            if len(alike) == TOO_MANY and self.wanted == "auto":
                alike.clear()
            kept = {old.number: s for s, olds in self.recordings.items() for old in olds}
            if len(kept) > LIMIT:
                shape = kept[min(kept)]
                self.recordings[shape].pop(0)
                if not self.recordings[shape]:
                    del self.recordings[shape]

    def _warn(self, given: Given, recorded: Recorded) -> None:
        alike = self.recordings.get(given.shape)
        others = [shape for shape, olds in self.recordings.items() if olds]
        if alike:
            cause = _changed_guard(alike[-1].tape, recorded.tape)
        elif others:
            cause = changed_argument(self.function, others[-1], given.shape)
        else:
            cause = "its parameters are others from call to call"
        warnings.warn(
            f"{self._name} was recorded {TOO_MANY} times, which takes longer than it saves: "
            f"{cause}",
            stacklevel=5,
        )


_living: WeakSet[Replay] = WeakSet()


@after_fork
def _renew() -> None:
    """In the child of a fork the thread that held a lock is gone."""
    for replayed in list(_living):
        replayed._lock = RLock()


def _detached(result: Any) -> Any:
    """The result as leaves."""
    numbers = (x.detach() if isinstance(x, Value) else x for x in numbers_of(result))
    return rebuild(result, numbers)


def _form(result: Any) -> Any:
    """The result with all its numbers zero."""
    return rebuild(result, repeat(0.0))


SYMBOLS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">=", "eq": "==", "ne": "!="}


def _changed_guard(before: Tape, now: Tape) -> str:
    """Which comparison makes two recordings of the same shape differ, in words."""
    for k, (old, new) in enumerate(zip(before.guards, now.guards, strict=False)):
        if old != new:
            right = now.leaves[-1 - new.right] if new.right < 0 else None
            other = "another Value" if right is None or isinstance(right, Value) else right
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
    "c" or "eager" (no replay). Each recording is compared with the function itself when it is made
    and at the calls 2, 20, 200, ..., or at every `check`-th call.

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
