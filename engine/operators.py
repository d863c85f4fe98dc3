"""Writes the methods of `Value`, such as `__mul__` and `tanh`, as source from the rows.

Written out, `x * y` costs one Python call. The text is what a person would write by hand: compute z
and the partials, make a node, fill its slots. Formulas come from the rows of the calculus.
"""

from itertools import compress
from typing import Any

from engine.formula import plain
from engine.op import PLAIN, Op
from engine.ops import OPS

GENERATED = "<operators of brickgrad>"  # the file that a debugger shows
INFIX = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}

# In a template three lines stand for others: `make xy of a, b` computes z and the partials of those
# operands a, b that are Values and makes the node, `finish` fills the other slots, `zero` lets
# `0 + v` be v. The numbers of Values have names that no recording watches.
_UNARY = """\
def {name}(self):
    x = self._data
    make x of self
    node.x = self
    node.y = None
    finish
"""
_FUNCTION = """\
def {name}(*operands):
    try:
        self, = operands
    except ValueError:
        raise TypeError(f"{name} expected 1 operands, got {{len(operands)}}") from None
    if type(self) is not Value:
        return {name}_op(number(self))
""" + _UNARY.partition("\n")[2]
_BINARY = """\
def {name}(self, other):
    x = self._data
    if type(other) is Value:
        y = other._data
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
    y = self._data
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
node._data = z
node.op = {row}_op
node._grad = NOT_COMPUTED
node.label = ""
node.adjoint = None
if modes:
    for see in active():
        see(node)
return node"""

_DOT = """\
def dot(xs, ys, bias):
    {xs}, = xs
    {ys}, = ys
    {read}
    z = {bias}
    {add}
    if type(z) is not float:
        raise TypeError
    node = _new()
    node.x = {values},
    node.y = {operands}
    node._dx = {slopes},
    node._dy = None
    finish
"""

# What the methods call, besides `Value` and its neighbours.
NAMES: dict[str, Any] = {
    **PLAIN,
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


def functions() -> str:
    """The functions of one operand, for who has a Value or a float."""
    ops_of_one = (op for op in OPS.values() if op.arity == 1)
    return "\n\n".join(_method(_FUNCTION, op.name, op) for op in ops_of_one)


def dot_source(terms: int, xs: bool, ys: bool, bias: bool) -> str:
    """The dot product of so many terms; `xs`, `ys` and `bias` say which operands are Values.

    Its function raises AttributeError or TypeError where they are something else.
    """
    names = [*(f"x{i}" for i in range(terms)), *(f"y{i}" for i in range(terms)), "bias"]
    are_values = [xs] * terms + [ys] * terms + [bias]
    data = [f"{name}_data" if v else name for name, v in zip(names, are_values, strict=True)]
    x, y = data[:terms], data[terms:-1]
    return _method(
        _DOT,
        "dot",
        OPS["dot"],
        xs=", ".join(names[:terms]),
        ys=", ".join(names[terms:-1]),
        read="\n    ".join(f"{name}_data = {name}._data" for name in compress(names, are_values)),
        bias=data[-1],
        add="\n    ".join(f"z += {p} * {q}" for p, q in zip(x, y, strict=True)),
        values=", ".join(compress(names, are_values)),
        operands=None if all(are_values) else ", ".join(names),
        slopes=", ".join(compress([*y, *x, "1.0"], are_values)),
    )


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
        "node = _new()",
        *(f"node._{d} = {d if d in kept else None}" for d in ("dx", "dy")),
    ]
