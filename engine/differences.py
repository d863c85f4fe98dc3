"""Slopes by small steps: central differences, extrapolated, with an estimate of their error."""

import math
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from operator import mul
from typing import cast

from engine import ieee
from engine.graph import toposort
from engine.points import Outputs
from engine.value import Value, data_of

NOTHING = (math.inf, math.nan)  # an estimate that knows no slope, with its error

STEPS = (1e-2, 1.25e-3, 1.5625e-4, 1.953125e-5)  # of the differences; each 8 times smaller
PROBE = 2.44140625e-6  # the step of one more slope, which may contradict the others
FINE = 1e-8  # of a large number: the size of steps that its rounding hardly changes
ROUNDING = 8 * sys.float_info.epsilon  # of a result, for each unit of its size

# What may jump at a kink, as weights of the values 0, 1 and 2 steps to a side.
JUMPS = {"value": (0.0, 1.0, 0.0), "slope": (-1.0, 1.0, 0.0), "curvature": (1.0, -2.0, 1.0)}


def doubt(estimate: tuple[float, float]) -> tuple[float, float]:
    """The error of an estimate, as a part of it where it is the smaller one; then itself."""
    error, slope = estimate
    return error / abs(slope) if error < abs(slope) else 1.0, error


def scales_of(x: Value) -> list[float]:
    """The sizes of a change of `x` to try: that of the numbers around 1, then that of `x`."""
    size = abs(x.data) or 1.0
    return [max(1.0, FINE * size), max(size, 1e-150)]


def estimates(outputs: Outputs, x: Value, scale: float) -> list[tuple[float, float]]:
    """For each output, an estimate of the error of its derivative by `x`, and the derivative."""
    sizes = [_largest(y) for y in outputs()]
    slopes, roundings = [], []
    for step in steps_of(outputs, x, scale):
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
    sizes = sizes_of(toposort(y))
    seen = (size * abs(v.data) for v, size in sizes.items() if v.op)
    return max(filter(math.isfinite, seen), default=0.0)


def sizes_of(order: Sequence[Value]) -> dict[Value, float]:
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


def steps_of(outputs: Outputs, x: Value, scale: float) -> list[float]:
    """The steps to take, and that of the probe."""
    steps = _inside(outputs, x, scale)
    return [*steps, min(PROBE * min(scales_of(x)), steps[-1] / 8)]


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
def at(x: Value, data: float) -> Iterator[None]:
    """Inside, `x` is `data`."""
    home = x.data
    x.data = data
    try:
        yield
    finally:
        x.data = home


def _moved(outputs: Outputs, x: Value, data: float) -> list[float]:
    """The outputs where `x` is `data`."""
    with at(x, data):
        return list(map(data_of, outputs()))


def _aside(outputs: Outputs, x: Value, side: float, index: int) -> list[float]:
    """An output where `x` is, and 1 and 2 steps to a side."""
    return [_moved(outputs, x, x.data + k * side)[index] for k in range(3)]


def kink_near(outputs: Outputs, x: Value, scale: float, index: int) -> str:
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
