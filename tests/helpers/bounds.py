"""Numbers to try, and how far results of the rows may be off: rows a2 and a3 of the battery."""

import math
import random
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import mpmath as mp
from oracles import EXACT, ulps

from engine.op import Op

FORWARD_ULPS = {
    **dict.fromkeys(["add", "sub", "mul", "div", "neg", "abs", "relu", "max", "min"], 0.5),
    **dict.fromkeys(["square", "reciprocal", "hard_tanh", "copysign", "fmod", "mod"], 0.5),
    **dict.fromkeys(["round", "floor", "ceil", "trunc", "sign", "step", "truth"], 0.5),
    **dict.fromkeys(["exp", "log", "sqrt", "sin", "cos", "pow"], 1.0),
    **dict.fromkeys(["log1p", "expm1", "tan", "sinh", "cosh", "tanh", "asin", "acos"], 2.0),
    **dict.fromkeys(["atan", "sigmoid", "softplus", "leaky_relu", "log2", "log10"], 2.0),
    **dict.fromkeys(["exp2", "cbrt", "hypot", "atan2", "asinh", "acosh", "atanh"], 2.0),
    **dict.fromkeys(["radians", "degrees", "logit", "selu", "elu", "log_sigmoid"], 2.0),
    **dict.fromkeys(["xlogy", "floor_divide"], 2.0),
}
EDGES = (26.6, 37.6, 38.5, 708.5, 709.8, 712.6, 730.0, 745.0)  # of erfc, of its square, of exp
GROWING = {"exp", "expm1", "sinh", "cosh", "tanh", "sigmoid", "softplus", "gelu", "erf", "erfc"}


def off(op: Op, k: int, x: float, got: float) -> tuple[str, float, float, str]:
    """How far the result `k` of a row of one operand is off: a kind, the error, its bound, a unit.

    k is 0 for z, 1 for its slope.
    """
    want, scale = exact(op.name, k, x)
    error = max(0.0, ulps(got, want) - faint(x, float(want)))
    if scale:
        return ": erf, lgamma and the like", error / scale, 1.0, "of 4 (1 + condition)"
    return "", error, 4.0 if k else FORWARD_ULPS.get(op.name, 2.0), "ulp"


def faint(x: float, want: float) -> float:
    """How many ulp it costs that x is multiplied by a number below normal floats, of few digits.

    Such a product may be a normal one: silu(-712) is -712 * exp(-712).
    """
    return min(abs(x), 1000.0) * math.ulp(0.0) / math.ulp(want)


@lru_cache(maxsize=100_000)
def exact(name: str, k: int, x: float) -> tuple[Any, float]:
    """The exact result, and how many ulp the condition of a formula allows.

    0 for the rows whose bounds in ulp are listed, whose formulas are good everywhere.
    """
    f = EXACT[name][k]
    want = f(mp.mpf(x))
    well = name in FORWARD_ULPS or not float(want)
    return want, 0.0 if well else 4 * (1 + condition(f, x))


def condition(f: Callable[..., Any], *at: float) -> float:
    """How many ulp of the result one ulp of each operand is worth."""
    where = tuple(map(mp.mpf, at))
    value = f(*where)
    orders = [tuple(int(i == k) for i in range(len(at))) for k in range(len(at))]
    slopes = [mp.diff(f, where, n) for n in orders] if len(at) > 1 else [mp.diff(f, where[0])]
    shares = [abs(x * d / value) for x, d in zip(where, slopes, strict=True)] if value else [1]
    return float(mp.fsum(shares))


def inside(op: Op, x: float) -> bool:
    """Whether a row is to be right at a number: in its domain, and its result no overflow."""
    low, high = op.domain
    reach = 700 if op.name in GROWING else 1e9 if op.name in {"sin", "cos", "tan"} else 1e300
    return low < x < high and abs(x) < reach and _is_finite(op, x)


def _is_finite(op: Op, x: float) -> bool:
    return op.arity != 1 or all(map(math.isfinite, op.forward((x,))))


def numbers(op: Op, seed: int, count: int) -> list[float]:
    """Operands inside the domain: of every size, near 1, and ordinary ones."""
    rng = random.Random(f"{op.name} {seed}")
    found: list[float] = []
    while len(found) < count:
        sizes = (10 ** rng.uniform(-300, 300), 10 ** rng.uniform(-5, 3), rng.uniform(0, 3))
        x = rng.choice([-1, 1]) * rng.choice([*sizes, 1 - 10 ** rng.uniform(-15, -1)])
        if inside(op, x):
            found.append(x)
    return found


def powers(seed: int, count: int) -> list[tuple[float, float]]:
    """Bases and exponents whose power is a normal float."""
    rng = random.Random(seed)
    found: list[tuple[float, float]] = []
    while len(found) < count:
        sizes = (10 ** rng.uniform(-300, 300), 10 ** rng.uniform(-3, 3))
        x = rng.choice([*sizes, 1 + rng.choice([-1, 1]) * 10 ** rng.uniform(-12, -1)])
        log_z = rng.choice([rng.uniform(-1, 1), rng.uniform(-707, 709)])
        near_half = 0.5 + rng.choice([-1, 1]) * 10 ** rng.uniform(-17, -1)
        y = rng.choice([log_z / math.log(x), rng.uniform(-3, 3), near_half, rng.randint(-4, 4)])
        if abs(y * math.log(x)) < 707:
            found.append((x, float(y)))
    return found
