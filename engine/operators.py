"""Writes the methods of `Value`, such as `__mul__` and `tanh`, and functions, from the rows.

Written out, `x * y` costs one Python call. The text is what a person would write by hand: compute z
and the partials, make a node, fill its slots. Formulas come from the rows of the calculus.
"""

from collections.abc import Callable
from itertools import compress
from typing import Any

from engine.formula import plain
from engine.op import PLAIN, Op
from engine.ops import OPS

GENERATED = "<operators of brickgrad>"  # the file that a debugger shows
INFIX = {"add": "+", "sub": "-", "mul": "*", "truediv": "/", "pow": "**"}
INFIX |= {"mod": "%", "floordiv": "//"}
FUNCTION_NAMES = {"max": "maximum", "min": "minimum"}  # `engine.max` takes lists
# NumPy's names of rows that are called otherwise here.
NUMPY_NAMES = {
    **{f"arc{name}": f"a{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{"absolute": "abs", "fabs": "abs", "arctan2": "atan2", "deg2rad": "radians"},
    **{"maximum": "max", "minimum": "min", "rad2deg": "degrees", "rint": "round"},
}

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
_PARAMETRIC = """\
def {name}(self, {parameter}):
    other = {other}
""" + _BINARY.partition("\n")[2]
_FUNCTION_OF_TWO = """\
def {name}(x, {parameter}):
    return call({row}_op, x, {other})
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
    methods += [_method_of_one(op) for op in OPS.values() if op.takes_one]
    return "\n\n".join(methods)


def functions() -> str:
    """The functions of one operand or two, for who has Values or floats."""
    return "\n\n".join(_as_function(op) for op in OPS.values() if op.arity)


def signature(op: Op) -> tuple[str, str]:
    """How the second operand of a row is written where it is given, and its name.

    >>> signature(OPS["leaky_relu"]), signature(OPS["pow"])
    (('slope=0.01', 'slope'), ('y', 'y'))
    """
    name, default = op.parameter or ("y", None)
    return (name if default is None else f"{name}={default!r}"), name


def function_name(op: Op) -> str:
    """What the function of a row is called."""
    return FUNCTION_NAMES.get(op.name, op.name)


def described(function: Callable[..., Any], op: Op, module: str) -> Callable[..., Any]:
    """The function of a row with its name and its formulas, for `help`."""
    function.__name__ = function.__qualname__ = function_name(op)
    function.__module__ = module
    slopes = ", ".join(f"d/d{x} {text}" for x, text in zip("xy", op.partials, strict=False))
    function.__doc__ = f"z = {op.formula}; {slopes}"
    return function


def _method_of_one(op: Op) -> str:
    if op.arity == 1:
        return _method(_UNARY, op.name, op)
    parameter, other = signature(op)
    return _method(_PARAMETRIC, op.name, op, parameter=parameter, other=other)


def _as_function(op: Op) -> str:
    if op.arity == 1:
        return _method(_FUNCTION, op.name, op)
    parameter, other = signature(op)
    texts = {"parameter": parameter, "other": other, "row": op.name}
    return _method(_FUNCTION_OF_TWO, function_name(op), op, **texts)


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
