"""Prints when gradient sharding pays: a step of `fit` alone, and in two shards on two processes.

Each process has one thread; the figure is the lowest of the steps that are timed. Nets of about
1,000 to 100,000 weights, and with `--large` one of a million, which needs 4 GB and ten minutes.
`--quick` takes little ones, to see that all of it runs.
"""

import argparse
import os
import random
from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from benchmarks.__main__ import machine, versions
from benchmarks.report import short
from benchmarks.sweep import dask, processes
from nn.loss import cross_entropy
from nn.module import MLP
from nn.train import fit

for library in ("OPENBLAS", "MKL", "OMP"):  # before NumPy is there: one thread for each process
    os.environ.setdefault(f"{library}_NUM_THREADS", "1")
WORKERS = 2  # as the executors of `sweep` have them
CLASSES = 10


class Case(NamedTuple):
    """A net, the rows of a batch, and how many steps are timed."""

    nin: int
    hidden: Sequence[int]
    rows: int
    steps: int


CASES = (
    Case(20, (30,), 64, 100),
    Case(64, (130,), 64, 100),
    Case(64, (256, 256, 64), 64, 50),
)
LARGE = Case(784, (1000, 200), 8, 10)  # few rows: what is compared is computed eagerly
QUICK = (Case(4, (5,), 8, 6),)


def main() -> None:
    """Prints a line of the table for each net."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.shards", description=__doc__)
    parser.add_argument("--large", action="store_true", help="also a net of a million weights")
    parser.add_argument("--quick", action="store_true", help="little nets: figures mean nothing")
    options = parser.parse_args()
    print(f"{machine()}; {versions()}")
    print("| weights | rows | alone, ms | 2 processes, ms | in its time | Dask, ms | in its time |")
    print("|---|---|---|---|---|---|---|")
    for case in QUICK if options.quick else (*CASES, *[LARGE] * options.large):
        print(line(case), flush=True)


def line(case: Case) -> str:
    """A net's line of the table."""
    alone = seconds(case)
    cells = [f"{weights(case):,}", str(case.rows), short(1e3 * alone)]
    for make in (processes, dask):
        try:
            with make() as where:
                there = seconds(case, **where, shards=WORKERS)
            cells += [short(1e3 * there), f"{short(there / alone)}x"]
        except ImportError:
            cells += ["not installed", ""]
    return f"| {' | '.join(cells)} |"


def seconds(case: Case, **settings: Any) -> float:
    """The lowest time of a step, once all is recorded."""
    rng = random.Random(0)
    xs = [[rng.gauss(0, 1) for _ in range(case.nin)] for _ in range(case.rows)]
    ys = [rng.randrange(CLASSES) for _ in xs]
    history = fit(
        net(case), cross_entropy, (xs, ys), steps=4 + case.steps, lr=0.01, backend="numpy",
        **settings,
    )  # fmt: skip
    return min(history.seconds[4:])


def net(case: Case) -> MLP:
    """The net of a case, the same each time."""
    return MLP(case.nin, [*case.hidden, CLASSES], init="he", seed=0)


def weights(case: Case) -> int:
    """How many weights it has, biases among them."""
    sizes = [case.nin, *case.hidden, CLASSES]
    return sum((a + 1) * b for a, b in pairwise(sizes))


if __name__ == "__main__":
    main()
