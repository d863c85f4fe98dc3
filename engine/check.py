"""Checks derivatives against numbers found without them: small differences, the complex step.

The functions here take `f` and a `point`. A point of numbers, in nested lists where `f` wants them,
reaches `f` as Values: `f(x, [y, z])` for `[1.0, [2.0, 3.0]]`. A point of Values, or of pairs
(name, Value) as `model.named_parameters()` gives, is moved in place, and `f()` takes nothing.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from numbers import Real
from typing import Any

from engine.complexes import IMAGINARY, graphs_around, slope_by, slope_of_graphs
from engine.derivatives import jacobian
from engine.differences import (
    FINE,
    NOTHING,
    ROUNDING,
    doubt,
    estimates,
    kink_near,
    scales_of,
    sizes_of,
)
from engine.graph import toposort
from engine.number import number
from engine.points import Input, Outputs, prepared, single
from engine.value import Value

SURE = 0.01  # differences that may be off by a larger part of a slope do not tell its size
ASIDE = [7.3e-3 / 8**k for k in range(12)]  # steps to a neighbour; round ones might meet a kink
GOLDEN = 0.6180339887498949  # its multiples have fractions that are far from each other
NOUGHT = 1e-110  # what its square may leave of a slope that is 0


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
    outputs, inputs = prepared("check_grads", f, point)
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
    outputs, inputs = prepared("finite_difference", f, x)
    single(outputs())
    _check_repeats("finite_difference", outputs)
    slopes = [
        min((estimates(outputs, value, scale)[0] for scale in scales_of(value)), key=doubt)[1]
        for _, value in inputs
    ]
    return slopes[0] if isinstance(x, Real) else slopes


def complex_step(f: Callable[..., Any], x: Any) -> Any:
    """The derivative of `f` at `x`, right to the last digits: imag(f(x + ih)) / h for a tiny h.

    h is 1e-20, or 1e-20 of `x` where that is nearer to 0 than 1. `f` runs once; the rows of the
    graph that it made are evaluated again with complex numbers. A float for a number `x`; for a
    point of several inputs, the list of partial derivatives. Comparisons look at the real part.
    Raises NotImplementedError for erf, erfc, lgamma and what calls them. Source: Squire and Trapp,
    "Using complex variables to estimate derivatives of real functions", 1998.

    >>> complex_step(lambda x: x**3, 2.0)
    12.0
    """
    outputs, inputs = prepared("complex_step", f, x)
    order = toposort(single(outputs()))
    slopes = [slope_by(order, value, IMAGINARY) for _, value in inputs]
    return slopes[0] if isinstance(x, Real) else slopes


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


# --- what is exact beside what is found ---------------------------------------------------------


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
    found, scales = [NOTHING] * len(exact), scales_of(x)
    graphs = cache(lambda: graphs_around(outputs, x))
    for scale in scales:
        tried = estimates(outputs, x, scale)
        found = [min(pair, key=doubt) for pair in zip(found, tried, strict=True)]
        pairs = list(zip(exact, found, strict=True))
        judged = [_verdict(g, *estimate, tolerance) for g, estimate in pairs]
        wrong = [i for i, words in enumerate(judged) if words]
        if wrong and scale == scales[0] and (kink := kink_near(outputs, x, scale, wrong[0])):
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
    slope, paths = slope_of_graphs(graphs, x), sizes_of(order).get(x, 0.0)
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
