"""Training: gradient descent, stochastic gradient descent, and `fit` beneath both."""

import csv
import inspect
import math
import operator
import random
import time
import warnings
from array import array
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate, chain, islice, repeat, takewhile
from os import PathLike
from reprlib import repr as short
from typing import TYPE_CHECKING, Any, NamedTuple, NoReturn, Protocol, cast

from engine.functions import sum as sum_of
from engine.modes import is_watched
from engine.names import no_such
from engine.ops import fsum
from engine.undo import trial
from engine.value import Value, set_each
from engine.witness import outside
from nn import checkpoint as checkpoints
from nn.checkpoint import Identity, Standing, Watched
from nn.data import Data, Decision, as_dataset, decision, one_hot, shuffled
from nn.descent import BatchLoss, Descent, Taken
from nn.files import check_writable
from nn.link import Aims
from nn.loss import binary_cross_entropy, check_loss, cross_entropy, hinge, mae, mse
from nn.module import MLP, check_model, finite, size, switch
from nn.optim import SGD, Optimizer, Schedule, check_optimizer, check_rate, constant
from nn.plain import is_arithmetic, is_stateless
from nn.progress import Interrupt, collector_paused, reporting
from nn.rows import EachRow, with_floats
from nn.table import Batch, Table

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Model(Protocol):
    """What can be trained: called with one example, and made of parameters."""

    def __call__(self, x: Any, /) -> Any:
        """The output for one example: a Value, or a list of them."""

    def parameters(self) -> list[Value]:
        """The Values to learn."""


Loss = Callable[[Any, Any], Value]
UNSEEN = 0.005  # seconds of steps between two looks at the world, as Python's threads take turns
ALL_DONE, INTERRUPTED = "all steps done", "interrupted"
LETTERS = 256  # integers in examples that a model is tried on before training


class Step(NamedTuple):
    """One step of training, counted from 0.

    `loss` (with the penalty), `accuracy` (from 0 to 1, None where targets are amounts) and
    `gradient_norm` are those of its batch before the parameters moved; `seconds` is its own time;
    `points_seen` counts examples since the start, each as often as it was looked at. The
    validation numbers (without the penalty) stand at the end of each pass over the data.
    """

    step: int
    loss: float
    accuracy: float | None
    gradient_norm: float
    learning_rate: float
    seconds: float
    points_seen: int
    validation_loss: float | None = None
    validation_accuracy: float | None = None

    def __str__(self) -> str:
        parts = [f"loss {self.loss:.4g}"]
        if self.accuracy is not None:
            parts.append(f"accuracy {self.accuracy:.1%}")
        if self.validation_loss is not None:
            parts.append(f"validation loss {self.validation_loss:.4g}")
        return ", ".join(parts)


@dataclass(repr=False)
class History:
    """The numbers of every step: one list for each field of `Step`; `history[-1]` is a `Step`.

    `ended` says why training ended; `kept` is the step whose weights an early stop left (or None).
    """

    step: list[int] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    accuracy: list[float | None] = field(default_factory=list)
    gradient_norm: list[float] = field(default_factory=list)
    learning_rate: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    points_seen: list[int] = field(default_factory=list)
    validation_loss: list[float | None] = field(default_factory=list)
    validation_accuracy: list[float | None] = field(default_factory=list)
    ended: str = ALL_DONE
    kept: int | None = None  # the step whose weights an early stop left

    def __len__(self) -> int:
        return len(self.step)

    def __getitem__(self, index: int) -> Step:
        if isinstance(index, slice):
            raise TypeError("a History gives one step, history[-1]; slice a list: history.loss[:2]")
        return Step(*(column[index] for column in self._columns()))

    def __repr__(self) -> str:
        last = f"{self[-1]}; {fsum(self.seconds):.3g} s; " if len(self) else ""
        start, end = self.start_and_end() if len(self) else (0.0, 0.0)
        risen = f"; the loss rose, {start:.4g} -> {end:.4g}: try a smaller lr" * (end > start)
        return f"History({len(self)} steps; {last}{self.ended}{risen})"

    def start_and_end(self) -> tuple[float, float]:
        """The mean loss of the first hundredth of the steps, and that of the last tenth."""
        first, last = (math.ceil(len(self) / share) for share in (100, 10))
        return fsum(self.loss[:first]) / first, fsum(self.loss[-last:]) / last

    def _columns(self) -> list[list[Any]]:
        return [getattr(self, name) for name in Step._fields]

    def append(self, step: Step) -> None:
        """Adds one step."""
        self.extend([(each,) for each in step])

    def extend(self, columns: Sequence[Sequence[Any]]) -> None:
        """Adds some steps, as a column for each field of `Step`."""
        for column, numbers in zip(self._columns(), columns, strict=True):
            column.extend(numbers)

    def replace_last(self, step: Step) -> None:
        """Puts another step in the place of the last one."""
        for column, number in zip(self._columns(), step, strict=True):
            column[-1] = number

    def elapsed(self) -> list[float]:
        """The seconds from the start to the end of each step."""
        return list(accumulate(self.seconds))

    def to_csv(self, path: str | PathLike[str]) -> None:
        """Writes one line a step under a line of names; a field that is None stays empty."""
        with open(path, "w", encoding="utf-8", newline="") as file:
            lines = csv.writer(file, lineterminator="\n")
            lines.writerow(Step._fields)
            lines.writerows(zip(*self._columns(), strict=True))

    def plot(self) -> "Figure":
        """The curves as a matplotlib Figure."""
        from nn.plot import plot_history

        return plot_history(self)


class DivergedError(FloatingPointError):
    """A step met nan or inf and was not taken; `history` has the steps before it."""

    history: History


class TrainingInterrupted(UserWarning):
    """Ctrl-C ended training before all steps were done; `history.ended` says "interrupted"."""


# --- the loops --------------------------------------------------------------------------------


def gradient_descent(
    model: Model, loss: Loss, data: Data, *, lr: float | Schedule, steps: int, **settings: Any
) -> History:
    """Each step goes down the average slope of all points. `settings` are those of `fit`.

    >>> from nn.loss import mse
    >>> from nn.module import Neuron
    >>> line = Neuron(1, nonlin=False, seed=0)
    >>> history = gradient_descent(line, mse, ([[1.0], [2.0], [3.0]], [2, 4, 6]), lr=0.1, steps=400)
    >>> f"y = {line.w[0]:.3f} x + {line.b:.3f}"
    'y = 2.000 x + 0.000'
    """
    return fit(model, loss, data, lr=lr, steps=steps, batch_size=None, **settings)


def stochastic_gradient_descent(
    model: Model, loss: Loss, data: Data, *, lr: float | Schedule, steps: int, **settings: Any
) -> History:
    """Each step goes down the slope of one point, drawn at random. `settings` as in `fit`."""
    return fit(model, loss, data, lr=lr, steps=steps, batch_size=1, replacement=True, **settings)


def fit(
    model: Model,
    loss: Loss,
    data: Data,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    replacement: bool = False,
    optimizer: Optimizer | None = None,
    lr: float | Schedule | None = None,
    validation: Data | None = None,
    early_stop: int | None = None,
    callbacks: Sequence[Callable[[Step], object]] = (),
    seed: int = 0,
    penalty: Callable[[Any], Value] | None = None,
    progress: bool | None = None,
    backend: str = "auto",
    checkpoint: str | PathLike[str] | None = None,
    every: int = 100,
    resume: str | PathLike[str] | None = None,
    **mistyped: NoReturn,
) -> History:
    """Trains `model` in place to make the mean of `loss(model(x), y)` over `data` small.

    Runs for so many `steps`, or `epochs` (passes over the data). A step looks at `batch_size`
    points (None: all of them, in order): the next ones of a shuffled pass, or, with
    `replacement`, each drawn anew from all. `seed` fixes shuffling and draws.

    `optimizer` is plain `SGD` unless given. `lr` is a number or a function of the step's number,
    set at every step; without it the optimizer's own counts, which `SGD` has only if it was given.
    `penalty(model)` is added to each step's loss, such as `lambda m: 1e-4 * l2(m.parameters())`.
    `validation` data is looked at after each pass; `early_stop=k` ends training after k looks
    without a lower loss, and leaves the parameters as they were at the lowest. Each of
    `callbacks` is called with every `Step`; one that returns True ends training.

    Steps are replayed (see `engine.replay`): the loss of a batch is recorded as scalars and run as
    loops, by the fastest `backend` that is there. Everything that model, loss and penalty read is
    looked at before every step, or, where no code of yours runs between steps, before all that are
    done in some 5 ms: what a callback, a widget or another thread changed counts at the
    next one. (But for the numbers of the parameters: those are training's own between two calls of
    a callback, and what another thread sets there is lost.) Where a loss cannot be replayed (it
    counts, draws random numbers, prints), training goes on eagerly after one warning, as it does
    without a warning where `step`, `take`, `zero_grad` of the optimizer are your own, or its
    `rates` are more than arithmetic on settings. `backend="eager"` turns replay off. Before the
    first step the model is tried on the data; what that changed in it is undone, but what it took
    from a generator (`next(...)`) is gone.

    `progress` shows a bar (tqdm, or else a plain line) on stderr; None: where that is a terminal.
    Ctrl-C ends training after the current step, with the history so far; a second one at once. The
    program goes on then, after a `TrainingInterrupted` warning: to end it instead, make this an
    error, `warnings.simplefilter("error", TrainingInterrupted)`, or ask `history.ended`.

    `checkpoint="run.json"` writes where training stands after `every` so many steps and at its end.
    The same call with `resume="run.json"` goes on from there, to the same bits as without a stop:
    parameters, optimiser, schedule, shuffling, early stop, and the history so far. `steps` counts
    from the very start; give both to go on writing. Another training is refused, and the error
    says what differs: model, loss, penalty and schedule are compared by their names, by the code
    that is yours, and by what they hold, as it was at the start or when the file was written.
    Globals, and what callbacks hold, are theirs to keep. Name a `backend` for the same bits: "auto"
    changes it by the clock. A run that was eager goes on so. Where rounding decides a comparison,
    the last bits may differ.

    Raises ValueError before the first step where data, model, loss and settings do not fit, and
    DivergedError at the first step whose loss, gradient or new parameters are not finite, without
    taking it. Raises OSError, also before the first step, where no checkpoint can be written.
    Raises ValueError where the first step finds no gradient in the optimizer's
    parameters: they are not those of the model, or `no_grad` is on.
    """
    _check_calls(model, loss, callbacks, penalty, every, mistyped)
    xs, ys = _plain(data, loss)
    decide = _fitting(model, loss, xs, ys)
    optimizer = _default_optimizer(model, lr) if optimizer is None else optimizer
    check_optimizer("fit", optimizer)
    replacement = switch("replacement", replacement)
    progress = None if progress is None else switch("progress", progress)
    batch = len(xs) if batch_size is None else size("points in a batch", batch_size)
    per_pass = math.ceil(len(xs) / batch)
    total = _step_count(steps, epochs, per_pass)
    held_out = _validation(
        validation, early_stop, backend, model, loss, decide, optimizer.parameters
    )
    xs, ys = as_floats(model, loss, xs, ys)
    run = _Training(model, optimizer, held_out, per_pass, total)
    if checkpoint is not None or resume is not None:
        training = (model, loss, penalty, optimizer, (xs, ys), held_out and held_out.data)
        run.identity = checkpoints.identity(
            *training,
            lr=optimizer.lr if lr is None else lr,
            batch_size=batch,
            replacement=replacement,
            seed=seed,
        )._replace(former_data=partial(with_rows, model, loss, xs, ys))
    if resume is not None:
        backend = run.go_on(resume, backend)
    if checkpoint is not None:
        check_writable(checkpoint)
    history = run.history
    table = Table(xs, ys)
    drawn = islice(batches(len(xs), batch, replacement, random.Random(seed)), len(history), None)
    descent = Descent(mean_loss(model, loss, penalty), optimizer, backend, run.recorded)
    taken = _Steps(descent, decide, table, drawn, _rate(lr, optimizer), history)
    keep = partial(run.save, checkpoint, descent)
    with Interrupt() as interrupt, reporting(progress, total) as report:
        try:
            for step in run.looked_after(taken, descent, callbacks, every if checkpoint else 0):
                report(len(history), step)
                history.ended = run.ending(_is_called_off(callbacks, step), interrupt.asked)
                if history.ended != ALL_DONE:
                    break
                if len(history) % every == 0:
                    keep()
            keep()
        except KeyboardInterrupt:
            history.ended = INTERRUPTED
        except DivergedError as error:
            error.history = history
            raise
        finally:
            descent.store()
    if held_out and early_stop is not None:
        history.kept = held_out.restore(history.validation_loss)
    if history.ended == INTERRUPTED:
        words = f"training interrupted at step {len(history)} of {total}"
        warnings.warn(words, TrainingInterrupted, stacklevel=outside())
    return history


def evaluate(
    model: Model, loss: Loss, data: Data, *, backend: str = "auto"
) -> tuple[float, float | None]:
    """The mean loss over `data`, and the share of it put in the right class (None for amounts).

    Many rows are computed in blocks, by replay, a few row by row. Then the last digits may be
    others than those of one row after the other, but the same in each run; with `backend` "python"
    or "eager" they are the same as these.

    >>> from nn.module import Neuron
    >>> sign = Neuron(1, nonlin=False)
    >>> sign.load_state_dict({"w.0": 1.0, "b": 0.0})
    >>> evaluate(sign, hinge, ([[-2.0], [0.5]], [-1, 1]))
    (0.25, 1.0)
    """
    _check_model_and_loss("evaluate", model, loss)
    xs, ys = _plain(data, loss)
    decide = _fitting(model, loss, xs, ys)
    judged = judging(model, loss, backend)(*as_floats(model, loss, xs, ys))
    return mean_and_accuracy(judged, decide, ys)


# --- one step ---------------------------------------------------------------------------------


def mean_loss(model: Model, loss: Loss, penalty: Callable[[Any], Value] | None) -> BatchLoss:
    """The function of a batch that training makes small; it returns the outputs too."""

    def run(xs: Sequence[Any], ys: Sequence[Any]) -> tuple[Value, list[Any]]:
        outputs = [model(x) for x in xs]
        losses = [loss(output, y) for output, y in zip(outputs, ys, strict=True)]
        total = losses[0] if len(losses) == 1 else sum_of(losses) / len(losses)
        return (total + penalty(model) if penalty else total), outputs

    run.__name__ = "the loss of a batch"  # to those who read a message
    return run


class _Steps:
    """The steps of a training, some at a time: between these nobody looks at the parameters."""

    def __init__(
        self,
        descent: Descent,
        decide: Decision | None,
        data: Table,
        batches: Iterator[Batch],
        rate: Schedule | None,
        history: History,
    ) -> None:
        self._descent, self._optimizer, self._data = descent, descent.optimizer, data
        self._decide, self._rate = decide, rate
        self._points_seen = history.points_seen[-1] if len(history) else 0
        self._batches, self._drawn = batches, deque[Batch]()
        self._labels = list(map(decide.label_of, data.ys)) if decide else []
        self._aims = _aims(decide, self._labels) if decide else None
        self._most = 2  # that are tried together

    def take(self, number: int, most: int) -> list[Sequence[Any]]:
        """Takes the step of a number, and some after it, at most so many: columns as of `Step`."""
        start = time.perf_counter()
        count = min(most, self._most)
        rates = self._rates_of(number, count) if self._rate and count > 1 else []
        group = self._group(len(rates) if self._rate else count)
        several = self._descent.several
        many = several(self._data, group, rates, self._aims) if len(group) > 1 else None
        if not (many and many.losses):
            return [(each,) for each in self._one(number, start)]
        taken, points = len(many.losses), self._points(group[0])
        for _ in range(taken):
            self._drawn.popleft()
        seconds = time.perf_counter() - start
        if seconds > UNSEEN:
            self._most = max(2, self._most // 2)
        elif taken == self._most:
            self._most *= 2
        first = self._points_seen + points
        self._points_seen += taken * points
        nothing = [None] * taken
        return [
            range(number, number + taken),
            many.losses,
            [right / points for right in many.rights] if self._decide else nothing,
            many.gradient_norms,
            rates[:taken] or [self._optimizer.lr] * taken,
            [seconds / taken] * taken,
            range(first, self._points_seen + 1, points),
            nothing,
            nothing,
        ]

    def _group(self, most: int) -> list[Batch]:
        """The next batches of one length, at most so many; they are still to be taken."""
        most = max(1, most)
        self._drawn.extend(islice(self._batches, max(0, most - len(self._drawn))))
        points = self._points(self._drawn[0])
        alike = takewhile(lambda rows: self._points(rows) == points, self._drawn)
        return list(islice(alike, most))

    def _points(self, rows: Batch) -> int:
        return len(self._data if rows is None else rows)

    def _rates_of(self, number: int, count: int) -> list[float]:
        """The rates of the next steps; fewer where one is wrong, none where code may look."""
        found: list[float] = []
        with suppress(Exception):  # a step of its own meets it again
            if is_arithmetic(self._rate):
                found.extend(map(self._rate_of, range(number, number + count)))
        return found

    def _rate_of(self, number: int) -> float:
        lr = cast(Schedule, self._rate)(number)
        if lr is self._optimizer.lr:  # which was looked at
            return lr
        return finite(f"the learning rate of step {number}", lr, least=0.0)

    def _one(self, number: int, start: float) -> Step:
        """Takes one step."""
        rows, optimizer = self._drawn.popleft(), self._optimizer
        if self._rate:
            if not is_arithmetic(self._rate):  # it may look at the parameters, and move them
                self._descent.store()
            lr = self._rate_of(number)
            if lr != optimizer.lr:
                optimizer.lr = lr
        try:
            taken = self._descent.step(self._data, rows)
        except FloatingPointError as error:
            origin = "" if is_watched() else self._descent.origin(self._data, rows)
            where = f": {origin}" if origin else ""
            raise DivergedError(
                f"step {number}: {error}{where}. The parameters are as before this step. Try a "
                f"smaller learning rate (now {optimizer.lr:g}) or smaller inputs (standardise)"
            ) from error
        self._points_seen += self._points(rows)
        accuracy = self._accuracy(taken, rows) if self._decide else None
        seconds = time.perf_counter() - start
        loss, norm = taken.loss, taken.gradient_norm
        return Step(number, loss, accuracy, norm, optimizer.lr, seconds, self._points_seen)

    def _accuracy(self, taken: Taken, rows: Batch) -> float:
        aims = self._labels if rows is None else [self._labels[row] for row in rows]
        chosen = taken.largest()
        if chosen is None:
            chosen = cast(Decision, self._decide).labels_of(taken.outputs())
        return float(sum(map(operator.eq, chosen, aims)) / len(aims))


def _aims(decide: Decision, labels: Sequence[int]) -> Aims:
    places = {label: k for k, label in enumerate(decide.labels)}
    return Aims(array("i", [places.get(label, -1) for label in labels]), 2 * decide.threshold)


def _is_called_off(callbacks: Sequence[Callable[[Step], object]], step: Step) -> bool:
    """Calls all of them; whether one said to end."""
    answers = [callback(step) for callback in callbacks]
    return any(answer is True for answer in answers)


def _check_model_and_loss(who: str, model: object, loss: object) -> None:
    check_loss(who, model, loss)
    check_model(who, model)


def _check_calls(
    model: object,
    loss: object,
    callbacks: object,
    penalty: object,
    every: int,
    mistyped: Mapping[str, object],
) -> None:
    """TypeError for a setting that `fit` has not, or that is no function where one is needed."""
    if mistyped:
        known = [name for name in inspect.signature(fit).parameters if name != "mistyped"]
        raise TypeError(f"fit has {no_such('argument', next(iter(mistyped)), known)}")
    _check_model_and_loss("fit", model, loss)
    size("steps between checkpoints", every)
    if callable(callbacks) or not isinstance(callbacks, Iterable):
        raise TypeError(
            f"callbacks expected a list of functions, such as [print], got {callbacks!r:.40}"
        )
    for name, thing in (*(("a callback", each) for each in callbacks), ("penalty", penalty)):
        if not (callable(thing) or (name == "penalty" and thing is None)):
            raise TypeError(f"{name} expected a function, got {thing!r:.40}")


def _default_optimizer(model: Model, lr: float | Schedule | None) -> Optimizer:
    if lr is None:
        raise ValueError("fit expected lr (a number, or a function of the step) or optimizer")
    if not hasattr(model, "parameters"):
        raise TypeError(
            f"fit expected a model with parameters(), got {type(model).__name__}: derive it from "
            "nn.Module, or give optimizer=SGD([...], lr=...) what to learn"
        )
    return SGD(model.parameters(), lr=0.0)  # `_rate` sets lr before each step


def _step_count(steps: int | None, epochs: int | None, per_pass: int) -> int:
    if steps is not None and epochs is None:
        return size("steps", steps)
    if epochs is not None and steps is None:
        return size("epochs", epochs) * per_pass
    raise ValueError("fit expected one of steps and epochs")


def _rate(lr: float | Schedule | None, optimizer: Optimizer) -> Schedule | None:
    """The schedule that sets the optimizer's rate at each step; None: its own counts."""
    if lr is None:
        check_rate(optimizer)
        return None
    return lr if callable(lr) else constant(finite("lr", lr, least=0.0))


def batches(n: int, batch: int, replacement: bool, rng: random.Random) -> Iterator[Batch]:
    """Endless batches of n rows: the next of a shuffled pass, or, with replacement, drawn anew."""
    if batch >= n and not replacement:
        yield from repeat(None)
    while True:
        order = [int(rng.random() * n) for _ in range(batch)] if replacement else shuffled(n, rng)
        rows = array("i", order)
        for start in range(0, len(rows), batch):
            yield rows[start : start + batch]


# --- does the data fit? -----------------------------------------------------------------------


def _plain(data: Data, loss: Loss, name: str = "") -> tuple[list[Any], list[Any]]:
    """xs and ys as lists of finite numbers, or of lists and dicts of them.

    Classes are ints, though they came as floats. ValueError naming another number.
    """
    whole = as_dataset(data, name or "data")
    beginning = f"{name} " if name else ""
    xs, ys = _numbers(whole.xs, f"{beginning}xs"), _numbers(whole.ys, f"{beginning}ys")
    if loss is cross_entropy:
        ys = [int(y) if isinstance(y, float) and y.is_integer() else y for y in ys]
    return xs, ys


def _numbers(thing: Any, where: str) -> Any:
    if hasattr(thing, "tolist"):  # NumPy's
        thing = thing.tolist()
    if isinstance(thing, dict):
        return {key: _numbers(part, f"{where}[{key!r}]") for key, part in thing.items()}
    if not isinstance(thing, (list, tuple)):
        if isinstance(thing, str | bool):
            of_text = "texts need numbers of their own, such as names.index(text)"
            words = of_text if isinstance(thing, str) else "write int(x) for 1 or 0"
            raise ValueError(f"{where} expected a finite number, got {short(thing)}: {words}")
        finite(where, thing)
        return thing
    if _are_finite(thing):
        return list(thing)
    if {*map(type, thing)} == {list} and _are_finite([*chain.from_iterable(thing)]):
        return list(map(list, thing))
    return [_numbers(part, f"{where}[{i}]") for i, part in enumerate(thing)]


def _are_finite(things: Sequence[Any]) -> bool:
    """Whether these are finite numbers of Python: the usual, and fast."""
    if not {*map(type, things)} <= {float, int}:
        return False
    try:
        return math.isfinite(sum(things)) or all(map(math.isfinite, things))
    except OverflowError:  # an int beyond floats
        return False


def _fitting(model: Model, loss: Loss, xs: list[Any], ys: list[Any]) -> Decision | None:
    """Tries the loss on every target, then says how outputs become classes.

    The model runs once for each length of its input, and for letters, up to some number, that it
    did not meet before. What it counts or remembers is undone; a layer that it builds when first
    called stays.
    """
    tried = partial(_tried, xs, ys)
    with collector_paused():  # the graphs have no cycles: to look for some is time lost
        output = tried(model, loss) if is_stateless(model, loss) else trial(tried, model, loss)
    return decision(ys, output, threshold=0.0 if loss is binary_cross_entropy else None)


def _tried(xs: list[Any], ys: list[Any], model: Model, loss: Loss) -> Any:
    """An output of the model; ValueError naming the first example that does not fit."""
    outputs: dict[int | None, Any] = {}
    known: set[int] = set()
    tried: set[Any] = set()
    lengths = [len(x) if isinstance(x, list) else None for x in xs]
    firsts: dict[int | None, int] = {}
    for i, length in enumerate(lengths):
        firsts.setdefault(length, i)
    for i in dict.fromkeys([*firsts.values(), *range(len(xs))]):  # each length, then letters
        x, y, length = xs[i], ys[i], lengths[i]
        letters = set() if type(model) is MLP else _integers(x) - known
        kind = length, _asked(loss, y)
        if kind in tried and not (letters and len(known) < LETTERS):
            continue
        tried.add(kind)
        try:
            if length not in outputs or (letters and len(known) < LETTERS):
                known |= letters
                outputs[length] = _learnable(model(x))
            result = loss(outputs[length], y)
        except (ValueError, TypeError, IndexError) as error:
            raise ValueError(f"example {i} does not fit: {error}") from error
        if not isinstance(result, Value):
            raise ValueError(
                f"the loss returned {result!r:.40}, expected a Value: compute with what the model "
                "returned, not with its .data"
            )
    return outputs.popitem()[1]


def _learnable(output: Any) -> Any:
    """What a model returned; ValueError where it is plain numbers."""
    parts = output if isinstance(output, list | tuple) and output else [output]
    if all(isinstance(part, int | float) for part in parts):
        raise ValueError(
            f"the model returned {short(output)}, expected Values: are its weights Values, and "
            "computed with, not with their .data?"
        )
    return output


def _integers(x: Any) -> set[int]:
    """The integers in an example, which may be rows to pick."""
    if isinstance(x, list):
        return {n for part in x for n in _integers(part)}
    return {x} if isinstance(x, int) else set()


def _asked(loss: Loss, y: Any) -> Any:
    """What of a target can make it unfit: its value, or its shape where any number fits."""
    if isinstance(y, list):
        return (list, *[_asked(loss, part) for part in y])
    if not isinstance(y, (int, float)):
        return object()  # like no other
    return None if loss in (mse, mae) else (type(y), y)


def judging(model: Model, loss: Loss, backend: str = "auto", has_slopes: bool = False) -> EachRow:
    """What gives the loss of each row, and the output."""

    def judge(x: Any, y: Any) -> tuple[Value, Any]:
        output = model(x)
        return loss(output, y), output

    return EachRow(judge, backend, has_slopes)


def mean_and_accuracy(
    judged: Sequence[tuple[float, Any]], decide: Decision | None, ys: Sequence[Any]
) -> tuple[float, float | None]:
    """The mean of the losses, and the share of the outputs that stand for their targets."""
    losses, outputs = zip(*judged, strict=True)
    return fsum(losses) / len(losses), decide.share_right(outputs, ys) if decide else None


def as_floats(model: Model, loss: Loss, xs: list[Any], ys: list[Any]) -> tuple[Any, Any]:
    """Data with floats where the model and the loss take floats as well as integers.

    Integers that are computed with are part of the shape of a recording, so that each of them
    would need its own; classes are not, since a loss only picks by them.
    """
    if loss in (mse, mae, hinge, binary_cross_entropy):
        ys = [float(y) if isinstance(y, int) else y for y in ys]
    return with_floats(model, xs), ys


def with_rows(model: Model, loss: Loss, xs: list[Any], ys: list[Any]) -> tuple[Any, Any] | None:
    """The data with classes as rows of 0 and 1, which is what older checkpoints tell of."""
    if loss is not cross_entropy or any(isinstance(y, list) for y in ys):
        return None
    classes = len(trial(lambda model: model(xs[0]), model))
    return xs, [one_hot(y, classes) for y in ys]


# --- around the loop --------------------------------------------------------------------------


@dataclass
class _Validation:
    """Looks at the validation data, and keeps the parameters of the lowest loss."""

    look: Callable[[int], tuple[float, float | None]]
    data: tuple[list[Any], list[Any]]
    parameters: list[Value]
    patience: int | None
    seen: Watched = field(default_factory=Watched)
    before: Watched = field(default_factory=Watched)  # the last look

    def look_after(self, step: Step, before: int) -> Step:
        """The step with a look; so many looks were `before`."""
        loss, accuracy = self.look(before)
        self.before = self.seen
        if loss < self.seen.lowest:
            self.seen = Watched(loss, 0, tuple([p.data for p in self.parameters]))
        else:
            self.seen = self.seen._replace(looks_since=self.seen.looks_since + 1)
        return step._replace(validation_loss=loss, validation_accuracy=accuracy)

    @property
    def tired(self) -> bool:
        return self.patience is not None and self.seen.looks_since >= self.patience

    def restore(self, losses: list[float | None]) -> int | None:
        """Goes back to the parameters of the lowest of the losses; which one that is."""
        if not self.seen.best:
            return None
        set_each("data", self.parameters, self.seen.best)
        return next((k for k, loss in enumerate(losses) if loss == self.seen.lowest), None)


@dataclass
class _Training:
    """A training and where it stands: what a checkpoint holds."""

    model: Model
    optimizer: Optimizer
    validation: _Validation | None
    per_pass: int
    total: int
    identity: Identity = field(default_factory=Identity)
    history: History = field(default_factory=History)
    recorded: Sequence[str] = ()  # in the part before this one

    def looked_after(
        self, steps: _Steps, descent: Descent, lookers: Sequence[object], pause: int
    ) -> Iterator[Step]:
        """Takes the steps that are left; gives the last of each group, when all are in the history.

        The parameters are set where somebody looks at them: at each step if there are `lookers`,
        else after a pass. A group ends there, and after each `pause` steps, if it is not 0.
        """
        if self.validation is not None and self.validation.tired:
            return
        while (done := len(self.history)) < self.total:
            rests = [self.total - done]
            rests += [self.per_pass - done % self.per_pass] if self.validation else []
            rests += [pause - done % pause] if pause else []
            self.history.extend(steps.take(done, 1 if lookers else min(rests)))
            done = len(self.history)
            look = self.validation and (done % self.per_pass == 0 or done == self.total)
            if look or lookers:
                descent.store()
            if look:
                self.history.replace_last(self._seen(self.history[-1]))
            yield self.history[-1]

    def _seen(self, step: Step) -> Step:
        """The step with a look at the validation data, if there are any."""
        passes = step.step // self.per_pass
        return self.validation.look_after(step, passes) if self.validation else step

    def ending(self, is_called_off: bool, is_interrupted: bool) -> str:
        """Why training ends after this step, or `ALL_DONE`."""
        is_tired = self.validation is not None and self.validation.tired
        reasons = {
            "a callback said so": is_called_off,
            "early stop": is_tired,
            INTERRUPTED: is_interrupted,
        }
        return next((reason for reason, holds in reasons.items() if holds), ALL_DONE)

    def save(self, path: str | PathLike[str] | None, descent: Descent) -> None:
        """Writes it. A look at the end is left out within a pass: longer training has none there.

        Raises OSError, naming the file, where that fails; the former one is as it was.
        """
        if path is None:
            return
        descent.store()
        columns = {name: getattr(self.history, name) for name in Step._fields}
        seen = self.validation.seen if self.validation else Watched()
        if self.validation and len(self.history) % self.per_pass:
            if columns["validation_loss"][-1] is not None:
                seen = self.validation.before
            for name in ("validation_loss", "validation_accuracy"):
                columns[name] = [*columns[name][:-1], None]
        weights = checkpoints.weights_of(self.model, self.optimizer)
        standing = Standing(columns, seen, descent.backend, descent.recorded)
        checkpoints.save(path, self.identity, weights, self.optimizer, standing)

    def go_on(self, path: str | PathLike[str], backend: str) -> str:
        """Goes back to where the file stands; the backend to go on with."""
        weights = checkpoints.weights_of(self.model, self.optimizer)
        training = self.identity, weights, self.optimizer
        standing = checkpoints.resume(path, *training, most=self.total)
        self.history = History()
        vars(self.history).update(standing.columns)
        if self.validation:
            self.validation.seen = standing.watched
            if len(self.history) == self.total and self.total % self.per_pass:
                step = self._seen(self.history[-1])
                self.history.validation_loss[-1] = step.validation_loss
                self.history.validation_accuracy[-1] = step.validation_accuracy
            self.history.ended = self.ending(False, False)
        if backend != "auto":
            self.recorded = standing.recorded
        former = standing.backend
        return former if former == "eager" or (backend, former) == ("auto", "c") else backend


def _validation(
    validation: Data | None,
    patience: int | None,
    backend: str,
    model: Model,
    loss: Loss,
    decide: Decision | None,
    parameters: list[Value],
) -> _Validation | None:
    if validation is None:
        if patience is not None:
            raise ValueError("early_stop expected validation data to look at")
        return None
    held_out = _plain(validation, loss, "validation")
    _fitting(model, loss, *held_out)
    floats, judge = as_floats(model, loss, *held_out), judging(model, loss, backend)

    def look(before: int) -> tuple[float, float | None]:
        judged = judge(*floats, before=before * len(held_out[0]))
        return mean_and_accuracy(judged, decide, held_out[1])

    if patience is not None:
        size("looks before an early stop", patience)
    return _Validation(look, held_out, parameters, patience)
