"""Loops as C functions: one for the results, and one or more for the adjoints of the operands.

A function takes pointers to where the loop begins to read and write. Heavy loops are contractions
that work in registers; the others are written as they stand.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import prod

from engine.backends.cformula import FAR, Formulas
from engine.backends.contraction import Machine, Part, contraction, indented, loops, merged, place
from engine.ops import OPS, PICK
from engine.roll import Access, Loop

DOT, SUM, LOGSUMEXP = OPS["dot"], OPS["sum"], OPS["logsumexp"]
SMALL = 256  # products; below, a plain loop is as good as registers
SHORT = 2048  # the same where functions are to be few
_NOTE = f"&{FAR}"  # where sin, cos and tan note numbers too far from 0 for them


@dataclass(frozen=True)
class Parameter:
    """A parameter of a function: what it is called, and what a call passes."""

    declaration: str
    memory: str  # "v", "a", "w" or "t": a pointer into that array; "" for a number
    offset: int


@dataclass(frozen=True)
class Function:
    """A function of C, and how many numbers of working memory it needs."""

    name: str
    parameters: tuple[Parameter, ...]
    lines: tuple[str, ...]
    work: int = 0


@dataclass(frozen=True)
class Writer:
    """Writes loops for a machine; if `general`, short ones take lengths and steps as arguments."""

    machine: Machine
    formulas: Formulas
    general: bool

    def may_set(self, loop: Loop, access: Access) -> bool:
        """Whether the adjoints of an operand come in one go, so that they need not be added."""
        if loop.op is PICK:
            return False
        if loop.vectors:
            return not self._is_plain(loop)
        return not (_is_shared(loop, access) and self._is_general(loop))

    def forward(self, loop: Loop) -> list[Function]:
        """The function that computes the results."""
        if not loop.vectors:
            return [self._row(loop)]
        if loop.op is PICK:
            return [self._pick(loop)]
        if loop.op is SUM or self._is_plain(loop):
            return [self._many(loop)]
        if loop.op is LOGSUMEXP:
            return [self._logsumexp(loop)]
        operands = _operands(loop)
        starts, factors = operands[: len(loop.scalars)], operands[len(loop.scalars) :]
        return [self._contraction(loop.op.name, loop, _result(loop), factors, starts, "=")]

    def backward(self, loop: Loop, assigns: Sequence[str]) -> list[Function]:
        """The functions for the adjoints of the operands.

        `assigns` has "=" or "+=" for each of them, and "" for those that are not wanted.
        """
        if not loop.vectors:
            return [
                self._row_adjoint(loop, k, assign) for k, assign in enumerate(assigns) if assign
            ]
        if loop.op is PICK:
            return [self._pick(loop, is_adjoint=True)]
        if self._is_plain(loop):
            return [self._many_adjoint(loop, assigns)]
        if loop.op is LOGSUMEXP:
            return [self._logsumexp_adjoint(loop, *assigns)]
        operands = _operands(loop)
        cut = len(loop.scalars)
        others = [None] * cut + (operands[cut:][::-1] if loop.op is DOT else [None])
        return [
            self._contraction(
                f"{loop.op.name}_d{operand.part.name}",
                loop,
                operand.adjoint(),
                [_adjoint(loop), *([other] if other else [])],
                [],
                assign,
            )
            for operand, other, assign in zip(operands, others, assigns, strict=True)
            if assign
        ]

    def _is_plain(self, loop: Loop) -> bool:
        """Whether a loop with vectors is written as it stands."""
        tables = any(access.table is not None for access in (*loop.scalars, *loop.vectors))
        return tables or loop.rows * prod(loop.terms) <= (SHORT if self.general else SMALL)

    def _is_general(self, loop: Loop) -> bool:
        return self.general and loop.rows * prod(loop.terms) <= SHORT

    def _contraction(
        self,
        name: str,
        loop: Loop,
        result: _Operand,
        factors: Sequence[_Operand],
        starts: Sequence[_Operand],
        assign: str,
    ) -> Function:
        lengths = (*loop.shape, *loop.terms)[: max(len(o.part.steps) for o in (result, *factors))]
        target, *parts = [_over(o.part, len(lengths)) for o in (result, *factors, *starts)]
        cut = len(factors)
        lines, work = contraction(self.machine, lengths, target, parts[:cut], parts[cut:], assign)
        memory = [_WORK] if work else []
        return _function(name, [*factors, *starts, result, *memory], lines, work)

    def _row(self, loop: Loop) -> Function:
        """One operation for each row."""
        numbers = _Numbers(self._is_general(loop))
        lengths, (result, *reads) = _merged(loop.shape, [_result(loop), *_operands(loop)])
        live = range(len(lengths))
        arguments = {read.part.name: read.at(live, numbers) for read in reads}
        value = self.formulas.call(loop.op, "z", {**arguments, FAR: _NOTE})
        lines = numbers.each(lengths, live, f"{result.at(live, numbers)} =", value)
        return _function(loop.op.name, [*reads, result], lines, numbers=numbers)

    def _row_adjoint(self, loop: Loop, k: int, assign: str) -> Function:
        """The adjoints of the results times the partial by operand k."""
        name = f"d{'xy'[k]}"
        numbers = _Numbers(self._is_general(loop))
        operands = _operands(loop)
        needed = self.formulas.variables(loop.op, name)
        reads = [o for o in (*operands, _value(loop)) if o.part.name in needed]
        target, *reads = [operands[k].adjoint(), *reads, _adjoint(loop)]
        lengths, (target, *reads) = _merged(loop.shape, [target, *reads])
        live = range(len(lengths))
        arguments = {read.part.name: read.at(live, numbers) for read in reads}
        partial = self.formulas.call(loop.op, name, {**arguments, FAR: _NOTE})
        value = f"{arguments['g']} * {partial}"
        name = f"{loop.op.name}_{name}"
        if _is_shared(loop, loop.scalars[k]) and not numbers.general:
            product = Part("w", _steps(lengths))
            first = numbers.each(lengths, live, f"w[{place(product, live)}] =", value)
            sums, _ = contraction(self.machine, lengths, target.part, [product], (), assign)
            return _function(name, [*reads, target, _WORK], [*first, *sums], loop.rows)
        lines = numbers.each(lengths, live, f"{target.at(live, numbers)} {assign}", value)
        return _function(name, [*reads, target], lines, numbers=numbers)

    def _pick(self, loop: Loop, is_adjoint: bool = False) -> Function:
        """An indexed load for each row; backward what is added there, to a row and to no other."""
        numbers = _Numbers(self._is_general(loop))
        rows, cells, (axis,) = _axes(loop)
        index, x = _operands(loop)
        row = f"row_of({index.at(rows, numbers)}, {numbers.text(loop.terms[0])})"
        if is_adjoint:
            g, target = _adjoint(loop), x.adjoint()
            step = f"{target.at(cells, numbers)} += {g.at(rows, numbers)};"
            used = [index, g, target]
        else:
            z = _result(loop)
            step = f"{z.at(rows, numbers)} = {x.at(cells, numbers)};"
            used = [index, x, z]
        lines = numbers.loops(loop.shape, rows, [f"const int i{axis} = {row};", step])
        return _function(f"pick{'_dx' * is_adjoint}", used, lines, numbers=numbers)

    def _many(self, loop: Loop) -> Function:
        """A row of many operands, one term after the other."""
        numbers = _Numbers(self._is_general(loop))
        rows, cells, terms = _axes(loop)
        lengths = (*loop.shape, *loop.terms)
        operands = _operands(loop)
        cut = len(loop.scalars)
        xs = [vector.at(cells, numbers) for vector in operands[cut:]]
        first = " + ".join(bias.at(rows, numbers) for bias in operands[:cut]) or "0.0"

        def over(*body: str) -> list[str]:
            return numbers.loops(lengths, terms, body)

        if loop.op is SUM:  # what rounding loses is added at the end (Neumaier)
            body = [
                "double s = 0.0, lost = 0.0;",
                *over(
                    f"const double term = {xs[0]}, t = s + term, u = t - s;",
                    "lost += (s - (t - u)) + (term - u);",
                    "s = t;",
                ),
            ]
            value = "isfinite(lost) ? s + lost : s"
        elif loop.op is LOGSUMEXP:
            body = [
                "double top = -INFINITY, s = 0.0;",
                "int k = 0, best = -1;",
                *over(
                    f"const double term = {xs[0]};",
                    "if (term > top || term != term) { top = term; best = k; }",
                    "k++;",
                ),
                "k = 0;",
                *over(f"if (k++ != best) s += v_exp({xs[0]} - top);"),
            ]
            value = "isfinite(top) ? top + v_log1p(s) : top"
        else:
            body = [f"double s = {first};", *over(f"s += {' * '.join(xs)};")]
            value = "s"
        result = _result(loop)
        lines = numbers.loops(lengths, rows, [*body, f"{result.at(rows, numbers)} = {value};"])
        return _function(loop.op.name, [*operands, result], lines, numbers=numbers)

    def _many_adjoint(self, loop: Loop, assigns: Sequence[str]) -> Function:
        numbers = _Numbers(self._is_general(loop))
        rows, cells, terms = _axes(loop)
        lengths = (*loop.shape, *loop.terms)
        operands = _operands(loop)
        cut = len(loop.scalars)
        used = [_adjoint(loop), _value(loop)]
        names = (("row_g", used[0]), ("row_z", used[1]))
        body = [f"const double {name} = {o.at(rows, numbers)};" for name, o in names]
        for bias, assign in zip(operands, assigns[:cut], strict=False):
            if assign:
                used.append(bias.adjoint())
                body.append(f"{used[-1].at(rows, numbers)} += row_g;")
        vectors = operands[cut:]
        for vector, other, assign in zip(vectors, vectors[::-1], assigns[cut:], strict=True):
            if assign:
                used += [other, vector.adjoint()]
                target, read = used[-1].at(cells, numbers), other.at(cells, numbers)
                slope = {DOT: f" * {read}", LOGSUMEXP: f" * v_exp({read} - row_z)"}
                step = f"{target} += row_g{slope.get(loop.op, '')};"
                body += numbers.loops(lengths, terms, [step])
        lines = numbers.loops(lengths, rows, body)
        return _function(f"{loop.op.name}_adjoint", used, lines, numbers=numbers)

    def _logsumexp(self, loop: Loop) -> Function:
        """The largest of each row; then the exps of all rows in one stretch; then their sums."""
        rows, cells, terms = _axes(loop)
        lengths = (*loop.shape, *loop.terms)
        (x,) = _operands(loop)
        z = _result(loop)
        gap = Part("w", _steps(lengths))
        read, write = f"x[{place(x.part, cells)}]", f"w[{place(gap, cells)}]"
        result = f"z[{place(z.part, rows)}]"
        find = [
            f"const double term = {read};",
            f"best = term > top || term != term ? {place(gap, cells)} : best;",
            "top = term > top || term != term ? term : top;",
        ]
        largest = [
            "double top = -INFINITY;",
            f"int best = {place(gap, rows)};",
            *loops(lengths, terms, find),
            *loops(lengths, terms, [f"{write} = {read} - top;"]),
            "w[best] = -INFINITY; /* log1p counts it as 1 */",
            f"{result} = top;",
        ]
        total = [
            f"const double top = {result};",
            "double s = 0.0;",
            *loops(lengths, terms, [f"s += {write};"]),
            f"{result} = isfinite(top) ? top + v_log1p(s) : top;",
        ]
        lines = [*loops(lengths, rows, largest), *_exps(lengths), *loops(lengths, rows, total)]
        return _function("logsumexp", [x, z, _WORK], lines, prod(lengths))

    def _logsumexp_adjoint(self, loop: Loop, assign: str) -> Function:
        """softmax, exp(x - z), of all rows in one stretch; then times the adjoints."""
        rows, cells, _ = _axes(loop)
        lengths = (*loop.shape, *loop.terms)
        (x,) = _operands(loop)
        z, g, target = _value(loop), _adjoint(loop), x.adjoint()
        soft = Part("w", _steps(lengths))
        gap = f"x[{place(x.part, cells)}] - z[{place(z.part, rows)}]"
        first = loops(lengths, cells, [f"w[{place(soft, cells)}] = {gap};"])
        factors = [_over(g.part, len(lengths)), soft]
        product, _ = contraction(self.machine, lengths, target.part, factors, (), assign)
        lines = [*first, *_exps(lengths), *product]
        return _function("logsumexp_dx", [x, z, g, target, _WORK], lines, prod(lengths))


class _Numbers:
    """Prints the lengths and steps of a loop: as they are, or as parameters of the function."""

    def __init__(self, general: bool) -> None:
        self.general = general
        self.parameters: list[Parameter] = []

    def text(self, n: int) -> str:
        """A number that may become a parameter."""
        if not self.general:
            return str(n)
        name = f"n{len(self.parameters)}"
        self.parameters.append(Parameter(f"int {name}", "", n))
        return name

    def place(self, part: Part, live: Sequence[int]) -> str:
        """`place`, with steps that may be parameters."""
        if not self.general:
            return place(part, live)
        return " + ".join(f"i{k} * {self.text(part.steps[k])}" for k in live) or "0"

    def loops(self, lengths: Sequence[int], axes: Sequence[int], body: Sequence[str]) -> list[str]:
        """The body inside loops, whose lengths may be parameters."""
        lines = list(body)
        for k in reversed(axes):
            head = f"for (int i{k} = 0; i{k} < {self.text(lengths[k])}; i{k}++)"
            lines = [head + " {", *indented(lines), "}"]
        return lines

    def each(
        self, lengths: Sequence[int], axes: Sequence[int], target: str, value: str
    ) -> list[str]:
        """The value set or added to the target inside loops.

        Where it notes numbers that are far from 0, there are three: a look at all of them, and for
        what was seen one that asks the library of C and one that the vector registers run.
        """
        whole = "whole"
        around = self.loops(lengths, axes, [whole])

        def inside(body: str) -> list[str]:
            return [line.replace(whole, body) for line in around]

        lines = inside(f"{target} {value};")
        if _NOTE not in value:
            return lines
        look, exact = inside(f"{value};"), inside(f"{target} {value.replace(_NOTE, 'NULL')};")
        first = [f"double {FAR} = 0.0;", *look, f"if ({FAR}) {{", *indented(exact)]
        return [*first, "} else {", *indented(lines), "}"]


@dataclass(frozen=True)
class _Operand:
    """An array that a function takes: a pointer, and for a table the places."""

    part: Part
    memory: str
    base: int
    table: int | None = None
    qualifiers: tuple[str, str] = ("const ", "restrict ")

    def at(self, live: Sequence[int], numbers: _Numbers) -> str:
        """The number at the loop variables `live`."""
        where = numbers.place(self.part, live)
        name = self.part.name
        return f"{name}[{where}]" if self.table is None else f"{name}[{name}_at[{where}]]"

    def adjoint(self) -> _Operand:
        """The adjoints of the same numbers; they may overlap with those of other operands."""
        part = Part(f"d{self.part.name}", self.part.steps)
        return replace(self, part=part, memory="a", qualifiers=("", ""))

    def parameters(self) -> list[Parameter]:
        """The pointers."""
        const, alone = self.qualifiers
        name = self.part.name
        found = [Parameter(f"{const}double *{alone}{name}", self.memory, self.base)]
        if self.table is not None:
            found.append(Parameter(f"const int *restrict {name}_at", "t", self.table))
        return found


_WORK = _Operand(Part("w", ()), "w", 0, qualifiers=("", "restrict "))


def _operands(loop: Loop) -> list[_Operand]:
    """The operands of a loop: scalars, and the vectors of its rows."""
    rows = _steps(loop.shape)
    if not loop.vectors:
        return [_read(x, a, rows) for x, a in zip("xy", loop.scalars, strict=False)]
    cells = _steps((*loop.shape, *loop.terms))
    biases = [_read(f"b{k}", access, rows) for k, access in enumerate(loop.scalars)]
    return biases + [_read(x, a, cells) for x, a in zip("xy", loop.vectors, strict=False)]


def _read(name: str, access: Access, steps: tuple[int, ...]) -> _Operand:
    """An operand; `steps` are those of a table along the same axes."""
    if access.table is None:
        return _Operand(Part(name, access.strides), "v", access.base)
    return _Operand(Part(name, steps), "v", 0, access.base)


def _result(loop: Loop) -> _Operand:
    return replace(_value(loop), qualifiers=("", "restrict "))


def _value(loop: Loop) -> _Operand:
    return _Operand(Part("z", _steps(loop.shape)), "v", loop.out)


def _adjoint(loop: Loop) -> _Operand:
    return _Operand(Part("g", _steps(loop.shape)), "a", loop.out)


def _function(
    name: str,
    operands: Sequence[_Operand],
    lines: Sequence[str],
    work: int = 0,
    numbers: _Numbers | None = None,
) -> Function:
    pointers = [parameter for operand in operands for parameter in operand.parameters()]
    parameters = dict.fromkeys([*pointers, *(numbers.parameters if numbers else [])])
    return Function(name, tuple(parameters), tuple(lines), work)


def _merged(
    lengths: Sequence[int], operands: Sequence[_Operand]
) -> tuple[tuple[int, ...], list[_Operand]]:
    lengths, parts = merged(lengths, [operand.part for operand in operands])
    return lengths, [replace(o, part=part) for o, part in zip(operands, parts, strict=True)]


def _exps(lengths: Sequence[int]) -> list[str]:
    return [f"for (int i = 0; i < {prod(lengths)}; i++) w[i] = v_exp(w[i]);"]


def _over(part: Part, axes: int) -> Part:
    """The same array along more axes, with no steps there."""
    return Part(part.name, part.steps + (0,) * (axes - len(part.steps)))


def _steps(lengths: Sequence[int]) -> tuple[int, ...]:
    """The steps of an array whose numbers lie side by side, the last axis innermost."""
    return tuple(prod(lengths[k + 1 :]) for k in range(len(lengths)))


def _is_shared(loop: Loop, access: Access) -> bool:
    """Whether several rows read the same number, by a step of 0."""
    return any(n > 1 and not s for n, s in zip(loop.shape, access.strides, strict=False))


def _axes(loop: Loop) -> tuple[range, range, range]:
    """The numbers of the axes: of the rows, all, of the terms."""
    cut, end = len(loop.shape), len(loop.shape) + len(loop.terms)
    return range(cut), range(end), range(cut, end)
