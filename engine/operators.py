"""Writes the methods of `Value`, such as `__mul__` and `tanh`, and functions, from the rows.

Written out, `x * y` costs one Python call. The text is what a person would write by hand: compute z
and the partials, make a node, fill its slots. Formulas come from the rows of the calculus. To see
it, step into `a * b` with a debugger, or `print(source())`.
"""

from collections.abc import Callable
from itertools import compress
from typing import Any

from engine.formula import plain
from engine.op import PLAIN, Op
from engine.ops import OPS

GENERATED = "<operators of brickgrad>"  # the file that a debugger shows
INFIX = {"add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "pow": "pow"}  # by rows
INFIX |= {"mod": "mod", "floordiv": "floor_divide"}
PREFIX = ("neg", "abs", "floor", "ceil", "trunc")  # `-x`, `abs(x)`, `math.floor(x)`
COMPARISONS = {"lt": "<", "le": "<=", "gt": ">", "ge": ">="}
ZERO_PLUS = (
    "if x == 0:",
    "    return self  # so that the builtin sum() costs one node per addition",
)
FUNCTION_NAMES = {"max": "maximum", "min": "minimum"}  # `engine.max` takes lists

# What the methods call, besides `Value` and its neighbours.
NAMES: dict[str, Any] = {
    **PLAIN,
    **{name: row for op in OPS.values() for name, row in op.callees.items()},
    **{f"{name}_op": op for name, op in OPS.items()},
    **{f"{name}_careful": op.careful for name, op in OPS.items()},
}


def source() -> str:
    """All methods: infix operators and their reflections, `-x`, comparisons, functions."""
    infix = [(name, OPS[row]) for name, row in INFIX.items()]
    return "\n\n".join(
        [
            *(_of_two(f"__{name}__(self, other)", op) for name, op in infix),
            *(_reflected(f"__r{name}__(self, other)", op) for name, op in infix),
            *(_of_one(f"__{name}__(self)", OPS[name]) for name in PREFIX),
            *(_comparison(f"__{name}__(self, other)", sign) for name, sign in COMPARISONS.items()),
            *(_named_method(op) for op in OPS.values() if op.takes_one),
        ]
    )


def functions() -> str:
    """The functions of one operand or two, for who has Values or floats."""
    return "\n\n".join(_function(op) for op in OPS.values() if op.arity)


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


# --- a text for each kind of function: lines of it, where `x` and `y` are floats ----------------


def _of_one(head: str, op: Op, *before: str) -> str:
    return _def(
        head,
        *before,
        "x = self._data",
        *_made(op, "x", "self"),
        "node.x = self",
        "node.y = None",
        *_filled(op),
    )


def _of_two(head: str, op: Op, *before: str) -> str:
    return _def(
        head,
        *before,
        "x = self._data",
        "if type(other) is Value:",
        *_indented("y = other._data", *_made(op, "xy", "self, other")),
        "else:",
        *_indented(
            "if type(other) is not float:",
            "    other = number(other)",
            "y = other",
            *_made(op, "x", "self, other"),
        ),
        "node.x = self",
        "node.y = other",
        *_filled(op),
    )


def _reflected(head: str, op: Op) -> str:
    """`2.0 - v`, where the number comes first."""
    return _def(
        head,
        "if type(other) is not float:",
        "    other = number(other)",
        "x = other",
        *(ZERO_PLUS if op.name == "add" else ()),
        "y = self._data",
        *_made(op, "y", "other, self"),
        "node.x = other",
        "node.y = self",
        *_filled(op),
    )


def _comparison(head: str, sign: str) -> str:
    return _def(
        head,
        "try:",
        f"    return self.data {sign} (other.data if type(other) is Value else number(other))",
        "except TypeError:  # says which of them is no number",
        f"    return data_of(self) {sign} data_of(other)",
    )


def _named_method(op: Op) -> str:
    """`v.tanh()`; of a row with a parameter `v.leaky_relu(0.1)`."""
    if op.arity == 1:
        return _of_one(f"{op.name}(self)", op)
    given, name = signature(op)
    return _of_two(f"{op.name}(self, {given})", op, f"other = {name}")


def _function(op: Op) -> str:
    """`tanh(v)`, `maximum(v, 2.0)`."""
    if op.arity == 2:
        given, name = signature(op)
        return _def(f"{function_name(op)}(x, {given})", f"return call({op.name}_op, x, {name})")
    return _of_one(
        f"{op.name}(*operands)",
        op,
        "try:",
        "    self, = operands",
        "except ValueError:",
        f'    raise TypeError(f"{op.name} expected 1 operands, got {{len(operands)}}") from None',
        "if type(self) is not Value:",
        f"    return {op.name}_op(number(self))",
    )


def dot_source(terms: int, xs: bool, ys: bool, bias: bool) -> str:
    """The dot product of so many terms; `xs`, `ys` and `bias` say which operands are Values.

    Its function raises AttributeError or TypeError where they are something else.
    """
    names = [*(f"x{i}" for i in range(terms)), *(f"y{i}" for i in range(terms)), "bias"]
    are_values = [xs] * terms + [ys] * terms + [bias]
    data = [f"{name}_data" if v else name for name, v in zip(names, are_values, strict=True)]
    x, y = data[:terms], data[terms:-1]
    slopes = compress([*y, *x, "1.0"], are_values)
    return _def(
        "dot(xs, ys, bias)",
        f"{', '.join(names[:terms])}, = xs",
        f"{', '.join(names[terms:-1])}, = ys",
        *(f"{name}_data = {name}._data" for name in compress(names, are_values)),
        f"z = {data[-1]}",
        *(f"z += {p} * {q}" for p, q in zip(x, y, strict=True)),
        "if type(z) is not float:",
        "    raise TypeError",
        "node = _new()",
        f"node.x = {', '.join(compress(names, are_values))},",
        f"node.y = {None if all(are_values) else ', '.join(names)}",
        f"node._dx = {', '.join(slopes)},",
        "node._dy = None",
        *_filled(OPS["dot"]),
    )


def _def(head: str, *lines: str) -> str:
    return "\n".join([f"def {head}:", *_indented(*lines)])


def _indented(*lines: str) -> list[str]:
    return [f"    {line}" for line in lines]


def _made(op: Op, values: str, operands: str) -> list[str]:
    """Lines that compute z and its slopes of floats x and y, and make a node with these.

    `values` says which of x and y are Values', and have a slope. Where one is no float after all,
    `apply` computes with the `operands`, or says which is none.
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


def _filled(op: Op) -> list[str]:
    """Lines that fill the other slots of a node, as `node` in value.py does, and return it."""
    return [
        "node._data = z",
        f"node.op = {op.name}_op",
        "node._grad = NOT_COMPUTED",
        'node.label = ""',
        "node.adjoint = None",
        "if modes:",
        "    for see in active():",
        "        see(node)",
        "return node",
    ]
