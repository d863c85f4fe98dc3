"""The methods of `Value`, written out as source from the rows of the calculus.

Written out, `x * y` costs one Python call. The text is that of a method a person would write by
hand: compute z and the partials, make a node, fill its slots.
"""

from typing import Any

from engine import ops
from engine.formula import plain
from engine.ops import OPS, Op

INFIX = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}

_UNARY = """\
def {name}(self):
    x = self.data
    make x
    node.x = self
    node.y = None
    finish
"""
_BINARY = """\
def {name}(self, other):
    x = self.data
    if type(other) is Value:
        y = other.data
        make xy
    else:
        y = other = number(other)
        make x
    node.x = self
    node.y = other
    finish
"""
_REFLECTED = """\
def {name}(self, other):
    x = other = number(other)
    zero
    y = self.data
    make y
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
node.mark = None
return observed(node) if modes else node"""

# What the methods call, besides `Value` and its neighbours.
NAMES: dict[str, Any] = {
    **ops.PLAIN,
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


def _method(template: str, name: str, op: Op) -> str:
    lines: list[str] = []
    for line in template.format(name=name).splitlines():
        statement = line.lstrip()
        indent = line.removesuffix(statement)
        if statement.startswith("make "):
            lines += [indent + made for made in _make(op, statement.removeprefix("make "))]
        elif statement == "finish":
            lines += [indent + end for end in _FINISH.format(row=op.name).splitlines()]
        elif statement == "zero":
            lines += [indent + test for test in _ZERO.splitlines() if op.name == "add"]
        else:
            lines.append(line)
    return "\n".join(lines)


def _make(op: Op, values: str) -> list[str]:
    """Lines that make a node from the floats x and y; `values` says which of them are Values'."""
    operands = "xy"[: op.arity]
    slopes = {f"d{x}": plain(text) for x, text in zip(operands, op.partials, strict=True)}
    kept = {d: text for d, text in slopes.items() if d[1] in values}
    return [
        "try:",
        f"    z = {plain(op.formula)}",
        *(f"    {d} = {text}" for d, text in kept.items()),
        "except (ArithmeticError, ValueError):",
        f"    z, {', '.join(slopes)} = {op.name}_careful({', '.join(operands)})",
        "node = _new(Value)",
        *(f"node.{d} = {d if d in kept else None}" for d in ("dx", "dy")),
    ]
