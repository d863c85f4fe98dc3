"""Formulas as C: each row of the calculus that a program uses becomes a small function."""

import ast
import math
import re
import struct
from collections.abc import Mapping
from functools import singledispatchmethod
from typing import cast

from engine.formula import tree
from engine.ieee import FUNCTIONS
from engine.ops import OPS, Op, kept_by_row

_SIGNS: dict[type[ast.AST], str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"},
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
}
# The functions of `vectormath` have the names of those in Python; processors have two of their own.
_LIBRARY = {name: f"v_{name}" for name in FUNCTIONS} | {"abs": "fabs", "sqrt": "sqrt"}
_SHORT = {  # what `vectormath` has whole, with one exp where a formula has two
    OPS["tanh"].partials[0]: "4 * v_sigmoid_slope(2 * x)",
    OPS["sigmoid"].formula: "v_sigmoid(x)",
    OPS["sigmoid"].partials[0]: "v_sigmoid_slope(x)",
    OPS["softplus"].formula: "v_softplus(x)",
}
_NEAR = {"sin", "cos", "tan"}  # take a pointer more, to note that a number is too far from 0
FAR = "far"
_DECLARED = {**{v: f"double {v}" for v in "xyz"}, FAR: f"double *{FAR}"}


@kept_by_row
def with_exponent(power: Op, y: float) -> Op:
    """The row of powers with one exponent, which the compiler knows then: x ** 2 is x * x."""
    texts = [re.sub(r"\by\b", f"({y!r})", text) for text in (power.formula, power.partials[0])]
    name = f"{power.name}_{struct.pack('>d', y).hex()}"
    return Op(name, power.symbol, texts[0], (texts[1],), ((1.5,),))


class Formulas:
    """The functions written so far, and calls of them."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._written: dict[tuple[Op, str], tuple[str, list[str]]] = {}  # name and variables

    def call(self, op: Op, result: str, arguments: Mapping[str, str]) -> str:
        """A call that gives `result`: "z", or the partial "dx" or "dy".

        `arguments` has a C expression for each of x, y and z that may be needed, and for FAR.
        """
        name, variables = self._function(op, result)
        return f"{name}({', '.join(arguments[v] for v in variables)})"

    def variables(self, op: Op, result: str) -> list[str]:
        """Which of x, y, z and FAR that result needs."""
        return self._function(op, result)[1]

    def _function(self, op: Op, result: str) -> tuple[str, list[str]]:
        key = op, result
        if key not in self._written:
            text = op.formula if result == "z" else op.partials["xy".index(result[1])]
            printer = _Printer(self, op.callees)
            value = printer.text(tree(_SHORT.get(text, text)))
            variables = [v for v in _DECLARED if v in printer.variables]
            name = f"{result}_{op.key if op.key.isascii() else f'_x{op.key.encode().hex()}'}"
            head = ", ".join(_DECLARED[v] for v in variables) or "void"
            body = "".join(f"    const double {part};\n" for part in printer.parts)
            self.functions.append(
                f"INLINE double {name}({head})\n{{\n{body}    return {value};\n}}\n"
            )
            self._written[key] = name, variables
        return self._written[key]


class _Printer:
    """Prints one formula; parts that it names come first, as C leaves the order of operands open.

    They have no effects, so computing one that a condition would have skipped does no harm.
    """

    def __init__(self, formulas: Formulas, callees: Mapping[str, Op]) -> None:
        self.formulas = formulas
        self.callees = callees
        self.parts: list[str] = []
        self.names: dict[str, str] = {}
        self.variables: set[str] = set()

    @singledispatchmethod
    def text(self, node: ast.AST) -> str:
        """The expression in C."""
        raise ValueError(f"no C for {ast.unparse(node)!r}")

    @text.register
    def _constant(self, node: ast.Constant) -> str:
        value = float(node.value)  # type: ignore[arg-type]
        return repr(value) if math.isfinite(value) else "INFINITY"

    @text.register
    def _name(self, node: ast.Name) -> str:
        if node.id not in self.names:
            self.variables.add(node.id)
        return self.names.get(node.id, node.id)

    @text.register
    def _part(self, node: ast.NamedExpr) -> str:
        part = self.text(node.value)
        self.names[node.target.id] = name = f"part{len(self.parts)}"
        self.parts.append(f"{name} = {part}")
        return name

    @text.register
    def _sign(self, node: ast.UnaryOp) -> str:
        sign = "-" if isinstance(node.op, ast.USub) else "!"
        return f"({sign}{self.text(node.operand)})"

    @text.register
    def _binary(self, node: ast.BinOp) -> str:
        left, right = self.text(node.left), self.text(node.right)
        if isinstance(node.op, ast.Pow):
            return f"v_pow({left}, {right})"
        return f"({left} {_SIGNS[type(node.op)]} {right})"

    @text.register
    def _choice(self, node: ast.IfExp) -> str:
        test = self.text(node.test)  # comes first in Python
        return f"({test} ? {self.text(node.body)} : {self.text(node.orelse)})"

    @text.register
    def _comparison(self, node: ast.Compare) -> str:
        sides = [self.text(side) for side in (node.left, *node.comparators)]
        signs = [_SIGNS[type(sign)] for sign in node.ops]
        pairs = zip(sides, signs, sides[1:], strict=False)
        single = [f"({a} {sign} {b})" for a, sign, b in pairs]
        return f"({' & '.join(single)})" if len(single) > 1 else single[0]

    @text.register
    def _and_or(self, node: ast.BoolOp) -> str:
        word = " & " if isinstance(node.op, ast.And) else " | "
        return f"({word.join(map(self.text, node.values))})"

    @text.register
    def _call(self, node: ast.Call) -> str:
        name, texts = cast(ast.Name, node.func).id, list(map(self.text, node.args))
        if name in self.callees:
            op, given = self.callees[name], dict(zip("xy", texts, strict=False))
            self.variables |= {FAR} & set(self.formulas.variables(op, "z"))
            return self.formulas.call(op, "z", {**given, FAR: FAR})
        if name in _NEAR:
            self.variables.add(FAR)
            texts.append(FAR)
        return f"{_LIBRARY.get(name, name)}({', '.join(texts)})"
