"""Which backend runs a program: `auto` asks the clock.

One that is made in no time begins. Once it has run for as long as it takes to make another one,
that is made in a thread, while the first goes on. Where it was announced how many calls will come
these have to take twice as long, and on a single core the new one is waited for. Then both compute
the numbers of some calls, and the faster one stays.
After the last of them a call costs what it costs without a choice. Programs of one function count
their time together, since what is made for one serves others.
"""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from math import prod
from statistics import median
from time import perf_counter
from typing import NamedTuple

from engine.ops import PICK
from engine.replay import backends
from engine.replay.backends.kernel import Kernel, fill
from engine.replay.beside import Work
from engine.replay.roll import Program
from engine.replay.tape import Tape

# Measured with Python 3.11, NumPy 2 and gcc on one x86-64 core, forward and backward together.
# Python is as fast as NumPy at 30 to 175 operands a loop, most often near 80.
CALLS = 80
NEAR = 30, 175  # in between both are tried
# Seconds to make a kernel, mostly within 3 times: always so many, and for each kind of loop, loop
# or operand so many more.
COMPILING = 0.1, 0.02  # gcc takes 0.06 to 3.5 s
WRITING_C = 0.002, 0.0005  # the text; the rest was compiled before
WRITING_NUMPY = 0.01, 0.002
WRITING_WASM = 0.01, 0.0015
WRITING_PYTHON = 0.005, 1e-5
IMPORTING = {"numpy": 0.2, "wasmtime": 0.2, "engine.replay.backends.c": 0.01}
# What another process does costs this one a share of its time, where there is a core for it.
BESIDE = 0.1
BACKWARD = 2  # so many forward passes take as long as one backward
RATHER = 2  # times as long as the making: so long calls have to last that were announced
WARM = 10  # calls before one is taken to last as long as the quickest so far
TURNS = 9  # calls in which two kernels are compared; the first of them warms up
FASTER = 0.95  # the share of the time at which it is worth to change
ROUGHLY = 1e-9  # of the largest number: two kernels of one program agree far better

Source = tuple[Program, Tape, bool]  # whether many programs like it are expected
Compiled = tuple[Program, Kernel]


class Attempt(NamedTuple):
    """A way to a kernel, and the seconds after which it is worth a try."""

    worth: float
    name: str
    function: str = "compile"

    def kernels(self, wanted: Iterable[Source]) -> list[Compiled]:
        """Those of some programs; RuntimeError where one is not to be had."""
        make = getattr(backends.backend(self.name), self.function)
        return [(program, make(program, tape, many)) for program, tape, many in wanted]


class Chosen(NamedTuple):
    """A faster kernel, with the numbers of the same call in it, and those that go with it."""

    name: str
    kernel: Kernel
    company: list[Compiled]
    agrees: bool  # with the numbers of the kernel before, or nearly so


def first(program: Program) -> str:
    """What `auto` begins with: the fastest of those that cost nearly no time to make."""
    return "numpy" if _density(program) > CALLS and backends._runs("numpy") else "python"


def attempts(program: Program, running: str, many: bool = False) -> list[Attempt]:
    """What is tried beside a running backend, the cheapest first.

    WebAssembly is where there is no C compiler. Where `many` programs are alike, lengths are no
    part of what is compiled.
    """
    loops, density = len(program.loops), _density(program)
    if backends._runs("wasm") and not backends._runs("c"):
        found = [Attempt(_importing("wasmtime") + _cost(WRITING_WASM, loops), "wasm")]
    else:
        found = _compiled(program, many)
    if NEAR[0] < density < NEAR[1]:
        found += [
            Attempt(_importing("numpy") + _cost(WRITING_NUMPY, loops), "numpy"),
            Attempt(_cost(WRITING_PYTHON, density * loops), "python"),
        ]
    return sorted(attempt for attempt in found if attempt.name != running)


def _compiled(program: Program, many: bool) -> list[Attempt]:
    """The ways to C."""
    lengths = [() if many else (loop.shape, loop.terms) for loop in program.loops]
    kinds = len({(loop.op, *n) for loop, n in zip(program.loops, lengths, strict=True)})
    share = BESIDE if _cores() > 1 else 1.0
    kept = _importing("engine.replay.backends.c") + _cost(WRITING_C, len(program.loops))
    return [
        Attempt(kept, "c", "kept"),
        Attempt(kept + share * _cost(COMPILING, kinds), "c"),
    ]


@dataclass
class Spent:
    """What the programs of one function took, and how often it is called."""

    seconds: float = 0.0  # that they ran, less those that making others was to take
    calls: int = 0  # of the function, so far
    announced: int = 0  # calls after which there will be no more, as far as somebody said
    undecided: int = 0  # calls of those programs that may get a faster kernel

    @property
    def to_come(self) -> float:
        """How many calls these programs are still to answer: the share that they had so far."""
        share = self.undecided / self.calls if self.calls > self.undecided else 1.0
        return max(0, self.announced - self.calls) * share


class Choice:
    """What is known of the backends for a program; each forward pass may learn more.

    >>> from engine.replay.roll import roll
    >>> from engine.replay.watch import record
    >>> from engine.value import Value
    >>> x = Value(2.0)
    >>> with record() as seen:
    ...     y = x * 3.0
    >>> tape = seen.tape([x], [y])
    >>> program = roll(tape)
    >>> choice, kernel = Choice(program, tape, "python"), backends.backend("python")
    >>> choice.forward(kernel.compile(program, tape), tuple) is None  # not yet
    True
    """

    def __init__(
        self,
        program: Program,
        tape: Tape,
        running: str,
        many: bool = False,
        spent: Spent | None = None,
        is_open: bool = True,
    ) -> None:
        """Among what may run a program beside the `running` backend; none unless `is_open`.

        `many`: there are other programs like it, in other lengths. Of a backend that was named each
        is what it is alone, to the last bit.
        """
        self.words: list[str] = []  # what came of each attempt
        self.company: Callable[[str], Sequence[Source]] = _nobody  # what a backend is to run beside
        self._program, self._tape, self._running = program, tape, running
        self._is_open, self.many = is_open, many and is_open
        self.attempts = self._possible()  # that are left
        self._spent = spent or Spent()
        self._runs, self._quickest = 0, math.inf  # calls, and the seconds of one
        self._work: Work[list[Compiled]] | None = None
        self._new: list[Compiled] = []  # to be timed
        self._times: list[tuple[float, float]] = []  # of the running kernel, of the new one

    def expect_many(self) -> None:
        """Other programs like it will come; what has begun goes on."""
        if self.many or not self._is_open:
            return
        self.many = True
        if self.attempts and not (self._work or self._new):
            left = {attempt.name for attempt in self.attempts}
            self.attempts = [attempt for attempt in self._possible() if attempt.name in left]

    def _possible(self) -> list[Attempt]:
        """All attempts; none in Python, which is written from the tape, where that shows a part."""
        if not self._is_open:
            return []
        is_whole = self._program.is_of(self._tape)
        found = attempts(self._program, self._running, self.many)
        return [attempt for attempt in found if is_whole or attempt.name != "python"]

    def forward(self, kernel: Kernel, seeds: Callable[[], Sequence[float]]) -> Chosen | None:
        """Runs a kernel forward; gives one instead that was seen to be faster.

        `seeds()` are those of a backward pass, which is part of the time; there is none without.
        """
        start = perf_counter()
        kernel.forward()
        took = perf_counter() - start
        if self._new:
            self._spent.seconds += took * (1 + BACKWARD) if seeds() else took
            return self._timed(kernel, seeds())
        self.note_run(took * (1 + BACKWARD) if seeds() else took)
        return None

    @property
    def is_timing(self) -> bool:
        """Whether two kernels are compared in these calls."""
        return bool(self._new)

    def note_run(self, seconds: float, calls: int = 1) -> None:
        """Notes that the kernel ran for so long in some calls; begins an attempt, or takes what
        came of one."""
        spent = self._spent
        spent.seconds += seconds
        spent.undecided += calls
        self._runs += calls
        self._quickest = min(self._quickest, seconds / calls)
        if self._work:
            self._look(self._work)
        elif self.attempts and self._pays(self.attempts[0].worth):
            spent.seconds -= self.attempts[0].worth
            self._begin(self.attempts[0])

    def _pays(self, worth: float) -> bool:
        """Whether to make what takes so many seconds: the calls that are still to come say so, or
        where nobody knows them those that there were."""
        if self._spent.announced <= self._spent.calls:
            return self._spent.seconds > worth
        is_known = self._runs >= WARM
        return is_known and self._spent.to_come * self._quickest > RATHER * worth

    def _begin(self, attempt: Attempt) -> None:
        try:
            backends.backend(attempt.name)  # imported here: a fork must not cut that in half
            if attempt.name == "numpy":
                import_module("engine.replay.backends.called")
            wanted = [(self._program, self._tape, self.many), *self.company(attempt.name)]
        except Exception as error:  # also of an optimizer's own code, which floats alone suit
            self._end(f"without {attempt.name}: {error}", attempt.name)
            return
        self._work = Work(partial(attempt.kernels, wanted))
        if self._spent.to_come and _cores() == 1:  # the same core: sooner done is sooner fast
            self._work.wait(RATHER * attempt.worth)

    def _look(self, work: Work[list[Compiled]]) -> None:
        """Takes what was made beside."""
        if work.is_lost:  # begins again, if this process lasts
            self._work, self._spent.seconds = None, 0.0
        elif work.is_done:
            attempt, self._work = self.attempts[0], None
            if work.result:
                self._new, self._times = work.result, []
            else:
                words = f"without {attempt.name}: {work.error}"
                self._end("" if attempt.function == "kept" else words)

    def _timed(self, kernel: Kernel, seeds: Sequence[float]) -> Chosen | None:
        """A turn of both kernels on the numbers of this call; after the last one the better."""
        _, new = self._new[0]
        fill(new.values, 0, kernel.values[: self._program.leaves])
        if len(self._times) % 2:
            theirs, ours = _seconds(new, seeds), _seconds(kernel, seeds)
        else:
            ours, theirs = _seconds(kernel, seeds), _seconds(new, seeds)
        self._times.append((ours, theirs))
        if len(self._times) < TURNS:
            return None
        ours, theirs = (median(times) for times in zip(*self._times[1:], strict=True))
        name, before = self.attempts[0].name, self._running
        company, agrees = self._new[1:], self._agree(kernel, new, bool(seeds))
        words = f"{before} took {ours * 1e6:.3g} us, {name} {theirs * 1e6:.3g} us"
        if not theirs < FASTER * ours:
            self._end(words, name)
            return None
        self._running = name
        self._end(words, name)
        return Chosen(name, new, company, agrees)

    def _agree(self, kernel: Kernel, new: Kernel, backward: bool) -> bool:
        program, first = self._program, len(self._program.constants)
        pairs = [(kernel.values, new.values, list(program.outputs))]
        if backward:
            wanted = [first + k for k, is_wanted in enumerate(self._tape.input_grads) if is_wanted]
            wanted += range(first + program.inputs, program.leaves)
            pairs.append((kernel.adjoints, new.adjoints, wanted))
        return all(are_close([a[k] for k in at], [b[k] for k in at]) for a, b, at in pairs)

    def _end(self, words: str, tried: str = "") -> None:
        """The attempt is over; a backend that was tried needs no other."""
        self.words += [words] * bool(words)
        self._new = []
        self.attempts = [a for a in self.attempts[1:] if a.name != tried]
        if not self.attempts:
            self._spent.undecided -= self._runs


def are_close(a: Sequence[float], b: Sequence[float]) -> bool:
    """Whether numbers differ by rounding alone, or nearly so.

    >>> are_close([1e20, 1.0], [1e20, 3.0]), are_close([1.0, 1.0], [1.0, 3.0])
    (True, False)
    """
    largest = max((abs(x) for x in a if math.isfinite(x)), default=0.0)
    return all(
        x == y or abs(x - y) <= ROUGHLY * largest or (x != x and y != y)
        for x, y in zip(a, b, strict=True)
    )


def _density(program: Program) -> float:
    """How many operands a loop has, in the mean."""
    loops = program.loops
    operands = sum(
        loop.rows
        * (2 if loop.op is PICK else len(loop.scalars) + len(loop.vectors) * prod(loop.terms))
        for loop in loops
    )
    return operands / max(1, len(loops))


def _cost(seconds: tuple[float, float], number: float) -> float:
    always, each = seconds
    return always + each * number


def _importing(module: str) -> float:
    return 0.0 if module in sys.modules or sys.platform == "emscripten" else IMPORTING[module]


def _cores() -> int:
    """How many of them this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _seconds(kernel: Kernel, seeds: Sequence[float]) -> float:
    start = perf_counter()
    kernel.forward()
    if seeds:
        kernel.backward(seeds)
    return perf_counter() - start


def _nobody(name: str) -> Sequence[Source]:
    return ()
