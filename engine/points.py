"""Functions and points to check them at: numbers, which become Values, or Values moved in place."""

import inspect
from collections.abc import Callable, Iterable, Sequence
from numbers import Real
from typing import Any

from engine.value import Value

Input = tuple[str, Value]
Outputs = Callable[[], list[Value]]


def prepared(name: str, f: Callable[..., Any], point: Any) -> tuple[Outputs, list[Input]]:
    """`f` as a function of nothing that returns a list, and its inputs with their names."""
    if not callable(f):
        kinds = type(f).__name__, type(point).__name__
        raise TypeError(
            f"{name} expected a function and then a point, got {kinds[0]} and {kinds[1]}: write "
            f"{name}(f, [2.0, 3.0]) for f(x, y), or {name}(lambda: loss(), [x]) for a Value x"
        )
    operands = _operands(name, point)
    inputs = [named for i, operand in enumerate(operands) if (named := _named(operand, i))]
    arguments: list[Any] = []
    if not inputs:
        names = _names(f, len(operands))
        arguments = [_as_values(x, name, inputs) for x, name in zip(operands, names, strict=True)]
    elif len(inputs) < len(operands):
        raise TypeError("expected a point of numbers, or of Values, got both")
    _check_arguments(name, f, arguments)

    def outputs() -> list[Value]:
        result = f(*arguments)
        results = result if isinstance(result, list | tuple) else [result]
        for y in results:
            if not isinstance(y, Value | Real):
                raise TypeError(
                    f"{name} expected f to return a Value or a list of Values, "
                    f"got {type(y).__name__} ({y!r:.40})"
                )
        return [y if isinstance(y, Value) else Value(y) for y in results]

    return outputs, inputs


def _operands(name: str, point: Any) -> list[Any]:
    """The parts of a point."""
    if isinstance(point, Real):
        return [point]
    if not isinstance(point, Iterable):
        raise TypeError(
            f"{name} expected a point, a number or a list, got {type(point).__name__}: write "
            f"{name}(f, [2.0, 3.0]) for f(x, y), or {name}(lambda: loss(), [x]) for a Value x"
        )
    operands = list(point)
    if not operands:
        raise ValueError("expected a point of at least one number or Value, got none")
    return operands


def _check_arguments(name: str, f: Callable[..., Any], arguments: Sequence[Any]) -> None:
    """TypeError where `f` cannot be called with the parts of the point."""
    try:
        signature = inspect.signature(f)
    except (TypeError, ValueError):  # some builtins have none
        return
    try:
        signature.bind(*arguments)
    except TypeError as error:
        remedy = (
            f"several inputs are one list, {name}(f, [2.0, 3.0]), and a list among them is a list "
            f"in it, {name}(f, [2.0, [3.0, 4.0]])"
            if arguments
            else f"Values are moved in place and f takes nothing, {name}(lambda: f(x), [x])"
        )
        raise TypeError(
            f"{name} calls f with {len(arguments)} arguments, one for each part of a point of "
            f"numbers, and f{signature} does not take them ({error}): {remedy}"
        ) from None


def _named(operand: Any, index: int) -> Input | None:
    """The name and the Value of an operand that is moved in place; None for others."""
    match operand:
        case Value():
            name, x = operand.label or f"input {index}", operand
        case (str(name), Value() as x):
            pass
        case _:
            return None
    if x.op:
        raise ValueError(f"expected leaves, got the result of an operation ({x.op.name}): {name}")
    return name, x


def _names(f: Callable[..., Any], count: int) -> list[str]:
    """The names of the operands: those of the parameters of `f`, where it tells them."""
    try:
        parameters = list(inspect.signature(f).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    names = [p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
    return [*names[:count], *(f"input {i}" for i in range(len(names), count))]


def _as_values(operand: Any, name: str, inputs: list[Input]) -> Any:
    """An operand with a Value in place of each number; all of them join `inputs`."""
    if isinstance(operand, list | tuple):
        return [_as_values(part, f"{name}[{i}]", inputs) for i, part in enumerate(operand)]
    inputs.append((name, Value(operand)))
    return inputs[-1][1]


def single(outputs: Sequence[Value]) -> Value:
    """The only one of the results; ValueError where there are several."""
    if len(outputs) != 1:
        raise ValueError(f"expected a function with one result, got {len(outputs)} results")
    return outputs[0]
