"""Loops as C functions.

A function takes pointers to where the loop begins to read and to write. Heavy sums of products
are contractions that work in registers; the others are written as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from engine.replay.backends.ccontraction import at, contraction, indented, loops, place
from engine.replay.backends.cformula import FAR, Formulas
from engine.replay.backends.contraction import Machine, exponent, factors
from engine.replay.loops import Loop
from engine.replay.views import View, laid, packed

SMALL = 256  # points of a sum; below, a plain loop is as good as registers
SHORT = 2048  # the same where functions are to be few
_NOTE = f"&{FAR}"  # where sin, cos and tan note numbers too far from 0 for them


def views(loop: Loop) -> dict[str, View]:
    """Where a loop reads and writes, by the names of the pointers."""
    pick = {"pick": loop.pick} if loop.pick else {}
    return {**loop.reads, **pick, "to": loop.target}


class Function:
    """A loop as a function of C: what a call passes, and how much working memory it needs.

    If `general`, a short one takes its lengths and steps as arguments.
    """

    head: str  # the parameters
    memories: tuple[str, ...]  # pointers into "v", "a", "s", "w" or "t"; "" for a number
    numbers: tuple[int, ...]  # the last parameters

    def __init__(self, loop: Loop, machine: Machine, formulas: Formulas, general: bool) -> None:
        self.loop, self.machine, self.formulas = loop, machine, formulas
        self.views = views(loop)
        arrays = [View(name, 0, view.shape, view.strides) for name, view in self.views.items()]
        arrays = arrays if loop.pick else laid(arrays)
        self.arrays = {array.memory: array for array in arrays}
        to = self.arrays["to"]
        self.lengths, self.axes, self.outer = to.shape, range(len(to.shape)), to.own
        self.summed = [k for k in self.axes if k not in to.own]
        self.is_general = general and prod(self.lengths) <= SHORT
        tables = any(view.table is not None for view in self.views.values())
        self.is_plain = tables or prod(self.lengths) <= (SHORT if general else SMALL)
        self.named: dict[str, int] = {}  # the numbers
        self.work = 0
        self.lines = self._lines()
        self._declare()

    def _declare(self) -> None:
        """Notes the memory and the numbers that the lines use."""
        parameters = []
        for name, view in self.views.items():
            const = "const " if name != "to" else ""
            parameters.append((f"{const}double *restrict {name}", view.memory))
            if view.table is not None:
                parameters.append((f"const int *restrict {name}_at", "t"))
        if self.work:
            parameters.append(("double *restrict w", "w"))
        parameters += [(f"int {name}", "") for name in self.named]
        self.head = ", ".join(declaration for declaration, _ in parameters)
        self.memories = tuple(memory for _, memory in parameters)
        self.numbers = tuple(self.named.values())

    def _lines(self) -> list[str]:
        loop = self.loop
        if loop.pick:
            return self._pick()
        if loop.fold == "logsumexp":
            return self._short_logsumexp() if self.is_plain else self._logsumexp()
        if loop.fold == "exact":
            return self._exact()
        is_sum = self.summed or loop.starts
        if self.is_plain and is_sum:
            return self._sum()
        multiplies = bool(factors(loop) or exponent(loop))
        if is_sum or (not self.is_plain and len(self.axes) > 1 and multiplies):
            return self._contraction()
        return self._each(self._at("to"), loop.sign, loop.expression)

    # --- text ---

    def _number(self, name: str, n: int) -> str:
        """A length or a step: as it is, or as a parameter."""
        if not self.is_general:
            return str(n)
        self.named[name] = n
        return name

    def _at(self, name: str) -> str:
        """What a pointer shows at the point of the loop variables."""
        array, where = self.arrays[name], place(self.arrays[name], self.axes)
        if self.is_general:
            steps = [f"i{k} * {self._number(f'{name}_{k}', array.strides[k])}" for k in array.own]
            where = " + ".join(steps) or "0"
        return f"{name}[{where if self.views[name].table is None else f'{name}_at[{where}]'}]"

    def _over(self, axes: Sequence[int], *body: str) -> list[str]:
        """The body inside loops over these axes."""
        lengths = {k: self._number(f"n{k}", self.lengths[k]) for k in reversed(axes)}
        return loops(lengths, axes, body)

    def _value(self, expression: str, note: str = "NULL") -> tuple[list[str], str]:
        """An expression at a point: the lines of what comes first, and its value.

        A number that a condition may leave out is loaded before: vector registers load them all.
        """
        names = {name: self._at(name) for name in self.loop.reads}
        loads = []
        if " if " in expression:
            loads = [f"const double {name}_i = {at};" for name, at in names.items()]
            names = {name: f"{name}_i" for name in names}
        parts, value = self.formulas.printed(expression, self.loop.op, {**names, FAR: note})
        return [*loads, *parts], value

    # --- kinds of loops ---

    def _each(self, to: str, sign: str, expression: str) -> list[str]:
        """The expression set or added at each point.

        Where it notes numbers that are far from 0, there are three: a look at all of them, and for
        what was seen one that asks the library of C and one that the vector registers run.
        """
        parts, value = self._value(expression, _NOTE)
        store = f"{to} {sign} {value};"
        lines = self._over(self.axes, *parts, store)
        if _NOTE not in "".join([*parts, value]):
            return lines
        exact = [line.replace(_NOTE, "NULL") for line in lines]
        look = self._over(self.axes, *parts, f"{value};")
        first = [f"double {FAR} = 0.0;", *look, f"if ({FAR}) {{", *indented(exact)]
        return [*first, "} else {", *indented(lines), "}"]

    def _pick(self) -> list[str]:
        """An indexed load or store: the last axis stands at one row."""
        *rows, axis = self.axes
        count = self._number(f"n{axis}", self.lengths[axis])
        row = f"const int i{axis} = row_of({self._at('pick')}, {count});"
        parts, value = self._value(self.loop.expression)
        store = f"{self._at('to')} {self.loop.sign} {value};"
        return self._over(rows, row, *parts, store)

    def _sum(self) -> list[str]:
        """A sum as it stands: in a register, but for the last axes along which the target moves."""
        loop, to = self.loop, self._at("to")
        parts, value = self._value(loop.expression)
        last = max(self.outer, default=-1)
        before, inner = self.axes[: last + 1], self.axes[last + 1 :]
        is_mixed = len(before) > len(self.outer)
        clear = self._over(self.outer, f"{to} = 0.0;") if is_mixed and loop.sign == "=" else []
        sign = "+=" if is_mixed else loop.sign
        if is_mixed and not inner:
            return [*clear, *self._over(before, *parts, f"{to} += {value};")]
        first = " + ".join(self._at(name) for name in loop.starts) or "0.0"
        terms = self._over(inner, *parts, f"s += {value};")
        return [*clear, *self._over(before, f"double s = {first};", *terms, f"{to} {sign} s;")]

    def _exact(self) -> list[str]:
        """What rounding loses is added at the end (Neumaier)."""
        _, value = self._value(self.loop.expression)
        terms = self._over(
            self.summed,
            f"const double term = {value}, t = s + term, u = t - s;",
            "lost += (s - (t - u)) + (term - u);",
            "s = t;",
        )
        total = f"{self._at('to')} = isfinite(lost) ? s + lost : s;"
        return self._over(self.outer, "double s = 0.0, lost = 0.0;", *terms, total)

    def _short_logsumexp(self) -> list[str]:
        _, x = self._value(self.loop.expression)
        largest = self._over(
            self.summed,
            f"const double term = {x};",
            "if (term > top || term != term) { top = term; best = k; }",
            "k++;",
        )
        return self._over(
            self.outer,
            "double top = -INFINITY, s = 0.0;",
            *("int k = 0, best = -1;", *largest, "k = 0;"),
            *self._over(self.summed, f"if (k++ != best) s += v_exp({x} - top);"),
            f"{self._at('to')} = isfinite(top) ? top + v_log1p(s) : top;",
        )

    def _logsumexp(self) -> list[str]:
        """The largest of each row; then the exps of all rows in one stretch; then their sums."""
        gap = self._room("w")
        self.work = prod(self.lengths)
        cell, (_, x) = place(gap, self.axes), self._value(self.loop.expression)
        here, to = at(gap, self.axes), self._at("to")
        find = [
            f"const double term = {x};",
            f"best = term > top || term != term ? {cell} : best;",
            "top = term > top || term != term ? term : top;",
        ]
        largest = self._over(
            self.outer,
            "double top = -INFINITY;",
            f"int best = {place(gap, self.outer)};",
            *self._over(self.summed, *find),
            *self._over(self.summed, f"{here} = {x} - top;"),
            "w[best] = -INFINITY; /* log1p counts it as 1 */",
            f"{to} = top;",
        )
        total = self._over(
            self.outer,
            *(f"const double top = {to};", "double s = 0.0;"),
            *self._over(self.summed, f"s += {here};"),
            f"{to} = isfinite(top) ? top + v_log1p(s) : top;",
        )
        return [*largest, self._exps("w"), *total]

    def _contraction(self) -> list[str]:
        """A sum in registers; of other than products it adds up numbers that were computed before.

        Of a softmax all exps are computed in one stretch.
        """
        names, power = factors(self.loop), exponent(self.loop)
        if names:
            return self._contracted([self.arrays[name] for name in names])
        each = self._room("each")
        sums = self._contracted([self.arrays["g"], each] if power else [each])
        start = f"double *restrict each = w + {self.work};"
        self.work += prod(self.lengths)
        to = at(each, self.axes)
        if power:
            return [start, *self._each(to, "=", power), self._exps("each"), *sums]
        return [start, *self._each(to, "=", self.loop.expression), *sums]

    def _contracted(self, factors: Sequence[View]) -> list[str]:
        starts = [self.arrays[name] for name in self.loop.starts]
        lines, self.work = contraction(
            self.machine, self.arrays["to"], factors, starts, self.loop.sign
        )
        return lines

    def _room(self, name: str) -> View:
        """A number for each point."""
        return View(name, 0, self.lengths, packed(self.lengths))

    def _exps(self, name: str) -> str:
        size = prod(self.lengths)
        return f"for (int i = 0; i < {size}; i++) {name}[i] = v_exp({name}[i]);"
