"""Looks at other data, and an early stop."""

import math

import pytest

from engine import backends
from engine.value import Value
from nn.data import iris, split, standardise
from nn.loss import cross_entropy, mse
from nn.module import MLP, Module
from nn.train import evaluate, fit

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


def small_iris():
    """30 scaled flowers, 10 of each species."""
    data, _ = standardise(iris())
    return data.pick(range(0, 150, 5))


def iris_net(seed=1):
    return MLP(4, [8, 3], "tanh", seed=seed)


# --- validation and early stop ---------------------------------------------------------------


def test_validation_stands_at_the_end_of_each_pass():
    history = fit(Slope(), mse, DOUBLES, lr=0.01, steps=5, batch_size=2, validation=([[1.0]], [2]))
    assert [loss is None for loss in history.validation_loss] == [True, False, True, False, False]


def test_the_validation_loss_is_that_after_the_step():
    model = iris_net()
    first, second = split(small_iris(), 0.5)
    history = fit(model, cross_entropy, first, steps=3, lr=0.1, validation=second)
    loss, accuracy = evaluate(model, cross_entropy, second)
    assert history[-1].validation_loss == loss
    assert history[-1].validation_accuracy == accuracy


@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_losses_too_large_to_add_are_infinite_together(backend):
    available(backend)
    model, data = Slope(0.5), ([[1.8e154]] * 4, [0.0] * 4)
    assert evaluate(model, mse, data) == (math.inf, None)
    history = fit(model, mse, DOUBLES, lr=1e-3, steps=2, validation=data, backend=backend)
    assert history.validation_loss == [math.inf] * 2
    history.loss[:] = [1e308, 1e308]
    assert history.start_and_end() == (1e308, 1e308)
    history.seconds[:] = [1e308, 1e308]
    assert "; inf s; " in str(history)


def test_early_stop_goes_back_to_the_lowest_loss():
    # training pulls w to 2, validation wants 1: its loss falls, then rises
    seen = []
    model = Slope()
    history = fit(
        model,
        mse,
        DOUBLES,
        lr=0.002,
        steps=1000,
        validation=([[1.0]], [1.0]),
        early_stop=3,
        callbacks=[lambda step: seen.append(model.w.data)],
    )
    losses = history.validation_loss
    best = losses.index(min(losses))
    assert history.ended == "early stop"
    assert (len(history), history.kept) == (best + 1 + 3, best)
    assert model.w.data == seen[best] == pytest.approx(1, abs=0.02)


def test_without_early_stop_the_last_parameters_stay():
    model = Slope()
    history = fit(model, mse, DOUBLES, lr=0.1, steps=100, validation=([[1.0]], [1.0]))
    assert model.w.data == pytest.approx(2)
    assert history.kept is None
