import gc
import linecache
import math
import random
import sys
import tracemalloc
import weakref
from functools import partial

import mpmath as mp
import needs
import pytest
from disturbed import traced
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import EXACT, close

import engine
from engine import functions
from engine.functions import dot
from engine.ops import OPS
from engine.value import Value, apply

quick = settings(max_examples=100)
ONE = [name for name, op in OPS.items() if op.arity == 1 and name in EXACT]
FUNCTIONS = [name for name in ONE if name not in {"neg", "abs"}]
TWIN = {"max": max, "min": min}


def backward(out: Value, *inputs: Value) -> list[float]:
    out.backward()
    return [x.grad for x in inputs]


# --- one operand --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_takes_values_and_floats(name):
    f = getattr(engine, name)
    for (x,) in OPS[name].at:
        v = Value(x)
        assert f(v).parents == (v,)
        assert f(v).op is OPS[name]
        assert f(v).data == f(x) == getattr(v, name)().data
        assert type(f(x)) is type(f(1)) is float
    assert f.__name__ == name
    assert f.__doc__ == f"z = {OPS[name].formula}; d/dx {OPS[name].partials[0]}"


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("bad", ["a", None, [1.0], 1j], ids=repr)
def test_a_function_refuses_what_is_no_number(name, bad):
    with pytest.raises(TypeError, match=f"expected a real number, got {type(bad).__name__}"):
        getattr(engine, name)(bad)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_counts_its_operands(name):
    for operands in [(), (1.0, 2.0)]:
        with pytest.raises(TypeError) as caught:
            getattr(engine, name)(*operands)
        assert str(caught.value) == f"{name} expected 1 operands, got {len(operands)}"


@pytest.mark.parametrize(
    ("name", "x", "z", "slope"),
    [
        ("tanh", 1000, 1.0, 0.0),
        ("tanh", -1000, -1.0, 0.0),
        ("sigmoid", 1000, 1.0, 0.0),
        ("sigmoid", -1000, 0.0, 0.0),
        ("exp", 1000, math.inf, math.inf),
        ("log", 0, -math.inf, math.inf),
        ("log", -1, math.nan, -1.0),
        ("sqrt", 0, 0.0, math.inf),
        ("sqrt", -1, math.nan, math.nan),
        ("relu", 0, 0.0, 0.0),
        ("relu", math.nan, math.nan, 1.0),
        ("softplus", 1000, 1000.0, 1.0),
        ("softplus", -1000, 0.0, 0.0),
        ("gelu", 1000, 1000.0, 1.0),
        ("gelu", -1000, 0.0, 0.0),
        ("sin", math.inf, math.nan, math.nan),
        ("acos", 2, math.nan, math.nan),
        ("asin", 1, math.pi / 2, math.inf),
        ("log1p", -1, -math.inf, math.inf),
        ("cosh", 1000, math.inf, math.inf),
        ("sinh", -1000, -math.inf, math.inf),
        ("atan", math.inf, math.pi / 2, 0.0),
        ("erf", 30, 1.0, 0.0),
    ],
)
def test_limits(name, x, z, slope):
    v = Value(x)
    out = getattr(engine, name)(v)
    assert close(out.data, z)
    assert close(*backward(out, v), slope)


@pytest.mark.parametrize(("x", "z", "dx"), [(2.0, 2.0, 1.0), (-2.0, -0.2, 0.1), (0.0, 0.0, 0.1)])
def test_leaky_relu(x, z, dx):
    v, slope = Value(x), Value(0.1)
    assert engine.leaky_relu(x, 0.1) == engine.leaky_relu(v, 0.1).data == z
    assert backward(engine.leaky_relu(v, slope), v, slope) == [dx, min(x, 0.0)]
    assert engine.leaky_relu(-1.0) == -0.01 == Value(-1.0).leaky_relu().data


# --- max and min --------------------------------------------------------------------------------


@pytest.mark.parametrize("name", TWIN)
@quick
@given(numbers=st.lists(st.floats(-9, 9), min_size=1, max_size=9))
def test_extremes_are_those_of_python(name, numbers):
    f, values = getattr(engine, name), [Value(x) for x in numbers]
    assert f(numbers) == f(*numbers) == TWIN[name](numbers)
    winner = numbers.index(TWIN[name](numbers))
    grads = backward(f(values), *values)
    assert grads == [float(i == winner) for i in range(len(numbers))]


@pytest.mark.parametrize("name", TWIN)
def test_nan_wins_and_the_first_of_equals(name):
    f = getattr(engine, name)
    for operands in ([math.nan, 1.0], [1.0, math.nan], [2.0, math.nan, -3.0]):
        assert math.isnan(f(operands))
        assert math.isnan(f([Value(x) for x in operands]).data)
    a, b = Value(1.0), Value(1.0)
    assert backward(f(a, b), a, b) == [1.0, 0.0]
    assert [d.data for d in engine.grad(f(a, b), [a, b])] == [1.0, 0.0]
    assert type(f(3)) is type(f([3])) is float
    assert f(a) is a
    assert f([1.0, a]).parents == (1.0, a)


@pytest.mark.parametrize("name", TWIN)
def test_extremes_refuse_bad_input(name):
    f = getattr(engine, name)
    with pytest.raises(ValueError, match=f"^{name} expected at least one value, got none$"):
        f([])
    with pytest.raises(ValueError, match="expected at least one value"):
        f()
    with pytest.raises(TypeError, match="expected a real number, got str"):
        f("a")
    with pytest.raises(TypeError, match="expected a real number, got NoneType"):
        f(1.0, None)


# --- many operands ------------------------------------------------------------------------------


def test_sum():
    x, y = Value(1.0), Value(2.0)
    total = engine.sum([x, 3, y, x])
    assert (total.data, total.parents, total.op) == (7.0, (x, 3.0, y, x), OPS["sum"])
    assert backward(total, x, y) == [2.0, 1.0]
    assert engine.sum([1e16, *[1.0] * 100, -1e16]) == 100.0
    assert engine.sum(Value(1.0) for _ in range(3)).data == 3.0
    assert engine.sum([]) == 0.0
    assert type(engine.sum([1, 2])) is float
    with pytest.raises(TypeError, match="got str"):
        engine.sum([x, "a"])


MIXTURES = [
    pytest.param(xs, ys, bias, id=f"{i}{j}{k}")
    for i, xs in enumerate(([1.5, -2.0, 0.5], [2, True, -3]))
    for j, ys in enumerate(([3.0, 0.25, -1.0], [1, 4, 7]))
    for k, bias in enumerate((0.0, 0, 2.5, 1))
]


@pytest.mark.some(4)
@pytest.mark.parametrize(("xs", "ys", "bias"), MIXTURES)
@pytest.mark.parametrize("which", range(16))
def test_dot_of_every_mixture_of_values_and_constants(xs, ys, bias, which):
    """`which` says who is a Value: all xs, all ys, the bias, one element of each alone."""
    vx = [Value(x) if which & 1 or (which & 8 and i == 1) else x for i, x in enumerate(xs)]
    vy = [Value(y) if which & 2 or (which & 8 and i == 2) else y for i, y in enumerate(ys)]
    vb = Value(bias) if which & 4 else bias
    want = bias + xs[0] * ys[0] + xs[1] * ys[1] + xs[2] * ys[2]
    out = engine.dot(vx, vy, vb)
    if not which:
        assert (type(out), out) == (float, want)
        return
    assert type(out.data) is float
    assert out.data == want
    assert out.op is OPS["dot"]
    assert out.parents == (*vx, *vy, vb)
    slopes = [*ys, *xs, 1.0]
    operands = [*vx, *vy, vb]
    assert out.partials == tuple(
        d if isinstance(p, Value) else None for p, d in zip(operands, slopes, strict=True)
    )
    out.backward()
    for p, d in zip(operands, slopes, strict=True):
        assert not isinstance(p, Value) or p.grad == d
    inputs = [p for p in operands if isinstance(p, Value)]
    assert [g.data for g in engine.grad(out, inputs)] == [p.grad for p in inputs]


@pytest.mark.parametrize("terms", [1, 2, 40, functions.LONGEST, functions.LONGEST + 1])
@pytest.mark.parametrize("constant_bias", [False, True])
@pytest.mark.parametrize("constant_ys", [False, True])
def test_dot_is_its_products_and_sums_one_by_one(terms, constant_ys, constant_bias):
    bias = 0.5 if constant_bias else Value(0.5)
    weights = [Value(math.sin(i)) for i in range(terms)]
    inputs = [math.cos(2 * i) for i in range(terms)]
    ys = inputs if constant_ys else [Value(y) for y in inputs]
    total, expected = dot(weights, ys, bias), bias
    for w, y in zip(weights, ys, strict=True):
        expected = expected + w * y
    leaves = [v for v in (*weights, *ys, bias) if isinstance(v, Value)]
    slopes = backward(total, *leaves)
    for v in leaves:
        v.zero_grad()
    assert slopes == backward(expected, *leaves)
    assert total.data == expected.data
    assert [total.op.name, len(total.parents)] == ["dot", 2 * terms + 1]


def test_a_debugger_steps_through_a_written_dot():
    lines = []

    def at_line(frame):
        lines.append(linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip())

    with traced(lambda code: code.co_name == "dot", at_line):
        dot([Value(2.0), Value(3.0)], [5.0, 7.0])
    start = lines.index("z = bias")
    assert lines[start : start + 3] == ["z = bias", "z += x0_data * y0", "z += x1_data * y1"]


def test_dot_with_numpy():
    np = pytest.importorskip("numpy")
    w = [Value(1.0), Value(2.0)]
    for xs in (np.array([3.0, 4.0]), [np.float32(3), np.int64(4)], np.array([3, 4])):
        for out in (engine.dot(w, xs), engine.dot(xs, w)):
            assert type(out.data) is float
            assert out.data == 11.0
            assert {type(p) for p in out.parents} == {Value, float}


def test_dot_aliased_operands():
    x = [Value(2.0), Value(3.0)]
    assert backward(engine.dot(x, x), *x) == [4.0, 6.0]
    b = Value(1.0)
    assert backward(engine.dot([], [], b), b) == [1.0]
    assert engine.dot([], []) == 0.0
    numbers = [1.0, 2.0]
    out = engine.dot(x, numbers)
    numbers[0] = 99.0
    assert out.parents[2] == out.partials[0] == 1.0


@pytest.mark.parametrize(
    ("xs", "ys", "error", "words"),
    [
        ([1.0], [1.0, 2.0], ValueError, "dot expected two lists of one length, got 1 and 2"),
        ([Value(1.0)], [], ValueError, "dot expected two lists of one length, got 1 and 0"),
        ([Value(1.0)], ["a"], TypeError, "expected a real number, got str"),
        ([Value(1.0)], [None], TypeError, "expected a real number, got NoneType"),
        ([Value(1.0), 1j], [1.0, 1.0], TypeError, "expected a real number, got complex"),
        ([Value(1.0)], [10**400], OverflowError, "expected a number that fits a float, got int"),
        ([Value(1.0)], [[1.0]], TypeError, "expected a real number, got list"),
    ],
)
def test_dot_refuses_bad_input(xs, ys, error, words):
    with pytest.raises(error, match=words):
        engine.dot(xs, ys)


def test_a_dot_passes_inf_and_nan_on():
    x, y = Value(math.inf), Value(0.0)
    out = engine.dot([x], [y])
    (out * 0.0).backward()
    assert math.isnan(out.data)
    assert math.isnan(y.grad)
    w = Value(2.0)
    (engine.dot([w], [3.0]) * 0.0).backward()
    assert (w.grad, w.has_grad) == (0.0, True)


@quick
@given(st.lists(st.floats(-700, 700), min_size=1, max_size=8))
def test_logsumexp_and_softmax_against_mpmath(numbers):
    exact = mp.log(mp.fsum(mp.exp(x) for x in numbers))
    values = [Value(x) for x in numbers]
    total = engine.logsumexp(values)
    assert total.data == pytest.approx(float(exact), rel=1e-14, abs=1e-14)
    shares = [float(mp.exp(mp.mpf(x) - exact)) for x in numbers]
    assert backward(total, *values) == pytest.approx(shares, rel=1e-12, abs=1e-300)
    softmax = engine.softmax(numbers)
    assert softmax == pytest.approx(shares, rel=1e-12, abs=1e-300)
    assert sum(softmax) == pytest.approx(1.0, rel=1e-12)
    assert [p.data for p in engine.softmax(values)] == softmax


def test_logsumexp_at_infinity():
    x, y = Value(-math.inf), Value(2.0)
    assert backward(engine.logsumexp([x, y]), x, y) == [0.0, 1.0]
    assert engine.logsumexp([-math.inf, -math.inf]) == -math.inf
    assert engine.logsumexp([math.inf, 1.0]) == math.inf
    assert math.isnan(engine.logsumexp([math.nan, math.inf]))
    with pytest.raises(ValueError, match="logsumexp expected at least one value, got none"):
        engine.logsumexp([])


@pytest.mark.parametrize("at", range(5))
def test_softmax_jacobian(at):
    numbers = [random.Random(at).uniform(-3, 3) for _ in range(4)]
    values = [Value(x) for x in numbers]
    p = engine.softmax(values)
    for i, row in enumerate(engine.jacobian(p, values)):
        for j, d in enumerate(row):
            want = p[i].data * ((i == j) - p[j].data)
            assert d.data == pytest.approx(want, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("logits", [[1000.0, 0.0], [0.0, 1000.0, 500.0], [0.3, -0.2, 5.0], [7.0]])
def test_cross_entropy_of_every_class(logits):
    for target in range(len(logits)):
        values = [Value(x) for x in logits]
        loss = engine.cross_entropy(values, target)
        exact = mp.log(mp.fsum(mp.exp(x) for x in logits)) - logits[target]
        assert loss.data == engine.cross_entropy(logits, target)
        assert loss.data == pytest.approx(float(exact), rel=1e-13, abs=1e-15)
        one_hot = [float(i == target) for i in range(len(logits))]
        assert engine.cross_entropy(logits, one_hot) == pytest.approx(loss.data, rel=1e-14)
        want = [p - t for p, t in zip(engine.softmax(logits), one_hot, strict=True)]
        assert backward(loss, *values) == pytest.approx(want, rel=1e-12, abs=1e-15)


def test_cross_entropy_against_torch():
    torch = pytest.importorskip("torch")
    rng = random.Random(0)
    for _ in range(20):
        logits = [rng.uniform(-30, 30) for _ in range(5)]
        weights = [rng.random() for _ in range(5)]
        target = [w / sum(weights) for w in weights]
        values = [Value(x) for x in logits]
        t = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
        reference = torch.nn.functional.cross_entropy(t, torch.tensor(target, dtype=torch.float64))
        reference.backward()
        loss = engine.cross_entropy(values, target)
        assert loss.data == pytest.approx(reference.item(), rel=1e-13)
        assert backward(loss, *values) == pytest.approx(t.grad.tolist(), rel=1e-10, abs=1e-13)


@pytest.mark.parametrize(
    ("target", "error", "words"),
    [
        (3, ValueError, "cross_entropy expected a class from 0 to 2, got 3"),
        (-1, ValueError, "cross_entropy expected a class from 0 to 2, got -1"),
        ([1.0, 0.0], ValueError, "cross_entropy expected 3 probabilities, got 2"),
        (1.5, TypeError, "cross_entropy expected a class index or a list of .*, got float"),
        (None, TypeError, "cross_entropy expected a class index or a list of .*, got NoneType"),
        (Value(1.5), TypeError, "cross_entropy expected a class index or a list .*, got Value"),
        ("abc", TypeError, r"a class index or a list of probabilities, got str \('abc'\)"),
        (["a", "b", "c"], TypeError, "expected a real number, got str"),
    ],
)
def test_cross_entropy_refuses_bad_targets(target, error, words):
    with pytest.raises(error, match=words):
        engine.cross_entropy([Value(1.0), 2.0, 3.0], target)


def test_cross_entropy_takes_numpy_classes():
    np = pytest.importorskip("numpy")
    assert engine.cross_entropy([1.0, 2.0], np.int64(1)) == engine.cross_entropy([1.0, 2.0], 1)
    with pytest.raises(TypeError, match="got ndarray"):
        engine.cross_entropy([1.0, 2.0], np.array([0.5, 0.5]))


# --- define -------------------------------------------------------------------------------------


@pytest.fixture
def swish():
    slope = "(s := sigmoid(x)) * (1 + x * (1 - s))"
    return engine.define("swish_", "swish", "x * sigmoid(x)", slope, at=[(0.3,), (-2.0,)])


def test_a_defined_operation_works_everywhere(swish):
    x = Value(0.3)
    y = swish(x)
    assert (y.op, y._op, y.parents) == (OPS["swish_"], "swish", (x,))
    s = 1 / (1 + math.exp(-0.3))
    assert swish(0.3) == y.data == pytest.approx(0.3 * s, rel=1e-15)
    assert backward(y, x) == [pytest.approx(s * (1 + 0.3 * (1 - s)), rel=1e-15)]
    for (at,) in OPS["swish_"].at:
        engine.check_grads(swish, [at], order=3)
        out = swish(v := Value(at))
        assert engine.complex_step(swish, at) == pytest.approx(backward(out, v)[0], rel=1e-14)
    assert swish(-1000.0) == 0.0
    assert math.isnan(swish(math.nan))
    with pytest.raises(TypeError, match="swish_ expected 1 operands, got 2"):
        swish(x, x)


@pytest.mark.parametrize(
    ("arguments", "at", "words"),
    [
        (("exp", "e", "x", "1.0"), [], "define: the library has an operation 'exp'"),
        (("pow", "e", "x", "1.0"), [], "define: the library has an operation 'pow'"),
        (("fsum", "e", "x", "1.0"), [], "define: the library has an operation 'fsum'"),
        (("a b", "e", "x", "1.0"), [], "define expected a name such as 'swish', got 'a b'"),
        (("_e", "e", "x", "1.0"), [], "define expected a name such as 'swish', got '_e'"),
        (("if", "e", "x", "1.0"), [], "define expected a name such as 'swish', got 'if'"),
        (("x", "e", "x", "1.0"), [], "define expected a name such as 'swish', got 'x'"),
        pytest.param(
            ("e", "e", "x" + " + x" * 99_999, "1.0"),
            [(1.0,)],
            "too many parts in each other",
            marks=needs.stack,
        ),
        (("e", "e", "x", "1"), ["1"], r"points such as \(0\.5,\), got '1'"),
        (("e", "e", "x"), [], r"define\('e'\) expected one partial for each operand.*got 0"),
        (("e", "e", "x", "1", "1", "1"), [], r"define\('e'\) expected one partial .*got 3"),
        (("e", "e", "x", "1"), [(1.0, 2.0)], r"points such as \(0\.5,\), got \(1\.0, 2\.0\)"),
        (("e", "e", "x", "1"), [], r"define\('e'\) expected points to test at"),
        (("e", "e", "x", "1"), [1.0], r"points such as \(0\.5,\), got 1\.0"),
        (("e", "e", "x", "y"), [(1.0,)], "no variable 'y'"),
        (("e", "e", "import os", "1"), [(1.0,)], "invalid syntax"),
        (("e", "e", "z", "1"), [(1.0,)], "no variable 'z'"),
        (("e", "e", "e(x)", "1"), [(1.0,)], "no function 'e'"),
        (("e", "e", "x^3", "1"), [(1.0,)], r"a power is written x \*\* 3"),
        (
            ("e", "e", "x ** 3", "2 * x ** 2"),
            [(2.0,)],
            r"the partial d/dx '2 \* x \*\* 2' is 8 at \(2\.0,\), but small steps .* give 12$",
        ),
        (("e", "e", "x * y", "y", "y"), [(2.0, 2.0), (1.0, 3.0)], r"d/dy 'y' is 3 at .* give 1$"),
        (("e", "e", "log(x)", "1 / x"), [(-1.0,)], "is -1 at .* give nan"),
    ],
)
def test_define_refuses_bad_rows(arguments, at, words):
    before = dict(OPS)
    with pytest.raises(ValueError, match=words):
        engine.define(*arguments, at=at)
    assert before == OPS


@pytest.mark.parametrize(
    ("arguments", "at", "words"),
    [
        (("e", "e", lambda x: x, "1.0"), [(1.0,)], r"a text as formula, got function \(<fun"),
        (("e", "e", "x", lambda x: 1.0), [(1.0,)], "a text as partial d/dx, got function"),
        (("e", "e", "x * y", "y", ["x"]), [(1.0, 1.0)], "a text as partial d/dy, got list"),
        (("e", "e", "x", 1.0), [(1.0,)], "a text as partial d/dx, got float"),
        (("e", None, "x", "1.0"), [(1.0,)], "a text as symbol, got NoneType"),
        ((3, "e", "x", "1.0"), [(1.0,)], r"a text as name, got int \(3\)"),
        (("e", "e", b"x", "1.0"), [(1.0,)], "a text as formula, got bytes"),
    ],
)
def test_define_names_what_is_no_text_with_an_example_that_runs(arguments, at, words):
    before = dict(OPS)
    with pytest.raises(TypeError, match=words) as caught:
        engine.define(*arguments, at=at)
    assert before == OPS
    cube = eval(str(caught.value).partition("write ")[2], {"define": engine.define})
    assert cube(3.0) == 27.0


@pytest.mark.parametrize(
    ("at", "words"),
    [
        (0.5, r"define\('e'\) expected points, such as at=\[\(0\.5,\)\], got float"),
        (None, "expected points, such as .* got NoneType"),
        ("0.5", "expected points, such as .* got str"),
        ([("a",)], "expected a real number, got str"),
        ([(Value(0.5),)], "expected a real number, got Value"),
    ],
)
def test_define_names_what_are_no_points(at, words):
    with pytest.raises(TypeError, match=words):
        engine.define("e", "e", "x * x", "2 * x", at=at)
    assert "e" not in OPS


def test_points_that_can_be_read_once_are_tested_all_the_same():
    with pytest.raises(ValueError, match=r"the partial d/dx 'x' is 2 at"):
        engine.define("e", "e", "x * x", "x", at=((x,) for x in (2.0, 3)))
    engine.define("e", "e", "x * x", "2 * x", at=((x,) for x in (2.0, 3)))
    assert OPS["e"].at == ((2.0,), (3.0,))


@pytest.mark.whole
def test_a_definition_ends_when_nothing_was_made_with_it():
    count = 1_000  # fewer are outweighed by what Python 3.14 keeps of itself

    def use(k):
        f = engine.define("again", "again", f"x * {1 + k % 7}.5", f"{1 + k % 7}.5", at=[(0.5,)])
        x = Value(1.0)
        y = f(x)
        engine.grad(y, x)
        engine.complex_step(f, 1.0)
        return y, x

    first = use(0)
    for k in range(20):
        use(k)
    gc.collect()
    ops, lines = [weakref.ref(use(k)[0].op) for k in range(count)], len(linecache.cache)
    gc.collect()
    tracemalloc.start()
    for k in range(count):
        use(k)
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert sum(op() is not None for op in ops) <= 1
    assert grown < 200 * count
    assert len(linecache.cache) == lines
    y, x = first
    assert (engine.grad(y, x).data, engine.complex_step(lambda x: y, 1.0)) == (1.5, 0.0)
    y.backward()
    assert (x.grad, y.op.formula) == (1.5, "x * 1.5")


@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_a_definition_that_was_replayed_ends_too(backend):
    if backend == "numpy":
        pytest.importorskip("numpy")

    def use():
        f = engine.define("again", "again", "x * 1.5", "1.5", at=[(0.5,)])
        w = Value(2.0)
        total = engine.replay(lambda x: f(w * x), backend=backend)
        assert [total(x).data for x in (1.0, 2.0)] == [3.0, 6.0]
        return weakref.ref(OPS["again"])

    ops = [use() for _ in range(5)]
    gc.collect()
    assert sum(op() is not None for op in ops) <= 1


def test_a_second_definition_replaces_the_first(swish):
    """So that a cell of a notebook can run twice, also after a change."""
    double = engine.define("swish_", "swish", "x * x", "2 * x", at=[(3.0,)])
    assert (swish(0.0), double(3.0)) == (0.0, 9.0)
    x = Value(3.0)
    assert [d.data for d in (engine.grad(double(x), x), engine.grad(swish(x), x))] == [
        6.0,
        pytest.approx(backward(swish(x), x)[0], rel=1e-15),
    ]


def test_what_calls_a_redefined_operation_keeps_the_one_it_was_defined_with(swish):
    engine.define("twice_", "twice", "2 * x", "2.0", at=[(1.0,)])
    old = engine.define("square_", "sq", "x * twice_(x)", "2 * twice_(x)", at=[(1.0,)])
    engine.define("twice_", "twice", "4 * x", "4.0", at=[(1.0,)])
    new = engine.define("square_", "sq", "x * twice_(x)", "2 * twice_(x)", at=[(1.0,)])
    for square, factor in ((old, 2), (new, 4)):
        assert square(3.0) == factor * 9
        assert square(math.inf) == math.inf
        assert backward(square(x := Value(3.0)), x) == [factor * 6]
        assert engine.grad(square(x), x).data == factor * 6
        assert engine.complex_step(square, 3.0) == factor * 6
        engine.check_grads(square, [3.0], order=2)


@pytest.mark.parametrize("x", [3.0, -2.0])
def test_truth_values_count_as_numbers_in_derivatives_too(x):
    size = engine.define(
        "size_", "size", "x * x * ((x > 0) - (x < 0))", "2 * x * ((x > 0) - (x < 0))", at=[(1,)]
    )
    assert size(x) == x * abs(x)
    assert engine.grad(size(v := Value(x)), v).data == 2 * abs(x)
    assert engine.complex_step(size, x) == 2 * abs(x)
    engine.check_grads(size, [x], order=2)


@pytest.mark.parametrize("op", [op for op in OPS.values() if op.name in EXACT], ids=repr)
def test_the_rows_of_the_library_pass_what_define_asks(op):
    for point in op.at:
        functions._check_partials(op, point)


def test_call_gives_a_value_only_where_there_is_one():
    assert functions.call(OPS["mul"], 2, 3) == 6.0
    assert type(functions.call(OPS["mul"], 2, 3)) is float
    x = Value(2.0)
    assert functions.call(OPS["mul"], x, 3).parents == apply(OPS["mul"], x, 3).parents


@pytest.mark.parametrize(
    "f",
    [
        engine.softmax,
        lambda xs: [engine.dot(xs, [3.0, 4.0])],
        lambda xs: [engine.dot([3.0, 4.0], xs, 1.0)],
        lambda xs: [engine.cross_entropy(xs, 1)],
        lambda xs: [engine.cross_entropy(xs, [0.25, 0.75])],
        lambda xs: [engine.sum(xs)],
        lambda xs: [engine.logsumexp(xs)],
        lambda xs: [engine.max(xs)],
    ],
)
def test_a_generator_is_as_good_as_a_list(f):
    xs = [Value(1.0), Value(2.0)]
    assert [y.data for y in f(x for x in xs)] == [y.data for y in f(xs)] != []


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_makes_as_many_calls_as_the_method(name):
    v, events = Value(0.5), []
    for build in (partial(getattr(engine, name), v), getattr(v, name)):
        calls = []
        sys.setprofile(lambda frame, event, _, calls=calls: calls.append(event))
        build()
        sys.setprofile(None)
        events.append(calls)
    assert events[0] == events[1]


@pytest.mark.parametrize("name", ["sum", "softmax", "logsumexp", "pick", "dot"])
@pytest.mark.parametrize("given", [3, None, Value(2.0)])
def test_what_is_no_list_is_refused_in_words(name, given):
    more = {"pick": [0], "dot": [[1.0]]}.get(name, [])
    with pytest.raises(TypeError, match=rf"^{name} expected a list of numbers or Values, got "):
        getattr(engine, name)(given, *more)


@pytest.mark.parametrize("name", ["sum", "softmax", "logsumexp"])
def test_an_error_of_what_makes_the_values_comes_through(name):
    with pytest.raises(TypeError, match="unsupported operand"):
        getattr(engine, name)(x + None for x in [1.0])
