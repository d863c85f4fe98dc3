import math
import xml.etree.ElementTree as ET

import pytest

from engine.value import Value
from nn.contour import Points
from nn.data import iris, moons, spirals, standardise
from nn.document import Chart
from nn.history import History, Step
from nn.loss import cross_entropy, hinge
from nn.module import MLP
from nn.plot import plot_comparison, plot_decision_boundary, plot_history
from nn.train import gradient_descent, stochastic_gradient_descent


def history(losses, accuracy=None, points=1):
    made = History()
    for i, loss in enumerate(losses):
        made.append(Step(i, loss, accuracy, 1 + loss, 0.1, 0.5, points * (i + 1)))
    return made


def named(panel):
    """The curves with a name, as {name: (xs, ys)}."""
    return {mark.name: (list(mark.xs), list(mark.ys)) for mark in panel.marks if mark.name}


def marks(panel, kind):
    return [mark for mark in panel.marks if mark.kind == kind]


def ends(scale):
    return scale.axis.low, scale.axis.high


def left_or_right(x):
    return Value(x[0])


# --- curves ----------------------------------------------------------------------------------


def test_a_history_of_classes_has_three_panels():
    chart = history([3.0, 2.0, 1.0], accuracy=0.25).plot()
    loss, accuracy, gradient = chart.panels
    assert [panel.title for panel in chart.panels] == ["Loss", "Accuracy", "Gradient"]
    assert named(loss) == {"training": ([1, 2, 3], [3, 2, 1])}
    assert named(accuracy) == {"training": ([1, 2, 3], [25, 25, 25])}
    assert named(gradient) == {"training": ([1, 2, 3], [4, 3, 2])}
    assert accuracy.up.name == "points in the right class (%)"
    assert {panel.across.name for panel in chart.panels} == {"step"}


def test_a_history_of_amounts_has_no_accuracy():
    chart = plot_history(history([2.0, 1.0]))
    assert [panel.title for panel in chart.panels] == ["Loss", "Gradient"]


def test_validation_is_drawn_where_it_was_looked_at():
    made = history([3.0, 2.0, 1.0, 0.5], accuracy=0.5)
    made.validation_loss[1], made.validation_loss[3] = 2.5, 1.5
    made.validation_accuracy[3] = 0.75
    loss, accuracy, _ = plot_history(made).panels
    assert named(loss)["validation"] == ([2, 4], [2.5, 1.5])
    assert named(accuracy)["validation"] == ([4], [75])


def test_a_noisy_curve_gets_its_moving_average():
    noisy = [3.0, *(i % 3 for i in range(199))]
    panel = plot_history(history(noisy)).panels[0]
    ((name, (xs, ys)),) = named(panel).items()
    assert name == "training (mean of the last 10 steps)"
    assert xs == list(range(10, 201))  # from where ten steps are there
    assert ys == pytest.approx([math.fsum(noisy[k : k + 10]) / 10 for k in range(191)])
    assert list(panel.marks[0].ys) == noisy
    assert ends(panel.up)[1] > 3.0  # the start, which no mean shows, has room


def test_all_dots_of_a_noisy_curve_have_room():
    noisy = [0.02 if i % 3 else 0.5 + i % 2 for i in range(300)]
    panel = plot_history(history(noisy)).panels[0]
    low, high = ends(panel.up)
    assert low < min(noisy) < max(noisy) < high
    assert not any("below" in name for name in named(panel))


def test_dots_so_far_down_that_the_others_would_be_flat_are_said_to_lie_below():
    noisy = [1e-12 if i in (150, 200) else 1.0 + i % 2 for i in range(300)]
    panel = plot_history(history(noisy)).panels[0]
    (name,) = named(panel)
    assert name == "training (mean of the last 15 steps); the lowest dots lie below"
    assert 0.1 < ends(panel.up)[0] < 1.0


def test_single_points_that_are_right_or_wrong_are_shown_by_their_mean():
    made = history([1.0] * 200)
    made.accuracy[:] = [float(i % 2) for i in range(200)]
    _, accuracy, _ = plot_history(made).panels
    (line,) = accuracy.marks
    assert line.ys == [50.0] * 191


def test_the_step_whose_weights_were_kept_is_marked():
    made = history([3.0, 2.0, 1.0])
    made.kept = 1
    for panel in plot_history(made).panels:
        assert named(panel)["weights kept: step 2"] == ([2, 2], [*ends(panel.up)])
    made.kept = None
    assert all(named(panel).keys() == {"training"} for panel in plot_history(made).panels)


@pytest.mark.parametrize(
    ("losses", "is_log"),
    [
        ([100.0, 1.0], True),
        ([10.0, 1.0], False),
        ([100.0, 0.0], False),
        ([-83, 4], False),
    ],
)
def test_a_loss_that_falls_far_has_a_logarithmic_axis(losses, is_log):
    assert plot_history(history(losses)).panels[0].up.axis.is_log is is_log


def test_histories_are_compared_by_points_and_by_time():
    chart = plot_comparison({"GD": history([4.0, 2.0], points=100), "SGD": history([4.0, 3.0])})
    by_points, by_time = chart.panels
    assert named(by_points) == {"GD": ([100, 200], [4, 2]), "SGD": ([1, 2], [4, 3])}
    assert named(by_time) == {"GD": ([0, 0.5], [4, 2]), "SGD": ([0, 0.5], [4, 3])}
    assert (by_points.across.axis.is_log, by_time.across.axis.is_log) == (True, False)
    names = "points looked at", "time after the first step (s)"
    assert (by_points.across.name, by_time.across.name) == names


def test_a_history_draws_its_curves_into_a_file(tmp_path):
    chart = history([2.0, 1.0]).plot(tmp_path / "curves.svg")
    assert isinstance(chart, Chart)
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8") == chart.svg
    with pytest.raises(ValueError, match=r"saved as \.svg, got 'curves.txt': choose a name ending"):
        history([2.0, 1.0]).plot("curves.txt")
    with pytest.raises(TypeError, match=r"expected the name of a file, 'chart.svg', got True"):
        history([2.0, 1.0]).plot(True)


def test_numbers_that_are_not_finite_are_left_out_and_said():
    made = history([3.0, math.nan, 2.0, math.inf])
    made.validation_loss[:] = [3.0, 2.0, -math.inf, 1.0]
    loss, _ = plot_history(made).panels
    assert named(loss)["training"] == ([1, 3], [3, 2])
    assert loss.notes == [
        "training: 2 points left out: nan, inf",
        "validation: 1 point left out: nan, inf",
    ]
    assert ends(loss.up) == (0.9, 3.1)
    by_points, _ = plot_comparison({"a": made}).panels
    assert by_points.notes == ["a: 2 points left out: nan, inf"]
    with pytest.raises(ValueError, match="points that can be drawn, got none among 2"):
        plot_history(history([math.nan, math.inf]))


def test_one_step_is_a_dot():
    loss, gradient = plot_history(history([2.0])).panels
    assert named(loss) == {"training": ([1], [2])}
    assert (ends(loss.up), ends(gradient.across)) == ((1, 3), (0, 2))


def test_histories_without_steps_are_refused():
    with pytest.raises(ValueError, match="plot_history expected a history of at least 1 step"):
        History().plot()
    with pytest.raises(ValueError, match="plot_comparison of 'GD' expected a history"):
        plot_comparison({"GD": History()})
    with pytest.raises(ValueError, match="at least 1 history, got 0"):
        plot_comparison({})


# --- decision boundaries ---------------------------------------------------------------------

SIDES = [[-2.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [2.0, 5.0]], [-1, -1, 1, 1]


def legend(panel):
    return [mark.name for mark in panel.marks if mark.name]


def corners(mark) -> Points:
    return [(x, y) for x, y in zip(mark.xs, mark.ys, strict=True) if not math.isnan(x)]


def borders(panel):
    return [corner for mark in marks(panel, "edges") for corner in corners(mark)]


def test_the_boundary_lies_where_the_output_changes_sign():
    (panel,) = plot_decision_boundary(left_or_right, SIDES).panels
    found = borders(panel)
    assert len(found) == 2 * 80  # once around each class
    assert {round(x, 9) for x, _ in found} == {0.0}
    assert panel.title == "Decision boundary: 4 of 4 points right"
    assert legend(panel) == ["-1", "1"]


def test_the_boundary_lies_at_the_threshold():
    (panel,) = plot_decision_boundary(left_or_right, SIDES, threshold=1.5).panels
    assert {round(x, 9) for x, _ in borders(panel)} == {1.5}
    assert panel.title == "Decision boundary: 3 of 4 points right"
    assert legend(panel) == ["-1", "1", "the model is wrong (1)"]
    assert corners(panel.marks[-1]) == [(1.0, 0.0)]


def test_of_very_many_points_some_are_drawn_and_the_title_says_so():
    """Of each class its share, though classes stand in turn; what is right is counted of all."""
    xs = [[k / 5000 - 1, k % 7.0] for k in range(10_001)]
    ys = [-1 if k % 2 else 1 for k in range(10_001)]
    (panel,) = plot_decision_boundary(left_or_right, (xs, ys)).panels
    right = sum((x[0] > 0) == (y == 1) for x, y in zip(xs, ys, strict=True))
    assert panel.title == f"Decision boundary: {right} of 10001 points right"
    assert panel.notes == ["1 point in 6 of each class is drawn"]
    assert legend(panel) == ["-1", "1", f"the model is wrong ({10_001 - right})"]
    drawn = *marks(panel, "dots"), *marks(panel, "rings")
    minus, plus, ringed = ([list(corner) for corner in corners(mark)] for mark in drawn)
    assert (minus, plus) == (xs[1::12], xs[::12])
    assert ringed == [x for x in minus if x[0] > 0] + [x for x in plus if x[0] <= 0]


def test_the_boundary_between_0_and_1_lies_halfway():
    (panel,) = plot_decision_boundary(left_or_right, (SIDES[0], [0, 0, 1, 1])).panels
    assert {round(x, 9) for x, _ in borders(panel)} == {0.5}


def test_each_class_has_its_region():
    def model(x):
        return [Value(-x[0]), Value(0.0), Value(x[0] - 1)]

    (panel,) = plot_decision_boundary(model, (SIDES[0], [0, 0, 1, 2])).panels
    regions = [sorted(x for x, _ in corners(mark)) for mark in marks(panel, "areas")]
    edges = [(round(xs[0], 2), round(xs[-1], 2)) for xs in regions]
    assert edges == [(-2.32, 0), (0, 1), (1, 2.32)]
    assert panel.title == "Decision boundary: 4 of 4 points right"


def test_axes_keep_their_units_with_a_scaler():
    scaled, scaler = standardise(([[0.0, 10.0], [4.0, 30.0]], [-1, 1]))
    assert scaled.xs == [[-1, -1], [1, 1]]
    chart = plot_decision_boundary(
        left_or_right, ([[0.0, 10.0], [4.0, 30.0]], [-1, 1]), scaler=scaler
    )
    (panel,) = chart.panels
    assert {round(x, 9) for x, _ in borders(panel)} == {2.0}
    assert panel.title.startswith("Decision boundary: 2 of 2")


def test_other_features_stand_at_their_mean():
    seen = []

    def model(x):
        seen.append(x)
        return [Value(x[2]), Value(3.0), Value(-x[3])]

    data = iris()
    (panel,) = plot_decision_boundary(model, data, features=(3, 1)).panels
    means = [math.fsum(column) / 150 for column in zip(*data.xs, strict=True)]
    plane = seen[150:]
    assert len(plane) == 80 * 80
    assert {row[0] for row in plane} == {means[0]}
    assert {row[2] for row in plane} == {means[2]}
    assert len({row[3] for row in plane}) == len({row[1] for row in plane}) == 80
    assert min(row[3] for row in plane) == pytest.approx(0.1 - 0.08 * 2.4)
    assert max(row[3] for row in plane) == pytest.approx(2.5 + 0.08 * 2.4)
    assert (panel.across.name, panel.up.name) == ("petal width (cm)", "sepal width (cm)")
    (note,) = panel.notes
    assert note.startswith("background: sepal length (cm) and petal length (cm) at the mean; each")
    assert legend(panel)[:3] == ["setosa", "versicolor", "virginica"]


def test_points_that_lie_on_each_other_are_counted():
    data = [[float(k % 3), float(k % 2)] for k in range(60)], [k % 2 for k in range(60)]
    (panel,) = plot_decision_boundary(lambda x: x[1] - 0.5, data).panels
    assert panel.notes == ["the points lie on 6 places, many under others"]
    (panel,) = plot_decision_boundary(left_or_right, SIDES).panels
    assert panel.notes == []


def test_one_hot_targets_have_a_boundary():
    data = SIDES[0], [[1, 0], [1, 0], [0, 1], [0, 1]]
    (panel,) = plot_decision_boundary(lambda x: [Value(-x[0]), Value(x[0])], data).panels
    assert panel.title.startswith("Decision boundary: 4 of 4")


def test_a_model_of_one_opinion_has_no_boundary():
    (panel,) = plot_decision_boundary(lambda x: Value(7.0), SIDES).panels
    assert borders(panel) == []


@pytest.mark.parametrize("features", [(0, 0), (0, 2), (-1, 0), (0,)])
def test_features_must_be_two_columns(features):
    with pytest.raises(ValueError, match="features expected two of the columns 0 to 1, got"):
        plot_decision_boundary(left_or_right, SIDES, features=features)


def test_amounts_have_no_boundary():
    with pytest.raises(ValueError, match="targets that are classes, got amounts"):
        plot_decision_boundary(left_or_right, (SIDES[0], [0.1, 0.2, 0.3, 0.4]))


def test_outputs_that_are_not_finite_have_a_boundary_of_what_is_known():
    """Beside the points the model knows nothing: nobody leads there."""

    def model(x):
        return [Value(math.inf if x[0] < 0 else -1.0), Value(math.nan if x[0] > 1.5 else 0.0)]

    (panel,) = plot_decision_boundary(model, (SIDES[0], [0, 0, 1, 1])).panels
    assert all(map(math.isfinite, [n for corner in borders(panel) for n in corner]))
    ET.fromstring(Chart((panel,)).svg)


@pytest.mark.whole
def test_real_trainings_are_drawn():
    data, net = moons(40), MLP(2, [8, 1], seed=1)
    gd = gradient_descent(net, hinge, data, lr=0.1, steps=20)
    sgd = stochastic_gradient_descent(net, hinge, data, lr=0.01, steps=100)
    charts = [gd.plot(), sgd.plot(), plot_comparison({"GD": gd, "SGD": sgd})]
    charts.append(plot_decision_boundary(net, data))
    net = MLP(2, [8, 3], seed=1)
    gradient_descent(net, cross_entropy, spirals(60), lr=0.1, steps=3)
    charts.append(plot_decision_boundary(net, spirals(60)))
    for chart in charts:
        ET.fromstring(chart.svg)


def test_a_column_that_differs_by_rounding_has_a_plane():
    """Its 80 places would be one number."""
    rows = [[0.3, 1.0], [0.1 + 0.2, 2.0], [1e17, 3.0], [1e17, 4.0]]
    for xs in (rows[:2], rows[2:]):
        (panel,) = plot_decision_boundary(lambda x: Value(x[1] - 1.5), (xs, [0, 1])).panels
        low, high = ends(panel.across)
        assert low < xs[0][0] < high
        assert high - low > 1e-7 * xs[0][0]
