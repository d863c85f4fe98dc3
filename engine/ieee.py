"""Arithmetic that never raises: what IEEE 754 says where Python's floats and `math` stop.

`math.exp(1000)` is an OverflowError in Python; in IEEE 754 it is inf. The functions here have the
names of their twins in `math` and give inf or nan instead. They are slower, so they are called
only after the plain ones have raised.
"""

import builtins
import math
from collections.abc import Callable, Iterable, Sequence
from math import copysign, inf, nan

Function = Callable[[float], float]


def _total(
    f: Function, overflow: Function = lambda x: inf, domain: Function = lambda x: nan
) -> Function:
    """`f` with an answer of its own where `math` raises: too large, or outside the domain."""

    def total(x: float) -> float:
        try:
            return f(x)
        except OverflowError:
            return overflow(x)
        except ValueError:
            return domain(x)

    total.__name__ = f.__name__
    return total


def _signed_inf(x: float) -> float:
    return copysign(inf, x)


def _log_domain(edge: float) -> Function:
    return lambda x: -inf if x == edge else nan


def div(x: float, y: float) -> float:
    """The quotient x / y; a zero `y` gives inf, or nan for 0 / 0."""
    if y != 0:
        return x / y
    return nan if x == 0 or x != x else copysign(inf, x) * copysign(1.0, y)


def pow(x: float, y: float) -> float:
    """x to the power of y; never complex."""
    try:
        return math.pow(x, y)
    except OverflowError:
        negative = x < 0 and math.fmod(y, 2) != 0
    except ValueError:
        if x != 0:  # a root of a negative number
            return nan
        negative = copysign(1.0, x) < 0 and math.fmod(y, 2) in (1, -1)
    return -inf if negative else inf


def fmod(x: float, y: float) -> float:
    """What a whole number of y leaves of x, with the sign of x; nan where x is inf or y is 0."""
    try:
        return math.fmod(x, y)
    except ValueError:
        return nan


def round(x: float) -> float:
    """The nearest whole number, of two as near the even one; a zero keeps the sign of x.

    >>> round(2.5), round(-0.4)
    (2.0, -0.0)
    """
    return copysign(float(builtins.round(x)), x) if abs(x) < 2**52 else x


def fsum(xs: Sequence[float]) -> float:
    """The correctly rounded sum; where it overflows halfway, the plain one.

    >>> fsum([1e16, 100.0, -1e16])
    100.0
    """
    try:
        return math.fsum(xs)
    except (OverflowError, ValueError):
        total = 0.0
        for x in xs:
            total += x
        return total


def inner(xs: Iterable[float], ys: Iterable[float], bias: float) -> float:
    """bias + x1 * y1 + x2 * y2 + ..., from left to right."""
    for x, y in zip(xs, ys, strict=True):
        bias += x * y
    return bias


def logsumexp(xs: Sequence[float]) -> float:
    """log(exp(x1) + exp(x2) + ...) without overflow.

    >>> logsumexp([1000.0, 0.0])
    1000.0
    """
    top = max(range(len(xs)), key=lambda i: (xs[i] != xs[i], xs[i]))
    if not math.isfinite(xs[top]):
        return xs[top]
    rest = [math.exp(x - xs[top]) for i, x in enumerate(xs) if i != top]
    return xs[top] + math.log1p(math.fsum(rest))


def row_of(index: float, rows: int) -> int:
    """The row that an index names, negative ones from the end; row 0 where it names none.

    >>> row_of(-1.0, 3), row_of(2.5, 3), row_of(7.0, 3), row_of(math.nan, 3)
    (2, 0, 0, 0)
    """
    place = index + rows if index < 0 else index
    return int(place) if 0 <= place < rows and place == int(place) else 0


FUNCTIONS: dict[str, Function] = {
    "abs": abs,
    "acos": _total(math.acos),
    "acosh": _total(math.acosh),
    "asin": _total(math.asin),
    "asinh": math.asinh,
    "atan": math.atan,
    "atanh": _total(math.atanh, domain=lambda x: copysign(inf, x) if abs(x) == 1 else nan),
    "cbrt": math.cbrt,
    "cos": _total(math.cos),
    "cosh": _total(math.cosh),
    "erf": math.erf,
    "erfc": math.erfc,
    "exp": _total(math.exp),
    "expm1": _total(math.expm1),
    "lgamma": _total(math.lgamma, domain=lambda x: inf),
    "log": _total(math.log, domain=_log_domain(0)),
    "log10": _total(math.log10, domain=_log_domain(0)),
    "log1p": _total(math.log1p, domain=_log_domain(-1)),
    "log2": _total(math.log2, domain=_log_domain(0)),
    "round": round,
    "sin": _total(math.sin),
    "sinh": _total(math.sinh, overflow=_signed_inf),
    "sqrt": _total(math.sqrt),
    "tan": _total(math.tan),
    "tanh": math.tanh,
}
OF_TWO: dict[str, Callable[[float, float], float]] = {
    "atan2": math.atan2,
    "fmod": fmod,
    "hypot": math.hypot,
    "pow": pow,
}
