import math
from functools import partial

import pytest

from nn.data import Dataset, iris, moons, split, standardise
from nn.loss import cross_entropy
from nn.module import MLP
from nn.optim import SGD
from nn.recipe import (
    ENOUGH,
    OPTIMIZERS,
    RECIPES,
    SCHEDULES,
    bending,
    parts,
    recipe_for,
    straighten,
    train_by,
)
from nn.train import fit


def net_of(nin, *nouts, seed=0):
    return MLP(nin, nouts, "tanh", init="xavier", seed=seed)


def half_moons(n):
    xs, ys = moons(n, seed=0)
    return Dataset(xs, [int(y > 0) for y in ys], classes=("upper", "lower"))


def test_rows_decide_whether_some_are_held_out():
    few, enough = recipe_for(ENOUGH - 1), recipe_for(ENOUGH)
    assert (few.hold_out, few.decay > 0) == (0, True)
    assert (enough.hold_out, enough.decay) == (0.2, 0)
    assert recipe_for(10_000, "sgd").hold_out == 0
    assert recipe_for(40_000).hold_out == 0.05  # 2,000 rows
    assert recipe_for(40_000, hold_out=0.5).hold_out == 0.5


def test_each_optimizer_has_its_recipes_and_each_recipe_a_schedule():
    assert {name for name, _ in RECIPES} == set(OPTIMIZERS)
    assert all((name, is_enough) in RECIPES for name in OPTIMIZERS for is_enough in (False, True))
    assert {recipe.schedule for recipe in RECIPES.values()} <= set(SCHEDULES)
    assert all(recipe.optimizer == name for (name, _), recipe in RECIPES.items())


def test_wishes_take_the_place_of_the_recipe():
    wished = recipe_for(50, "adam", lr=0.5, steps=7, batch=None)
    assert (wished.lr, wished.steps, wished.batch) == (0.5, 7, 64)
    assert recipe_for(50, hold_out=0.3).hold_out == 0.3
    assert recipe_for(50, hold_out=0.3).decay == 0  # as for enough rows
    assert recipe_for(5000, hold_out=0.0).decay > 0


def test_a_share_that_leaves_nothing_is_refused():
    with pytest.raises(ValueError, match=r"--hold-out 0\.2 of 2 rows leaves none .* --hold-out 0$"):
        parts(recipe_for(2, hold_out=0.2), iris().pick([0, 1]), seed=0)


def test_a_net_made_straight_is_a_line_to_one_part_in_a_hundred():
    net = net_of(2, 16, 16, 1)
    bent = [net([x, 0.0]).data for x in (-1.0, 0.0, 1.0)]
    straighten(net)
    low, middle, high = (net([x, 0.0]).data for x in (-1.0, 0.0, 1.0))
    assert abs(low + high - 2 * middle) < 0.01 * abs(high - low)
    assert abs(bent[0] + bent[2] - 2 * bent[1]) < 1e-12  # as it is odd; further out it is none
    assert net([3.0, 0.0]).data == pytest.approx(3 * high, rel=0.02)


def test_sgd_is_as_it_was():
    """The way of those who learn how descent works: a point at a time, at one rate."""
    rows = standardise(iris())[0]
    by_recipe, by_hand = net_of(4, 3, 3), net_of(4, 3, 3)
    recipe = recipe_for(150, "sgd", steps=40)
    history = train_by(recipe, by_recipe, cross_entropy, rows, 5, backend="python")
    optimizer = SGD(by_hand.parameters(), lr=0.05)
    settings = {"batch_size": 1, "seed": 5, "backend": "python"}
    other = fit(by_hand, cross_entropy, rows, steps=40, optimizer=optimizer, **settings)
    assert history.loss == other.loss
    assert by_recipe.state_dict() == by_hand.state_dict()


def test_what_is_held_out_stops_the_training_and_is_not_learned_from():
    rows = half_moons(400)
    net, recipe = net_of(2, 8, 2), recipe_for(400, steps=600)
    history = train_by(recipe, net, cross_entropy, rows, 0, backend="numpy")
    looks = [loss for loss in history.validation_loss if loss is not None]
    assert math.ceil(len(history) / 5) == len(looks)  # 320 rows are 5 batches of 64
    learning, held_out = parts(recipe, rows, 0)
    assert (len(learning.xs), len(held_out.xs)) == (320, 80)
    assert held_out == split(rows, 0.8, seed=0)[1]
    assert history.points_seen[-1] == 64 * len(history)


def test_what_bends_costs():
    net = MLP(1, [2, 1], init=0.0)
    net.load_state_dict(dict.fromkeys(net.state_dict(), 2.0))
    assert bending(3.0, net).data == 3.0 / 2 * (2.0**2 + 2.0**2)  # not the last layer, no bias


def test_decay_keeps_the_weights_before_the_bends_small():
    paid = {}
    for decay in (0.0, 30.0):
        net = net_of(4, 8, 3)
        recipe = recipe_for(150, decay=decay, steps=200)
        train_by(recipe, net, cross_entropy, standardise(iris())[0], 0, backend="numpy")
        paid[decay] = bending(1.0, net).data
    assert paid[30.0] < 0.8 * paid[0.0]


def test_a_net_without_hidden_layers_has_nothing_to_pay():
    net = net_of(4, 3)
    history = train_by(recipe_for(150, steps=3), net, cross_entropy, iris(), 0)
    assert len(history) == 3


def test_a_training_by_recipe_goes_on_to_the_same_bits(tmp_path):
    rows, path = standardise(iris())[0], tmp_path / "run.json"
    train = partial(train_by, recipe_for(150, steps=30), loss=cross_entropy, rows=rows, seed=1)
    whole, stopped = net_of(4, 3, 3), net_of(4, 3, 3)
    train(net=whole, backend="python")
    stop = [lambda step: step.step == 11]
    train(net=stopped, backend="python", checkpoint=path, callbacks=stop)
    resumed = net_of(4, 3, 3)
    history = train(net=resumed, backend="python", resume=path)
    assert len(history) == 30
    assert resumed.state_dict() == whole.state_dict()


def test_an_early_stop_by_recipe_goes_on_to_the_same_bits(tmp_path):
    rows, path = half_moons(300), tmp_path / "run.json"
    train = partial(train_by, recipe_for(300, steps=90), loss=cross_entropy, rows=rows, seed=1)
    whole, stopped, resumed = (net_of(2, 3, 2) for _ in range(3))
    once = train(net=whole, backend="python")
    stop = [lambda step: step.step == 40]
    train(net=stopped, backend="python", checkpoint=path, callbacks=stop)
    history = train(net=resumed, backend="python", resume=path)
    assert (len(history), history.kept) == (len(once), once.kept)
    assert history.kept is not None
    assert history.validation_loss[history.kept] == min(filter(None, history.validation_loss))
    assert resumed.state_dict() == whole.state_dict() != stopped.state_dict()
