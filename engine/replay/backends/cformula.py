"""Formulas as C."""

import ast
import re
from collections.abc import Mapping
from functools import lru_cache

from engine.formula import plain, tree
from engine.op import Op
from engine.ops import OPS
from engine.replay.backends import vectormath
from engine.replay.backends.infix import infix

# The functions of `vectormath` have the names of those in Python; others are those of C.
_LIBRARY = {name: f"v_{name}" for name in vectormath.names()} | {"abs": "fabs", "round": "rint"}
_WHOLE = {  # of these rows what `vectormath` has whole, with one exp where a formula has two
    OPS["tanh"]: [(OPS["tanh"].partials[0], "4 * v_sigmoid_slope(2 * x)")],
    OPS["sigmoid"]: [
        (OPS["sigmoid"].formula, "v_sigmoid(x)"),
        (OPS["sigmoid"].partials[0], "v_sigmoid_slope(x)"),
    ],
    OPS["softplus"]: [(OPS["softplus"].formula, "v_softplus(x)")],
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
        if key in self._printed:
            return self._printed[key]
        known, lines = dict(names), list[str]()

        def call(name: str, texts: list[str]) -> str:
            if op and name in op.callees:
                name, variables = self.function(op.callees[name])
                given = {**dict(zip("xy", texts, strict=False)), FAR: names[FAR]}
                return f"{name}({', '.join(given[v] for v in variables)})"
            texts += [names[FAR]] * (name in _NEAR)
            return f"{_LIBRARY.get(name, name)}({', '.join(texts)})"

        def part(name: str, value: str) -> str:
            """Comes first, as C leaves the order of operands open.

            It has no effects, so computing one that a condition would have skipped does no harm.
            """
            known[name] = f"part{len(lines)}"
            lines.append(f"const double {known[name]} = {value};")
            return known[name]

        self._printed[key] = lines, infix(whole(text, op), known, call, part)
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


@lru_cache(maxsize=1000)
def whole(text: str, op: Op | None) -> ast.expr:
    """The tree of a formula of a row, in which what `vectormath` has whole is one call."""
    text = plain(text)
    for formula, whole in _WHOLE.get(op, ()) if op else ():
        text = text.replace(plain(formula), whole)
    return tree(text)
