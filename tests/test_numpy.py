"""Programs as calls of NumPy against eager: outputs, gradients of parameters and of inputs."""

import ast
import math
import random
from array import array
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import graphs
import pytest
import ran
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECIAL

from engine import functions
from engine.ops import OPS
from engine.replay.roll import Program, Rolled, roll
from engine.replay.tape import Tape
from engine.replay.views import View
from engine.replay.watch import record
from engine.value import Value, apply
from nn import loss as losses
from nn.module import MLP

pytest.importorskip("numpy")

from engine.replay.backends import arrays, called
from engine.replay.backends import numpy as backend

SINGLE = [op for op in OPS.values() if not op.many]


class Ran(ran.Ran):
    """A function run by NumPy and eagerly, and both results."""

    backend = backend

    @property
    def calls(self) -> str:
        """The generated code without the lines that make the views."""
        return self.kernel.source[self.kernel.source.index("@np") :]


def values(n: int, seed: int = 0, low: float = -1.0, high: float = 1.0) -> list[Value]:
    draw = random.Random(seed)
    return [Value(draw.uniform(low, high)) for _ in range(n)]


def grid(rows: int, columns: int, seed: int = 0) -> list[list[Value]]:
    return [values(columns, seed + row) for row in range(rows)]


def flat(rows: Sequence[Sequence[Value]]) -> list[Value]:
    return [x for row in rows for x in row]


def plus(xs: Sequence[Any]) -> Any:
    """Additions from left to right, as in code that knows no `sum`."""
    return reduce(lambda s, x: s + x, xs)


WAYS = {
    "as it is": (),
    "a list of steps": ((backend, "PRINTED", 0),),
    "arrays for single numbers": ((arrays, "FEW", 0),),
    "windows place by place": ((arrays, "SLICES", 0), (arrays, "FEW", 0)),
    "sums by halves": ((called, "ROWS", 0), (arrays, "FEW", 0)),
    "numbers alone": ((arrays, "FEW", 10**9),),
}


@pytest.fixture(params=WAYS)
def _way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """All the ways to write a program."""
    for module, name, limit in WAYS[request.param]:
        monkeypatch.setattr(module, name, limit)


every_way = pytest.mark.usefixtures("_way")


@pytest.mark.some(15)
@every_way
@pytest.mark.parametrize("op", SINGLE, ids=repr)
def test_each_row_at_its_points(op: Any) -> None:
    points = [[Value(x) for x in point] for point in op.at * 7]
    Ran(lambda: [apply(op, *point) for point in points], flat(points)).check()


@pytest.mark.some(28)
@pytest.mark.parametrize("few", [0, 10**9], ids=["arrays", "numbers"])
@pytest.mark.parametrize("op", SINGLE, ids=repr)
def test_each_row_at_special_values(op: Any, few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrays, "FEW", few)
    points = [(x,) for x in SPECIAL]
    if op.arity == 2:
        points = [(x, y) for x in SPECIAL for y in SPECIAL]
    inputs = [[Value(x) for x in point] for point in points]
    ran = Ran(lambda: [apply(op, *point) for point in inputs], flat(inputs))
    for got, want in ((ran.data, ran.want), (ran.grads, ran.want_grads)):
        for k, (g, w) in enumerate(zip(got, want, strict=True)):
            where = op.name, points[k // (len(got) // len(points))], g, w
            if math.isfinite(w):
                assert abs(g - w) <= max(8 * math.ulp(w), 1e-322), where
            else:
                assert g == w or (g != g and w != w), where


@pytest.mark.some(4)
@pytest.mark.parametrize("y", [*SPECIAL, 3.0, -2.0])
@pytest.mark.parametrize("name", ["pow", "div", "max", "leaky_relu", "mul"])
def test_a_constant_operand_decides_what_runs(name: str, y: float) -> None:
    xs = [Value(x) for x in SPECIAL]
    ran = Ran(lambda: [apply(OPS[name], x, y) for x in xs], xs)
    for got, want in ((ran.data, ran.want), (ran.grads, ran.want_grads)):
        for g, w in zip(got, want, strict=True):
            close = abs(g - w) <= max(8 * math.ulp(w), 1e-322) if math.isfinite(w) else g == w
            assert close or (g != g and w != w), (g, w)


def test_a_square_takes_no_power() -> None:
    xs = values(9)
    calls = Ran(lambda: [x**2 for x in xs], xs).check().calls
    assert "np.square" in calls
    assert "power" not in calls
    assert "where" not in calls


@pytest.mark.some(6)
@every_way
@pytest.mark.parametrize("name", ["sum", "dot", "logsumexp"])
@pytest.mark.parametrize("rows", [1, 2, 64])
@pytest.mark.parametrize("special", [0.0, -0.0, math.inf, -math.inf, math.nan, 1e308, 5e-324])
def test_rows_of_many_at_special_values(name: str, rows: int, special: float) -> None:
    inputs = [values(7, seed) for seed in range(rows)]
    inputs[0][2].data = inputs[-1][5].data = special
    Ran(lambda: [apply(OPS[name], *xs) for xs in inputs], flat(inputs)).check()


@pytest.mark.parametrize("special", [math.inf, -math.inf, math.nan])
def test_logsumexp_of_specials_alone(special: float) -> None:
    inputs = [[Value(special) for _ in range(5)] for _ in range(5)]
    Ran(lambda: [functions.logsumexp(xs) for xs in inputs], flat(inputs)).check()


@pytest.mark.parametrize("rows", [1, 16, 17, 40])
def test_sums_are_compensated(rows: int) -> None:
    inputs = [[Value(x) for x in (1e16, 1.0, 3.0, -1e16, 0.25, 0.5, 0.125)] for _ in range(rows)]
    ran = Ran(lambda: [functions.sum(xs) for xs in inputs], flat(inputs))
    assert ran.data == [4.875] * rows


@pytest.mark.some(4)
@every_way
@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "gelu", "softplus", "sin"])
def test_nets_of_every_activation(activation: str, fused: bool) -> None:
    net = MLP(3, [5, 4, 2], activation, fused=fused, seed=1)
    xs = grid(6, 3)
    Ran(lambda: plus([plus(net(x)) ** 2 for x in xs]), flat(xs)).check()


PREDICTING = {
    "mse": ([[0.3, -1.0]] * 6, 2),
    "mae": ([[0.3, -1.0]] * 6, 2),
    "huber": ([[0.3, -1.0]] * 6, 2),
    "hinge": ([1.0, -1.0, 1.0, 1.0, -1.0, -1.0], 1),
    "binary_cross_entropy": ([1.0, 0.0, 0.3, 1.0, 0.0, 0.0], 1),
    "cross_entropy": ([[0.0, 0.0, 1.0], [0.2, 0.3, 0.5]] * 3, 3),
}


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("name", [n for n in PREDICTING if hasattr(losses, n)])
def test_every_loss(name: str, fused: bool) -> None:
    targets, outputs = PREDICTING[name]
    net = MLP(4, [6, outputs], "tanh", fused=fused, seed=2)
    xs = grid(6, 4, 3)
    loss = getattr(losses, name)
    Ran(
        lambda: loss([net(x) for x in xs], targets) + 0.1 * losses.l2(net.parameters()), flat(xs)
    ).check()


@pytest.mark.some(2)
@every_way
@pytest.mark.parametrize("steps", [1, 7])
def test_a_recurrent_net(steps: int) -> None:
    w, u = grid(5, 5), grid(5, 3, 9)
    xs = [grid(steps, 3, 20 + b) for b in range(4)]

    def run() -> Any:
        ends = []
        for sequence in xs:
            h: list[Any] = [0.0] * 5
            for x in sequence:
                h = [
                    (functions.dot(a, h) + functions.dot(b, x)).tanh()
                    for a, b in zip(w, u, strict=True)
                ]
            ends += h
        return ends

    Ran(run, flat([row for x in xs for row in x]), [0.1 * k for k in range(20)]).check()


@pytest.mark.some(3)
@every_way
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [1, 2, 3])
def test_a_convolution(size: int, channels: int) -> None:
    image = grid(8, 9)
    kernels = [values(size * size, 30 + c) for c in range(channels)]

    def run() -> Any:
        maps = []
        for kernel in kernels:
            for i in range(len(image) - size + 1):
                for j in range(len(image[0]) - size + 1):
                    window = [image[i + a][j + b] for a in range(size) for b in range(size)]
                    maps.append(functions.dot(kernel, window, 0.1).relu())
        return functions.dot(maps, maps)

    ran = Ran(run, flat(image)).check()
    assert channels == 1 or size == 1 or "np.matmul" in ran.kernel.source or arrays.FEW > 4


@every_way
def test_a_sequence_of_windows() -> None:
    xs, kernel = values(40), values(5, 8)
    run = [xs[k : k + 5] for k in range(36)]
    Ran(lambda: functions.sum([functions.dot(kernel, window).tanh() for window in run]), xs).check()
    Ran(lambda: functions.sum([functions.sum(window).tanh() for window in run]), xs).check()
    Ran(lambda: functions.sum([functions.logsumexp(window) for window in run]), xs).check()


@every_way
@pytest.mark.parametrize("examples", [1, 6])
def test_a_sparse_net(examples: int) -> None:
    draw = random.Random(5)
    links = [draw.sample(range(20), 4) for _ in range(15)]
    back = [draw.choices(range(15), k=3) for _ in range(8)]
    w, v = grid(15, 4), grid(8, 3, 40)
    xs = grid(examples, 20, 60)

    def run() -> Any:
        outs = []
        for x in xs:
            h = [
                functions.dot(a, [x[k] for k in link]).tanh()
                for a, link in zip(w, links, strict=True)
            ]
            outs += [
                functions.dot(a, [h[k] for k in link]).exp()
                for a, link in zip(v, back, strict=True)
            ]
        return functions.sum(outs)

    Ran(run, flat(xs)).check()


@pytest.mark.some(3)
@every_way
@pytest.mark.parametrize("heads", [1, 2])
@pytest.mark.parametrize("causal", [True, False])
def test_attention(heads: int, causal: bool) -> None:
    n, d = 5, 4
    q, k, v, o = (grid(d, d, 10 * seed) for seed in range(1, 5))
    xs = grid(n, d, 100)

    def linear(w: Any, x: Any) -> list[Any]:
        return [functions.dot(row, x) for row in w]

    def run() -> Any:
        queries, keys, vals = ([linear(w, x) for x in xs] for w in (q, k, v))
        outs = []
        width = d // heads
        for t, query in enumerate(queries):
            mixed: list[Any] = []
            seen = range(t + 1) if causal else range(n)
            for h in range(0, d, width):
                part = slice(h, h + width)
                scores = [functions.dot(query[part], keys[s][part]) / width**0.5 for s in seen]
                weights = functions.softmax(scores)
                mixed += [
                    functions.dot(weights, [vals[s][j] for s in seen]) for j in range(h, h + width)
                ]
            out = [a + b for a, b in zip(xs[t], linear(o, mixed), strict=True)]
            scale = (functions.dot(out, out) / d + 1e-5) ** -0.5
            outs += [a * scale for a in out]
        return functions.dot(outs, outs[1:] + outs[:1])

    Ran(run, flat(xs)).check()


@every_way
def test_operands_shared_in_every_way() -> None:
    p, s, xs = values(9), Value(0.7), values(9, 3)
    run = {
        "one vector twice": lambda: functions.dot(p, p, s),
        "one number for all": lambda: functions.sum([x * s + s for x in xs]),
        "rows that are the same": lambda: [functions.dot(p, xs) * x for x in xs],
        "a number in all terms": lambda: functions.dot([s] * 9, xs),
        "halves": lambda: functions.dot(p[:6], p[3:]),
        "both alike": lambda: functions.sum([x * x for x in p]),
        "scattered": lambda: functions.sum(
            [p[i] * xs[j] for i, j in [(0, 1), (5, 2), (5, 2), (3, 8)]]
        ),
        "backwards": lambda: functions.dot(p, p[::-1]),
        "of all columns": lambda: functions.sum([functions.dot(p, [x] * 9) for x in xs]),
        "no terms": lambda: [functions.dot([], [], x) for x in xs],
        "long additions": lambda: plus(xs) * plus([-x for x in p]) + plus([s * x for x in xs]),
        "differences": lambda: functions.sum([(a - b).abs() for a, b in zip(p, xs, strict=True)]),
    }
    for name, f in run.items():
        try:
            Ran(f, [*xs, *p, s]).check()
            Ran(f, xs).check()
        except AssertionError as error:
            raise AssertionError(name) from error


def test_outputs_of_every_kind() -> None:
    xs = values(6)
    run = Ran(lambda: [xs[0], xs[1] * 2.0, xs[1] * 2.0, Value(3.0)], xs, [1.0, 2.0, 3.0, 4.0])
    assert run.check().grads == [1.0, 10.0, 0.0, 0.0, 0.0, 0.0]
    y = xs[0] * xs[1]
    ran = Ran(lambda: [(z := xs[0] * xs[1]), z, xs[0], z.exp()], xs, [1.0, 2.0, 5.0, 0.5])
    slope = 3.0 + 0.5 * math.exp(y.data)
    want = [5.0 + slope * xs[1].data, slope * xs[0].data, 0.0, 0.0, 0.0, 0.0]
    assert ran.grads == pytest.approx(want, rel=1e-14)


def test_many_outputs_with_seeds_of_their_own() -> None:
    xs = values(20)
    ran = Ran(lambda: [x.exp() for x in xs] + xs[:3], xs, [float(k) for k in range(23)]).check()
    assert ran.grads[3] == pytest.approx(3 * math.exp(xs[3].data), rel=1e-15)


def test_only_wanted_gradients_are_computed() -> None:
    xs, w = grid(10, 4), values(4, 9)
    with record() as seen:
        loss = functions.sum([functions.dot(w, x) for x in xs])
    tape = seen.tape(flat(xs), [loss])
    kernel = backend.compile(roll(tape), tape)
    backward = kernel.source[kernel.source.index("def backward") :]
    assert "dx" not in backward
    assert "dw" in backward


@every_way
def test_a_number_shared_along_outer_and_inner_axes() -> None:
    xs, w = values(24), values(3, 50)
    Ran(
        lambda: [
            (xs[12 * i + 4 * j + k] * w[j]).tanh()
            for i in range(2)
            for j in range(3)
            for k in range(4)
        ],
        [*xs, *w],
    ).check()


@every_way
@pytest.mark.parametrize("rows", [1, 3])
def test_many_terms_along_two_axes(rows: int) -> None:
    x = grid(4, 7)
    Ran(
        lambda: [
            f([x[i][j + row] for i in range(4) for j in range(3)])
            for f in (functions.logsumexp, functions.sum)
            for row in range(rows)
        ],
        flat(x),
    ).check()


def test_an_operation_of_a_user_runs_in_numpy() -> None:
    swish = functions.define(
        "swish_of_numpy_test",
        "swish",
        "x * sigmoid(x) if x != 0 else x",
        "sigmoid(x) * (1 + x * (1 - sigmoid(x)))",
        at=[(0.3,), (-2.0,)],
    )
    blend = functions.define(
        "blend_of_numpy_test",
        "blend",
        "(s := tanh(x)) * y + max(s, y) ** 2",
        "(1 - tanh(x) ** 2) * (y + (2 * tanh(x) if tanh(x) >= y else 0.0))",
        "(s := tanh(x)) + (0.0 if s >= y else 2 * y)",
        at=[(0.3, 0.1)],
    )
    xs = values(9)
    Ran(lambda: [swish(x) for x in xs] + [blend(x, y) for x in xs for y in xs], xs).check()
    Ran(lambda: blend(swish(xs[0]), xs[1]), xs).check()


CALM = ["add", "sub", "mul", "neg", "tanh", "sin", "cos", "sigmoid", "softplus", "gelu", "atan"]


@pytest.mark.some(6)
@every_way
@settings(max_examples=60)
@given(st.data())
def test_random_graphs(data: st.DataObject) -> None:
    xs = values(data.draw(st.integers(1, 6)), data.draw(st.integers(0, 99)))
    w = values(3, 500)
    pick = st.integers(0, 10**6)

    def run(choices: list[tuple[str, list[int]]]) -> list[Any]:
        nodes: list[Any] = [*xs, *w]
        for name, places in choices:
            operands = [nodes[p % len(nodes)] for p in places]
            if name in {"sum", "logsumexp"}:
                nodes.append(
                    functions.sum(operands).tanh()
                    if name == "sum"
                    else functions.logsumexp(operands)
                )
            elif name == "dot":
                half = len(operands) // 2
                nodes.append(functions.dot(operands[:half], operands[half : 2 * half], 0.3).tanh())
            elif name == "plus":
                nodes.append(plus(operands).tanh())
            elif name == "map":
                nodes += [(x * operands[0] + operands[-1]).sin() for x in nodes[-7:]]
            else:
                nodes.append(apply(OPS[name], *operands[: OPS[name].arity]))
        return nodes[-3:]

    names = st.sampled_from([*CALM, "sum", "logsumexp", "dot", "plus", "map", "map"])
    operands = st.lists(pick, min_size=2, max_size=7)
    choices = data.draw(st.lists(st.tuples(names, operands), min_size=1, max_size=14))
    Ran(lambda: run(choices), xs, [1.0, -0.5, 2.0][: len(run(choices))]).check()


def test_a_layer_is_one_product_forward_and_two_backward() -> None:
    net = MLP(3, [8], activation="linear", seed=1)
    xs = grid(20, 3)
    calls = Ran(lambda: [y for x in xs for y in net(x)], flat(xs), [0.1] * 160).check().calls
    assert calls.count("np.matmul") == 4  # the last sums the gradient of the bias


def test_the_source_is_calls_and_nothing_else() -> None:
    net = MLP(3, [8, 2], "gelu", seed=1)
    xs = grid(20, 3)
    source = Ran(
        lambda: functions.sum([functions.logsumexp(net(x)) ** 2.5 for x in xs]), flat(xs)
    ).kernel.source
    allowed = (
        *(ast.Module, ast.FunctionDef, ast.arguments, ast.arg, ast.Expr, ast.Assign, ast.Call),
        *(ast.AugAssign, ast.keyword, ast.Name, ast.Load, ast.Store, ast.Attribute, ast.Tuple),
        *(ast.Subscript, ast.Constant, ast.BinOp, ast.Mult, ast.Add, ast.UnaryOp, ast.USub),
    )
    tree = ast.parse(source)
    assert [type(n) for n in ast.walk(tree) if not isinstance(n, allowed)] == []
    constants = {n.value for n in ast.walk(tree) if isinstance(n, ast.Constant)}
    assert {c for c in constants if isinstance(c, float)} <= {0.0}  # data never becomes text
    assert 2.5 not in constants


def program(loops: Sequence[Rolled], size: int, constants: Sequence[float], inputs: int) -> Program:
    """A program made by hand: to record so many operations would take longer than to run them."""
    return Program(tuple(loops), size, tuple(constants), inputs, (), (size - 1,), (), ())


def number(place: int) -> View:
    return View("v", place, (1,), (0,))


NO_TAPE = Tape((), (), 0, (), (), (), ())


@pytest.mark.whole
def test_deep_chains_compile_and_run_without_recursion(
    amount: Callable[[int, int], int],
) -> None:
    depth, factor = amount(20_000, 100_000), 1 + 1e-6
    loops = [
        Rolled(OPS["mul"], (1,), (), (number(place - 1), number(0)), (), place, (True, False))
        for place in range(2, depth + 2)
    ]
    kernel = backend.compile(program(loops, depth + 2, [factor], 1), NO_TAPE)
    assert len(kernel.source) < 1000
    kernel.values[1] = 3.0
    kernel.forward()
    kernel.backward([2.0])
    assert kernel.values[depth + 1] == pytest.approx(3 * factor**depth, rel=1e-10)
    assert kernel.adjoints[1] == pytest.approx(2 * factor**depth, rel=1e-10)


def test_wide_programs_are_one_call_a_loop() -> None:
    rows = 1_000_000
    xs, ys = View("v", 0, (rows,), (1,)), View("v", rows, (1, rows), (0, 1))
    loops = [
        Rolled(OPS["relu"], (rows,), (), (xs,), (), rows, (True,)),
        Rolled(OPS["sum"], (1,), (rows,), (), (ys,), 2 * rows, (True,)),
    ]
    kernel = backend.compile(program(loops, 2 * rows + 1, [], rows), NO_TAPE)
    assert kernel.source.count("np.") == 6  # with errstate, and three for the slope of relu
    kernel.values[:rows] = array("d", [1.0, -1.0]) * (rows // 2)
    kernel.forward()
    kernel.backward([0.5])
    assert kernel.values[2 * rows] == rows // 2
    assert kernel.adjoints[:rows] == array("d", [0.5, 0.0]) * (rows // 2)


def test_without_numpy_the_backend_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    assert backend.unavailable() is None
    monkeypatch.setattr(backend.importlib.util, "find_spec", lambda name: None)
    assert backend.unavailable() == 'the numpy backend needs NumPy: pip install "brickgrad[numpy]"'


@every_way
def test_picks() -> None:
    letters, f = graphs.picks()
    Ran(f, letters).check()
