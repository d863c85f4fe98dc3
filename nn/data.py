"""Data to learn from: made, bundled, or read from a file. Always rows `xs` and targets `ys`."""

import gzip
import math
import random
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from operator import eq
from pathlib import Path
from typing import Any

from engine.value import data_of
from nn.checks import finite, generator, size
from nn.dataset import Data, DataError, Dataset, DataWarning, Rows, as_dataset, is_apart
from nn.loading import load_csv
from nn.scaling import Scaler, is_finite, standardise

__all__ = [
    "Data",
    "DataError",
    "DataWarning",
    "Dataset",
    "Decision",
    "Rows",
    "Scaler",
    "as_dataset",
    "circles",
    "decision",
    "digits",
    "iris",
    "is_apart",
    "load_csv",
    "moons",
    "one_hot",
    "shuffled",
    "spirals",
    "split",
    "standardise",
    "xor",
]


# --- data made by formula ---------------------------------------------------------------------
# Only random() is used: Python promises its numbers, and no other draw's, for every version.
# Results are rounded, so that the last bit of a platform's sin and cos does not show.


def _bell(rng: random.Random) -> float:
    """About a standard normal: mean 0, variance 1. Sums alone, so exact on every platform."""
    return math.fsum(rng.random() for _ in range(12)) - 6


def _scatter(points: list[tuple[float, float]], noise: float, seed: int) -> Rows:
    noise, rng = finite("noise", noise, least=0.0), generator(seed)
    return [[round(c + noise * _bell(rng), 9) + 0.0 for c in point] for point in points]


def _at_least(smallest: int, n: int) -> int:
    """`n` as an int; TypeError for what is none, ValueError for too few points."""
    if size("points", n) < smallest:
        raise ValueError(f"expected at least {smallest} points, got {n}")
    return size("points", n)


def moons(n: int = 100, *, noise: float = 0.1, seed: int = 0) -> tuple[Rows, list[int]]:
    """Two half circles that reach into each other; `ys` -1 (upper) and +1 (lower), in turn.

    `noise` is the standard deviation added to both coordinates.

    >>> moons(4, noise=0)
    ([[1.0, 0.0], [0.0, 0.5], [-1.0, 0.0], [2.0, 0.5]], [-1, 1, -1, 1])
    """
    n = _at_least(4, n)
    points, ys = [], []
    for i in range(n):
        lower = i % 2
        angle = math.pi * (i // 2) / ((n - lower - 1) // 2)
        x, y = math.cos(angle), math.sin(angle)
        points.append((1 - x, 0.5 - y) if lower else (x, y))
        ys.append(1 if lower else -1)
    return _scatter(points, noise, seed), ys


def circles(
    n: int = 100, *, noise: float = 0.05, factor: float = 0.5, seed: int = 0
) -> tuple[Rows, list[int]]:
    """A circle of radius 1 (`ys` -1) around one of radius `factor` (`ys` +1), in turn.

    >>> circles(4, noise=0)
    ([[1.0, 0.0], [0.5, 0.0], [-1.0, 0.0], [-0.5, 0.0]], [-1, 1, -1, 1])
    """
    n, factor = _at_least(2, n), finite("factor", factor, least=0.0)
    points, ys = [], []
    for i in range(n):
        inner = i % 2
        angle = 2 * math.pi * (i // 2) / ((n + 1 - inner) // 2)
        radius = factor if inner else 1.0
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
        ys.append(1 if inner else -1)
    return _scatter(points, noise, seed), ys


def xor(n: int = 4, *, noise: float = 0.0, seed: int = 0) -> tuple[Rows, list[int]]:
    """The corners of a square; `ys` is +1 where exactly one coordinate is 1, else -1.

    >>> xor()
    ([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [-1, 1, 1, -1])
    """
    n = _at_least(1, n)
    bits = [(i // 2 % 2, i % 2) for i in range(n)]
    corners = [(float(a), float(b)) for a, b in bits]
    return _scatter(corners, noise, seed), [1 if a != b else -1 for a, b in bits]


def spirals(
    n: int = 300, *, classes: int = 3, noise: float = 0.03, seed: int = 0
) -> tuple[Rows, list[int]]:
    """Arms that wind two thirds of a turn around the origin; `ys` 0 to classes - 1, in turn.

    >>> xs, ys = spirals(6, noise=0)
    >>> xs[3:], ys
    ([[-0.5, -0.866025404], [1.0, 0.0], [-0.5, 0.866025404]], [0, 1, 2, 0, 1, 2])
    """
    classes = size("classes", classes)
    n = _at_least(2 * classes, n)
    points, ys = [], []
    for i in range(n):
        arm = i % classes
        radius = (i // classes) / ((n - arm - 1) // classes)
        angle = 2 * math.pi * (arm / classes + radius * 2 / 3)
        points.append((radius * math.cos(angle), radius * math.sin(angle)))
        ys.append(arm)
    return _scatter(points, noise, seed), ys


# --- real data --------------------------------------------------------------------------------


def iris() -> Dataset:
    """150 iris flowers of three species, measured by E. Anderson, published by R. A. Fisher.

    Source: Fisher, "The use of multiple measurements in taxonomic problems", Annals of Eugenics
    7 (1936), with the values of R and scikit-learn (the UCI copy has two wrong rows).

    >>> iris()  # doctest: +ELLIPSIS
    Dataset(150 rows, features sepal length (cm), ...; classes setosa, versicolor, virginica)
    """
    return load_csv(Path(__file__).with_name("iris.csv"), target="species")


def digits() -> Dataset:
    """1,797 handwritten digits of 8 x 8 pixels from 0 (white) to 1 (black).

    >>> images, labels = digits()
    >>> len(images), len(images[0]), labels[:4]
    (1797, 64, [0, 1, 2, 3])

    Source: E. Alpaydin and C. Kaynak, UCI "Optical Recognition of Handwritten Digits" (1998), its
    test part, CC BY 4.0; the pixels are as in scikit-learn, there from 0 to 16.
    """
    with gzip.open(Path(__file__).with_name("digits.csv.gz"), "rt", encoding="ascii") as file:
        rows = [list(map(int, line.split(","))) for line in file]
    return Dataset(
        xs=[[pixel / 16 for pixel in row[:-1]] for row in rows],
        ys=[row[-1] for row in rows],
        features=tuple(f"pixel_{i}_{j}" for i in range(8) for j in range(8)),
        classes=tuple(map(str, range(10))),
        target="digit",
    )


# --- preparing --------------------------------------------------------------------------------


def shuffled(n: int, rng: random.Random) -> list[int]:
    """The numbers 0 to n - 1 in random order, from `random()` alone."""
    keys = [rng.random() for _ in range(n)]
    return sorted(range(n), key=keys.__getitem__)


def split(data: Data, fraction: float = 0.8, *, seed: int = 0) -> tuple[Dataset, Dataset]:
    """The rows in two parts at random: `fraction` of them, and the rest.

    >>> training, held_out = split(iris(), 0.8)
    >>> len(training.xs), len(held_out.xs)
    (120, 30)
    """
    whole = as_dataset(data)
    n = len(whole.xs)
    share = 0.0 if fraction != fraction else finite("split: the fraction", fraction)
    count = round(share * n) if 0 < share < 1 else 0
    if not 0 < count < n:
        raise ValueError(
            f"split expected a fraction between 0 and 1 that leaves rows on both sides, "
            f"got {fraction} of {n} rows"
        )
    order = shuffled(n, generator(seed))
    return whole.pick(order[:count]), whole.pick(order[count:])


def one_hot(index: int, classes: int) -> list[float]:
    """A list of `classes` numbers, 1 at `index` and 0 elsewhere.

    >>> one_hot(1, 3)
    [0.0, 1.0, 0.0]
    """
    if not is_finite(index) or index not in range(classes):
        raise ValueError(f"one_hot expected an index from 0 to {classes - 1}, got {index!s:.60}")
    return [float(i == index) for i in range(classes)]


# --- classes ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Decision:
    """How a model's output names a class: the largest of several outputs, or the sign of one.

    A single output above `threshold` means the second of two `labels`.
    """

    labels: range
    threshold: float

    def scores(self, output: Any) -> list[float]:
        """A number for each label from `output`, a Value or a list of them: the largest wins."""
        if isinstance(output, list):
            return list(map(data_of, output))
        return [2 * self.threshold - data_of(output), data_of(output)]

    def __call__(self, output: Any) -> int:
        """The label that `output` stands for."""
        scores = self.scores(output)
        return self.labels[scores.index(max(scores))]

    def labels_of(self, outputs: Sequence[Any]) -> list[int]:
        """The label that each output stands for."""
        if {*map(type, outputs)} == {float}:
            (low, high), twice = self.labels, 2 * self.threshold
            return [high if z > twice - z else low for z in outputs]
        lists = outputs if {*map(type, outputs)} == {list} else ()
        if {*map(type, chain.from_iterable(lists))} == {float}:
            return [self.labels[scores.index(max(scores))] for scores in outputs]
        return list(map(self, outputs))

    def label_of(self, target: Any) -> int:
        """The label that a target stands for: itself, or the place of the 1 in a list."""
        return int(target.index(1) if isinstance(target, list) else target)

    def share_right(self, outputs: Sequence[Any], targets: Sequence[Any]) -> float:
        """The share of outputs that stand for the labels of their targets."""
        hits = sum(map(eq, self.labels_of(outputs), map(self.label_of, targets)))
        return float(hits / len(outputs))

    def is_right(self, output: Any, target: Any) -> bool:
        """Whether `output` stands for the label of `target`."""
        return self(output) == self.label_of(target)


def decision(ys: Sequence[Any], output: Any, threshold: float | None = None) -> Decision | None:
    """The Decision that fits the targets `ys` and an example of an output; None for amounts.

    Targets are classes where they are indices (ints from 0) or lists of one 1 and zeros, with an
    output for each class; or two numbers, -1 and 1 or 0 and 1, with a single output. Then the
    threshold is halfway between them unless given.
    """
    several = isinstance(output, list)
    if any(isinstance(y, list) for y in ys):
        one_hots = all(isinstance(y, list) and sorted(y) == [0] * (len(y) - 1) + [1] for y in ys)
        return Decision(range(len(output)), 0.0) if several and one_hots else None
    if several:
        indices = all(isinstance(y, int) and y >= 0 for y in ys)
        return Decision(range(len(output)), 0.0) if indices else None
    for labels in (range(-1, 2, 2), range(2)):
        if set(ys) == set(labels):
            return Decision(labels, sum(labels) / 2 if threshold is None else threshold)
    return None
