"""The calculus: every primitive operation in one row.

A row holds the text of the result `z` and of its partial derivatives with respect to the operands
`x` and `y`. All else is read off it: the methods of `Value`, the partials saved at the forward
pass, derivatives of derivatives, the symbol in a drawing, and the tests. The formulas are written
for accuracy, of their own derivatives too: `1 - z * z` for tanh would lose every digit where z is
near 1, and the slope of the other branch every digit where z is near 0.
"""

# ruff: noqa: E501 (the table is wider than the text)
from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from itertools import count, repeat
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from engine import formula as formulas
from engine import ieee

T = TypeVar("T")
P = ParamSpec("P")
Point = tuple[float, ...]

_versions: defaultdict[str, Iterator[int]] = defaultdict(count)  # of the rows of one name


@dataclass(frozen=True, eq=False)
class Op:
    """One primitive: the texts of z, dz/dx (and dz/dy), and points of its domain to test at.

    In a row of many operands (`many`) z is computed from whole lists, and the partials are those
    of one element of each.
    """

    name: str
    symbol: str
    formula: str
    partials: tuple[str, ...]
    at: tuple[Point, ...]
    many: bool = False
    callees: Mapping[str, Op] = field(default_factory=dict)  # the rows that its texts call
    key: str = field(init=False)  # a name that no other row has
    made: dict[Any, Any] = field(init=False, repr=False, default_factory=dict)  # from its texts

    def __post_init__(self) -> None:
        version = next(_versions[self.name])
        object.__setattr__(self, "key", f"_{version}_{self.name}" if version else self.name)

    @property
    def arity(self) -> int | None:
        """How many operands: 1, 2, or None for any number."""
        return None if self.many else len(self.partials)

    @property
    def variables(self) -> str:
        """What the formula calls its arguments."""
        if self.many:
            return "xs" if len(self.partials) == 1 else "xs, ys, bias"
        return ", ".join("xy"[: len(self.partials)])

    def arguments(self, operands: Sequence[Any]) -> tuple[Any, ...]:
        """Operands in a row as the formula takes them: (x, y), (xs,) or (xs, ys, bias)."""
        if not self.many:
            return tuple(operands)
        if len(self.partials) == 1:
            return (operands,)
        half = len(operands) // 2
        return operands[:half], operands[half:-1], operands[-1]

    def columns(self, operands: Sequence[T]) -> list[Sequence[T]]:
        """Operands in a row as x and y, or as xs, ys and the bias: those that share a partial."""
        if not self.many:
            return [[operand] for operand in operands]
        xs, *rest = self.arguments(operands)
        return [xs, rest[0], [rest[1]]] if rest else [xs]

    def edges(self, operands: Sequence[T]) -> Iterator[tuple[T, str, T, T]]:
        """Each operand, the text of its partial, and the x and y in that.

        >>> list(OPS["div"].edges(["a", "b"]))
        [('a', '1 / y', 'a', 'b'), ('b', '-z / y', 'a', 'b')]
        """
        if not self.many:
            for operand, partial in zip(operands, self.partials, strict=True):
                yield operand, partial, operands[0], operands[-1]
            return
        columns = self.columns(operands)
        xs, ys = columns[0], columns[min(1, len(columns) - 1)]
        for column, partial in zip(columns, self.partials, strict=True):
            yield from zip(column, repeat(partial), xs or column, ys or column)

    @cached_property
    def plain(self) -> Callable[..., tuple[Any, ...]]:
        """(x, y) -> (z, dz/dx, dz/dy) in floats; raises where Python's arithmetic does.

        In a row of many operands (xs, ys, bias) -> (z, the partials of all of them).
        """
        return self._compiled(formulas.plain, PLAIN)

    @cached_property
    def careful(self) -> Callable[..., tuple[Any, ...]]:
        """The same; inf and nan as in IEEE 754."""
        return self._compiled(formulas.careful, CAREFUL)

    def __call__(self, *operands: float) -> float:
        """The result for floats.

        >>> OPS["mul"](3.0, 4.0)
        12.0
        """
        return self.forward(self.arguments(operands))[0]  # type: ignore[no-any-return]

    def forward(self, arguments: Sequence[Any]) -> tuple[Any, ...]:
        """The result and the partials for floats; never raises."""
        try:
            return self.plain(*arguments)
        except (ArithmeticError, ValueError):
            return self.careful(*arguments)

    def __repr__(self) -> str:
        return f"Op({self.name!r})"

    def _compiled(
        self, rewrite: Callable[[str], str], functions: dict[str, Callable[..., Any]]
    ) -> Callable[..., tuple[Any, ...]]:
        partials = [rewrite(partial) for partial in self.partials]
        slopes = ", ".join(partials)
        if self.many:
            each = "for x in xs" if len(partials) == 1 else "for x, y in zip(xs, ys)"
            lists = [f"*[{partial} {each}]" for partial in partials[:2]]
            slopes = f"({', '.join([*lists, *partials[2:]])},)"  # those of the bias last
        text = f"lambda {self.variables}: ((z := {rewrite(self.formula)}), {slopes})"
        return eval(text, {**functions, **self.callees, **MANY, "__name__": __name__})  # type: ignore[no-any-return]


def kept_by_row(make: Callable[Concatenate[Op, P], T]) -> Callable[Concatenate[Op, P], T]:
    """Makes something of a row once; the row keeps it, so that it ends with the row."""

    @wraps(make)
    def made(op: Op, /, *rest: P.args, **none: P.kwargs) -> T:
        key = make, *rest
        if key not in op.made:
            op.made[key] = make(op, *rest, **none)
        return cast(T, op.made[key])

    return made


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


OPS: dict[str, Op] = {}
MANY: dict[str, Callable[..., float]] = {"fsum": fsum, "inner": inner, "logsumexp": logsumexp}
PLAIN: dict[str, Callable[..., float]] = {
    name: abs if name == "abs" else getattr(math, name) for name in (*ieee.FUNCTIONS, "pow")
}
CAREFUL: dict[str, Callable[..., float]] = {**ieee.FUNCTIONS, "div": ieee.div, "pow": ieee.pow}
BASICS = frozenset([*PLAIN, *CAREFUL])  # what a formula calls that is no row of its own


def define(
    name: str,
    symbol: str,
    formula: str,
    *partials: str,
    at: Sequence[Point],
    many: bool = False,
) -> Op:
    """Enters a row into the table; later rows may call it by name."""
    return enter(row(name, symbol, formula, *partials, at=at, many=many))


def row(
    name: str,
    symbol: str,
    formula: str,
    *partials: str,
    at: Sequence[Point],
    many: bool = False,
) -> Op:
    """A row that is not in the table; ValueError for a text that is no formula.

    The rows that its texts call are those of now: entering others of their names changes nothing.
    """
    callees: dict[str, Op] = {}
    if not many:
        variables = "xy"[: len(partials)]
        rows = {other: op for other, op in OPS.items() if not op.many and other not in BASICS}
        rows.pop(name, None)  # it cannot call itself
        arities = {basic: 2 if basic == "pow" else 1 for basic in PLAIN}
        arities |= {other: len(op.partials) for other, op in rows.items()}
        for k, text in enumerate((formula, *partials)):
            formulas.check(text, f"{variables}z" if k else variables, arities)
            callees |= {name: rows[name] for name in formulas.calls(text) & rows.keys()}
    return Op(name, symbol, formula, partials, tuple(at), many, callees)


def enter(op: Op) -> Op:
    """Enters a row into the table, in place of one of its name."""
    OPS[op.name] = op
    return op


# fmt: off
#      name          symbol   z                              dz/dx, dz/dy                       points of the domain, away from kinks
define("add",        "+",     "x + y",                       "1.0", "1.0",                      at=[(1.5, 2.0), (-3.0, 0.5)])
define("sub",        "-",     "x - y",                       "1.0", "-1.0",                     at=[(1.5, 2.0), (-3.0, 0.5)])
define("mul",        "*",     "x * y",                       "y", "x",                          at=[(1.5, 2.0), (-3.0, 0.5)])
define("div",        "/",     "x / y",                       "1 / y", "-z / y",                 at=[(1.5, 2.0), (-3.0, 0.5)])
define("neg",        "-",     "-x",                          "-1.0",                            at=[(1.5,), (-3.0,)])
define("abs",        "abs",   "abs(x)",                      "1.0 if x > 0 else -1.0 if x < 0 else 0.0 * x", at=[(1.5,), (-3.0,)])
define("max",        "max",   "x if x >= y or x != x else y",
       "1.0 if x >= y or x != x else 0.0", "0.0 if x >= y or x != x else 1.0",                  at=[(1.5, 2.0), (0.5, -3.0)])
define("min",        "min",   "x if x <= y or x != x else y",
       "1.0 if x <= y or x != x else 0.0", "0.0 if x <= y or x != x else 1.0",                  at=[(1.5, 2.0), (0.5, -3.0)])
define("exp",        "exp",   "exp(x)",                      "z",                               at=[(0.7,), (-2.0,)])
define("log",        "log",   "log(x)",                      "1 / x",                           at=[(0.3,), (5.0,)])
define("pow",        "**",    "x ** y",
       "0.0 if y == 0 else y * z / x if (y < 0.5 or y >= 9007199254740992) and 2.3e-308 < abs(z) < 1.7e308"
       " else -y * z if abs(y) >= 9007199254740992 and (x < 0 or 1 / x < 0) else y * x ** (y - 1)",
       "0.0 if x == 0 and y >= 0 else z * log(x)",                                              at=[(1.5, 2.0), (2.0, -0.5), (0.7, 3.1)])
define("expm1",      "expm1", "expm1(x)",                    "exp(x)",                          at=[(0.7,), (-2.0,)])
define("log1p",      "log1p", "log1p(x)",                    "1 / (1 + x)",                     at=[(0.3,), (-0.6,)])
define("sqrt",       "sqrt",  "sqrt(x)",                     "0.5 / z",                         at=[(0.3,), (5.0,)])
define("sin",        "sin",   "sin(x)",                      "cos(x)",                          at=[(0.7,), (-2.0,)])
define("cos",        "cos",   "cos(x)",                      "-sin(x)",                         at=[(0.7,), (-2.0,)])
define("tan",        "tan",   "tan(x)",                      "1 + z * z",                       at=[(0.7,), (-2.0,)])
define("sinh",       "sinh",  "sinh(x)",                     "cosh(x)",                         at=[(0.7,), (-2.0,)])
define("cosh",       "cosh",  "cosh(x)",                     "sinh(x)",                         at=[(0.7,), (-2.0,)])
define("tanh",       "tanh",  "tanh(x)",
       "1 - z * z if -0.5 < z < 0.5 else 4 * (e := exp(-2 * abs(x))) / ((1 + e) * (1 + e))",    at=[(0.3,), (-2.0,)])
define("asin",       "asin",  "asin(x)",
       "1 / sqrt((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",                        at=[(0.3,), (-0.6,)])
define("acos",       "acos",  "acos(x)",
       "-1 / sqrt((1 - x) * (1 + x) if 0.5 < abs(x) < 1 else 1 - x * x)",                       at=[(0.3,), (-0.6,)])
define("atan",       "atan",  "atan(x)",                     "1 / (1 + x * x)",                 at=[(0.3,), (-2.0,)])
define("sigmoid",    "sigmoid", "1 / (1 + exp(-x)) if x >= 0 else (e := exp(x)) / (1 + e)",
       "0.25 - 0.25 * (t := tanh(0.5 * x)) * t if -1 < x < 1 else (e := exp(-abs(x))) / ((1 + e) * (1 + e))",
                                                                                                at=[(0.3,), (-2.0,)])
define("softplus",   "softplus", "x + log1p(exp(-x)) if x > 0 else log1p(exp(x))", "sigmoid(x)", at=[(0.3,), (-2.0,)])
define("relu",       "relu",  "0.0 if x <= 0 else x",        "0.0 if x <= 0 else 1.0",          at=[(0.3,), (-2.0,)])
define("leaky_relu", "leaky_relu", "x if x > 0 else y * x",
       "1.0 if x > 0 else y", "0.0 if x > 0 else x",                                            at=[(0.3, 0.1), (-2.0, 0.1)])
define("erf",        "erf",   "erf(x)",                      "1.1283791670955126 * exp(-x * x)",  at=[(0.3,), (-1.2,)])
define("erfc",       "erfc",  "erfc(x)",                     "-1.1283791670955126 * exp(-x * x)", at=[(0.3,), (-1.2,)])
define("gelu",       "gelu",  "0.5 * x * erfc(-0.7071067811865476 * x)",
       "0.5 * erfc(-0.7071067811865476 * x) + 0.3989422804014327 * x * exp(-0.5 * x * x)",      at=[(0.3,), (-1.2,)])

#      many operands; the partials are those of one x, one y, the bias
define("sum",        "sum",   "fsum(xs)",                    "1.0",                             at=[(0.5, -1.25, 2.0)], many=True)
define("dot",        "dot",   "inner(xs, ys, bias)",         "y", "x", "1.0",                   at=[(0.5, -1.25, 2.0, 3.0, 0.1)], many=True)
define("logsumexp",  "logsumexp", "logsumexp(xs)",           "exp(x - z)",                      at=[(0.5, -1.25, 2.0)], many=True)
# fmt: on

# One of several rows that an integer names: to what looks at a graph it has one operand, the one
# that was taken; in a tape the integer comes first, and then all that could have been.
PICK = row("pick", "pick", "x", "1.0", at=[(1.5,), (-3.0,)])
