"""Runs the experiments of the notebooks on memorization and grokking at five seeds.

`python -m benchmarks.course` writes nn/experiments.csv. With names, only those experiments run, and
the others stay as they are in the file.
"""

import argparse
import csv
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import product
from typing import NamedTuple

from engine.files import write
from engine.names import no_such
from nn.experiments import (
    KINDS,
    REGULARISERS,
    RESULTS,
    epochs_to_fit,
    noise,
    regulariser,
    sensitivity,
    spread,
)
from nn.grokking import grokking
from nn.history import as_csv

SEEDS = 5
FIRST_LINE = "# written by python -m benchmarks.course"
NOISY = ("random inputs", "random labels")
COLUMNS = ("experiment", "kind", "amount", "seed", "result", "number")


class Experiment(NamedTuple):
    """A function of a kind, an amount and a seed, with the kinds and amounts to try."""

    run: Callable[[str, float, int], Mapping[str, float]]
    kinds: Sequence[str]
    amounts: Sequence[float]


EXPERIMENTS = {
    "epochs": Experiment(
        lambda kind, n, seed: epochs_to_fit(kind, n=int(n), seed=seed),
        [*KINDS],
        (50, 100, 200, 300),
    ),
    "epochs by width": Experiment(
        lambda kind, hidden, seed: epochs_to_fit(kind, n=100, hidden=int(hidden), seed=seed),
        [*KINDS],
        (8, 16, 32, 64),
    ),
    "noise": Experiment(
        lambda kind, share, seed: noise(kind, share, seed=seed), NOISY, (0, 0.2, 0.4, 0.6, 0.8)
    ),
    "spread": Experiment(lambda kind, _, seed: spread(kind, seed=seed), [*KINDS], (0,)),
    "sensitivity": Experiment(lambda kind, _, seed: sensitivity(kind, seed=seed), [*KINDS], (0,)),
    "regularisers": Experiment(
        lambda name, _, seed: regulariser(name, seed=seed), [*REGULARISERS], (0,)
    ),
    "grokking": Experiment(
        lambda _, decay, seed: grokking(decay, seed=seed), ["weight decay"], (1.0, 0.3, 0)
    ),
}


def main() -> None:
    """Runs what is asked for, and writes the file after each experiment."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.course", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="an experiment; all unless given")
    names = parser.parse_args().names or list(EXPERIMENTS)
    for name in names:
        if name not in EXPERIMENTS:
            parser.error(no_such("experiment", name, EXPERIMENTS))
    for name in names:
        start = time.perf_counter()
        new = list(rows_of(name, range(SEEDS)))
        others = [row for row in rows_there() if row[0] != name]
        order = list(EXPERIMENTS)
        rows = sorted([*others, *new], key=lambda row: order.index(row[0]))
        write(RESULTS, f"{FIRST_LINE}\n{as_csv([COLUMNS, *rows])}")
        print(f"{name}: {time.perf_counter() - start:.0f} s", flush=True)


def rows_of(name: str, seeds: Sequence[int]) -> Iterator[tuple[str, ...]]:
    """The rows of an experiment, as texts."""
    run, kinds, amounts = EXPERIMENTS[name]
    for kind, amount, seed in product(kinds, amounts, seeds):
        for result, number in run(kind, amount, seed).items():
            yield name, kind, f"{amount:g}", str(seed), result, f"{number:.4g}"


def rows_there() -> list[tuple[str, ...]]:
    """The rows of the file."""
    if not RESULTS.exists():
        return []
    lines = RESULTS.read_text(encoding="utf-8").splitlines()[2:]
    return [tuple(row) for row in csv.reader(lines)]


if __name__ == "__main__":
    main()
