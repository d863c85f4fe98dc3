"""The methods of `Value` and the dot product, written out as source.

Written out, `x * y` costs one Python call. The text is what a person would write by hand: compute z
and the partials, make a node, fill its slots. Formulas come from the rows of the calculus.
"""

import re
from itertools import compress
from typing import Any

from engine import ops
from engine.formula import plain
from engine.ops import OPS, Op

GENERATED = "<operators of brickgrad>"  # the file that a debugger shows
INFIX = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}

# In a template three lines stand for others: `make xy of a, b` computes z and the partials of those
# operands a, b that are Values and makes the node, `finish` fills the other slots, `zero` lets
# `0 + v` be v.
_UNARY = """\
def {name}(self):
    x = self.data
    make x of self
    node.x = self
    node.y = None
    finish
"""
_BINARY = """\
def {name}(self, other):
    x = self.data
    if type(other) is Value:
        y = other.data
        make xy of self, other
    else:
        if type(other) is not float:
            other = number(other)
        y = other
        make x of self, other
    node.x = self
    node.y = other
    finish
"""
_REFLECTED = """\
def {name}(self, other):
    if type(other) is not float:
        other = number(other)
    x = other
    zero
    y = self.data
    make y of other, self
    node.x = other
    node.y = self
    finish
"""
_ZERO = """\
if x == 0:
    return self  # so that the builtin sum() costs one node per addition
"""
_FINISH = """\
node.data = z
node.op = {row}_op
node.grad = NOT_COMPUTED
node.label = ""
node.adjoint = None
return observed(node) if modes else node"""

_DOT = """\
def dot(xs, ys, bias):
    {xs}, = xs
    {ys}, = ys
    {read}
    z = {bias}
    {add}
    if type(z) is not float:
        raise TypeError
    node = _new(Value)
    node.x = {values},
    node.y = {operands}
    node.dx = {slopes},
    node.dy = None
    finish
"""

# What the methods call, besides `Value` and its neighbours.
NAMES: dict[str, Any] = {
    **ops.PLAIN,
    **{name: row for op in OPS.values() for name, row in op.callees.items()},
    **{f"{name}_op": op for name, op in OPS.items()},
    **{f"{name}_careful": op.careful for name, op in OPS.items()},
}


def source() -> str:
    """All methods: infix operators and their reflections, `-x`, `abs(x)`, one for each function."""
    rows = {op.symbol: op for op in OPS.values() if op.arity == 2}
    methods = [_method(_BINARY, f"__{name}__", rows[symbol]) for name, symbol in INFIX.items()]
    methods += [_method(_REFLECTED, f"__r{name}__", rows[symbol]) for name, symbol in INFIX.items()]
    methods += [_method(_UNARY, f"__{name}__", OPS[name]) for name in ("neg", "abs")]
    methods += [_method(_UNARY, op.name, op) for op in OPS.values() if op.arity == 1]
    return "\n\n".join(methods)


def dot_source(terms: int, xs: bool, ys: bool, bias: bool) -> str:
    """The dot product of so many terms; `xs`, `ys` and `bias` say which operands are Values.

    Its function raises AttributeError or TypeError where they are something else.
    """
    names = [*(f"x{i}" for i in range(terms)), *(f"y{i}" for i in range(terms)), "bias"]
    are_values = [xs] * terms + [ys] * terms + [bias]
    data = [f"{name}_data" if v else name for name, v in zip(names, are_values, strict=True)]
    x, y = data[:terms], data[terms:-1]
    text = _method(
        _DOT,
        "dot",
        OPS["dot"],
        xs=", ".join(names[:terms]),
        ys=", ".join(names[terms:-1]),
        read="\n    ".join(f"{name}_data = {name}.data" for name in compress(names, are_values)),
        bias=data[-1],
        add="\n    ".join(f"z += {p} * {q}" for p, q in zip(x, y, strict=True)),
        values=", ".join(compress(names, are_values)),
        operands=None if all(are_values) else ", ".join(names),
        slopes=", ".join(compress([*y, *x, "1.0"], are_values)),
    )
    return unwatched(text)


def unwatched(text: str) -> str:
    """Code that reads and sets the numbers of Values by the names that no recording watches."""
    return _WATCHED.sub(r"._\1", text)


_WATCHED = re.compile(r"\.(data|grad|dx|dy)\b")


def _method(template: str, name: str, op: Op, **texts: object) -> str:
    lines: list[str] = []
    for line in template.format(name=name, **texts).splitlines():
        statement = line.lstrip()
        indent = line.removesuffix(statement)
        if statement.startswith("make "):
            values, _, operands = statement.removeprefix("make ").partition(" of ")
            lines += [indent + made for made in _make(op, values, operands)]
        elif statement == "finish":
            lines += [indent + end for end in _FINISH.format(row=op.name).splitlines()]
        elif statement == "zero":
            lines += [indent + test for test in _ZERO.splitlines() if op.name == "add"]
        else:
            lines.append(line)
    return "\n".join(lines)


def _make(op: Op, values: str, operands: str) -> list[str]:
    """Lines that make a node from the floats x and y; `values` says which of them are Values'.

    Where one is no float after all, `apply` computes with the `operands`, or says which is none.
    """
    variables = "xy"[: op.arity]
    slopes = {f"d{x}": plain(text) for x, text in zip(variables, op.partials, strict=True)}
    kept = {d: text for d, text in slopes.items() if d[1] in values}
    return [
        "try:",
        f"    z = {plain(op.formula)}",
        *(f"    {d} = {text}" for d, text in kept.items()),
        "except (ArithmeticError, TypeError, ValueError):",
        f"    if {' or '.join(f'type({x}) is not float' for x in variables)}:",
        f"        return apply({op.name}_op, {operands})",
        f"    z, {', '.join(slopes)} = {op.name}_careful({', '.join(variables)})",
        "node = _new(Value)",
        *(f"node.{d} = {d if d in kept else None}" for d in ("dx", "dy")),
    ]
