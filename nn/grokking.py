"""Grokking: a net that learns sums by heart first, and understands them later.

The experiment is that of Power et al. 2022, "Grokking: Generalization Beyond Overfitting on Small
Algorithmic Datasets" (arXiv 2201.02177), on a net with squares as activation, as in Gromov 2023
(arXiv 2301.02679).
"""

import random
from collections.abc import Callable, Sequence
from statistics import fmean
from typing import NamedTuple

from engine.functions import dot, pick
from engine.value import Value
from nn.data import Dataset, split
from nn.ground import ground
from nn.loss import cross_entropy
from nn.module import Module
from nn.optim import AdamW
from nn.train import fit


class Adder(Module):
    """Adds two hours on a clock of `n` hours, once it has learned to.

    For each hour there is a row of numbers as the first summand, and one as the second. The two
    rows are added, each sum is squared, and an output for each hour of the answer adds the squares
    up by weights of its own.
    """

    def __init__(self, n: int = 23, hidden: int = 48, seed: int = 0) -> None:
        rng = random.Random(seed)

        def rows(count: int, width: int, reach: float) -> list[list[Value]]:
            return [[Value(rng.uniform(-reach, reach)) for _ in range(width)] for _ in range(count)]

        self.first, self.second = rows(n, hidden, 0.3), rows(n, hidden, 0.3)
        self.answer = rows(n, hidden, hidden**-0.5)

    def __call__(self, x: Sequence[int]) -> list[Value]:
        """A number for each hour: the largest is the answer."""
        pairs = zip(pick(self.first, x[0]), pick(self.second, x[1]), strict=True)
        squares = [(a + b).square() for a, b in pairs]
        return [dot(row, squares) for row in self.answer]


def sums(n: int = 23, share: float = 0.6, seed: int = 0) -> tuple[Dataset, Dataset]:
    """All pairs of hours on a clock of `n`, with their sums: a share to learn from, and the rest.

    >>> seen, unseen = sums(3)
    >>> len(seen.xs), len(unseen.xs), seen.xs[0], seen.ys[0]
    (5, 4, [1, 0], 1)
    """
    pairs = [[a, b] for a in range(n) for b in range(n)]
    return split((pairs, [(a + b) % n for a, b in pairs]), share, seed=seed)


class Look(NamedTuple):
    """The accuracy on the sums to learn from, and on the others, after so many steps."""

    step: int
    seen: float
    unseen: float


def grok(decay: float, *, steps: int, every: int = 25, seed: int = 0) -> tuple[Adder, list[Look]]:
    """Trains an Adder on three sums of five, all at each step, until it knows the others too.

    AdamW with a weight decay of `decay`. It ends after so many steps, or when 95 of 100 others are
    right.
    """
    adder = Adder(seed=seed)
    seen, unseen = (ground(adder, cross_entropy, part) for part in sums(seed=seed))
    optimizer = AdamW(adder.parameters(), lr=0.01, betas=(0.9, 0.98), weight_decay=decay)
    looks: list[Look] = []
    for step in range(every, steps + 1, every):
        fit(adder, cross_entropy, seen, steps=every, optimizer=optimizer)
        looks.append(Look(step, *(fmean(part.hits(len(looks))) for part in (seen, unseen))))
        if looks[-1].unseen >= 0.95:
            break
    return adder, looks


def grokking(decay: float, *, steps: int = 4000, seed: int = 0) -> dict[str, float]:
    """When an Adder knows the sums it sees by heart, and when it knows the others (0: never)."""
    _, looks = grok(decay, steps=steps, seed=seed)

    def first(is_there: Callable[[Look], bool]) -> int:
        return next((look.step for look in looks if is_there(look)), 0)

    return {
        "by heart": first(lambda look: look.seen == 1),
        "understood": first(lambda look: look.unseen >= 0.95),
        "unseen": looks[-1].unseen,
    }
