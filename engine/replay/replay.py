"""Write scalars, run matrices: a function of Values is recorded once and replayed many times."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial, update_wrapper
from types import MethodType
from typing import Any, overload

from engine.modes import enable_grad, is_grad_enabled, is_watched
from engine.names import no_such
from engine.replay import backends, loops
from engine.replay.arguments import Given, numbers_of, read, rebuild
from engine.replay.backends import javascript
from engine.replay.backends.kernel import Kernel
from engine.replay.compare import ReplayError
from engine.replay.kept import Kept
from engine.replay.recorder import Recorder
from engine.replay.roll import Program
from engine.replay.runs import Runs
from engine.replay.watch import turn
from engine.replay.words import in_words
from engine.value import Value

# What `source` shows beside the code of backends.
PRINTERS: dict[str, Callable[[Program, Iterable[tuple[str, Value]]], str]] = {
    "words": in_words,
    "loops": lambda program, names: loops.text(program),
    "javascript": lambda program, names: javascript.text(program),
}


class Replay:
    """A function that is recorded when first called with arguments of a shape, then replayed.

    Numbers in the arguments, also in nested lists, tuples, dicts and arrays, are inputs and come
    to the function as Values; texts and what else can be hashed are part of the shape. An integer
    is an input too where the function only picks or compares with it; one that sets a length,
    indexes a list, is a key or enters arithmetic belongs to the shape, and no other does. Values
    that the function takes from elsewhere are parameters. What comes back is a Value, or lists of
    Values, like any other. A function that changes its arguments is refused.

    What it reads elsewhere is guarded (see `world`), and asked before each replay. A call runs the
    function once or not at all; only a run that may tell a number from a Value, or that failed, is
    done again, after its effects were put back.
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
        self.wanted, self.check = backend, check
        self._runs = Runs(function)
        self.kept = Kept(self._runs, backend)
        self.recorder = Recorder(self._runs, self.kept, backend, check, main)
        # `reach` passes these by; attributes beside them were set by the user
        self._inner = frozenset(vars(self)) | {"_inner"}
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
            return self._runs.run(given, given.numbers)
        found = self._replayed(given)
        self.kept.note_call(found is not None)
        if found:
            return found[0]
        with turn() as is_ours:  # another thread's recording may wait for this one
            has_enough = self.kept.is_busy or (self.wanted == "auto" and self.kept.is_full(given))
            if not is_ours or has_enough or self.recorder.is_restless(given):
                return self._runs.run(given, given.numbers)
            return self._first(given)

    def _replayed(self, given: Given) -> tuple[Any] | None:
        """The result of the recording that fits, in a tuple."""
        for recorded in self.kept.candidates(given):
            computed = recorded.world.holds() and recorded.compute(given.numbers)
            if computed:
                if recorded.calls >= recorded.due:  # call 2, 20, 200: the function itself runs too
                    own = self.recorder.compare(recorded, computed[0], given)
                    if own:
                        return own
                return (recorded.result(given.numbers, *computed),)
        return None

    def _first(self, given: Given) -> Any:
        """Runs the function once, and records it; the result is the recording's where one fits."""
        try:
            recorded, own = self.recorder.record(given)
        except ReplayError as error:
            self.kept.causes.append(f"refused: {error}")
            raise
        computed = recorded and recorded.compute(given.numbers, False)
        return recorded.result(given.numbers, *computed) if recorded and computed else own

    @property
    def function(self) -> Callable[..., Any]:
        """The function itself."""
        return self._runs.function

    @function.setter
    def function(self, function: Callable[..., Any]) -> None:
        self._runs.function = function

    def __get__(self, instance: Any, owner: Any = None) -> Any:
        """As a method, the instance is the first argument."""
        return self if instance is None else MethodType(self, instance)

    def __reduce__(self) -> Any:
        """A copy begins without recordings."""
        return partial(Replay, backend=self.wanted, check=self.check), (self.function,)

    @property
    def made(self) -> int:
        """How many recordings were made so far."""
        return self.kept.made

    @property
    def backend(self) -> str:
        """What runs the newest recording: "python", "numpy", "wasm" or "c"; "eager" before one."""
        kept = self.kept.all
        return kept[-1].backend if kept else "eager"

    def source(self, backend: str = "words", names: Iterable[tuple[str, Value]] = ()) -> str:
        """The loops of the newest recording: in words, as the code of a backend, or in JavaScript.

        "loops" has a line for each loop, those of the backward too: what they add up, and where
        that stands (docs/replay.md).

        `names` are those of parameters, such as `model.named_parameters()`: loops in words that
        read them are named by what the names have in common. Raises ReplayError before the first
        recording.

        "javascript" is a module for a browser or Node that needs nothing else. It exports

            size, outputs       how many numbers v and a hold; where the results are in v
            inputs, parameters  where those begin, in v and, their gradients, in a
            memory()            a v with the parameters as they stand now: put the inputs in
            forward(v)          computes the results
            backward(v, a, s)   after forward: a holds zeros, or what it left there;
                                s has a number for each output, 1 for a loss

        Its comparisons are those of the recording: none is asked again. Gradients of inputs are
        there where a Value was given.

        >>> from engine.value import Value
        >>> w = Value(0.5)
        >>> step = replay(lambda x: w * x)
        >>> step(2.0).data
        1.0
        >>> step.source()
        '1 mul'
        >>> step.source("javascript").splitlines()[3:6]
        ['export function forward(v) {', '  v[2] = (v[1] * v[0]);', '}']
        """
        if not self.kept.all:
            raise ReplayError(f"{self._runs.name} has no recording yet: call it first")
        if backend not in (*PRINTERS, *backends.NAMES):
            raise ValueError(no_such("source", backend, [*PRINTERS, *backends.NAMES]))
        recorded = self.kept.all[-1]
        if backend in PRINTERS:
            return PRINTERS[backend](recorded.program, names)
        if backend == recorded.backend:
            return recorded.kernel.source
        kernel: Kernel = backends.backend(backend).compile(recorded.program, recorded.tape)
        return kernel.source

    def explain(self) -> str:
        """In words: the recordings, what each is guarded by, why it was recorded anew or refused.

        >>> w = Value(3.0)
        >>> step = replay(lambda x: w * x)
        >>> print(step.explain())
        <lambda> has not been recorded yet
        >>> _ = step(1.0), step(2.0)
        >>> print(step.explain())
        <lambda>: 1 recording, which answered 1 of 2 calls
        recording 1 runs on python; it holds while these are the same (but for data of Values): w
        """
        return self.kept.explain()


def _detached(result: Any) -> Any:
    """The result as leaves."""
    numbers = (x.detach() if isinstance(x, Value) else x for x in numbers_of(result))
    return rebuild(result, numbers)


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

    `backend` is "python", "numpy", "wasm", "c", "eager" (no replay) or "auto": that begins with
    what is made in no time, makes others in a thread once they are worth it, measures, and keeps
    the fastest. "python" gives eager mode's bits; for graphs of more than 400,000 operands, such as
    90 digits through a net 64-32-10, it is no faster. What the function reads outside its arguments
    may change: it is looked at before each replay, and the function recorded anew where something
    is another. Each recording is also compared with the function itself when it is made and at the
    calls 2, 20, 200, ..., or at every `check`-th call. An integer among the arguments may change as
    floats may, where the function only picks (see `pick`) or compares with it.

    Raises ReplayError, at that call, where the function cannot be replayed: it changes what it
    reads, draws random numbers, looks at `.data`, and the like. Raises RuntimeError where a backend
    asked for by name cannot run, ValueError for other settings.

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
