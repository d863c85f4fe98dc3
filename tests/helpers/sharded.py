"""Models and losses that workers can import, for tests of shards."""

import random
from functools import partial

from engine.elementary import tanh
from engine.value import Value
from nn.loss import cross_entropy, mse
from nn.module import Module, Neuron

SCALE = [1.0]  # tests set it, and workers do not hear of that
TOLD = Value(0.5)  # a Value of a module: workers have one of their own


class Line(Module):
    """y = factor * (w * x + b)"""

    def __init__(self):
        self.w, self.b, self.factor = Value(0.3), Value(-0.2), 1.0

    def __call__(self, x):
        return (self.w * x[0] + self.b) * self.factor


class Frozen(Line):
    """Beside what is learned a Value that is set by hand."""

    def __init__(self):
        super().__init__()
        self.gain = Value(2.0)

    def __call__(self, x):
        return super().__call__(x) * self.gain


class Letters(Module):
    """A row of Values for each letter: a batch reads those of its letters alone."""

    def __init__(self, letters):
        rng = random.Random(1)
        self.table = [[Value(rng.uniform(-1, 1)) for _ in range(2)] for _ in range(letters)]
        self.out = Neuron(2, nonlin=False, seed=1)

    def __call__(self, x):
        return self.out([tanh(z) for z in self.table[x[0]]])


class Built(Line):
    """A layer that is built by the first call."""

    layer = None

    def __call__(self, x):
        if self.layer is None:
            self.layer = Neuron(1, nonlin=False, init=0.0)
        return super().__call__(x) + self.layer(x)


class Counting(Line):
    """Counts its calls, and says so."""

    calls = 0

    def __call__(self, x):
        self.calls += 1
        return super().__call__(x) * self.calls


class Keeping(Line):
    """Keeps its last output."""

    def __call__(self, x):
        self.last = super().__call__(x)
        return self.last


class Noisy(Line):
    """Draws random numbers."""

    def __call__(self, x):
        return super().__call__(x) + random.random()


class Unlike(Line):
    """Is another function for small outputs than for large ones."""

    def __call__(self, x):
        y = super().__call__(x)
        return y * y if y < 0 else y * 3.0


def scaled(output, y):
    return mse(output, y) * SCALE[0]


def rarely_scaled(output, y):
    return cross_entropy(output, y) * (SCALE[0] if y == 1 else 1.0)


class Rare:
    """A loss whose factor of one class stands two objects away."""

    def __init__(self):
        self.inner = Inner()

    def __call__(self, output, y):
        loss = cross_entropy(output, y)
        return loss * self.inner.factor() if y == 1 else loss


class Inner:
    """A number behind a method."""

    def __init__(self):
        self.number = 1.0

    def factor(self):
        return self.number


def told(output, y):
    return mse(output, y) * TOLD


def weighed(weight, output, y):
    return mse(output, y) * weight


def half():
    return partial(weighed, 0.5)


def set_scale(scale):
    """For the workers of a pool, when they begin."""
    SCALE[0] = scale
