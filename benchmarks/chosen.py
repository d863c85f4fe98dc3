"""Which backend is faster: C beside NumPy for each function, `auto` beside the best."""

import re
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any, NamedTuple

from benchmarks.turns import Measured, Step
from engine.op import Op
from engine.ops import OPS
from engine.replay import backends
from engine.replay.backends.kernel import Kernel, fill
from engine.replay.backends.ufuncs import FUNCTIONS
from engine.replay.roll import roll
from engine.replay.watch import record
from engine.value import Value, call
from nn.data import digits, moons, xor
from nn.loss import cross_entropy, hinge, mse
from nn.module import MLP
from nn.train import fit

SIZE = 1600  # numbers
ROUNDS = 15
BURST = 0.002  # seconds
ONES = (1.0,) * SIZE
FAR = 4  # times the fastest one's time, after a few steps


def in_numpy(op: Op) -> bool:
    """Whether NumPy has this function, as one of its own.

    >>> in_numpy(OPS["tanh"]), in_numpy(OPS["gelu"])
    (True, False)
    """
    name = re.fullmatch(r"(\w+)\(x\)", op.formula)
    return op.name == "neg" or bool(name and FUNCTIONS[name[1]].startswith("np."))


def rows(both_ways: bool, _: Any) -> Step:
    """C in NumPy's time, for each row of one operand: the worst of those that NumPy has."""
    made: dict[str, list[Callable[[], float]]] = {}

    def step(number: int) -> Measured:
        for op in () if made else OPS.values():
            if op.arity == 1:
                kernels = [_kernel(op, name) for name in ("c", "numpy")]
                made[op.name] = [partial(_seconds, kernel, both_ways) for kernel in kernels]
        ratios = {
            name: median(c() / numpy() for _ in range(ROUNDS)) for name, (c, numpy) in made.items()
        }
        ordered = sorted(ratios, key=lambda name: -ratios[name])
        theirs = [name for name in ordered if in_numpy(OPS[name])]
        others = [name for name in ordered if name not in theirs]
        texts = [", ".join(f"{n} {ratios[n]:.2f}" for n in names) for names in (theirs, others)]
        return Measured([], ratios[theirs[0]], f"{texts[0]}; NumPy has no {texts[1]}")

    return step


def _kernel(op: Op, backend: str) -> Kernel:
    """A row for many numbers between the points that it is tested at."""
    ends = [point[0] for point in op.at]
    steps = [min(ends) + (max(ends) - min(ends)) * k / (SIZE - 1) for k in range(SIZE)]
    inputs = list(map(Value, steps))
    with record() as seen:
        results = [call(op, x) for x in inputs]
    tape = seen.tape([], results)
    program = roll(tape)
    kernel: Kernel = backends.backend(backend).compile(program, tape)
    fill(kernel.values, program.leaves - SIZE, steps)
    return kernel


def _seconds(kernel: Kernel, both_ways: bool) -> float:
    def run(times: int) -> float:
        start = time.perf_counter()
        for _ in range(times):
            kernel.forward()
            if both_ways:
                kernel.backward(ONES)
        return (time.perf_counter() - start) / times

    return run(int(BURST / run(5)) + 1)


# --- auto ---------------------------------------------------------------------------------------


class Fit(NamedTuple):
    """What `fit` is given; all of the data in each step."""

    net: Callable[[], MLP]
    loss: Callable[[Any, Any], Value]
    data: Callable[[], Any]


def some_digits() -> Any:
    """The first 32."""
    xs, ys = digits()
    return xs[:32], ys[:32]


FITS = {
    "moons": Fit(lambda: MLP(2, [16, 16, 1], seed=1), hinge, lambda: moons(100, seed=1)),
    "digits": Fit(lambda: MLP(64, [32, 10], init="he", seed=1), cross_entropy, some_digits),
    "digits, tanh": Fit(
        lambda: MLP(64, [32, 10], "tanh", init="xavier", seed=1), cross_entropy, some_digits
    ),
    "xor": Fit(lambda: MLP(2, [3, 1], "tanh", init="xavier", seed=1), mse, xor),
}


def auto(name: str, task: Any) -> Step:
    """A step that `auto` takes, once it has taken many, in the time of the fastest backend's.

    Each backend is timed at the same steps, but for those that are far slower.
    """
    net, loss, data = FITS[name]

    def seconds(backend: str, before: int) -> float:
        steps = before + task["measured"]
        history = fit(net(), loss, data(), steps=steps, lr=0.05, backend=backend)
        return median(history.seconds[before:])

    def step(number: int) -> Measured:
        times = {backend: seconds(backend, 20) for backend in backends.NAMES if runs(backend)}
        near = [backend for backend, s in times.items() if s < FAR * min(times.values())]
        times |= {backend: seconds(backend, task["steps"]) for backend in near}
        ours = seconds("auto", task["steps"])
        note = ", ".join(f"{backend} {1e6 * s:,.0f}" for backend, s in times.items())
        return Measured([], ours / min(times.values()), f"{1e6 * ours:,.0f} us a step; {note}")

    return step


def runs(backend: str) -> bool:
    """Whether a backend can run here."""
    try:
        return bool(backends.backend(backend))
    except RuntimeError:
        return False
