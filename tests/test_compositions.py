"""Functions made of several rows: beside PyTorch, at kinks, in second order, and in replays."""

import itertools
import math

import pytest

import engine
from engine import Value, replay
from engine.replay import backends

POINTS = [[0.5, -1.5, 2.0], [3.0, 3.0, -0.25], [1e-3, 40.0, -7.0]]
TWINS = {
    "mean": lambda torch, x: x.mean(),
    "var": lambda torch, x: x.var(correction=0),
    "std": lambda torch, x: x.std(correction=0),
    "norm": lambda torch, x: x.norm(),
    "prod": lambda torch, x: x.prod(),
    "cumsum": lambda torch, x: x.cumsum(0),
    "log_softmax": lambda torch, x: x.log_softmax(0),
}


def summed(result):
    """One number of a result that may be a list."""
    return engine.dot(result, [1.0, -0.5, 0.25]) if isinstance(result, list) else result


@pytest.mark.parametrize("at", POINTS, ids=str)
@pytest.mark.parametrize("name", TWINS)
def test_values_and_gradients_are_those_of_torch(name, at):
    torch = pytest.importorskip("torch")
    xs, tensor = [Value(x) for x in at], torch.tensor(at, dtype=torch.float64, requires_grad=True)
    mine, theirs = summed(getattr(engine, name)(xs)), TWINS[name](torch, tensor)
    if theirs.ndim:
        theirs = theirs @ torch.tensor([1.0, -0.5, 0.25], dtype=torch.float64)
    mine.backward()
    theirs.backward()
    assert mine.data == pytest.approx(theirs.item(), rel=1e-14)
    assert [x.grad for x in xs] == pytest.approx(tensor.grad.tolist(), rel=1e-12, abs=1e-14)


@pytest.mark.parametrize("at", POINTS[::2], ids=str)
@pytest.mark.parametrize("name", TWINS)
def test_second_order(name, at):
    engine.check_grads(lambda *xs: summed(getattr(engine, name)(xs)), at, order=2)


def test_no_slope_is_infinite_where_all_is_equal():
    for f in (engine.norm, engine.std):
        xs = [Value(0.0), Value(0.0)]
        f(xs).backward()
        assert [x.grad for x in xs] == [0.0, 0.0]


def test_argmax_takes_the_first_of_equals_and_nan():
    assert engine.argmax([1.0, 3.0, 3.0]) == 1
    assert engine.argmax([1.0, math.nan, 3.0, math.nan]) == 1
    assert type(engine.argmax([Value(1.0), Value(2.0)])) is int


def test_clip_has_a_slope_up_to_its_bounds():
    for at, want in [(-1.0, 1.0), (1.0, 1.0), (0.5, 1.0), (1.5, 0.0), (-1.5, 0.0)]:
        x = Value(at)
        engine.clip(x, -1.0, 1.0).backward()
        assert x.grad == want
    assert engine.clip(3.0) == 3.0


@pytest.mark.parametrize(("condition", "chosen"), [(1.0, 0), (0.0, 1), (-2.5, 0), (math.nan, 0)])
def test_where_passes_the_gradient_to_what_it_chose(condition, chosen):
    x, y = Value(math.inf), Value(2.0)
    for c in (condition, Value(condition)):
        z = engine.where(c, x, y)
        z.backward()
        assert z.data == (x, y)[chosen].data
    assert [x.grad, y.grad] == [2.0 * (chosen == 0), 2.0 * (chosen == 1)]


def test_a_variance_needs_more_values_than_are_taken_off():
    with pytest.raises(ValueError, match="more than ddof=1 values, got 1"):
        engine.var([1.0], ddof=1)


@pytest.mark.parametrize("name", [n for n in ("python", "numpy", "c") if backends._runs(n)])
def test_replays_follow_the_condition_and_the_largest(name):
    def f(c, x, y):
        chosen = engine.where(c, x * y, x - y) + engine.clip(x, -1.0, 1.0)
        return chosen + engine.norm([x, y]) * engine.argmax([x, y])

    fast = replay(f, backend=name)
    for at in itertools.product([0.0, 1.0, -3.0], [0.5, 2.0], [-1.5, 1.25]):
        mine, theirs = [Value(x) for x in at], [Value(x) for x in at]
        fast(*mine).backward()
        f(*theirs).backward()
        wanted = [x.grad for x in theirs]
        assert [x.grad for x in mine] == pytest.approx(wanted, rel=1e-13)


# --- functions of NumPy -------------------------------------------------------------------------

UNARY = ("sin", "arcsin", "arctan", "exp", "log1p", "tanh", "floor", "ceil", "trunc", "rint")
UNARY += ("absolute", "square", "cbrt", "exp2", "degrees", "deg2rad", "negative", "arcsinh")
BINARY = (
    "add",
    "multiply",
    "arctan2",
    "hypot",
    "fmod",
    "mod",
    "floor_divide",
    "maximum",
    "minimum",
)


@pytest.mark.parametrize("name", [*UNARY, *BINARY])
def test_functions_of_numpy_give_values(name):
    np = pytest.importorskip("numpy")
    f, numbers = getattr(np, name), [0.5, -0.25]
    others = [[0.75, -2.0]] * (name in BINARY)
    arrays = [np.array(list(map(Value, xs)), dtype=object) for xs in (numbers, *others)]
    want = f(numbers, *others)
    for got in (f(*arrays), [f(*operands) for operands in zip(*arrays, strict=True)]):
        assert [type(v) for v in got] == [Value, Value]
        assert [v.data for v in got] == pytest.approx(list(want), rel=1e-15)


def test_numbers_and_arrays_of_numpy_meet_values():
    np = pytest.importorskip("numpy")
    v = Value(3.0)
    assert (np.float64(2.0) * v).parents == (2.0, v)
    assert np.float64(0.0) + v is v
    assert bool(np.float64(2.0) < v)
    assert [z.parents for z in np.array([2.0, 4.0]) * v] == [(2.0, v), (4.0, v)]
    with pytest.raises(TypeError):
        np.bitwise_and(v, 1)
