"""What the tests compare with: mpmath at 400 bits, PyTorch in float64, and numbers to try."""

import math
import operator
from collections.abc import Callable, Mapping
from typing import Any

import mpmath as mp

from engine import ieee
from engine.formula import generic
from engine.op import Op
from engine.ops import OPS

mp.mp.prec = 400

SPECIAL = (
    *(0.0, -0.0, 5e-324, -1e-310, 2.3e-308, 1e-300, -1e-17, 1e-8, 0.5, 1 - 2**-53, 1.0, 1 + 2**-52),
    *(-1.0, 2**-53 - 1, math.pi / 4, math.pi / 2, 2.0, -3.0, 20.0, -40.0, 710.0, -746.0, 1e16),
    *(-1e154, 1e200, 1e308, -1.7e308, math.inf, -math.inf, math.nan),
)


def _gelu(x: Any) -> Any:
    return x * mp.ncdf(x)


def _whole(x: Any) -> Any:
    """The nearest whole number, of two as near the even one."""
    return mp.nint(x)


def _trunc(x: Any) -> Any:
    return mp.floor(x) if x > 0 else mp.ceil(x)


def _exactly(f: Callable[..., Any]) -> Callable[..., Any]:
    """With bits enough for quotients of any two floats."""

    def exact(*operands: Any) -> Any:
        with mp.workprec(2500):
            return f(*operands)

    return exact


def _zero(*operands: Any) -> Any:
    return mp.mpf(0)


def _one(*operands: Any) -> Any:
    return mp.mpf(1)


def _sigmoid(x: Any) -> Any:
    return 1 / (1 + mp.exp(-x))


def _mish(x: Any) -> Any:
    return x * mp.tanh(mp.log1p(mp.exp(x)))


def _mish_slope(x: Any) -> Any:
    soft = mp.log1p(mp.exp(x))
    return mp.tanh(soft) + x * mp.sech(soft) ** 2 * _sigmoid(x)


def _sinc_slope(x: Any) -> Any:
    t = mp.pi * x
    return (mp.cos(t) - mp.sin(t) / t) / x if x else mp.mpf(0)


def _trigamma(x: Any) -> Any:
    return mp.psi(1, x) if x > 0 else mp.csc(mp.pi * x) ** 2 * mp.pi**2 - mp.psi(1, 1 - x)


def _tetragamma(x: Any) -> Any:
    if x > 0:
        return mp.psi(2, x)
    return mp.psi(2, 1 - x) - 2 * mp.pi**3 * mp.csc(mp.pi * x) ** 2 * mp.cot(mp.pi * x)


SELU, SELU_ALPHA = (
    mp.mpf("1.0507009873554804934193349852946"),
    mp.mpf("1.6732632423543772848170429916717"),
)

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
    "log2": (lambda x: mp.log(x, 2), lambda x: 1 / (x * mp.log(2))),
    "log10": (mp.log10, lambda x: 1 / (x * mp.log(10))),
    "exp2": (lambda x: mp.mpf(2) ** x, lambda x: mp.mpf(2) ** x * mp.log(2)),
    "cbrt": (
        lambda x: mp.sign(x) * mp.cbrt(abs(x)),
        lambda x: mp.cbrt(abs(x)) ** -2 / 3 if x else mp.inf,
    ),
    "square": (lambda x: x * x, lambda x: 2 * x),
    "reciprocal": (lambda x: 1 / x, lambda x: -1 / x**2),
    "hypot": (mp.hypot, lambda x, y: x / mp.hypot(x, y), lambda x, y: y / mp.hypot(x, y)),
    "atan2": (
        mp.atan2,
        lambda x, y: y / (x * x + y * y),
        lambda x, y: -x / (x * x + y * y),
    ),
    "asinh": (mp.asinh, lambda x: 1 / mp.sqrt(1 + x * x)),
    "acosh": (mp.acosh, lambda x: 1 / mp.sqrt((x - 1) * (x + 1))),
    "atanh": (mp.atanh, lambda x: 1 / ((1 - x) * (1 + x))),
    "sinc": (mp.sincpi, _exactly(_sinc_slope)),
    "radians": (mp.radians, lambda x: mp.pi / 180),
    "degrees": (mp.degrees, lambda x: 180 / mp.pi),
    "normal_cdf": (mp.ncdf, mp.npdf),
    "erfinv": (mp.erfinv, lambda x: mp.sqrt(mp.pi) / 2 * mp.exp(mp.erfinv(x) ** 2)),
    "logit": (lambda x: mp.log(x / (1 - x)), lambda x: 1 / (x * (1 - x))),
    "trigamma": (_trigamma, _tetragamma),
    "digamma": (lambda x: mp.psi(0, x), _trigamma),
    "lgamma": (lambda x: mp.re(mp.loggamma(x)), lambda x: mp.psi(0, x)),
    "silu": (
        lambda x: x * _sigmoid(x),
        lambda x: _sigmoid(x) * (1 + x * _sigmoid(-x)),
    ),
    "mish": (_mish, _mish_slope),
    "elu": (
        lambda x, y: x if x > 0 else y * mp.expm1(x),
        lambda x, y: mp.mpf(1) if x > 0 else y * mp.exp(x),
        lambda x, y: mp.mpf(0) if x > 0 else mp.expm1(x),
    ),
    "selu": (
        lambda x: SELU * (x if x > 0 else SELU_ALPHA * mp.expm1(x)),
        lambda x: SELU * (1 if x > 0 else SELU_ALPHA * mp.exp(x)),
    ),
    "log_sigmoid": (lambda x: -mp.log1p(mp.exp(-x)), lambda x: _sigmoid(-x)),
    "hard_tanh": (lambda x: max(min(x, mp.mpf(1)), mp.mpf(-1)), lambda x: mp.mpf(abs(x) < 1)),
    "logaddexp": (
        lambda x, y: max(x, y) + mp.log1p(mp.exp(-abs(x - y))),
        lambda x, y: _sigmoid(x - y),
        lambda x, y: _sigmoid(y - x),
    ),
    "xlogy": (lambda x, y: x * mp.log(y), lambda x, y: mp.log(y), lambda x, y: x / y),
    "round": (_whole, _zero),
    "floor": (mp.floor, _zero),
    "ceil": (mp.ceil, _zero),
    "trunc": (_trunc, _zero),
    "sign": (mp.sign, _zero),
    "step": (lambda x: mp.mpf(x > 0), _zero),
    "truth": (lambda x: mp.mpf(x != 0), _zero),
    "copysign": (
        lambda x, y: abs(x) if y >= 0 else -abs(x),  # of 0 with a plus
        lambda x, y: mp.sign(x) * (1 if y >= 0 else -1),
        _zero,
    ),
    "fmod": (
        _exactly(lambda x, y: x - y * _trunc(x / y)),
        _one,
        _exactly(lambda x, y: -_trunc(x / y)),
    ),
    "floor_divide": (_exactly(lambda x, y: mp.floor(x / y)), _zero, _zero),
    "mod": (
        _exactly(lambda x, y: x - y * mp.floor(x / y)),
        _one,
        _exactly(lambda x, y: -mp.floor(x / y)),
    ),
}


# what formulas call, for complex numbers
COMPLEX = {
    **{name: getattr(mp, name) for name in ieee.FUNCTIONS if hasattr(mp, name)},
    "abs": lambda x: x if mp.re(x) >= 0 else -x,
    "atan2": lambda x, y: mp.atan(x / y) + (0 if mp.re(y) > 0 else mp.pi * mp.sign(mp.re(x))),
    "cbrt": lambda x: mp.cbrt(x) if mp.re(x) > 0 else -mp.cbrt(-x),
    "fmod": lambda x, y: x - y * _trunc(mp.re(x) / mp.re(y)),
    "hypot": lambda x, y: mp.sqrt(x * x + y * y),
    "lgamma": lambda x: mp.log(mp.gamma(x) ** 2) / 2,
    "log2": lambda x: mp.log(x) / mp.log(2),
    "round": lambda x: _whole(mp.re(x)),
    "div": operator.truediv,
    "pow": mp.power,
    "fsum": mp.fsum,
    "inner": lambda xs, ys, bias: mp.fdot(xs, ys) + bias,
    "logsumexp": lambda xs: mp.log(mp.fsum(mp.exp(x) for x in xs)),
    "_key": mp.re,
}


def on_complex(text: str, callees: Mapping[str, Op], variables: str = "x, y=None, z=None") -> Any:
    """A formula for mpmath's complex numbers; rows that it names are formulas too."""
    rows = {name: on_complex(op.formula, op.callees) for name, op in callees.items()}
    return eval(f"lambda {variables}: {generic(text)}", {**COMPLEX, **rows})


def _twin(op: Op) -> tuple[Callable[..., Any], ...]:
    """The formula of a row at 400 bits, and its slopes by small steps."""
    f = on_complex(op.formula, op.callees)
    orders = [tuple(int(i == k) for i in range(len(op.partials))) for k in range(len(op.partials))]
    slopes = (
        [lambda *at, n=n: mp.diff(f, at, n) for n in orders]
        if op.arity == 2
        else [lambda x: mp.diff(f, x)]
    )
    return (f, *slopes)


# a row that nobody wrote a twin for
EXACT |= {op.name: _twin(op) for op in OPS.values() if op.arity and op.name not in EXACT}


def torch_functions(torch: Any) -> dict[str, Callable[..., Any]]:
    """The twins of the rows in PyTorch, of those that have one."""
    twins = {name: getattr(torch, name) for name in EXACT if hasattr(torch, name)}
    nn = torch.nn.functional
    return twins | {
        "gelu": nn.gelu,
        "radians": torch.deg2rad,
        "degrees": torch.rad2deg,
        "normal_cdf": torch.special.ndtr,
        "trigamma": lambda x: torch.polygamma(1, x),
        "silu": nn.silu,
        "mish": nn.mish,
        "selu": nn.selu,
        "elu": lambda x, y: torch.where(x > 0, x, y * torch.expm1(torch.where(x > 0, 0.0, x))),
        "log_sigmoid": nn.logsigmoid,
        "hard_tanh": nn.hardtanh,
        "mod": torch.remainder,
        "floor_divide": lambda x, y: torch.div(x, y, rounding_mode="floor"),
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
