import math
import random
import sys
from functools import partial
from itertools import chain, product
from operator import mul

import needs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import engine
from engine import op, ops
from engine.replay import backends
from engine.replay.backends import library, python
from engine.replay.replay import replay
from engine.value import Value, apply


def hide(monkeypatch, *names):
    """No NumPy, no wasmtime, or no C compiler, on this machine."""
    for name, module in (("numpy", "numpy"), ("wasm", "wasmtime")):
        if name in names:
            monkeypatch.setitem(sys.modules, module, None)
    if "c" in names:
        monkeypatch.setattr(library, "compiler", lambda: None)


@pytest.mark.parametrize("name", backends.NAMES)
def test_a_backend_by_name(name):
    module = backends.backend(name)
    assert name == module.NAME
    assert module.unavailable() is None


def test_a_backend_that_is_none():
    with pytest.raises(
        ValueError, match="expected a backend of python, numpy, wasm, c, got 'rust'"
    ):
        backends.backend("rust")


@pytest.mark.some(2)
@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("numpy", r'pip install "brickgrad\[numpy\]"'),
        pytest.param("wasm", r'pip install "brickgrad\[wasm\]"', marks=needs.wasmtime),
        ("c", "install gcc or clang, or pip install"),
    ],
)
def test_what_is_missing_is_said_by_name_and_no_error_in_auto(monkeypatch, name, advice):
    hide(monkeypatch, "numpy", "wasm", "c")
    with pytest.raises(RuntimeError, match=f"backend '{name}' cannot run here: .*{advice}"):
        backends.backend(name)
    with pytest.raises(RuntimeError, match=advice):
        replay(lambda x: x, backend=name)
    w = Value(2.0)
    step = replay(lambda xs: sum(w * x for x in xs))
    assert [step([1.0] * 3000).data for _ in range(3)] == [6000.0] * 3
    assert step.backend == "python"


LENGTHS = st.lists(st.sampled_from([1, 2, 3, 5]), max_size=2)
LENGTHS_IN_REGISTERS = st.lists(st.sampled_from([2, 7, 20]), min_size=1, max_size=2)


@st.composite
def dots(draw):
    """Rows of dots whose operands step evenly, or not at all: the way of each, and the places."""
    lengths = draw(st.sampled_from([LENGTHS, LENGTHS_IN_REGISTERS]))
    shape, terms = draw(lengths), draw(lengths)
    steps = [
        draw(st.lists(st.sampled_from([0, 0, 1, 2, -1, 5]), min_size=n, max_size=n))
        for n in (len(shape + terms), len(shape + terms), len(shape))
    ]
    way = draw(st.sampled_from(["products", "dot", "sum"]))
    rows = []
    for row in product(*map(range, shape)):
        terms_of_row = [
            [sum(map(mul, (*row, *term), strides)) for strides in steps[:2]]
            for term in product(*map(range, terms))
        ]
        rows.append((terms_of_row, sum(map(mul, row, steps[2]))))
    return way, rows


@pytest.mark.whole
@pytest.mark.parametrize(
    ("name", "counts"),
    [
        ("python", (3, 20, 400)),
        ("numpy", (4, 40, 400)),
        ("wasm", (4, 40, 400)),
        ("c", (1, 4, 400)),  # a compilation takes half a second
    ],
)
def test_loops_of_all_strides_are_what_a_plain_loop_says(name, counts, amount):
    """Results and gradients of dots, of chains of products and of sums, two operands or one."""

    @settings(max_examples=amount(*counts))
    @given(dots(), st.booleans())
    def compare(program, shares):
        compare_with_a_plain_loop(name, program, shares)

    compare()


def compare_with_a_plain_loop(name, program, shares):
    way, rows = program
    places = sorted({p for terms, bias in rows for p in (*chain(*terms), bias)})
    xs = {p: Value(1 + k % 7 / 8) for k, p in enumerate(places)}
    ys = xs if shares else {p: Value(k % 5 / 4 - 0.25) for k, p in enumerate(places)}
    bs = {p: Value(k % 3 / 2) for k, p in enumerate(places)}

    def results():
        if way == "dot":
            return [
                engine.dot([xs[p] for p, _ in terms], [ys[q] for _, q in terms], bs[bias])
                for terms, bias in rows
            ]
        add = engine.sum if way == "sum" else sum
        return [add([xs[p] * ys[q] for p, q in terms] + [bs[bias] * 1]) for terms, bias in rows]

    weights = [k % 4 - 1.5 for k in range(len(rows))]
    step = replay(lambda: (found := results(), engine.dot(found, weights)), backend=name)
    step()
    got, total = step()
    total.backward()
    want = [bs[bias].data + sum(xs[p].data * ys[q].data for p, q in terms) for terms, bias in rows]
    assert [z.data for z in got] == pytest.approx(want, rel=1e-12, abs=1e-12)
    slopes = {id(v): 0.0 for v in (*xs.values(), *ys.values(), *bs.values())}
    for weight, (terms, bias) in zip(weights, rows, strict=True):
        slopes[id(bs[bias])] += weight
        for p, q in terms:
            slopes[id(xs[p])] += weight * ys[q].data
            slopes[id(ys[q])] += weight * xs[p].data
    leaves = [*xs.values(), *ys.values(), *bs.values()]
    gradients = [slopes[id(v)] for v in leaves]
    assert [v.grad for v in leaves] == pytest.approx(gradients, rel=1e-12, abs=1e-12)


ALL = ["eager", *backends.NAMES]


def squares():
    """Two operations of one name; two of one name that call the first and the second of them."""
    first = engine.define("sq", "s", "x * x", "2 * x", at=[(1.0,)])
    outer = engine.define("calls", "c", "sq(x) + 1", "2 * x", at=[(1.0,)])
    second = engine.define("sq", "s", "x * x * x", "3 * x * x", at=[(1.0,)])
    other = engine.define("calls", "c", "sq(x) + 1", "3 * x * x", at=[(1.0,)])
    return first, outer, second, other


@pytest.mark.parametrize("n", [1, 3, 40])
@pytest.mark.parametrize("name", ALL)
def test_operations_of_one_name_are_not_mixed_up(name, n):
    functions = squares()
    w = [Value(2.0) for _ in functions]

    def total(xs):
        return [engine.sum([f(v * x) for x in xs]) for f, v in zip(functions, w, strict=True)]

    step = replay(total, backend=name)
    for _ in range(2):
        results = step([1.5] * n)
    assert [z.data for z in results] == [9.0 * n, 10.0 * n, 27.0 * n, 28.0 * n]
    engine.sum(results).backward()
    assert [v.grad for v in w] == [9.0 * n, 9.0 * n, 40.5 * n, 40.5 * n]


def test_operations_of_one_name_in_lists(monkeypatch):
    monkeypatch.setattr(python, "WRITTEN_OUT", 0)
    functions = squares()
    step = replay(lambda x: [f(x) for f in functions], backend="python")
    assert [z.data for z in step(3.0)] == [9.0, 10.0, 27.0, 28.0]


@pytest.mark.parametrize("name", ALL)
def test_an_operation_defined_after_the_backend_was_used(name):
    replay(lambda x: x * 2, backend=name)(1.0)
    engine.define("aa", "aa", "x * x + 1", "2 * x", at=[(1.0,)])
    g = engine.define("bb", "bb", "aa(x) * x", "3 * x * x + 1", at=[(1.0,)])
    assert replay(g, backend=name)(2.0).data == 10.0


@pytest.mark.parametrize("name", ALL)
def test_a_name_in_a_formula_and_an_operation_of_that_name(name):
    """sigmoid has a part e, and so may a user call an operation."""
    engine.define("e", "e", "x + 1", "1.0", at=[(1.0,)])
    g = engine.define("g", "g", "e(x) * x", "2 * x + 1", at=[(1.0,)])
    step = replay(lambda x: g(x).sigmoid() + g(x), backend=name)
    assert step(-3.0).data == pytest.approx(6.0 + 1 / (1 + math.exp(-6.0)), rel=1e-15)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("title", ["zero", "share", "gather", "largest", "several", "forward"])
def test_an_operation_may_have_the_name_of_something_that_is_written(name, title):
    f = engine.define(title, title, "x * x + 1", "2 * x", at=[(1.0,)])
    xs = [Value(1.0), Value(2.0), Value(-3.0)]
    step = replay(lambda *xs: engine.sum([f(f(x)) for x in xs] + [x * x for x in xs]), backend=name)
    for _ in range(2):
        total = step(*xs)
    total.backward()
    assert total.data == 5.0 + 26.0 + 101.0 + 14.0
    assert [x.grad for x in xs] == [4 * v * (v * v + 1) + 2 * v for v in (1.0, 2.0, -3.0)]


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [1, 20])
@pytest.mark.parametrize(
    ("formula", "slope"),
    [("max(x, 2)", "x > 2"), ("pow(x, 2)", "2 * x"), ("hypot(x, 2)", "x / z")],
)
def test_two_is_an_exponent_only_where_it_is_one(name, n, formula, slope):
    """x * x stands for pow(x, 2), and for nothing else."""
    f = engine.define("f", "f", formula, slope, at=[(3.0,)])
    step = replay(lambda xs: [f(x) for x in xs], backend=name)
    for _ in range(2):
        results = step([0.5 * k for k in range(n)])
    want = [eval(formula, vars(math) | {"max": max}, {"x": 0.5 * k}) for k in range(n)]
    assert [y.data for y in results] == pytest.approx(want, rel=1e-15)


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("n", [1, 20])
def test_truth_values_as_numbers(name, n):
    """Divisions of comparisons, and the usual sign."""
    quotient = "(x >= 0) / (y >= 0) if y > -1 else 1"
    f = engine.define("f", "f", f"x * ({quotient})", quotient, "0.0", at=[(1.0, 1.0)])
    sign = engine.define("sign_", "sign", "(x > 0) - (x < 0)", "0.0", at=[(1.0,)])
    step = replay(
        lambda xs, ys: [
            engine.sum([f(x, y) for x, y in zip(xs, ys, strict=True)]),
            engine.sum([x * sign(x) for x in xs]),
        ],
        backend=name,
    )
    xs = [Value(2.0) for _ in range(n)]
    for y, want in ((3.0, 2.0), (3.0, 2.0), (-0.5, math.inf), (-2.0, 2.0)):
        quotients, sizes = step(xs, [y] * n)
        assert (quotients.data, sizes.data) == (n * want, 2.0 * n)
    sizes.backward()
    assert [x.grad for x in xs] == [1.0] * n


# --- formulas at random -------------------------------------------------------------------------

# Operations that round in one way only: all backends agree to the last bit.
LEAVES = ["x", "x", "y", "y", "1", "0", "0.5", "3", "(-2)", "1e308", "(-0.0)"]
SIGNS = ["<", "<=", ">", ">=", "==", "!="]


def random_formula(draw, depth):
    """A number of parts within parts."""
    if depth == 0 or draw.random() < 0.15:
        return draw.choice(LEAVES)
    a, b, c = (random_formula(draw, depth - 1) for _ in range(3))
    name = f"e{draw.randrange(10**9)}"
    ways = [
        *(f"({a} {sign} {b})" for sign in "+-*/"),
        *(f"{f}({a})" for f in ("abs", "-", "sqrt", "relu", "bent")),
        *(f"{f}({a}, {b})" for f in ("max", "min", "ratio")),
        *[f"({a} if {random_condition(draw, depth - 1)} else {b})"] * 4,
        f"({a} if {b} else {c})",
        *[random_condition(draw, depth - 1)] * 2,
        *[f"(({name} := {a}) * {name} - {b})"] * 2,
    ]
    return draw.choice(ways)


def random_condition(draw, depth):
    if depth > 0 and draw.random() < 0.4:
        a, b = (random_condition(draw, depth - 1) for _ in range(2))
        return draw.choice([f"({a} and {b})", f"({a} or {b})", f"(not {a})"])
    a, b, c = (random_formula(draw, max(0, depth - 1)) for _ in range(3))
    signs = draw.choice(SIGNS), draw.choice(SIGNS)
    return draw.choice([f"({a} {signs[0]} {b})", f"({a} {signs[0]} {b} {signs[1]} {c})"])


EDGES = [0.0, -0.0, 5e-324, 0.5, 1.0, -1.0, 3.0, -1e154, 1.7e308, math.inf, -math.inf, math.nan]
POINTS = list(product(EDGES, EDGES))


def slopes_of(results, values):
    """The results, then the gradients of their sum."""
    values = list(values)
    engine.sum(results).backward()
    return [z if isinstance(z, float) else z.data for z in results] + [v.grad for v in values]


@pytest.mark.whole
@pytest.mark.parametrize(
    "seed", [0, 1, *(pytest.param(seed, marks=pytest.mark.nightly) for seed in range(2, 50))]
)
def test_formulas_at_random(seed):
    """Rows of any texts, at special numbers: all backends say what eager says."""
    draw = random.Random(seed)
    slopes = "1 / y if y else 1", "-x / y / y if y else 0"
    engine.define("ratio", "r", "x / y if y else x", *slopes, at=[(1.0, 2.0)])
    engine.define("bent", "b", "(e := relu(x)) + (x > 0) * e", "2.0 * (x > 0)", at=[(1.0,)])
    rows = [
        op.row("random", "?", *(random_formula(draw, 3) for _ in range(3)), at=[])
        for _ in range(20)
    ]

    points = list(zip(*draw.sample(POINTS, draw.choice([2, 9])), strict=True))

    def function(*columns):
        return [
            apply(op, x, y)
            for op, xs, ys in zip(rows, columns[::2], columns[1::2], strict=True)
            for x, y in zip(xs, ys, strict=True)
        ]

    results = {}
    for name in ALL:
        columns = [[Value(v) for v in points[k % 2]] for k in range(2 * len(rows))]
        step = replay(function, backend=name, check=10**9)
        results[name] = slopes_of(step(*columns), chain(*columns))
    want = results["eager"]
    assert list(map(repr, results["python"])) == list(map(repr, want))
    for name in ("numpy", "wasm", "c"):
        pairs = enumerate(zip(results[name], want, strict=True))
        assert [(k, a, b) for k, (a, b) in pairs if a != b and (a == a or b == b)] == [], name


@pytest.mark.parametrize("name", ALL)
@pytest.mark.parametrize("op", ["max", "min"])
def test_of_two_zeros_the_first_wins(name, op):
    """1 / -0.0 is -inf: the sign of a zero can turn that of a gradient."""
    step = replay(lambda xs, ys: list(map(partial(apply, ops.OPS[op]), xs, ys)), backend=name)
    for _ in range(2):
        results = step([0.0, -0.0] * 5, [-0.0, 0.0] * 5)
    assert [str(z.data) for z in results] == ["0.0", "-0.0"] * 5
