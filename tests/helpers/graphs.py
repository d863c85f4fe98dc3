"""Functions written in plain scalars, to be recorded, rolled and replayed."""

import math
import random
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any

from hypothesis import strategies as st

import engine
from engine.functions import dot, logsumexp, softmax
from engine.ops import OPS
from engine.replay.roll import Program, roll
from engine.replay.tape import Tape
from engine.replay.watch import record
from engine.value import Operand, Value, apply, data_of
from nn import loss
from nn.module import MLP

Graph = tuple[list[Value], Callable[[], Any]]  # the inputs, and what to record


def numbers(n: int, seed: int = 0) -> list[Value]:
    draw = random.Random(seed)
    return [Value(draw.uniform(-1, 1)) for _ in range(n)]


def rows(n: int, m: int, seed: int = 0) -> list[list[Value]]:
    flat = numbers(n * m, seed)
    return [flat[k : k + m] for k in range(0, n * m, m)]


def flat(lists: Iterable[Iterable[Value]]) -> list[Value]:
    return [x for row in lists for x in row]


def total(xs: Iterable[Any]) -> Any:
    """Additions from left to right."""
    return reduce(lambda a, b: a + b, xs)


def moons(fused: bool, examples: int = 100, hidden: int = 16) -> Graph:
    """The demo of micrograd: a hinge loss and the squares of all parameters."""
    net = MLP(2, [hidden, hidden, 1], fused=fused, seed=1)
    xs, ys = rows(examples, 2), [Value((-1.0) ** k) for k in range(examples)]

    def f() -> Value:
        hinges = [(1 - y * net(x)).relu() for x, y in zip(xs, ys, strict=True)]
        squares = [p * p for p in net.parameters()]
        return sum(hinges) * (1 / examples) + 1e-4 * sum(squares)

    return flat(xs) + ys, f


def digits(fused: bool, examples: int = 32, sizes: Sequence[int] = (64, 32, 10)) -> Graph:
    """A classifier with one-hot targets."""
    net = MLP(sizes[0], sizes[1:], fused=fused, seed=2)
    xs, classes = rows(examples, sizes[0]), sizes[-1]
    targets = [[Value(float(k % classes == c)) for c in range(classes)] for k in range(examples)]

    def f() -> Value:
        logits = [net(x) for x in xs]
        pairs = zip(logits, targets, strict=True)
        return sum(logsumexp(z) - dot(t, z) for z, t in pairs) * (1 / examples)

    return flat(xs) + flat(targets), f


def activations(name: str, fused: bool) -> Graph:
    net, xs = MLP(3, [4, 2], name, fused=fused, seed=3), rows(3, 3)
    return flat(xs), lambda: [z for x in xs for z in net(x)]


def recurrent() -> Graph:
    w, u, b, xs = rows(3, 2, 1), rows(3, 3, 2), numbers(3, 3), rows(6, 2, 4)

    def f() -> Value:
        h: list[Any] = [0.0] * 3
        for x in xs:
            h = [(dot(w[k], x) + dot(u[k], h, b[k])).tanh() for k in range(3)]
        return total(h)

    return flat(xs), f


def convolution() -> Graph:
    image, kernel, bias = rows(7, 7, 1), rows(3, 3, 2), Value(0.1)

    def f() -> Value:
        windows = [
            total(kernel[a][b] * image[i + a][j + b] for a in range(3) for b in range(3)) + bias
            for i in range(5)
            for j in range(5)
        ]
        return total(window.relu() for window in windows)

    return flat(image), f


def attention() -> Graph:
    wq, wk, wv, xs = rows(3, 3, 1), rows(3, 3, 2), rows(3, 3, 3), rows(5, 3, 4)

    def f() -> list[Value]:
        q, k, v = ([[dot(w, x) for w in ws] for x in xs] for ws in (wq, wk, wv))
        out = []
        for t in range(5):
            shares = softmax([dot(q[t], k[s]) * 0.5 for s in range(t + 1)])
            out += [dot(shares, [v[s][d] for s in range(t + 1)]) for d in range(3)]
        return out

    return flat(xs), f


def sparse() -> Graph:
    draw = random.Random(5)
    xs = numbers(20)
    picks = [draw.sample(range(20), 4) for _ in range(40)]
    ws = rows(40, 4, 6)

    def f() -> Value:
        return total(
            dot(w, [xs[i] for i in pick]).tanh() for w, pick in zip(ws, picks, strict=True)
        )

    return xs, f


def losses() -> Graph:
    zs, ts = numbers(6), [0.25, 1.0, 0.0, 1.0, 0.75, 0.0]
    logits = rows(3, 4, 1)

    def f() -> list[Value]:
        return [
            *(loss.mse(zs, ts), loss.mae(zs, ts), loss.binary_cross_entropy(zs, ts)),
            *(loss.hinge(zs, [1, -1] * 3), loss.l2(zs), loss.cross_entropy(logits, [1, 0, 3])),
            loss.cross_entropy(logits, [[0.1, 0.2, 0.3, 0.4]] * 3),
        ]

    return zs + flat(logits), f


def shared() -> Graph:
    """Operands met twice, constants that are one object, and outputs that are leaves."""
    x, y, half = Value(0.5), Value(-2.0), 0.5

    def f() -> list[Any]:
        a = x * x + x
        b = half * a - half * y
        return [b, x, b, y, a / a, half, dot([x, y, x], [x, x, 3.0], a), engine.sum([x, a, x, 2.0])]

    return [x], f


def choices() -> Graph:
    xs = numbers(8)
    return xs, lambda: [
        engine.max(xs),
        engine.min(xs) * 2,
        *(abs(x) ** 2.5 for x in xs),
        2 ** xs[0],
    ]


def higher() -> Graph:
    x, y = Value(0.7), Value(1.3)

    def f() -> list[Any]:
        slope = engine.grad((x * y).tanh() + x**3 * y.exp(), x)
        return [slope * slope, *engine.grad(slope, [x, y])]

    return [x], f


def backwards() -> Graph:
    """A sum that runs through memory from its end, and one with steps of 2."""
    w, xs = numbers(6, 1), numbers(12)
    return xs, lambda: [
        dot(w, xs[5::-1]),
        total(w[k] * xs[11 - 2 * k] for k in range(6)),
        total(xs[::-1]),
    ]


def picks() -> Graph:
    """Letters over a table, labels over logits, rows that do not lie evenly, one picked twice."""
    table, ws, letters = rows(6, 3, 1), rows(4, 3, 2), [Value(k) for k in (2.0, 0.0, -1.0, 2.0)]
    odd = [table[0][1], 0.5, table[3][0], ws[0][2], table[4][1]]

    def f() -> list[Value]:
        logits = [[dot(w, engine.pick(table, letter)) for w in ws] for letter in letters]
        chances = [engine.pick(softmax(z), label) for z, label in zip(logits, letters, strict=True)]
        return [
            total(-p.log() for p in chances),
            *(loss.cross_entropy(z, k % 4) for k, z in enumerate(logits)),
            total(engine.pick(odd, letter) * engine.pick(odd, 1) for letter in letters),
            engine.pick([0.25, 0.75, 1.5], letters[0]) * engine.pick(logits[1], letters[3] * 0.5),
        ]

    return letters, f


GRAPHS: dict[str, Callable[[], Graph]] = {
    **{f"moons, fused={fused}": lambda fused=fused: moons(fused, 9, 5) for fused in (True, False)},
    **{
        f"digits, fused={fused}": lambda fused=fused: digits(fused, 5, (6, 4, 3))
        for fused in (True, False)
    },
    **{
        f"{op.name}, fused={fused}": lambda op=op, fused=fused: activations(op.name, fused)
        for op in OPS.values()
        if op.arity == 1 and op.domain == (-math.inf, math.inf)
        for fused in (True, False)
    },
    **{
        f.__name__: f
        for f in (
            *(recurrent, convolution, attention, sparse, losses, shared, choices, higher),
            *(backwards, picks),
        )
    },
}


@dataclass
class Recorded:
    """A recorded function beside what eager mode computes for it."""

    inputs: list[Value]
    outputs: list[Operand]
    seeds: list[float]
    tape: Tape
    program: Program

    @property
    def leaves(self) -> list[Value]:
        """Inputs and parameters, as they stand in memory."""
        return [*self.inputs, *self.program.parameters]

    def eager(self) -> tuple[list[float], list[float]]:
        """The outputs, and the gradients of the leaves."""
        for v in self.leaves:
            v.zero_grad()
        if any(isinstance(z, Value) for z in self.outputs):
            apply(OPS["dot"], *self.outputs, *self.seeds, 0.0).backward()
        return [data_of(z) for z in self.outputs], [v.grad for v in self.leaves]


def recorded(graph: Graph, seeds: Sequence[float] = (), input_grads: bool = True) -> Recorded:
    inputs, f = graph
    with record() as seen:
        result = f()
    outputs = list(result) if isinstance(result, list) else [result]
    tape = seen.tape(inputs, outputs, [input_grads] * len(inputs))
    seeds = list(seeds) or [1.0 - 0.25 * k for k in range(len(outputs))]
    return Recorded(inputs, outputs, seeds, tape, roll(tape))


Step = tuple[str, list[int]]


@st.composite
def random_graphs(draw: Any, names: Sequence[str], leaves: st.SearchStrategy[float]) -> Graph:
    """Up to 25 operations on leaves, constants and earlier results; the last are the outputs."""
    inputs = [Value(x) for x in draw(st.lists(leaves, min_size=1, max_size=4))]
    parameters = [Value(x) for x in draw(st.lists(leaves, min_size=1, max_size=4))]
    constants = draw(st.lists(leaves, max_size=2))
    known = len(inputs) + len(parameters) + len(constants)
    steps: list[Step] = []
    for k in range(draw(st.integers(1, 25))):
        op = OPS[draw(st.sampled_from(names))]
        count = op.arity
        if count is None:
            count = (
                draw(st.integers(1, 5))
                if len(op.partials) == 1
                else 2 * draw(st.integers(0, 4)) + 1
            )
        steps.append((op.name, [draw(st.integers(0, known + k - 1)) for _ in range(count)]))
    ends = draw(st.lists(st.integers(0, known + len(steps) - 1), max_size=2))

    def f() -> list[Any]:
        made: list[Any] = [*inputs, *parameters, *constants]
        for name, picks in steps:
            made.append(engine.functions.call(OPS[name], *(made[i] for i in picks)))
        return [made[-1], *(made[i] for i in ends)]

    return inputs, f


def deep_chain(length):
    """A function whose operations stand on each other, so many of them; and what it begins with."""
    x, w = Value(0.5), Value(0.999)

    def run():
        v = x
        for i in range(length):
            v = v * w if i % 3 else (v + x).sin()
        return v

    return run, x
