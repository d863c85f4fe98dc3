"""micrograd as installed, with what it lacks written in its own way: exp, log and Adam."""

import math
import sys
from collections.abc import Iterable, Sequence
from typing import Any

from micrograd import engine, nn

from benchmarks.gpt import GPT
from benchmarks.ours import demo_loss
from benchmarks.turns import Step
from benchmarks.works import Net, Text

sys.setrecursionlimit(1_000_000)  # its backward goes down the graph by recursion


def demo(net: Net) -> Step:
    """The loop of its demo notebook."""
    model = _mlp(net)

    def step(number: int) -> float:
        xs, ys = net.batches[number % len(net.batches)]
        loss = demo_loss(model, [list(map(engine.Value, x)) for x in xs], ys)
        return _descend(loss, model, net.lr)

    return step


def digits(net: Net) -> Step:
    """The same loop with a cross-entropy."""
    model = _mlp(net)

    def step(number: int) -> float:
        xs, ys = net.batches[number % len(net.batches)]
        losses = [
            cross_entropy(model(list(map(engine.Value, x))), y) for x, y in zip(xs, ys, strict=True)
        ]
        return _descend(sum(losses) * (1.0 / len(losses)), model, net.lr)

    return step


class Reader(GPT):
    """The GPT on micrograd's Values; a character is an index, for nothing is recorded here."""

    def __init__(self, weights: dict[str, list[list[float]]]) -> None:
        self.weights = {
            name: [list(map(engine.Value, row)) for row in rows] for name, rows in weights.items()
        }

    def embedded(self, character: int) -> list[Any]:  # type: ignore[override]
        """The column of the character."""
        return [row[character] for row in self.weights["character"]]

    @staticmethod
    def softmax(logits: Iterable[Any]) -> list[Any]:
        """Shifted by the largest logit, so that nothing overflows."""
        logits = list(logits)
        top = max(z.data for z in logits)
        parts = [exp(z - top) for z in logits]
        total = sum(parts)
        return [part / total for part in parts]


def gpt(text: Text) -> Step:
    """The GPT and Adam, one parameter at a time."""
    model = Reader(text.weights)
    parameters = [w for rows in model.weights.values() for row in rows for w in row]
    means, squares = [0.0] * len(parameters), [0.0] * len(parameters)
    batches = [
        ([row.index(1.0) for row in read], [row.index(1.0) for row in comes])
        for read, comes in text.batches
    ]

    def step(number: int) -> float:
        read, comes = batches[number % len(batches)]
        losses = [cross_entropy(z, c) for z, c in zip(model(read), comes, strict=True)]  # type: ignore[arg-type]
        loss = sum(losses) / len(losses)
        for p in parameters:
            p.grad = 0
        loss.backward()
        for k, p in enumerate(parameters):
            means[k] = 0.9 * means[k] + 0.1 * p.grad
            squares[k] = 0.999 * squares[k] + 0.001 * p.grad**2
            mean = means[k] / (1 - 0.9 ** (number + 1))
            square = squares[k] / (1 - 0.999 ** (number + 1))
            p.data -= text.lr * mean / (square**0.5 + 1e-8)
        return float(loss.data)

    return step


def cross_entropy(logits: Sequence[Any], label: int) -> Any:
    """-log softmax(logits)[label], shifted by the largest logit."""
    top = max(z.data for z in logits)
    return log(sum(exp(z - top) for z in logits)) + top - logits[label]


def exp(x: Any) -> Any:
    """As micrograd's own operations are written."""
    out = engine.Value(math.exp(x.data), (x,), "exp")

    def _backward() -> None:
        x.grad += out.data * out.grad

    out._backward = _backward
    return out


def log(x: Any) -> Any:
    """As micrograd's own operations are written."""
    out = engine.Value(math.log(x.data), (x,), "log")

    def _backward() -> None:
        x.grad += out.grad / x.data

    out._backward = _backward
    return out


def _mlp(net: Net) -> Any:
    model = nn.MLP(net.nin, net.nouts)
    for p, weight in zip(model.parameters(), net.weights, strict=True):
        p.data = weight
    return model


def _descend(loss: Any, model: Any, lr: float) -> float:
    model.zero_grad()
    loss.backward()
    for p in model.parameters():
        p.data -= lr * p.grad
    return float(loss.data)
