"""Training: gradient descent, stochastic gradient descent, and `fit` beneath both."""

import math
import random
from collections.abc import Callable, Sequence
from functools import partial
from itertools import islice
from os import PathLike
from typing import Any, NoReturn

from engine.files import check_writable
from engine.replay.replay import Replay
from engine.value import Value
from nn.asking import Executor, ShardError, shards_of
from nn.checks import size, switch
from nn.data import Data
from nn.descent import BatchLoss, Descent, replay_of
from nn.ground import Ground, ground
from nn.history import ALL_DONE, INTERRUPTED, DivergedError, History, Step, warn_of_end
from nn.identity import identity
from nn.judging import (
    Loss,
    Model,
    as_floats,
    fitting,
    judging,
    mean_and_accuracy,
    plain_data,
    with_rows,
)
from nn.optimizer import Optimizer, check_optimizer
from nn.progress import Interrupt, Report, reporting
from nn.schedules import Schedule
from nn.settings import (
    check_functions,
    check_model_and_loss,
    check_names,
    default_optimizer,
    pause_of,
    rate_of,
    step_count,
)
from nn.sharding import Sharded
from nn.stepping import Stepping, batches, mean_loss
from nn.training import Training, validation_of


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


def fit(  # noqa: PLR0913 (settings, by keyword)
    model: Model,
    loss: Loss,
    data: Data | Ground,
    *,
    steps: int | None = None,
    epochs: int | None = None,
    batch_size: int | None = None,
    replacement: bool = False,
    optimizer: Optimizer | None = None,
    lr: float | Schedule | None = None,
    validation: Data | Ground | None = None,
    early_stop: int | None = None,
    callbacks: Sequence[Callable[[Step], object]] = (),
    seed: int = 0,
    penalty: Callable[[Any], Value] | None = None,
    progress: bool | None = None,
    backend: str = "auto",
    checkpoint: str | PathLike[str] | None = None,
    every: int | None = None,
    resume: str | PathLike[str] | None = None,
    executor: Executor | None = None,
    shards: int | None = None,
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

    `checkpoint="run.json"` writes where training stands after `every` so many steps (100 unless
    given) and at its end.
    The same call with `resume="run.json"` goes on from there, to the same bits as without a stop:
    parameters, optimiser, schedule, shuffling, early stop, and the history so far. `steps` counts
    from the very start; give both to go on writing. Another training is refused, and the error
    says what differs: model, loss, penalty and schedule are compared by their names, by the code
    that is yours, and by what they hold, as it was at the start or when the file was written.
    Globals, and what callbacks hold, are theirs to keep. Name a `backend` for the same bits: "auto"
    changes it by the clock. A run that was eager goes on so. Where rounding decides a comparison,
    the last bits may differ.

    `shards=8` cuts each batch into so many parts, and an `executor` has its workers compute them:
    `concurrent.futures.ProcessPoolExecutor()`, joblib's loky, Dask's `client.get_executor()`;
    without one this process does. Losses and slopes are added in the order of the shards: the bits
    are the same on any number of workers, and those of another number of shards are others. "auto"
    is NumPy then, where it is installed, else Python. Model and loss travel by pickle. What they
    cannot do is said before the first step: count, draw random numbers, read a global Value.
    Where a worker is lost, ShardError; a Dask cluster takes another one. docs/outgrow.md says when
    it pays: hardly ever up to a million weights.

    Raises ValueError before the first step where data, model, loss and settings do not fit, and
    DivergedError at the first step whose loss, gradient or new parameters are not finite, without
    taking it. Raises OSError, also before the first step, where no checkpoint can be written.
    Raises ValueError where the first step finds no gradient in the optimizer's
    parameters: they are not those of the model, or `no_grad` is on. Raises ShardError, with the
    history so far, at a step whose shards cannot be computed, without taking it.
    """
    check_names(fit, mistyped)
    check_model_and_loss("fit", model, loss)
    check_functions(callbacks, penalty)
    every = pause_of(every, checkpoint, resume)
    parts = shards_of(shards, executor)
    learned = ground(model, loss, data)
    xs, ys = learned.table.xs, learned.table.ys
    optimizer = default_optimizer(model, lr) if optimizer is None else optimizer
    check_optimizer("fit", optimizer)
    replacement = switch("replacement", replacement)
    progress = None if progress is None else switch("progress", progress)
    batch = len(xs) if batch_size is None else size("points in a batch", batch_size)
    per_pass = math.ceil(len(xs) / batch)
    total = step_count(steps, epochs, per_pass)
    held_out = validation_of(
        None if validation is None else ground(model, loss, validation, "validation", backend),
        early_stop,
        learned.decide,
        optimizer.parameters,
    )
    run = Training(model, optimizer, held_out, per_pass, total)
    if checkpoint is not None or resume is not None:
        training = (model, loss, penalty, optimizer, (xs, ys), held_out and held_out.data)
        run.identity = identity(
            *training,
            lr=optimizer.lr if lr is None else lr,
            batch_size=batch,
            replacement=replacement,
            seed=seed,
            shards=parts and parts.number,
        )._replace(former_data=partial(with_rows, model, loss, xs, ys))
    if resume is not None:
        backend = run.go_on(resume, backend)
    if checkpoint is not None:
        check_writable(checkpoint)
    history = run.history
    drawn = islice(batches(len(xs), batch, replacement, random.Random(seed)), len(history), None)
    if parts:
        functions = model, loss, penalty
        descent: Descent = Sharded(*functions, learned, optimizer, backend, parts, len(history))
    else:
        loss_of = _replayed(
            learned, mean_loss(model, loss, penalty), backend, penalty, checkpoint, resume
        )
        descent = Descent(loss_of, optimizer, backend, run.recorded, run.left)
    taken = Stepping(descent, learned.decide, learned.table, drawn, rate_of(lr, optimizer), history)
    with Interrupt() as interrupt, reporting(progress, total) as report:
        _take_steps(run, taken, descent, callbacks, interrupt, report, checkpoint, every)
    if held_out and early_stop is not None:
        history.kept = held_out.restore(history.validation_loss)
    warn_of_end(history, total)
    return history


def _take_steps(
    run: Training,
    steps: Stepping,
    descent: Descent,
    callbacks: Sequence[Callable[[Step], object]],
    interrupt: Interrupt,
    report: Report,
    checkpoint: str | PathLike[str] | None,
    every: int,
) -> None:
    """Takes the steps that are left, until one ends training; `history.ended` says why.

    A first Ctrl-C lets its step be done, a second one raises KeyboardInterrupt in it. Either way
    the parameters are those after the last whole step.
    """
    history = run.history
    try:
        for step in run.looked_after(steps, descent, callbacks, every if checkpoint else 0):
            report(len(history), step)
            history.ended = run.ending(_is_called_off(callbacks, step), interrupt.asked)
            if history.ended != ALL_DONE:
                break
            if len(history) % every == 0:
                run.save(checkpoint, descent)
        run.save(checkpoint, descent)
    except KeyboardInterrupt:
        history.ended = INTERRUPTED
    except ShardError as error:
        error.history = history
        if not interrupt.asked:
            raise
        history.ended = INTERRUPTED  # a Ctrl-C reaches workers too, and ends those that are idle
    except DivergedError as error:
        error.history = history
        raise
    finally:
        descent.store()


def _is_called_off(callbacks: Sequence[Callable[[Step], object]], step: Step) -> bool:
    """Calls all of them; whether one said to end."""
    answers = [callback(step) for callback in callbacks]
    return any(answer is True for answer in answers)


def evaluate(
    model: Model, loss: Loss, data: Data, *, backend: str = "auto"
) -> tuple[float, float | None]:
    """The mean loss over `data`, and the share of it put in the right class (None for amounts).

    Many rows are computed in blocks, by replay, a few row by row. Then the last digits may be
    others than those of one row after the other, but the same in each run; with `backend` "python"
    or "eager" they are the same as these.

    >>> from nn.loss import hinge
    >>> from nn.module import Neuron
    >>> sign = Neuron(1, nonlin=False)
    >>> sign.load_state_dict({"w.0": 1.0, "b": 0.0})
    >>> evaluate(sign, hinge, ([[-2.0], [0.5]], [-1, 1]))
    (0.25, 1.0)
    """
    check_model_and_loss("evaluate", model, loss)
    xs, ys = plain_data(data, loss)
    decide = fitting(model, loss, xs, ys)
    judged = judging(model, loss, backend)(*as_floats(model, loss, xs, ys))
    return mean_and_accuracy(judged, decide, ys)


def _replayed(
    learned: Ground, run: BatchLoss, backend: str, *settings: object
) -> BatchLoss | Replay:
    """The loss of a batch, with what was recorded of it on this ground before.

    Not with settings: another penalty is another loss, and a checkpoint tells of all recordings.
    """
    if any(setting is not None for setting in settings):
        return run
    return learned.replays.setdefault(backend, replay_of(run, backend))
