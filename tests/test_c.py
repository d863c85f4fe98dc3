"""Programs as C against eager: outputs, gradients of parameters and of inputs."""

import math
import os
import random
from collections.abc import Callable, Iterator, Sequence
from functools import reduce
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import ran
from graphs import deep_chain
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECIAL

from engine import functions as fn
from engine.ops import OPS
from engine.replay.backends import c, ctext, library
from engine.replay.backends.contraction import Machine
from engine.replay.roll import Program, Rolled, roll
from engine.replay.views import View
from engine.replay.watch import record
from engine.value import Value, apply
from nn import loss as losses
from nn.module import MLP

pytestmark = pytest.mark.skipif(c.unavailable() is not None, reason="no C compiler here")

SINGLE = [op for op in OPS.values() if not op.many]
Function = Callable[[], Any]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache of the tests' own."""
    before = os.environ.get("XDG_CACHE_HOME")
    folder = tmp_path_factory.mktemp("cache")
    os.environ["XDG_CACHE_HOME"] = str(folder)
    yield folder
    os.environ.pop("XDG_CACHE_HOME")
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


class Ran(ran.Ran):
    """A function run as C and eagerly, and both results."""

    backend = c


def values(n: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> list[Value]:
    draw = random.Random(seed)
    return [Value(draw.uniform(low, high)) for _ in range(n)]


def total(xs: Sequence[Any]) -> Any:
    """Additions from left to right, as in code that knows no `sum`."""
    return reduce(lambda s, x: s + x, xs)


@pytest.fixture(params=["as it is", "2 lanes", "4 lanes", "8 lanes", "general"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """All the ways to write a program."""
    if request.param.endswith("lanes"):
        lanes = int(request.param[0])
        monkeypatch.setattr(c, "machine", lambda: Machine(lanes, 20 if lanes == 8 else 10))
    if request.param == "general":
        monkeypatch.setattr(ctext, "KINDS", 0)
    return str(request.param)


@pytest.mark.some(30)
@pytest.mark.parametrize("op", SINGLE, ids=lambda op: op.name)
def test_each_row_at_its_points(op: Any) -> None:
    inputs = [[Value(x) for x in point] for point in op.at * 7]
    flat = [x for point in inputs for x in point]
    Ran(lambda: [apply(op, *point) for point in inputs], flat).check()


@pytest.mark.some(30)
@pytest.mark.parametrize("op", SINGLE, ids=lambda op: op.name)
def test_each_row_at_special_values(op: Any) -> None:
    if op.arity == 1:
        points = [(x,) for x in SPECIAL]
    else:
        points = [(x, y) for x in SPECIAL for y in SPECIAL]
    inputs = [[Value(x) for x in point] for point in points]
    flat = [x for point in inputs for x in point]
    ran = Ran(lambda: [apply(op, *point) for point in inputs], flat)
    for got, want in ((ran.data, ran.want), (ran.grads, ran.want_grads)):
        for k, (g, w) in enumerate(zip(got, want, strict=True)):
            where = op.name, points[k // (len(got) // len(points))], g, w
            if math.isfinite(w):
                assert abs(g - w) <= max(8 * math.ulp(w), 1e-323), where
                assert w or math.copysign(1, g) == math.copysign(1, w) or got is ran.grads, where
            else:
                assert g == w or (g != g and w != w), where


@pytest.mark.some(18)
@pytest.mark.parametrize("name", ["sum", "dot", "logsumexp"])
@pytest.mark.parametrize("rows", [1, 64])
@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_rows_of_many_at_special_values(name: str, rows: int, special: float) -> None:
    inputs = [values(7, seed) for seed in range(rows)]
    inputs[0][2].data = special
    inputs[-1][5].data = special
    Ran(lambda: [apply(OPS[name], *xs) for xs in inputs], [x for xs in inputs for x in xs]).check()


def test_a_sum_keeps_small_terms() -> None:
    xs = [Value(1e16), Value(100.0), Value(-1e16), Value(1e-3)]
    assert Ran(lambda: fn.sum(xs), xs).data == [100.001]


@pytest.mark.some(4)
@pytest.mark.parametrize("xs", [[1000.0, 0.0], [-1e-20, -50.0], [0.0, -46.0], [-1000.0, -1000.0]])
@pytest.mark.parametrize("rows", [1, 200])
def test_logsumexp_keeps_its_digits(xs: list[float], rows: int) -> None:
    inputs = [[Value(x) for x in xs] for _ in range(rows)]
    ran = Ran(lambda: [fn.logsumexp(x) for x in inputs], [v for x in inputs for v in x])
    assert ran.data == pytest.approx(ran.want, rel=4e-16, abs=0)


def test_a_defined_row_works_without_another_line() -> None:
    swish = fn.define(
        "swish_of_test_c",
        "swish",
        "x * (double := sigmoid(x)) + 0 * x ** 3",
        "sigmoid(x) * (1 + x * (1 - sigmoid(x)))",
        at=[(0.3,)],
    )
    xs = values(9)
    Ran(lambda: [swish(x) for x in xs], xs).check()


def test_a_long_sum_is_rounded_once() -> None:
    xs = [Value(x) for x in [1e16, *[1.0] * 3_000, -1e16]]
    assert Ran(lambda: fn.sum(xs), xs).data == [3_000.0]


def test_an_output_may_be_a_leaf_and_appear_twice() -> None:
    x, y = Value(2.0), Value(3.0)
    ran = Ran(lambda: [x, y * y, x], [x, y], seeds=[2.0, 1.0, 0.5]).check()
    assert ran.grads == [2.5, 6.0]


@pytest.mark.parametrize(("name", "want"), [("dot", 3.0), ("sum", 0.0), ("add", 0.0)])
def test_rows_without_terms(name: str, want: float) -> None:
    bias = (View("v", 0, (1,), (0,)),) if name == "dot" else ()
    nothing = (View("v", 0, (1, 0), (0, 1), ()),) * (2 if bias else 1)
    loop = Rolled(OPS[name], (1,), (0,), bias, nothing, 1, (True,) * len([*bias, *nothing]))
    program = Program((loop,), 2, (), 0, (Value(3.0),), (1,), (), (0, 1))
    kernel = c.CKernel(program)
    kernel.values[0] = 3.0
    kernel.forward()
    kernel.backward([2.0])
    assert kernel.values[1] == want
    assert kernel.adjoints[0] == (2.0 if bias else 0.0)


def test_an_input_that_nothing_reads_has_gradient_0() -> None:
    x, y = Value(2.0), Value(3.0)
    assert Ran(lambda: x * x, [x, y]).grads == [4.0, 0.0]


@pytest.mark.some(3)
@pytest.mark.parametrize("n", [1, 3, 9, 40, 700])
@pytest.mark.parametrize("lanes", [2, 4, 8])
def test_both_vectors_of_a_dot_may_be_the_same(
    n: int, lanes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(c, "machine", lambda: Machine(lanes, 20))
    ps = values(n)
    Ran(lambda: fn.dot(ps, ps), ps).check()


@pytest.mark.some(5)
@pytest.mark.parametrize("n", [1, 2, 5, 33, 400])
def test_a_number_that_all_rows_share(way: str, n: int) -> None:
    w, xs = Value(0.7), values(n)
    Ran(lambda: fn.sum([(w * x + w).tanh() / w for x in xs]), [w, *xs]).check()


@pytest.mark.some(30)
@pytest.mark.parametrize("shape", [(1, 1, 1), (3, 2, 5), (16, 16, 16), (7, 33, 20), (19, 10, 64)])
def test_matrix_products(way: str, shape: tuple[int, int, int]) -> None:
    n, m, k = shape
    xs = [values(k, i) for i in range(n)]
    model = MLP(k, [m, 3], "tanh", seed=1)
    Ran(lambda: fn.sum([y for x in xs for y in model(x)]), [v for x in xs for v in x]).check()


@pytest.mark.some(3)
@pytest.mark.parametrize(
    "activation", ["linear", "relu", "tanh", "sigmoid", "gelu", "softplus", "exp"]
)
def test_activations(activation: str) -> None:
    xs = [values(3, i) for i in range(20)]
    model = MLP(3, [8, 1], activation, seed=3)
    Ran(lambda: fn.sum([model(x) for x in xs]), [v for x in xs for v in x]).check()


LOSSES: dict[str, tuple[Any, Any]] = {
    "mse": (losses.mse, [0.5, -0.5]),
    "mae": (losses.mae, [0.5, -0.5]),
    "hinge": (losses.hinge, [1, -1]),
    "binary_cross_entropy": (losses.binary_cross_entropy, [1, 0.25]),
    "cross_entropy": (losses.cross_entropy, [0.25, 0.75]),
}


@pytest.mark.some(16)
@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("batch", [1, 31])
def test_losses(name: str, fused: bool, batch: int) -> None:
    loss, target = LOSSES[name]
    xs = [values(4, i) for i in range(batch)]
    model = MLP(4, [6, 2], "relu", fused=fused, seed=5)
    Ran(lambda: loss([model(x) for x in xs], [target] * batch), [v for x in xs for v in x]).check()


@pytest.mark.some(5)
@pytest.mark.parametrize("rows", [5, 100])
def test_sums_of_products_with_two_summands_of_their_own(way: str, rows: int) -> None:
    xs = [values(8, k) for k in range(rows)]
    every = [x for row in xs for x in row]
    ran = Ran(lambda: [a * b + c + d * e + f + g * h for a, b, c, d, e, f, g, h in xs], every)
    (loop,) = ran.check().program.loops
    assert (loop.op.name, len(loop.scalars)) == ("dot", 2)


@pytest.mark.some(5)
def test_recurrent_net(way: str) -> None:
    w, u, h0 = [values(6, i) for i in range(6)], values(6, 9), values(6, 10)
    xs = values(12, 11)

    def run() -> Any:
        h: list[Any] = list(h0)
        for x in xs:
            h = [(fn.dot(row, h) + a * x).tanh() for row, a in zip(w, u, strict=True)]
        return fn.dot(h, h)

    Ran(run, xs).check()


@pytest.mark.some(5)
def test_convolution_with_overlapping_windows(way: str) -> None:
    image = [values(11, i) for i in range(9)]
    kernels = [values(9, 20 + i) for i in range(4)]

    def run() -> Any:
        out = []
        for k in kernels:
            for i in range(7):
                for j in range(9):
                    window = [image[i + a][j + b] for a in range(3) for b in range(3)]
                    out.append(total([p * q for p, q in zip(k, window, strict=True)]).relu())
        return fn.sum(out)

    Ran(run, [v for row in image for v in row]).check()


@pytest.mark.some(5)
@pytest.mark.parametrize("rows", [3, 200])
def test_sparse_net_reads_tables(way: str, rows: int) -> None:
    draw = random.Random(4)
    xs, ws = values(40, 1), values(5 * rows, 2)
    wires = [[draw.randrange(40) for _ in range(5)] for _ in range(rows)]

    def run() -> Any:
        hidden = [
            total([ws[5 * i + t] * xs[p] for t, p in enumerate(row)]).sigmoid()
            for i, row in enumerate(wires)
        ]
        return fn.sum([hidden[draw.randrange(rows)] * h for h in hidden])

    ran = Ran(run, xs).check()
    views = [view for loop in ran.program.loops for view in (*loop.scalars, *loop.vectors)]
    assert any(view.table for view in views)


@pytest.mark.some(5)
def test_attention(way: str) -> None:
    width, length = 8, 6
    q, k, v = ([values(width, 10 * s + i) for i in range(width)] for s in (1, 2, 3))
    xs = [values(width, 50 + t) for t in range(length)]

    def linear(w: list[list[Value]], x: list[Any]) -> list[Any]:
        return [total([a * b for a, b in zip(row, x, strict=True)]) for row in w]

    def run() -> Any:
        out = []
        keys, contents = [linear(k, x) for x in xs], [linear(v, x) for x in xs]
        for t, x in enumerate(xs):
            mean = total([a * a for a in x]) * (1 / width)
            query = linear(q, [a * (mean + 1e-5) ** -0.5 for a in x])
            scores = fn.softmax([fn.dot(query, key) * 0.35 for key in keys[: t + 1]])
            out += [fn.dot(scores, [c[e] for c in contents[: t + 1]]) for e in range(width)]
        return fn.logsumexp(out)

    Ran(run, [a for x in xs for a in x]).check()


def test_deep_chains(amount: Callable[..., int]) -> None:
    run, x = deep_chain(amount(3_000, 20_000, 100_000))
    ran = Ran(run, [x]).check()
    assert len(ran.kernel.source) < 40_000


def test_wide_programs(amount: Callable[..., int]) -> None:
    xs = values(amount(3_000, 20_000, 100_000))
    Ran(lambda: fn.sum([(x * x + 1.0).sqrt() for x in xs]), xs).check()


@pytest.mark.whole
def test_loops_of_many_lengths_share_functions(
    monkeypatch: pytest.MonkeyPatch, amount: Callable[..., int]
) -> None:
    xs = values(amount(150, 300, 300))

    monkeypatch.setattr(ctext, "KINDS", 100)

    def run() -> Any:
        layer: list[Any] = xs
        while len(layer) > 1:
            layer = [(a * b).sin() for a, b in pairwise(layer)]
        return layer[0]

    ran = Ran(run, xs).check()
    assert ran.kernel.source.count("static void") < 30


UNARY = ["sin", "tanh", "sigmoid", "exp", "neg", "relu", "softplus", "abs", "atan"]
BINARY = ["add", "sub", "mul", "max", "min"]
MANY = ["sum", "dot", "logsumexp"]


@pytest.mark.whole
@settings(max_examples=40)
@given(st.data())
def test_random_graphs(data: st.DataObject) -> None:
    inputs = values(data.draw(st.integers(1, 4)), data.draw(st.integers(0, 1000)))
    parameters = values(2, 77)
    steps = data.draw(
        st.lists(
            st.tuples(
                st.sampled_from(UNARY + BINARY * 3 + MANY),
                st.lists(st.integers(0, 10**6), min_size=9, max_size=9),
                st.integers(1, 20),  # how many rows of the kind
            ),
            min_size=1,
            max_size=12,
        )
    )

    def run() -> list[Any]:
        nodes: list[Any] = [*inputs, *parameters, parameters[0] * parameters[1]]
        for name, picks, rows in steps:
            op = OPS[name]
            known = len(nodes)
            for row in range(rows):
                count = op.arity or (picks[0] % 4) * 2 + 3
                operands = [nodes[(p + row) % known] for p in picks[:count]]
                z = apply(op, *operands)
                nodes.append(z.tanh() if abs(z.data) > 3 or name == "exp" else z)
        return nodes[-5:]

    Ran(run, inputs).check()


def test_only_a_compiler_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(library, "compiler", lambda: None)
    assert "install gcc" in (c.unavailable() or "")
    x = Value(1.0)
    with record() as seen:
        y = x * x
    tape = seen.tape([x], [y])
    with pytest.raises(RuntimeError, match="no C compiler was found: install"):
        c.compile(roll(tape), tape)
