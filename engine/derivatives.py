"""`grad`, `hessian` and the like: derivatives as Values, which can be differentiated again."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any, cast, overload

from engine import formula as formulas
from engine import functions
from engine.graph import toposort
from engine.op import BASICS, Op
from engine.ops import OPS
from engine.value import Operand, Value, call, data_of

Partial = Callable[..., Operand]


@overload
def grad(output: Value, inputs: Value) -> Value: ...
@overload
def grad(output: Value, inputs: Iterable[Value]) -> list[Value]: ...
def grad(output: Value, inputs: Value | Iterable[Value]) -> Value | list[Value]:
    """d output / d input for each input, as Values that can be differentiated again.

    No `.grad` changes. Raises RuntimeError where a slope is another one than in the forward pass,
    because `.data` was changed: that of `a * a`, not that of `a * 3`. Raises TypeError for a float
    in place of a Value.

    >>> x = Value(2.0)
    >>> slope = grad(x**3, x)
    >>> slope, grad(slope, x)
    (Value(data=12.0, grad=0.0), Value(data=12.0, grad=0.0))
    """
    if isinstance(inputs, Value):
        return grad(output, [inputs])[0]
    inputs = _checked(output, inputs)
    order = toposort(output)
    on_path = set(inputs)
    for v in order:
        if not on_path.isdisjoint(v._prev):
            on_path.add(v)
    _check_formulas(order, inputs, on_path)
    adjoints: dict[Value, Operand] = {output: 1.0}
    for v in reversed(order):
        op = v.op
        if v not in on_path or op is None:
            continue
        g = adjoints[v]
        for (parent, text, x, y), saved in zip(op.edges(v.parents), v.partials, strict=True):
            if isinstance(parent, Value) and parent in on_path:
                slope = (op.made.get(text) or _compiled(op, text))(x, y, v)
                _check_unchanged(op, data_of(slope), cast(float, saved))
                share = g * slope
                adjoints[parent] = adjoints[parent] + share if parent in adjoints else share
    return [_as_value(adjoints.get(x, 0.0)) for x in inputs]


def _checked(output: object, inputs: Any) -> list[Value]:
    """The inputs as a list; TypeError for what is no Value."""
    if callable(output):
        raise TypeError("grad expected the result of a function: write grad(f(x), x)")
    listed = list(inputs) if isinstance(inputs, Iterable) else [inputs]
    for v in (output, *listed):
        if not isinstance(v, Value):
            raise TypeError(f"grad expected Values, got {type(v).__name__} ({v!r})")
    return listed


def _check_formulas(
    order: Sequence[Value], inputs: Sequence[Value], on_path: Collection[Value]
) -> None:
    """RuntimeError where a result of a replay is on the path: it has no formula."""
    replayed = {v for v in (*order, *inputs) if v.op and not v.op.partials}
    if any(v in replayed and v not in order for v in inputs) and not replayed.isdisjoint(order):
        raise RuntimeError(
            "grad found two results of a replay, which do not know how one was computed from the "
            "other: call grad inside the function that is replayed"
        )
    if any(v in replayed and v in on_path for v in order):
        raise RuntimeError(
            "grad found the result of a replay, which has no formula to differentiate: call "
            "backward(), or call grad inside the function that is replayed"
        )


def jacobian(outputs: Iterable[Value], inputs: Iterable[Value]) -> list[list[Value]]:
    """d output / d input: a row for each output, a column for each input.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[d.data for d in row] for row in jacobian([x * y, x + y], [x, y])]
    [[3.0, 2.0], [1.0, 1.0]]
    """
    inputs = list(inputs)
    return [grad(output, inputs) for output in outputs]


def hessian(output: Value, inputs: Iterable[Value]) -> list[list[Value]]:
    """The second derivatives: d2 output / (d input_i d input_j) in row i, column j.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [[d.data for d in row] for row in hessian(x * x * y, [x, y])]
    [[6.0, 4.0], [4.0, 0.0]]
    """
    inputs = list(inputs)
    return jacobian(grad(output, inputs), inputs)


def hvp(output: Value, inputs: Iterable[Value], vector: Iterable[Operand]) -> list[Value]:
    """The Hessian times a vector, without the Hessian: two sweeps for any number of inputs.

    The vector counts as constant, though it be computed from the inputs.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [d.data for d in hvp(x * x * y, [x, y], [1.0, 0.0])]
    [6.0, 4.0]
    """
    inputs, vector = list(inputs), [data_of(x) for x in vector]
    _check_length("hvp", vector, inputs)
    return grad(_as_value(functions.dot(grad(output, inputs), vector)), inputs)


def jvp(
    outputs: Iterable[Value], inputs: Iterable[Value], tangents: Iterable[Operand]
) -> list[Value]:
    """The Jacobian times a vector: how the outputs move when the inputs move along `tangents`.

    >>> x, y = Value(2.0), Value(3.0)
    >>> [d.data for d in jvp([x * y, x + y], [x, y], [1.0, 0.0])]
    [3.0, 1.0]
    """
    outputs, inputs, tangents = list(outputs), list(inputs), list(tangents)
    _check_length("jvp", tangents, inputs)
    weights = [Value(0.0) for _ in outputs]  # the pullback is linear in them
    pullback = grad(_as_value(functions.dot(weights, outputs)), inputs)
    return grad(_as_value(functions.dot(pullback, tangents)), weights)


def _compiled(op: Op, text: str) -> Partial:
    """A partial of a row as a function of x, y and z, each a Value or a float; kept by the row."""
    called = {**{name: OPS[name] for name in BASICS}, **op.callees}
    names = {**{name: _on_values(row) for name, row in called.items()}, "_key": _key}
    made: Partial = eval(f"lambda x, y, z: {formulas.generic(text)}", names)
    op.made[text] = made
    return made


def _key(x: Operand) -> Any:
    return x._key if isinstance(x, Value) else x


def _on_values(op: Op) -> Partial:
    return lambda *operands: cast(Operand, call(op, *operands))


def _check_unchanged(op: Op, slope: float, saved: float) -> None:
    if slope != saved and (slope == slope or saved == saved):
        raise RuntimeError(
            f"grad: .data changed after the forward: a partial of {op.name} was {saved} then "
            f"and is {slope} now; compute the output again"
        )


def _check_length(name: str, vector: Sequence[Operand], inputs: Sequence[Value]) -> None:
    if len(vector) != len(inputs):
        raise ValueError(f"{name} expected {len(inputs)} numbers, one per input, got {len(vector)}")


def _as_value(x: Operand) -> Value:
    return x if isinstance(x, Value) else Value(x)
