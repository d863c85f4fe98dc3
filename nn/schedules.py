"""Schedules of the learning rate: functions of a step's number."""

import math
from collections.abc import Callable

from nn.checks import size

Schedule = Callable[[int], float]


def constant(lr: float) -> Schedule:
    """The same learning rate at every step.

    >>> constant(0.1)(7)
    0.1
    """
    return lambda step: lr


def linear(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """A straight line from `lr` at step 0 to `final` at `steps`, `final` from there on.

    >>> linear(1.0, 4)(1)
    0.75
    """
    size("steps", steps)

    def at(step: int) -> float:
        t = _share(step, steps)
        return (1 - t) * lr + t * final

    return at


def cosine(lr: float, steps: int, final: float = 0.0) -> Schedule:
    """Half a cosine wave from `lr` at step 0 down to `final` at `steps`, `final` from there on.

    >>> cosine(1.0, 4)(4)
    0.0
    """
    size("steps", steps)

    def at(step: int) -> float:
        return final + (lr - final) * (1 + math.cos(math.pi * _share(step, steps))) / 2

    return at


def step(lr: float, every: int, factor: float = 0.1) -> Schedule:
    """Stairs: `lr`, multiplied by `factor` after every `every` steps.

    >>> step(1.0, every=10, factor=0.5)(20)
    0.25
    """
    size("steps", every)
    return lambda step: lr * factor ** (max(step, 0) // every)


def _share(step: int, steps: int) -> float:
    """How much of the way is gone: 0 before the first step, 1 after the last."""
    return min(max(step / steps, 0.0), 1.0)
