"""One recording of a function: its program, the kernels that run it, and what comes of a call."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from threading import RLock
from typing import Any, NamedTuple, cast
from weakref import WeakSet

from engine import functions
from engine.fork import after_fork
from engine.op import Op
from engine.replay import backends
from engine.replay.arguments import rebuild, twins
from engine.replay.asked import asked
from engine.replay.backends.choice import ROUGHLY, Choice, Chosen, Compiled, Spent, first
from engine.replay.backends.kernel import Kernel, Memory, fill, taken
from engine.replay.cells import Cell, put
from engine.replay.compare import ReplayError, difference
from engine.replay.roll import Program, roll
from engine.replay.runs import Run
from engine.replay.tape import Tape, graded
from engine.replay.world import World
from engine.sweep import Shares
from engine.value import Operand, Value, data_of, node

REPLAY = Op("replay", "replay", "", (), (), many=True)  # its partials come from a kernel
Leaves = tuple[Sequence[float], Sequence[float]]  # the inputs and the parameters of one call


class Sources(NamedTuple):
    """What an output was computed from."""

    parameters: tuple[Value, ...]
    inputs: list[int]  # those that want a gradient
    picks: list[int]  # the places of both among the gradients of a backward


class Pin(NamedTuple):
    """An integer that a recording depends on, as the user writes it, and where it was asked for."""

    number: int
    name: str
    line: str

    @property
    def words(self) -> str:
        """The three in words."""
        return f"{self.name} = {self.number}" + f" (see {self.line})" * bool(self.line)


class Recorded:
    """One recording. Its kernel computes all outputs, and goes backward from the main one.

    That is an output with all rows below it; where none has, it goes backward from all together.
    A backward from one of them must not visit what is not below it, where zero times inf would be
    nan: then it gets a recording of its own, and in Python always, to add in its own order.
    """

    def __init__(
        self,
        tape: Tape,
        run: Run | Recorded,
        backend: str,
        world: World | None = None,
        number: int = 0,
        main: int | None = None,
        spent: Spent | None = None,
        program: Program | None = None,
    ) -> None:
        """`run` is what was recorded, or another recording of it.

        `program`: what the tape shows for a few examples, for more of them (no Python then).
        """
        self.world, self.number = world or World(()), number
        self._whole = tape  # with the rows below all outputs
        tape, self.main, self._is_whole = tape.rooted(main)
        self.tape, self.program = tape, program or roll(tape)
        self.shows_all = self.program.is_of(tape)
        self.forms: Sequence[Any] = run.forms
        self.sets: Sequence[Cell] = run.sets
        self.are_values: Sequence[bool] = run.are_values
        self.is_strict = True
        self.pins: dict[int, Pin] = {}  # by their places
        self.holds_integers = False  # whether there are some among the numbers of a call
        self.lock = RLock()
        self.calls = 1
        self.compared = 1  # the last call whose result was compared with the function
        self.due = 2  # the next one to be compared
        self.goes_back = False  # whether a backward pass was asked for
        start = len(self.program.constants)
        self.inputs = slice(start, start + self.program.inputs)
        self.parameters = slice(self.inputs.stop, self.program.leaves)
        self.grad_inputs = [k for k, is_wanted in enumerate(tape.input_grads) if is_wanted]
        self._place_of = {id(p): k for k, p in enumerate(self.program.parameters)}
        self._fitting: list[tuple[int, int | None, bool]] = []  # what the Values passed in are
        self.leaves: Leaves = ((), ())  # those that the kernel's values belong to
        self._seeds: dict[int, tuple[float, ...]] = {}
        self.is_flat = not self.grad_inputs and all(p.op is None for p in self.program.parameters)
        self._holds = asked(self.program)
        self._others: dict[int, Recorded] = {}  # whose main outputs are others
        self._sources: dict[int, Sources] = {}
        is_open = backend == "auto"
        self.backend = first(self.program) if is_open else backend
        self.choice = Choice(self.program, tape, self.backend, number > 1, spent, is_open)
        make = backends.backend(self.backend).compile
        self.kernel: Kernel = make(self.program, tape, self.choice.many)
        self.company: list[Compiled] = []  # what was made for its backend to run beside it
        _living.add(self)

    # --- the forward pass

    def use(self, chosen: Chosen) -> None:
        """Moves to a kernel that has the same leaves; compared at once where its numbers differ."""
        if not chosen.agrees:
            self.due = 0
        self._others.clear()
        self.company = chosen.company
        self.backend, self.kernel = chosen.name, chosen.kernel  # last: an interrupt harms nothing

    def seeds(self, output: int, adjoint: float = 1.0) -> tuple[float, ...]:
        """The adjoint of one output, 0 for the others: where a backward from it begins."""
        if adjoint == 1 and output in self._seeds:
            return self._seeds[output]
        others = range(len(self.program.outputs))
        seeds = tuple([adjoint if k == output else 0.0 for k in others])
        if adjoint == 1:
            self._seeds[output] = seeds
        return seeds

    def run(self) -> bool:
        """The forward pass on the leaves in memory; False where a guard does not hold."""
        if self.choice.attempts:
            chosen = self.choice.forward(self.kernel, self._usual_seeds)
            if chosen:
                self.use(chosen)
        else:
            self.kernel.forward()
        return self._holds(self.kernel.values)

    def _usual_seeds(self) -> Sequence[float]:
        """Where a backward begins, as long as one is asked for."""
        if not self.goes_back:
            return ()
        return [1.0] * len(self.program.outputs) if self.main is None else self.seeds(self.main)

    def _take(self, leaves: Leaves) -> None:
        """Puts other leaves into the memory."""
        self.leaves = leaves
        inputs, parameters = leaves
        fill(self.kernel.values, self.inputs.start, [*inputs, *parameters])

    def _recall(self, leaves: Leaves) -> None:
        """The forward pass of an earlier call, if there was another one since."""
        if self.leaves is not leaves:
            self._take(leaves)
            self.kernel.forward()

    def compute(
        self, numbers: Sequence[Operand], counts: bool = True
    ) -> tuple[Leaves, list[float]] | None:
        """The leaves and the outputs for other numbers; None where the recording does not fit."""
        if self.grad_inputs:
            if self.is_strict and self._kin(numbers) != self._fitting:
                return None
            numbers = [data_of(x) for x in numbers]
        elif self.holds_integers:
            numbers = list(map(float, numbers))
        if self.world.free:
            numbers = [*numbers, *self.world.numbers()]
        parameters = self.program.parameters
        is_exact = self.backend == "python"  # whose numbers stay what they are, NumPy's too
        data = list(map(data_of, parameters)) if is_exact else [p.data for p in parameters]
        leaves = cast("Sequence[float]", numbers), data
        with self.lock:
            self._take(leaves)
            if not self.run():
                return None
            self.calls += counts
            values = self.kernel.values
            return leaves, [values[place] for place in self.program.outputs]

    def fit(self, numbers: Sequence[Operand]) -> None:
        """Notes what the Values passed in are to each other: those of a call must be alike."""
        self._fitting = self._kin(numbers)

    def _kin(self, numbers: Sequence[Operand]) -> list[tuple[int, int | None, bool]]:
        """Of each Value passed in: where it comes first, as which parameter, whether computed."""
        passed = [cast(Value, numbers[k]) for k in self.grad_inputs]
        places = [self._place_of.get(id(v)) for v in passed]
        return list(zip(twins(passed), places, [v.op is not None for v in passed], strict=True))

    def suits(self, numbers: Sequence[Operand] | Callable[[], Sequence[Operand]]) -> bool:
        """Whether the integers that it depends on are as they were; `numbers` are its inputs."""
        if not self.pins:
            return True
        pick, pinned = self._pinned
        return bool(pick(numbers() if callable(numbers) else numbers) == pinned)

    @cached_property
    def _pinned(self) -> tuple[Callable[[Any], Any], Any]:
        """What picks those integers, and what it has to give: one comparison for a hundred."""
        pick = operator.itemgetter(*self.pins)
        return pick, pick({k: pin.number for k, pin in self.pins.items()})

    @property
    def room(self) -> int:
        """How many calls may go by in the kernel alone, with nothing asked and nothing set."""
        is_plain = not (self.program.guards or self.pins or self.sets)
        if not is_plain or self.choice.is_timing:
            return 0
        return max(0, self.due - self.calls - 1)

    def note_run(self, calls: int, seconds: float) -> None:
        """Counts calls that went by in the kernel, backward passes among them."""
        self.calls += calls
        if self.choice.attempts:
            self.choice.note_run(seconds, calls)

    def count(self) -> bool:
        """Counts a call that was made by `run`; whether it is one to compare."""
        self.calls += 1
        return self.calls >= self.due

    # --- backward

    def backward(self, leaves: Leaves, output: int, adjoint: float = 1.0) -> Memory:
        """The adjoints of the parameters, then of the inputs that want one, given the output's."""
        with self.lock:
            self.goes_back = True
            if output == self.main or (self._is_whole and self.backend != "python"):
                self._recall(leaves)
                found = self._backward(self.seeds(output, adjoint))
                if output == self.main or all(map(math.isfinite, found)):
                    return found
            return self._of_other(output, leaves, adjoint)

    def _backward(self, seeds: Sequence[float]) -> Memory:
        self.kernel.backward(seeds)
        gradients = taken(self.kernel.adjoints, self.parameters)
        if self.grad_inputs:
            inputs = self.kernel.adjoints[self.inputs]
            gradients.extend([inputs[k] for k in self.grad_inputs])
        return gradients

    def _of_other(self, output: int, leaves: Leaves, adjoint: float) -> Memory:
        """The same by a recording of the same run, whose main output is this one."""
        if output not in self._others:
            other = Recorded(self._whole, self, self.backend, main=output)
            if self.backend != "python":
                exact = Recorded(self._whole, self, "python", main=output)
                self._check(*(self._by(each, output, leaves, 1.0) for each in (other, exact)))
            self._others[output] = other
        return self._by(self._others[output], output, leaves, adjoint)

    def _by(self, other: Recorded, output: int, leaves: Leaves, adjoint: float) -> Memory:
        """What another recording of the run gives: the parameters have another order there."""
        order = [self._place_of[id(p)] for p in other.program.parameters]
        inputs, parameters = leaves
        found = other.backward((inputs, [parameters[k] for k in order]), output, adjoint)
        slopes = dict(zip(order, found, strict=False))
        return [*(slopes[k] for k in range(len(order))), *found[len(order) :]]

    def _check(self, got: Sequence[float], expected: Sequence[float]) -> None:
        """Compares the gradients of a kernel that is new with those of one in Python."""
        largest = max((abs(x) for x in expected if math.isfinite(x)), default=0.0)
        for a, b in zip(got, expected, strict=True):
            if math.isfinite(a) and not abs(a - b) <= ROUGHLY * largest:
                raise ReplayError(
                    f"the kernel of {self.backend} gives a gradient of {a}, that of Python {b}: "
                    'please report it, and use backend="python"'
                )

    # --- what comes of it

    def difference(
        self,
        leaves: Leaves,
        inputs: Sequence[Value],
        results: Sequence[Operand],
        order: list[Value] | None = None,
    ) -> str | None:
        """How the kernel differs from the graph of the same call, in words.

        `order` is what a sort from the first of the results gave, if one did.
        """
        sources = [*self.program.parameters, *(inputs[k] for k in self.grad_inputs)]
        with self.lock:
            self._recall(leaves)
            values = [self.kernel.values[place] for place in self.program.outputs]
            is_joint = self.main is None
            slopes = self._backward([1.0] * len(values) if is_joint else self.seeds(self.main or 0))
        root = functions.sum(results) if self.main is None else results[self.main]
        return difference(values, slopes, results, root, sources, order)

    def result(self, numbers: Sequence[Operand], leaves: Leaves, outputs: Sequence[float]) -> Any:
        """What the function returns: its outputs as Values that know their sources."""
        made: list[Operand] = []
        for k, z in enumerate(outputs):
            if self._constant[k] or not self.are_values[k]:
                made.append(Value(z) if self.are_values[k] else z)
                continue
            itself = self._itself[k]
            if itself is not None:  # what came in, or stands outside, goes out
                made.append(numbers[itself] if type(itself) is int else itself)
                continue
            parameters, inputs, picks = self.sources(k)
            if inputs:
                parameters += tuple([cast(Value, numbers[k]) for k in inputs])
            slopes = Slopes(self, leaves, k, picks)
            made.append(node(REPLAY, z, parameters, None, slopes, None))
        unread = iter(made)
        result = rebuild(self.forms[0], unread)
        for place, form in zip(self.sets, self.forms[1:], strict=True):
            put(place, rebuild(form, unread))
        return result

    @cached_property
    def _constant(self) -> list[bool]:
        """Which outputs no Value has a part in."""
        return [p < 0 and type(self.tape.leaves[-1 - p]) is float for p in self.tape.outputs]

    @cached_property
    def _itself(self) -> list[Any]:
        """Which outputs are parameters, or Values that were passed in, by their number."""
        leaves: list[Any] = [
            *((k if is_wanted else None) for k, is_wanted in enumerate(self.tape.input_grads)),
            *self.tape.leaves[self.tape.inputs :],
        ]
        return [leaves[-1 - place] if place < 0 else None for place in self.tape.outputs]

    def sources(self, output: int) -> Sources:
        """What an output was computed from."""
        if output not in self._sources:
            if output == self.main:
                read = (graded(self.tape.rows[row]) for row in self.tape.order)
                self._sources[output] = self._listed(
                    set().union([self.tape.outputs[output]], *read)
                )
            else:
                self._sources |= self._sources_of_all()
        return self._sources[output]

    def _sources_of_all(self) -> dict[int, Sources]:
        rows, outputs = self.tape.rows, self.tape.outputs
        above = [0] * (len(rows) + len(self.tape.leaves))  # a bit for each output
        for k, place in enumerate(outputs):
            above[place] |= 1 << k
        for place in range(len(rows) - 1, -1, -1):
            bits = above[place]
            if bits:
                for p in graded(rows[place]):
                    above[p] |= bits
        leaves = [(p, above[p]) for p in range(-len(self.tape.leaves), 0)]
        return {
            k: self._listed({p for p, bits in leaves if bits >> k & 1}) for k in range(len(outputs))
        }

    def _listed(self, places: set[int]) -> Sources:
        """Those of the leaves in such places that get gradients."""
        picks = [j for j, place in enumerate(self._graded) if place in places]
        parameters = self.program.parameters
        below = tuple([parameters[j] for j in picks if j < len(parameters)])
        inputs = [self.grad_inputs[j - len(parameters)] for j in picks if j >= len(parameters)]
        return Sources(below, inputs, picks)

    @cached_property
    def _graded(self) -> list[int]:
        """Where the parameters are on the tape, then the inputs that want a gradient."""
        at = {id(leaf): -1 - k for k, leaf in enumerate(self.tape.leaves)}
        return [at[id(p)] for p in self.program.parameters] + [-1 - k for k in self.grad_inputs]


class Slopes(Shares):
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
        return iter(self.shares(1.0))

    def shares(self, adjoint: float) -> Sequence[float]:
        """What a backward that comes with an adjoint adds to that of each leaf.

        The adjoint goes all the way down: slopes alone may overflow where it is small.
        """
        if adjoint == 1 and self._slopes is not None:
            return self._slopes
        found = self._recorded.backward(self._leaves, self._output, adjoint)
        shares = found if len(self._picks) == len(found) else [found[j] for j in self._picks]
        if adjoint == 1:
            self._slopes = shares
        return shares


_living: WeakSet[Recorded] = WeakSet()


@after_fork
def _renew() -> None:
    """In the child of a fork a thread that was replaying is gone, and its numbers half done."""
    for recorded in list(_living):
        recorded.lock, recorded.leaves = RLock(), ((), ())
