import math
import random
from functools import partial

import mpmath as mp
import pytest
from bounds import FORWARD_ULPS, condition
from dags import CALLS, grow
from oracles import EXACT, on_complex

import engine
from engine import grad, hessian, hvp, jacobian, jvp
from engine.ops import OPS
from engine.value import Value, apply

ROWS = [pytest.param(op, at, id=f"{op.name}{at}") for op in OPS.values() for at in op.at]
SMOOTH = [
    pytest.param(OPS[name], at, id=f"{name}{at}")
    for name in EXACT
    for at in OPS[name].at
    if name not in {"abs", "max", "min", "relu", "leaky_relu"}
]


def data(values):
    return [v.data for v in values]


@pytest.mark.parametrize(("op", "at"), ROWS)
def test_grad_is_what_backward_computes(op, at):
    values = [Value(x) for x in at]
    out = apply(op, *values)
    slopes = grad(out, values)
    assert not any(v.has_grad for v in values)
    out.backward()
    assert data(slopes) == [v.grad for v in values]


@pytest.mark.some(3)
@pytest.mark.parametrize(("op", "at"), SMOOTH)
def test_second_derivatives_against_mpmath(op, at):
    values = [Value(x) for x in at]
    rows = hessian(apply(op, *values), values)
    f, count = EXACT[op.name][0], len(at)
    for i, row in enumerate(rows):
        for j, second in enumerate(row):
            orders = tuple((i == k) + (j == k) for k in range(count))
            where = tuple(map(mp.mpf, at))
            want = float(mp.diff(f, *((where, orders) if count > 1 else (where[0], 2))))
            assert second.data == pytest.approx(want, rel=1e-13, abs=1e-13)


SIZES = [1e-300, 1e-17, 1e-12, 1e-8, 1e-3, 0.2, 0.49, 0.5, 0.51, 0.9]
SIZES += [1 - 1e-8, 1 - 2**-53, 1.3, 2.5, 7.0, 20.0, 300.0]


@pytest.mark.whole
def test_second_derivatives_keep_their_digits_everywhere(amount, figure):
    errors, sizes = [], SIZES[:: amount(4, 1, 1)]
    for op in dict.fromkeys(param.values[0] for param in SMOOTH):
        low, high = op.domain
        for at in [x for size in sizes for x in (size, -size) if low < x < high and abs(x) < 400]:
            if op.arity != 1 or not math.isfinite(op(at)):
                continue
            x = Value(at)
            second = grad(grad(apply(op, x), x), x).data
            with mp.workprec(1200):  # its steps are shorter than all of these numbers
                want = mp.diff(EXACT[op.name][1], mp.mpf(at))
            if 1e-300 < abs(want) < 1e300:
                scale = 1.0
                if op.name not in FORWARD_ULPS:
                    scale += condition(partial(mp.diff, EXACT[op.name][1]), at)
                errors.append((float(abs(second - want) / abs(want)) / scale, op.name, at))
    figure("b2", "second derivatives of the rows", len(errors), max(errors)[0], 1e-14, "relative")
    assert max(errors)[0] < 1e-14, max(errors)
    assert len(errors) > 500 * len(sizes) / len(SIZES)


@pytest.mark.parametrize(("name", "sign"), [("asin", 1), ("acos", -1)])
def test_second_derivatives_at_the_ends_of_the_domain(name, sign):
    for end in (1.0, -1.0):
        x = Value(end)
        assert grad(grad(apply(OPS[name], x), x), x).data == sign * end * math.inf


@pytest.mark.parametrize("name", ["abs", "max", "min", "relu", "leaky_relu"])
def test_second_derivatives_of_piecewise_linear_rows(name):
    for at in OPS[name].at:
        values = [Value(x) for x in at]
        rows = [data(row) for row in hessian(apply(OPS[name], *values), values)]
        crossed = float(name == "leaky_relu" and at[0] < 0)
        want = [[0.0]] if len(at) == 1 else [[0.0, crossed], [crossed, 0.0]]
        assert rows == want


@pytest.mark.parametrize("order", range(1, 7))
@pytest.mark.parametrize(
    ("f", "nth"),
    [
        (lambda x: x.exp(), lambda n, x: math.exp(x)),
        (lambda x: x.sin(), lambda n, x: math.sin(x + n * math.pi / 2)),
        (lambda x: x**5, lambda n, x: math.perm(5, n) * x ** max(5 - n, 0)),
        (lambda x: 1 / x, lambda n, x: (-1) ** n * math.factorial(n) / x ** (n + 1)),
        (lambda x: x.log(), lambda n, x: -((-1) ** n) * math.factorial(n - 1) / x**n),
        (lambda x: 2**x, lambda n, x: 2**x * math.log(2) ** n),
        (lambda x: engine.dot([x, x], [x, 2.0], x), lambda n, x: [0, 2 * x + 3, 2][n : n + 1]),
    ],
    ids=["exp", "sin", "x**5", "1/x", "log", "2**x", "dot"],
)
def test_high_orders(f, nth, order):
    x = Value(0.7)
    y = f(x)
    for _ in range(order):
        y = grad(y, x)
    want = nth(order, 0.7)
    want = want if isinstance(want, float) else want[0] if want else 0.0
    assert y.data == pytest.approx(want, rel=1e-12, abs=1e-12)


@pytest.mark.some(4)
@pytest.mark.parametrize("seed", range(20))
def test_hessians_against_torch(seed):
    torch = pytest.importorskip("torch")
    rng = random.Random(seed)
    at = [rng.uniform(0.2, 2) for _ in range(4)]

    def f(v, lse, tanh):
        return lse([v[0] * v[1], v[2] ** v[3], tanh(v[0] - v[3])]) * v[1] / (1 + v[2] * v[2])

    values = [Value(x) for x in at]
    ours = hessian(f(values, engine.logsumexp, engine.tanh), values)
    want = torch.autograd.functional.hessian(
        lambda t: f(t, lambda xs: torch.logsumexp(torch.stack(xs), 0), torch.tanh),
        torch.tensor(at, dtype=torch.float64),
    ).tolist()
    for i, row in enumerate(ours):
        assert data(row) == pytest.approx(want[i], rel=1e-10, abs=1e-12)
        assert data(row) == pytest.approx([r[i].data for r in ours], rel=1e-12, abs=1e-13)
    vector = [rng.uniform(-1, 1) for _ in at]
    product = hvp(f(values, engine.logsumexp, engine.tanh), values, vector)
    wanted = [math.fsum(a * b for a, b in zip(r, vector, strict=True)) for r in want]
    assert data(product) == pytest.approx(wanted, rel=1e-10, abs=1e-12)


# --- second order against the complex step of the gradient ----------------------------------------

SMOOTH_NAMES = tuple(name for name in CALLS if name not in {"abs", "max", "min", "relu"})


PARTIALS = {
    op.name: [on_complex(text, op.callees) for text in (op.formula, *op.partials)]
    for op in OPS.values()
    if not op.many
}
MANY_FORMULAS = {
    "sum": mp.fsum,
    "dot": lambda o: mp.fdot(o[: len(o) // 2], o[len(o) // 2 : -1]) + o[-1],
    "logsumexp": lambda o: mp.log(mp.fsum(mp.exp(x) for x in o)),
}
MANY_PARTIALS = {
    "sum": lambda o, z: [1] * len(o),
    "dot": lambda o, z: [*o[len(o) // 2 : -1], *o[: len(o) // 2], 1],
    "logsumexp": lambda o, z: [mp.exp(x - z) for x in o],
}


def complex_gradient(dag, leaves):
    """The gradient of the leaves in complex numbers, from the texts of the rows."""
    made = list(leaves)
    slopes = []
    for name, picks in dag.steps:
        operands = [made[p] if p >= 0 else mp.mpf(dag.constants[-1 - p]) for p in picks]
        if name in MANY_FORMULAS:
            made.append(MANY_FORMULAS[name](operands))
            slopes.append(MANY_PARTIALS[name](operands, made[-1]))
        else:
            f, *partials = PARTIALS[name]
            made.append(f(*operands))
            pair = (*operands, None)[:2]
            slopes.append([partial(*pair, made[-1]) for partial in partials])
    g = [mp.mpf(0)] * len(made)
    g[-1] = mp.mpf(1)
    for place in range(len(made) - 1, len(leaves) - 1, -1):
        for p, slope in zip(dag.steps[place - len(leaves)][1], slopes.pop(), strict=True):
            if p >= 0:
                g[p] += g[place] * slope
    return g[: len(leaves)]


def test_second_order_against_the_complex_step_of_the_gradient(amount, figure):
    """Relative to the Hessian with all signs dropped; DAGs where it is tiny or huge are left out.

    The gradient of row k of the Hessian is exact where the forward is: conditioned by the DAG.
    """
    pytest.importorskip("gmpy2")
    count, k, worst, skew = amount(40, 2_000), 0, 0.0, 0.0
    done = left_out = 0
    while done < count:
        k += 1
        dag, made = grow(f"b2 {k}", SMOOTH_NAMES, most=8)
        inputs = made[: len(dag.leaves)]
        rng = random.Random(k)
        vector = [rng.uniform(-1, 1) for _ in inputs]
        rows = [data(row) for row in hessian(made[-1], inputs)]
        size = max(abs(x) for row in rows for x in row)
        if not 1e-6 < size < 1e6:
            continue
        with mp.workdps(60):
            moved = [mp.mpc(x, mp.mpf(v) / 10**20) for x, v in zip(dag.leaves, vector, strict=True)]
            try:
                want = [float(mp.im(g) * 10**20) for g in complex_gradient(dag, moved)]
            except ZeroDivisionError:  # at a point where mpmath has no slope
                left_out += 1
                continue
        for got, there in zip(data(hvp(made[-1], inputs, vector)), want, strict=True):
            worst = max(worst, abs(got - there) / size)
            assert abs(got - there) <= 1e-10 * size, (k, dag)
        for i, row in enumerate(rows):
            for j, second in enumerate(row):
                skew = max(skew, abs(second - rows[j][i]) / size)
        assert skew <= 1e-10, (k, dag)
        done += 1
    assert left_out <= count / 100
    figure(
        "b2", "Hessian-vector product, complex step of the gradient", count, worst, 1e-10, "of H"
    )
    figure("b2", "the Hessian is symmetric", count, skew, 1e-10, "of H")


def test_jacobian_and_jvp():
    x, y = Value(2.0), Value(3.0)
    outputs = [x * y, x + 1.0, y.exp(), Value(5.0)]
    rows = [data(row) for row in jacobian(outputs, [x, y])]
    assert rows == [[3.0, 2.0], [1.0, 0.0], [0.0, math.exp(3)], [0.0, 0.0]]
    moved = jvp(outputs, [x, y], [0.5, -2.0])
    want = [sum(a * b for a, b in zip(row, [0.5, -2.0], strict=True)) for row in rows]
    assert data(moved) == pytest.approx(want, rel=1e-15)
    assert grad(jvp([x**3], [x], [1.0])[0], x).data == pytest.approx(12.0)


def test_inner_values_and_the_output_itself_are_inputs_too():
    x = Value(2.0)
    h = x * x
    y = h * x
    assert data(grad(y, [x, h, y])) == [12.0, 2.0, 1.0]
    assert data(grad(y, [h])) == [2.0]
    assert data(grad(x, [x])) == [1.0]
    assert data(grad(y, [Value(1.0)])) == [0.0]
    assert data(grad(y, [x, x])) == [12.0, 12.0]
    assert grad(y, []) == []


def test_gradients_of_gradients_reach_leaves_by_backward():
    x, y = Value(2.0), Value(3.0)
    penalty = grad(x * x * y, x) ** 2
    penalty.backward()
    assert (x.grad, y.grad) == (2 * 12 * 6, 2 * 12 * 4)


CORNERS = {
    "0 ** 2": (lambda x, y: x**y, (0.0, 2.0), [0.0, 0.0]),
    "0 ** 0": (lambda x, y: x**y, (0.0, 0.0), [0.0, 0.0]),
    "2 ** 0": (lambda x, y: x**y, (2.0, 0.0), [0.0, math.log(2)]),
    "0 ** 0.5": (lambda x, y: x**y, (0.0, 0.5), [math.inf, 0.0]),
    "nan first": (engine.max, (math.nan, 1.0), [1.0, 0.0]),
    "nan second": (engine.min, (1.0, math.nan), [0.0, 1.0]),
    "tie": (engine.max, (1.0, 1.0), [1.0, 0.0]),
    "kinks": (lambda x, y: abs(x) + y.relu(), (0.0, 0.0), [0.0, 0.0]),
    "nan in relu": (lambda x, y: x.relu() + y.relu(), (math.nan, -1.0), [1.0, 0.0]),
    "-inf": (lambda x, y: engine.logsumexp([x, y]), (-math.inf, 1.0), [0.0, 1.0]),
    "division": (lambda x, y: x / y, (1.0, 0.0), [math.inf, -math.inf]),
}


@pytest.mark.parametrize(("f", "at", "want"), CORNERS.values(), ids=CORNERS)
def test_corners_give_grad_and_backward_the_same_numbers(f, at, want):
    values = [Value(x) for x in at]
    out = f(*values)
    out.backward()
    assert [v.grad for v in values] == want
    assert data(grad(out, values)) == want


def test_second_derivatives_at_corners():
    x, y = Value(0.0), Value(2.0)
    assert grad(grad(x**y, x), x).data == 2.0
    assert grad(grad(x**2, x), x).data == 2.0
    assert grad(grad(x**3, x), x).data == 0.0
    a, b = Value(1.0), Value(1.0)
    rows = hessian(engine.max(a * a, b * b), [a, b])
    assert [data(row) for row in rows] == [[2.0, 0.0], [0.0, 0.0]]
    assert grad(grad(x.relu() ** 2, x), x).data == 0.0
    assert grad(grad(x.tanh(), x), x).data == 0.0


@pytest.mark.parametrize(
    ("f", "name", "then", "now"),
    [
        (lambda x: x * x, "mul", "3.0", "100.0"),
        (lambda x: x.sin() * 2, "sin", repr(math.cos(3)), repr(math.cos(100))),
        (lambda x: engine.dot([x, 2.0], [x, 1.0]), "dot", "3.0", "100.0"),
        (lambda x: x**2, "pow", "6.0", "200.0"),
    ],
)
def test_changed_data_is_noticed(f, name, then, now):
    x = Value(3.0)
    y = f(x)
    x.data = 100.0
    with pytest.raises(RuntimeError) as caught:
        grad(y, x)
    assert str(caught.value) == (
        f"grad: .data changed after the forward: a partial of {name} was {then} then "
        f"and is {now} now; compute the output again"
    )


def test_changed_data_that_no_slope_reads_changes_nothing():
    x = Value(2.0)
    y = x * 3
    x.data = 5.0
    assert grad(y, x).data == 3.0


@pytest.mark.parametrize(("then", "now"), [(3.0, math.nan), (math.nan, 3.0)])
def test_a_change_from_or_to_nan_is_noticed(then, now):
    x = Value(then)
    y = x * x
    x.data = now
    with pytest.raises(RuntimeError, match=f"was {then} then and is {now} now"):
        grad(y, x)


def test_nan_again_is_no_change():
    x = Value(math.nan)
    assert math.isnan(grad(x * x, x).data)


def test_a_vector_computed_from_the_inputs_is_a_constant():
    x = Value(2.0)
    y = x**3
    assert hvp(y, [x], [grad(y, x)])[0].data == 12 * 12
    vector = [Value(1.0)]
    for k in range(1, 4):
        vector = hvp(y, [x], vector)
        assert vector[0].data == 12**k


def test_unchanged_parts_may_be_differentiated_after_a_change_elsewhere():
    x, unrelated = Value(3.0), Value(1.0)
    y = x * x + unrelated * 2.0
    unrelated.data = 7.0
    assert grad(y, x).data == 6.0


def test_a_change_that_only_the_slope_to_another_operand_reads_changes_nothing():
    x, other = Value(2.0), Value(3.0)
    y = x * other
    x.data = 5.0
    assert grad(y, x).data == 3.0
    with pytest.raises(RuntimeError, match=r"a partial of mul was 2\.0 then and is 5\.0 now"):
        grad(y, other)


def replayed():
    """Two results of a replay, the second computed from the first, and what they came from."""
    x = Value(2.0)
    step = engine.replay(lambda x: [x * x, x * x * 5.0], backend="python")
    step(x)
    return x, *step(x)


def test_a_result_of_a_replay_beside_the_path_counts_as_a_constant():
    _, first, second = replayed()
    w, unused = Value(3.0), Value(1.0)
    assert data(grad(first * w + second, [w, unused])) == [4, 0]


def test_no_result_of_a_replay_is_differentiated():
    x, first, second = replayed()
    with pytest.raises(RuntimeError, match="has no formula to differentiate"):
        grad(first * 2.0, x)
    with pytest.raises(RuntimeError, match="has no formula to differentiate"):
        grad(first * 2.0, first)
    with pytest.raises(RuntimeError, match="found two results of a replay"):
        grad(second * 2.0, first)
    with pytest.raises(RuntimeError, match="found two results of a replay"):
        grad(second * 2.0, [first, second])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda x: grad(3.0, x), TypeError, r"grad expected Values, got float \(3\.0\)"),
        (lambda x: grad(x, 3.0), TypeError, r"grad expected Values, got float \(3\.0\)"),
        (
            lambda x: grad(lambda y: y, x),
            TypeError,
            r"result of a function: write grad\(f\(x\), x\)",
        ),
        (lambda x: grad(x, [3.0]), TypeError, r"grad expected Values, got float \(3\.0\)"),
        (lambda x: jacobian([x, "a"], [x]), TypeError, "grad expected Values, got str"),
        (lambda x: hvp(x, [x], []), ValueError, "hvp expected 1 numbers, one per input, got 0"),
        (lambda x: jvp([x], [x], [1, 2]), ValueError, "jvp expected 1 numbers, .* got 2"),
    ],
)
def test_bad_input(call, error, words):
    with pytest.raises(error, match=words):
        call(Value(1.0))


def test_a_deep_graph_has_second_derivatives():
    x = Value(1.0)
    y = x
    for _ in range(5_000):
        y = y + x * 0.001
    assert grad(grad(y * y, x), x).data == pytest.approx(72.0)


def test_no_grad_gives_numbers_only():
    x = Value(2.0)
    y = x**3
    with engine.no_grad():
        slope = grad(y, x)
    assert (slope.data, slope.parents) == (12.0, ())


def test_generators_are_as_good_as_lists():
    def each(*values):
        return (v for v in values)

    x, y = Value(2.0), Value(3.0)
    z = x * x * y
    assert [v.data for v in grad(z, each(x, y))] == [12.0, 4.0]
    assert [[v.data for v in row] for row in jacobian(each(z, x + y), each(x, y))] == [
        [12, 4],
        [1, 1],
    ]
    assert [[v.data for v in row] for row in hessian(z, each(x, y))] == [[6, 4], [4, 0]]
    assert [v.data for v in hvp(z, each(x, y), each(1.0, 0.0))] == [6, 4]
    assert [v.data for v in jvp(each(z), each(x, y), each(0.0, 1.0))] == [4]
