"""The race: both ways start alike, and what they needed is counted in points looked at."""

import pytest

from nn.loss import mse
from nn.module import Neuron
from nn.racing import race
from nn.train import evaluate

LINE = [[-1.0], [0.0], [1.0]], [-1.0, 1.0, 3.0]


def ran(**settings):
    start = {"lr": 0.2, "steps": 60} | settings.get("gd", {})
    return race(
        lambda: Neuron(1, nonlin=False, seed=0), mse, LINE,
        goal=settings.get("goal", 0.01), gd=start, sgd={"lr": 0.2, "steps": 180},
    )  # fmt: skip


def test_the_points_needed_are_those_after_which_the_loss_is_below_the_goal():
    models, histories, needed = ran()
    for name, points in needed.items():
        assert points % len(LINE[0]) == 0
        assert points <= histories[name].points_seen[-1]
    before = ran(gd={"steps": needed["all points"] // len(LINE[0])}).models["all points"]
    assert evaluate(before, mse, LINE)[0] < 0.01
    earlier = ran(gd={"steps": needed["all points"] // len(LINE[0]) - 1}).models["all points"]
    assert evaluate(earlier, mse, LINE)[0] >= 0.01
    assert evaluate(models["all points"], mse, LINE)[0] < 1e-5


def test_a_way_that_never_gets_there_is_left_out():
    assert set(ran(gd={"steps": 2}).needed) == {"stochastic"}
    assert ran(goal=-1.0).needed == {}


def test_both_start_from_the_same_weights():
    _, histories, _ = ran()
    assert histories["all points"].loss[0] == pytest.approx(
        evaluate(Neuron(1, nonlin=False, seed=0), mse, LINE)[0]
    )
