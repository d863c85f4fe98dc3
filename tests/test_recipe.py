import json
import math
import random
import re
import signal
from dataclasses import replace
from functools import partial

import pytest

from engine.replay.backends import NAMES
from nn.data import Dataset, iris, moons, standardise
from nn.history import History, TrainingInterrupted
from nn.loss import cross_entropy, mse
from nn.module import MLP
from nn.optim import SGD
from nn.recipe import (
    ENOUGH,
    OPTIMIZERS,
    RECIPES,
    SCHEDULES,
    STARTS,
    TrialInterrupted,
    backend_for,
    begin,
    bending,
    chosen,
    parts,
    recipe_for,
    train_by,
)
from nn.train import evaluate, fit


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
    with pytest.raises(ValueError, match=r"hold out 0\.2 of 2 rows leaves none .*\(hold_out=0"):
        parts(recipe_for(2, hold_out=0.2), iris().pick([0, 1]), seed=0)


def test_a_net_made_straight_is_a_line_to_one_part_in_a_hundred():
    net = net_of(2, 16, 16, 1)
    bent = [net([x, 0.0]).data for x in (-1.0, 0.0, 1.0)]
    begin(net, "straight")
    low, middle, high = (net([x, 0.0]).data for x in (-1.0, 0.0, 1.0))
    assert abs(low + high - 2 * middle) < 0.01 * abs(high - low)
    assert abs(bent[0] + bent[2] - 2 * bent[1]) < 1e-12  # as it is odd; further out it is none
    assert net([3.0, 0.0]).data == pytest.approx(3 * high, rel=0.02)


def test_the_usual_start_leaves_a_net_as_it_is():
    net, other = net_of(2, 4, 1), net_of(2, 4, 1)
    begin(net, "usual")
    assert net.state_dict() == other.state_dict()


# --- which start ------------------------------------------------------------------------------


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


@pytest.mark.parametrize("n", [120, 500])
@pytest.mark.parametrize("name", UNSEEN_BY_LINES)
def test_the_default_learns_what_no_line_can_see(name, n):
    aim = UNSEEN_BY_LINES[name]
    made, lost = (amounts_of, mse) if aim is product else (classes_of, cross_entropy)
    net = net_of(2, 16, 16, 1 if aim is product else 2)
    train_by(recipe_for(n), net, lost, made(n, aim), 0, backend="numpy")
    loss, right = evaluate(net, lost, made(400, aim, seed=1))
    assert loss < 0.1 if right is None else right > 0.93


@pytest.mark.parametrize("n", [60, 300])
def test_where_a_line_is_right_the_straight_start_is_taken(n):
    found = chosen(recipe_for(n), net_of(2, 16, 16, 1), mse, amounts_of(n, line), 0, "numpy")
    assert (found.start, found.rival) == ("straight", None)
    assert re.search(r"straight start, tried on \d+ rows beside the (bent|usual) one", str(found))


def test_a_start_that_is_named_is_not_tried():
    for start in STARTS:
        for n in (100, 1000):
            assert (recipe_for(n, start=start).start, recipe_for(n, start=start).rival) == (
                start,
                None,
            )
    assert recipe_for(1000, lr=0.1).rival.lr == 0.1
    assert recipe_for(1000).rival.lr != recipe_for(1000).lr
    assert recipe_for(1000, "sgd").rival is None


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

    monkeypatch.setattr("nn.recipe.fit", stopped)
    with pytest.raises(KeyboardInterrupt) as stop:
        chosen(recipe_for(60), net_of(4, 3, 3), cross_entropy, iris(), 0)
    assert type(stop.value) is KeyboardInterrupt  # no step was done


def stopping_in(monkeypatch, trial, nets):
    """Ctrl-C at step 7 of a trial, from 0; `nets` gets the net of each."""

    def stopped(net, *arguments, **settings):
        nets.append(net)
        here = len(nets) - 1

        def stop(step):
            if (here, step.step) == (trial, 7):
                signal.raise_signal(signal.SIGINT)

        return fit(net, *arguments, **settings, callbacks=[stop])

    monkeypatch.setattr("nn.recipe.fit", stopped)


@pytest.mark.parametrize("rows", [60, 200])
def test_ctrl_c_in_the_first_trial_keeps_its_net(rows, monkeypatch):
    nets, net = [], net_of(4, 3, 3)
    stopping_in(monkeypatch, 0, nets)
    recipe = recipe_for(rows, hold_out=None if rows < 200 else 0.2)
    with pytest.raises(TrialInterrupted, match=r"the straight one after 8 steps") as stop:
        chosen(recipe, net, cross_entropy, iris(), 0)
    assert stop.value.recipe == recipe
    assert (len(stop.value.history), stop.value.history.ended) == (8, "interrupted")
    assert [p.data for p in net.parameters()] == [p.data for p in nets[0].parameters()]


def test_ctrl_c_in_the_second_trial_keeps_the_net_of_the_first(monkeypatch):
    nets, net = [], net_of(4, 3, 3)
    stopping_in(monkeypatch, 1, nets)
    with pytest.warns(TrainingInterrupted, match=r"the straight one after \d+ steps") as told:
        history = train_by(recipe_for(60, steps=200), net, cross_entropy, iris(), 0)
    assert len(told) == 1
    assert (len(nets), len(history) > 8, history.ended) == (2, True, "interrupted")
    assert [p.data for p in net.parameters()] == [p.data for p in nets[0].parameters()]


def test_ctrl_c_between_the_trials_keeps_the_net_of_the_first(monkeypatch):
    def stopped(*arguments):
        raise KeyboardInterrupt

    monkeypatch.setattr("nn.recipe.judging", stopped)
    with pytest.raises(TrialInterrupted):
        chosen(recipe_for(60, steps=200), net_of(4, 3, 3), cross_entropy, iris(), 0)


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


@pytest.mark.parametrize(
    ("wishes", "words"),
    [
        ({"optimizer": "Adam"}, "no optimizer 'Adam', did you mean 'adam'?"),
        ({"optimizer": None}, "no optimizer None"),
        ({"schedule": "foo"}, "no schedule 'foo'"),
        ({"start": "bend"}, "no start 'bend', did you mean 'bent'?"),
    ],
)
def test_names_that_are_not_there(wishes, words):
    with pytest.raises(ValueError, match=re.escape(words)):
        recipe_for(100, **wishes)


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
    assert [sum(part.ys) for part in (learning, held_out)] == [160, 40]  # of each class alike
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
