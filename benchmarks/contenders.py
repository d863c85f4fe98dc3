"""Who does the works. To add a contender, write a function and its row at the end."""

import importlib.util
import math
import sys
import tracemalloc
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from benchmarks.turns import Turns
from benchmarks.works import Net
from engine.functions import exp, log
from engine.value import Value
from nn.loss import cross_entropy, hinge, l2
from nn.module import MLP
from nn.optim import SGD
from nn.train import Loss, Step, gradient_descent


class Scalars(NamedTuple):
    """What code written out in scalars needs of an engine."""

    value: Callable[[float], Any]
    mlp: Callable[[int, list[int]], Any]
    exp: Callable[[Any], Any]
    log: Callable[[Any], Any]


def micrograd() -> Scalars:
    """micrograd as installed, with exp and log in its own way: it has none."""
    from micrograd import engine, nn

    sys.setrecursionlimit(1_000_000)  # its backward goes down the graph by recursion

    def exp(x: Any) -> Any:
        out = engine.Value(math.exp(x.data), (x,), "exp")

        def _backward() -> None:
            x.grad += out.data * out.grad

        out._backward = _backward
        return out

    def log(x: Any) -> Any:
        out = engine.Value(math.log(x.data), (x,), "log")

        def _backward() -> None:
            x.grad += out.grad / x.data

        out._backward = _backward
        return out

    return Scalars(engine.Value, nn.MLP, exp, log)


def unfused() -> Scalars:
    """brickgrad with a node for every product and every sum, as micrograd has."""
    return Scalars(Value, partial(MLP, fused=False), exp, log)


def demo(engine: Callable[[], Scalars], net: Net, turns: Turns) -> None:
    """The loop of micrograd's demo notebook, in its own words."""
    value, mlp, *_ = engine()
    model = _with_weights(net, mlp)

    def step(k: int) -> float:
        inputs = [list(map(value, xrow)) for xrow in net.xs]
        scores = list(map(model, inputs))
        losses = [(1 + -yi * scorei).relu() for yi, scorei in zip(net.ys, scores, strict=True)]
        data_loss = sum(losses) * (1.0 / len(losses))
        reg_loss = 1e-4 * sum(p * p for p in model.parameters())
        total_loss = data_loss + reg_loss
        model.zero_grad()
        total_loss.backward()
        for p in model.parameters():
            p.data -= net.learning_rates[k] * p.grad
        return float(total_loss.data)

    turns.take(step)


def classify(engine: Callable[[], Scalars], net: Net, turns: Turns) -> None:
    """The same loop with the cross-entropy written out."""
    value, mlp, exp, log = engine()
    model = _with_weights(net, mlp)

    def step(k: int) -> float:
        inputs = [list(map(value, xrow)) for xrow in net.xs]
        losses = []
        for logits, label in zip(map(model, inputs), net.ys, strict=True):
            top = max(z.data for z in logits)
            losses.append(log(sum(exp(z - top) for z in logits)) + top - logits[label])
        loss = sum(losses) * (1.0 / len(losses))
        model.zero_grad()
        loss.backward()
        for p in model.parameters():
            p.data -= net.learning_rates[k] * p.grad
        return float(loss.data)

    turns.take(step)


def own_loop(loss: Loss, decay: float, net: Net, turns: Turns) -> None:
    """brickgrad in a loop of the user's own."""
    model = _with_weights(net, MLP)
    optimizer = SGD(model.parameters(), lr=net.learning_rates[0])

    def step(k: int) -> float:
        total = loss([model(x) for x in net.xs], net.ys)
        if decay:
            total = total + decay * l2(model.parameters())
        optimizer.zero_grad()
        total.backward()
        optimizer.lr = net.learning_rates[k]
        optimizer.step()
        return total.data

    turns.take(step)


def library_loop(loss: Loss, decay: float, net: Net, turns: Turns) -> None:
    """brickgrad's `gradient_descent`, which stops the collector during a step."""

    def take_turns(step: Step) -> None:
        turns.done(step.loss)
        next(turns, None)

    next(turns)
    gradient_descent(
        _with_weights(net, MLP),
        loss,
        (net.xs, net.ys),
        lr=net.learning_rates.__getitem__,
        steps=turns.steps,
        penalty=(lambda model: decay * l2(model.parameters())) if decay else None,
        callbacks=[take_turns],
        progress=False,
    )


def chain(nodes: int, turns: Turns) -> None:
    """A chain of `nodes` operations; the most memory that it took at any time."""
    for _ in turns:
        tracemalloc.start()
        w = Value(0.999)
        v = w
        for _ in range(nodes // 2):
            v = (v * w).tanh()
        v.backward()
        result = v.data
        peak = tracemalloc.get_traced_memory()[1]
        del v
        left = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        if left > nodes:
            raise MemoryError(f"{left} bytes were still held after the graph was gone")
        turns.done(result, amount=peak / nodes)


def _with_weights(net: Net, mlp: Callable[[int, list[int]], Any]) -> Any:
    model = mlp(net.nin, net.nouts)
    for p, weight in zip(model.parameters(), net.weights, strict=True):
        p.data = weight
    return model


class Contender(NamedTuple):
    """How someone does each work it can do: `does[work](task, turns)`."""

    name: str
    needs: str  # a module
    does: dict[str, Callable[[Any, Turns], None]]


# fmt: off
CONTENDERS = (
    Contender("micrograd", "micrograd",
              {"W1": partial(demo, micrograd),
               "W3": partial(classify, micrograd)}),
    Contender("brickgrad fused=False", "nn",
              {"W1": partial(demo, unfused),
               "W3": partial(classify, unfused)}),
    Contender("brickgrad", "nn",
              {"W1": partial(own_loop, hinge, 1e-4),
               "W3": partial(own_loop, cross_entropy, 0.0),
               "million": chain}),
    Contender("brickgrad gradient_descent", "nn",
              {"W1": partial(library_loop, hinge, 1e-4),
               "W3": partial(library_loop, cross_entropy, 0.0)}),
)
# fmt: on


def is_installed(contender: Contender) -> bool:
    """Whether the module it needs is there."""
    return importlib.util.find_spec(contender.needs) is not None
