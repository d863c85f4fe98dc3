"""Learning by heart: noise for data, and measures of what a net makes of its examples.

The measures are those of Arpit et al. 2017, "A Closer Look at Memorization in Deep Networks"
(arXiv 1706.05394).
"""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain, islice
from operator import ne, or_
from reprlib import repr as short
from statistics import fmean, pstdev
from typing import Any

from engine.derivatives import grad
from engine.functions import cross_entropy, dot
from engine.ieee import fsum
from engine.replay.replay import Replay, replay
from engine.sweep import forget_each, set_each
from engine.value import Value
from nn.checks import Seed, finite, generator, size
from nn.data import Data, Dataset, Rows, as_dataset, one_hot, shuffled
from nn.judging import Loss, Model, plain_data, with_rows
from nn.rows import EachRow
from nn.stepping import batches, mean_loss
from nn.train import fit


def random_labels(data: Data, share: float = 1.0, *, seed: Seed = 0) -> Dataset:
    """The data with `share` of its labels drawn anew from all classes, by chance the old ones too.

    ValueError for a share outside 0 to 1. With the same seed a larger share keeps the changes of a
    smaller one.

    >>> xs, ys = random_labels(([[0.0]] * 6, [0, 1, 2, 0, 1, 2]), 0.5)
    >>> ys
    [0, 1, 1, 2, 1, 0]
    """
    whole, rng = as_dataset(data), generator(seed)
    classes, ys = sorted(set(whole.ys)), list(whole.ys)
    for i in _some(len(ys), share, rng):
        ys[i] = classes[int(rng.random() * len(classes))]
    return replace(whole, ys=ys)


def random_inputs(data: Data, share: float = 1.0, *, seed: Seed = 0) -> Dataset:
    """The data with `share` of its rows replaced by noise; ValueError as of `random_labels`.

    The noise is normal, each number by itself, with the mean and the spread of all numbers.

    >>> xs, ys = random_inputs(([[0.0, 1.0]] * 4, [0, 1, 0, 1]), 0.5)
    >>> [x == [0.0, 1.0] for x in xs]
    [True, True, False, False]
    """
    whole, rng = as_dataset(data), generator(seed)
    xs, numbers = list(whole.xs), list(chain.from_iterable(whole.xs))
    mean, spread = fmean(numbers), pstdev(numbers)
    for i in _some(len(xs), share, rng):
        xs[i] = [rng.gauss(mean, spread) for _ in xs[i]]
    return replace(whole, xs=xs)


def _some(n: int, share: float, rng: random.Random) -> list[int]:
    """A share of the numbers 0 to n - 1, at random."""
    return shuffled(n, rng)[: round(finite("the share", share, least=0.0, most=1.0) * n)]


def critical_share(
    model: Model, xs: Rows, *, radius: float, tries: int = 20, seed: Seed = 0
) -> float:
    """The share of examples that have another class close by, as far as a search finds one.

    Close means that no number differs by more than `radius`. The search (LASS) walks from each
    example, in steps of a quarter of the radius, to where the class that the model names becomes
    less likely, with noise of a fifth of the radius, for so many `tries`. It finds no critical
    example that is not one, and may miss some.

    `model` gives an output for each class.

    >>> from nn.module import MLP
    >>> net = MLP(1, [2], init=0.0)
    >>> net.layers[0].neurons[1].w[0].data = 1.0  # class 1 right of 0, else class 0
    >>> critical_share(net, [[-0.3], [-0.05], [0.02], [0.4]], radius=0.1)
    0.5
    """
    radius, rng = finite("the radius", radius, least=0.0), generator(seed)

    def doubt(x: Any, chosen: Any) -> tuple[Value, Any]:
        """How unlikely the chosen class is, and the outputs."""
        outputs = model(x)
        return cross_entropy(outputs, chosen), outputs

    judge, more = EachRow(doubt, has_slopes=True), size("tries", tries) * len(xs)

    def classes(xs: Rows) -> list[int]:
        return [row.index(max(row)) for _, row in judge(xs, chosen, before=more)]

    starts, count = [list(map(float, x)) for x in xs], len(model(xs[0]))
    chosen = [one_hot(0, count)] * len(xs)
    labels = classes(starts)
    chosen = [one_hot(label, count) for label in labels]
    places, is_critical = starts, [False] * len(xs)
    for _ in range(tries):
        slopes = judge.slopes(places, chosen, before=more)
        places = [
            [_walked(*numbers, radius, rng) for numbers in zip(*row, strict=True)]
            for row in zip(starts, places, slopes, strict=True)
        ]
        is_critical = list(map(or_, is_critical, map(ne, labels, classes(places))))
    return fmean(is_critical)


def _walked(start: float, x: float, slope: float, radius: float, rng: random.Random) -> float:
    """A step from x up its slope, to no further from the start than the radius."""
    step = radius * (_sign(slope) / 4 + rng.gauss() / 5)
    return min(max(x + step, start - radius), start + radius)


def _sign(x: float) -> int:
    return (x > 0) - (x < 0)


def loss_sensitivity(
    model: Model,
    loss: Loss,
    data: Data,
    *,
    lr: float,
    steps: int,
    batch_size: int,
    every: int = 1,
    seed: int = 0,
) -> list[float]:
    """How much each example, had it been a little different, would have changed the loss.

    Trains the model as `fit` does with plain SGD. L(t) is the mean loss over all data after t
    steps. It depends on an example x through each step that looked at x, and through those after
    it. The sensitivity of x is the mean of sum(abs(dL(t) / dx)) for t = every, 2 * every, ...

    Going back through a step takes the blame b of the weights after it to that of the weights
    before it, b - lr * H b, where H is the Hessian of the loss of the batch; to x goes
    -lr * d (slope along b) / dx. Both are gradients of one number, the slope along b.

    This is fast where slopes need no comparison, as those of softplus; those of relu and tanh do,
    and their second derivatives are computed without replay.

    >>> from nn.loss import mse
    >>> from nn.module import Neuron
    >>> line = Neuron(1, nonlin=False, seed=0)
    >>> line.load_state_dict({"w.0": 1.0, "b": 0.0})
    >>> data = [[0.0], [1.0]], [0.0, 3.0]
    >>> found = loss_sensitivity(line, mse, data, lr=0.25, steps=1, batch_size=2)
    >>> [f"{each:.4f}" for each in found]
    ['0.8750', '1.6250']
    """
    plain, every = plain_data(data, loss), size("steps between losses", every)
    xs, ys = with_rows(model, loss, *plain) or plain  # a class is another graph, a row is not
    if every > steps:
        raise ValueError(f"every expected at most the {steps} steps, got {every}")
    n, parameters = len(xs), list(model.parameters())
    weights = [[p.data for p in parameters]]  # before each step, and after the last
    keep = [lambda _: weights.append([p.data for p in parameters])]
    fit(
        model,
        loss,
        (xs, ys),
        lr=lr,
        steps=steps,
        batch_size=batch_size,
        seed=seed,
        callbacks=keep,
    )
    drawn = islice(batches(n, batch_size, False, random.Random(seed)), len(weights) - 1)
    looked_at = [range(n) if rows is None else rows for rows in drawn]  # None: all, in order
    run = mean_loss(model, loss, None)

    @replay
    def mean(xs: Any, ys: Any) -> Value:
        return run(xs, ys)[0]

    @replay
    def slope(xs: Any, ys: Any, along: list[float]) -> Value:
        along_it: Value = dot(grad(run(xs, ys)[0], parameters), along)
        return along_it

    def slopes(function: Replay, rows: Sequence[int], *more: Any) -> tuple[Rows, list[float]]:
        """Of a number computed from these rows: its slopes for the rows, and for the weights."""
        forget_each(parameters)
        examples = [list(map(Value, xs[i])) for i in rows]
        function(examples, [ys[i] for i in rows], *more).backward()
        return [[x.grad for x in row] for row in examples], [p.grad for p in parameters]

    ways: list[tuple[Rows, list[float]]] = []  # back from each L(t): to the examples, to weights
    for t, rows in reversed([*enumerate(looked_at)]):
        if (t + 1) % every == 0:
            set_each("data", parameters, weights[t + 1])
            ways.append(slopes(mean, range(n)))
        set_each("data", parameters, weights[t])
        for to_xs, blame in ways:
            of_xs, of_weights = slopes(slope, rows, blame)
            for i, row in zip(rows, of_xs, strict=True):
                to_xs[i] = [g - lr * more for g, more in zip(to_xs[i], row, strict=True)]
            blame[:] = [b - lr * more for b, more in zip(blame, of_weights, strict=True)]
    set_each("data", parameters, weights[-1])
    forget_each(parameters)
    return [fmean(fsum([*map(abs, to_xs[i])]) for to_xs, _ in ways) for i in range(n)]


def gini(numbers: Sequence[float]) -> float:
    """How unequal numbers of at least 0 are: 0 where all are alike, near 1 where one has all.

    It is the mean difference of two of them, by twice their mean. ValueError for a negative number,
    and where the sum is 0.

    >>> gini([1.0, 1.0, 1.0, 1.0]), gini([0.0, 0.0, 0.0, 1.0])
    (0.0, 0.75)
    """
    ordered, n = sorted(numbers), len(numbers)
    total = fsum(ordered)
    if not (total > 0 and ordered[0] >= 0):
        raise ValueError(f"gini expected numbers of at least 0, one above 0, got {short(ordered)}")
    return fsum([(2 * k - n + 1) * x for k, x in enumerate(ordered)]) / (n * total)
