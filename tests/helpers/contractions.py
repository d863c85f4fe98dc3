"""Sums of products at random, and what a plain loop makes of them."""

import operator
import random
from collections.abc import Sequence
from math import prod

from engine.replay.backends.contraction import Machine
from engine.replay.views import View

Case = tuple[Machine, View, list[View], list[View], str]


def steps(draw: random.Random, lengths: Sequence[int], keep: float) -> tuple[int, ...]:
    """Steps along the axes in any order; none along some."""
    found, size = [0] * len(lengths), draw.choice([1, 1, 3])
    for k in draw.sample(range(len(lengths)), len(lengths)):
        if draw.random() < keep:
            found[k] = size
            size *= lengths[k]
    return tuple(found)


def case(draw: random.Random) -> Case:
    lengths = [draw.choice([1, 2, 3, 5, 8, 9, 17, 40]) for _ in range(draw.randint(1, 3))]
    if draw.random() < 0.3:
        lengths.append(draw.choice([1, 2, 7, 30]))
    shape = tuple(lengths)

    def array(name: str, keep: float) -> View:
        return View(name, 0, shape, steps(draw, lengths, keep))

    result = array("z", 0.6)
    factors = [array(name, 0.7) for name in "xy"[: draw.randint(1, 2)]]
    starts = [array(f"b{k}", 0.8) for k in range(draw.randint(0, 2))]
    rows = [bool(step) for step in result.strides]
    starts = [b._replace(strides=tuple(map(operator.mul, b.strides, rows))) for b in starts]
    machine = Machine(draw.choice([2, 4, 8]), draw.choice([10, 20]))
    return machine, result, factors, starts, draw.choice(["=", "+="])


def summed(
    draw: random.Random,
    result: View,
    factors: Sequence[View],
    starts: Sequence[View],
    assign: str,
) -> tuple[dict[str, list[float]], list[float], list[float]]:
    """Numbers for each memory, the result that they have, and how far rounding may take it.

    A sum of n terms is off by at most n * 2**-53 times the sum of their sizes; so are both of two.
    """
    arrays = {
        view.memory: [draw.uniform(-1, 1) for _ in range(max(view.places()) + 1)]
        for view in (result, *factors, *starts)
    }
    want = list(arrays[result.memory])
    outer = tuple(n if s else 1 for n, s in zip(result.shape, result.strides, strict=True))
    first = {v.memory: v._replace(shape=outer).places() for v in (result, *starts)}
    for row in range(prod(outer)):
        start = sum(arrays[b.memory][first[b.memory][row]] for b in starts)
        at = first[result.memory][row]
        want[at] = start if assign == "=" else want[at] + start
    sizes = [abs(x) + 2.0 for x in want]  # of two starts, each of 1 at most
    of = {view.memory: view.places() for view in (result, *factors)}
    for i in range(prod(result.shape)):
        product = prod(arrays[v.memory][of[v.memory][i]] for v in factors)
        want[of[result.memory][i]] += product
        sizes[of[result.memory][i]] += abs(product)
    terms = prod(result.shape) // prod(outer) + 3
    return arrays, want, [2 * terms * 2**-53 * size for size in sizes]


def check_sums(found: Sequence[float], want: Sequence[float], off: Sequence[float]) -> None:
    """Each number is that which is wanted, but for what rounding may take it off."""
    for k, (x, y, most) in enumerate(zip(found, want, off, strict=True)):
        assert abs(x - y) <= most, (k, x, y, most)
