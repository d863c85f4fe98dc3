"""`Op`, a row of the calculus: the texts of an operation, what is made of them, and the table.

All that an operation can do is read off the texts of its row.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, wraps
from itertools import count, repeat
from typing import Any, Concatenate, ParamSpec, TypeVar, cast

from engine import formula as formulas
from engine import ieee
from engine.ieee import fsum, inner, logsumexp

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
    textbook: tuple[str, ...] = ()  # the partials as people know them, where those differ
    parameter: tuple[str, float] | None = None  # what its function calls y, and the default
    domain: tuple[float, float] = (-math.inf, math.inf)  # x is between these, for tests
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
    def takes_one(self) -> bool:
        """Whether it has one operand; a parameter with a default does not count."""
        return self.arity == 1 or self.parameter is not None

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


OPS: dict[str, Op] = {}
MANY: dict[str, Callable[..., float]] = {f.__name__: f for f in (fsum, inner, logsumexp)}
PLAIN: dict[str, Callable[..., float]] = {
    **{name: getattr(math, name, f) for name, f in (ieee.FUNCTIONS | ieee.OF_TWO).items()}
}
CAREFUL: dict[str, Callable[..., float]] = {**ieee.FUNCTIONS, **ieee.OF_TWO, "div": ieee.div}
BASICS = frozenset([*PLAIN, *CAREFUL])  # what a formula calls that is no row of its own


def define(*texts: str, **columns: Any) -> Op:
    """Enters a `row` into the table; later rows may call it by name."""
    return enter(row(*texts, **columns))


def row(
    name: str,
    symbol: str,
    formula: str,
    *partials: str,
    at: Sequence[Point],
    many: bool = False,
    **columns: Any,
) -> Op:
    """A row that is not in the table; ValueError for a text that is no formula.

    The rows that its texts call are those of now: entering others of their names changes nothing.
    """
    callees: dict[str, Op] = {}
    if not many:
        variables = "xy"[: len(partials)]
        rows = {other: op for other, op in OPS.items() if not op.many and other not in BASICS}
        rows.pop(name, None)  # it cannot call itself
        arities = {basic: 2 if basic in ieee.OF_TWO else 1 for basic in PLAIN}
        arities |= {other: len(op.partials) for other, op in rows.items()}
        for k, text in enumerate((formula, *partials)):
            formulas.check(text, f"{variables}z" if k else variables, arities)
            callees |= {name: rows[name] for name in formulas.calls(text) & rows.keys()}
    return Op(name, symbol, formula, partials, tuple(at), many, callees, **columns)


def enter(op: Op) -> Op:
    """Enters a row into the table, in place of one of its name."""
    OPS[op.name] = op
    return op
