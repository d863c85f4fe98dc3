import math
import re
from dataclasses import replace
from functools import partial
from random import Random
from statistics import median

import pytest

from nn.columns import Column, Reading
from nn.data import Dataset, iris
from nn.found import Wishes
from nn.parting import parted
from nn.plan import plan_for
from nn.reading import read_rows
from nn.recipe import parts, recipe_for
from nn.task import learn


@pytest.fixture
def plan():
    return plan_for(iris(), (3,), 0.2, 0)


def test_a_plan_scales_by_the_rows_it_learns_from_alone(plan):
    assert (len(plan.rows.xs), len(plan.aside.xs), plan.sizes) == (120, 30, (4, 3, 3))
    assert plan.task == learn(plan.rows) != learn(iris())


def test_a_plan_scales_without_the_rows_held_out():
    plan = plan_for(iris(), (3,), 0.2, 0, partial(recipe_for, hold_out=0.25))
    learning, held_out = parts(plan.recipe, plan.rows, plan.seed)
    assert (len(learning.xs), len(held_out.xs)) == (90, 30)
    assert plan.task == learn(learning) != learn(plan.rows)
    assert plan.training == plan.task.scaled(plan.rows)


def test_gaps_are_filled_by_the_rows_learned_from_alone():
    draw = Random(0)
    xs = [[draw.gauss(0, 1), math.nan if k % 5 == 0 else draw.gauss(0, 1)] for k in range(60)]
    reading = Reading((Column("a"), Column("b")), Column("y"), "fill")
    rows = Dataset(xs, [float(k) for k in range(60)], ("a", "b"), (), "y", reading)
    plan = plan_for(rows, (3,), 0.2, 0, partial(recipe_for, hold_out=0.25))
    learning, _ = parts(plan.recipe, plan.rows, plan.seed)
    known = [b for _, b, was_missing in learning.xs if not was_missing]
    assert plan.task.reading.columns[1].fill == median(known)
    assert {b for _, b, was_missing in plan.rows.xs if was_missing} == {median(known)}


def test_texts_of_rows_kept_aside_change_nothing_of_what_is_learned(tmp_path):
    draw = Random(0)
    cells = [f"t{int(draw.random() * 40)}" for _ in range(300)]
    path = tmp_path / "a.csv"

    def plan_of(cells):
        lines = [f"{k},{text},{k % 7}" for k, text in enumerate(cells, 1)]
        path.write_text("\n".join(["a,t,y", *lines]))
        rows, _ = read_rows(path, "y", Wishes(number=["a"], missing="fill", as_classes=False))
        return plan_for(rows, (3,), 0.2, 0, partial(recipe_for, hold_out=0.25))

    plan = plan_of(cells)
    learning, _ = parts(plan.recipe, plan.rows, plan.seed)
    known = {int(row[0]) - 1 for row in learning.xs}  # a row's number is its first input
    others = [cell if k in known else "t0" for k, cell in enumerate(cells)]
    assert plan.task == plan_of(others).task
    learned = ["t0" if k in known and k % 2 else cell for k, cell in enumerate(cells)]
    assert plan.task != plan_of(learned).task


def test_a_rare_class_is_learned_from_and_kept_aside():
    rows = Dataset([[float(k)] for k in range(1000)], [int(k < 6) for k in range(1000)])
    rows = replace(rows, classes=("fine", "fraud"), features=("x",), target="kind")
    for seed in range(5):
        plan = plan_for(rows, (3,), 0.2, seed, recipe_for)
        learning, held_out = parts(plan.recipe, plan.rows, seed)
        assert [sum(part.ys) for part in (learning, held_out, plan.aside)] == [4, 1, 1]
        assert (len(plan.rows.xs), len(plan.aside.xs)) == (800, 200)


def test_a_plan_gives_the_same_net_each_time(plan):
    assert plan.net().state_dict() == plan.net().state_dict()
    assert plan.net().state_dict() != replace(plan, seed=1).net().state_dict()


def test_a_net_too_large_is_refused():
    with pytest.raises(ValueError, match="4-1000-1000-3 has 1,009,003 parameters"):
        plan_for(iris(), (1000, 1000), 0.2, 0)


@pytest.mark.parametrize(
    ("keep_aside", "rows", "needed"), [(0.2, 1, 5), (0.2, 2, 5), (0.9, 4, 10), (0.01, 20, 100)]
)
def test_too_few_rows_to_keep_some_aside(keep_aside, rows, needed):
    few = iris().pick(range(rows))
    with pytest.raises(ValueError, match=rf"^--keep-aside {keep_aside} of .* give {needed} rows"):
        plan_for(few, (3,), keep_aside, 0)
    assert plan_for(iris().pick(range(needed)), (3,), keep_aside, 0).aside
    assert plan_for(few, (3,), 0, 0).numbers == tuple(range(1, rows + 1))


def test_a_plan_has_its_rows_scaled_and_laid_down(plan):
    assert plan.training == plan.task.scaled(plan.rows)
    assert plan.testing == plan.task.scaled(plan.aside)
    numbers, targets = plan.table.columns
    assert (numbers.width, targets.width) == (4, 1)
    assert numbers.numbers.tolist() == [x for row in plan.training.xs for x in row]
    assert targets.numbers.tolist() == plan.training.ys
    assert plan_for(iris(), (3,), 0, 0).testing is None


def test_amounts_are_scaled_too():
    rows = Dataset([[float(k)] for k in range(30)], [k * 1.5 for k in range(30)], ("x",), (), "y")
    plan = plan_for(rows, (3,), 0.2, 0, recipe_for)
    assert plan.training == plan.task.scaled(plan.rows)
    assert plan.testing == plan.task.scaled(plan.aside)


def test_a_number_kept_aside_that_is_too_large_to_be_scaled_is_named_before_the_training():
    """Its row is counted as in the file."""
    rows = Dataset([[1e-200 * (k % 5)] for k in range(40)], [k % 2 for k in range(40)])
    rows = replace(rows, features=("x",), classes=("no", "yes"), target="kind")
    _, (place, *_) = parted(rows, 0.2, 0)
    rows.xs[place] = [1e200]
    words = "'x' is 1e+200, which becomes inf when it is scaled"
    with pytest.raises(ValueError, match=re.escape(f"row {place + 1}: {words}")):
        plan_for(rows, (3,), 0.2, 0)
    with pytest.raises(ValueError, match=re.escape(f"row {place + 6}: {words}")):
        plan_for(replace(rows, numbers=range(6, 46)), (3,), 0.2, 0)
