import json
import math
import random
import re
import signal
from dataclasses import replace
from functools import partial

import pytest
from trainings import half_moons, net_of

from engine.replay.backends import NAMES
from nn.by_recipe import backend_for, train_by
from nn.choosing import TrialInterrupted, chosen
from nn.data import Dataset, iris, standardise
from nn.history import History, TrainingInterrupted
from nn.loss import cross_entropy, mse
from nn.optim import SGD
from nn.recipe import (
    bending,
    parts,
    recipe_for,
)
from nn.train import evaluate, fit


def points(n, seed):
    draw = random.Random(seed)
    return [[draw.uniform(-1, 1), draw.uniform(-1, 1)] for _ in range(n)]


def classes_of(n, aim, seed=0):
    xs = points(n, seed)
    return Dataset(xs, [int(aim(*x)) for x in xs], classes=("no", "yes"))


def amounts_of(n, aim, seed=0):
    xs = points(n, seed)
    return Dataset(xs, [aim(*x) for x in xs])


def circle(x, y):
    return x * x + y * y < 0.6


def corners(x, y):
    return x * y > 0


def product(x, y):
    return 3 * x * y


def line(x, y):
    return x + 2 * y + 0.7 * math.sin(1e4 * x)  # the last is noise to a net


UNSEEN_BY_LINES = {"circle": circle, "corners": corners, "product": product}


@pytest.mark.whole
@pytest.mark.parametrize("n", [120, 500])
@pytest.mark.parametrize("name", UNSEEN_BY_LINES)
def test_the_default_learns_what_no_line_can_see(name, n):
    aim = UNSEEN_BY_LINES[name]
    made, lost = (amounts_of, mse) if aim is product else (classes_of, cross_entropy)
    net = net_of(2, 16, 16, 1 if aim is product else 2)
    train_by(recipe_for(n), net, lost, made(n, aim), 0, backend="numpy")
    loss, right = evaluate(net, lost, made(400, aim, seed=1))
    assert loss < 0.1 if right is None else right > 0.93


@pytest.mark.whole
@pytest.mark.some(4)
@pytest.mark.parametrize("n", [60, 300])
def test_where_a_line_is_right_the_straight_start_is_taken(n):
    found = chosen(recipe_for(n), net_of(2, 16, 16, 1), mse, amounts_of(n, line), 0, "numpy")
    assert (found.start, found.rival) == ("straight", None)
    assert re.search(r"straight start, tried on \d+ rows beside the (bent|usual) one", str(found))


def test_to_choose_leaves_the_net_as_it_is():
    net, other = net_of(2, 4, 2), net_of(2, 4, 2)
    chosen(recipe_for(60, steps=100), net, cross_entropy, classes_of(60, circle), 0, "numpy")
    assert net.state_dict() == other.state_dict()


@pytest.mark.parametrize("wishes", [{"steps": 99}, {"start": "bent"}])
def test_a_short_training_and_a_named_start_are_not_tried(wishes):
    found = chosen(recipe_for(60, **wishes), net_of(2, 4, 2), cross_entropy, iris(), 0)
    assert (found.why, found.rival) == ("", None)


def test_a_start_that_diverges_is_not_taken():
    recipe = recipe_for(60, steps=200, schedule="constant")
    wild = replace(recipe, rival=replace(recipe.rival, lr=1e300))
    rows = amounts_of(60, product)
    assert chosen(wild, net_of(2, 4, 1), mse, rows, 0, "numpy").start == "straight"


def test_ctrl_c_while_starts_are_tried_ends_the_training(monkeypatch):
    def stopped(*args, **settings):
        return History(ended="interrupted")

    monkeypatch.setattr("nn.starting.fit", stopped)
    with pytest.raises(KeyboardInterrupt) as stop:
        chosen(recipe_for(60), net_of(4, 3, 3), cross_entropy, iris(), 0)
    assert type(stop.value) is KeyboardInterrupt  # no step was done


def stopping_in(monkeypatch, trial, weights):
    """Ctrl-C at step 7 of a trial, from 0; `weights` gets those that each came to."""

    def stopped(net, *arguments, **settings):
        here = len(weights)

        def stop(step):
            if (here, step.step) == (trial, 7):
                signal.raise_signal(signal.SIGINT)

        history = fit(net, *arguments, **settings, callbacks=[stop])
        weights.append(net.state_dict())
        return history

    monkeypatch.setattr("nn.starting.fit", stopped)


@pytest.mark.parametrize("rows", [60, 200])
def test_ctrl_c_in_the_first_trial_keeps_its_net(rows, monkeypatch):
    weights, net = [], net_of(4, 3, 3)
    stopping_in(monkeypatch, 0, weights)
    recipe = recipe_for(rows, hold_out=None if rows < 200 else 0.2)
    with pytest.raises(TrialInterrupted, match=r"the straight one after 8 steps") as stop:
        chosen(recipe, net, cross_entropy, iris(), 0)
    assert stop.value.recipe == recipe
    assert (len(stop.value.history), stop.value.history.ended) == (8, "interrupted")
    assert net.state_dict() == weights[0]


def test_ctrl_c_in_the_second_trial_keeps_the_net_of_the_first(monkeypatch):
    weights, net = [], net_of(4, 3, 3)
    stopping_in(monkeypatch, 1, weights)
    with pytest.warns(TrainingInterrupted, match=r"the straight one after \d+ steps") as told:
        history = train_by(recipe_for(60, steps=200), net, cross_entropy, iris(), 0)
    assert len(told) == 1
    assert (len(weights), len(history) > 8, history.ended) == (2, True, "interrupted")
    assert net.state_dict() == weights[0]


def test_ctrl_c_in_the_second_trial_after_one_that_diverged_has_chosen_nothing(monkeypatch):
    weights, net = [], net_of(4, 3, 3)
    stopping_in(monkeypatch, 0, weights)  # the one that diverges leaves none
    recipe = recipe_for(60, steps=200, schedule="constant")
    wild = replace(recipe, lr=1e300)
    with pytest.raises(TrialInterrupted, match=r"the usual one after 8 steps") as stop:
        chosen(wild, net, cross_entropy, iris(), 0, "numpy")
    found = stop.value.recipe
    assert (found.start, found.lr, found.rival.start) == ("usual", recipe.rival.lr, "straight")
    assert net.state_dict() == weights[0]


def test_ctrl_c_between_the_trials_keeps_the_net_of_the_first(monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("nn.choosing._losses", stopped)
    net, recipe = net_of(4, 3, 3), recipe_for(60, steps=200)
    with pytest.raises(TrialInterrupted) as stop:
        chosen(recipe, net, cross_entropy, iris(), 0)
    assert stop.value.recipe == recipe
    assert net.state_dict() != net_of(4, 3, 3).state_dict()


@pytest.mark.whole
@pytest.mark.parametrize("n", [120, 300])
@pytest.mark.parametrize("aim", [line, product])
def test_a_training_goes_on_from_the_start_it_began_with(n, aim, tmp_path):
    rows, path = amounts_of(n, aim), tmp_path / "run.json"
    recipe = replace(recipe_for(n, steps=1000), trial=0.7)
    start = chosen(recipe, net_of(2, 6, 1), mse, rows, 1, "numpy").start
    assert (start == "straight") == (aim is line)
    train = partial(train_by, recipe, loss=mse, rows=rows, seed=1)
    whole, stopped, resumed = (net_of(2, 6, 1) for _ in range(3))
    once = train(net=whole, backend="numpy")
    stop = [lambda step: step.step == 120]
    train(net=stopped, backend="numpy", checkpoint=path, callbacks=stop)
    history = train(net=resumed, backend="numpy", resume=path)
    assert history.loss == once.loss
    assert resumed.state_dict() == whole.state_dict()


@pytest.mark.whole
def test_with_a_checkpoint_a_backend_is_named(tmp_path):
    path = tmp_path / "run.json"
    assert backend_for("auto") == "auto"
    assert backend_for("python", path) == "python"
    assert backend_for("auto", path) in NAMES
    train_by(recipe_for(150, steps=3), net_of(4, 3), cross_entropy, iris(), 0, checkpoint=path)
    assert json.loads(path.read_text())["backend"] == backend_for("auto", path)
    train_by(
        *(recipe_for(150, steps=3), net_of(4, 3), cross_entropy, iris(), 0),
        **{"checkpoint": path, "backend": "python"},
    )
    assert backend_for("auto", resume=path) == "python"
    path.write_text("[")
    assert backend_for("auto", resume=path) in NAMES


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


@pytest.mark.whole
def test_what_is_held_out_stops_the_training_and_is_not_learned_from():
    rows = half_moons(400)
    net, recipe = net_of(2, 8, 2), recipe_for(400, steps=600)
    history = train_by(recipe, net, cross_entropy, rows, 0, backend="numpy")
    looks = [loss for loss in history.validation_loss if loss is not None]
    assert math.ceil(len(history) / 5) == len(looks)  # 320 rows are 5 batches of 64
    learning, held_out = parts(recipe, rows, 0)
    assert (len(learning.xs), len(held_out.xs)) == (320, 80)
    assert [sum(part.ys) for part in (learning, held_out)] == [160, 40]  # of each class alike
    assert history.points_seen[-1] == 64 * len(history)


@pytest.mark.whole
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


@pytest.mark.whole
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


@pytest.mark.whole
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
