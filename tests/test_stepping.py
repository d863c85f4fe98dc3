"""What a step makes small, and which rows it looks at."""

import random

import pytest
from trainings import DOUBLES, Slope, iris_net, numbers, small_iris

from engine.value import Value
from nn.data import Decision
from nn.loss import cross_entropy, mse
from nn.stepping import _aims, mean_loss
from nn.train import fit, stochastic_gradient_descent


def test_what_is_made_small_is_the_mean_of_the_losses_and_the_penalty():
    w = Value(2.0)
    for penalty, more in ((None, 0.0), (lambda model: w * 10.0, 20.0)):
        run = mean_loss(lambda x: w * x, mse, penalty)
        total, outputs = run([1.0, 2.0], [0.0, 0.0])
        assert total.data == (4.0 + 16.0) / 2 + more
        assert [output.data for output in outputs] == [2.0, 4.0]
        assert run([3.0], [0.0])[0].data == 36.0 + more


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


def test_a_run_that_goes_on_counts_the_points_from_where_it_was(tmp_path):
    data, settings = ([[1.0]] * 10, [1.0] * 10), {"lr": 0.1, "batch_size": 4}
    fit(Slope(), mse, data, steps=3, checkpoint=tmp_path / "run.json", **settings)
    history = fit(Slope(), mse, data, steps=6, resume=tmp_path / "run.json", **settings)
    assert history.points_seen == [4, 8, 10, 14, 18, 20]


def test_what_outputs_should_say_is_the_place_of_a_label():
    aims = _aims(Decision(range(2, 5), 0.5), [4, 2, 7])
    assert (list(aims.labels), aims.twice) == ([2, 0, -1], 1.0)


def test_the_whole_data_comes_in_its_own_order():
    assert drawn_by(fit, steps=2) == [*range(10), *range(10)]
    assert drawn_by(fit, steps=2, batch_size=99) == [*range(10), *range(10)]


def test_batches_with_replacement():
    assert len(drawn_by(fit, steps=7, batch_size=3, replacement=True)) == 21


@pytest.mark.some(2)
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
