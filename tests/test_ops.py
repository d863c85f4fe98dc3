import dataclasses
import itertools
import math
import random

import mpmath as mp
import pytest
from oracles import EXACT, SPECIAL, close, torch_functions, ulps

from engine import ops
from engine.ops import OPS, Op, fsum, inner, logsumexp

LIBRARY = [op for op in OPS.values() if op.name in EXACT]
MANY = [op for op in OPS.values() if op.many]
ROWS_AT_POINTS = [pytest.param(op, at, id=f"{op.name}{at}") for op in LIBRARY for at in op.at]

FORWARD_ULPS = {
    **dict.fromkeys(["add", "sub", "mul", "div", "neg", "abs", "relu", "max", "min"], 0.5),
    **dict.fromkeys(["exp", "log", "sqrt", "sin", "cos", "pow"], 1.0),
}
DOMAIN = {
    **dict.fromkeys(["log", "sqrt"], (0.0, math.inf)),
    **dict.fromkeys(["asin", "acos"], (-1.0, 1.0)),
    "log1p": (-1.0, math.inf),
}
GROWING = {"exp", "expm1", "sinh", "cosh", "tanh", "sigmoid", "softplus", "gelu", "erf", "erfc"}


def condition(f, x: float) -> float:
    """How many ulp of the result one ulp of the operand is worth."""
    value = f(mp.mpf(x))
    return float(abs(mp.mpf(x) * mp.diff(f, mp.mpf(x)) / value)) if value else 1.0


def numbers(op: Op, seed: int, count: int):
    """Operands inside the domain: of every size, near 1, and ordinary ones."""
    rng = random.Random(f"{op.name} {seed}")
    low, high = DOMAIN.get(op.name, (-math.inf, math.inf))
    found = []
    while len(found) < count:
        sizes = (10 ** rng.uniform(-300, 300), 10 ** rng.uniform(-5, 3), rng.uniform(0, 3))
        x = rng.choice([-1, 1]) * rng.choice([*sizes, 1 - 10 ** rng.uniform(-15, -1)])
        reach = 700 if op.name in GROWING else 1e9 if op.name in {"sin", "cos", "tan"} else 1e300
        if low < x < high and abs(x) < reach:
            found.append(x)
    return found


def powers(seed: int, count: int):
    """Bases and exponents whose power is a normal float."""
    rng = random.Random(seed)
    found = []
    while len(found) < count:
        sizes = (10 ** rng.uniform(-300, 300), 10 ** rng.uniform(-3, 3))
        x = rng.choice([*sizes, 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-12, -1)])
        log_z = rng.choice([rng.uniform(-1, 1), rng.uniform(-707, 709)])
        near_half = 0.5 + rng.choice([-1, 1]) * 10 ** rng.uniform(-17, -1)
        y = rng.choice([log_z / math.log(x), rng.uniform(-3, 3), near_half, rng.randint(-4, 4)])
        if abs(y * math.log(x)) < 707:
            found.append((x, float(y)))
    return found


@pytest.mark.parametrize("op", OPS.values(), ids=repr)
def test_a_row_is_complete(op):
    assert OPS[op.name] is op
    assert op.symbol
    assert op.at
    assert all(math.isfinite(x) for point in op.at for x in point)
    if op.many:
        assert op.arity is None
    else:
        assert op.arity == len(op.partials) in (1, 2)
        assert {len(point) for point in op.at} == {op.arity}
    with pytest.raises(dataclasses.FrozenInstanceError):
        op.formula = "x"


def test_every_row_has_an_independent_twin():
    rows = {name for name, op in OPS.items() if not op.many}
    assert rows >= set(EXACT)
    assert {op.name for op in MANY} == {"sum", "dot", "logsumexp"}


@pytest.mark.parametrize(("op", "at"), ROWS_AT_POINTS)
def test_forward_and_partials_at_the_points_of_the_row(op, at):
    exact = [f(*map(mp.mpf, at)) for f in EXACT[op.name]]
    assert all(ulps(got, want) <= 4 for got, want in zip(op.forward(at), exact, strict=True))


@pytest.mark.parametrize("op", [op for op in LIBRARY if op.arity == 1], ids=repr)
def test_results_of_one_operand_against_mpmath(op):
    f, slope = EXACT[op.name]
    special = op.name in {"erf", "erfc", "gelu"}
    for x in numbers(op, 0, 150):
        z, dx = op.forward((x,))
        conditioned = 4 * (1 + condition(f, x)) if special and float(f(x)) else 0
        assert ulps(z, f(mp.mpf(x))) <= max(FORWARD_ULPS.get(op.name, 2.0), conditioned), x
        want = slope(mp.mpf(x))
        conditioned = 4 * (1 + condition(slope, x)) if special and float(want) else 0
        assert ulps(dx, want) <= max(4, conditioned), x


@pytest.mark.parametrize("name", ["add", "sub", "mul", "div", "max", "min"])
def test_results_of_two_operands_against_mpmath(name):
    op = OPS[name]
    for x, y in zip(numbers(op, 1, 150), numbers(op, 2, 150), strict=True):
        z, dx, dy = op.forward((x, y))
        exact, *slopes = [f(mp.mpf(x), mp.mpf(y)) for f in EXACT[name]]
        assert ulps(z, exact) <= FORWARD_ULPS[name], (x, y)
        if 2.3e-308 < abs(z) < math.inf or name != "div":  # z itself has lost its digits
            assert ulps(dx, slopes[0]) <= 4, (x, y)
            assert ulps(dy, slopes[1]) <= 4, (x, y)


@pytest.mark.parametrize("seed", range(20))
def test_powers_against_mpmath(seed):
    for x, y in powers(seed, 50):
        z, dx, dy = OPS["pow"].forward((x, y))
        exact, *slopes = [f(mp.mpf(x), mp.mpf(y)) for f in EXACT["pow"]]
        assert ulps(z, exact) <= 1, (x, y)
        assert ulps(dx, slopes[0]) <= 4, (x, y)
        assert ulps(dy, slopes[1]) <= 4, (x, y)


def test_powers_near_underflow():
    rng = random.Random(0)
    for _ in range(500):
        x = 10 ** rng.uniform(0.1, 9)
        y = rng.uniform(-700, -460) / math.log(x)
        exact = EXACT["pow"][1](mp.mpf(x), mp.mpf(y))
        assert ulps(OPS["pow"].forward((x, y))[1], exact) <= 4, (x, y)


@pytest.mark.parametrize(("y", "dx"), [(2, -6.0), (3, 27.0), (-1, -1 / 9), (-2, 2 / 27), (1, 1.0)])
def test_powers_of_a_negative_base(y, dx):
    z, slope, by_exponent = OPS["pow"].forward((-3.0, float(y)))
    assert z == pytest.approx((-3.0) ** y, rel=1e-15)
    assert slope == pytest.approx(dx, rel=1e-15)
    assert math.isnan(by_exponent)


@pytest.mark.parametrize("op", [op for op in OPS.values() if not op.many], ids=repr)
def test_forward_never_raises_and_careful_agrees_with_plain(op):
    for operands in itertools.product(SPECIAL, repeat=op.arity):
        results = op.careful(*operands)
        assert all(type(result) is float for result in results), operands
        try:
            plain = op.plain(*operands)
        except (ArithmeticError, ValueError):
            continue
        assert repr(plain) == repr(results), operands


# Where our numbers are not PyTorch's: operation, result (0 is z), where, why.
DIFFERENCES = [
    ("abs", 1, math.isnan, "the slope at nan is nan; PyTorch says 0"),
    ("expm1", 1, lambda x: x == -40, "PyTorch computes z + 1, which cancels"),
    ("log1p", 0, lambda x: x == 5e-324, "PyTorch flushes the smallest number to 0"),
    ("tanh", 1, lambda x: abs(x) >= 20, "PyTorch computes 1 - z * z, which cancels"),
    ("sigmoid", 1, lambda x: x >= 20, "PyTorch computes z * (1 - z), which cancels"),
    ("relu", 0, lambda x: x == 0, "0.0 for -0.0 too; PyTorch keeps the sign"),
    ("max", 1, lambda x, y: x == y, "the first of equals has all; PyTorch splits in two"),
    ("max", 2, lambda x, y: x == y, "the first of equals has all; PyTorch splits in two"),
    ("min", 1, lambda x, y: x == y, "the first of equals has all; PyTorch splits in two"),
    ("min", 2, lambda x, y: x == y, "the first of equals has all; PyTorch splits in two"),
    ("max", 1, lambda x, y: y != y, "one nan has the slope; PyTorch gives both 1"),
    ("max", 2, lambda x, y: x != x, "one nan has the slope; PyTorch gives both 1"),
    ("min", 1, lambda x, y: y != y, "one nan has the slope; PyTorch gives both 1"),
    ("min", 2, lambda x, y: x != x, "one nan has the slope; PyTorch gives both 1"),
    ("pow", 1, lambda x, y: x == 5e-324, "PyTorch's x ** (y - 1) overflows, y * z / x does not"),
    ("pow", 1, lambda x, y: x == -1 and y < -1e16, "y - 1 rounds to y, the wrong parity"),
    ("leaky_relu", 1, lambda x, y: x > 0 and y - y != 0, "the branch not taken is not looked at"),
    ("leaky_relu", 2, lambda x, y: x == math.inf, "the branch not taken is not looked at"),
]  # fmt: skip


@pytest.mark.parametrize("op", LIBRARY, ids=repr)
def test_special_values_against_torch(op):
    torch = pytest.importorskip("torch")
    f = torch_functions(torch)[op.name]
    reviewed = [(i, where) for name, i, where, _ in DIFFERENCES if name == op.name]
    met = set()
    for operands in itertools.product(SPECIAL, repeat=op.arity):
        tensors = [torch.tensor(x, dtype=torch.float64, requires_grad=True) for x in operands]
        result = f(*tensors)
        result.backward()
        wanted = [result.item(), *(t.grad.item() for t in tensors)]
        for i, (got, want) in enumerate(zip(op.forward(operands), wanted, strict=True)):
            same_sign = i > 0 or got != 0 or math.copysign(1, got) == math.copysign(1, want)
            if not close(got, want) or not same_sign:
                rows = {row for row in reviewed if row[0] == i and row[1](*operands)}
                assert rows, f"{op.name}{operands}: result {i} is {got}, PyTorch says {want}"
                met |= rows
    assert met == set(reviewed), "a reviewed difference is gone: take its row out"


@pytest.mark.parametrize(
    ("xs", "want"),
    [
        ([], 0.0),
        ([0.1] * 10, 1.0),
        ([1e16, *[1.0] * 100, -1e16], 100.0),
        ([1e308, 1e308, -1e308], math.inf),
        ([math.inf, 1.0], math.inf),
        ([math.inf, -math.inf], math.nan),
        ([math.nan, 1.0], math.nan),
    ],
)
def test_fsum(xs, want):
    assert close(fsum(xs), want, 0.0)


def test_fsum_is_correctly_rounded():
    rng = random.Random(0)
    for _ in range(100):
        xs = [rng.uniform(-1, 1) * 10 ** rng.uniform(-20, 20) for _ in range(50)]
        assert fsum(xs) == float(mp.fsum(map(mp.mpf, xs)))


def test_inner_goes_from_left_to_right():
    assert inner([1e16, 1.0, -1e16], [1.0, 1.0, 1.0], 0.0) == 0.0
    assert inner([1.0, 2.0], [3.0, 4.0], 0.5) == 11.5
    with pytest.raises(ValueError, match="zip"):
        inner([1.0], [1.0, 2.0], 0.0)


@pytest.mark.parametrize(
    ("xs", "want"),
    [
        ([1000.0, 0.0], 1000.0),
        ([-1000.0, -1000.0], -1000 + math.log(2)),
        ([-math.inf, 3.0], 3.0),
        ([-math.inf, -math.inf], -math.inf),
        ([math.inf, 0.0], math.inf),
        ([math.inf, math.nan], math.nan),
        ([0.0], 0.0),
        ([0.0, -40.0], math.log1p(math.exp(-40))),
    ],
)
def test_logsumexp(xs, want):
    assert close(logsumexp(xs), want, 1e-15)


def test_logsumexp_against_mpmath():
    rng = random.Random(1)
    for _ in range(200):
        xs = [rng.uniform(-5, 50) for _ in range(rng.randint(1, 12))]
        assert ulps(logsumexp(xs), mp.log(mp.fsum(mp.exp(x) for x in xs))) <= 2


@pytest.mark.parametrize("op", MANY, ids=repr)
def test_rows_of_many_operands_give_a_partial_for_each(op):
    [at] = op.at
    z, slopes = op.forward(op.arguments(at))
    assert len(slopes) == len(at)
    for i, slope in enumerate(slopes):
        h = 1e-6
        left, right = ([*at[:i], at[i] + side, *at[i + 1 :]] for side in (-h, h))
        assert slope == pytest.approx((op(*right) - op(*left)) / (2 * h), rel=1e-8)
    assert z == op(*at)


def test_variables_and_arguments():
    assert OPS["tanh"].variables == "x"
    assert OPS["mul"].variables == "x, y"
    assert OPS["sum"].variables == "xs"
    assert OPS["dot"].variables == "xs, ys, bias"
    assert OPS["dot"].arguments([1, 2, 3, 4, 5]) == ([1, 2], [3, 4], 5)
    assert repr(OPS["dot"]) == "Op('dot')"


def test_a_bad_row_leaves_no_trace():
    with pytest.raises(ValueError, match="no variable 'q'"):
        ops.define("spoilt", "s", "x", "q", at=[(1.0,)])
    assert "spoilt" not in OPS
    assert "spoilt" not in ops.PLAIN
