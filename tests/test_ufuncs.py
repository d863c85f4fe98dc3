import itertools
import math

import pytest

pytest.importorskip("numpy")

import numpy as np
from oracles import SPECIAL

from engine.formula import careful
from engine.op import CAREFUL, row
from engine.ops import OPS
from engine.replay.backends.called import NAMES, view
from engine.replay.backends.steps import Writer
from engine.replay.backends.ufuncs import Formula
from engine.replay.views import View

X = View("x", 0, (len(SPECIAL) ** 2,), (1,))
Y = X._replace(memory="y")
POINTS = list(itertools.product(SPECIAL, SPECIAL))


def run(text, known=None, factor=False):
    """The value of a formula at all pairs of special numbers, and the calls for it."""
    writer = Writer()
    operands = {"x": X, "y": Y}
    op = row("row", "row", text, "1.0", "1.0", at=[])
    formula = Formula(op.callees, writer, X.shape, operands, known or {})
    out = writer.temporary(X.shape)
    if factor:
        writer.do("np.multiply({0}, {1}, out={2})", 1.0, formula.factor(text), out)
    else:
        formula.result(text, out)
    xs, ys = np.array(POINTS).T.copy()
    if known:
        ys[:] = known["y"]
    memories = {"x": xs, "y": ys, "scratch": np.empty(writer.room["scratch"])}
    memories["masks"] = np.empty(writer.room["masks"], dtype=bool)
    for step, views in writer.steps:
        arrays = [v if isinstance(v, float) else view(memories[v.memory], *v[1:4]) for v in views]
        names = {f"a{k}": array for k, array in enumerate(arrays)}
        with np.errstate(all="ignore"):
            exec(step.format(*names), {**NAMES, **names})
    result = view(memories["scratch"], *out[1:4]).tolist()
    return result, list(zip(xs.tolist(), ys.tolist(), strict=True)), writer.steps


def same(got, want):
    if want != want or math.isinf(want):
        return got == want or (got != got and want != want)
    return abs(got - want) <= max(4 * math.ulp(want), 1e-322)


FORMULAS = [
    "x + y * 2 - 1",
    "-x / y",
    "x ** y",
    "x ** 0.5",
    "x ** 3 - y ** 2 + x ** 1",
    "0.0 if x <= 0 else x",
    "0.0 if x <= 0 else 1.0",
    "1.0 if x > y or x != x else 0.0",
    "x if 0 < x < y else y if x == y and y >= 1 else 2.5",
    "(e := exp(-abs(x))) / (1 + e) * e",
    "max(x, min(y, 1))",
    "sigmoid(x) * softplus(y)",
    "erf(x) + erfc(y)",
    "x if x >= y or x != x else y",
    "log1p(abs(x)) + sqrt(abs(y)) + atan(x) - asin(0.5)",
    "3",
    "x + max(2, 3) - relu(4)",
    "x * ((x > 0) - (x < 0))",
    "1 if not (x > 0 and y) else 2",
    "(e := x * y) if y > 0 or x > 0 else y",
    "y",
]


@pytest.mark.some(24)
@pytest.mark.parametrize("factor", [False, True])
@pytest.mark.parametrize("text", FORMULAS)
def test_formulas_at_special_values(text, factor):
    results, points, _ = run(text, factor=factor)
    for got, (x, y) in zip(results, points, strict=True):
        assert same(got, eval(careful(text), {**OPS, **CAREFUL}, {"x": x, "y": y})), (x, y)


@pytest.mark.some(9)
@pytest.mark.parametrize("y", [0.0, 0.5, 1.0, 2.0, 3.0, -1.0, math.inf])
@pytest.mark.parametrize(
    "text",
    [
        "x ** y",
        "x ** (y - 1) * y",
        "1.0 if y > 0 and x > 0 else 0.0",
        "x if y > 1 or x > 0 else 2 * x",
        "x if y < 1 else -x if y < 2 else x + y",
    ],
)
def test_known_operands_change_the_calls_and_not_the_result(text, y):
    results, points, _ = run(text, {"y": y})
    for got, (x, _) in zip(results, points, strict=True):
        assert same(got, eval(careful(text), {**OPS, **CAREFUL}, {"x": x, "y": y})), (x, y)


@pytest.mark.parametrize(
    ("text", "known", "calls"),
    [
        ("x if y > 1 else exp(x)", {"y": 2.0}, ["np.copyto"]),
        ("x if y > 1 and x > 0 else exp(x)", {"y": 0.0}, ["np.exp"]),
        ("x ** y", {"y": 2.0}, ["np.square"]),
        ("(1 + x) * (1 + x)", {}, ["np.add", "np.multiply"]),
        ("0.0 if x <= 0 else x", {}, ["np.maximum"]),
        ("sigmoid(1.5)", {}, ["np.copyto"]),
    ],
)
def test_no_call_too_many(text, known, calls):
    assert [step.split("(")[0] for step, _ in run(text, known)[2]] == calls
