"""A whole training step to watch: forward, loss, backward, update, and forward again."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from copy import copy
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from random import Random
from typing import Any, overload

from engine.modes import no_grad
from engine.names import no_such
from engine.pictures.steps import recorded_with_words
from engine.pictures.story.mistake import MISTAKES as BACKWARD_MISTAKES
from engine.pictures.story.mistake import Mistake
from engine.pictures.story.record import Combine, Record, Way, added, mirrored, sweep
from engine.pictures.story.sentences import Words
from engine.pictures.story.steps import Steps
from engine.pictures.story.watchable import Event
from engine.pictures.texts import short
from engine.replay.kinds import is_the_same, kind_asked
from engine.replay.reach import reach
from engine.replay.undo import chances_in, put_back, settle, undone
from engine.replay.watch import record, standing_in
from engine.replay.witness import Witness
from engine.replay.world import written
from engine.value import Value, data_of, set_each
from nn.checks import size
from nn.data import Dataset, as_dataset
from nn.judging import Loss, Model, as_floats, with_rows
from nn.loss import check_loss
from nn.mover import NOTHING_TO_MOVE
from nn.optim import SGD, Adam, Optimizer, check_optimizer, check_rate
from nn.plain import is_stateless
from nn.stepping import batches, mean_loss
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
    >>> neuron = Neuron(1, nonlin=False, seed=1)
    >>> story = watch(neuron, mse, ([2.0], 1.0), SGD(neuron.parameters(), lr=0.05))
    >>> print(story[-1])
    done: the loss went from 6.064 to 1.516
    """
    check_loss("watch", model, loss)
    optimizer = check_optimizer("watch", optimizer)
    check_rate(optimizer)
    rows = _rows(data)
    scene = _Scene(model, loss, optimizer)
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


@dataclass(frozen=True)
class _Scene:
    """What stays the same from step to step."""

    model: Model
    loss: Loss
    optimizer: Optimizer

    @cached_property
    def names(self) -> list[tuple[str, Value]]:
        """The parameters, those of the model by their paths; of two names the first counts."""
        named = getattr(self.model, "named_parameters", list)
        parameters = enumerate(self.optimizer.parameters)
        return [*named(), *((p.label or f"parameter {k}", p) for k, p in parameters)]

    def step(
        self,
        rows: Dataset,
        *,
        forgets: bool = True,
        way: Way = mirrored,
        combine: Combine = added,
    ) -> Steps:
        """Takes one step; `forgets`, `way` and `combine` are where mistakes come in."""
        optimizer = self.optimizer
        text = "nobody called zero_grad: the gradients of the step before are still there"
        if forgets:
            optimizer.zero_grad()
            text = "zero_grad: the gradients of the step before are forgotten"
        before = [Event(kind="zero", text=text)]
        inputs = _labelled(rows)
        total = self.forward(inputs, rows)
        record, words = recorded_with_words(total, self.names)
        swept = sweep(record, way, combine)
        parameters = optimizer.parameters
        held = [p.grad if p.has_grad else None for p in parameters]
        at = record.place_of()
        places = [at[p] for p in parameters]
        total.backward()
        if not any(p.has_grad for p in parameters):
            raise ValueError(NOTHING_TO_MOVE)
        if (way, combine) != (mirrored, added):
            moved = [(p, place) for p, place in zip(parameters, places, strict=True) if p.has_grad]
            set_each("grad", [p for p, _ in moved], [swept.grads[place] for _, place in moved])
        update = _take(optimizer, words, places)
        with self.unnoticed():
            again, words_again = recorded_with_words(self.forward(inputs, rows), self.names)

        def after() -> Iterator[Event]:
            yield from _leftovers(words, swept.grads, dict(zip(places, held, strict=True)))
            yield from update.events()
            yield from _again(record, again, words_again)
            yield _done(record, again, update.refused)

        return Steps(record, words, swept, before=before, after=after(), adds=combine is added)

    def unnoticed(self) -> AbstractContextManager[None]:
        """Inside, what model and loss do to their own state is put back."""
        return nullcontext() if self.is_stateless else undone(self.model, self.loss)

    @property
    def is_stateless(self) -> bool:
        """Whether a call leaves nothing behind."""
        return is_stateless(self.model, self.loss)

    def mean_loss(self, rows: Dataset) -> float:
        """The mean of the losses of all rows."""
        with no_grad(), self.unnoticed():
            return data_of(mean_loss(self.model, self.loss, None)(rows.xs, rows.ys)[0])

    def run(self, inputs: Sequence[Any], rows: Dataset) -> tuple[Value, Any]:
        """The mean loss and the outputs, computed from the inputs as Values.

        To the model they are the floats that they are in training: what it keeps of them is
        floats. Where it takes no Values, or does something else with them, it gets the floats.
        """
        run = mean_loss(self.model, self.loss, None)
        if self.is_stateless:
            return run(inputs, rows.ys)
        roots: list[tuple[Any, str]] = [(self.model, "model"), (self.loss, "loss")]
        lent = {id(v): v for v, x in zip(_flat(inputs), _flat(rows.xs), strict=True) if v is not x}
        before = reach(roots)
        chances = chances_in(before)
        try:
            with record() as seen, standing_in(lent.values()), Witness() as witness:
                ours = run(inputs, rows.ys)
        except Exception:
            put_back(before, chances)
            return run(rows.xs, rows.ys)
        after = reach(roots, witness.codes)
        settle(written(before, after), lent)
        if lent and kind_asked(after):
            put_back(before, chances)
            with record() as others:
                plain = run(rows.xs, rows.ys)
            known = [*lent.values(), *seen.made, *others.made]
            return ours if is_the_same(ours[:1], plain[:1], known) else plain
        return ours

    def forward(self, inputs: Sequence[Any], rows: Dataset) -> Value:
        """The loss on some rows; it and a single row's output get labels."""
        total, outputs = self.run(inputs, rows)
        if not isinstance(total, Value):
            raise TypeError(f"watch expected a loss that returns a Value, got {total!r:.60}")
        if len(outputs) == 1:
            output = outputs[0]
            several = output if isinstance(output, list | tuple) else [output]
            for value, name in zip(several, _output_names(rows, len(several)), strict=True):
                if isinstance(value, Value) and value.op and not value.label:
                    value.label = name
            if any(total is value for value in several):
                total.label = "loss"
        if not total.label:
            total.label = "loss"
        return total


def _output_names(rows: Dataset, count: int) -> Sequence[str]:
    """The classes, or the target; where the rows do not name them, "output"."""
    names = rows.classes or (rows.target or "output",)
    if len(names) == count:
        return names
    return [f"output{i}" for i in range(count)] if count > 1 else ["output"]


def _labelled(rows: Dataset) -> list[Any]:
    """The inputs as Values with the names of their columns."""

    def value(x: Any, name: str) -> Any:
        return x if isinstance(x, Value | str) else Value(x, name)

    inputs: list[Any] = []
    for n, row in enumerate(rows.xs):
        names = [f"{name} of {n}" if len(rows.xs) > 1 else name for name in rows.features]
        if isinstance(row, Sequence):
            inputs.append([value(x, name) for x, name in zip(row, names, strict=False)])
        else:
            inputs.append(value(row, names[0]))
    return inputs


def _flat(thing: Any) -> list[Any]:
    """What stands in lists in lists."""
    if isinstance(thing, list | tuple):
        return [part for each in thing for part in _flat(each)]
    return [thing]


# --- what happens after the backward pass -------------------------------------------------------


def _leftovers(
    words: Words, grads: Sequence[float], held: Mapping[int, float | None]
) -> Iterator[Event]:
    """What parameters still hold of an earlier backward is added."""
    for place, old in held.items():
        if old is not None:
            numbers = {"old": old, "contribution": grads[place], "new": old + grads[place]}
            text = (
                f"{words.called[place]}.grad still holds {short(old)} of an earlier step: "
                f"{short(old)} + {short(grads[place])} = {short(numbers['new'])}"
            )
            yield Event(kind="leftover", node=place, **numbers, text=text)


@dataclass(frozen=True)
class _Update:
    """A step of an optimizer: the parameters before and after it, and why."""

    optimizer: Optimizer  # as it was then
    words: Words
    places: Sequence[int]
    grads: Sequence[float | None]
    before: Sequence[float]
    after: Sequence[float]
    refused: str

    def events(self) -> Iterator[Event]:
        """One for each parameter."""
        kinds = type(self.optimizer).__mro__
        rule = next((RULES[kind] for kind in kinds if kind in RULES), _any_rule)
        for k, (place, old, new) in enumerate(
            zip(self.places, self.before, self.after, strict=True)
        ):
            name, grad = self.words.called[place], self.grads[k]
            if self.refused:
                text = f"{name} stays, since {self.refused}: {name}"
                formula = "no step to nan or inf"
            elif grad is None:
                text, formula = f"{name} stays, it has no gradient: {name}", "no gradient, no step"
            else:
                text, formula = rule(self.optimizer, k, name, old, grad, new)
            text += f" = {short(new)}"
            yield Event(kind="update", node=place, before=old, after=new, rule=formula, text=text)


def _take(optimizer: Optimizer, words: Words, places: Sequence[int]) -> _Update:
    """Takes the step, unless the optimizer refuses it."""
    parameters, refused = optimizer.parameters, ""
    before = [p.data for p in parameters]
    grads = [p.grad if p.has_grad else None for p in parameters]
    try:
        optimizer.step()
    except FloatingPointError as error:
        refused = str(error)
    after = [p.data for p in parameters]
    return _Update(copy(optimizer), words, places, grads, before, after, refused)


def _again(record: Record, again: Record, words: Words) -> Iterator[Event]:
    """The forward pass after the update; of a graph with another shape the loss alone."""
    same = again.graph.operands == record.graph.operands
    for p in again.operations if same else [again.root]:
        text = words.computed(p) if same else words.loss()
        place = p if same else record.root
        yield Event(kind="forward again", node=place, data=again.data[p], text=text)


def _done(record: Record, again: Record, refused: str) -> Event:
    loss_before, loss_after = record.data[-1], again.data[-1]
    text = f"done: the loss went from {short(loss_before)} to {short(loss_after)}"
    if refused:
        text = f"done: no step was taken, since {refused}; the loss is {short(loss_after)}"
    return Event(kind="done", loss_before=loss_before, loss_after=loss_after, text=text)


Rule = Callable[[Any, int, str, float, float, float], tuple[str, str]]


def _any_rule(
    optimizer: Optimizer, k: int, name: str, old: float, grad: float, new: float
) -> tuple[str, str]:
    return f"{name} = {short(old)} + {short(new - old)}", f"{type(optimizer).__name__}.step()"


def _with_decay(decay: float, old: float, grad: float) -> tuple[float, str]:
    """The gradient that an optimizer goes by, and how it came about."""
    if not decay:
        return grad, ""
    total = grad + decay * old
    return total, f"gradient = {short(grad)} + {decay:g} * {short(old)} = {short(total)}; "


def _sgd_rule(
    optimizer: SGD, k: int, name: str, old: float, grad: float, new: float
) -> tuple[str, str]:
    lr, momentum = optimizer.lr, optimizer.momentum
    direction, text = _with_decay(optimizer.weight_decay, old, grad)
    if not momentum:
        return f"{text}{name} = {short(old)} - {lr:g} * {short(direction)}", "p - lr * gradient"
    velocity = optimizer.velocity[k]
    text += f"velocity = {short(velocity)}; "
    formula = "velocity = momentum * velocity + (1 - dampening) * gradient; p - lr * velocity"
    if optimizer.nesterov:
        text += f"step = {short(direction)} + {momentum:g} * {short(velocity)}; "
        direction += momentum * velocity
        formula = formula.replace("lr * velocity", "lr * (gradient + momentum * velocity)")
    else:
        direction = velocity
    return f"{text}{name} = {short(old)} - {lr:g} * {short(direction)}", formula


def _adam_rule(
    optimizer: Adam, k: int, name: str, old: float, grad: float, new: float
) -> tuple[str, str]:
    lr, steps = optimizer.lr, optimizer.steps[k]
    *_, shrink, decay = optimizer.rates(steps)
    mean = optimizer.mean[k] / (1 - optimizer.betas[0] ** steps)
    root = math.sqrt(optimizer.mean_square[k] / (1 - optimizer.betas[1] ** steps))
    formula = "p - lr * mean / (root mean square + eps)"
    if shrink < 1:
        text, old = f"{name} shrinks by {1 - shrink:.2%}; ", shrink * old
        formula = f"p = (1 - lr * decay) * p; {formula}"
    else:
        _, text = _with_decay(decay, old, grad)
    step = f"{lr:g} * {short(mean)} / ({short(root)} + {optimizer.eps:g})"
    return f"{text}{name} = {short(old)} - {step}", formula


RULES: dict[type[Optimizer], Rule] = {SGD: _sgd_rule, Adam: _adam_rule}


# --- mistakes ---------------------------------------------------------------------------------

HARMLESS = (
    "Here it reaches the inputs alone, and every weight moves as it should: one more hidden layer "
    "would show the harm."
)


@contextmanager
def _put_back(scene: _Scene) -> Iterator[None]:
    """Parameters, gradients, the optimizer's memory and the model's state are as they were."""
    optimizer = scene.optimizer
    memory = {name: copy(entry) for name, entry in vars(optimizer).items()}
    numbers = [(p.data, p.grad) for p in optimizer.parameters]
    try:
        with undone(scene.model, scene.loss):
            yield
    finally:
        vars(optimizer).update(memory)
        set_each("data", optimizer.parameters, [data for data, _ in numbers])
        set_each("grad", optimizer.parameters, [grad for _, grad in numbers])


def _in_backward(name: str) -> Callable[[_Scene, Dataset], Mistake]:
    text, way, combine = BACKWARD_MISTAKES[name]

    def pair(scene: _Scene, rows: Dataset) -> Mistake:
        with _put_back(scene):
            right = scene.step(rows)
        wrong = scene.step(rows, way=way, combine=combine)
        does_harm = right[-1]["loss_after"] != wrong[-1]["loss_after"]
        return Mistake(name, text if does_harm else f"{text} {HARMLESS}", right, wrong)

    return pair


def _forgotten(scene: _Scene, rows: Dataset) -> Mistake:
    scene.step(rows)
    with _put_back(scene):
        right = scene.step(rows)
    text = (
        "This is the second step. Nobody called zero_grad, so the gradients of the first step are "
        "still there, and those of the second are added to them."
    )
    return Mistake("forgotten zero_grad", text, right, scene.step(rows, forgets=False))


def _too_high(scene: _Scene, rows: Dataset) -> Mistake:
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


MISTAKES: dict[str, Callable[[_Scene, Dataset], Mistake]] = {
    "forgotten zero_grad": _forgotten,
    **{name: _in_backward(name) for name in BACKWARD_MISTAKES},
    "learning rate too high": _too_high,
}
