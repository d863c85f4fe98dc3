"""Checks derivatives against numbers found without them: small differences, the complex step.

The functions here take `f` and a `point`. A point of numbers, in nested lists where `f` wants them,
reaches `f` as Values: `f(x, [y, z])` for `[1.0, [2.0, 3.0]]`. A point of Values, or of pairs
(name, Value) as `model.named_parameters()` gives, is moved in place, and `f()` takes nothing.
"""

import cmath
import inspect
import math
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache, partial
from itertools import pairwise
from numbers import Real
from operator import mul
from typing import Any, cast

from engine import formula as formulas
from engine import ieee
from engine.derivatives import jacobian
from engine.number import number
from engine.op import Op, kept_by_row
from engine.value import Operand, Value, toposort

Input = tuple[str, Value]
Outputs = Callable[[], list[Value]]

NOTHING = (math.inf, math.nan)  # an estimate that knows no slope, with its error

STEPS = (1e-2, 1.25e-3, 1.5625e-4, 1.953125e-5)  # of the differences; each 8 times smaller
PROBE = 2.44140625e-6  # the step of one more slope, which may contradict the others
FINE = 1e-8  # of a large number: the size of steps that its rounding hardly changes
ROUNDING = 8 * sys.float_info.epsilon  # of a result, for each unit of its size
SURE = 0.01  # differences that may be off by a larger part of a slope do not tell its size
ASIDE = [7.3e-3 / 8**k for k in range(12)]  # steps to a neighbour; round ones might meet a kink
GOLDEN = 0.6180339887498949  # its multiples have fractions that are far from each other
IMAGINARY = 1e-20  # a part so small that its square vanishes
HIDDEN = 1e-60  # the same beside gradients that are far below the numbers on the way
NOUGHT = 1e-110  # what its square may leave of a slope that is 0

# What may jump at a kink, as weights of the values 0, 1 and 2 steps to a side.
JUMPS = {"value": (0.0, 1.0, 0.0), "slope": (-1.0, 1.0, 0.0), "curvature": (1.0, -2.0, 1.0)}


class GradientError(AssertionError):
    """A derivative that differs from what differences say."""


def check_grads(f: Callable[..., Any], point: Any, order: int = 2, tolerance: float = 1e-6) -> None:
    """Compares the derivatives of `f` up to `order` with central differences.

    `f` returns a Value or a list of Values. Raises GradientError (an AssertionError) for the first
    two numbers that differ by more than `tolerance` times the larger one plus the error of the
    differences: what rounding may do, and what steps of several sizes disagree about. Raises
    it too, saying "cannot tell", where that error is above `tolerance` and above 1% of the
    larger number. Where it is above 1% alone, rounding hides a gradient that is small beside
    the numbers on the way: the complex step decides then; where the graph is not all that `f`
    does with an input, as after a `detach()`, nothing does, unless the error is below
    `tolerance` times the size of the gradient (the products of slopes along all paths, added
    up without signs). The message names the input and says where a kink is near. For an order
    above 1 it does the same once more at a neighbouring point, up to one order less: a
    gradient that is right at the point alone has a wrong derivative. n inputs cost 13n to 29n
    calls of `f`; for order 2 twice as many, and 13n to 29n of its gradient. No step sees what
    `f` does within 2e-6 of an input (of a small input x: within 2e-6 x), or within 1e-11 of
    the size of a large one.

    Raises GradientError too where `f` gives other numbers at each call, TypeError and ValueError
    for what is no function, point, order or tolerance.

    >>> check_grads(lambda x, ys: x * ys[0] ** ys[1], [2.0, [3.0, 4.0]])
    >>> check_grads(lambda x: x.relu(), [1e-9])
    Traceback (most recent call last):
        ...
    engine.check.GradientError: d f / d x at x = 1e-09: the gradient says 1.0, differences say \
0.500000406; f has a kink near this point: the slope is 5.12e-05 to the left and 1 to the right; \
choose a point further away
    """
    outputs, inputs = _prepared("check_grads", f, point)
    if not isinstance(order, int) or isinstance(order, bool):
        raise TypeError(
            f"check_grads expected a whole number as order, got {order!r:.40}: several inputs are "
            f"one list, check_grads(f, [{point!r:.40}, {order!r:.40}])"
        )
    if order < 1:
        raise ValueError(f"check_grads expected an order of 1 or more, got {order}")
    if not number(tolerance) >= 0:
        raise ValueError(f"check_grads expected a tolerance of 0 or more, got {tolerance}")
    _check_repeats("check_grads", outputs)
    _check(outputs, inputs, order, tolerance)
    if order > 1:
        with _neighbour(outputs, [x for _, x in inputs]):
            _check(outputs, inputs, order - 1, tolerance)


def finite_difference(f: Callable[..., Any], x: Any) -> Any:
    """The derivative of `f` at `x` by central differences, extrapolated to a step of 0.

    A float for a number `x`; for a point of several inputs, the list of partial derivatives.

    >>> round(finite_difference(lambda x: x**3, 2.0), 8)
    12.0

    Raises ValueError for more than one result, GradientError where `f` gives other numbers at each
    call, TypeError for what is no function or no point.
    """
    outputs, inputs = _prepared("finite_difference", f, x)
    _single(outputs())
    _check_repeats("finite_difference", outputs)
    slopes = [
        min((_differences(outputs, value, scale)[0] for scale in _scales(value)), key=_doubt)[1]
        for _, value in inputs
    ]
    return slopes[0] if isinstance(x, Real) else slopes


def complex_step(f: Callable[..., Any], x: Any) -> Any:
    """The derivative of `f` at `x`, right to the last digits: imag(f(x + ih)) / h for a tiny h.

    h is 1e-20, or 1e-20 of `x` where that is nearer to 0 than 1. `f` runs once; the rows of the
    graph that it made are evaluated again with complex numbers. A float for a number `x`; for a
    point of several inputs, the list of partial derivatives. Comparisons look at the real part.
    Raises NotImplementedError for erf, erfc and gelu. Source: Squire and Trapp, "Using complex
    variables to estimate derivatives of real functions", 1998.

    >>> complex_step(lambda x: x**3, 2.0)
    12.0
    """
    outputs, inputs = _prepared("complex_step", f, x)
    order = toposort(_single(outputs()))
    slopes = [_slope_by(order, value, IMAGINARY) for _, value in inputs]
    return slopes[0] if isinstance(x, Real) else slopes


# --- points ---------------------------------------------------------------------------------------


def _prepared(name: str, f: Callable[..., Any], point: Any) -> tuple[Outputs, list[Input]]:
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


def _check_repeats(name: str, outputs: Outputs) -> None:
    """GradientError for a function that gives other numbers when it is asked twice."""
    first, second = ([y.data for y in outputs()] for _ in range(2))
    if repr(first) != repr(second):
        raise GradientError(
            f"{name}: f gives other numbers at each call, such as {first[0]} and {second[0]}: draw "
            "random numbers before it, or from a new random.Random(0) in it, and let it change "
            "nothing that it reads"
            if len(first) == len(second)
            else f"{name}: f gives other numbers at each call, {len(first)} and {len(second)}"
        )


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


def _single(outputs: Sequence[Value]) -> Value:
    if len(outputs) != 1:
        raise ValueError(f"expected a function with one result, got {len(outputs)} results")
    return outputs[0]


# --- differences ----------------------------------------------------------------------------------


def _check(outputs: Outputs, inputs: Sequence[Input], order: int, tolerance: float) -> None:
    """Raises GradientError for the first derivative that is wrong where the inputs are."""
    values = [x for _, x in inputs]
    count = len(outputs())
    names = ["f"] if count == 1 else [f"f[{i}]" for i in range(count)]
    for _ in range(order):
        slopes = _slopes(outputs, values)
        exact = [slope.data for slope in slopes()]
        for i, (name, x) in enumerate(inputs):
            questions = [f"d {y} / d {name} at {name} = {x.data}" for y in names]
            _compare(outputs, x, questions, exact[i :: len(inputs)], tolerance)
        outputs, names = slopes, [f"(d {y} / d {x})" for y in names for x, _ in inputs]


@contextmanager
def _neighbour(outputs: Outputs, inputs: Sequence[Value]) -> Iterator[None]:
    """Moves all inputs a little away from 0, each another way, to where the outputs are finite."""
    home = [x.data for x in inputs]
    try:
        for step in (*ASIDE, 0.0):
            for i, (x, data) in enumerate(zip(inputs, home, strict=True)):
                way = 1 + i * GOLDEN % 1
                x.data = data + math.copysign(step * way * max(1.0, FINE * abs(data)), data)
            if all(math.isfinite(y.data) for y in outputs()):
                break
        yield
    finally:
        for x, data in zip(inputs, home, strict=True):
            x.data = data


def _slopes(outputs: Outputs, inputs: Sequence[Value]) -> Outputs:
    """The partial derivatives of all outputs, as a function of nothing too."""
    return lambda: [slope for row in jacobian(outputs(), inputs) for slope in row]


def _compare(
    outputs: Outputs,
    x: Value,
    questions: Sequence[str],
    exact: Sequence[float],
    tolerance: float,
) -> None:
    """Raises GradientError where an exact derivative by `x` is not what differences say."""
    found, scales = [NOTHING] * len(exact), _scales(x)
    graphs = cache(lambda: _graphs(outputs, x))
    for scale in scales:
        tried = _differences(outputs, x, scale)
        found = [min(pair, key=_doubt) for pair in zip(found, tried, strict=True)]
        pairs = list(zip(exact, found, strict=True))
        judged = [_verdict(g, *estimate, tolerance) for g, estimate in pairs]
        wrong = [i for i, words in enumerate(judged) if words]
        if wrong and scale == scales[0] and (kink := _kink(outputs, x, scale, wrong[0])):
            g, (_, y) = pairs[wrong[0]]
            raise GradientError(f"{questions[wrong[0]]}: {_said(g, y)}{kink}")
        # That both are 0 tells nothing where the steps leave the part of f that is not flat.
        if all(_agree(g, y, tolerance) and (y or error <= tolerance) for g, (error, y) in pairs):
            break
    for i, (g, (error, y)) in enumerate(pairs):
        if not judged[i] and error > SURE * max(abs(g), abs(y)):
            judged[i] = _decided([made[i] for made in graphs()], x, (g, y, error), tolerance)
        if judged[i]:
            raise GradientError(f"{questions[i]}: {judged[i]}")


def _decided(
    graphs: Sequence[Value], x: Value, numbers: tuple[float, float, float], tolerance: float
) -> str:
    """Words where the complex step does not find the gradient that differences cannot see."""
    exact, found, error = numbers
    order = toposort(graphs[0])
    slope, paths = _complex_slope(graphs, x), _sizes(order).get(x, 0.0)
    if slope is None:
        return _hidden(exact, found, error) if error > tolerance * paths else ""
    rounding = ROUNDING * len(order) * paths
    # On a kink the complex step takes a side, which the differences contradict.
    if _agree(exact, slope, tolerance, rounding + NOUGHT) or abs(slope - found) > error:
        return ""
    return f"the gradient says {exact}, the complex step says {slope:.9g}"


def _agree(exact: float, found: float, tolerance: float, error: float = 0.0) -> bool:
    """Whether two numbers differ by no more than a part of the larger one, plus an error."""
    allowed = tolerance * max(abs(exact), abs(found)) + error
    return math.isfinite(exact) and abs(exact - found) <= allowed


def _said(exact: float, found: float) -> str:
    return f"the gradient says {exact}, differences say {found:.9g}"


def _hidden(exact: float, found: float, error: float) -> str:
    return (
        f"cannot tell: {_said(exact, found)}, which may be off by {error:.1g}; "
        "choose another point, or leave large constants out of f"
    )


def _verdict(exact: float, error: float, found: float, tolerance: float) -> str:
    """Words for a derivative that differs from the estimate, or whose estimate is too rough."""
    if not _agree(exact, found, tolerance, error):
        return _said(exact, found)
    if exact != found and error > max(SURE * abs(exact), SURE * abs(found), tolerance):
        return _hidden(exact, found, error)
    return ""


def _doubt(estimate: tuple[float, float]) -> tuple[float, float]:
    """What to sort estimates by, the surest first: the error relative to the slope, then itself."""
    error, slope = estimate
    return error / abs(slope) if error < abs(slope) else 1.0, error


def _scales(x: Value) -> list[float]:
    """The sizes of a change of `x` to try: that of the numbers around 1, then that of `x`."""
    size = abs(x.data) or 1.0
    return [max(1.0, FINE * size), max(size, 1e-150)]


def _differences(outputs: Outputs, x: Value, scale: float) -> list[tuple[float, float]]:
    """For each output, an estimate of the error of its derivative by `x`, and the derivative."""
    sizes = [_largest(y) for y in outputs()]
    slopes, roundings = [], []
    for step in _steps(outputs, x, scale):
        left, right = x.data - step, x.data + step
        sides = list(zip(_moved(outputs, x, left), _moved(outputs, x, right), strict=True))
        slopes.append([ieee.div(high - low, right - left) for low, high in sides])
        largest = [
            max(size, abs(low), abs(high)) for size, (low, high) in zip(sizes, sides, strict=True)
        ]
        roundings.append([ROUNDING * size / step for size in largest])
    return list(map(_extrapolated, zip(*slopes, strict=True), zip(*roundings, strict=True)))


def _largest(y: Value) -> float:
    """The size of the largest result on the way to `y`, as `y` sees it: each was rounded."""
    sizes = _sizes(toposort(y))
    seen = (size * abs(v.data) for v, size in sizes.items() if v.op)
    return max(filter(math.isfinite, seen), default=0.0)


def _sizes(order: Sequence[Value]) -> dict[Value, float]:
    """Of each value of a sorted graph the size of its paths: products of slopes, without signs."""
    sizes = dict.fromkeys(order, 0.0)
    sizes[order[-1]] = 1.0
    for v in reversed(order):
        size = sizes[v]
        if v.op and size:
            for parent, slope in zip(v.parents, v.partials, strict=True):
                if slope:  # neither 0, through which nothing goes, nor that of a constant
                    sizes[cast(Value, parent)] += size * abs(slope)
    return sizes


def _extrapolated(slopes: Sequence[float], roundings: Sequence[float]) -> tuple[float, float]:
    """The error and the value of the slope for a step of 0.

    Ridders' method: the slopes for smaller and smaller steps, extrapolated as a polynomial in
    step ** 2; the best of all extrapolations is the one that differs least from those it was made
    of, and from the slope for the last step, rounding included. That step takes no other part: it
    tells where the others are too large to see what `f` does.
    """
    best = NOTHING
    former: list[float] = []
    *slopes, probe = slopes
    *roundings, blur = roundings
    for slope, rounding in zip(slopes, roundings, strict=True):
        latest = [slope]
        for k, coarse in enumerate(former):
            fine = latest[k]
            better = fine + (fine - coarse) / ((STEPS[0] / STEPS[1]) ** (2 * k + 2) - 1)
            latest.append(better)
            error = 2 * max(abs(better - coarse), abs(better - fine)) + rounding
            missed = abs(better - probe)
            if missed > blur:
                error += missed
            best = min(best, (error, better))
        former = latest
    return best


def _steps(outputs: Outputs, x: Value, scale: float) -> list[float]:
    """The steps to take, and that of the probe."""
    steps = _inside(outputs, x, scale)
    return [*steps, min(PROBE * min(_scales(x)), steps[-1] / 8)]


def _inside(outputs: Outputs, x: Value, scale: float) -> list[float]:
    """The steps to take, small enough to stay where the outputs are finite."""
    for _ in range(12):
        step = STEPS[0] * scale
        sides = (_moved(outputs, x, x.data + side) for side in (-step, step))
        if all(math.isfinite(y) for side in sides for y in side):
            break
        scale *= STEPS[1] / STEPS[0]
    return [step * scale for step in STEPS]


@contextmanager
def _at(x: Value, data: float) -> Iterator[None]:
    """Inside, the number of `x` is `data`; afterwards it is what it was."""
    home = x.data
    x.data = data
    try:
        yield
    finally:
        x.data = home


def _moved(outputs: Outputs, x: Value, data: float) -> list[float]:
    """The numbers of the outputs where that of `x` is `data`."""
    with _at(x, data):
        return [y.data for y in outputs()]


def _aside(outputs: Outputs, x: Value, side: float, index: int) -> list[float]:
    """An output where `x` is, and 1 and 2 steps to a side."""
    return [_moved(outputs, x, x.data + k * side)[index] for k in range(3)]


def _kink(outputs: Outputs, x: Value, scale: float, index: int) -> str:
    """Words for a kink near `x`: what does not get closer on its two sides as steps shrink."""
    steps = _inside(outputs, x, scale)[-3:]
    sides = [[(side, _aside(outputs, x, side, index)) for side in (-step, step)] for step in steps]
    for power, (name, weights) in enumerate(JUMPS.items()):
        found = [
            [
                ieee.div(sum(map(mul, weights, values)), ieee.pow(side, power)) + 0.0  # no -0.0
                for side, values in both
            ]
            for both in sides
        ]
        (left, right), gaps = found[-1], [abs(right - left) for left, right in found]
        size = max(abs(y) for _, values in sides[-1] for y in values)
        blur = 1e-3 * max(abs(left), abs(right)) + ieee.div(
            ROUNDING * size, ieee.pow(steps[-1], power)
        )
        if gaps[-1] > blur and all(0.5 * g < h < 2 * g for g, h in pairwise(gaps)):
            return (
                f"; f has a kink near this point: the {name} is {left:.3g} to the left and "
                f"{right:.3g} to the right; choose a point further away"
            )
    return ""


# --- the complex step -----------------------------------------------------------------------------


def _graphs(outputs: Outputs, x: Value) -> list[list[Value]]:
    """The outputs where `x` is, and a small step to both sides."""
    step = _steps(outputs, x, _scales(x)[0])[-1]
    made = [outputs()]
    for data in (x.data - step, x.data + step):
        with _at(x, data):
            made.append(outputs())
    return made


def _complex_slope(graphs: Sequence[Value], x: Value) -> float | None:
    """The derivative of an output by `x`; None where its graph does not tell it.

    It does not where a constant or a leaf of it is another one when `x` moves: a number that left
    the graph, as by `detach()`.
    """
    home, *sides = (_constants(y, x) for y in graphs)
    if any(side != home for side in sides):
        return None
    try:
        slope = _slope_by(toposort(graphs[0]), x, HIDDEN, with_rules=True)
    except (ArithmeticError, ValueError):  # cmath has no inf where a number is too large
        return None
    return slope if math.isfinite(slope) else None


def _constants(y: Value, x: Value) -> list[object]:
    """The operations below `y` with their constants, and the leaves but `x`."""
    return [
        (v.op, [p for p in v.parents if type(p) is float]) if v.op else v.data
        for v in toposort(y)
        if v is not x
    ]


def _slope_by(order: Iterable[Value], x: Value, step: float, with_rules: bool = False) -> float:
    """The derivative of the last value of a sorted graph by `x`."""
    step *= min(1.0, abs(x.data) or 1.0)
    numbers: dict[Operand, complex] = {}
    for v in order:
        if v.op is None:
            numbers[v] = complex(v.data, step if v is x else 0.0)
        elif math.isnan(v.data):  # cmath goes on where real functions end
            numbers[v] = complex(v.data, v.data)
        else:
            operands = [numbers[p] if isinstance(p, Value) else complex(p) for p in v.parents]
            numbers[v] = _row(v.op, with_rules, *v.op.arguments(operands))
    return numbers[v].imag / step


def _row(op: Op, with_rules: bool, *arguments: Any) -> complex:
    return _compiled(op, with_rules)(*arguments)


@kept_by_row
def _compiled(op: Op, with_rules: bool) -> Callable[..., complex]:
    """A row's formula as a function of complex numbers."""
    rows = {name: partial(_row, row, with_rules) for name, row in op.callees.items()}
    text = f"lambda {op.variables}: {formulas.generic(op.formula)}"
    names = {**rows, **COMPLEX, **(RULES if with_rules else {})}
    return eval(text, names)  # type: ignore[no-any-return]


def _abs(x: complex) -> complex:
    return -x if x.real < 0 else x


def _expm1(x: complex) -> complex:
    return complex(math.expm1(x.real), math.exp(x.real) * x.imag)


def _log1p(x: complex) -> complex:
    return complex(math.log1p(x.real), x.imag / (1 + x.real))


def _pow(x: complex, y: complex) -> complex:
    if x.real < 0 and y.imag == 0 and y.real == round(y.real):  # a power without a logarithm
        return _pow(-x, y) * (1 - 2 * math.fmod(abs(y.real), 2))
    return x**y


def _fsum(xs: Sequence[complex]) -> complex:
    return complex(ieee.fsum([x.real for x in xs]), ieee.fsum([x.imag for x in xs]))


def _logsumexp(xs: Sequence[complex]) -> complex:
    top = max(xs, key=lambda x: x.real)
    return top + cmath.log(_fsum([cmath.exp(x - top) for x in xs]))


def _no_complex_form(x: complex) -> complex:
    raise NotImplementedError(
        "complex_step has no complex erf, erfc and gelu: use finite_difference"
    )


def _by_rule(f: Callable[[float], float], slope: float) -> Callable[[complex], complex]:
    return lambda x: complex(f(x.real), slope * math.exp(-x.real * x.real) * x.imag)


# For numbers with a tiny imaginary part alone, and with a slope that is known: no part of what
# `complex_step` promises, but another text than that of the row.
RULES = {
    "erf": _by_rule(math.erf, 2 / math.sqrt(math.pi)),
    "erfc": _by_rule(math.erfc, -2 / math.sqrt(math.pi)),
}
COMPLEX: dict[str, Callable[..., Any]] = {
    **{name: getattr(cmath, name) for name in ieee.FUNCTIONS if hasattr(cmath, name)},
    "abs": _abs,
    "div": lambda x, y: x / y,
    "erf": _no_complex_form,
    "erfc": _no_complex_form,
    "expm1": _expm1,
    "fsum": _fsum,
    "inner": ieee.inner,
    "log1p": _log1p,
    "logsumexp": _logsumexp,
    "pow": _pow,
    "_key": lambda x: x.real,
}
