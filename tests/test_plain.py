import functools
import math
from math import cos
from types import SimpleNamespace

import pytest

from engine.value import Value
from nn.optim import SGD, Adam, constant, cosine, linear, step
from nn.plain import is_arithmetic

START, STAIRS, WEIGHTS, BOX = 0.1, (0.1, 0.01), [Value(1.0)], SimpleNamespace(k=0.1)


def warm(step, most=10):
    return min(1.0, (step + 1) / most)


def at(**variables):
    """A function that reads a variable of its closure."""
    (thing,) = variables.values()
    return lambda step: thing


def counted():
    count = 0

    def rate(step):
        nonlocal count
        count += 1
        return 0.1 / count

    return rate


def with_import(step):
    from nn import optim

    return optim.START


@functools.lru_cache
def cached(step):
    return 0.1


def sees(step):
    return WEIGHTS[0].data


PLAIN = {
    "own constant": constant(0.1),
    "own cosine": cosine(0.1, 10),
    "own linear": linear(0.1, 10),
    "own stairs": step(0.1, 10),
    "a line": lambda step: START * (1 - step / 1000),
    "a wave": lambda step: START * (1 + math.cos(math.pi * step / 100)) / 2,
    "a function of math": lambda step: 0.1 * cos(step),
    "another function": lambda step: START * warm(step),
    "a recursive one": (fall := lambda step: 0.1 if step < 1 else 0.9 * fall(step - 1)),
    "a default": warm,
    "a tuple": lambda step: STAIRS[step > 10],
    "a comprehension": lambda step: sum(0.1 for _ in range(step)),
    "a closure": at(rate=0.1),
}
SEES = {
    "a list": lambda step: WEIGHTS[0],
    "an object": lambda step: BOX.k,
    "a closure": at(rate=Value(0.1)),
    "a model": at(rate=BOX),
    "it counts": counted(),
    "an import": with_import,
    "globals": lambda step: globals()["BOX"],
    "getattr": lambda step: getattr(warm, "__globals__"),  # noqa: B009 (a function that people write)
    "a hidden name": lambda step: warm.__globals__["WEIGHTS"],
    "a text that is run": lambda step: eval("WEIGHTS")[0],
    "a print": lambda step: print(step) or 0.1,
    "an unknown name": lambda step: nowhere,  # noqa: F821 (a name that is not there)
    "a function that sees": lambda step: 0.1 * sees(step),
    "a partial": functools.partial(warm, most=WEIGHTS),
    "a cache": cached,
    "a default": lambda step, box=BOX: box.k,
    "an object that is called": BOX,
}


@pytest.mark.parametrize("name", PLAIN)
def test_arithmetic_cannot_see_values(name):
    assert is_arithmetic(PLAIN[name])


@pytest.mark.parametrize("name", SEES)
def test_what_can_see_values(name):
    assert not is_arithmetic(SEES[name])


def test_it_is_asked_anew():
    box = [0.1]
    variable = at(rate=0.1)
    assert is_arithmetic(variable)
    variable.__closure__[0].cell_contents = box
    assert not is_arithmetic(variable)


class Warm(Adam):
    warm = 10
    gentle = property(lambda self: self.lr / 2)

    @staticmethod
    def part(steps, most):
        return min(1.0, steps / most)

    def rates(self, steps):
        rate, *others = super().rates(steps)
        return rate * self.part(steps, self.warm) + 0 * self.gentle, *others


class Shrunk(Warm):
    gentle = property(lambda self: sum(p.data for p in self.parameters))


class Counted(SGD):
    def rates(self, steps):
        self.calls = steps
        return super().rates(steps)


class Older(Counted):
    def rates(self, steps):
        return super().rates(steps)


@pytest.mark.parametrize(
    ("kind", "expected"), [(Adam, True), (Warm, True), (Shrunk, False), (Older, False)]
)
def test_a_method_may_read_settings(kind, expected):
    optimizer = kind([Value(1.0)], lr=0.1)
    assert is_arithmetic(kind.rates, optimizer) is expected


def test_a_setting_with_the_name_of_a_function_of_math_is_looked_at():
    class Odd(SGD):
        gamma = property(lambda self: self.parameters[0].data)

        def rates(self, steps):
            return self.gamma, *super().rates(steps)[1:]

    assert not is_arithmetic(Odd.rates, Odd([Value(1.0)], lr=0.1))
