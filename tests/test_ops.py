import dataclasses
import importlib.util
import itertools
import math
import os
import random
import struct
import subprocess
import sys
from pathlib import Path

import differences
import mpmath as mp
import pytest
from bounds import EDGES, FORWARD_ULPS, condition, inside, numbers, off, powers
from differences import TORCH, by_torch
from oracles import COMPLEX, EXACT, SPECIAL, close, on_complex, torch_functions, ulps

from engine.ieee import fsum, inner, logsumexp
from engine.op import PLAIN, define
from engine.ops import OPS

LIBRARY = [op for op in OPS.values() if op.name in EXACT]
MANY = [op for op in OPS.values() if op.many]
ROWS_AT_POINTS = [pytest.param(op, at, id=f"{op.name}{at}") for op in LIBRARY for at in op.at]


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


class Worst:
    """The worst error of each kind, each checked against its bound."""

    def __init__(self, figure, of):
        self.figure, self.of = figure, of
        self.errors: dict[tuple[str, str, float, str], list[float]] = {}

    def check(self, row, what, error, bound, unit="ulp"):
        assert error <= bound, (self.of, what, error)
        self.errors.setdefault((row, what, bound, unit), []).append(error)

    def note(self):
        for (row, what, bound, unit), errors in self.errors.items():
            self.figure(row, what, len(errors), max(errors), bound, unit)


FORWARD, SLOPES = "forward against mpmath", "partials against mpmath"


@pytest.mark.some(2)
@pytest.mark.parametrize("op", [op for op in LIBRARY if op.arity == 1], ids=repr)
def test_results_of_one_operand_against_mpmath(op, amount, figure):
    worst = Worst(figure, op.name)
    edges = [x for edge in EDGES for x in (edge, -edge) if inside(op, x)]
    for x in [*numbers(op, 0, amount(40, 150, 5_000)), *edges]:
        for k, got in enumerate(op.forward((x,))):
            kind, error, bound, unit = off(op, k, x, got)
            worst.check(("a2", "a3")[k], (FORWARD, SLOPES)[k] + kind, error, bound, unit)
    worst.note()


@pytest.mark.parametrize(
    "op", [op for op in LIBRARY if op.arity == 2 and op.name != "pow"], ids=repr
)
def test_results_of_two_operands_against_mpmath(op, amount, figure):
    count = amount(40, 150, 5_000)
    worst = Worst(figure, op.name)
    for at in zip(numbers(op, 1, count), numbers(op, 2, count), strict=True):
        got, exact = op.forward(at), [f(*map(mp.mpf, at)) for f in EXACT[op.name]]
        for k, (number, want) in enumerate(zip(got, exact, strict=True)):
            if mp.im(want):  # outside the domain
                assert math.isnan(number)
            elif k == 0 or 2.3e-308 < abs(got[0]) < math.inf or op.name != "div":  # z lost digits
                bound = 4.0 if k else FORWARD_ULPS.get(op.name, 2.0)
                if op.name not in FORWARD_ULPS and float(want):
                    bound = 4 * (1 + condition(EXACT[op.name][k], *at))
                kind = ("a2", FORWARD) if k == 0 else ("a3", SLOPES)
                worst.check(*kind, ulps(number, want) / bound, 1.0, "of the bound")
    worst.note()


def test_powers_against_mpmath(amount, figure):
    worst = Worst(figure, "pow")
    for seed in range(amount(20, 1_000)):
        for x, y in powers(seed, 50):
            z, dx, dy = OPS["pow"].forward((x, y))
            exact, *slopes = [f(mp.mpf(x), mp.mpf(y)) for f in EXACT["pow"]]
            worst.check("a2", FORWARD, ulps(z, exact), 1.0)
            worst.check("a3", SLOPES, ulps(dx, slopes[0]), 4.0)
            worst.check("a3", SLOPES, ulps(dy, slopes[1]), 4.0)
    worst.note()


NUMPYS = {"arccos": "acos", "arcsin": "asin", "arctan": "atan"} | {
    name: name
    for name in ("cos", "cosh", "exp", "expm1", "log", "log1p", "sin", "sinh", "tan", "tanh")
}


@pytest.mark.parametrize("name", NUMPYS)
def test_results_against_the_rows_that_numpy_validates_with(name, figure):
    numpy = pytest.importorskip("numpy")
    rows = Path(numpy.__file__).parent / f"_core/tests/data/umath-validation-set-{name}.csv"
    if not rows.exists():
        pytest.skip("this NumPy came without its tests")
    op = OPS[NUMPYS[name]]
    worst = Worst(figure, op.name)
    for line in rows.read_text().splitlines():
        if line.startswith("np.float64"):
            x, want = (struct.unpack("d", int(t, 16).to_bytes(8, sys.byteorder))[0]
                       for t in line.split(",")[1:3])  # fmt: skip
            got = op.forward((x,))[0]
            off = 0.0 if close(got, want, 0.0) else abs(got - want) / math.ulp(want)
            worst.check("a2", "forward against NumPy's validation rows", off, 2.0)
    worst.note()


# --- slopes of the formulas themselves ------------------------------------------------------------


@pytest.mark.parametrize("op", OPS.values(), ids=repr)
def test_partials_are_slopes_of_the_formula(op, figure):
    """By a complex step of 1e-20, and by central differences of 1e-6."""
    worst = Worst(figure, op.name)
    if op.many:
        f = eval(f"lambda {op.variables}: {op.formula}", dict(COMPLEX))
    else:
        f = on_complex(op.formula, op.callees)
    for at in op.at:
        _, *slopes = op.forward(op.arguments(at))
        for i, slope in enumerate(slopes[0] if op.many else slopes):
            moved = [mp.mpc(x, 1e-20 * (i == k)) for k, x in enumerate(at)]
            want = float(mp.im(f(*op.arguments(moved))) / 1e-20)
            right, left = ([x + h * (i == k) for k, x in enumerate(at)] for h in (1e-6, -1e-6))
            measured = (op(*right) - op(*left)) / (right[i] - left[i])
            for what, there, bound in (
                ("complex step of 1e-20", want, 1e-12),
                ("central differences of 1e-6", measured, 1e-6),
            ):
                off = abs(slope - there) / abs(there) if there else abs(slope)
                worst.check("b1", what, off, bound, "relative")
    worst.note()


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


@pytest.mark.parametrize("op", LIBRARY, ids=repr)
def test_special_values_against_torch(op, figure):
    torch = pytest.importorskip("torch")
    if op.name not in torch_functions(torch):
        return  # PyTorch has none
    reviewed = [row for row in TORCH if row.name == op.name]
    met, count = set(), 0
    for operands in itertools.product(SPECIAL, repeat=op.arity):
        wanted = by_torch(op.name, operands)
        for i, (got, want) in enumerate(zip(op.forward(operands), wanted, strict=True)):
            same_sign = i > 0 or got != 0 or math.copysign(1, got) == math.copysign(1, want)
            if not close(got, want) or not same_sign:
                rows = {row for row in reviewed if row.result == i and row.where(*operands)}
                assert rows, f"{op.name}{operands}: result {i} is {got}, PyTorch says {want}"
                met |= rows
            count += 1
    assert met == set(reviewed), "a reviewed difference is gone: take its row out"
    figure("a4", "special values: unreviewed differences to PyTorch", count)


@pytest.mark.whole
def test_the_page_of_differences_is_the_table():
    """In a process of its own: one that has loaded JAX must not fork."""
    for library in ("torch", "jax"):
        if not importlib.util.find_spec(library):
            pytest.skip(f"needs {library}")
    helpers = Path(differences.__file__).parent
    paths = os.pathsep.join([str(helpers.parents[1]), str(helpers)])
    done = subprocess.run(
        [sys.executable, differences.__file__],
        env={**os.environ, "PYTHONPATH": paths}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout == differences.PAGE.read_text()


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
        define("spoilt", "s", "x", "q", at=[(1.0,)])
    assert "spoilt" not in OPS
    assert "spoilt" not in PLAIN


@pytest.mark.parametrize(
    "y", [2.0**53, -(2.0**53), 2.0**53 + 2, 1e16, -1e16, -(2.0**60), 2.7e26, -1e300]
)
@pytest.mark.parametrize("x", [1.0, 1 + 4e-14, 1 - 4e-14, 1 + 2**-52, 2.0, 0.5, 0.0, math.inf])
def test_slopes_of_powers_so_large_that_less_1_is_no_other_number(x, y):
    """Such a y is even, and y - 1 is odd: it has its parity and its digits."""
    for base in (x, -x):
        _, slope, _ = OPS["pow"].forward((base, y))
        if 0 < x < math.inf:
            want = y * mp.mpf(x) ** (mp.mpf(y) - 1)
        else:
            want = math.copysign(math.inf if (x > 0) == (y > 0) else 0.0, y)
        want *= math.copysign(1, base)
        if 0 < abs(want) < 1e308:
            assert ulps(slope, want) <= 4
        else:
            assert slope == float(want)
            assert not slope or math.copysign(1, slope) == math.copysign(1, want)
