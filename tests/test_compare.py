import math
import random
from functools import reduce
from operator import add

import pytest

import engine
from engine.replay import compare
from engine.replay.compare import (
    _QUICK,
    ReplayError,
    _least_slacks,
    _nearest_slacks,
    _rounded,
    _slacks,
    change,
    difference,
    gradients,
)
from engine.replay.watch import record
from engine.value import Value, toposort


def tape(f, inputs=()):
    with record() as seen:
        results = f(*inputs)
    return seen.tape(inputs, results if isinstance(results, list) else [results])


# --- tapes --------------------------------------------------------------------------------------

W, V = Value(2.0), Value(2.0)


@pytest.mark.parametrize(
    ("before", "now", "words", "is_frozen"),
    [
        (
            lambda x: x * 2.0,
            lambda x: x * 3.0,
            "a number is 2.0 in the recording and 3.0 now",
            True,
        ),
        (lambda x: x * 2.0 * 5.0, lambda x: x * 3.0 * 5.0, "a number is 2.0", True),
        (lambda x: x * 2.0 * 5.0, lambda x: x * 3.0 * 6.0, "a number is 2.0", True),
        (lambda x: x * 0.0, lambda x: x * -0.0, "a number is 0.0 in the recording and -0.0", True),
        (lambda x: [x, Value(1.0)], lambda x: [x, Value(2.0)], "a number is 1.0", True),
        (lambda x: x * W, lambda x: x * V, "it reads Value(data=2.0", False),
        (lambda x: x * W, lambda x: x * 2.0, "it reads 2.0 in place of Value", False),
        (lambda x: x * W, lambda x: x + W, "it does other operations", False),
        (lambda x: x * W, lambda x: x * x, "it reads", False),
        (lambda x: [x], lambda x: [x, x], "it compares or returns another number", False),
        (lambda x: engine.sum([x, W]), lambda x: engine.sum([x, W, W]), "an operation has", False),
        (lambda x: x if x > 1 else -x, lambda x: x if x > 3 else -x, "a number is 1.0", True),
    ],
)
def test_changes_in_words(before, now, words, is_frozen):
    x = Value(2.0)
    changed = change(tape(before, [x]), tape(now, [x]))
    assert changed.words.startswith(words)
    assert (changed.is_frozen, changed.is_close) == (is_frozen, False)


def test_the_same_function_has_not_changed():
    def f(x):
        return [x * 2.0 + W * math.nan + Value(3.0), engine.sum([x, W]), x if x > 1 else W]

    assert change(tape(f, [Value(2.0)]), tape(f, [Value(5.0)])) is None


def test_a_comparison_alone_may_be_rounding():
    def f(x):
        _ = x > 1
        return x * 1.0

    assert change(tape(f, [Value(2.0)]), tape(f, [Value(0.5)])).is_close


@pytest.mark.parametrize("backend", ["eager", "python"])
def test_a_number_that_changed_before_one_that_did_not_is_told(backend):
    scale = [2.0]
    step = engine.replay(lambda x: x * scale[0] + x * 5.0, backend=backend, check=1)
    assert step(2.0).data == 14.0
    scale[0] = 3.0
    try:
        assert step(2.0).data == 16.0
    except ReplayError as error:
        assert "a number is 2.0 in the recording and 3.0 now" in str(error)  # noqa: PT017 (where it is no error at all)


# --- gradients ----------------------------------------------------------------------------------


def test_gradients_touch_nobody_and_stop_at_the_sources():
    v = Value(3.0)
    h = v * v
    h.grad = v.grad = 7.0
    z = h * v + h
    assert gradients(z, [v, h]) == [9.0, 4.0]
    assert gradients(z, [v]) == [9.0 + 4.0 * 6.0]
    assert gradients(z, [h, v, h]) == [0.0, 9.0, 4.0]
    assert (h.grad, v.grad) == (7.0, 7.0)
    assert gradients(1.0, [v]) == [0.0]


# --- numbers ------------------------------------------------------------------------------------


def found(f, values, slopes, leaves):
    z = f(*leaves)
    return difference(values, slopes, [z], z, leaves)


@pytest.mark.parametrize(
    ("got", "x", "expected"),
    [
        (-math.inf, 1e308, math.inf),
        (math.nan, 1e308, math.inf),
        (1.0, math.nan, math.nan),
        (1.0, 1e308, math.inf),
        (1.000001, 0.1, 1.0),
    ],
)
def test_numbers_that_are_not_the_same(got, x, expected):
    words = found(lambda v: v * 10.0, [got], [10.0], [Value(x)])
    assert words == f"the result is {got} replayed and {expected} computed anew"


def test_a_gradient_is_compared_with_its_own_size():
    a, b = Value(1.0), Value(1.0)
    f = lambda a, b: 1e9 * a + 1e-3 * b
    z = f(a, b).data
    assert found(f, [z], [1e9, 1e-3], [a, b]) is None
    assert "a gradient is 0.00100001" in found(f, [z], [1e9, 1.00001e-3], [a, b])


@pytest.mark.parametrize(
    "f", [lambda x: x * 3.0, lambda x: x.exp(), lambda x: (x * x).tanh(), lambda x: 1.0 / x]
)
def test_a_share_of_1e_11_is_no_rounding_of_a_few_operations(f):
    x = Value(0.7)
    z = f(x)
    (slope,) = gradients(z, [x])
    assert found(f, [z.data * (1 + 1e-15)], [slope * (1 - 1e-15)], [x]) is None
    assert "the result is" in found(f, [z.data * (1 + 1e-11)], [slope], [x])
    assert "a gradient is" in found(f, [z.data], [slope * (1 + 1e-11)], [x])


def test_slopes_that_cancel_may_leave_any_small_number():
    w, x = Value(1.0), Value(3.0)
    one_order, another = (0.1 + 0.2) - 0.3, 0.1 + (0.2 - 0.3)
    assert abs(one_order) > 1e-17
    assert abs(one_order - another) > 1e-17

    def f(w, x):  # the slope of h cancels; those before it carry on what it is off by
        h = w * x
        return 0.1 * h + 0.2 * h - 0.3 * h

    for rest in (one_order, another):
        assert found(f, [rest * 3.0], [rest * 3.0, rest], [w, x]) is None
    assert found(f, [0.0], [0.0, 1e-12], [w, x]) is not None


def test_a_slope_of_many_terms_may_lose_many_small_ones():
    x, small = Value(1.0), 5e-17
    terms = [1.0, *[small] * 4000, -1.0]
    kept = math.fsum(terms)  # as lanes of their own keep it
    assert (reduce(add, terms), kept) == (0.0, pytest.approx(2e-13))
    f = lambda x: engine.sum([c * x for c in terms])
    for slope in (0.0, kept):
        assert found(f, [kept], [slope], [x]) is None
    assert found(f, [kept], [100 * kept], [x]) is not None


def test_terms_in_another_order_are_no_difference():
    draw = random.Random(1)
    for size in (1.0, 1e16, 1e308):
        xs = [Value(draw.uniform(-1, 1) * size ** draw.random()) for _ in range(50)]
        for order in (xs, xs[::-1], draw.sample(xs, 50)):
            values = [sum(v.data for v in order)]
            assert found(lambda *vs: sum(vs), values, [1.0] * 50, xs) is None


def test_what_cancels_may_be_any_small_number():
    w, x = Value(0.1), Value(3.0)
    f = lambda w, x: (w * x - 0.3) ** 2
    rest = 0.1 * 3.0 - 0.3
    other = 0.0  # what a fused product gives
    assert rest != other
    assert found(f, [other], [0.0, 0.0], [w, x]) is None
    assert found(f, [rest**2], [1e-3, 2 * rest * 0.1], [w, x]) is not None


def test_near_a_kink_either_slope_is_right():
    w, x = Value(0.1), Value(3.0)
    f = lambda w, x: (w * x - 0.3).relu()
    assert found(f, [0.0], [0.0, 0.0], [w, x]) is None
    far = lambda w, x: (w * x - 0.2).relu()
    assert found(far, [far(w, x).data], [0.0, 0.0], [w, x]) is not None


def test_slopes_that_are_not_finite():
    x = Value(0.0)
    assert found(lambda x: x.sqrt(), [0.0], [math.inf], [x]) is None
    assert found(lambda x: x.sqrt(), [0.0], [math.nan], [x]) is not None
    assert found(lambda x: x.sqrt(), [0.0], [-math.inf], [x]) is not None


def test_what_overflows_or_vanishes_in_one_order_only():
    x, y = Value(1e200), Value(1e-200)
    assert found(lambda x, y: x * 1e108 * y, [1e108], [math.inf, 1e308], [x, y]) is not None
    assert found(lambda x, y: x * 1e108 * y, [1e108], [1e-92, math.inf], [x, y]) is None
    assert found(lambda x, y: y * 1e-110 * x, [1e-110], [1e-200, 0.0], [x, y]) is not None
    assert found(lambda x, y: y * 1e-110 * y, [0.0], [0.0, 3e-310], [x, y]) is None


@pytest.mark.parametrize("seed", range(20))
def test_what_is_allowed_at_least_is_no_more_than_what_is_allowed(seed):
    draw = random.Random(seed)
    leaves = [Value(draw.uniform(-2, 2)) for _ in range(4)]
    values = [*leaves, Value(0.0)]
    makes = [
        lambda a, b: a + b,
        lambda a, b: a - b,
        lambda a, b: a * b,
        lambda a, b: a / b,
        lambda a, b: (a * a).tanh() - b.exp(),
        lambda a, b: engine.dot([a, b, 0.5], [b, 3.0, a], a),
        lambda a, b: engine.logsumexp([a, b]),
        engine.max,
    ]
    for _ in range(12):
        values.append(draw.choice(makes)(*draw.choices(values, k=2)))
    for root in (values[-1], values[-3], 1.0):
        outputs = [root, values[5], 2.0]
        order = toposort(root) if isinstance(root, Value) else None
        if order:
            root.adjoints(order)
        near = _nearest_slacks(range(8), order, outputs, root, values[:5])
        least = _least_slacks(range(3), None, outputs, root, values[:5])
        most = _slacks((), None, outputs, root, values[:5])
        assert all(a <= b for a, b in zip(least, most, strict=True))
        assert all(a <= b * (1 + 1e-12) for a, b in zip(near, least, strict=True))


def test_where_a_slope_is_inf_a_share_that_cancels_may_leave_any_gradient():
    x, w = Value(0.0), Value(0.5)
    z = x.sqrt() * (w * 1.0 - 0.5)  # which may be a little above 0, or below
    assert _slacks([], None, [z], z, [x])[1] == math.inf
    z = x.sqrt() * (w - w)
    assert _slacks([], None, [z], z, [x])[1] == math.inf
    z = x.sqrt() * Value(0.0)
    assert _slacks([], None, [z], z, [x])[1] < 1e-299


ULP = 2.0**-53


def near(numbers, rel=1e-12):
    """`pytest.approx` alone takes all numbers below 1e-12 for the same."""
    return pytest.approx(numbers, rel=rel, abs=0.0)


def test_each_operation_may_round_by_fifty_units_of_what_it_adds_up():
    w, x, y, b = Value(0.5), Value(-3.0), Value(0.25), Value(7.0)
    z = w * x * y
    sources = [w, y, b]
    order = toposort(z)
    z.adjoints(order)
    sums = [w + x, x - b, engine.sum([w, x, 2.0]), engine.dot([w, x], [y, 4.0], b)]
    sizes = [52 * 3.5, 52 * 10.0, 53 * 5.5, 55 * (7.0 + 2 * (0.125 + 12.0))]
    at_least = [4 * ULP * size for size in sizes]
    for slacks_of in (_nearest_slacks, _least_slacks):
        found = slacks_of(range(9), order, [*sums, z, 1.0], z, sources)
        assert found[:6] == near([*at_least, 0.0, 0.0])
        assert found[6:] == near([200 * ULP * 0.75, 200 * ULP * 1.5, 0.0])
    two = 2 * z - z  # w is reached on two ways
    (slack,) = _least_slacks([], None, [], two, [w])
    assert slack == near(200 * ULP * 3 * 0.75)
    assert _least_slacks([], None, [], 1.0, [w]) == [0.0]
    # z is off by its own 52 units and those of w * x, a slope by 50 or by its operand, and
    # a share by 51
    found = _slacks([], None, [z, 1.0], z, sources)
    ways = [4 * 104 * 0.375, 0.0, 4 * 202 * 0.75, 4 * 103 * 1.5, 0.0]
    assert found == near([ULP * way + compare.TINY for way in ways])


def operations(draw):
    """Sums and products of positive numbers, Values or not."""
    a, b, c = (Value(draw.uniform(0.1, 3)) for _ in range(3))
    return [
        *(a + b, a + 2.0, 2.0 + a, a * b, a * 3.0, 3.0 * a, a * a, engine.sum([a, 0.5, b, c])),
        *(engine.dot([a, 2.0, b], [c, b, 0.5], c), engine.dot([a], [2.0], 0.25), engine.sum([a])),
    ]


@pytest.mark.parametrize("most", [0.0, 0.3])
def test_what_sums_and_products_may_be_off_is_what_a_look_at_each_operand_finds(most):
    draw = random.Random(3)
    for z in operations(draw):
        off = {p: draw.uniform(0, most) for p in z.parents if isinstance(p, Value)}
        (z_off, slopes_off), (want, slopes) = _QUICK[z.op](z, off), _rounded(z, off)
        assert z_off == near(want)
        assert slopes_off == near(slopes)


def test_what_any_operation_may_be_off_is_looked_for_to_both_sides():
    x, y, e = Value(2.0), Value(0.5), 0.1
    z_off, slopes = _rounded(x.exp(), {x: e})
    moved = math.exp(2.0 + e) - math.exp(2.0)
    assert z_off == near(moved + 51 * ULP * math.exp(2.0), rel=1e-15)
    assert slopes == near([moved])
    z_off, slopes = _rounded(x / y, {x: e, y: e})
    assert z_off == near(2.1 / 0.4 - 4.0)
    assert slopes == near([1 / 0.4 - 2.0, 2.1 / 0.16 - 8.0])
    z_off, slopes = _rounded(x / y, {x: 0.0, y: 0.0})
    assert [z_off, *slopes] == near([ULP * s for s in (52 * 4.0, 50 * 2.0, 50 * 8.0)])
    high = Value(710.0)
    assert [_rounded(high.exp(), {high: e})[0] for e in (0.0, 1.0)] == [0.0, math.inf]
    many = [Value(1e308), Value(1e308), Value(-1e308)]
    assert _rounded(engine.sum(many), dict.fromkeys(many, 0.0))[0] == math.inf


def test_a_sum_that_cancels_needs_no_long_look(monkeypatch):
    monkeypatch.setattr(compare, "_slacks", None)
    xs = [Value(0.1), Value(0.2), Value(-0.3)]
    f = lambda *xs: sum(xs)
    assert found(f, [0.1 + (0.2 - 0.3)], [1.0] * 3, xs) is None


def test_a_gradient_that_cancels_over_a_batch_needs_a_look_at_its_readers_alone(monkeypatch):
    monkeypatch.setattr(compare, "_least_slacks", None)
    w, xs = Value(0.7), [0.1, 0.2, -0.3, 1e3, -1e3]
    total = sum([w * x for x in xs])
    order = toposort(total)
    exact = math.fsum(xs)
    assert abs(reduce(add, xs) - exact) > 1e-12 * abs(exact)
    assert difference([total.data], [exact], [total], total, [w], order) is None


def test_a_wrong_gradient_is_found_whatever_cancels():
    w, xs = Value(0.7), [0.1, 0.2, -0.3, 1e3, -1e3]
    total = sum([w * x for x in xs])
    wrong = difference([total.data], [1e-9], [total], total, [w], toposort(total))
    assert "a gradient is 1e-09" in wrong


def a_pick(x, y):
    """One whose derivative by x is near zero: 5.6e-17, or 0 in another order."""
    return engine.pick([x * 0.1 + x * 0.2 - x * 0.3, y], 0)


def test_a_gradient_that_cancels_below_a_pick_needs_no_long_look(monkeypatch):
    monkeypatch.setattr(compare, "_slacks", None)
    xs = [Value(0.1), Value(2.0)]
    assert found(a_pick, [a_pick(*xs).data], [0.0, 0.0], xs) is None


def test_a_wrong_gradient_below_a_pick_is_found():
    xs = [Value(0.1), Value(2.0)]
    assert "a gradient is 1e-09" in found(a_pick, [a_pick(*xs).data], [1e-9, 0.0], xs)
