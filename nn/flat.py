"""An optimiser as a kernel: its arithmetic is recorded, and moves all parameters in flat memory."""

import math
from array import array
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from itertools import chain, repeat
from typing import Any, cast

from engine.check import GOLDEN
from engine.functions import dot
from engine.ieee import fsum
from engine.replay import backends
from engine.replay.asked import asked
from engine.replay.backends.choice import Compiled, Source, are_close
from engine.replay.backends.kernel import TINY, Kernel, Seen, Several, fill
from engine.replay.compare import ReplayError, change
from engine.replay.reach import is_read, reach
from engine.replay.roll import roll
from engine.replay.stretch import FEW, program_of
from engine.replay.tape import Tape
from engine.replay.undo import undone
from engine.replay.watch import record
from engine.replay.witness import Witness, within
from engine.replay.world import World, written
from engine.value import Value, data_of
from nn.mover import Mover, View, length, view
from nn.optim import Optimizer


class FlatMover(Mover):
    """The arithmetic of an optimiser, recorded for all parameters at once, in flat memory."""

    is_exact = False

    def __init__(self, backend: str, optimizer: Optimizer, parameters: tuple[Value, ...]) -> None:
        super().__init__(optimizer, parameters)
        self._shown: int | None = None  # so many parameters are recorded again to compare
        witness, roots = Witness(), [(optimizer.moved, "")]
        before = reached = reach(roots)
        state: list[str] = []
        moved: Any = type(optimizer).moved
        if self._is_ours:
            reached = reach(roots, dict.fromkeys(within(moved.__code__), moved.__globals__))
            self._take_ours()
        else:  # who knows what it does
            with undone(optimizer.moved):
                self._sample, numbers, results = self._record(witness)
                reached = reach(roots, witness.codes, library=witness.library)
                state = [cell.words for cell, _ in written(before, reached)]
            self.program = roll(self._sample)
            self._known = [v.data for v in numbers], list(map(data_of, results))
        if witness.refused or state:
            what = f"calls {witness.refused[0][0]}" if witness.refused else f"changes {state[0]}"
            raise ReplayError(f"{type(optimizer).__name__}.moved {what}: each step needs its own")
        cells = [cell for cell in reached.cells.values() if is_read(reached, cell)]
        elsewhere = {"steps", "parameters", *optimizer.MEMORY}  # while steps are replayed
        read = [c for c in cells if c.owner is optimizer and c.name in elsewhere]
        if read and not self._is_ours:
            kind = type(optimizer).__name__
            raise ReplayError(
                f"{kind}.moved reads {read[0].words}, which is elsewhere while steps are replayed: "
                "take it from the arguments, or count by `rates`"
            )
        self.world = World(cells)
        self._moves, self._due = 0, 2
        self._is_moved = False
        self._several: Several | None = None  # moves that are not counted yet
        self.backend, self.kernel = "", cast(Kernel, None)  # a spare waits for one
        if backend:
            self._run_on(backend, backends.backend(backend).compile(self.program, self._sample))

    def _take_ours(self) -> None:
        """Records our own arithmetic for a few parameters, stretches it to all, and tries it once.

        A sample of the parameters is enough to see later whether it is another.
        """
        n = len(self.parameters)
        tapes = {count: self._record(count=count)[0] for count in FEW if n > FEW[-1]}
        program = program_of({k: roll(tape) for k, tape in tapes.items()}, n) if tapes else None
        self._shown = FEW[-1] if program else None
        self._sample = tapes[FEW[-1]] if program else self._record()[0]
        self.program = program or roll(self._sample)
        rates = self._rates_now()
        made_up = [0.5 + k * GOLDEN % 1 for k in range((2 + len(self.optimizer.MEMORY)) * n)]
        ps, gs, *memory = (made_up[k : k + n] for k in range(0, len(made_up), n))
        moved = self.optimizer.moved(ps, gs, memory, rates)
        size = fsum([x * x for column in _changed(moved, memory) for x in column])
        self._known = [*made_up, *rates], [*chain(*moved), fsum([g * g for g in gs]), size]

    def is_outdated(self) -> bool:
        """Whether its parameters are others, or a switch that its arithmetic reads.

        Raises ReplayError where it reads a number that changes.
        """
        if self.world.holds():
            return super().is_outdated()
        moved = self.world.moved()
        if moved:
            kind = type(self.optimizer).__name__
            raise ReplayError(
                f"{kind}.moved reads {moved[0].words}, a number that changes between steps: give "
                "it by `rates`"
            )
        return True

    def _record(
        self, witness: Witness | None = None, count: int | None = None
    ) -> tuple[Tape, list[Value], list[Any]]:
        """The arithmetic, of some of the parameters, as a tape; what went in, and what came out."""
        data, *memory = self._now()
        rates = self._rates_now()
        columns = data, [p.grad for p in self.parameters], *memory
        inputs = [[Value(x) for x in column[:count]] for column in columns]
        given = [Value(rate) for rate in rates]
        with record() as seen:
            ps, gs, *memory = inputs
            with witness or nullcontext():
                moved = self.optimizer.moved(ps, gs, memory, given)
            squares = dot(gs, gs)
            size = sum([dot(column, column) for column in _changed(moved, memory)])
        if seen.escapes:
            what, line = seen.escapes[0]
            raise ReplayError(f"{type(self.optimizer).__name__} {what} of a Value at {line}")
        flat, results = [*chain(*inputs), *given], [*chain(*moved), squares, size]
        return seen.tape(flat, results), flat, results

    def is_as_recorded(self) -> bool:
        """Whether the optimiser does what it did; asked at the moves 2, 20, 200, ...

        ReplayError where it holds another number.
        """
        if self._moves < self._due:
            return True
        self._due = 10 * self._moves
        changed = change(self._sample, self._record(count=self._shown)[0])
        if changed and changed.is_frozen:
            raise ReplayError(f"{type(self.optimizer).__name__}.moved: {changed.words}")
        return changed is None

    def load(self) -> None:
        """Takes the numbers of the parameters, and what the optimiser remembers of them."""
        values, places = self.kernel.values, self._starts
        former, self._loaded = self._left or repeat(None), self._now()
        for place, column, left in zip(places, self._loaded, former, strict=False):
            if column != left or 0.0 in column:  # which is equal to -0.0
                fill(values, place, column)
        self._rates: tuple[float, ...] = ()  # those that guards held for
        self._is_moved = self._has_gradient = False

    @property
    def source(self) -> Source:
        """What a kernel for it is made of."""
        return self.program, self._sample, False

    def kernel_among(self, company: Sequence[Compiled]) -> Kernel | None:
        """The one that was made for this arithmetic."""
        return next((kernel for program, kernel in company if program is self.program), None)

    def use(self, backend: str, company: Sequence[Compiled]) -> None:
        """Moves to a kernel that was made for it, if there is one, and of a faster backend."""
        kernel, names = self.kernel_among(company), ("", *backends.NAMES)
        if kernel and names.index(backend) > names.index(self.backend):
            self._run_on(backend, kernel)

    def _run_on(self, backend: str, kernel: Kernel) -> None:
        """Takes a kernel; ReplayError where it does not do what the optimiser does."""
        leaves, n = self.program.leaves, len(self.parameters)
        numbers, expected = self._known
        fill(kernel.values, leaves - len(numbers), numbers)
        kernel.forward()
        found = [kernel.values[place] for place in self.program.outputs]
        columns = [slice(k, k + n) for k in range(0, len(found) - 2, n)]
        for part in (*columns, slice(-2, -1), slice(-1, None)):
            if not are_close(expected[part], found[part]):
                kind = type(self.optimizer).__name__
                raise ReplayError(
                    f"the kernel of {kind}.moved in {backend} is wrong: please report it"
                )
        if self.backend:
            self._settle()
            fill(kernel.values, 0, self.kernel.values[:leaves])
        self.backend, self.kernel = backend, kernel
        self._look()

    def _look(self) -> None:
        """Finds the columns in the memory of the kernel: where a move begins, where it ends."""
        program, n = self.program, len(self.places)
        self._holds = asked(program)
        values, outputs = view(self.kernel.values), program.outputs
        ends, start = 1 + len(self.optimizer.MEMORY), len(program.constants)
        stop = start + (1 + ends) * n
        columns = [values[k : k + n] for k in range(start, stop, n)]
        self.data, self.gradient, *self._memory = columns
        self._given = values[stop : program.leaves]
        compared = {place for g in program.guards for place in (g.left, g.right)}
        settings = {*range(start), *range(stop, program.leaves)}
        self._asks_more = not compared <= settings
        starts = self._starts = (start, *range(start + 2 * n, stop, n))
        ends_at = [outputs[k : k + n] for k in range(0, ends * n, n)]
        self._after = [_looker(values, places) for places in ends_at]
        self._still = {
            k for k, (at, end) in enumerate(zip(starts, ends_at, strict=True)) if at == end[0]
        }
        copies = zip(starts, ends_at, (self.data, *self._memory), self._after, strict=True)
        self._copies = [(to, after) for at, end, to, after in copies if at != end[0]]
        self._squares, self._size = outputs[ends * n :]

    def move(self) -> float | None:
        """Moves the parameters; the length of the gradient, or None where guards do not hold."""
        rates = self._rates_now()
        self._has_gradient = True
        if self.is_outdated():
            return None
        if rates == self._rates and not self._asks_more:
            self.kernel.forward()
        else:
            self._rates = ()
            self._given[:] = view(array("d", rates))
            self.kernel.forward()
            if not self._holds(self.kernel.values):
                return None
            self._rates = rates
        values = self.kernel.values
        squares = values[self._squares]
        norm = math.sqrt(squares) if TINY < squares < math.inf else length(self.gradient)
        if not math.isfinite(values[self._size]):
            self.optimizer.check([after().tolist() for after in self._after], self.places)
        self._taken, self._is_moved, self._moves = self._taken + 1, True, self._moves + 1
        self._settle()
        return norm

    @property
    def rate_count(self) -> int:
        """How many rates a move takes."""
        return len(self._given)

    def layout(self) -> dict[str, Any] | None:
        """Where several moves in one call find their numbers; None where there are no such."""
        outputs, n, size = self.program.outputs, len(self.places), 1 + len(self.optimizer.MEMORY)
        ends = [outputs[k : k + n] for k in range(0, size * n, n)]
        copies = [(at, end[0], n) for at, end in zip(self._starts, ends, strict=True)]
        if self._asks_more or any(end != tuple(range(end[0], end[0] + n)) for end in ends):
            return None
        return {
            "data": self._starts[0],
            "gradient": self._starts[0] + n,
            "rates": range(self._starts[0] + (1 + size) * n, self.program.leaves),
            "squares": self._squares,
            "size": self._size,
            "copies": [copy for copy in copies if copy[0] != copy[1]],
        }

    def rates_of(self, rates: Sequence[float], count: int) -> "array[float]":
        """The rates of the next moves in a row; of as many moves as the recording holds for."""
        found = array("d")
        for ahead in range(count):
            if rates and rates[ahead] is not self.optimizer.lr:
                self.optimizer.lr = rates[ahead]
            try:
                given = self._rates_now(ahead)
            except ReplayError:
                break
            if given != self._rates:
                self._rates = ()
                self._given[:] = view(array("d", given))
                if not self._holds(self.kernel.values):
                    break
                self._rates = given
            found.extend(given)
        return found

    def take(self, steps: Several, *given: Any) -> Seen:
        """Takes several moves in one call, `steps`, which says how many were `done`."""
        self._several, self._has_gradient, self._rates = steps, True, ()
        found = steps(*given)
        self._settle()
        return found

    def _settle(self) -> None:
        """Copies the numbers that a move ended with to where the next one begins.

        A move counts before: an interrupt in between does not part data and memory.
        """
        if self._several:
            self._several.settle()
            done, self._several = self._several.done, None
            self._taken, self._moves = self._taken + done, self._moves + done
        if self._is_moved:
            for column, after in self._copies:
                column[:] = after()
            self._is_moved = False

    def _store(self) -> None:
        self._settle()
        super()._store()


def company(mover: Mover, backend: str) -> list[Source]:
    """What to compile besides a loss that moves to another backend: the arithmetic of a move."""
    if backend == "python":
        return []
    if isinstance(mover, FlatMover):
        return [mover.source]
    if not mover.spare or mover.spare.is_outdated():
        mover.spare = FlatMover("", mover.optimizer, mover.parameters)
    return [mover.spare.source]


def _changed(moved: Sequence[Any], memory: Sequence[Any]) -> list[Any]:
    """The columns that a move made anew; others are the very lists of before."""
    return [column for column in moved if not any(column is old for old in memory)]


def _looker(values: View, places: tuple[int, ...]) -> Callable[[], View]:
    """A function that gives the numbers at places, fast where these lie side by side."""
    run = slice(places[0], places[0] + len(places))
    if places == tuple(range(run.start, run.stop)):
        side_by_side = values[run]
        return lambda: side_by_side
    return lambda: view(array("d", [values[place] for place in places]))
