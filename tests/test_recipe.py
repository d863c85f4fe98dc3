import re

import pytest
from trainings import net_of

from nn.data import iris
from nn.module import MLP
from nn.recipe import (
    ENOUGH,
    OPTIMIZERS,
    RECIPES,
    SCHEDULES,
    STARTS,
    begin,
    bending,
    parts,
    recipe_for,
)


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


def test_what_bends_costs():
    net = MLP(1, [2, 1], init=0.0)
    net.load_state_dict(dict.fromkeys(net.state_dict(), 2.0))
    assert bending(3.0, net).data == 3.0 / 2 * (2.0**2 + 2.0**2)  # not the last layer, no bias
