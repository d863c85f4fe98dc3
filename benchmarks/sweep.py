"""Prints a sweep of 32 trainings on each executor, side by side: seconds, and whether rows agree.

`python -m benchmarks.sweep`; `--runs 8` does fewer. Dask is a scheduler and two workers, which are
processes of their own, over TCP. What is not installed is left out.
"""

import argparse
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any, NamedTuple

from benchmarks.__main__ import machine, versions
from nn.data import moons
from nn.loss import mse
from nn.module import MLP
from nn.sweep import Sweep, sweep
from nn.train import fit
from nn.workers import processes as two_processes

RATES = (0.3, 0.1, 0.03, 0.01)
RUNS = 32
EMPTY = 200  # runs that do nothing: what a run costs beside its training


def train(lr: float, seed: int, steps: int = 30) -> dict[str, float]:
    """A net 2-8-1 on 100 points, in Python alone: the same bits in each process."""
    data = moons(100, seed=0)
    net = MLP(2, [8, 1], "tanh", seed=seed)
    history = fit(net, mse, data, lr=lr, steps=steps, seed=seed, backend="python")
    return {"loss": history.loss[-1], "first": history.loss[0]}


def nothing(seed: int) -> dict[str, float]:
    """No training."""
    return {"seed_again": seed}


@contextmanager
def here() -> Iterator[dict[str, Any]]:
    """One after the other, in this process."""
    yield {}


@contextmanager
def processes() -> Iterator[dict[str, Any]]:
    """Two processes, as `workers=2` begins them."""
    with two_processes(2) as pool:
        yield {"executor": pool}


@contextmanager
def loky() -> Iterator[dict[str, Any]]:
    """Joblib's executor, of two processes."""
    from joblib.externals.loky import get_reusable_executor

    with get_reusable_executor(2) as pool:
        yield {"executor": pool}


@contextmanager
def dask() -> Iterator[dict[str, Any]]:
    """Dask's: a scheduler and two workers, over TCP."""
    from distributed import Client, LocalCluster

    settings: dict[str, Any] = {"protocol": "tcp://", "dashboard_address": None}
    with (
        LocalCluster(n_workers=2, threads_per_worker=1, processes=True, **settings) as cluster,
        Client(cluster) as client,
    ):
        yield {"executor": client.get_executor()}


EXECUTORS: dict[str, Callable[[], Any]] = {
    "serial": here,
    "2 processes": processes,
    "joblib": loky,
    "Dask": dask,
}


class Timed(NamedTuple):
    """A sweep; the seconds until workers had run something, of the sweep, and of an empty run."""

    done: Sweep
    begin: float
    seconds: float
    empty: float


def timed(make: Callable[[], Any], runs: int) -> Timed:
    """The sweep on an executor whose workers have begun, and what a run costs there by itself."""
    settings = {"lr": RATES, "seed": range(max(1, runs // len(RATES)))}
    with ExitStack() as stack:
        start = time.perf_counter()
        where: Mapping[str, Any] = stack.enter_context(make())
        sweep({"seed": range(4)}, nothing, progress=False, **where)
        begun = time.perf_counter()
        done = sweep(settings, train, progress=False, **where)
        ended = time.perf_counter()
        sweep({"seed": range(EMPTY)}, nothing, progress=False, **where)
        empty = (time.perf_counter() - ended) / EMPTY
    return Timed(done, begun - start, ended - begun, empty)


def bits(done: Sweep) -> list[str]:
    """The rows without their seconds, in all digits."""
    return [repr({k: x for k, x in row.items() if k != "seconds"}) for row in done.rows]


def print_beside(found: Mapping[str, Timed]) -> bool:
    """A line for each executor, then the losses side by side; whether all rows are the same."""
    _, first = next(iter(found.items()))
    print(f"  {'':14}{'s to begin':>12}{'s':>10}{'ms a run':>10}   rows")
    for name, one in found.items():
        same = "equal" if bits(one.done) == bits(first.done) else "DIFFER"
        numbers = f"{one.begin:>12.2f}{one.seconds:>10.2f}{1e3 * one.empty:>10.2f}"
        print(f"  {name:14}{numbers}   {len(one.done)}, {same}")
    print(f"\n  {'lr':>6}{'seed':>6}" + "".join(f"{name:>22}" for name in found))
    for rows in zip(*(one.done.rows for one in found.values()), strict=True):
        losses = "".join(f"{row['loss']!r:>22}" for row in rows)
        print(f"  {rows[0]['lr']!r:>6}{rows[0]['seed']!r:>6}{losses}")
    return all(bits(one.done) == bits(first.done) for one in found.values())


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the sweep on each executor that is there; 1 where rows differ."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sweep", description=__doc__)
    parser.add_argument("--runs", type=int, default=RUNS, help=f"trainings (default {RUNS})")
    parser.add_argument(
        "--only", action="append", choices=EXECUTORS, help="an executor; may be repeated"
    )
    options = parser.parse_args(arguments)
    print(f"{machine()}; {versions()}; load {os.getloadavg()[0]:.1f}\n")
    found: dict[str, Timed] = {}
    for name, make in EXECUTORS.items():
        if options.only and name not in options.only:
            continue
        try:
            found[name] = timed(make, options.runs)
        except ImportError as error:
            print(f"  {name} is left out: {error}")
    return 0 if print_beside(found) else 1


if __name__ == "__main__":
    from benchmarks.sweep import main as begin  # by this name workers find the functions

    raise SystemExit(begin())
