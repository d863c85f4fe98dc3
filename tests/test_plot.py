import io
import math
import sys
import warnings

import pytest

from engine.value import Value
from nn.data import Dataset, iris, moons, spirals, standardise
from nn.history import History, Step
from nn.loss import cross_entropy, hinge
from nn.module import MLP
from nn.plot import plot_comparison, plot_decision_boundary, plot_history
from nn.train import gradient_descent, stochastic_gradient_descent

matplotlib = pytest.importorskip("matplotlib")


def history(losses, accuracy=None, points=1):
    made = History()
    for i, loss in enumerate(losses):
        made.append(Step(i, loss, accuracy, 1 + loss, 0.1, 0.5, points * (i + 1)))
    return made


def named(axes):
    """The curves with a name, as {name: (xs, ys)}."""
    return {
        line.get_label(): (list(line.get_xdata()), list(line.get_ydata()))
        for line in axes.lines
        if not line.get_label().startswith("_")
    }


def write(figure):
    stream = io.StringIO()
    figure.savefig(stream, format="svg")
    return stream.getvalue()


def left_or_right(x):
    return Value(x[0])


# --- curves ----------------------------------------------------------------------------------


def test_a_history_of_classes_has_three_panels():
    figure = history([3.0, 2.0, 1.0], accuracy=0.25).plot()
    loss, accuracy, gradient = figure.axes
    assert [axes.get_title() for axes in figure.axes] == ["Loss", "Accuracy", "Gradient"]
    assert named(loss) == {"training": ([1, 2, 3], [3, 2, 1])}
    assert named(accuracy) == {"training": ([1, 2, 3], [25, 25, 25])}
    assert named(gradient) == {"training": ([1, 2, 3], [4, 3, 2])}
    assert accuracy.get_ylabel() == "points in the right class (%)"
    assert {axes.get_xlabel() for axes in figure.axes} == {"step"}


def test_a_history_of_amounts_has_no_accuracy():
    assert [axes.get_title() for axes in plot_history(history([2.0, 1.0])).axes] == [
        "Loss",
        "Gradient",
    ]


def test_validation_is_drawn_where_it_was_looked_at():
    made = history([3.0, 2.0, 1.0, 0.5], accuracy=0.5)
    made.validation_loss[1], made.validation_loss[3] = 2.5, 1.5
    made.validation_accuracy[3] = 0.75
    loss, accuracy, _ = plot_history(made).axes
    assert named(loss)["validation"] == ([2, 4], [2.5, 1.5])
    assert named(accuracy)["validation"] == ([4], [75])


def test_a_noisy_curve_gets_its_moving_average():
    noisy = [3.0, *(i % 3 for i in range(199))]
    axes = plot_history(history(noisy)).axes[0]
    ((name, (xs, ys)),) = named(axes).items()
    assert name == "training (mean of the last 10 steps)"
    assert xs == list(range(10, 201))  # from where ten steps are there
    assert ys == pytest.approx([math.fsum(noisy[k : k + 10]) / 10 for k in range(191)])
    assert list(axes.lines[0].get_ydata()) == noisy
    assert axes.get_ylim()[1] > 3.0  # the start, which no mean shows, has room


def test_all_dots_of_a_noisy_curve_have_room():
    noisy = [0.02 if i % 3 else 0.5 + i % 2 for i in range(300)]
    axes = plot_history(history(noisy)).axes[0]
    low, high = axes.get_ylim()
    assert low < min(noisy) < max(noisy) < high
    assert not any("outside" in name for name in named(axes))


def test_dots_so_far_down_that_the_others_would_be_flat_are_said_to_lie_below():
    noisy = [1e-12 if i in (150, 200) else 1.0 + i % 2 for i in range(300)]
    axes = plot_history(history(noisy)).axes[0]
    (name,) = named(axes)
    assert name == "training (mean of the last 15 steps); the lowest dots lie below"
    assert 0.1 < axes.get_ylim()[0] < 1.0


def test_a_class_whose_name_begins_with_a_line_is_in_the_legend():
    sides = Dataset([[-1.0, 0.0], [1.0, 0.0]] * 3, [0, 1] * 3, classes=("_left", "right"))
    (axes,) = plot_decision_boundary(lambda x: [-x[0], x[0]], sides).axes
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["'_left'", "right"]


def test_single_points_that_are_right_or_wrong_are_shown_by_their_mean():
    made = history([1.0] * 200)
    made.accuracy[:] = [float(i % 2) for i in range(200)]
    _, accuracy, _ = plot_history(made).axes
    (line,) = accuracy.lines
    assert list(line.get_ydata()) == [50.0] * 191


def test_the_step_whose_weights_were_kept_is_marked():
    made = history([3.0, 2.0, 1.0])
    made.kept = 1
    for axes in plot_history(made).axes:
        assert named(axes)["weights kept: step 2"][0] == [2, 2]
    made.kept = None
    assert all(named(axes).keys() == {"training"} for axes in plot_history(made).axes)


def test_many_looks_at_validation_data_are_one_line_of_few_corners():
    made = history([1.0 / (1 + i) for i in range(5000)])
    made.validation_loss[:] = made.loss
    loss, _ = plot_history(made).axes
    assert len(loss.lines) == 2
    assert len(named(loss)["validation"][0]) <= 1000


@pytest.mark.parametrize(
    ("losses", "scale"),
    [
        ([100.0, 1.0], "log"),
        ([10.0, 1.0], "linear"),
        ([100.0, 0.0], "linear"),
        ([-83, 4], "linear"),
    ],
)
def test_a_loss_that_falls_far_has_a_logarithmic_axis(losses, scale):
    assert plot_history(history(losses)).axes[0].get_yscale() == scale


def test_a_long_training_has_curves_of_few_corners():
    axes = plot_history(history([1 / (i + 1) for i in range(50_000)])).axes[0]
    assert len(named(axes)["training"][0]) <= 1000


def test_histories_are_compared_by_points_and_by_time():
    figure = plot_comparison({"GD": history([4.0, 2.0], points=100), "SGD": history([4.0, 3.0])})
    by_points, by_time = figure.axes
    assert named(by_points) == {"GD": ([100, 200], [4, 2]), "SGD": ([1, 2], [4, 3])}
    assert named(by_time) == {"GD": ([0, 0.5], [4, 2]), "SGD": ([0, 0.5], [4, 3])}
    assert (by_points.get_xscale(), by_time.get_xscale()) == ("log", "linear")
    assert (by_points.get_xlabel(), by_time.get_xlabel()) == (
        "points looked at",
        "time after the first step (s)",
    )


def test_curves_differ_in_more_than_colour():
    figure = plot_comparison({name: history([2.0, 1.0]) for name in "abcd"})
    assert len({line.get_linestyle() for line in figure.axes[0].lines}) == 4
    assert len({line.get_color() for line in figure.axes[0].lines}) == 4


def test_a_history_draws_its_curves_into_a_file(tmp_path):
    figure = history([2.0, 1.0]).plot(tmp_path / "curves.svg")
    assert isinstance(figure, matplotlib.figure.Figure)
    assert (tmp_path / "curves.svg").read_text(encoding="utf-8").startswith("<?xml")
    with pytest.raises(ValueError, match=r"Format 'txt' is not supported \(supported formats: "):
        history([2.0, 1.0]).plot("curves.txt")
    with pytest.raises(TypeError, match=r"expected the name of a file, 'curves.svg', got True"):
        history([2.0, 1.0]).plot(True)


@pytest.mark.parametrize("held_out", [None, 0.5])
def test_titles_side_by_side_stand_at_one_height_above_their_legends(held_out):
    seen = history([3.0, 2.0, 1.0], accuracy=0.25)
    if held_out:
        seen.validation_loss, seen.kept = [held_out] * 3, 1
    figure = seen.plot()
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    assert {round(box.y0) for box in boxes} == {round(boxes[0].y0)}
    for axes, box in zip(figure.axes, boxes, strict=True):
        assert axes.get_legend().get_window_extent().y1 <= box.y0 + 1
        assert box.y1 <= figure.bbox.y1


def test_histories_without_steps_are_refused():
    with pytest.raises(ValueError, match="plot_history expected a history of at least 1 step"):
        History().plot()
    with pytest.raises(ValueError, match="plot_comparison of 'GD' expected a history"):
        plot_comparison({"GD": History()})
    with pytest.raises(ValueError, match="at least 1 history, got 0"):
        plot_comparison({})


# --- decision boundaries ---------------------------------------------------------------------

SIDES = [[-2.0, 0.0], [-1.0, 1.0], [1.0, 0.0], [2.0, 5.0]], [-1, -1, 1, 1]


def legend(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def contours(axes, filled):
    """The corners of each line around a region, or of each region."""
    return [
        [corner for path in contour.get_paths() for corner in path.vertices.tolist()]
        for contour in axes.collections
        if type(contour).__name__ == "QuadContourSet" and contour.filled is filled
    ]


def contour_lines(axes):
    return [corner for line in contours(axes, filled=False) for corner in line]


def test_the_boundary_lies_where_the_output_changes_sign():
    (axes,) = plot_decision_boundary(left_or_right, SIDES).axes
    corners = contour_lines(axes)
    assert len(corners) > 50
    assert {round(x, 9) for x, _ in corners} == {0.0}
    assert axes.get_title() == "Decision boundary: 4 of 4 points right"
    assert legend(axes) == ["-1", "1"]


def test_the_boundary_lies_at_the_threshold():
    (axes,) = plot_decision_boundary(left_or_right, SIDES, threshold=1.5).axes
    assert {round(x, 9) for x, _ in contour_lines(axes)} == {1.5}
    assert axes.get_title() == "Decision boundary: 3 of 4 points right"
    assert legend(axes) == ["-1", "1", "the model is wrong (1)"]
    assert axes.collections[-1].get_offsets().tolist() == [[1.0, 0.0]]


def test_of_very_many_points_some_are_drawn_and_the_title_says_so():
    """Of each class its share, though classes stand in turn; what is right is counted of all."""
    xs = [[k / 5000 - 1, k % 7.0] for k in range(10_001)]
    ys = [-1 if k % 2 else 1 for k in range(10_001)]
    (axes,) = plot_decision_boundary(left_or_right, (xs, ys)).axes
    right = sum((x[0] > 0) == (y == 1) for x, y in zip(xs, ys, strict=True))
    assert axes.get_title() == (
        f"Decision boundary: {right} of 10001 points right\n(1 point in 6 of each class is drawn)"
    )
    assert legend(axes) == ["-1", "1", f"the model is wrong ({10_001 - right})"]
    drawn = [marks for marks in axes.collections if type(marks).__name__ == "PathCollection"]
    minus, plus, ringed = (marks.get_offsets().tolist() for marks in drawn)
    assert (minus, plus) == (xs[1::12], xs[::12])
    assert ringed == [x for x in minus if x[0] > 0] + [x for x in plus if x[0] <= 0]


def test_the_legend_stands_beside_the_points():
    figure = plot_decision_boundary(left_or_right, SIDES)
    figure.draw_without_rendering()
    (axes,) = figure.axes
    assert axes.get_legend().get_window_extent().x0 >= axes.get_window_extent().x1


def test_the_boundary_between_0_and_1_lies_halfway():
    (axes,) = plot_decision_boundary(left_or_right, (SIDES[0], [0, 0, 1, 1])).axes
    assert {round(x, 9) for x, _ in contour_lines(axes)} == {0.5}


def test_each_class_has_its_region():
    def model(x):
        return [Value(-x[0]), Value(0.0), Value(x[0] - 1)]

    (axes,) = plot_decision_boundary(model, (SIDES[0], [0, 0, 1, 2])).axes
    regions = [sorted(x for x, _ in region) for region in contours(axes, filled=True)]
    edges = [(round(xs[0], 2), round(xs[-1], 2)) for xs in regions]
    assert edges == [(-2.32, 0), (0, 1), (1, 2.32)]
    assert axes.get_title() == "Decision boundary: 4 of 4 points right"


def test_axes_keep_their_units_with_a_scaler():
    scaled, scaler = standardise(([[0.0, 10.0], [4.0, 30.0]], [-1, 1]))
    assert scaled.xs == [[-1, -1], [1, 1]]
    figure = plot_decision_boundary(
        left_or_right, ([[0.0, 10.0], [4.0, 30.0]], [-1, 1]), scaler=scaler
    )
    (axes,) = figure.axes
    assert {round(x, 9) for x, _ in contour_lines(axes)} == {2.0}
    assert axes.get_title().startswith("Decision boundary: 2 of 2")


def test_other_features_stand_at_their_mean():
    seen = []

    def model(x):
        seen.append(x)
        return [Value(x[2]), Value(3.0), Value(-x[3])]

    data = iris()
    (axes,) = plot_decision_boundary(model, data, features=(3, 1)).axes
    means = [math.fsum(column) / 150 for column in zip(*data.xs, strict=True)]
    plane = seen[150:]
    assert len(plane) == 80 * 80
    assert {row[0] for row in plane} == {means[0]}
    assert {row[2] for row in plane} == {means[2]}
    assert len({row[3] for row in plane}) == len({row[1] for row in plane}) == 80
    assert min(row[3] for row in plane) == pytest.approx(0.1 - 0.08 * 2.4)
    assert max(row[3] for row in plane) == pytest.approx(2.5 + 0.08 * 2.4)
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("petal width (cm)", "sepal width (cm)")
    assert (
        "(background: sepal length (cm) and petal length (cm)\nat the mean; each"
        in axes.get_title()
    )
    assert legend(axes)[:3] == ["setosa", "versicolor", "virginica"]


def test_points_that_lie_on_each_other_are_counted():
    data = [[float(k % 3), float(k % 2)] for k in range(60)], [k % 2 for k in range(60)]
    (axes,) = plot_decision_boundary(lambda x: x[1] - 0.5, data).axes
    assert "\n(the points lie on 6 places, many under others)" in axes.get_title()
    (axes,) = plot_decision_boundary(left_or_right, SIDES).axes
    assert "places" not in axes.get_title()


def test_one_hot_targets_have_a_boundary():
    data = SIDES[0], [[1, 0], [1, 0], [0, 1], [0, 1]]
    figure = plot_decision_boundary(lambda x: [Value(-x[0]), Value(x[0])], data)
    assert figure.axes[0].get_title().startswith("Decision boundary: 4 of 4")


def test_a_model_of_one_opinion_has_no_boundary():
    (axes,) = plot_decision_boundary(lambda x: Value(7.0), SIDES).axes
    assert contour_lines(axes) == []


@pytest.mark.parametrize("features", [(0, 0), (0, 2), (-1, 0), (0,)])
def test_features_must_be_two_columns(features):
    with pytest.raises(ValueError, match="features expected two of the columns 0 to 1, got"):
        plot_decision_boundary(left_or_right, SIDES, features=features)


def test_amounts_have_no_boundary():
    with pytest.raises(ValueError, match="targets that are classes, got amounts"):
        plot_decision_boundary(left_or_right, (SIDES[0], [0.1, 0.2, 0.3, 0.4]))


# --- figures ---------------------------------------------------------------------------------


@pytest.mark.whole
def test_real_trainings_are_drawn_without_warnings():
    data, net = moons(40), MLP(2, [8, 1], seed=1)
    gd = gradient_descent(net, hinge, data, lr=0.1, steps=20)
    sgd = stochastic_gradient_descent(net, hinge, data, lr=0.01, steps=100)
    for figure in (gd.plot(), sgd.plot(), plot_comparison({"GD": gd, "SGD": sgd})):
        assert "<svg" in write(figure)
    assert "<svg" in write(plot_decision_boundary(net, data))
    net = MLP(2, [8, 3], seed=1)
    gradient_descent(net, cross_entropy, spirals(60), lr=0.1, steps=3)
    assert "<svg" in write(plot_decision_boundary(net, spirals(60)))


def test_texts_of_the_data_are_no_maths_and_no_control_characters():
    xs, ys = moons(20)
    ys = [int(y > 0) for y in ys]
    data = Dataset(xs, ys, ("$\\frac{$", "a\x1b[2J"), ("5 $ to 6 $", "$_"), "y")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of signs that no font has
        figure = plot_decision_boundary(lambda x: [Value(0.0), Value(x[0])], data)
        text = write(figure)
    (axes,) = figure.axes
    assert "<!-- $\\frac{$ -->" in text
    assert "<!-- 5 $ to 6 $ -->" in text
    assert axes.get_ylabel() == "a\u241b[2J"
    assert axes.get_xlabel() == "\\$\\frac{\\$"


def test_a_notebook_shows_a_figure_without_pyplot():
    assert history([2.0, 1.0]).plot()._repr_png_().startswith(b"\x89PNG")
    assert isinstance(history([2.0, 1.0]).plot(), matplotlib.figure.Figure)


def test_the_extra_that_is_missing_is_named(monkeypatch):
    from nn.figure import _figure_class

    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    _figure_class.cache_clear()
    with pytest.raises(ImportError, match="plots need matplotlib: pip install matplotlib"):
        history([2.0, 1.0]).plot()


def test_a_column_that_differs_by_rounding_has_a_plane():
    """Its 80 ticks would be one number."""
    rows = [[0.3, 1.0], [0.1 + 0.2, 2.0], [1e17, 3.0], [1e17, 4.0]]
    for xs in (rows[:2], rows[2:]):
        figure = plot_decision_boundary(lambda x: Value(x[1] - 1.5), (xs, [0, 1]))
        low, high = figure.axes[0].get_xlim()
        assert low < xs[0][0] < high
        assert high - low > 1e-7 * xs[0][0]
