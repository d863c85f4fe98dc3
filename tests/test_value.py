import copy
import fractions
import gc
import math
import os
import pickle
import random
import re
import signal
import threading
import time
import timeit
import tracemalloc
from contextlib import suppress
from decimal import Decimal

import pytest
from disturbed import in_threads, stopped
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles import SPECIAL, close
from processes import printed

import engine
from engine import alone, sweep, value
from engine.number import number
from engine.ops import OPS
from engine.sweep import forget_each
from engine.value import Value, apply, data_of, node, toposort
from nn.module import MLP

quick = settings(max_examples=100)
ordinary = st.floats(-100, 100)


def gradients(f, *numbers: float) -> list[float]:
    inputs = [Value(x) for x in numbers]
    f(*inputs).backward()
    return [x.grad for x in inputs]


# --- making a Value ---------------------------------------------------------------------------


@pytest.mark.parametrize("x", [3, 3.0, True, fractions.Fraction(3, 4), -0.0, math.inf, 2**60])
def test_data_is_a_float(x):
    v = Value(x)
    assert type(v.data) is float
    assert v.data == x
    assert (v.grad, v.has_grad, v.label, v.op, v.parents, v.partials) == (
        0,
        False,
        "",
        None,
        (),
        (),
    )


@pytest.mark.parametrize("name", ["float64", "float32", "int64", "uint8", "longdouble"])
def test_numpy_scalars_become_floats(name):
    np = pytest.importorskip("numpy")
    x = getattr(np, name)(2)
    v = Value(3.0)
    assert type(Value(x).data) is float
    assert [(x * v).data, (v * x).data, (v**x).data, (x - v).data] == [6.0, 6.0, 9.0, -1.0]
    assert all(isinstance(y, Value) for y in (x * v, x + v, x / v, x**v, x - v))
    assert (x < v, x > v) == (True, False)


def test_numpy_truth_is_a_number_as_bool_is():
    np = pytest.importorskip("numpy")
    v = Value(3.0)
    assert [y.data for y in (np.True_ * v, v * np.True_, v - np.False_, Value(np.True_))] == [
        *(3.0, 3.0, 3.0, 1.0)
    ]
    with pytest.raises(TypeError, match="expected a real number, got ndarray"):
        Value(np.array([True]))


@pytest.mark.parametrize("zero", [0, 0.0, -0.0])
def test_adding_to_zero_makes_no_node(zero):
    v = Value(2.0)
    assert zero + v is v
    assert [(1.5 + v).data, (1 + v).data] == [3.5, 3.0]


def test_a_reflected_sum_costs_about_what_a_sum_does():
    v = Value(2.0)
    times = {
        text: min(timeit.repeat(text, globals={"v": v}, number=2000, repeat=9))
        for text in ("1.0 + v", "v + 1.0")
    }
    assert times["1.0 + v"] < 4 * times["v + 1.0"]


def test_nobody_inherits_from_value():
    with pytest.raises(TypeError, match=r"^Weight cannot be a subclass of Value: .*engine\.define"):

        class Weight(Value):
            pass


@pytest.mark.parametrize("label", [(Value(1.0),), None, 3])
def test_a_label_is_text(label):
    with pytest.raises(TypeError, match=r"expected a str as label, got .*engine\.define"):
        Value(1.0, label)


BAD = [("1", "str ('1')"), ([1], "list ([1])"), (1j, "complex (1j)"), (None, "NoneType (None)")]
BAD += [(Value(1.0), "Value (Value(data=1.0, grad=0.0))"), (Decimal(1), "Decimal (Decimal('1'))")]
BAD += [
    ("a" * 100, "str ('" + "a" * 36 + "...)"),
    ((1, 2), "tuple ((1, 2))"),
    (b"1", "bytes (b'1')"),
]


@pytest.mark.parametrize(("x", "words"), BAD, ids=range(len(BAD)))
def test_what_is_not_a_real_number_is_a_type_error_that_names_it(x, words):
    with pytest.raises(TypeError) as caught:
        Value(x)
    assert str(caught.value) == f"expected a real number, got {words}"


OPERATIONS = {
    "add": lambda v, x: v + x,
    "radd": lambda v, x: x + v,
    "sub": lambda v, x: v - x,
    "rsub": lambda v, x: x - v,
    "mul": lambda v, x: v * x,
    "rmul": lambda v, x: x * v,
    "truediv": lambda v, x: v / x,
    "rtruediv": lambda v, x: x / v,
    "pow": lambda v, x: v**x,
    "rpow": lambda v, x: x**v,
    "lt": lambda v, x: v < x,
    "ge": lambda v, x: v >= x,
    "leaky_relu": lambda v, x: v.leaky_relu(x),
}


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
@pytest.mark.parametrize("x", ["ab", [1], None, 1j, Decimal(1)], ids=repr)
def test_bad_operands_are_type_errors(operation, x):
    with pytest.raises(TypeError, match=f"expected a real number, got {type(x).__name__}"):
        operation(Value(1.0), x)


@pytest.mark.parametrize("operation", OPERATIONS.values(), ids=OPERATIONS)
def test_numbers_too_large_for_a_float_are_refused(operation):
    with pytest.raises(OverflowError, match=r"fits a float, got int above 1\.8e308"):
        operation(Value(1.0), 10**400)


def test_mistakes_fail_loudly():
    v = Value(2.0)
    with pytest.raises(AttributeError):
        v.gard = 0
    for function in (math.sin, math.isfinite, float):
        with pytest.raises(TypeError, match=r"got a Value: .*engine\.exp\(v\), .*v\.data"):
            function(v)
    with pytest.raises(TypeError, match="mul expected 2 operands, got 1"):
        apply(OPS["mul"], v)


@pytest.mark.parametrize("function", [math.sqrt, math.exp, lambda v: math.hypot(v, v), float])
def test_no_message_names_a_function_that_engine_has_not(function):
    with pytest.raises(TypeError) as caught:
        function(Value(2.0))
    named = re.findall(r"engine\.(\w+)", str(caught.value))
    assert named
    assert all(hasattr(engine, name) for name in named)


@pytest.mark.parametrize("function", [round, math.floor, math.ceil, math.trunc])
@pytest.mark.parametrize("x", [2.5, -0.5, 3.0])
def test_rounding_gives_a_value_with_slope_0(function, x):
    v = Value(x)
    whole = function(v)
    whole.backward()
    assert (whole.data, v.grad) == (function(x), 0.0)


def test_a_plus_is_the_value_itself_and_a_round_to_digits_says_what_to_write():
    v = Value(2.5)
    assert +v is v
    with pytest.raises(TypeError, match=r"round\(v\.data, 1\)"):
        round(v, 1)


@pytest.mark.parametrize("x", [7.5, -7.5, 0.3])
@pytest.mark.parametrize("y", [2.0, -0.75])
def test_remainders_are_those_of_python(x, y):
    v, w = Value(x), Value(y)
    assert [(v % w).data, (v % y).data, (x % w).data] == [x % y] * 3
    assert [(v // w).data, (v // y).data, (x // w).data] == [x // y] * 3
    (v % w).backward()
    assert (v.grad, w.grad) == (1.0, -(x // y))


def test_an_int_of_a_value_says_what_to_write():
    with pytest.raises(TypeError, match=r"write int\(v\.data\)"):
        int(Value(2.0))


# --- what programs for other engines write ------------------------------------------------------


@pytest.mark.parametrize("name", ["m", "v", "velocity", "momentum", "cache", "state"])
def test_the_state_of_an_optimiser_is_kept_elsewhere(name):
    v = Value(2.0)
    with pytest.raises(AttributeError, match=rf"cannot set {name} of .* in a dict, state\[v\]"):
        setattr(v, name, 0.0)
    assert not hasattr(v, name)


@pytest.mark.parametrize(
    "write",
    [
        lambda v: Value(0.5, (v,), "swish"),
        lambda v: Value(0.5, {v}),
        lambda v: Value(0.5, _children=(v,), _op="swish"),
        lambda v: Value(0.5, _children=(v,)),
        lambda v: Value(0.5, "label", _op="swish"),
        lambda v: setattr(v, "_backward", lambda: None),
        lambda v: setattr(v, "_prev", {v}),
        lambda v: setattr(v, "_op", "swish"),
    ],
)
def test_an_operation_written_for_micrograd_is_answered_with_a_line_that_runs(write):
    with pytest.raises((TypeError, AttributeError)) as caught:
        write(Value(2.0))
    line = re.search(r"swish = (engine\.define\(.*\)), and then", str(caught.value))[1]
    swish, x = eval(line, {"engine": engine}), Value(0.0)
    swish(x).backward()
    assert x.grad == 0.5


# --- data that was set --------------------------------------------------------------------------


NUMBERS = [3, True, 2**70, fractions.Fraction(3, 4), *("float64", "float32", "int64", "bool_")]


@pytest.fixture(params=NUMBERS, ids=str)
def no_float(request):
    """A number that is no Python float: as it is set by `w.data -= lr * w.grad` with such an lr."""
    if isinstance(request.param, str):
        return getattr(pytest.importorskip("numpy"), request.param)(1)
    return request.param


def floats(v):
    return [type(x) for x in (v.data, v.grad, *v.partials)]


def test_a_number_that_was_set_as_data_is_a_float_after_a_backward(no_float):
    v = Value(0.0)
    v.data = no_float
    assert repr(v) == f"Value(data={float(no_float)}, grad=0.0)"
    assert f"{v}" == repr(v)
    v.backward()
    assert (v.data, v.grad, floats(v)) == (float(no_float), 1.0, [float, float])


@pytest.mark.parametrize("x", [3, True, 2**70, "float64"])
def test_what_was_computed_from_it_is_a_float_too(x):
    x = pytest.importorskip("numpy").float64(0.1) if x == "float64" else x
    v, w, same = Value(0.0), Value(2.0), Value(float(x))
    v.data = x
    for f in (
        *(lambda v: v * v + w * v, lambda v: v / w - v.exp(), lambda v: v**2 + v.relu() * w),
        *(lambda v: v * v * v, lambda v: (v - w) * v.log()),
        *(lambda v: engine.dot([v, w], [v, 3], v), lambda v: engine.pick([v, w], 0) * v),
    ):
        v.zero_grad()
        same.zero_grad()
        v.data = x
        y, z = f(v), f(same)
        y.backward()
        z.backward()
        assert [(a.data, a.grad, floats(a)) for a in toposort(y)] == [
            (a.data, a.grad, floats(a)) for a in toposort(z)
        ]


def test_what_was_computed_before_its_operand_became_a_float_is_one_too():
    np = pytest.importorskip("numpy")
    v = Value(0.0)
    v.data = np.float64(3.0)
    y = v * v
    v.backward()
    y.backward()
    assert (y.data, floats(y)) == (9.0, [float] * 4)


def test_a_gradient_that_was_scaled_by_numpy_is_a_float_after_the_next_backward():
    np = pytest.importorskip("numpy")
    x = Value(3.0)
    x.grad = np.float32(0.5)
    (x * 2.0).backward()
    assert (x.grad, type(x.grad)) == (2.5, float)


@pytest.mark.parametrize("x", ["x", None, [1.0], b"1", 1j, Value(1.0), "array"])
def test_no_number_as_data_is_named_by_what_meets_it_first(x):
    x = pytest.importorskip("numpy").array([1.0, 2.0]) if x == "array" else x
    v = Value(0.0, "w")
    v.data = x
    meets = [v.backward, v.__bool__, lambda: engine.sum([v, 1.0]), lambda: engine.max(v, 1.0)]
    if isinstance(x, (str, list, bytes)):  # else it has an arithmetic of its own
        meets += [v.relu, lambda: v * 2.0, lambda: 2.0 - v, lambda: v < 1.0, lambda: -v]
    for meet in meets:
        with pytest.raises(
            TypeError,
            match=rf"number as the data of a Value, got {type(x).__name__}: .*label='w'",
        ):
            meet()
    assert not v.has_grad
    assert repr(v).endswith("grad=0.0, label='w')")


def test_no_number_as_data_never_comes_through_a_backward():
    v = Value(0.0, "w")
    v.data = "x"
    twice = v + v  # texts can be added
    with pytest.raises(TypeError, match=r"got str: .*label='w'"):
        twice.backward()
    assert not v.has_grad


def test_data_beyond_all_floats_is_refused():
    v = Value(0.0)
    v.data = 10**400
    for f in (lambda: v * 2.0, (v + v).backward):
        with pytest.raises(OverflowError, match="a number that fits a float"):
            f()


# --- reading a Value --------------------------------------------------------------------------


def test_parents_partials_and_micrograds_names():
    x, y = Value(3.0, "x"), Value(4.0)
    z = x * y
    assert z.parents == (x, y) == z._prev
    assert (z.partials, z.op, z._op) == ((4.0, 3.0), OPS["mul"], "*")
    w = 2 - x
    assert w.parents == (2.0, x)
    assert (w.partials, w._prev, w._op) == ((None, -1.0), (x,), "-")
    assert (x * x)._prev == (x, x)
    assert (x._prev, x._op, x.label) == ((), "", "x")
    many = engine.dot([x, 2], [3, y], 1)
    assert many.parents == (x, 2.0, 3.0, y, 1.0)
    assert [type(p) for p in many.parents] == [Value, float, float, Value, float]
    assert many.partials == (3.0, None, None, 2.0, None)
    assert all(type(d) is float for d in engine.dot([x], [3]).partials[:1])
    picked, constant = (engine.pick([5.0, x], Value(k)) for k in (1.0, 0.0))
    assert (picked.parents, picked.partials) == ((x,), (1.0,))
    assert (constant.parents, constant.partials) == ((5.0,), (None,))


def test_texts():
    v = Value(3.14159, label="pi")
    assert repr(v) == "Value(data=3.14159, grad=0.0, label='pi')"
    assert f"{v:.2f} {v:8.1e}" == "3.14  3.1e+00"
    assert f"{v}" == repr(v) == str(v)
    v.label = 'a"b'
    assert "label='a\"b'" in repr(v)


def test_equality_by_identity_order_by_data():
    a, b = Value(1.0), Value(1.0)
    assert a != b
    assert a == a
    assert len({a, b}) == 2
    assert a <= b
    assert a >= 1
    assert not a < b
    assert 0 < a < 2
    assert max(a, Value(3.0)).data == 3.0
    assert [v.data for v in sorted([Value(3.0), Value(1.0), Value(2.0)])] == [1.0, 2.0, 3.0]
    assert (bool(Value(0.0)), bool(Value(-0.0)), bool(a), bool(Value(math.nan))) == (0, 0, 1, 1)


def test_whether_a_gradient_was_computed_is_kept_apart():
    x, y = Value(0.0), Value(1.0)
    z = x * 0.0
    assert not any(v.has_grad for v in (x, y, z))
    z.backward()
    assert (x.has_grad, x.grad, z.has_grad, y.has_grad) == (True, 0.0, True, False)
    x.zero_grad()
    assert (x.has_grad, x.grad) == (False, 0.0)
    x.grad = 0.0
    assert x.has_grad


# --- backward ---------------------------------------------------------------------------------


def test_leaves_accumulate_and_inner_values_do_not():
    x = Value(3.0)
    square = x * x
    y = square * x
    y.backward()
    y.backward()
    assert (x.grad, square.grad, y.grad) == (54.0, 3.0, 1.0)


def test_backward_on_a_leaf():
    x = Value(3.0)
    x.backward()
    x.backward()
    assert x.grad == 2.0


@pytest.mark.parametrize("gradient", [5.0, 5, -0.5, 0.0, math.inf, True])
def test_a_backward_begins_with_a_gradient(gradient):
    x, y = Value(3.0), Value(4.0)
    inner = x * y
    root = inner * 2.0
    root.backward(gradient)
    assert (root.grad, inner.grad, x.grad, y.grad) == (
        *(gradient, 2.0 * gradient, 8.0 * gradient, 6.0 * gradient),
    )
    assert type(root.grad) is float
    root.backward(gradient=gradient)
    assert (root.grad, x.grad) == (gradient, 16.0 * gradient)
    x.zero_grad()
    x.backward(gradient)
    assert x.grad == gradient


def test_a_gradient_reaches_the_leaves_of_many_operands():
    xs = [Value(1.0), Value(2.0)]
    engine.dot(xs, [3.0, 4.0]).backward(0.5)
    assert [x.grad for x in xs] == [1.5, 2.0]


@pytest.mark.parametrize("gradient", [None, "5", [5.0], 5j, Value(5.0)])
def test_a_gradient_to_begin_with_is_a_number(gradient):
    x = Value(3.0)
    words = rf"a number as the gradient to begin with, got {type(gradient).__name__} .*: write"
    with pytest.raises(TypeError, match=words):
        (x * 2.0).backward(gradient)
    assert not x.has_grad


def test_a_gradient_in_the_modes():
    x = Value(3.0)
    with engine.no_grad():
        y = x * 2.0
    y.backward(5.0)
    assert (y.grad, x.has_grad) == (5.0, False)
    with engine.detect_anomaly():
        (x * 2.0).backward(5.0)
        assert x.grad == 10.0
        with pytest.raises(FloatingPointError, match="add up to inf"):
            (x * 2.0).backward(math.inf)
    assert x.grad == 10.0


@pytest.mark.parametrize("backend", ["python", "numpy", "auto"])
def test_a_gradient_through_a_replay(backend):
    if backend == "numpy":
        pytest.importorskip("numpy")
    w = Value(3.0)
    f = engine.replay(lambda x: [w * x, w * w * x], backend=backend)
    for first in (True, False):
        x = Value(2.0)
        for inputs in (x, x * 1.0, 2.0):
            w.zero_grad()
            x.zero_grad()
            line, square = f(inputs)
            line.backward(5.0)
            assert (line.grad, square.has_grad) == (5.0, False)
            square.backward(-0.5)
            square.backward(gradient=1)
            assert w.grad == 10.0 - 6.0 + 12.0, first
            assert x.grad == (0.0 if inputs == 2.0 else 15.0 - 4.5 + 9.0)
            (square * 2.0 + line).backward(0.5)
            assert w.grad == 16.0 + 12.0 + 1.0


def test_micrograd_style_zeroing_with_an_int():
    x = Value(3.0)
    x.grad = 0
    (x * 2).backward()
    assert x.grad == 2.0


def test_labels_and_detach_and_zero_operand():
    x = Value(3.0, "x")
    y = x.detach()
    assert (y.data, y.label, y.parents) == (3.0, "x", ())
    (y * x).backward()
    assert (x.grad, y.grad) == (3.0, 3.0)
    assert 0 + x is x
    assert 0.0 + x is x
    assert (x + 0).op is OPS["add"]
    assert sum([x, y]).parents == (x, y)


@quick
@given(ordinary, ordinary, ordinary)
def test_linearity(x, a, b):
    def f(v):
        return v.tanh()

    def g(v):
        return v.sin()

    [both] = gradients(lambda v: a * f(v) + b * g(v), x)
    [left], [right] = gradients(f, x), gradients(g, x)
    assert both == pytest.approx(a * left + b * right, rel=1e-12, abs=1e-12)


@quick
@given(ordinary)
def test_product_and_quotient_rule(x):
    [product] = gradients(lambda v: v.sin() * v.tanh(), x)
    want = math.cos(x) * math.tanh(x) + math.sin(x) / math.cosh(x) ** 2
    assert product == pytest.approx(want, rel=1e-12, abs=1e-12)
    [quotient] = gradients(lambda v: v / (1 + v * v), x)
    want = (1 - x * x) / (1 + x * x) ** 2
    assert quotient == pytest.approx(want, rel=1e-12, abs=1e-12)


@quick
@given(st.lists(ordinary, min_size=1, max_size=20), st.randoms(use_true_random=False))
def test_permuting_operands_permutes_gradients(numbers, rng):
    order = list(range(len(numbers)))
    rng.shuffle(order)

    def f(*values):
        return engine.sum([v * v for v in values]).tanh()

    there, back = gradients(f, *numbers), gradients(f, *[numbers[i] for i in order])
    assert [there[i] for i in order] == back


@quick
@given(ordinary, ordinary, st.integers(-200, 200))
def test_scaling_by_powers_of_two_is_exact(x, y, k):
    scale = 2.0**k
    plain = gradients(lambda a, b: a * b, x, y)
    assert gradients(lambda a, b: a * b * scale, x, y) == [scale * g for g in plain]


ONE = ["neg", "abs", "sin", "cos", "tanh", "sigmoid", "softplus", "relu", "atan", "gelu", "erf"]


def program(seed: int):
    """A random function of four numbers: what it does is fixed by the seed, for any library."""
    rng = random.Random(seed)
    steps = []
    for size in range(4, 4 + rng.randint(1, 40)):
        name = rng.choice(["add", "sub", "mul", "div", "exp", "log", "pow", *ONE])
        steps.append((name, rng.randrange(size), rng.randrange(size), rng.uniform(-2, 2)))
    return steps, [rng.uniform(-2, 2) for _ in range(4)]


def run(steps, values, call):
    """The results of all steps; operands are kept where the derivatives are ordinary."""
    values = list(values)
    for name, i, j, c in steps:
        x, y = values[i], values[j]
        if name == "div":
            y = call("softplus", y) + 0.5
            values.append(x / y)
        elif name == "pow":
            values.append((call("softplus", x) + 0.1) ** c)
        elif name == "log":
            values.append(call("log", x * x + 0.1) - c)
        elif name == "exp":
            values.append(call("exp", call("tanh", x)) * c)
        elif name in ONE:
            values.append(call(name, x))
        elif name == "mul":
            values.append(call("tanh", x) * y)
        else:
            values.append(x + y if name == "add" else c - y)
    return values


@pytest.mark.some(8)
@pytest.mark.parametrize("seed", range(200))
def test_random_graphs_against_torch(seed):
    torch = pytest.importorskip("torch")
    steps, at = program(seed)
    ours = [Value(x) for x in at]
    theirs = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in at]
    out = run(steps, ours, lambda name, x: getattr(x, name)())
    gelu = torch.nn.functional.gelu
    twin = run(
        steps,
        theirs,
        lambda name, x: (
            torch.logaddexp(x, torch.zeros_like(x)) if name == "softplus"
            else gelu(x) if name == "gelu" else getattr(torch, name)(x)
        ),
    )  # fmt: skip
    total = engine.sum(out)
    total.backward()
    reference = torch.stack(twin).sum()
    reference.backward()
    scale = max(1.0, *(abs(v.grad) for v in ours))
    assert total.data == pytest.approx(reference.item(), rel=1e-11, abs=1e-11)
    for v, t in zip(ours, theirs, strict=True):
        assert v.grad == pytest.approx(t.grad.item(), rel=1e-10, abs=1e-11 * scale)


@pytest.mark.some(5)
@pytest.mark.parametrize("seed", range(30))
def test_backward_does_the_chain_rule_with_no_loss_of_its_own(seed):
    """The saved partials multiplied and added in exact fractions: the error stays tiny."""
    for k in range(20):
        steps, at = program(1000 * seed + k)
        inputs = [Value(x) for x in at]
        root = engine.sum(run(steps, inputs, lambda name, x: getattr(x, name)()))
        order = toposort(root)
        exact = dict.fromkeys(order, fractions.Fraction(0))
        paths = dict.fromkeys(order, fractions.Fraction(0))
        exact[root] = paths[root] = fractions.Fraction(1)
        for v in reversed(order):
            for parent, slope in zip(v.parents, v.partials, strict=True):
                if isinstance(parent, Value):
                    exact[parent] += exact[v] * fractions.Fraction(slope)
                    paths[parent] += paths[v] * abs(fractions.Fraction(slope))
        root.backward()
        for v in order:
            error = abs(fractions.Fraction(v.grad) - exact[v])
            assert error <= 2 * len(order) * fractions.Fraction(2) ** -53 * paths[v]


def test_the_data_may_change_after_the_forward():
    x = Value(3.0)
    y = x**2
    x.data = 100.0
    y.backward()
    assert x.grad == 6.0


# --- the sort ---------------------------------------------------------------------------------


@pytest.mark.some(5)
@pytest.mark.parametrize("seed", range(50))
def test_toposort_puts_parents_first_and_everything_once(seed):
    steps, at = program(seed)
    inputs = [Value(x) for x in at]
    everything = run(steps, inputs, lambda name, x: getattr(x, name)())
    root = engine.logsumexp([*everything, *everything[:3]])
    order = toposort(root)
    place = {v: i for i, v in enumerate(order)}
    assert len(place) == len(order)
    assert order[-1] is root
    assert all(place[p] < place[v] for v in order for p in v._prev)
    assert set(inputs) <= set(order)


def test_a_sort_is_the_same_every_time():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    root = engine.dot([x, y, x], [y, 2.0, x], x * y)
    assert [v.label or v._op for v in toposort(root)] == ["x", "y", "*", "dot"]
    assert toposort(root) == toposort(root)


# --- depth, width, memory -----------------------------------------------------------------------


@pytest.mark.whole
def test_a_chain_of_a_million_nodes(figure):
    gc.collect()
    gc.disable()
    try:
        start = time.perf_counter()
        x = Value(1.0)
        y = x
        for _ in range(1_000_000):
            y = y + 1.0
        y.backward()
        assert (y.data, x.grad) == (1_000_001.0, 1.0)
        del y
        seconds = time.perf_counter() - start
        figure("d6", "chain: forward, backward, free", 1_000_000, seconds, 30, "s")
        assert seconds < 30
        assert gc.collect() == 0
    finally:
        gc.enable()


def test_at_most_300_bytes_a_node(figure):
    count = 100_000
    tracemalloc.start()
    try:
        x = Value(1.0)
        y = x
        for _ in range(count):
            y = y * 1.0001
        y.backward()
        peak = tracemalloc.get_traced_memory()[1]
        del y
        left = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    figure("d6", "memory of a node", count, peak / count, 300, "bytes")
    assert peak / count <= 300
    assert left / count < 1


@pytest.mark.whole
def test_a_deep_chain_is_copied_without_recursion(amount, figure):
    y = x = Value(1.0)
    depth = amount(100_000, 1_000_000)
    for _ in range(depth):
        y = y + 1.0
    twin = copy.deepcopy(y)
    twin.backward()
    first = toposort(twin)[0]
    assert (first.grad, x.grad, first is x) == (1.0, 0.0, False)
    figure("d6", "chain: copied, without recursion", depth)


def test_a_sum_of_100_000_inner_values():
    x = Value(2.0)
    total = engine.sum([x * 1.0 for _ in range(100_000)])
    start = time.process_time()
    total.backward()
    assert time.process_time() - start < 20  # a walk that starts over at each operand takes minutes
    assert (total.data, x.grad) == (200_000.0, 100_000.0)


def test_no_reference_cycles():
    gc.collect()
    gc.disable()
    try:
        x = Value(0.5)
        for _ in range(20):
            loss = engine.dot([x, x.tanh()], [x, 2.0], x) ** 2
            loss.backward()
            engine.grad(engine.grad(loss, x), x)
        del loss
        assert gc.collect() == 0
    finally:
        gc.enable()


@pytest.mark.whole
def test_a_second_thousand_of_steps_takes_no_more_memory(figure):
    model = MLP(2, [4, 1], seed=0)
    xs, ys = [[0.1, 0.9], [0.7, -0.3]], [1.0, -1.0]

    def train(steps):
        for _ in range(steps):
            loss = engine.sum([(model(x) - y) ** 2 for x, y in zip(xs, ys, strict=True)])
            model.zero_grad()
            loss.backward()
            for p in model.parameters():
                p.data -= 0.01 * p.grad

    train(10)
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        train(1_000)
        before = tracemalloc.get_traced_memory()[0]
        train(1_000)
        grown = tracemalloc.get_traced_memory()[0] - before
        assert gc.collect() == 0
    finally:
        tracemalloc.stop()
        gc.enable()
    figure("d6", "growth over training steps, collector off", 1_000, grown, 10_000, "bytes")
    assert grown < 10_000


# --- threads and interrupts ---------------------------------------------------------------------


def test_threads_share_parameters():
    w = [Value(1.0) for _ in range(100)]
    rounds = 100

    def work(k):
        for _ in range(rounds):
            sum((v * float(k) for v in w[1:]), w[0] * 2.0).backward()

    in_threads(work, 4)
    assert [v.grad for v in w] == [rounds * 8.0, *[rounds * 6.0] * 99]


def torn(grads, old, new):
    return grads not in (old, new)


def test_an_exception_at_any_line_of_a_backward_leaves_gradients_old_or_complete(
    monkeypatch, figure
):
    # a trace may raise where nothing else can: before the lock is released
    monkeypatch.setattr(alone, "lock", threading.RLock())

    class Injected(Exception):  # noqa: N818 (no error of the library)
        pass

    library = value.__file__, sweep.__file__
    outcomes = set()
    for stop in range(10_000):
        leaves = [Value(2.0), Value(3.0), Value(4.0)]
        for leaf in leaves:
            leaf.grad = 1.0
        product = leaves[1] * leaves[2]
        bent = engine.dot(leaves, [product, 2.0, leaves[0]]).tanh()
        root = bent + leaves[0]
        root.grad = product.grad = 5.0
        try:
            with stopped(lambda code: code.co_filename in library, stop, Injected):
                root.backward()
        except Injected:
            finished = False
        else:
            finished = True
        grads = [leaf.grad for leaf in leaves]
        assert not torn(grads, [1.0] * 3, [2.0, 1.0, 1.0])
        assert not torn([root.grad, product.grad], [5.0, 5.0], [1.0, bent.dx * 2.0])
        outcomes.add((finished, grads == [1.0] * 3))
        if grads == [1.0] * 3:
            root.backward()
            assert [leaf.grad for leaf in leaves] == [2.0, 1.0, 1.0]
        if finished:
            break
    assert finished
    assert stop > 100
    assert (False, True) in outcomes
    figure("d1", "an exception at each line of a backward: torn gradients", stop)


@pytest.mark.parametrize("stop", range(10))
def test_an_exception_at_any_line_of_forgetting_leaves_gradients_old_or_forgotten(stop):
    values = [Value(2.0) for _ in range(3)]
    for v in values:
        v.grad = 5.0
    with (
        suppress(KeyboardInterrupt),
        stopped(lambda code: code is forget_each.__code__, stop),
    ):
        forget_each(values)
    assert len({v.has_grad for v in values}) == 1
    assert stop < 3 or not values[0].has_grad


@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="needs POSIX timers")
def test_interrupts_leave_gradients_old_or_complete(amount, figure):
    rng = random.Random(0)
    leaves = [Value(0.01 * i) for i in range(300)]
    root = engine.sum([(leaf * 2.0).tanh() for leaf in leaves])
    root.backward()
    new = [leaf.grad for leaf in leaves]
    duration = min(timeit.repeat(root.backward, number=1))  # a long one would be rarely hit

    def interrupt(*_):
        raise KeyboardInterrupt

    former = signal.signal(signal.SIGALRM, interrupt)
    interrupted, wanted = 0, amount(50, 500)
    try:
        while interrupted < wanted:
            for leaf in leaves:
                leaf.zero_grad()
            try:
                try:
                    signal.setitimer(signal.ITIMER_REAL, rng.uniform(0.05, 1) * duration)
                    root.backward()
                finally:
                    signal.setitimer(signal.ITIMER_REAL, 0)
            except KeyboardInterrupt:
                interrupted += 1
            assert not torn([leaf.grad for leaf in leaves], [0.0] * 300, new)
    finally:
        signal.signal(signal.SIGALRM, former)
    for leaf in leaves:
        leaf.zero_grad()
    root.backward()
    assert [leaf.grad for leaf in leaves] == new
    figure("d1", "Ctrl-C in a backward: torn gradients", interrupted)


@pytest.mark.parametrize(
    "read", [toposort, copy.deepcopy, Value.backward, engine.draw], ids=lambda f: f.__name__
)
def test_a_sweep_inside_a_sweep_is_refused(read):
    x = Value(2.0)
    y = x * x
    refused = []

    class Interrupting(float):
        def __add__(self, other):  # as a signal handler: the sweep adds the share of x here
            with pytest.raises(RuntimeError, match="in the middle of a backward or a sort, inter"):
                read(y)
            refused.append(read)
            return float(self) + other

    x.grad = Interrupting(0.0)
    y.backward()
    assert refused == [read]
    assert (x.grad, [v.data for v in toposort(y)]) == (4.0, [2.0, 4.0])


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_child_of_a_fork_sweeps_while_a_thread_of_its_parent_holds_the_lock(monkeypatch):
    monkeypatch.setattr(alone, "lock", threading.RLock())
    held, done = threading.Event(), threading.Event()

    def hold():
        with alone.lock:
            held.set()
            done.wait(10)

    thread = threading.Thread(target=hold, daemon=True)
    thread.start()
    assert held.wait(10)
    child = os.fork()
    if child == 0:
        try:
            signal.alarm(2)  # a child that hangs dies of it
            x = Value(3.0)
            (x * x).backward()
        finally:
            os._exit(x.grad != 6)
    done.set()
    thread.join()
    assert os.waitpid(child, 0)[1] == 0


@pytest.mark.parametrize("grad", [None, "a"])
def test_a_backward_needs_numbers_to_add_to(grad):
    x, y = Value(2.0), Value(3.0)
    x.grad = grad
    with pytest.raises(TypeError, match=r"as the grad of every leaf.*zero_grad\(\)"):
        (x * y).backward()
    assert (x.grad, y.has_grad) == (grad, False)


def test_an_update_by_hand_with_the_weight_itself_is_refused():
    w, x = Value(1.0), Value(3.0)
    w.data = w - 0.1  # forgot .data
    loss = w * x
    with pytest.raises(TypeError, match=r"got Value: .* w\.data -= lr"):
        loss.backward()
    assert not any(v.has_grad for v in (w, x, loss))


@pytest.mark.parametrize(
    "many", [lambda x: engine.dot([x], [math.inf]), lambda x: engine.sum([x * math.inf])]
)
def test_zero_times_infinity_is_nan_through_operations_of_many_operands_too(many):
    grads = []
    for function in (many, lambda x: x * math.inf):
        x = Value(2.0)
        (function(x) * 0.0).backward()
        grads.append(x.grad)
    assert all(map(math.isnan, grads))


def test_a_backward_in_single_precision_is_refused():
    np = pytest.importorskip("numpy")
    w = Value(0.1)
    w.data -= np.float32(0.1) * 0.2
    with pytest.raises(TypeError, match=r"expected floats as data, got float32.* lr a float"):
        (w * 0.3).backward()
    w.data = np.float64(0.1)
    (w * 0.3).backward()
    assert w.grad == 0.3


def test_copies():
    x = Value(3.0, "x")
    y = x * x + engine.dot([x], [2.0])
    y.label = "y"
    y.backward()
    shallow, deep = copy.copy(y), copy.deepcopy(y)
    assert shallow.parents == y.parents
    assert (shallow.label, shallow.grad, deep.label, deep.data) == ("y", 1.0, "y", y.data)
    twin = toposort(deep)[0]
    assert twin is not x
    assert (twin.label, twin.grad) == ("x", 8.0)
    deep.backward()
    assert (twin.grad, x.grad) == (16.0, 8.0)


def test_a_deep_copy_keeps_what_is_shared():
    x = Value(3.0)
    a, [b, c] = copy.deepcopy((x, [x * x, x]))
    assert a is c
    b.backward()
    assert (a.grad, x.grad, x.has_grad) == (6.0, 0.0, False)
    assert not copy.deepcopy(x).has_grad


def test_pickle_saves_leaves_and_refuses_results():
    x = pickle.loads(pickle.dumps(Value(3.0, "x")))
    assert (x.data, x.label, x.op, x.has_grad) == (3.0, "x", None, False)
    y = x
    for _ in range(10_000):
        y = y + 1
    with pytest.raises(TypeError) as caught:
        pickle.dumps(y)
    assert str(caught.value) == (
        "cannot pickle the result of an operation (add): "
        "save the leaves it was computed from, or model.state_dict()"
    )


@pytest.mark.whole
def test_the_same_bits_in_every_process():
    program = (
        "import random; from engine import *; r = random.Random(7)\n"
        "xs = [Value(r.uniform(-1, 1)) for _ in range(50)]\n"
        "y = logsumexp([dot(xs, [v.tanh() for v in xs[i:] + xs[:i]]) for i in range(20)])\n"
        "y.backward(); print([v.grad.hex() for v in xs], y.data.hex())\n"
    )
    assert len({printed(program, seed) for seed in range(3)}) == 1


# --- micrograd ------------------------------------------------------------------------------------


def sanity(make):
    x = make(-4.0)
    z = 2 * x + 2 + x
    q = z.relu() + z * x
    h = (z * z).relu()
    y = h + q + q * x
    y.backward()
    return x.grad, y.data


def more_operations(make):
    a, b = make(-4.0), make(2.0)
    c = a + b
    d = a * b + b**3
    c += c + 1
    c += 1 + c + (-a)
    d += d * 2 + (b + a).relu()
    d += 3 * d + (b - a).relu()
    e = c - d
    f = e**2
    g = f / 2.0
    g += 10.0 / f
    g.backward()
    return a.grad, b.grad, g.data


def neuron(make):
    xs, ws, b = [2.0, 0.0, -1.5], [make(-3.0), make(1.0), make(0.25)], make(6.88)
    out = (sum((w * x for w, x in zip(ws, xs, strict=True)), b) * 0.5).relu()
    out.backward()
    return out.data, b.grad, *(w.grad for w in ws)


@pytest.mark.parametrize("f", [sanity, more_operations, neuron])
def test_programs_of_micrograd_give_its_numbers(f):
    micrograd = pytest.importorskip("micrograd.engine")
    assert f(Value) == pytest.approx(f(micrograd.Value), rel=1e-14)


def test_drawing_code_that_walks_prev_and_op_runs():
    def trace(root):
        nodes, edges = set(), set()

        def build(v):
            if v not in nodes:
                nodes.add(v)
                for child in v._prev:
                    edges.add((child, v))
                    build(child)

        build(root)
        return nodes, edges

    a, b = Value(2.0), Value(3.0)
    root = ((a * b) + a**2).relu()
    nodes, edges = trace(root)
    assert (len(nodes), len(edges)) == (6, 6)
    assert sorted(v._op for v in nodes) == ["", "", "*", "**", "+", "relu"]
    assert {(c.data, p.data) for c, p in edges} >= {(2.0, 6.0), (3.0, 6.0), (4.0, 10.0)}
    assert all(f"{v.data:.4f} {v.grad:.4f}" for v in nodes)


# --- parts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("x", SPECIAL)
def test_number_and_data_of(x):
    assert close(number(x), x)
    assert close(data_of(Value(x)), x)
    assert close(data_of(x), x)


@pytest.mark.parametrize(("op", "at"), [(op, at) for op in OPS.values() for at in op.at], ids=str)
def test_apply_and_methods_give_the_row(op, at):
    values = [Value(x) for x in at]
    v = apply(op, *values)
    z, *slopes = op.forward(op.arguments(at))
    slopes = slopes[0] if op.many else slopes
    assert (v.data, v.partials, v.parents) == (z, tuple(slopes), tuple(values))
    v.backward()
    assert [x.grad for x in values] == list(slopes)
    if op.arity == 1:
        method = getattr(values[0], op.name)()
        assert (method.data, method.partials) == (z, tuple(slopes))


def test_node_makes_a_node_of_what_it_is_given():
    x = Value(2.0)
    v = node(OPS["mul"], 6.0, x, 3.0, 3.0, None)
    v.backward()
    assert (v.parents, x.grad) == ((x, 3.0), 3.0)
