"""What the tests compare with: mpmath at 400 bits, PyTorch in float64, and numbers to try."""

import math
import operator
from collections.abc import Callable
from typing import Any

import mpmath as mp

from engine import ieee

mp.mp.prec = 400

SPECIAL = (
    *(0.0, -0.0, 5e-324, -1e-310, 2.3e-308, 1e-300, -1e-17, 1e-8, 0.5, 1 - 2**-53, 1.0, 1 + 2**-52),
    *(-1.0, 2**-53 - 1, math.pi / 4, math.pi / 2, 2.0, -3.0, 20.0, -40.0, 710.0, -746.0, 1e16),
    *(-1e154, 1e200, 1e308, -1.7e308, math.inf, -math.inf, math.nan),
)


def _gelu(x: Any) -> Any:
    return x * mp.ncdf(x)


# name: z, dz/dx (and dz/dy), written without a look at the rows
EXACT: dict[str, tuple[Callable[..., Any], ...]] = {
    "add": (lambda x, y: x + y, lambda x, y: mp.mpf(1), lambda x, y: mp.mpf(1)),
    "sub": (lambda x, y: x - y, lambda x, y: mp.mpf(1), lambda x, y: mp.mpf(-1)),
    "mul": (lambda x, y: x * y, lambda x, y: y, lambda x, y: x),
    "div": (lambda x, y: x / y, lambda x, y: 1 / y, lambda x, y: -x / y**2),
    "pow": (lambda x, y: x**y, lambda x, y: y * x ** (y - 1), lambda x, y: x**y * mp.log(x)),
    "neg": (lambda x: -x, lambda x: mp.mpf(-1)),
    "abs": (mp.fabs, mp.sign),
    "max": (max, lambda x, y: mp.mpf(x >= y), lambda x, y: mp.mpf(x < y)),
    "min": (min, lambda x, y: mp.mpf(x <= y), lambda x, y: mp.mpf(x > y)),
    "exp": (mp.exp, mp.exp),
    "log": (mp.log, lambda x: 1 / x),
    "expm1": (mp.expm1, mp.exp),
    "log1p": (mp.log1p, lambda x: 1 / (1 + x)),
    "sqrt": (mp.sqrt, lambda x: 1 / (2 * mp.sqrt(x))),
    "sin": (mp.sin, mp.cos),
    "cos": (mp.cos, lambda x: -mp.sin(x)),
    "tan": (mp.tan, lambda x: mp.sec(x) ** 2),
    "sinh": (mp.sinh, mp.cosh),
    "cosh": (mp.cosh, mp.sinh),
    "tanh": (mp.tanh, lambda x: mp.sech(x) ** 2),
    "asin": (mp.asin, lambda x: 1 / mp.sqrt((1 - x) * (1 + x))),
    "acos": (mp.acos, lambda x: -1 / mp.sqrt((1 - x) * (1 + x))),
    "atan": (mp.atan, lambda x: 1 / (1 + x * x)),
    "sigmoid": (lambda x: 1 / (1 + mp.exp(-x)), lambda x: mp.sech(x / 2) ** 2 / 4),
    "softplus": (lambda x: mp.log1p(mp.exp(x)), lambda x: 1 / (1 + mp.exp(-x))),
    "relu": (lambda x: max(x, mp.mpf(0)), lambda x: mp.mpf(x > 0)),
    "leaky_relu": (
        lambda x, y: x if x > 0 else y * x,
        lambda x, y: mp.mpf(1) if x > 0 else y,
        lambda x, y: mp.mpf(0) if x > 0 else x,
    ),
    "erf": (mp.erf, lambda x: 2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "erfc": (mp.erfc, lambda x: -2 / mp.sqrt(mp.pi) * mp.exp(-x * x)),
    "gelu": (_gelu, lambda x: mp.ncdf(x) + x * mp.npdf(x)),
}


# what formulas call, for complex numbers
COMPLEX = {
    **{name: getattr(mp, name) for name in ieee.FUNCTIONS if hasattr(mp, name)},
    "abs": lambda x: x if mp.re(x) >= 0 else -x,
    "div": operator.truediv,
    "pow": mp.power,
    "fsum": mp.fsum,
    "inner": lambda xs, ys, bias: mp.fdot(xs, ys) + bias,
    "logsumexp": lambda xs: mp.log(mp.fsum(mp.exp(x) for x in xs)),
    "_key": mp.re,
}


def torch_functions(torch: Any) -> dict[str, Callable[..., Any]]:
    """The twins of the rows in PyTorch."""
    twins = {name: getattr(torch, name) for name in EXACT if hasattr(torch, name)}
    nn = torch.nn.functional
    return twins | {
        "gelu": nn.gelu,
        "relu": torch.relu,
        "softplus": lambda x: torch.logaddexp(x, torch.zeros_like(x)),
        "leaky_relu": lambda x, y: torch.where(x > 0, x, y * x),
    }


def ulps(got: float, want: Any) -> float:
    """The distance in units of the last place of `want`; 0 where that is below normal floats."""
    nearest = float(want)
    if abs(nearest) < 2.3e-308:
        return 0.0 if abs(got) < 4.6e-308 else math.inf
    if math.isinf(nearest) or math.isinf(got):
        return 0.0 if got == nearest else math.inf
    return float(abs(mp.mpf(got) - want) / math.ulp(nearest))


def close(got: float, want: float, tolerance: float = 1e-12) -> bool:
    """Whether two floats agree, nan with nan and inf with inf of the same sign."""
    if got != got or want != want:
        return got != got and want != want
    return got == want or abs(got - want) <= tolerance * max(abs(got), abs(want)) < math.inf
