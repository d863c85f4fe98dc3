"""Runs in Pyodide, in a web page: a step of training by each way of running it."""

import time
from statistics import median

from benchmarks import ours
from benchmarks.turns import Step
from benchmarks.works import WORKS
from engine.replay.backends import backend
from engine.replay.roll import roll
from engine.replay.watch import record

BURST = 0.2  # seconds: clocks of browsers tick slowly
TURNS = 5
FIRST = 250  # steps of a replay: some of them are compared with the function


def figures(work: str) -> dict[str, float]:
    """Seconds of a step: eager, and replayed in Python and as WebAssembly; and of making that."""
    made, task = ours.TRAININGS[work], WORKS[work].task()
    steps = {"eager": ours.own_loop(made, "eager", task)}
    steps |= {name: ours.descent(made, name, task) for name in ("python", "wasm")}
    for name in ("python", "wasm"):
        for number in range(FIRST):
            steps[name](number)
    found = {name: _seconds(step) for name, step in steps.items()}
    training = made(task)
    with record() as seen:
        loss = training.loss(*training.batches[0])
    tape = seen.tape([], [loss])
    program, times = roll(tape), []
    for _ in range(TURNS):
        start = time.perf_counter()
        backend("wasm").compile(program, tape)
        times.append(time.perf_counter() - start)
    return {**found, "making": median(times)}


def _seconds(step: Step) -> float:
    """What one step takes of so many as fill a burst: the median of some turns."""
    number, count, times = FIRST, 1, list[float]()
    while len(times) < TURNS:
        start = time.perf_counter()
        for _ in range(count):
            step(number)
            number += 1
        taken = time.perf_counter() - start
        if taken > BURST:
            times.append(taken / count)
        else:
            count *= 2
    return median(times)
