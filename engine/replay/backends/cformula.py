"""Formulas as C."""

import ast
import math
import re
from collections.abc import Mapping
from functools import singledispatchmethod
from typing import cast

from engine.formula import tree
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends import vectormath

_SIGNS: dict[type[ast.AST], str] = {
    **{ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/"},
    **{ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=", ast.Eq: "==", ast.NotEq: "!="},
}
# The functions of `vectormath` have the names of those in Python; others are those of C.
_LIBRARY = {name: f"v_{name}" for name in vectormath.names()} | {"abs": "fabs", "round": "rint"}
_WHOLE = {  # of these rows what `vectormath` has whole, with one exp where a formula has two
    (op, ast.unparse(tree(text))): ast.parse(whole, mode="eval").body
    for op, text, whole in (
        (OPS["tanh"], OPS["tanh"].partials[0], "4 * v_sigmoid_slope(2 * x)"),
        (OPS["sigmoid"], OPS["sigmoid"].formula, "v_sigmoid(x)"),
        (OPS["sigmoid"], OPS["sigmoid"].partials[0], "v_sigmoid_slope(x)"),
        (OPS["softplus"], OPS["softplus"].formula, "v_softplus(x)"),
    )
}
_NEAR = {"sin", "cos", "tan"}  # take a pointer more, to note that a number is too far from 0
FAR = "far"
_DECLARED = {"x": "double x", "y": "double y", FAR: f"double *{FAR}"}


class Formulas:
    """Expressions in C, and the functions that they call, each written once."""

    def __init__(self) -> None:
        self.functions: list[str] = []
        self._written: dict[Op, tuple[str, list[str]]] = {}  # name and variables
        self._printed: dict[tuple[object, ...], tuple[list[str], str]] = {}

    def printed(self, text: str, op: Op | None, names: Mapping[str, str]) -> tuple[list[str], str]:
        """The lines of what a formula of a row names, and its value.

        `names` has the C of each of its variables, and of FAR.
        """
        key = text, op, *names.items()
        if key not in self._printed:
            printer = _Printer(self, op, names)
            value = printer.text(tree(text))
            self._printed[key] = printer.lines, value
        return self._printed[key]

    def function(self, op: Op) -> tuple[str, list[str]]:
        """The function of a row that formulas call, and which of x, y and FAR it takes."""
        if op not in self._written:
            lines, value = self.printed(op.formula, op, {v: v for v in _DECLARED})
            body = "".join(f"    {line}\n" for line in [*lines, f"return {value};"])
            used = re.findall(r"\w+", body)
            variables = [v for v in _DECLARED if v in used]
            name = f"z_{op.key if op.key.isascii() else f'_x{op.key.encode().hex()}'}"
            head = ", ".join(_DECLARED[v] for v in variables) or "void"
            self.functions.append(f"INLINE double {name}({head})\n{{\n{body}}}\n")
            self._written[op] = name, variables
        return self._written[op]


class _Printer:
    """Prints one formula; parts that it names come first, as C leaves the order of operands open.

    They have no effects, so computing one that a condition would have skipped does no harm.
    """

    def __init__(self, formulas: Formulas, op: Op | None, names: Mapping[str, str]) -> None:
        self.formulas = formulas
        self.op = op
        self.callees = op.callees if op else {}
        self.names = dict(names)
        self.lines: list[str] = []

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
        return self.names[node.id]

    @text.register
    def _part(self, node: ast.NamedExpr) -> str:
        part = self.text(node.value)
        self.names[node.target.id] = name = f"part{len(self.lines)}"
        self.lines.append(f"const double {name} = {part};")
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
        whole = self.op and _WHOLE.get((self.op, ast.unparse(node)))
        if whole:
            return self.text(whole)
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
            name, variables = self.formulas.function(self.callees[name])
            given = {**dict(zip("xy", texts, strict=False)), FAR: self.names[FAR]}
            return f"{name}({', '.join(given[v] for v in variables)})"
        if name in _NEAR:
            texts.append(self.names[FAR])
        return f"{_LIBRARY.get(name, name)}({', '.join(texts)})"
