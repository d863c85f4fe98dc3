"""One training step in flat memory: kernels compute loss and gradient, and move the parameters.

While training runs the parameters' numbers live in the memory of the kernels; `store` gives them
back to the Values.
"""

import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from traceback import extract_tb
from typing import Any, NamedTuple, cast

from engine.modes import detect_anomaly, is_watched
from engine.replay import backends
from engine.replay.compare import ReplayError
from engine.replay.recorded import Recorded
from engine.replay.replay import Replay
from engine.replay.runs import LIMIT
from engine.replay.witness import HOUSE, outside
from engine.value import Value
from nn.flat import FlatMover, company
from nn.link import Aims, Link, Many
from nn.mover import NOTHING_TO_MOVE, Mover, check_finite, length
from nn.optim import Optimizer
from nn.overrides import is_ours, is_overridden, steps_of
from nn.plain import is_of
from nn.progress import collector_paused
from nn.table import Batch, Table

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
        run: BatchLoss | Replay,
        optimizer: Optimizer,
        backend: str = "auto",
        former: Sequence[str] = (),
        steps: int = 0,
    ) -> None:
        """`former` are the `recorded` of a run that goes on; so many `steps` are to come.

        A replay of `run`, by the same backend, may come from a descent that is done.
        """
        self._replay = run if isinstance(run, Replay) else replay_of(run, backend)
        self.run: BatchLoss = self._replay.function
        self.optimizer = optimizer
        if former:
            self._replay.kept.recall(former)
        self._replay.kept.announce(steps)
        self._eager = backend == "eager"
        self._links: dict[Recorded, Link] = {}
        self._steps_were: tuple[Any, ...] = ()
        self._is_overridden = self._are_ours = False
        self._mover: Mover | None = None  # has the newest numbers; None: they are in the Values

    @property
    def backend(self) -> str:
        """What runs the steps: "eager", "python", "numpy", "wasm" or "c"."""
        if not self._eager and self._replay.wanted in backends.NAMES:
            return self._replay.wanted
        return "eager" if self._eager else self._replay.backend

    @property
    def recorded(self) -> list[str]:
        """Which recordings were made: a run that goes on makes these again, and as many more."""
        return self._replay.kept.patterns

    def step(self, data: Table, rows: Batch = None) -> Taken:
        """Takes one step on some rows of the data, or all; FloatingPointError, and no step, where
        a number is not finite."""
        own = None
        if not (self._eager or is_watched() or self._own_steps()):
            try:
                found = self._forward(data, rows)
                self._replay.kept.note_call(found is not None)
                found = found or self._record(data, rows)
                if isinstance(found, Link):
                    return self._replayed(found) or self.step(data, rows)
                own = found
            except ReplayError as error:
                self.store()  # before code of the user's runs, such as that which shows warnings
                self._eager = True
                own = error.result[0] if error.result else self._built(data, rows)
                words = f"training goes on without replay, slower: {error}"
                warnings.warn(words, stacklevel=outside())
        self.store()
        return self._by_graph(data, rows, own)

    def several(
        self, data: Table, batches: Sequence[Batch], rates: Sequence[float], aims: Aims | None
    ) -> Many | None:
        """Takes steps in one call, where no code of the user's can run in between.

        One for each of the batches, which have the same length, with its rate (none: those that
        the optimizer counts). Ends before a step that has to be taken by itself; None where that is
        the first. What the loss reads is looked at once, before all of them.
        """
        if data.columns is None or self._eager or is_watched() or self._own_steps():
            return None
        known = self._replay.kept.by_shape.get(data.shape(batches[0]), ())
        recorded = next((each for each in known if each.world.holds()), None)
        link = self._links.get(recorded) if recorded else None
        if not (recorded and link and self._mover is link.mover and link.kernel is recorded.kernel):
            return None
        steps = link.several(data, batches[: recorded.room], rates, aims)
        if steps:
            self._replay.kept.note_call(True, len(steps.losses))
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
        state = steps_of(self.optimizer)
        if state != self._steps_were:
            self._steps_were, self._are_ours = state, is_ours(self.optimizer)
            self._is_overridden = is_overridden(self.optimizer)
        elif not self._are_ours:
            self._is_overridden = is_overridden(self.optimizer)
        return self._is_overridden

    @collector_paused()  # graphs and recordings have no cycles: to look for some is time lost
    def _built(self, data: Table, rows: Batch) -> tuple[Value, Any]:
        """What the loss gives, as a graph."""
        return self.run(*data.batch(rows))

    @collector_paused()
    def _by_graph(self, data: Table, rows: Batch, own: tuple[Value, Any] | None = None) -> Taken:
        """A step by a graph: the one that the loss gave, if it ran."""
        total, outputs = own or self._built(data, rows)
        check_finite("the loss", total.data)
        self.optimizer.zero_grad()
        total.backward()
        norm = length([p.grad for p in self.optimizer.parameters])
        if not any(p.has_grad for p in self.optimizer.parameters):
            raise ValueError(NOTHING_TO_MOVE)
        self.optimizer.step()
        return Taken(total.data, lambda: outputs, norm, lambda: None)

    @collector_paused()
    def _record(self, data: Table, rows: Batch) -> "Link | tuple[Value, Any] | None":
        """Records the loss: its first step too is the kernel's, so that a resumed one is the same.

        What the loss gave, as a graph, where no recording came of that run, such as where rounding
        decides its comparisons; None where it was not run, since none would be used again.
        """
        self.store()
        given = data.given(rows)
        kept, recorder = self._replay.kept, self._replay.recorder
        if kept.is_busy or kept.is_full(given) or recorder.is_restless(given):
            return None
        with plain_numbers_allowed():
            recorded, own = recorder.record(given, keeps_all=True)
        try:
            found = self._forward(data, rows, recorded) if recorded else None
        except ReplayError as error:
            error.result = (own,)
            raise
        return found or cast("tuple[Value, Any]", own)

    def _forward(
        self, data: Table, rows: Batch, new: Recorded | None = None
    ) -> "Link | tuple[Value, Any] | None":
        """Runs the forward pass of the recording that fits, or of a new one; None where none does.

        What the loss gave, as a graph, where it is another function by now.
        """
        candidates = [new] if new else self._replay.kept.by_shape.get(data.shape(rows), ())
        for recorded in candidates:
            if not recorded.world.holds():
                continue
            link = self._link(recorded)
            link.lend(data, rows)
            if recorded.suits(link.numbers) and recorded.run():
                if not new and recorded.count():
                    link.mover.store()
                    leaves = link.numbers(), [p.data for p in recorded.program.parameters]
                    with collector_paused(), plain_numbers_allowed():
                        own = self._replay.recorder.compare(recorded, leaves, data.given(rows))
                    if own:
                        return cast("tuple[Value, Any]", own[0])
                    if not link.mover.is_as_recorded():
                        self._links.clear()
                if recorded.sets:
                    link.set(link.numbers())
                return self._link(recorded)  # another one where its kernel or its mover is
        return None

    def _link(self, recorded: Recorded) -> "Link":
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
            kind = Mover if is_exact else partial(FlatMover, recorded.backend)
            mover = mover or kind(self.optimizer, parameters)
            mover.use(recorded.backend, recorded.company)
            if len(self._links) > LIMIT:
                self._links.clear()
            link = self._links[recorded] = Link(recorded, mover)
            recorded.choice.company = partial(company, mover)
        if self._mover is not link.mover:
            self.store()
            if link.mover.is_outdated():
                self._links.clear()
                return self._link(recorded)
            link.mover.load()
            self._mover = link.mover
        return link

    def _replayed(self, link: "Link") -> Taken | None:
        """The step after a forward pass; None where settings of the optimizer turned on or off."""
        loss = link.kernel.values[link.output]
        check_finite("the loss", loss)
        link.kernel.backward(link.seeds)
        link.take_gradient()
        norm = link.mover.move()
        if norm is None:
            self.store()
            self._links.clear()
            return None
        link.add_to_others()
        return Taken(loss, link.outputs, norm, link.largest)


def replay_of(run: BatchLoss, backend: str) -> Replay:
    """What a `Descent` takes its steps with."""
    return Replay(run, backend=backend, main=0)


@contextmanager
def plain_numbers_allowed() -> Iterator[None]:
    """A run on Values that fails is a ReplayError: on numbers the loss may do."""
    try:
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
