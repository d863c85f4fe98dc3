"""Runs the experiments of the notebooks on memorization and grokking at five seeds.

`python -m benchmarks.course` writes nn/experiments.csv; with names, those experiments alone. What
stands in the file already is kept: to run all anew, delete it.
"""

import argparse
import csv
import time
from collections.abc import Callable, Mapping, Sequence
from itertools import product
from operator import itemgetter
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
        (50, 100, 200, 300, 400),
    ),
    "epochs by width": Experiment(
        lambda kind, hidden, seed: epochs_to_fit(kind, n=200, hidden=int(hidden), seed=seed),
        [*KINDS],
        (8, 16, 32, 64, 128),
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
    """Runs what is asked for and not in the file yet, and writes the file after each training."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.course", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="name", help="an experiment; all unless given")
    names = parser.parse_args().names or list(EXPERIMENTS)
    for name in names:
        if name not in EXPERIMENTS:
            parser.error(no_such("experiment", name, EXPERIMENTS))
    rows = rows_there()
    for setting in sorted(settings(), key=itemgetter(3)):  # a seed of all, then the next
        if setting[0] not in names or any(row[:4] == texts(setting) for row in rows):
            continue
        name, kind, amount, seed = setting
        start = time.perf_counter()
        found = EXPERIMENTS[name].run(kind, amount, seed)
        rows += [(*texts(setting), result, f"{x:.4g}") for result, x in found.items()]
        order = {texts(setting): k for k, setting in enumerate(settings())}
        rows.sort(key=lambda row: order[row[:4]])
        write(RESULTS, f"{FIRST_LINE}\n{as_csv([COLUMNS, *rows])}")
        print(*texts(setting), f"{time.perf_counter() - start:.1f} s", flush=True)


def settings() -> list[tuple[str, str, float, int]]:
    """All that is to be run: experiment, kind, amount, seed."""
    return [
        (name, kind, amount, seed)
        for name, experiment in EXPERIMENTS.items()
        for kind, amount, seed in product(experiment.kinds, experiment.amounts, range(SEEDS))
    ]


def texts(setting: tuple[str, str, float, int]) -> tuple[str, ...]:
    """A setting as it stands in the file."""
    name, kind, amount, seed = setting
    return name, kind, f"{amount:g}", str(seed)


def rows_there() -> list[tuple[str, ...]]:
    """The rows of the file."""
    if not RESULTS.exists():
        return []
    lines = RESULTS.read_text(encoding="utf-8").splitlines()[2:]
    return [tuple(row) for row in csv.reader(lines)]


if __name__ == "__main__":
    main()
