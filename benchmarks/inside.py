"""Runs in Pyodide, in a web page: steps of training by each way of running them."""

import time
from collections.abc import Callable
from statistics import median

from benchmarks import ours
from benchmarks.works import WORKS
from engine.replay.backends import backend
from nn.table import Table

BURST = 0.2  # seconds: clocks of browsers tick slowly
TURNS = 5
FIRST = 250  # steps of a replay: some of them are compared with the function
TOGETHER = 50


def figures(work: str) -> dict[str, float]:
    """Seconds of a step: eager, and replayed in Python and as WebAssembly; and of making that."""
    made, task = ours.TRAININGS[work], WORKS[work].task()
    found = {name: _seconds(_replayed(made(task), name)) for name in ("python", "wasm")}
    step = ours.own_loop(made, "eager", task)
    found["eager"] = _seconds(lambda count: [step(number) for number in range(count)])
    (program, tape), times = ours.rolled(made(task)), []
    for _ in range(TURNS):
        start = time.perf_counter()
        backend("wasm").compile(program, tape)
        times.append(time.perf_counter() - start)
    return {**found, "making": median(times)}


def _replayed(training: ours.Training, name: str) -> Callable[[int], object]:
    """What takes so many steps on the first batch as `fit` does: together where that can be."""
    steps, data = ours.bound(training, name), Table(*training.batches[0])
    for _ in range(FIRST):
        steps.step(data)

    def run(count: int) -> None:
        while count > 0:
            taken = steps.several(data, [None] * min(count, TOGETHER), [], None)
            count -= len(taken.losses) if taken else 1
            if not taken:
                steps.step(data)

    return run


def _seconds(run: Callable[[int], object]) -> float:
    """What one step takes of so many as fill a burst: the median of some turns."""
    count, times = 1, list[float]()
    while len(times) < TURNS:
        start = time.perf_counter()
        run(count)
        taken = time.perf_counter() - start
        if taken > BURST:
            times.append(taken / count)
        else:
            count *= 2
    return median(times)
