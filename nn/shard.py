"""What a worker does: the loss of a shard, some rows of a batch, and its slopes."""

import io
import os
import pickle
import signal
import threading
from array import array
from collections.abc import Sequence
from typing import Any, NamedTuple, TypeAlias

from engine.fork import after_fork
from engine.replay.compare import ReplayError
from engine.replay.recorded import Recorded
from engine.replay.runs import LIMIT
from engine.sweep import forget_each, set_each
from engine.value import Value
from nn.descent import Descent, plain_numbers_allowed
from nn.link import Link
from nn.mover import Mover, view
from nn.optim import SGD
from nn.processes import line_of, other_than
from nn.progress import collector_paused
from nn.rows import plain
from nn.stepping import mean_loss
from nn.table import Table

KEPT = 4  # recipes that a worker remembers: so many trainings may take turns
FOREIGN = (
    "the loss reads a Value that is neither in the model nor in the loss, such as a global one: "
    "workers would not hear of its number; keep it in the model"
)


class Task(NamedTuple):
    """What goes to a worker, in plain things that every version can read.

    `recipe` is left out where the worker should know it by its key. `numbers` are those of all
    Values of the recipe, `rows` of the data, both as bytes. The loss and the slopes are multiplied
    by `share`.
    """

    versions: str
    pid: int  # of the process that asks
    key: bytes
    recipe: bytes | None
    numbers: bytes
    rows: bytes
    share: float
    is_eager: bool


class Part(NamedTuple):
    """What comes back: a loss, slopes as bytes, which Values have none, outputs if wanted."""

    loss: float
    slopes: bytes
    missing: tuple[int, ...]
    outputs: Any


# A part; None where the recipe is not known; words where something is wrong. Never an error: one
# of the user's own might not come through a pipe, and break the whole pool.
Answer: TypeAlias = tuple[Any, ...] | str | None


class Recipe(NamedTuple):
    """All that stays the same between steps; what `packed` and `Shard` agree on."""

    function: bytes  # the model and the loss, with numbers in the places of Values
    values: int  # how many
    learned: int  # so many, the first ones, want slopes
    data: bytes
    backend: str
    wants_outputs: bool


class _Packer(pickle.Pickler):
    """Pickles with the Values left out, and lists them; the first are known."""

    def __init__(self, file: io.BytesIO, known: Sequence[Value]) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.values = list(known)
        self._places = {id(v): k for k, v in enumerate(known)}

    def persistent_id(self, thing: Any) -> int | None:
        if type(thing) is not Value or thing.op is not None:
            return None
        place = self._places.setdefault(id(thing), len(self.values))
        if place == len(self.values):
            self.values.append(thing)
        return place


class _Unpacker(pickle.Unpickler):
    """The other way."""

    def __init__(self, packed: bytes, values: Sequence[Value]) -> None:
        super().__init__(io.BytesIO(packed))
        self._values = values

    def persistent_load(self, place: int) -> Value:
        return self._values[place]


def packed(thing: Any, known: Sequence[Value]) -> tuple[bytes, list[Value]]:
    """A thing as bytes without the numbers of its Values, and these: first those that are known.

    >>> w = Value(2.0)
    >>> first, values = packed({"w": w, "b": Value(1.0)}, [w])
    >>> set_each("data", values, [5.0, 6.0])
    >>> first == packed({"w": w, "b": Value(7.0)}, [w])[0]
    True
    """
    file = io.BytesIO()
    packer = _Packer(file, known)
    packer.dump(thing)
    return file.getvalue(), packer.values


class _Still(Mover):
    """Numbers that came, in the place of a mover: it takes slopes, and moves nothing."""

    def __init__(self, recorded: Recorded, places: dict[Value, int], learned: int) -> None:
        self.parameters, self.spare = recorded.program.parameters, None
        if not places.keys() >= set(self.parameters):
            raise ReplayError(FOREIGN)
        self.is_exact = recorded.backend == "python"
        self._at = [places[p] for p in self.parameters]
        first, last = min(self._at, default=0), max(self._at, default=-1) + 1
        self._run = slice(first, last) if self._at == list(range(first, last)) else None
        known = set(recorded.sources(0).parameters)
        wanted = [(k, at) for k, at in enumerate(self._at) if at < learned]
        self._wanted = [(k, at) for k, at in wanted if self.parameters[k] in known]
        found = {at for _, at in self._wanted}
        self.missing = tuple([at for at in range(learned) if at not in found])
        self._has_all = self._run == slice(0, learned) and not self.missing
        numbers = array("d", bytes(8 * len(self._at)))
        self.gradient = numbers.tolist() if self.is_exact else view(numbers)
        self._learned = learned

    def take(self, numbers: "memoryview[float]") -> None:
        """Picks those of this recording out of all."""
        run = self._run
        if run:
            self.data = numbers[run].tolist() if self.is_exact else numbers[run]
            return
        picked = [numbers[at] for at in self._at]
        self.data = picked if self.is_exact else view(array("d", picked))

    def slopes(self) -> bytes:
        """Those of all Values that want them; 0 where there is none."""
        if self._has_all:
            return array("d", self.gradient).tobytes() if self.is_exact else self._as_bytes()
        slopes = array("d", bytes(8 * self._learned))
        for k, at in self._wanted:
            slopes[at] = self.gradient[k]
        return slopes.tobytes()

    def _as_bytes(self) -> bytes:
        return bytes(self.gradient.tobytes())

    def store(self) -> None:
        """Sets the numbers of the Values, which code of the user's reads."""
        set_each("data", self.parameters, list(self.data))


class Shard(Descent):
    """The loss of some rows at numbers that come from elsewhere, by replay.

    What it gives hangs on the numbers and the rows alone, not on the calls before: every shape of
    a shard is recorded, however many there are, and a first call is a replay too. The last ones are
    kept.
    """

    def __init__(self, recipe: bytes) -> None:
        self.recipe = Recipe(*pickle.loads(recipe))
        self._values = [Value(0.0) for _ in range(self.recipe.values)]
        model, loss = _Unpacker(self.recipe.function, self._values).load()
        self._data = Table(*pickle.loads(self.recipe.data))
        self._places = {v: k for k, v in enumerate(self._values)}
        self._numbers = memoryview(b"").cast("d")
        idle = SGD(self._values)  # steps are taken elsewhere
        super().__init__(mean_loss(model, loss, None), idle, self.recipe.backend)

    @collector_paused()
    def part(self, numbers: bytes, rows: "array[int]", share: float, is_eager: bool) -> Part:
        """The share of a loss, and its slopes; errors are those of the loss."""
        self._numbers = memoryview(numbers).cast("d")
        found: Any = None
        if is_eager or self._eager:
            self._set_all()
            found = self._built(self._data, rows)
        else:
            found = self._forward(self._data, rows) or self._record(self._data, rows)
        part = self._of_link if isinstance(found, Link) else self._of_graph
        return part(found, share)

    def _of_link(self, link: Link, share: float) -> Part:
        still, kernel = link.mover, link.kernel
        assert isinstance(still, _Still)
        loss = float(kernel.values[link.output])
        outputs = link.outputs() if self.recipe.wants_outputs else None
        kernel.backward(tuple([share * seed for seed in link.seeds]))
        link.take_gradient()
        return Part(share * loss, still.slopes(), still.missing, outputs)

    def _of_graph(self, found: tuple[Value, Any], share: float) -> Part:
        total, outputs = found
        learned = self._values[: self.recipe.learned]
        forget_each(learned)
        total.backward(share)
        slopes = array("d", [p.grad for p in learned]).tobytes()
        missing = tuple([k for k, p in enumerate(learned) if not p.has_grad])
        return Part(
            share * total.data,
            slopes,
            missing,
            plain(outputs) if self.recipe.wants_outputs else None,
        )

    def _set_all(self) -> None:
        set_each("data", self._values, self._numbers.tolist())

    def store(self) -> None:
        """Nothing: nothing was moved."""

    def _record(self, data: Table, rows: Any) -> Any:
        """Records the shard, whatever the number of recordings, and runs the kernel."""
        self._set_all()
        with plain_numbers_allowed():
            recorded, own = self._replay.recorder.record(data.given(rows), keeps_all=True)
        return (recorded and self._forward(data, rows, recorded)) or own

    def _link(self, recorded: Recorded) -> Link:
        link = self._links.get(recorded)
        if link is None:
            if len(self._links) >= LIMIT:  # so many recordings are kept
                self._links.clear()
            still = _Still(recorded, self._places, self.recipe.learned)
            link = self._links[recorded] = Link(recorded, still)
        assert isinstance(link.mover, _Still)
        link.mover.take(self._numbers)
        return link


class _Known:
    """The recipes that this process knows, the last one used at the end."""

    def __init__(self) -> None:
        self.renew()

    def renew(self) -> None:
        """Nothing is known, and nobody holds the lock: so a child of a fork begins."""
        self.shards: dict[bytes, Shard] = {}
        self.lock = threading.Lock()  # kernels have one memory each, and workers may be threads

    def keep(self, key: bytes, shard: Shard) -> None:
        """Puts one at the end; of more than KEPT the oldest goes."""
        self.shards[key] = shard
        while len(self.shards) > KEPT:
            del self.shards[next(iter(self.shards))]


_known = _Known()
after_fork(_known.renew)


def compute(*task: Any) -> Answer:
    """Does a task in a worker: a plain `Part`, None where the recipe is not known, or words."""
    return other_than(task[0]) or _computed(Task(*task))


def _computed(task: Task) -> Answer:
    if task.pid != os.getpid() and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for who asked
    with _known.lock:
        shard = _known.shards.pop(task.key, None)
        if shard is None and task.recipe is None:
            return None
        try:
            shard = shard or Shard(task.recipe or b"")
        except Exception as error:
            return (
                f"a worker cannot make the model and the loss ({line_of(error)}): their classes "
                "and functions have to stand in a module that workers can import too (PYTHONPATH)"
            )
        _known.keep(task.key, shard)
        try:
            rows = array("i", task.rows)
            return tuple(shard.part(task.numbers, rows, task.share, task.is_eager))
        except Exception as error:
            return f"the loss failed in a worker: {line_of(error)}"
