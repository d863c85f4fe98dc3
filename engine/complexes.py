"""The complex step: a graph evaluated again with complex numbers, whose tiny parts are slopes."""

import cmath
import math
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

from engine import formula as formulas
from engine import ieee
from engine.differences import at, scales_of, steps_of
from engine.graph import toposort
from engine.op import Op, kept_by_row
from engine.points import Outputs
from engine.value import Operand, Value

IMAGINARY = 1e-20  # a part so small that its square vanishes
HIDDEN = 1e-60  # the same beside gradients that are far below the numbers on the way


def graphs_around(outputs: Outputs, x: Value) -> list[list[Value]]:
    """The outputs where `x` is, and a small step to both sides."""
    step = steps_of(outputs, x, scales_of(x)[0])[-1]
    made = [outputs()]
    for data in (x.data - step, x.data + step):
        with at(x, data):
            made.append(outputs())
    return made


def slope_of_graphs(graphs: Sequence[Value], x: Value) -> float | None:
    """The derivative of an output by `x`; None where its graph does not tell it.

    It does not where a constant or a leaf of it is another one when `x` moves: a number that left
    the graph, as by `detach()`.
    """
    home, *sides = (_constants(y, x) for y in graphs)
    if any(side != home for side in sides):
        return None
    try:
        slope = slope_by(toposort(graphs[0]), x, HIDDEN, with_rules=True)
    except (ArithmeticError, ValueError):  # cmath has no inf where a number is too large
        return None
    return slope if math.isfinite(slope) else None


def _constants(y: Value, x: Value) -> list[object]:
    """The operations below `y` with their constants, and the leaves but `x`."""
    return [
        (v.op, [p for p in v.parents if type(p) is float]) if v.op else v.data
        for v in toposort(y)
        if v is not x
    ]


def slope_by(order: Iterable[Value], x: Value, step: float, with_rules: bool = False) -> float:
    """The derivative of the last value of a sorted graph by `x`."""
    step *= min(1.0, abs(x.data) or 1.0)
    numbers: dict[Operand, complex] = {}
    for v in order:
        if v.op is None:
            numbers[v] = complex(v.data, step if v is x else 0.0)
        elif math.isnan(v.data):  # cmath goes on where real functions end
            numbers[v] = complex(v.data, v.data)
        else:
            operands = [numbers[p] if isinstance(p, Value) else complex(p) for p in v.parents]
            numbers[v] = _row(v.op, with_rules, *v.op.arguments(operands))
    return numbers[v].imag / step


def _row(op: Op, with_rules: bool, *arguments: Any) -> complex:
    return _compiled(op, with_rules)(*arguments)


@kept_by_row
def _compiled(op: Op, with_rules: bool) -> Callable[..., complex]:
    """A row's formula as a function of complex numbers."""
    rows = {name: partial(_row, row, with_rules) for name, row in op.callees.items()}
    text = f"lambda {op.variables}: {formulas.generic(op.formula)}"
    names = {**rows, **COMPLEX, **(RULES if with_rules else {})}
    return eval(text, names)  # type: ignore[no-any-return]


def _abs(x: complex) -> complex:
    return -x if x.real < 0 else x


def _expm1(x: complex) -> complex:
    return complex(math.expm1(x.real), math.exp(x.real) * x.imag)


def _log1p(x: complex) -> complex:
    return complex(math.log1p(x.real), x.imag / (1 + x.real))


def _pow(x: complex, y: complex) -> complex:
    if x.real < 0 and y.imag == 0 and y.real == round(y.real):  # a power without a logarithm
        return _pow(-x, y) * (1 - 2 * math.fmod(abs(y.real), 2))
    return x**y


def _cbrt(x: complex) -> complex:
    return -_cbrt(-x) if x.real < 0 else x ** (1 / 3)


def _hypot(x: complex, y: complex) -> complex:
    size = max(abs(x.real), abs(y.real)) or 1.0
    return size * cmath.sqrt((x / size) ** 2 + (y / size) ** 2)


def _atan2(x: complex, y: complex) -> complex:
    """The angle, from the side where the quotient is small; quarters of a turn have no slope."""
    near = cmath.atan(x / y) if abs(x.real) <= abs(y.real) else -cmath.atan(y / x)
    quarters = round((math.atan2(x.real, y.real) - near.real) / (math.pi / 2))
    return near + quarters * (math.pi / 2)


def _fmod(x: complex, y: complex) -> complex:
    return x - round((x.real - math.fmod(x.real, y.real)) / y.real) * y


def _fsum(xs: Sequence[complex]) -> complex:
    return complex(ieee.fsum([x.real for x in xs]), ieee.fsum([x.imag for x in xs]))


def _logsumexp(xs: Sequence[complex]) -> complex:
    top = max(xs, key=lambda x: x.real)
    return top + cmath.log(_fsum([cmath.exp(x - top) for x in xs]))


def _no_complex_form(x: complex) -> complex:
    raise NotImplementedError(
        "complex_step has no complex erf, erfc and lgamma, which gelu and others call: use "
        "finite_difference"
    )


def _by_rule(
    f: Callable[[float], float], slope: Callable[[float], float]
) -> Callable[[complex], complex]:
    return lambda x: complex(f(x.real), slope(x.real) * x.imag)


def _bell(x: float) -> float:
    """The slope of erf."""
    return 2 / math.sqrt(math.pi) * math.exp(-x * x)


def _digamma(x: float) -> float:
    """The slope of lgamma: lifted to 10 and more, from there by Stirling's series."""
    if x <= 0:
        return _digamma(1 - x) - math.pi / math.tan(math.pi * x)
    lifted = 0.0
    while x < 10:
        lifted += 1 / x
        x += 1
    v = 1 / (x * x)
    series = v * (1 / 12 - v * (1 / 120 - v * (1 / 252 - v * (1 / 240 - v / 132))))
    return math.log(x) - 0.5 / x - series - lifted


# For numbers with a tiny imaginary part alone, and with a slope that is known: no part of what
# `complex_step` promises, but another text than that of the row.
RULES = {
    "erf": _by_rule(math.erf, _bell),
    "erfc": _by_rule(math.erfc, lambda x: -_bell(x)),
    "lgamma": _by_rule(math.lgamma, _digamma),
}
COMPLEX: dict[str, Callable[..., Any]] = {
    **{name: getattr(cmath, name) for name in ieee.FUNCTIONS if hasattr(cmath, name)},
    "abs": _abs,
    "atan2": _atan2,
    "cbrt": _cbrt,
    "div": lambda x, y: x / y,
    "erf": _no_complex_form,
    "erfc": _no_complex_form,
    "expm1": _expm1,
    "fmod": _fmod,
    "fsum": _fsum,
    "hypot": _hypot,
    "inner": ieee.inner,
    "lgamma": _no_complex_form,
    "log1p": _log1p,
    "log2": lambda x: cmath.log(x) / math.log(2),
    "logsumexp": _logsumexp,
    "pow": _pow,
    "round": lambda x: complex(round(x.real)),
    "_key": lambda x: x.real,
}
