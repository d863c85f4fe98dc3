"""What is measured without a contest: the kernel's share of peak, its making, rolling, memory."""

import gc
import tempfile
import time
import tracemalloc
from itertools import pairwise
from math import prod
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import ours, peak
from benchmarks.turns import Measured, Step
from benchmarks.works import WORKS
from engine.replay.arguments import copies, flatten, read, rebuild
from engine.replay.backends import library
from engine.replay.reach import reach
from engine.replay.replay import replay
from engine.replay.roll import Rolled, roll
from engine.replay.runs import Runs
from engine.replay.watch import record
from engine.value import Operand, Value
from nn.table import Table

FLOPS = {"dot": 2, "mul": 1, "add": 1, "sub": 1, "sum": 1}  # for each term; others count nothing
BURST = 0.005  # seconds


def kernel(work: str, _: Any) -> Step:
    """Products and sums of forward and backward in C, in percent of the core's peak."""
    training = _training(work)
    loss = replay(training.loss, backend="c")
    for _ in range(2):  # the first call records, the second one runs
        loss(*training.batches[0])
    recorded = loss.kept.candidates(read(training.batches[0], {}))[0]
    operations = sum(map(flops, recorded.program.loops))
    peaks = peak.programs()

    def seconds(runs: int) -> float:
        start = time.perf_counter()
        for _ in range(runs):
            recorded.kernel.forward()
            recorded.kernel.backward((1.0,))
        return (time.perf_counter() - start) / runs

    def step(number: int) -> Measured:
        runs = int(BURST / seconds(20)) + 1
        rounds = [(seconds(runs), {way: run() for way, run in peaks.items()}) for _ in range(9)]
        time_of_one = median(taken for taken, _ in rounds)
        shares = [operations / taken / 1e7 / max(most.values()) for taken, most in rounds]
        most = ", ".join(f"{way} {median(r[way] for _, r in rounds):.0f}" for way in peaks)
        note = (
            f"{time_of_one * 1e6:.1f} us for {operations:,} products and sums; "
            f"peak in 1e9 a second: {most}"
        )
        return Measured([], median(shares), note)

    return step


def flops(loop: Rolled) -> int:
    """Products and sums of a loop and of its adjoint loops."""
    of_operands = loop.needs_grad[len(loop.scalars) if loop.vectors else 0 :]
    once = FLOPS.get(loop.op.name, 0) * loop.rows * prod(loop.terms)
    return once * (1 + sum(of_operands))


def making(work: str, _: Any) -> Step:
    """The first step for C, with nothing in the cache; as in `fit` the collector is off."""

    def step(number: int) -> Measured:
        training = _training(work)
        steps = ours.bound(training, "c")
        with tempfile.TemporaryDirectory() as folder:
            library.folders = lambda: iter([Path(folder)])
            library.forget()
            gc.disable()
            start = time.perf_counter()
            loss = steps.step(Table(*training.batches[0])).loss
            seconds = time.perf_counter() - start
            gc.enable()
        return Measured([loss], seconds)

    return step


def start(is_training: bool, _: Any) -> Step:
    """From nothing to a result, in eager forwards and backwards; the collector is off for both.

    A first call of `replay`, or a first step as `fit` takes it: that records the optimiser too.
    """

    def step(number: int) -> Measured:
        training = ours.digits_of_library(WORKS["W3"].task())
        batch = training.batches[0]
        gc.disable()
        plain = []
        for _ in range(5):
            begin = time.perf_counter()
            training.loss(*batch).backward()
            plain.append(time.perf_counter() - begin)
        training.optimizer.zero_grad()
        begin = time.perf_counter()
        if is_training:
            loss = ours.bound(training, "auto").step(Table(*batch)).loss
        else:
            loss = replay(training.loss)(*batch).data
        taken = time.perf_counter() - begin
        gc.enable()
        note = f"{taken * 1000:.0f} ms, an eager one {median(plain) * 1000:.1f} ms"
        return Measured([loss], taken / median(plain), note)

    return step


def guards(work: str, _: Any) -> Step:
    """What looking at the guards takes of a step of a user's own loop in C, in percent."""
    training = _training(work)
    loss = replay(training.loss, backend="c")

    def steps(number: int) -> float:
        start = time.perf_counter()
        for k in range(number):
            total = loss(*training.batches[k % len(training.batches)])
            training.optimizer.zero_grad()
            total.backward()
            training.optimizer.step()
        return (time.perf_counter() - start) / number

    steps(4)  # the first call records, the second one is compared
    world = loss.kept.candidates(read(training.batches[0], {}))[0].world

    def looks(number: int) -> float:
        start = time.perf_counter()
        for _ in range(number):
            world.holds()
        return (time.perf_counter() - start) / number

    def step(number: int) -> Measured:
        rounds = [(looks(1000), steps(100)) for _ in range(5)]
        look, whole = (median(column) for column in zip(*rounds, strict=True))
        note = f"{look * 1e6:.1f} of {whole * 1e6:.0f} us, {len(world.cells)} places"
        return Measured([], 100 * look / (whole - look), note)

    return step


def witnessing(work: str, _: Any) -> Step:
    """The run that is recorded, with walks and a witness, in plain runs of the same function."""
    training = _training(work)
    arguments = training.batches[0]

    def first(batch: Any) -> float:
        runs = Runs(training.loss)
        given = read(batch, {})
        inputs = copies(given.numbers)
        start = time.perf_counter()
        runs.witnessed(given, inputs, [], reach([(training.loss, "")]))
        return time.perf_counter() - start

    def step(number: int) -> Measured:
        times = []
        for _ in range(5):
            start = time.perf_counter()
            loss = training.loss(*arguments)
            plain = time.perf_counter() - start
            times.append((first(arguments) / plain, plain))
        ratio = median(a for a, _ in times)
        note = f"plain {median(b for _, b in times) * 1e3:.1f} ms"
        return Measured([loss.data], ratio, note)

    return step


def rolling(work: str, _: Any) -> Step:
    """Recording, the tape and its loops, in microseconds for each node."""
    training = _training(work)
    numbers: list[Operand] = []
    flatten(training.batches[0], numbers)
    inputs = [Value(x) for x in numbers if not isinstance(x, Value)]

    def step(number: int) -> Measured:
        arguments = rebuild(training.batches[0], iter(inputs))
        times = [time.perf_counter()]
        with record() as seen:
            loss = training.loss(*arguments)
        times.append(time.perf_counter())
        tape = seen.tape(inputs, [loss])
        times.append(time.perf_counter())
        roll(tape)
        times.append(time.perf_counter())
        nodes = len(tape.rows)
        parts = [(b - a) / nodes * 1e6 for a, b in pairwise(times)]
        names = ("recording", "tape", "rolling")
        note = ", ".join(f"{name} {part:.2f}" for name, part in zip(names, parts, strict=True))
        return Measured([loss.data], sum(parts), f"{nodes:,} nodes: {note}")

    return step


def memory(nodes: int) -> Step:
    """A chain of `nodes` operations; the most memory that it took at any time."""

    def step(number: int) -> Measured:
        tracemalloc.start()
        w = Value(0.999)
        v = w
        for _ in range(nodes // 2):
            v = (v * w).tanh()
        v.backward()
        result = v.data
        most = tracemalloc.get_traced_memory()[1]
        del v
        left = tracemalloc.get_traced_memory()[0]
        tracemalloc.stop()
        if left > nodes:
            raise MemoryError(f"{left} bytes were still held after the graph was gone")
        return Measured([result], most / nodes)

    return step


def _training(work: str) -> ours.Training:
    return ours.TRAININGS[work](WORKS[work].task())
