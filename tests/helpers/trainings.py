"""Small trainings that several test files take."""

import pytest

from engine.replay import backends
from engine.value import Value
from nn.data import Dataset, iris, moons, standardise
from nn.module import MLP, Module

DOUBLES = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]  # y = 2x


class Slope(Module):
    """y = w * x"""

    def __init__(self, w=0.0):
        self.w = Value(w)

    def __call__(self, x):
        return self.w * x[0]


def available(backend):
    """Skips where a backend cannot run."""
    if backend in backends.NAMES:
        try:
            backends.backend(backend)
        except RuntimeError as reason:
            pytest.skip(str(reason))


def numbers(model):
    return [p.data for p in model.parameters()]


def small_iris():
    """30 scaled flowers, 10 of each species."""
    data, _ = standardise(iris())
    return data.pick(range(0, 150, 5))


def iris_net(seed=1):
    return MLP(4, [8, 3], "tanh", seed=seed)


def net_of(nin, *nouts, seed=0):
    return MLP(nin, nouts, "tanh", init="xavier", seed=seed)


def half_moons(n):
    """Two classes that no line parts."""
    xs, ys = moons(n, seed=0)
    return Dataset(xs, [int(y > 0) for y in ys], classes=("upper", "lower"))
