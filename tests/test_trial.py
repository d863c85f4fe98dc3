import csv
import re
from dataclasses import replace
from random import Random

import pytest

from engine.check import finite_difference
from nn.data import Dataset, iris
from nn.history import History, Step
from nn.optim import SGD
from nn.plan import plan_for
from nn.recipe import recipe_for
from nn.results import charts as drawn
from nn.results import step_graph, telling_columns, write_histories, write_results
from nn.train import gradient_descent
from nn.trial import (
    goal,
    judging_net,
    look_at,
    print_plan,
    print_table,
    print_verdict,
    trial,
)
from nn.watch import watch


@pytest.fixture
def plan():
    return plan_for(iris(), (3,), 0.2, 0)


def histories(plan, *steps):
    return {
        str(n): gradient_descent(plan.net(), plan.task.loss, plan.training, lr=0.1, steps=n)
        for n in steps
    }


def test_what_is_odd_in_the_rows_is_said(capsys):
    xs = [[1e200 if k == 3 else k / 50] for k in range(100)]
    rows = Dataset(xs, [0] * 97 + [1, 1, 2], ("x",), ("a", "b", "c"), "kind")
    plan = plan_for(rows, (3,), 0.2, 1, recipe_for)
    net = plan.net()
    print_plan(plan, net, look_at(plan.task, judging_net(plan.task, net), plan.training))
    said = capsys.readouterr().out
    assert "Of 'c' there is a single row: it is learned from" in said
    assert "Kept aside is no row of 'b': what is said of new rows says nothing of it." in said
    if 1e200 in [x for (x,) in plan.rows.xs]:
        assert "'x' (1e+200) holds a number so far from the others" in said


@pytest.mark.parametrize("ys", [[0.0] * 50 + [1.0] * 50, [3.0, 8.0]])
def test_two_amounts_are_no_classes(ys):
    """Scaled they are -1 and 1, which `fit` takes for classes: the error stays in their unit."""
    rows = Dataset([[float(k)] for k in range(len(ys))], ys, ("x",), (), "y")
    plan = plan_for(rows, (3,), 0.0, 0, recipe_for)
    net = plan.net()
    history = gradient_descent(net, plan.task.loss, plan.training, lr=0.1, steps=3)
    done = trial(plan, net, judging_net(plan.task, net), history, {})
    assert "%" not in done.figures["typical error"]
    assert done.history.accuracy == [None] * 3
    assert plan.task.quality(0.25, 0.69) == f"{0.5 * plan.task.answers.scales[0]:.4g}"


def test_a_stopped_training_is_not_told_to_find_other_columns(plan, capsys):
    [history], net = histories(plan, 1).values(), plan.net()
    zeros = dict.fromkeys(net.state_dict(), 0.0)
    net.load_state_dict(zeros)
    history.ended = "interrupted"
    done = trial(plan, net, judging_net(plan.task, net), history, {})
    warning = print_verdict(plan, done, [*zeros.values()])
    assert warning.startswith("after 1 step the net is not clearly better than")
    assert "columns" not in warning


def test_a_boundary_is_drawn_over_numbers_or_not_at_all(capsys):
    draw = Random(0)
    texts = [
        [float(k % 2), float(k % 2 == 0), draw.gauss(0, 1), draw.gauss(0, 1)] for k in range(60)
    ]
    for count in (4, 3, 2):
        rows = Dataset(
            [x[:count] for x in texts], [k % 2 for k in range(60)], tuple("abcd"[:count])
        )
        plan = plan_for(replace(rows, classes=("no", "yes"), target="y"), (3,), 0.2, 0)
        net = plan.net()
        history = gradient_descent(net, plan.task.loss, plan.training, lr=0.1, steps=2)
        done = trial(plan, net, judging_net(plan.task, net), history, {})
        pictures = drawn(plan, done, {"gd": history})
        said = capsys.readouterr().out
        assert ("boundary.svg" in pictures) == (count == 4) == ("No boundary.svg" not in said)
        if count == 4:
            (panel,) = pictures["boundary.svg"][1].panels
            assert {panel.across.name, panel.up.name} == {"c", "d"}


def test_the_figures_of_a_trial(plan):
    [history], net = histories(plan, 7).values(), plan.net()
    figures = trial(plan, net, judging_net(plan.task, net), history, {"more": "5"}).figures
    assert figures["points in one step"] == "120"
    assert figures["points looked at"] == "840"
    assert figures["more"] == "5"
    assert float(figures["loss"]) == pytest.approx(history.loss[0], rel=1e-3)  # of an untrained net
    assert {"accuracy", "loss on 30 others", "accuracy on 30 others"} < figures.keys()


@pytest.mark.some(2)
@pytest.mark.parametrize("keep_aside", [0.2, 0.0])
def test_a_verdict_is_of_the_rows_kept_aside_where_there_are_some(keep_aside, capsys):
    plan = plan_for(iris(), (4,), keep_aside, 0)
    net = plan.net()
    untrained = [p.data for p in net.parameters()]
    history = gradient_descent(net, plan.task.loss, plan.training, lr=0.5, steps=150)
    done = trial(plan, net, judging_net(plan.task, net), history, {})
    trained = net.state_dict()
    assert print_verdict(plan, done, untrained) == ""
    assert net.state_dict() == trained  # though it was looked at as it was before
    text = capsys.readouterr().out
    where = "On 30 rows kept aside, looked at once" if keep_aside else "On the 150 rows learned"
    assert where in text
    share = (done.aside or done.look).accuracy
    assert re.search(rf"the net +{100 * share:.1f}%\n", text)
    assert re.search(r"always \w+ +\d\d\.\d%\n", text)
    assert re.search(r"\n  setosa +\d+ +\d+ +\d+ +100\.0%\n", text)


def test_a_net_that_is_no_better_than_none_is_warned_of(plan, capsys):
    [history], net = histories(plan, 1).values(), plan.net()
    same = dict.fromkeys(net.state_dict(), 0.0) | {"layers.1.neurons.2.b": 1.0}
    net.load_state_dict(same)
    done = trial(plan, net, judging_net(plan.task, net), history, {})
    warning = print_verdict(plan, done, [*same.values()])
    assert warning.startswith("the net is no better than 'always setosa'")
    assert "nothing in the columns that tells 'species'; more rows" in warning


def test_no_step_is_nothing_to_show(plan):
    with pytest.raises(KeyboardInterrupt):
        trial(plan, plan.net(), judging_net(plan.task, plan.net()), History(), {})


@pytest.mark.parametrize(("loss", "expected"), [(100.0, {"points": 120}), (0.0, {})])
def test_goal_notes_when_the_loss_is_low_enough(plan, loss, expected):
    reached = {}
    look = goal(plan, plan.net(), loss, reached)
    for points in (60, 119, 120, 240):
        look(Step(0, 1.0, None, 1.0, 1.0, 0.0, points))
    assert reached == expected


def test_a_table_is_aligned(capsys):
    print_table({"one": {"a": "1", "longer": "22"}, "two and": {"a": "x", "longer": "y"}})
    assert capsys.readouterr().out == (
        "\n           one   two and\n  a          1         x\n  longer    22         y\n\n"
    )


def test_the_hardest_row_has_the_largest_loss(plan):
    net = plan.net()
    place = look_at(plan.task, judging_net(plan.task, net), plan.training).hardest
    losses = [
        plan.task.loss(net(x), y).data
        for x, y in zip(plan.training.xs, plan.training.ys, strict=True)
    ]
    assert losses[place] == max(losses)
    assert iris().xs[plan.numbers[place] - 1] == plan.rows.xs[place]


def test_the_columns_that_tell_most():
    rows = Dataset(
        [[float(i % 7), float(i % 2), 1.0 - i % 2] for i in range(20)],
        [i % 2 for i in range(20)],
        ("noise", "b", "c"),
        ("no", "yes"),
        "y",
    )
    plan = plan_for(rows, (3,), 0.0, 0)
    net = plan.net()
    gradient_descent(net, plan.task.loss, plan.training, lr=0.5, steps=100)
    judge = judging_net(plan.task, net)
    assert set(telling_columns(plan.task, judge, plan.training)) == {1, 2}


def test_many_rows_are_sampled_for_the_columns_that_tell_most(plan, monkeypatch):
    monkeypatch.setattr("nn.results.SAMPLE", 30)
    seen, judge = [], judging_net(plan.task, plan.net())
    slopes = judge.slopes
    monkeypatch.setattr(judge, "slopes", lambda xs, ys: seen.append(len(xs)) or slopes(xs, ys))
    assert len(telling_columns(plan.task, judge, plan.training)) == 2
    assert seen == [30]  # of 120


def test_the_boundary_says_which_columns_and_why(plan):
    [history], net = histories(plan, 20).values(), plan.net()
    done = trial(plan, net, judging_net(plan.task, net), history, {})
    meaning, chart = drawn(plan, done, {"gd": history})["boundary.svg"]
    assert meaning.endswith("over the two columns of numbers that move the loss most")
    (panel,) = chart.panels
    assert "over the two columns of numbers that move the loss most" in panel.notes
    first, second = telling_columns(plan.task, done.judge, plan.training)
    assert (panel.across.name, panel.up.name) == (
        plan.task.features[first],
        plan.task.features[second],
    )


def test_a_step_graph_has_the_gradient_of_the_loss(plan):
    net = plan.net()
    x, y = plan.training.xs[0], plan.training.ys[0]
    drawing = step_graph(plan.task, net, x, y, 17)
    assert str(drawing).startswith(f"loss, row 17: {plan.task.classes[y]}: data ")
    titles = [node.title for node in drawing.picture.nodes]
    assert {f"{name}, standardised" for name in plan.task.features} < {*titles}
    assert set(plan.task.classes) < {*titles}
    weight = net.layers[0].neurons[0].w[0]
    found = weight.grad
    [slope] = finite_difference(lambda: plan.task.loss(net(x), y), [weight])
    assert found == pytest.approx(slope, rel=1e-6)


def test_a_step_page_and_its_graph_use_the_same_words(plan):
    net = plan.net()
    x, y = plan.training.xs[0], plan.training.ys[0]
    drawing = step_graph(plan.task, net, x, y, 17)
    optimizer = SGD(net.parameters(), lr=0.1)
    steps = watch(net, plan.task.loss, plan.task.named(Dataset([x], [y])), optimizer)
    words = {node["label"] for node in steps.nodes}
    named = {*plan.task.standardised, *plan.task.classes}
    assert named < words
    assert named < {node.title for node in drawing.picture.nodes}


def test_histories_side_by_side(plan, tmp_path):
    write_histories(tmp_path / "h.csv", histories(plan, 2, 3))
    rows = list(csv.DictReader((tmp_path / "h.csv").read_text().splitlines()))
    assert [row["method"] for row in rows] == ["2", "2", "3", "3", "3"]
    assert rows[0]["loss"] == rows[2]["loss"]


def test_plots_of_an_earlier_training_do_not_stay(tmp_path, capsys):
    """One without classes has no boundary to draw: the old picture would be of another net."""
    kept = {"boundary.svg", "curves.svg", "mine.svg"}
    for name in kept:
        (tmp_path / name).write_text("of an earlier training")
    rows = Dataset([[1.0], [2.0], [3.0]], [1.0, 2.0, 3.0], ("x",), target="y")
    plan = plan_for(rows, (2,), 0, 0)
    model = plan.net()
    history = gradient_descent(model, plan.task.loss, plan.training, lr=0.1, steps=2)
    write_results(
        tmp_path, plan, {"sgd": trial(plan, model, judging_net(plan.task, model), history, {})}
    )
    assert "curves.svg" in capsys.readouterr().out
    assert not (tmp_path / "boundary.svg").exists()
    assert (tmp_path / "mine.svg").read_text() == "of an earlier training"
    assert "<svg" in (tmp_path / "curves.svg").read_text()


def test_one_history_is_its_own_file(plan, tmp_path):
    [history] = histories(plan, 2).values()
    write_histories(tmp_path / "one.csv", {"any": history})
    history.to_csv(tmp_path / "same.csv")
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "same.csv").read_bytes()
