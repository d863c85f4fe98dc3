"""Looks at other data, and an early stop."""

import math

import pytest
from trainings import DOUBLES, Slope, available, iris_net, small_iris

from engine.replay import backends
from nn.data import split
from nn.loss import cross_entropy, mse
from nn.train import evaluate, fit

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
