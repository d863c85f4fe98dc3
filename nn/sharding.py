"""One training on many processes: each step's batch is cut into shards, and their slopes added."""

import hashlib
import os
import pickle
from array import array
from collections.abc import Callable, Sequence
from contextlib import suppress
from itertools import pairwise
from operator import add
from typing import Any

from engine.modes import is_watched
from engine.replay.backends.choice import are_close
from engine.replay.compare import ReplayError, gradients
from engine.replay.recorded import Recorded
from engine.replay.replay import Replay
from engine.replay.runs import LIMIT
from engine.replay.world import World
from engine.value import Value
from nn.asking import ShardError, Shards, answers_of
from nn.descent import Descent, Taken
from nn.flat import FlatMover
from nn.ground import Ground
from nn.judging import Loss, Model
from nn.mover import NOTHING_TO_MOVE, Mover, check_finite, length, view
from nn.optim import Optimizer
from nn.overrides import is_ours
from nn.plain import is_stateless
from nn.processes import line_of, ours
from nn.progress import collector_paused
from nn.rows import usual
from nn.shard import FOREIGN, Part, Recipe, Task, packed
from nn.stepping import mean_loss
from nn.table import Batch, Table

Penalty = Callable[[Any], Value] | None
AS_BEFORE = "Parameters, optimizer and history are as before this step"


def firsts(ys: Sequence[Any]) -> "array[int]":
    """The first row of each class; the very first one where answers are no classes.

    >>> list(firsts([0, 0, 2, 1, 2])), list(firsts([0.5, 0.25]))
    ([0, 2, 3], [0])
    """
    found: dict[Any, int] = {}
    for k, y in enumerate(ys):
        found.setdefault(y if isinstance(y, int) else None, k)
    return array("i", found.values())


def cut(rows: "array[int]", count: int) -> list["array[int]"]:
    """Rows in so many parts, whose lengths differ by one at most; empty ones are left out.

    >>> [list(part) for part in cut(array("i", range(7)), 3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    """
    n = len(rows)
    count = min(count, n)
    bounds = [n * k // count for k in range(count + 1)]
    parts = [rows[start:stop] for start, stop in pairwise(bounds)]
    return [part for part in parts if part]


class Sharded(Descent):
    """A `Descent` whose slopes are computed in shards, by tasks of an executor.

    Every shard is the mean over its rows, times its share of the batch; losses and slopes are added
    from the first shard to the last, whichever came first. The penalty is added here, once, and the
    parameters are moved here, when all shards have come: an error before that changes nothing.
    """

    def __init__(
        self,
        model: Model,
        loss: Loss,
        penalty: Penalty,
        learned: Ground,
        optimizer: Optimizer,
        backend: str,
        shards: Shards,
        done: int,
    ) -> None:
        """So many steps were `done`."""
        backend = usual() if backend == "auto" else backend
        super().__init__(mean_loss(model, loss, None), optimizer, backend)
        self.run = mean_loss(model, loss, penalty)  # which says where a nan came from
        self._sent, self._penalty, self._shards = (model, loss), penalty, shards
        self._table, self._number = learned.table, done
        self._tried = firsts(learned.table.ys)
        self._is_plain = is_stateless(model, loss)
        self._wants_outputs = learned.decide is not None
        self._data = pickle.dumps((learned.table.xs, learned.table.ys), pickle.HIGHEST_PROTOCOL)
        self._movers: dict[tuple[int, ...], Mover] = {}
        self._world: World | None = None
        self._own = os.urandom(16)  # what workers recorded for another training stays with that
        self._packed, self._recipe, self._key, self._is_known = b"", b"", b"", False
        self._parameters = self._learned = list(optimizer.parameters)
        self._values: list[Value] = []
        self._function()  # an error comes before the first step

    @property
    def backend(self) -> str:
        """What computes the shards: "auto" is NumPy where it is installed, else Python."""
        return "eager" if self._eager else self._replay.wanted

    def several(self, *_: Any) -> None:
        """No steps in one call: each has to be asked for."""

    @collector_paused()
    def step(self, data: Table, rows: Batch = None) -> Taken:
        """Takes one step; FloatingPointError or ShardError, and no step, where it cannot be.

        Under `detect_anomaly` this process takes it, whose graph is to be looked at.
        """
        if is_watched():
            self.store()
            return self._by_graph(data, rows)
        try:
            self._look()
            rows = array("i", range(len(data))) if rows is None else rows
            numbers, shards = self._numbers(), self._shards.number
            parts = self._asked(
                [self._task(numbers, part, len(rows)) for part in cut(rows, shards)]
            )
        except ShardError as error:
            raise ShardError(f"step {self._number}: {error}. {AS_BEFORE}") from error.__cause__
        loss, slopes, missing = _added(parts)
        if self._penalty:
            loss, missing = self._penalised(loss, slopes, missing)
        check_finite("the loss", loss)
        norm = self._move(slopes, missing)
        self._number += 1
        outputs = [output for part in parts for output in part.outputs or ()]
        return Taken(loss, lambda: outputs, norm, lambda: None)

    # --- what is sent

    def _function(self) -> tuple[bytes, list[Value]]:
        """The model and the loss without numbers; ValueError for what cannot be pickled."""
        try:
            return packed(self._sent, self._learned)
        except Exception as error:
            raise ValueError(
                "fit with shards expected a model and a loss that pickle can send to workers, got "
                f"{line_of(error)}: write functions with def at the top of a module, and keep open "
                "files and the like out of the model"
            ) from error

    def _pack(self) -> bool:
        """Makes the recipe; whether it is another one than before."""
        self._packed, self._values = self._function()
        recipe = Recipe(
            self._packed,
            len(self._values),
            len(self._learned),
            self._data,
            self.backend,
            self._wants_outputs,
        )
        self._recipe = pickle.dumps(tuple(recipe), pickle.HIGHEST_PROTOCOL)
        key, self._key = self._key, hashlib.sha256(self._own + self._recipe).digest()
        return key != self._key

    def _look(self) -> None:
        """Sends the model and the loss anew where something changed that they read.

        The first row of each class is recorded here, which says what is read and whether it may be
        computed elsewhere; a worker has to come to the same.
        """
        are_all = self._parameters == self.optimizer.parameters
        is_held = are_all and self._world is not None and self._world.holds()
        if is_held and (self._is_plain or self._function()[0] == self._packed):
            return
        changed = self._world.changed() if self._world else []
        self.store()
        self._movers.clear()
        self._parameters = list(self.optimizer.parameters)
        self._function()  # pickle leaves marks on classes: before they are looked at
        recorded, total = self._recorded()
        known = set(self._parameters)
        of_loss = [p for p in recorded.sources(0).parameters if p in known]
        self._learned = list(dict.fromkeys([*of_loss, *self._parameters]))  # as `Descent` has them
        is_new = self._pack()
        if changed and not is_new:
            raise ShardError(
                f"{changed[0][0].words} was changed, and workers do not hear of it: keep what "
                "changes in the model or in the loss"
            )
        self._is_known = self._is_known and not is_new
        if not set(self._values) >= set(recorded.program.parameters):
            raise ShardError(FOREIGN)
        self._compare(total)
        self._world = recorded.world

    def _recorded(self) -> tuple[Recorded, Value]:
        """The loss of the rows that are tried, recorded here: what it reads, and its graph."""
        backend = "python" if self._eager else self._replay.wanted
        recorder = Replay(self._replay.function, backend=backend, main=0).recorder
        recorded = None
        try:
            while recorded is None:  # the first runs may set something up
                recorded, own = recorder.record(self._table.given(self._tried), lends=False)
        except ReplayError as error:
            words = str(error).replace('backend="eager"', "no shards")
            raise ShardError(f"the loss cannot be computed elsewhere: {words}") from error
        if recorded.sets:
            raise ShardError(
                f"the loss sets {recorded.sets[0].words}, and workers would set it on copies: "
                "return it, or use no shards"
            )
        return recorded, own[0]

    def _compare(self, total: Value) -> None:
        """ShardError where a worker comes to another loss of these rows than this process."""
        task = self._task(self._numbers(), self._tried, len(self._tried))._replace(is_eager=True)
        [part] = self._asked([task])
        self._is_known = False  # to the other workers
        expected = [total.data, *gradients(total, self._learned)]
        if not are_close(expected, [part.loss, *array("d", part.slopes)]):
            raise ShardError(
                f"the loss of the first rows is {total.data:g} here, {part.loss:g} in a worker: "
                "it reads a global that differs there; keep it in the model or in the loss"
            )
        if len(part.missing) == len(self._learned) and not self._penalty:
            raise ValueError(NOTHING_TO_MOVE)

    def _numbers(self) -> bytes:
        """The numbers of all Values: those of the optimiser, then what else is read."""
        others = self._values[len(self._learned) :]
        if self._mover and len(self._mover.parameters) == len(self._learned):
            return _as_bytes(self._mover.data) + _as_bytes([v.data for v in others])
        self.store()
        return _as_bytes([v.data for v in self._values])

    def _task(self, numbers: bytes, rows: "array[int]", points: int) -> Task:
        share = len(rows) / points
        recipe = None if self._is_known else self._recipe
        asked = ours(), os.getpid(), self._key, recipe
        return Task(*asked, numbers, rows.tobytes(), share, self._eager)

    # --- who is asked

    def _asked(self, tasks: Sequence[Task]) -> list[Part]:
        """What comes of tasks, in their order; ShardError where one of them fails."""
        answers = answers_of(self._shards.executor, tasks)
        unknown = [k for k, answer in enumerate(answers) if answer is None]
        again = [tasks[k]._replace(recipe=self._recipe) for k in unknown]
        for k, answer in zip(unknown, answers_of(self._shards.executor, again), strict=True):
            answers[k] = answer
        self._is_known = True
        for answer in answers:
            if not isinstance(answer, tuple):
                raise ShardError(answer or "a worker forgets what it is sent: please report it")
        return [Part(*answer) for answer in answers if isinstance(answer, tuple)]

    # --- the move

    def _penalised(
        self, loss: float, slopes: "array[float]", missing: set[int]
    ) -> tuple[float, set[int]]:
        """Adds the penalty, which is computed here; its slopes to those that there are."""
        assert self._penalty is not None
        self.store()
        self.optimizer.zero_grad()
        penalty = self._penalty(self._sent[0])
        if not isinstance(penalty, Value):
            return loss + penalty, missing
        penalty.backward()
        for k, p in enumerate(self._learned):
            if p.has_grad:
                slopes[k] += p.grad
                missing.discard(k)
        return loss + penalty.data, missing

    def _move(self, slopes: "array[float]", missing: set[int]) -> float:
        """Moves the parameters; the length of the gradient."""
        if len(missing) == len(self._learned):
            raise ValueError(NOTHING_TO_MOVE)
        if not self._own_steps():
            with suppress(ReplayError):  # which an optimiser's own step does without
                mover = self._mover_of(tuple(sorted(missing)))
                found = array("d", [z for k, z in enumerate(slopes) if k not in missing])
                mover.gradient[:] = found.tolist() if mover.is_exact else view(found)
                norm = mover.move()
                if norm is not None:
                    return norm
        self.store()
        self._movers.clear()
        self.optimizer.zero_grad()
        moved = [
            (p, slope)
            for k, (p, slope) in enumerate(zip(self._learned, slopes, strict=True))
            if k not in missing
        ]
        for p, slope in moved:
            p.grad = slope
        norm = length([slope for _, slope in moved])
        self.optimizer.step()
        return norm

    def _mover_of(self, missing: tuple[int, ...]) -> Mover:
        """What moves all parameters but some, with the newest numbers."""
        mover = self._movers.get(missing)
        if mover is None or mover.is_outdated():
            out = set(missing)
            moved = tuple(p for k, p in enumerate(self._learned) if k not in out)
            self.store()
            mover = Mover(self.optimizer, moved)
            if self.backend not in ("eager", "python") and is_ours(self.optimizer):
                mover = FlatMover(self.backend, self.optimizer, moved)
            if len(self._movers) > LIMIT:
                self._movers.clear()
            self._movers[missing] = mover
        if self._mover is not mover:
            self.store()
            mover.load()
            self._mover = mover
        return mover


def _added(parts: Sequence[Part]) -> tuple[float, "array[float]", set[int]]:
    """Losses and slopes, added from the first to the last; which Values have none in any."""
    first, *others = parts
    loss, slopes = first.loss, array("d", first.slopes)
    for part in others:
        loss += part.loss
        slopes = array("d", map(add, slopes, array("d", part.slopes)))
    return loss, slopes, set.intersection(*(set(part.missing) for part in parts))


def _as_bytes(numbers: Any) -> bytes:
    return bytes(numbers.tobytes() if isinstance(numbers, memoryview) else array("d", numbers))
