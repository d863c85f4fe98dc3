import json
import math
import random
import re
from dataclasses import replace
from pathlib import Path

import pytest
from audit import nothing_executed
from mutated import mutated_json

from engine.functions import softmax
from engine.value import Value
from nn.data import Dataset, iris, load_csv
from nn.history import DivergedError
from nn.module import MLP
from nn.save import save
from nn.task import learn, load_task
from nn.train import fit

AMOUNTS = Dataset([[1.0, 5.0], [3.0, 5.0]], [10.0, 30.0], ("a", "b"), (), "price")


@pytest.fixture
def flowers():
    return learn(iris())


def saved(path, task, **changes):
    """A file of a net for `task`, with entries of its meta changed."""
    model = MLP(len(task.features), [task.outputs], seed=0)
    save(model, path, {**task.meta(), **changes})
    return path


def test_a_task_of_classes(flowers):
    assert (flowers.outputs, flowers.measure, flowers.target) == (3, "accuracy", "species")
    scaled = flowers.scaled(iris())
    assert scaled.ys == iris().ys
    for column in zip(*scaled.xs, strict=True):
        assert math.fsum(column) / 150 == pytest.approx(0, abs=1e-12)
        assert math.fsum(x * x for x in column) / 150 == pytest.approx(1)


def test_a_task_of_amounts():
    task = learn(AMOUNTS)
    assert (task.outputs, task.measure, task.target) == (1, "typical error", "price")
    scaled = task.scaled(AMOUNTS)
    assert (scaled.xs, scaled.ys) == ([[-1.0, 0.0], [1.0, 0.0]], [-1.0, 1.0])


def test_answers_are_in_the_unit_of_the_file(flowers):
    assert learn(AMOUNTS).answer(Value(-1.0)) == ("10", "")
    assert learn(AMOUNTS).answer(Value(2.0)) == ("40", "")
    name, chance = flowers.answer([Value(0.0), Value(2.0), Value(-1.0)])
    assert (name, float(chance)) == (
        "versicolor",
        pytest.approx(softmax([0.0, 2.0, -1.0])[1], abs=1e-4),
    )


def test_quality(flowers):
    assert flowers.quality(0.3, 0.25) == "25.0%"
    assert learn(AMOUNTS).quality(0.25, None) == "5"  # half a standard deviation of 10


def test_losses(flowers):
    assert flowers.loss([Value(0.0)] * 3, 1).data == pytest.approx(math.log(3))
    assert learn(AMOUNTS).loss(Value(3.0), 1.0).data == 4.0


@pytest.mark.parametrize("rows", [iris(), AMOUNTS])
def test_a_saved_task_comes_back(tmp_path, rows):
    task = learn(rows)
    model, back = load_task(saved(tmp_path / "m.json", task))
    assert back == task
    assert len(model.layers[0].neurons[0].w) == len(task.features)


def test_read_takes_rows_without_a_target(tmp_path, flowers):
    path = tmp_path / "raw.csv"
    path.write_text(",".join(flowers.features) + "\n1,2,3,4\n")
    seen = flowers.read(path)
    assert (seen.rows.xs, seen.rows.ys) == ([[1.0, 2.0, 3.0, 4.0]], [])
    assert "no column 'species'" in seen.unscored


def test_read_says_which_target_is_unknown(tmp_path, flowers):
    path = tmp_path / "raw.csv"
    path.write_text(",".join([*flowers.features, "species"]) + "\n1,2,3,4,rose\n")
    seen = flowers.read(path)
    assert len(seen.rows.xs) == 1
    assert "line 2: 'species' is 'rose'" in seen.unscored


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": "abcd"}, "expected a list of texts, got 'abcd'"),
        ({"columns": ["a", "b", "c", 4]}, "expected a list of texts"),
        ({"columns": ["a", "b"]}, "expected the scaling of 2 columns, got 4"),
        ({"classes": ["a", "b"]}, "its reading is of other columns, or of another target"),
        ({"reading": {"version": 3, "target": None}}, "its reading is of version 3, expected 2"),
        ({"reading": {"version": 1}}, "not 'target'"),
        ({"classes": ["a"]}, "expected no classes, or 2 and more, got ('a',)"),
        ({"target": 3}, "expected a list of texts, got [3]"),
        ({"scaling": None}, "damaged"),
        ({"scaling": {"means": [0] * 4, "scales": [0] * 4}}, "a scale expected"),
        ({"scaling": {"means": ["0"] * 4, "scales": [1] * 4}}, "a mean expected"),
        ({"scaling": {"means": [0] * 4}}, "not 'scales'"),
        ({"target_scaling": {"means": [], "scales": []}}, "expected the scaling of 1 columns"),
    ],
)
def test_a_damaged_file(tmp_path, flowers, changes, words):
    path = saved(tmp_path / "m.json", flowers, **changes)
    with pytest.raises(ValueError, match=r"m\.json") as caught:
        load_task(path)
    assert words in str(caught.value)


def test_a_net_saved_before_readings_were(tmp_path, flowers):
    """Its columns are found by the names of its features; what it was checked for stays."""
    path = saved(tmp_path / "m.json", flowers)
    document = json.loads(path.read_text())
    del document["meta"]["reading"]
    path.write_text(json.dumps(document))
    _, task = load_task(path)
    assert task == replace(flowers, reading=None)
    data = tmp_path / "raw.csv"
    data.write_text(",".join(flowers.features) + "\n1,2,3,4\n1,,3,4\n")
    seen = task.read(data)
    assert (seen.rows.xs, [*seen.lines]) == ([[1.0, 2.0, 3.0, 4.0]], [2, 3])
    assert seen.faults == {1: "'sepal width (cm)' is empty"}
    document["meta"]["classes"] = ["a", "b"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="4 inputs and 3 outputs does not fit its 4 columns and 2"):
        load_task(path)


def test_a_file_without_columns(tmp_path, flowers):
    path = saved(tmp_path / "m.json", flowers)
    document = json.loads(path.read_text())
    del document["meta"]["columns"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="holds a net, but not 'columns'"):
        load_task(path)


@pytest.mark.some(2)
@pytest.mark.parametrize("classes", [False, True], ids=["amounts", "classes"])
def test_mutated_files_give_an_error_that_names_them_or_a_step(tmp_path, amount, figure, classes):
    """What is accepted reads rows and answers them, or says why not, and takes a step."""
    data, path, taken = tmp_path / "data.csv", tmp_path / "m.json", 0
    data.write_text("a,b,y\n1,no,2\n2,yes,3.5\n4,no,5\n1,no,2\n2,yes,3.5\n4,no,5\n")
    task = learn(load_csv(data, "y", as_classes=classes))
    save(MLP(len(task.features), [2, task.outputs], "tanh", seed=0), path, task.meta())
    good, rng, count = path.read_bytes(), random.Random(f"e3 {classes}"), amount(200, 12_500)
    for _ in range(count):
        path.write_bytes(mutated_json(good, rng))
        refusal, expected = "", str(path)
        try:
            with nothing_executed():
                model, task = load_task(path)
            taken += 1
            expected = f"{data}: |row \\d: |the net answers "
            step(model, task, task.read(data))
        except DivergedError:
            pass
        except ValueError as error:
            refusal = str(error)
        assert not refusal or re.match(expected, refusal)
        assert len(refusal) < 5000
    assert count / 20 < taken < count / 2
    figure("e3", "models mutated in what their JSON says: raw errors, code run", count)
    figure("e3", "of those models: accepted, and trained on", taken)


def step(model, task, read):
    """Answers rows and learns from them, where their targets could be read."""
    if not read.places:
        raise ValueError(f"row 1: {read.faults[0]}")
    scaled = task.scaled(read.rows)
    for x in scaled.xs:
        task.answer(model(x))
    if not read.unscored:
        fit(model, task.loss, scaled, lr=0.1, steps=1, backend="eager")


FORMER = Path(__file__).with_name("former") / "model-1.json"


def test_a_net_of_the_former_version_of_readings(tmp_path):
    """Its last text of many, "other", stands for the rest; that of few is a text."""
    _, task = load_task(FORMER)
    size, weight, colour, town = task.reading.columns
    assert (size.gap, weight.gap, colour.gap) == ("size was missing", "", "(missing)")
    assert (colour.rest, town.rest, len(town.texts)) == ("", "other", 32)
    assert (task.reading.target.rest, task.classes) == ("", ("fish", "other"))
    data = tmp_path / "a.csv"
    data.write_text(
        "size,weight,colour,town,kind\n1.5,2,red,n1,fish\nNA,3,,x,bird\n1,2,u,n1,fish\n"
    )
    seen = task.read(data)
    assert seen.faults == {2: "'colour' is 'u', expected one of blue, other, red, (missing)"}
    assert seen.wrong == {1: "'kind' is 'bird', expected one of fish, other"}
    assert seen.rows.ys == [0, None]
    assert seen.said(seen.places) == [
        "missing cells hold the median of the rows learned from: 'size' (1)",
        "texts that were not learned one by one: 'town': 'other' (1)",
    ]
    assert load_task(saved(tmp_path / "m.json", task))[1] == task
