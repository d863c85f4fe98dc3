"""Which rows a step looks at."""

import random

import pytest
from trainings import DOUBLES, Slope, iris_net, numbers, small_iris

from nn.loss import cross_entropy, mse
from nn.train import fit, stochastic_gradient_descent

# --- batches ---------------------------------------------------------------------------------


def drawn_by(train, n=10, **settings):
    """Which of n points the loss was asked for, in order; the trial before the start is undone."""
    drawn = []

    def loss(prediction, y):
        drawn.append(y)
        return (prediction - y) ** 2

    data = [[1.0]] * n, [float(i) for i in range(n)]
    train(Slope(), loss, data, lr=1e-6, backend="eager", **settings)
    return drawn


def test_every_pass_shows_every_point_once():
    drawn = drawn_by(fit, epochs=3, batch_size=4)
    passes = [drawn[i : i + 10] for i in (0, 10, 20)]
    assert [sorted(points) for points in passes] == [list(range(10))] * 3
    assert passes[0] != passes[1] != passes[2]


def test_the_last_batch_of_a_pass_may_be_smaller():
    history = fit(Slope(), mse, ([[1.0]] * 10, [1.0] * 10), lr=0.1, epochs=2, batch_size=4)
    assert history.points_seen == [4, 8, 10, 14, 18, 20]


def test_the_whole_data_comes_in_its_own_order():
    assert drawn_by(fit, steps=2) == [*range(10), *range(10)]
    assert drawn_by(fit, steps=2, batch_size=99) == [*range(10), *range(10)]


def test_batches_with_replacement():
    assert len(drawn_by(fit, steps=7, batch_size=3, replacement=True)) == 21


@pytest.mark.parametrize("settings", [{"batch_size": 4}, {"batch_size": 4, "replacement": True}])
def test_a_seed_fixes_every_number(settings):
    def run(seed):
        model = iris_net()
        history = fit(model, cross_entropy, small_iris(), steps=20, lr=0.1, seed=seed, **settings)
        return history.loss, numbers(model)

    assert run(3) == run(3) != run(4)


def test_training_leaves_the_global_generator_alone():
    random.seed(8)
    expected = random.random()
    random.seed(8)
    stochastic_gradient_descent(Slope(), mse, DOUBLES, lr=0.01, steps=5)
    assert random.random() == expected
