"""Whether somebody else says what a step is."""

import functools
import random

import pytest

from engine.value import Value
from nn.optim import SGD, Adam
from nn.overrides import is_ours, is_overridden, steps_of


def made(kind=SGD, **settings):
    return kind([Value(1.0)], lr=0.1, **settings)


class Stepping(SGD):
    def step(self):
        super().step()


class Taking(SGD):
    def take(self, moved, steps):
        super().take(moved, steps)


class Forgetting(SGD):
    def zero_grad(self):
        super().zero_grad()


class Wrapped(SGD):
    @functools.wraps(SGD.step)
    def step(self):
        super().step()


class Random(SGD):
    def rates(self, steps):
        return (random.random(), *super().rates(steps)[1:])


class Looking(SGD):
    def __getattribute__(self, name):
        return super().__getattribute__(name)


class Halved(SGD):
    def rates(self, steps):
        return (0.5 * self.lr, *super().rates(steps)[1:])


class Clipped(SGD):
    def moved(self, ps, gs, memory, rates):
        return super().moved(ps, [0.5 * g for g in gs], memory, rates)


@pytest.mark.parametrize("kind", [Stepping, Taking, Forgetting, Wrapped, Random, Looking])
def test_a_subclass_that_says_what_a_step_is(kind):
    assert is_overridden(made(kind))
    assert not is_ours(made(kind))


@pytest.mark.parametrize("kind", [SGD, Adam, Clipped])
def test_arithmetic_alone_is_replayed(kind):
    assert not is_overridden(made(kind))


@pytest.mark.parametrize("name", ["step", "take", "zero_grad", "moved"])
def test_an_instance_that_has_its_own(name):
    optimizer = made()
    before = steps_of(optimizer)
    object.__setattr__(optimizer, name, getattr(optimizer, name))
    assert is_overridden(optimizer)
    assert steps_of(optimizer) != before


def test_a_class_that_is_changed_later(monkeypatch):
    optimizer = made()
    before = steps_of(optimizer)
    monkeypatch.setattr(SGD, "step", lambda self: None)
    assert steps_of(optimizer) != before
    assert is_overridden(optimizer)
