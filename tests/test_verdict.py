from dataclasses import replace

import pytest

from nn.data import Dataset, Scaler, iris
from nn.history import ALL_DONE, History, Step
from nn.task import learn
from nn.verdict import (
    MOST_CLASSES,
    answers_of,
    beside_no_net,
    comparison,
    confusion,
    figures,
    gain,
    in_words,
    outweighed,
    remarks,
    usual_answer,
)

FLOWERS = learn(iris())
LINE = learn(Dataset([[0.0], [1.0]], [10.0, 30.0], ("x",), target="price"))


def history(losses, looks=None, ended=ALL_DONE, kept=None):
    made = History(ended=ended, kept=kept)
    for i, loss in enumerate(losses):
        made.append(Step(i, loss, None, 1.0, 0.1, 0.5, i + 1, looks and looks.get(i)))
    return made


def test_without_a_net_one_gives_the_most_frequent_class_or_the_mean():
    assert usual_answer(FLOWERS, [0, 2, 1, 2]) == 2
    assert in_words(FLOWERS, 2) == "always virginica"
    assert LINE.answers == Scaler((20.0,), (10.0,))
    assert usual_answer(LINE, [-1.0, 1.0, 3.0]) == 1.0
    assert in_words(LINE, 1.0) == "always 30, the mean"


def test_figures_of_classes_are_the_share_that_is_right():
    assert figures(FLOWERS, [0, 1, 2, 2], [0, 1, 2, 1]) == {"accuracy": "75.0%"}


def test_figures_of_numbers_are_in_their_unit():
    """Errors of 0.3 and 0.4 of a scale of 10; and R2 is about the mean of these targets."""
    found = figures(LINE, [-1.0, 1.0], [-0.7, 1.4])
    assert found == {"typical error": "3.536", "R2": "0.875"}
    assert figures(LINE, [-1.0, 1.0], [0.0, 0.0])["R2"] == "0.000"
    assert figures(LINE, [-1.0, 1.0], [2.0, -2.0])["R2"] == "-8.000"
    assert figures(LINE, [1.0, 1.0], [2.0, 2.0])["R2"] == "not defined"


def test_outputs_stand_for_classes_or_numbers():
    assert answers_of(FLOWERS, [[0.0, 2.0, 1.0], [3.0, 0.0, 0.0]]) == [1, 0]
    assert answers_of(LINE, [0.5, -2.0]) == [0.5, -2.0]


def test_a_comparison_has_a_line_for_each():
    rows = {"the net": [0, 1], "none": [0, 0]}
    assert comparison(FLOWERS, [0, 1], rows) == {"accuracy": {"the net": "100.0%", "none": "50.0%"}}


@pytest.mark.parametrize(
    ("task", "ys", "good", "bad"),
    [(FLOWERS, [0, 1], [0, 1], [0, 0]), (LINE, [0.0, 1.0], [0.1, 1.0], [0.0, 0.5])],
)
def test_better_is_better_and_the_same_is_not(task, ys, good, bad):
    assert gain(task, ys, good, bad)[0] > 0 > gain(task, ys, bad, good)[0]
    assert gain(task, ys, good, good) == (0, 0)


def test_a_gain_comes_with_what_may_be_chance():
    better, chance = gain(LINE, [0.0, 0.0, 0.0], [0.0, 1.0, 0.0], [2.0, 0.0, 1.0])
    assert (better, chance) == (pytest.approx(4 / 3), pytest.approx((19 / 3 / 3) ** 0.5))


def test_a_net_that_is_not_clearly_better_is_warned_of():
    ys = [-1.0, 1.0, 0.5, -0.5]
    assert beside_no_net(LINE, ys, ys, 0.0) == ""
    assert "no better than 'always 20, the mean'" in beside_no_net(LINE, ys, [0.0] * 4, 0.0)
    hardly = beside_no_net(LINE, ys, [0.0, 0.1, -0.1, 0.0], 0.0)
    assert "by so little that it may be chance: these 4 rows" in hardly


def test_one_class_found_is_better_and_rows_of_one_class_cannot_tell():
    assert beside_no_net(FLOWERS, [0] * 9 + [1], [0] * 9 + [1], 0) == ""
    words = beside_no_net(FLOWERS, [0] * 10, [0] * 10, 0)
    assert words.startswith("all these rows are 'setosa', so they cannot tell")
    assert "found nothing" not in words
    by_chance = beside_no_net(FLOWERS, [0, 0, 1, 1, 1], [1, 1, 1, 1, 1], 0)
    assert "may be chance" in by_chance


def test_a_confusion_counts_and_says_recall():
    table = confusion(FLOWERS, [0, 0, 1, 2], [0, 1, 1, 1])
    assert table["-> versicolor"] == {"setosa": "1", "versicolor": "1", "virginica": "1"}
    assert table["recall"] == {"setosa": "50.0%", "versicolor": "100.0%", "virginica": "0.0%"}


def test_of_many_classes_the_worst_are_shown():
    n = MOST_CLASSES + 8
    many = replace(FLOWERS, classes=tuple(f"class {k}" for k in range(n)))
    ys = [*range(n), 15]
    table = confusion(many, ys, [0 if y in (3, 15) else y for y in ys])
    assert table["rows"]["class 15"] == "2"
    assert len(table["recall"]) == MOST_CLASSES
    assert [*table["recall"]][:2] == ["class 3", "class 15"]


def test_names_in_a_table_stay_apart_and_short():
    long = replace(FLOWERS, classes=("a" * 30, "a" * 31, "b\x1b[2J"))
    names = [*confusion(long, [0, 1, 2], [0, 1, 2])["recall"]]
    assert names == ["a" * 18 + " (1)", "a" * 18 + " (2)", "b\u241b[2J"]


FALLS = [1.0 / (1 + k) for k in range(200)]
REMARKS = {
    "(a plateau). The net may have found all": (history([0.5] * 200), 0.5, None),
    "still falling": (history(FALLS), 0.01, None),
    "2.5 times that on rows learned from": (history([0.5] * 5), 0.2, 0.5),
    "the weights of step 4 are kept: there the loss of the rows held out was lowest, 0.3.": (
        history([0.5] * 9, {3: 0.3, 7: 0.31}, "early stop", 3), 0.5, 0.5,
    ),
    "The weights of step 9 of 9 are kept": (
        history([0.5] * 9, {3: 0.4, 8: 0.3}, kept=8), 0.5, 0.5,
    ),
    "Ctrl-C stopped it after 1 step; the weights of step 1 are kept": (
        history([0.5], {0: 0.3}, "interrupted", 0), 0.5, 0.5,
    ),
    "The loss on the rows held out was still falling at the end": (
        history([0.5] * 200, dict(enumerate(FALLS)), kept=199), 0.5, 0.5,
    ),
    "it rose to 0.6: the net began to learn by heart": (
        history([0.5] * 9, {3: 0.3, 7: 0.6}, "early stop", 3), 0.5, 0.5,
    ),
}  # fmt: skip


@pytest.mark.parametrize("words", REMARKS)
def test_curves_are_remarked_on(words):
    assert words in " ".join(remarks(*REMARKS[words]))


def test_there_is_not_always_something_to_say():
    assert remarks(history([0.5] * 20), 0.2, 0.3) == []
    assert remarks(history(FALLS, ended="interrupted"), 0.2, 0.3) == []


def test_what_the_rows_held_out_say_counts_more_than_the_loss_of_learning():
    """The one goes on falling where the other rose long ago: more steps would not help."""
    rises = {k: 0.2 + 0.001 * k for k in range(200)}
    words = " ".join(remarks(history(FALLS, rises, kept=0), 0.01, 0.3))
    assert "learn by heart" in words
    assert "more --steps" not in words


def test_a_plateau_does_not_say_that_more_steps_are_useless():
    (words,) = remarks(history([0.5] * 200), 0.5)
    assert "more --steps would tell" in words


def test_a_row_that_makes_all_of_the_error_is_said():
    rows = Dataset([[float(k)] for k in range(9)], [float(k) for k in range(9)], ("a",), (), "y")
    task = learn(rows)
    scale = task.answers.scales[0]
    said = outweighed(task, [0.0] * 30, [0.5] * 29 + [-40.0])
    assert said.endswith(f"1 row in 30; without it the typical error is {0.5 * scale:.4g}.")
    assert outweighed(task, [0.0] * 30, [0.5] * 30) == ""
    assert outweighed(task, [0.0] * 30, [0.0] * 30) == ""
    assert outweighed(task, [0.0] * 5, [0.5] * 4 + [-40.0]) == ""  # of few rows that is usual
