"""Exercises: every row of the table in its notebook, what is said of answers, how it looks."""

import re
from dataclasses import replace
from functools import cache
from math import tanh

import pytest
from taught import FOLDER, asked_in, code_of, filled, notebook_of, run

from engine import Value
from nn import homework
from nn.exercise import check, hint, progress, solution
from nn.exercises.table import EXERCISES
from nn.homework import FILE

pytestmark = pytest.mark.usefixtures("own_folder")
NUMBERS = sorted({name[:2] for name in EXERCISES})


@cache
def notebooks():
    return {name: code_of(path) for path in FOLDER.glob("*.ipynb") if (name := path.stem[:2])}


# --- the table beside the notebooks ---------------------------------------------------------------


def test_each_exercise_is_asked_once_in_its_notebook_and_in_order():
    asked = {
        number: [name for source in cells if (name := asked_in(source))]
        for number, cells in notebooks().items()
    }
    for number, names in asked.items():
        assert names == [name for name in EXERCISES if name.startswith(number)]


@pytest.mark.parametrize("name", EXERCISES)
def test_a_row_has_hints_three_wrong_answers_and_no_answer_in_its_cell(name):
    exercise = EXERCISES[name]
    [cell] = [source for source in notebook_of(name) if asked_in(source) == name]
    assert exercise.hints
    assert len(exercise.wrong) == 3
    assert len(set(exercise.wrong.values())) >= 2
    assert "..." in cell
    for line in exercise.solution.splitlines():
        assert line not in cell.splitlines() or line in ("zeros = {", "}") or line.startswith("def")


@pytest.mark.whole
@pytest.mark.parametrize("number", NUMBERS)
def test_a_notebook_runs_blank_solved_and_with_wrong_answers(number, tmp_path, capsys):
    """The cells in order: each exercise blank, with three wrong answers, with its solution.

    What is left blank leaves nothing in the folder.
    """
    names, done = {}, []
    for source in notebooks()[number]:
        kept = [path.read_text() for path in tmp_path.iterdir()]
        said = run(source, names)
        assert [path.read_text() for path in tmp_path.iterdir()] == kept
        if not (name := asked_in(source)):
            continue
        exercise = EXERCISES[name]
        assert (said.name, said.verdict) == (name, "not filled in yet"), said
        for count, (lines, part) in enumerate(exercise.wrong.items(), 1):
            said = run(filled(source, lines), names)
            assert said.verdict == "not yet", said
            assert part in str(said)
            assert said.hints == exercise.hints[:count]
            assert (f'solution("{name}")' in str(said)) == (count >= len(exercise.hints))
        said = run(filled(source, exercise.solution), names)
        assert said.verdict == "right", said
        done.append(name)
    assert len(done) >= 3
    assert f"{len(done)} of {len(EXERCISES)} exercises done" in str(progress())


# --- what is said of answers ----------------------------------------------------------------------


def neuron():
    """A number used twice above a chain, as in the first notebook and a little more."""
    w, x = Value(0.5, "w"), Value(3.0, "x")
    h = w * x
    h.label = "h"
    loss = h.tanh() * h
    loss.label = "loss"
    return w, x, h, loss


def said_of(answer, of="w"):
    w, x, h, loss = neuron()
    value = {"w": w, "x": x, "h": h}[of]
    check("05.1", {value: answer}, loss)
    return str(check("05.1", {value: answer}, loss)).splitlines()[0]


T = tanh(1.5)
H = T + 1.5 * (1 - T * T)  # loss = h tanh h, so dL/dh = tanh h + h (1 - tanh(h)^2)


@pytest.mark.parametrize(
    ("of", "answer", "words"),
    [
        ("w", 3 * H, "05.1 right"),
        ("w", round(3 * H, 4), "05.1 right"),
        ("w", Value(3 * H), "05.1 right"),
        ("w", -3 * H, "w: the sign is turned"),
        ("w", 6 * H, "w: that is twice too much"),
        ("w", 1.5 * H, "w: that is half of it: a factor of 2 is missing"),
        (
            "w",
            3.0,
            "w: you have the slope of the brick, not times the blame from above, that of h",
        ),
        ("w", H, "w: that is the blame of h: multiply it by the slope of the brick"),
        ("w", H + 3, "w: you added the slope to the blame from above: multiply them"),
        (
            "w",
            4.5 * (1 - T * T),
            "w: this happened on the way: Where paths meet, the blame of one path",
        ),
        ("w", 0.5, "w: that is the number w itself, not a gradient"),
        ("w", 1.5 * T, "w: that is the number loss itself, not a gradient"),
        ("w", 0.5 * H, "w: that is the gradient of x"),
        ("w", 0, "w: 0 would say that it has no influence"),
        ("w", float(f"{3 * H:.1e}"), "w: right to 2 digits: rounding?"),
        ("w", 1234.5, "w: that is not it, and it is none of the usual slips"),
        ("w", "up", "w: expected a number such as 0.5, got 'up'"),
        ("w", None, "w: expected a number such as 0.5, got None"),
        ("h", T, "h: that is one path alone: 2 paths from loss and tanh1 meet in h, add them"),
        ("h", 1.5 * (1 - T * T), "h: that is one path alone: 2 paths"),
        ("x", 3 * H, "x: that is the gradient of w"),
    ],
)
def test_a_wrong_gradient_is_told_by_where_it_comes_from(of, answer, words):
    assert words in said_of(answer, of)


def test_of_several_answers_the_first_wrong_one_is_named():
    w, x, h, loss = neuron()
    reply = str(check("05.1", {h: H, w: -3 * H, x: -0.5 * H}, loss)).splitlines()
    assert reply[0] == "05.1 not yet: w: the sign is turned"
    assert reply[1:3] == [
        "  1 of 3 are right",
        "  not right either, perhaps for the same reason: x",
    ]


def test_some_answers_may_wait():
    w, x, h, loss = neuron()
    assert str(check("05.1", {h: H, w: ..., x: ...}, loss)) == (
        "05.1 not filled in yet: w, x; the others are right"
    )


def test_a_function_is_tried_at_points_and_its_slope_checked():
    def stops(a):
        raise ZeroDivisionError("by zero")

    for answer, words in (
        (3.0, "expected a function of one number, got 3.0"),
        (stops, "at 2 it stops with ZeroDivisionError: by zero"),
        (lambda a: None, "at 2 expected a number, got None: does it return one?"),
        (lambda a: Value(3 * a.data**2), "right at the points tried, but as a function of a Value"),
        (lambda a: 6 * a * a, "that is twice too much"),
    ):
        assert words in str(check("01.4", answer))


def test_a_word_is_read_as_a_person_writes_it():
    assert check("02.2", " Down ").verdict == "right"


def test_where_the_loss_does_not_change_it_goes_neither_way():
    w = Value(0.0, "w")
    assert check("01.1", {w: "neither"}, w * w).verdict == "right"
    assert check("01.1", {w: "up"}, w * w).verdict == "not yet"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (..., "02.3 not filled in yet: a gradient"),
        ([..., ...], "02.3 not filled in yet: a gradient"),
        ([2.0, ...], "02.3 not filled in yet: number 2; the others are right"),
        ([2.0, -4.0], "02.3 not yet: number 2: the sign is turned\n  1 of 2 are right"),
        ((2.0, 4.0), "02.3 right"),
        ([2.0], "02.3 not yet: expected a list of 2, got [2.0]"),
        (2.0, "02.3 not yet: expected a list of 2, got 2.0"),
    ],
)
def test_a_list_of_numbers_says_which_is_wrong(answer, words, monkeypatch):
    row = replace(EXERCISES["02.3"], answer=lambda one: [one, 2 * one], slips={})
    monkeypatch.setitem(EXERCISES, "02.3", row)
    assert str(check("02.3", answer, one=2.0)).startswith(words)


def test_a_call_that_lacks_something_says_what():
    a = Value(3.0, "a")
    for call, error, words in (
        (lambda: check("1.2", 3), ValueError, "no exercise '1.2', did you mean '01.2'?"),
        (lambda: check("05.1", {a: 3}), TypeError, "expected a Value as loss"),
        (lambda: check("05.1", 3, a * a), TypeError, "expected a dict of gradients by their Val"),
        (lambda: check("05.1", {a: 3}, Value(1.0) * 2), ValueError, "was computed without Value"),
        (lambda: check("02.3", 3), TypeError, "expected one=..., got []"),
        (lambda: check("02.2", "up", lr=0.1), TypeError, "expected no numbers, got ['lr']"),
        (lambda: check("05.5", "dead"), TypeError, "expected a dict by name"),
    ):
        with pytest.raises(error, match=re.escape(words)):
            call()


# --- hints, solutions, progress -------------------------------------------------------------------


def test_hints_come_one_by_one_and_then_a_solution():
    hints = EXERCISES["01.2"].hints
    assert [hint("01.2").hints for _ in range(4)] == [hints[:1], hints[:2], hints, hints]
    assert 'solution("01.2") shows a solution' in str(hint("01.2"))
    assert "    blame[x] = blame[product] * w.data" in str(solution("01.2"))
    assert progress().rows["01.2"].hints == 5


def test_what_is_right_stays_right():
    check("02.2", "down")
    check("02.2", "up")
    assert progress().rows["02.2"] == (1, True)
    assert re.search(r"^  02\.2  done +does the loss go up", str(progress()), flags=re.M)


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path):
    (tmp_path / FILE).mkdir()
    first, second = check("02.2", "up"), check("02.2", "up")
    assert f"progress is not kept: {FILE}: Is a directory" in str(first)
    assert "not kept" not in str(second)
    assert (len(first.hints), check("02.2", "down").verdict) == (1, "right")
    assert progress().rows["02.2"] == (2, True)


def test_a_read_only_folder_is_said_once(monkeypatch):
    def refuse(path, content):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(homework, "write", refuse)
    assert f"progress is not kept: {FILE}: Permission denied" in str(check("02.2", "down"))
    assert "not kept" not in str(check("02.2", "down"))
    assert progress().rows["02.2"].done


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": "brickgrad progress", "version": 2, "exercises": {}}',
        '{"format": "brickgrad progress", "version": 1, "exercises": {"01.1": {"hints": 1}}}',
        '{"format": "brickgrad progress", "version": 1, "exercises":'
        ' {"01.1": {"hints": -1, "done": false}}}',
    ],
)
def test_a_file_of_something_else_stays_as_it_is(tmp_path, text):
    (tmp_path / FILE).write_text(text)
    with pytest.raises(ValueError, match="is not the progress of a course that brickgrad saved"):
        progress()
    assert "progress is not kept" in str(check("02.2", "down"))
    assert (tmp_path / FILE).read_text() == text


def test_progress_of_exercises_of_another_version_is_kept(tmp_path):
    text = '{"format": "brickgrad progress", "version": 1, "exercises": {"77.1": {"hints": 0, '
    (tmp_path / FILE).write_text(text + '"done": true}}}')
    check("02.2", "down")
    assert {name: row.done for name, row in progress().rows.items()} == {"77.1": True, "02.2": True}
    assert str(progress()).startswith(f"1 of {len(EXERCISES)} ")


# --- how it looks in a notebook -------------------------------------------------------------------


def test_a_notebook_folds_further_hints_and_the_solution():
    w, _, _, loss = neuron()
    html = check("05.1", {w: "<b>"}, loss)._repr_html_()
    assert (
        "<b>05.1 not yet</b>: w: expected a number such as 0.5, got &#x27;&lt;b&gt;&#x27;" in html
    )
    assert html.count("<details>") == 2
    assert html.index("hint 1 of 2") < html.index("Hint 2 of 2") < html.index("Solution")
    right = check("05.1", {w: 3 * H}, loss)._repr_html_()
    assert right.count("<details>") == 1
    assert "hint" not in right.lower()
    assert "<details open>" in solution("05.1")._repr_html_()
    assert progress()._repr_html_().count("<tr>") == len(EXERCISES) + 1
