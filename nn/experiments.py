"""Experiments on learning digits by heart, and what those of the course gave at five seeds.

They are those of Arpit et al. 2017 (arXiv 1706.05394) on nets of 2,410 weights. The notebooks run
them at one seed, and draw what five gave: that stands in experiments.csv, which
`python -m benchmarks.course` writes.
"""

import csv
import math
import random
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, pstdev
from typing import NamedTuple

from engine.value import Value
from nn.data import Dataset, digits, shuffled
from nn.ground import ground
from nn.loss import cross_entropy
from nn.memorise import critical_share, gini, loss_sensitivity, random_inputs, random_labels
from nn.module import MLP, Inputs, Module
from nn.optim import SGD
from nn.train import fit

KINDS: dict[str, Callable[..., Dataset]] = {
    "real": lambda data, *, seed=0: data,
    "random inputs": random_inputs,
    "random labels": random_labels,
}
PIXELS, HIDDEN, CLASSES = 64, 32, 10
MOST_EPOCHS = 600
RESULTS = Path(__file__).with_name("experiments.csv")
Results = dict[str, float]


class WithDropout(Module):
    """A net for digits whose hidden outputs are each multiplied by an input after the pixels."""

    def __init__(self, seed: int) -> None:
        self.net = new_net(seed=seed)

    def __call__(self, x: Inputs) -> Value | list[Value]:
        """The outputs for pixels and what follows them."""
        hidden, last = self.net.layers
        kept = x[PIXELS:]
        return last([h * k for h, k in zip(hidden(x[:PIXELS]), kept, strict=True)])


class Learned(NamedTuple):
    """A net after training, and its accuracy in each epoch.

    `training` is that of the batches of the epoch; `held_out`, after it, that on real digits which
    it never met.
    """

    net: MLP | WithDropout
    training: list[float]
    held_out: list[float]


def some_digits(n: int, seed: int = 0) -> tuple[Dataset, Dataset]:
    """So many digits to learn from, and 500 others."""
    data = digits()
    order = shuffled(len(data.xs), random.Random(seed))
    return data.pick(order[:n]), data.pick(order[-500:])


def new_net(hidden: int = HIDDEN, seed: int = 0) -> MLP:
    """A net for digits: 64 pixels, one hidden layer of relu, 10 outputs."""
    return MLP(PIXELS, [hidden, CLASSES], init="he", seed=seed)


def epochs_to_fit(kind: str, *, n: int = 300, hidden: int = HIDDEN, seed: int = 0) -> Results:
    """The passes over `n` digits after which a net names all of them, 600 if it never does.

    `kind` is one of KINDS: "real", "random inputs", "random labels".
    """
    data = KINDS[kind](some_digits(n, seed)[0], seed=seed)
    history = fit(
        new_net(hidden, seed),
        cross_entropy,
        data,
        epochs=MOST_EPOCHS,
        batch_size=10,
        lr=0.1,
        validation=data,
        callbacks=[lambda step: step.validation_accuracy == 1],
        seed=seed,
    )
    return {"epochs": math.ceil(len(history) / math.ceil(n / 10))}


def learn(
    data: Dataset,
    held_out: Dataset,
    *,
    epochs: int = 150,
    weight_decay: float = 0.0,
    net: MLP | WithDropout | None = None,
    seed: int = 0,
) -> Learned:
    """A net, one with 32 hidden neurons unless given, after so many epochs in batches of 10."""
    net = new_net(seed=seed) if net is None else net
    history = fit(
        net,
        cross_entropy,
        data,
        epochs=epochs,
        batch_size=10,
        optimizer=SGD(net.parameters(), lr=0.1, weight_decay=weight_decay),
        validation=held_out,
        seed=seed,
    )
    looks = [step for step, share in enumerate(history.validation_accuracy) if share is not None]
    starts = [0, *(step + 1 for step in looks)]
    training = [
        fmean(share for share in history.accuracy[a:b] if share is not None)
        for a, b in pairwise(starts)
    ]
    return Learned(net, training, [history.validation_accuracy[step] or 0.0 for step in looks])


def noise(kind: str, share: float, *, epochs: int = 150, seed: int = 0) -> Results:
    """What a net makes of 300 digits of which a share is noise."""
    training, held_out = some_digits(300, seed)
    learned = learn(KINDS[kind](training, share, seed=seed), held_out, epochs=epochs, seed=seed)
    best = max(learned.held_out)
    peak = learned.held_out.index(best)
    return {
        "peak": best,
        "epoch of the peak": peak + 1,
        "training at the peak": learned.training[peak],
        "final": learned.held_out[-1],
        "final training": learned.training[-1],
        "critical": critical_share(learned.net, held_out.xs[:200], radius=0.05, seed=seed),
    }


def noisy_copies(data: Dataset, spread: float, copies: int, seed: int = 0) -> Dataset:
    """The rows so many times over, with other noise of this spread on each number."""
    rng = random.Random(seed)
    xs = [[x + rng.gauss(0, spread) for x in row] for _ in range(copies) for row in data.xs]
    return replace(data, xs=xs, ys=data.ys * copies)


def with_dropout(data: Dataset, share: float, copies: int = 1, seed: int = 0) -> Dataset:
    """The rows so many times over, each with what its hidden outputs are multiplied by.

    That is 0 for this share of them, drawn anew for each row, and else what keeps their mean.
    """
    rng, kept = random.Random(seed), 1 / (1 - share)
    xs = [
        [*row, *(0.0 if rng.random() < share else kept for _ in range(HIDDEN))]
        for _ in range(copies)
        for row in data.xs
    ]
    return replace(data, xs=xs, ys=data.ys * copies)


REGULARISERS: dict[str, Callable[[Dataset, Dataset, int], Learned]] = {
    "none": lambda data, held_out, seed: learn(data, held_out, epochs=100, seed=seed),
    "weight decay": lambda data, held_out, seed: learn(
        data, held_out, epochs=100, weight_decay=0.01, seed=seed
    ),
    "input noise": lambda data, held_out, seed: learn(
        noisy_copies(data, 0.3, 10, seed), held_out, epochs=10, seed=seed
    ),
    "dropout": lambda data, held_out, seed: learn(
        with_dropout(data, 0.5, 10, seed),
        with_dropout(held_out, 0.0),
        epochs=10,
        net=WithDropout(seed),
        seed=seed,
    ),
}


def regulariser(name: str, *, seed: int = 0) -> Results:
    """How much of 300 random labels a regulariser lets through, and what it costs on real ones.

    `name` is "none", "weight decay" (0.01), "input noise" (0.3) or "dropout" (0.5).
    What was learned by heart is asked without noise and without dropout.
    """
    data, held_out = some_digits(300, seed)
    labels = random_labels(data, seed=seed)
    by_heart = REGULARISERS[name](labels, labels, seed)
    real = REGULARISERS[name](data, held_out, seed)
    return {"by heart": by_heart.held_out[-1], "real": max(real.held_out)}


def spread(kind: str, *, inits: int = 100, seed: int = 0) -> Results:
    """How differently the examples of one kind fare after one epoch.

    Of each of 300 examples: the share of `inits` nets that name it wrongly. `spread` is the
    standard deviation of these shares, and `chance` what it were if each example were as hard as
    any other: that of tosses of a coin.
    """
    shares = wrong_after_one_epoch(kind, inits=inits, seed=seed)
    mean = fmean(shares)
    return {"spread": pstdev(shares), "chance": math.sqrt(mean * (1 - mean) / inits)}


def wrong_after_one_epoch(kind: str, *, inits: int = 100, seed: int = 0) -> list[float]:
    """Of each of 300 examples the share of so many nets that name it wrongly after one epoch."""
    data = KINDS[kind](some_digits(300, seed)[0], seed=seed)
    net = new_net()
    prepared = ground(net, cross_entropy, data)
    hits = []
    for k in range(inits):
        net.load_state_dict(new_net(seed=inits * seed + k).state_dict())
        fit(net, cross_entropy, prepared, epochs=1, batch_size=10, lr=0.1, seed=k)
        hits.append(prepared.hits(looks=k))
    return [1 - fmean(of_example) for of_example in zip(*hits, strict=True)]


def sensitivity(kind: str, *, seed: int = 0) -> Results:
    """How unequally 200 examples of one kind take part in 200 steps: the Gini of sensitivity."""
    data = KINDS[kind](some_digits(200, seed)[0], seed=seed)
    net = MLP(64, [16, 16, 10], "softplus", init="he", seed=seed)
    found = loss_sensitivity(
        net, cross_entropy, data, lr=0.1, steps=200, batch_size=10, every=50, seed=seed
    )
    return {"gini": gini(found)}


def results(experiment: str) -> dict[tuple[str, float], dict[str, list[float]]]:
    """What an experiment of the course gave, by its kind and amount: a number for each seed.

    >>> results("epochs")["real", 300]
    {'epochs': [23.0, 18.0, 20.0, 40.0, 16.0]}
    """
    found: dict[tuple[str, float], dict[str, list[float]]] = {}
    with RESULTS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(line for line in file if not line.startswith("#")):
            if row["experiment"] == experiment:
                of_setting = found.setdefault((row["kind"], float(row["amount"])), {})
                of_setting.setdefault(row["result"], []).append(float(row["number"]))
    return found
