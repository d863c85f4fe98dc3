"""A training step on flat memory: kernels compute loss and gradient, and move the parameters.

While training runs the parameters' numbers live in the memory of the kernels; `store` gives them
back to the Values.
"""

import math
import time
import warnings
from array import array
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from itertools import accumulate, chain, repeat
from operator import attrgetter, is_, itemgetter
from traceback import extract_tb
from typing import Any, NamedTuple, cast

from engine import backends
from engine.arguments import rebuild
from engine.backends.choice import Compiled, Source, are_close
from engine.backends.kernel import TINY, Kernel, Layout, Memory, Rows, Seen, Several, fill
from engine.check import GOLDEN
from engine.compare import ReplayError, change
from engine.functions import dot
from engine.modes import detect_anomaly, is_watched
from engine.ops import fsum
from engine.reach import is_read, reach
from engine.recorded import Recorded, askers, hold
from engine.replay import LIMIT, Replay
from engine.roll import roll
from engine.stretch import stretched
from engine.tape import Bound, Tape, record
from engine.undo import undone
from engine.value import Value, data_of, set_each
from engine.witness import HOUSE, Witness, outside, within
from engine.world import World, written
from nn.optim import Optimizer
from nn.plain import is_arithmetic, is_of
from nn.progress import collector_paused
from nn.table import Batch, Table

NOTHING_TO_MOVE = (
    "the loss gave no parameter of the optimizer a gradient: build the optimizer from "
    "model.parameters(), and train outside no_grad()"
)
View = Any  # a memoryview of doubles, or a list of them
BatchLoss = Callable[[Any, Any], tuple[Value, Any]]  # as `Descent` takes it


class Taken(NamedTuple):
    """What a step saw before the parameters moved: loss, outputs, the length of the gradient.

    The outputs can be asked for until the next step, and so can `largest`: of several outputs for
    each example, which one is the largest; None where they are something else.
    """

    loss: float
    outputs: Callable[[], Any]
    gradient_norm: float
    largest: Callable[[], Sequence[int] | None]


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


class Descent:
    """Steps of an optimiser down the slope of `run`: (xs, ys) -> (what is made small, outputs).

    By replay: `run` is recorded once for each shape of a batch, and anew where something changed
    that it reads outside its arguments; it is compared with its replay at the steps 2, 20, 200,
    ... of a recording, as is the optimiser's arithmetic. Where it cannot be replayed, where `step`,
    `take` or `zero_grad` of the optimiser are not this package's or its `rates` more than
    arithmetic, and with `backend="eager"`, steps build their graphs.

    >>> from nn.optim import SGD
    >>> w, data = Value(0.0), Table([1.0, 2.0], [2.0, 4.0])
    >>> def run(xs, ys):
    ...     outputs = [w * x for x in xs]
    ...     return sum((o - y) ** 2 for o, y in zip(outputs, ys)), outputs
    >>> descent = Descent(run, SGD([w], lr=0.1))
    >>> for _ in range(20):
    ...     taken = descent.step(data)
    >>> descent.store()
    >>> f"{w:.4f}"
    '2.0000'
    """

    def __init__(
        self,
        run: BatchLoss,
        optimizer: Optimizer,
        backend: str = "auto",
        former: Sequence[str] = (),
    ) -> None:
        """`former` are the `recorded` of a run that goes on."""
        self.run, self.optimizer = run, optimizer
        self._replay = Replay(run, backend=backend, main=0)
        self._replay.recall(former)
        self._eager = backend == "eager"
        self._links: dict[Recorded, _Link] = {}
        self._steps_were: tuple[Any, ...] = ()
        self._is_overridden = self._are_ours = False
        self._mover: _Mover | None = None  # has the newest numbers; None: they are in the Values

    @property
    def backend(self) -> str:
        """What runs the steps: "eager", "python", "numpy" or "c"."""
        if not self._eager and self._replay.wanted in backends.NAMES:
            return self._replay.wanted
        return "eager" if self._eager else self._replay.backend

    @property
    def recorded(self) -> list[str]:
        """Which recordings were made: a run that goes on makes these again, and as many more."""
        return self._replay.patterns

    def step(self, data: Table, rows: Batch = None) -> Taken:
        """Takes one step on some rows of the data, or all; FloatingPointError, and no step, where
        a number is not finite."""
        if self._eager or is_watched() or self._own_steps():
            self.store()
            return self._by_graph(*self._built(data, rows))
        try:
            found = self._forward(data, rows)
            self._replay.note_call(found is not None)
            found = found or self._record(data, rows)
            if isinstance(found, _Link):
                return self._replayed(found) or self.step(data, rows)
            result = found
        except ReplayError as error:
            self.store()  # before code of the user's runs, such as that which shows warnings
            self._eager = True
            self.store()  # what the graph is built from
            result = error.result[0] if error.result else self._built(data, rows)
            words = f"training goes on without replay, slower: {error}"
            warnings.warn(words, stacklevel=outside())
        self.store()
        return self._by_graph(*result)

    def several(
        self, data: Table, batches: Sequence[Batch], rates: Sequence[float], aims: Aims | None
    ) -> Many | None:
        """Takes steps in one call, where no code of the user's can run in between.

        One for each of the batches, which have the same length, with its rate (none: those that
        the optimizer counts). Ends before a step that has to be taken by itself; None where that is
        the first. What the loss reads is looked at once, before all of them.
        """
        if self._eager or is_watched() or self._own_steps():
            return None
        known = self._replay.recordings.get(data.shape(batches[0]), ())
        recorded = next((each for each in known if each.world.holds()), None)
        link = self._links.get(recorded) if recorded else None
        if not (recorded and link and self._mover is link.mover and link.kernel is recorded.kernel):
            return None
        steps = link.several(data, batches[: recorded.room], rates, aims)
        if steps:
            self._replay.note_call(True, len(steps.losses))
        return steps

    def store(self) -> None:
        """Sets data and gradient of the parameters, and the memory of the optimiser.

        The next step reads them again.
        """
        if self._mover:
            self._mover.store()
            self._mover = None

    def origin(self, data: Table, rows: Batch = None) -> str:
        """Which operation of a step first gives nan or inf, in words: such a step is run again.

        Empty where none does: a sum of gradients, or a move, was too large.
        """
        self.store()
        try:
            with detect_anomaly():
                self._built(data, rows)[0].backward()
        except FloatingPointError as error:
            return str(error)
        finally:
            self.optimizer.zero_grad()
        return ""

    def _own_steps(self) -> bool:
        """Whether the optimiser's steps are somebody else's; where it is ours, asked once."""
        state = _steps_of(self.optimizer)
        if state != self._steps_were:
            self._steps_were, self._are_ours = state, _is_ours(self.optimizer)
            self._is_overridden = _is_overridden(self.optimizer)
        elif not self._are_ours:
            self._is_overridden = _is_overridden(self.optimizer)
        return self._is_overridden

    def _built(self, data: Table, rows: Batch) -> tuple[Value, Any]:
        """What the loss gives, as a graph. It has no cycles: to look for some is time lost."""
        with collector_paused():
            return self.run(*data.batch(rows))

    def _by_graph(self, total: Value, outputs: Any) -> Taken:
        _check_finite("the loss", total.data)
        self.optimizer.zero_grad()
        with collector_paused():
            total.backward()
        norm = _length([p.grad for p in self.optimizer.parameters])
        if not any(p.has_grad for p in self.optimizer.parameters):
            raise ValueError(NOTHING_TO_MOVE)
        self.optimizer.step()
        return Taken(total.data, lambda: outputs, norm, lambda: None)

    def _record(self, data: Table, rows: Batch) -> "_Link | tuple[Value, Any]":
        """Records the loss: its first step too is the kernel's, so that a resumed one is the same.

        What the loss gave, as a graph, where there are too many recordings, or rounding decides
        its comparisons.
        """
        self.store()
        given = data.given(rows)
        replayed = self._replay
        if replayed.is_busy or replayed.is_full(given) or replayed.is_restless(given):
            return self._built(data, rows)
        with _plain_numbers_allowed():
            recorded, own = self._replay.record(given, keeps_all=True)
        try:
            found = self._forward(data, rows, recorded) if recorded else None
        except ReplayError as error:
            error.result = (own,)
            raise
        return found or cast("tuple[Value, Any]", own)

    def _forward(
        self, data: Table, rows: Batch, new: Recorded | None = None
    ) -> "_Link | tuple[Value, Any] | None":
        """Runs the forward pass of the recording that fits, or of a new one; None where none does.

        What the loss gave, as a graph, where it is another function by now.
        """
        candidates = [new] if new else self._replay.recordings.get(data.shape(rows), ())
        for recorded in candidates:
            if not recorded.world.holds():
                continue
            link = self._link(recorded)
            link.lend(data, rows)
            if recorded.suits(link.numbers) and recorded.run():
                if not new and recorded.count():
                    link.mover.store()
                    leaves = link.numbers(), [p.data for p in recorded.program.parameters]
                    with _plain_numbers_allowed():
                        own = self._replay.compare(recorded, leaves, data.given(rows))
                    if own:
                        return cast("tuple[Value, Any]", own[0])
                    if not link.mover.is_as_recorded():
                        self._links.clear()
                if recorded.sets:
                    link.set(link.numbers())
                return self._link(recorded)
        return None

    def _link(self, recorded: Recorded) -> "_Link":
        """A recording and its mover, which gets the newest numbers."""
        link = self._links.get(recorded)
        if link is None or link.kernel is not recorded.kernel:  # which ran on a slower one
            if any(p.op for p in recorded.program.parameters):
                raise ReplayError(
                    "the loss reads what was computed outside of it, once for all steps: compute "
                    "it inside"
                )
            is_exact = recorded.backend == "python"
            of_loss, moved = recorded.sources(0).parameters, self.optimizer.parameters
            known = set(of_loss)
            parameters = tuple(p for p in moved if p in known)
            if is_of(Optimizer, type(self.optimizer).moved):  # in any order
                known = set(moved)
                parameters = tuple(p for p in of_loss if p in known)
            movers = [old.mover for old in self._links.values()]
            spares = [old.spare for old in movers if old.spare]
            movers += [spare for spare in spares if spare.kernel_among(recorded.company)]
            alike = [old for old in movers if old.is_exact is is_exact]
            mover = next((old for old in alike if old.parameters == parameters), None)
            kind = _Mover if is_exact else partial(_FlatMover, recorded.backend)
            mover = mover or kind(self.optimizer, parameters)
            mover.use(recorded.backend, recorded.company)
            if len(self._links) > LIMIT:
                self._links.clear()
            link = self._links[recorded] = _Link(recorded, mover)
            if recorded.choice:
                recorded.choice.company = mover.company
        if self._mover is not link.mover:
            self.store()
            if link.mover.is_outdated():
                self._links.clear()
                return self._link(recorded)
            link.mover.load()
            self._mover = link.mover
        return link

    def _replayed(self, link: "_Link") -> Taken | None:
        """The step after a forward pass; None where settings of the optimizer turned on or off."""
        loss = link.kernel.values[link.output]
        _check_finite("the loss", loss)
        link.kernel.backward(link.seeds)
        link.take_gradient()
        norm = link.mover.move()
        if norm is None:
            self.store()
            self._links.clear()
            return None
        link.add_to_others()
        return Taken(loss, link.outputs, norm, link.largest)


@contextmanager
def _plain_numbers_allowed() -> Iterator[None]:
    """A run on Values that fails is a ReplayError: on numbers the loss may do.

    Its graphs have no cycles: to look for some is time lost.
    """
    try:
        with collector_paused():
            yield
    except ReplayError:
        raise
    except Exception as error:
        lines = [f"{f.filename}:{f.lineno}" for f in extract_tb(error.__traceback__)]
        line = next((at for at in reversed(lines) if not at.startswith(HOUSE)), lines[-1])
        raise ReplayError(
            f"the loss does not take Values in the places of its data: {type(error).__name__} at "
            f"{line}: {error}"
        ) from error


class _Mover:
    """The parameters of a loss and what moves them: the optimiser itself, on lists of floats."""

    is_exact = True  # it has the bits of eager mode
    data: Any
    gradient: Any
    _memory: Sequence[Any]

    def __init__(self, optimizer: Optimizer, parameters: tuple[Value, ...]) -> None:
        if not parameters:
            raise ValueError(NOTHING_TO_MOVE)
        self.optimizer, self.parameters = optimizer, parameters
        self._all = list(optimizer.parameters)
        place = {p: k for k, p in enumerate(optimizer.parameters)}
        self.places = [place[p] for p in parameters]
        self._picked = _picker(self.places)
        self._spread = None  # a column of the loss's parameters, all of them, as the optimizer's
        if len(self.places) == len(place):
            self._spread = _picker(sorted(range(len(place)), key=self.places.__getitem__))
        self._left: list[list[Any]] = []  # data and memory, as `store` left them
        self._still: set[int] = set()  # which lists of the memory no move changes
        self._is_ours = is_of(Optimizer, type(optimizer).moved)
        self.spare: _FlatMover | None = None  # for a backend that is still to come

    def is_as_recorded(self) -> bool:
        """Whether the optimiser does what it did; ReplayError where it holds another number."""
        return True

    def is_outdated(self) -> bool:
        """Whether parameters were taken away or added."""
        return self._all != self.optimizer.parameters

    def load(self) -> None:
        """Takes the numbers of the parameters, and what the optimiser remembers of them."""
        self._loaded = self._now()
        self.data, *self._memory = self._loaded
        self.gradient = [0.0] * len(self.data)
        self._has_gradient = False

    def _now(self) -> list[list[Any]]:
        """The numbers of the parameters, and the memory of the optimiser."""
        self.optimizer.check_lengths()
        steps, *memory = map(self._of_all, ("steps", *self.optimizer.MEMORY))
        self._steps, self._taken = steps, 0
        is_even = steps.count(steps[0]) == len(steps)
        self._counts = steps[:1] if is_even else list(dict.fromkeys(steps))
        return [[p.data for p in self.parameters], *memory]

    def _rates_now(self, ahead: int = 0) -> tuple[float, ...]:
        """What the next move takes, or a later one.

        ReplayError where that is not the same for all parameters.
        """
        move = self._taken + ahead + 1
        rates = self.optimizer.rates(self._counts[0] + move)
        if len(self._counts) > 1 and any(
            self.optimizer.rates(count + move) != rates for count in self._counts
        ):
            raise ReplayError(
                "some parameters were moved more often than others, and the rates of "
                f"{type(self.optimizer).__name__} differ by that"
            )
        return rates

    def _of_all(self, name: str) -> list[Any]:
        """Those of the parameters of the loss in a column of the optimiser."""
        return list(self._picked(getattr(self.optimizer, name)))

    def company(self, backend: str) -> list[Source]:
        """What has to be made where a loss may move to another backend."""
        if backend == "python":
            return []
        if not self.spare or self.spare.is_outdated():
            self.spare = _FlatMover("", self.optimizer, self.parameters)
        return self.spare.company(backend)

    def use(self, backend: str, company: Sequence[Compiled]) -> None:
        """Moves to a kernel that was made for it, if there is one, and of a faster backend."""

    def move(self) -> float | None:
        """Moves the parameters; the length of the gradient, or None where guards do not hold."""
        self._has_gradient = True
        norm = _length(self.gradient)
        if not self._is_ours:
            self.store()  # it may look at the parameters
        rates = self._rates_now()
        moved = self.optimizer.moved(self.data, self.gradient, self._memory, rates)
        self.optimizer.check(moved, self.places)
        self._taken, (self.data, *self._memory) = self._taken + 1, moved
        return norm

    def store(self) -> None:
        """Sets data and gradient of the parameters, and the memory of the optimiser.

        All of it: where it is interrupted it begins again, and the interrupt comes after.
        """
        try:
            self._store()
        except BaseException:
            self._store()
            raise

    def _store(self) -> None:
        memory = enumerate(self._memory, 1)
        self._left = [
            list(self.data),
            *(self._loaded[k] if k in self._still else list(column) for k, column in memory),
        ]
        set_each("data", self.parameters, self._left[0])
        if self._has_gradient:
            if not self._spread:
                self.optimizer.zero_grad()
            set_each("grad", self.parameters, self.gradient)
        if len(self._counts) == 1:
            counts = [self._counts[0] + self._taken] * len(self._steps)
        else:
            counts = [count + self._taken for count in self._steps]
        named = zip(("steps", *self.optimizer.MEMORY), [counts, *self._left[1:]], strict=True)
        for k, (name, numbers) in enumerate(named):
            if k in self._still:
                continue
            if self._spread:
                column = list(self._spread(numbers))
            else:
                column = getattr(self.optimizer, name).copy()
                for place, number in zip(self.places, numbers, strict=True):
                    column[place] = number
            setattr(self.optimizer, name, column)


FEW = 5, 7  # parameters that show what our own arithmetic is, the same for each of them


class _FlatMover(_Mover):
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
        """What our own arithmetic is, out of what it is for a few; and some numbers of it.

        A sample of the parameters is enough to see later whether it is another.
        """
        n = len(self.parameters)
        tapes = [self._record(count=count)[0] for count in FEW if n > max(FEW)]
        program = stretched(list(map(roll, tapes)), FEW, n) if tapes else None
        self._shown = FEW[0] if program else None
        self._sample = tapes[0] if program else self._record()[0]
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

    def company(self, backend: str) -> list[Source]:
        """What has to be made where a loss may move to another backend."""
        return [] if backend == "python" else [(self.program, self._sample, False)]

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
        self._guards = askers(program.guards)
        values, outputs = _view(self.kernel.values), program.outputs
        ends, start = 1 + len(self.optimizer.MEMORY), len(program.constants)
        stop = start + (1 + ends) * n
        columns = [values[k : k + n] for k in range(start, stop, n)]
        self.data, self.gradient, *self._memory = columns
        self._given = values[stop : program.leaves]
        asked = {place for g in program.guards for place in (g.left, g.right)}
        settings = {*range(start), *range(stop, program.leaves)}
        self._asks_more = not asked <= settings
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
            self._given[:] = _view(array("d", rates))
            self.kernel.forward()
            if not hold(self._guards, self.kernel.values):
                return None
            self._rates = rates
        values = self.kernel.values
        squares = values[self._squares]
        norm = math.sqrt(squares) if TINY < squares < math.inf else _length(self.gradient)
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
        """What the next moves take, one after the other; as many as the recording holds for."""
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
                self._given[:] = _view(array("d", given))
                if not hold(self._guards, self.kernel.values):
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


class _Link:
    """A recording beside the mover of its parameters, and the memory that they share."""

    def __init__(self, recorded: Recorded, mover: _Mover) -> None:
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
        self._values, self._adjoints = _view(self.kernel.values), _view(self.kernel.adjoints)
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
        self._several_of: tuple[Any, ...] = (None, None, None)

    def lend(self, data: Table, rows: Batch) -> None:
        """Puts a batch and the parameters into the memory of the recording."""
        values = self._values
        if rows is not None or self._bound is not data:
            self._gather(data, rows)
        if self._world.free:
            others = self._world.numbers()
            values[self._free] = others if self.mover.is_exact else _view(array("d", others))
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
            numbers = list(given) if self.mover.is_exact else _view(array("d", given))
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
        if not (batches and isinstance(mover, _FlatMover)) or mover.is_outdated():
            return None
        rows = batches[0]
        points = len(data if rows is None else rows)
        asked = data, rows is None, aims
        if not all(map(is_, asked, self._several_of)):
            self._several_of, layout = (
                asked,
                self._layout(data, None if rows is None else points, aims),
            )
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
        outputs, moves = self._recorded.forms[0][1], cast(_FlatMover, self.mover).layout()
        are_single = type(outputs) is list and {*map(type, outputs)} == {float}
        is_counted = not aims or self._width or are_single
        columns = self._columns(data, points)
        if not (moves and columns and is_counted and self._is_direct) or self._others:
            return None
        for bound in self._recorded.program.bounds:
            if not (bound.place < self._inputs.stop and _are_in_bounds(bound, columns)):
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


def _changed(moved: Sequence[Any], memory: Sequence[Any]) -> list[Any]:
    """The columns that came of a move, but those that are still the ones before."""
    return [column for column in moved if not any(column is old for old in memory)]


_STEP = ("step", "take", "zero_grad", "check", "columns", "check_lengths")
_methods_of = attrgetter(*_STEP, "rates")
_ACCESS = ("__setattr__", "__getattribute__", "__getattr__", "__delattr__")
_READ = {"lr", "parameters", "steps", "MEMORY", "_settings"}  # by each step, beside the memory


def _steps_of(optimizer: Optimizer) -> tuple[Any, ...]:
    """What decides whose the steps of an optimiser are: quick to compare."""
    kind = type(optimizer)
    return kind, *vars(optimizer), *_methods_of(kind)


def _is_ours(optimizer: Optimizer) -> bool:
    """Whether nothing in it is the user's, so that one look is enough."""
    kind, own = type(optimizer), vars(optimizer)
    are_ours = all(is_of(Optimizer, getattr(kind, name)) for name in (*_STEP, "rates", "moved"))
    return (
        are_ours
        and kind.__module__ == Optimizer.__module__
        and not any(map(callable, own.values()))
    )


def _is_overridden(optimizer: Optimizer) -> bool:
    """Whether somebody else says what a step is, in a subclass or on the instance.

    So do rates and settings that are more than arithmetic on settings: while steps are replayed
    the numbers of the parameters are elsewhere, and rates are asked for more often than once.
    """
    own, kind = vars(optimizer), type(optimizer)
    if any(name in own or not is_of(Optimizer, getattr(kind, name)) for name in _STEP):
        return True
    if "moved" in own:
        return True
    others = [c for c in kind.__mro__ if c.__module__ != Optimizer.__module__ and c is not object]
    found = {name: thing for c in others for name, thing in vars(c).items()}
    if found.keys() & set(_ACCESS):
        return True
    read = (_READ | set(optimizer._settings) | set(optimizer.MEMORY)) & found.keys()
    computed = [found[name] for name in read if hasattr(type(found[name]), "__get__")]
    if not all(
        isinstance(each, property) and each.fset is None and is_arithmetic(each.fget, optimizer)
        for each in computed
    ):
        return True
    rates = getattr(own.get("rates", optimizer.rates), "__func__", own.get("rates"))
    return not (_is_ours(optimizer) or is_arithmetic(rates, optimizer))


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


def _are_in_bounds(bound: Bound, columns: Sequence[tuple[int, Rows]]) -> bool:
    """Whether all numbers that come to a place are whole, and between its limits."""
    place, rows = next((at, rows) for at, rows in reversed(columns) if at <= bound.place)
    numbers = rows.numbers[(bound.place - place) % rows.width :: rows.width]
    return (
        all(map(float.is_integer, numbers))
        and bound.low <= min(numbers) <= max(numbers) <= bound.high
    )


def _outputs(recorded: Recorded) -> Any:
    """What the model said, as numbers."""
    values, places = recorded.kernel.values, recorded.program.outputs
    return rebuild(recorded.forms[0], map(values.__getitem__, places))[1]


def _picker(places: Sequence[int]) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """What picks the things at places out of a list; quick where all are in order."""
    n = len(places)
    if list(places) == list(range(n)):
        return lambda things: things[:n]
    return itemgetter(*places) if n > 1 else lambda things: (things[places[0]],)


def _looker(values: View, places: tuple[int, ...]) -> Callable[[], View]:
    """A call that gives the numbers at places, fast where these lie side by side."""
    run = slice(places[0], places[0] + len(places))
    if places == tuple(range(run.start, run.stop)):
        side_by_side = values[run]
        return lambda: side_by_side
    return lambda: _view(array("d", [values[place] for place in places]))


def _view(numbers: Memory) -> View:
    return numbers if isinstance(numbers, list) else memoryview(numbers)


def _length(gradient: Sequence[float]) -> float:
    """The length of a gradient, the same in any order; FloatingPointError if it is not finite."""
    squares = fsum([g * g for g in gradient])
    norm = math.sqrt(squares) if TINY < squares < math.inf else math.hypot(*gradient)
    _check_finite("the length of the gradient", norm)
    return norm


def _check_finite(name: str, x: float) -> None:
    if not math.isfinite(x):
        raise FloatingPointError(f"{name} is {x}")
