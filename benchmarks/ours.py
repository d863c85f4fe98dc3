"""brickgrad's ways of a step: eager, replayed with data bound once, replayed in a loop of lists."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from benchmarks.gpt import GPT, surprise
from benchmarks.turns import Step
from benchmarks.works import Net, Text
from engine.functions import cross_entropy
from engine.replay.replay import replay
from engine.replay.roll import Program, roll
from engine.replay.tape import Tape
from engine.replay.watch import record
from engine.sweep import set_each
from engine.value import Value
from nn.data import one_hot
from nn.descent import Descent
from nn.loss import cross_entropy as mean_cross_entropy
from nn.loss import hinge, l2
from nn.module import MLP
from nn.optim import SGD, Adam, Optimizer
from nn.table import Table


class Training(NamedTuple):
    """A loss of scalars, what moves its parameters, and the batches that it gets in turn."""

    loss: Callable[[Any, Any], Value]
    optimizer: Optimizer
    batches: list[tuple[Any, Any]]


# --- user code ----------------------------------------------------------------------------------


def demo_loss(model: Any, xs: Any, ys: Any) -> Any:
    """The loss of micrograd's demo notebook, in its own words."""
    scores = list(map(model, xs))
    losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(ys, scores, strict=True)]
    data_loss = sum(losses) * (1.0 / len(losses))
    reg_loss = 1e-4 * sum(p * p for p in model.parameters())
    return data_loss + reg_loss


def demo(net: Net) -> Training:
    """The demo with a node for each product and each sum."""
    model = _mlp(net, fused=False)
    batches = [(xs, list(map(float, ys))) for xs, ys in net.batches]
    return Training(partial(demo_loss, model), SGD(model.parameters(), net.lr), batches)


def demo_of_library(net: Net) -> Training:
    """The demo with the library's `MLP` and losses."""
    model = _mlp(net)

    def loss(xs: Any, ys: Any) -> Value:
        return hinge([model(x) for x in xs], ys) + 1e-4 * l2(model.parameters())

    return Training(loss, SGD(model.parameters(), net.lr), net.batches)


def digits(net: Net) -> Training:
    """Classes as one-hot rows, with a node for each product and each sum."""
    model = _mlp(net, fused=False)

    def loss(xs: Any, ys: Any) -> Any:
        losses = [cross_entropy(model(x), y) for x, y in zip(xs, ys, strict=True)]
        return sum(losses) * (1.0 / len(losses))

    classes = net.nouts[-1]
    batches = [(xs, [one_hot(y, classes) for y in ys]) for xs, ys in net.batches]
    return Training(loss, SGD(model.parameters(), net.lr), batches)


def digits_of_library(net: Net) -> Training:
    """The same with the library's `MLP` and loss."""
    model = _mlp(net)

    def loss(xs: Any, ys: Any) -> Value:
        return mean_cross_entropy([model(x) for x in xs], ys)

    return Training(loss, SGD(model.parameters(), net.lr), net.batches)


def gpt(text: Text) -> Training:
    """The GPT and Adam."""
    model = GPT()
    numbers = [w for rows in text.weights.values() for row in rows for w in row]
    set_each("data", model.parameters(), numbers)

    def loss(read: Any, comes: Any) -> Value:
        return surprise(model(read), comes)

    return Training(loss, Adam(model.parameters(), text.lr), text.batches)


def _mlp(net: Net, fused: bool = True) -> Any:
    model = MLP(net.nin, net.nouts, fused=fused)
    set_each("data", model.parameters(), net.weights)
    return model


TRAININGS: dict[str, Callable[[Any], Training]] = {"W1": demo, "W2": gpt, "W3": digits}


def rolled(training: Training) -> tuple[Program, Tape]:
    """The loss of the first batch as a program, and what it was rolled from."""
    with record() as seen:
        loss = training.loss(*training.batches[0])
    tape = seen.tape([], [loss])
    return roll(tape), tape


# --- loops --------------------------------------------------------------------------------------


def own_loop(made: Callable[[Any], Training], backend: str, task: Any) -> Step:
    """A loop of the user's own: lists go in, a loss comes back."""
    function, optimizer, batches = made(task)
    loss = function if backend == "eager" else replay(function, backend=backend)

    def step(number: int) -> float:
        total = loss(*batches[number % len(batches)])
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        data: float = total.data
        return data

    return step


def descent(made: Callable[[Any], Training], backend: str, task: Any) -> Step:
    """The loop beneath `fit`: the data is bound once."""
    training = made(task)
    steps, data = bound(training, backend), [Table(*batch) for batch in training.batches]

    def step(number: int) -> float:
        return steps.step(data[number % len(data)]).loss

    return step


def bound(training: Training, backend: str) -> Descent:
    """Steps that compute a loss and no outputs."""
    loss = training.loss  # the tuple holds the batches, which would be looked at before each step
    return Descent(lambda xs, ys: (loss(xs, ys), []), training.optimizer, backend)
