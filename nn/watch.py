"""`watch`: a training step to look at, a run of steps, or a mistake beside the right step."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from random import Random
from typing import Any, overload

from engine.names import no_such
from engine.pictures.story.mistake import MISTAKES as BACKWARD_MISTAKES
from engine.pictures.story.mistake import Mistake
from engine.pictures.story.steps import Steps
from engine.replay.undo import copied, undone
from engine.sweep import set_each
from nn.checks import size
from nn.data import Dataset, as_dataset
from nn.judging import Loss, Model, as_floats, with_rows
from nn.loss import check_loss
from nn.optimizer import Optimizer, check_optimizer, check_rate
from nn.scene import Scene
from nn.stepping import batches
from nn.timeline import Run

Example = Dataset | tuple[Any, Any]  # x and y, or lists of them
HIGHEST = 6  # powers of ten that a learning rate is raised by, until the loss goes up


@overload
def watch(model: Model, loss: Loss, data: Example, optimizer: Optimizer) -> Steps: ...
@overload
def watch(
    model: Model,
    loss: Loss,
    data: Example,
    optimizer: Optimizer,
    *,
    steps: int,
    batch_size: int | None = 1,
    seed: int = 0,
) -> Run: ...
@overload
def watch(
    model: Model, loss: Loss, data: Example, optimizer: Optimizer, *, mistake: str
) -> Mistake: ...
def watch(
    model: Model,
    loss: Loss,
    data: Example | None = None,
    optimizer: Optimizer | None = None,
    *,
    steps: int | None = None,
    batch_size: int | None = 1,
    seed: int = 0,
    mistake: str | None = None,
) -> Steps | Run | Mistake:
    """Takes a training step and records it: a `Steps`, which a notebook shows as a page.

    `data` is one example (x, y), or lists of them, (xs, ys), of which each x is a list; the step
    then goes down the mean of their losses. Afterwards parameters, gradients and the optimizer's
    memory are as they are after any step, and so is what the model counts or remembers: what is
    computed beside the step is undone. A step that the optimizer refuses is recorded too.

    With `steps` it takes so many and gives a `Run`: each step looks at `batch_size` of the points
    (None: all), drawn with `seed` as by `stochastic_gradient_descent` and `fit`.

    With a `mistake`, a name in `MISTAKES`, it gives the right step beside the wrong one, and puts
    everything back as it was.

    >>> from nn.loss import mse
    >>> from nn.module import Neuron
    >>> from nn.optim import SGD
    >>> neuron = Neuron(1, nonlin=False, seed=1)
    >>> story = watch(neuron, mse, ([2.0], 1.0), SGD(neuron.parameters(), lr=0.05))
    >>> print(story[-1])
    done: the loss went from 6.064 to 1.516
    """
    check_loss("watch", model, loss)
    optimizer = check_optimizer("watch", optimizer)
    check_rate(optimizer)
    rows = _rows(data)
    scene = Scene(model, loss, optimizer)
    if mistake is not None:
        if steps is not None:
            raise ValueError("watch expected steps or a mistake, got both")
        if mistake not in MISTAKES:
            raise ValueError(no_such("mistake", mistake, MISTAKES))
        with _put_back(scene):
            return MISTAKES[mistake](scene, rows)
    if steps is None:
        return scene.step(rows)
    count = len(rows.xs)
    every = size("points in a batch", batch_size) if batch_size is not None else count
    drawn = batches(count, every, batch_size == 1, Random(seed))
    points = [list(range(count) if b is None else b) for b in islice(drawn, size("steps", steps))]
    xs, ys = as_floats(model, loss, rows.xs, rows.ys)
    xs, ys = with_rows(model, loss, xs, ys) or (xs, ys)
    alike = replace(rows, xs=xs, ys=ys)  # one graph for all classes
    before = scene.mean_loss(alike)
    taken = [scene.step(alike.pick(chosen)) for chosen in points]
    return Run(taken, points, rows, (before, scene.mean_loss(alike)))


def _rows(data: Example | None) -> Dataset:
    """One example or many as a Dataset with names for its columns."""
    if not isinstance(data, Dataset):
        try:
            x, y = (part.tolist() if hasattr(part, "tolist") else part for part in data or ())
        except (TypeError, ValueError):
            raise ValueError("watch expected an example (x, y), or lists (xs, ys)") from None
        is_many = isinstance(x, Sequence) and bool(x) and isinstance(x[0], Sequence)
        data = as_dataset((x, y) if is_many else ([x], [y]))
    first = data.xs[0]
    width = len(first) if isinstance(first, Sequence) else 1
    features = tuple(f"x{i}" for i in range(width)) if width > 1 else ("x",)
    return replace(data, features=data.features or features)


# --- mistakes ---------------------------------------------------------------------------------

HARMLESS = (
    "Here it reaches the inputs alone, and every weight moves as it should: one more hidden layer "
    "would show the harm."
)


@contextmanager
def _put_back(scene: Scene) -> Iterator[None]:
    """Parameters, gradients, the optimizer's memory and the model's state are as they were."""
    optimizer = scene.optimizer
    memory = {name: copied(entry) for name, entry in vars(optimizer).items()}
    numbers = [(p.data, p.grad) for p in optimizer.parameters]
    try:
        with undone(scene.model, scene.loss):
            yield
    finally:
        vars(optimizer).update(memory)
        for name in vars(optimizer).keys() - memory.keys():
            del vars(optimizer)[name]
        set_each("data", optimizer.parameters, [data for data, _ in numbers])
        set_each("grad", optimizer.parameters, [grad for _, grad in numbers])


def _in_backward(name: str) -> Callable[[Scene, Dataset], Mistake]:
    text, way, combine = BACKWARD_MISTAKES[name]

    def pair(scene: Scene, rows: Dataset) -> Mistake:
        with _put_back(scene):
            right = scene.step(rows)
        wrong = scene.step(rows, way=way, combine=combine)
        does_harm = right[-1]["loss_after"] != wrong[-1]["loss_after"]
        return Mistake(name, text if does_harm else f"{text} {HARMLESS}", right, wrong)

    return pair


def _forgotten(scene: Scene, rows: Dataset) -> Mistake:
    scene.step(rows)
    with _put_back(scene):
        right = scene.step(rows)
    text = (
        "This is the second step. Nobody called zero_grad, so the gradients of the first step are "
        "still there, and those of the second are added to them."
    )
    return Mistake("forgotten zero_grad", text, right, scene.step(rows, forgets=False))


def _too_high(scene: Scene, rows: Dataset) -> Mistake:
    with _put_back(scene):
        right = scene.step(rows)
    rate = scene.optimizer.lr
    for power in range(1, HIGHEST + 1):
        with _put_back(scene):
            scene.optimizer.lr = rate * 10**power
            wrong = scene.step(rows)
        end = wrong[-1]
        if not end["loss_after"] <= end["loss_before"]:
            break
    text = (
        f"The gradients are the same, but the learning rate is {rate * 10**power:g} instead of "
        f"{rate:g}. The step goes down the slope, past the valley and up on the other side."
    )
    return Mistake("learning rate too high", text, right, wrong)


MISTAKES: dict[str, Callable[[Scene, Dataset], Mistake]] = {
    "forgotten zero_grad": _forgotten,
    **{name: _in_backward(name) for name in BACKWARD_MISTAKES},
    "learning rate too high": _too_high,
}
