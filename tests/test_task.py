import json
import math

import pytest

from engine.functions import softmax
from engine.value import Value
from nn.data import Dataset, iris
from nn.module import MLP
from nn.save import save
from nn.task import learn, load_task

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
    rows, unscored = flowers.read(path)
    assert (rows.xs, rows.ys) == ([[1.0, 2.0, 3.0, 4.0]], [])
    assert "no column 'species'" in unscored


def test_read_says_which_target_is_unknown(tmp_path, flowers):
    path = tmp_path / "raw.csv"
    path.write_text(",".join([*flowers.features, "species"]) + "\n1,2,3,4,rose\n")
    rows, unscored = flowers.read(path)
    assert len(rows.xs) == 1
    assert "line 2: 'species' is 'rose'" in unscored


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"columns": "abcd"}, "expected a list of texts, got 'abcd'"),
        ({"columns": ["a", "b", "c", 4]}, "expected a list of texts"),
        ({"columns": ["a", "b"]}, "expected the scaling of 2 columns, got 4"),
        (
            {"classes": ["a", "b"]},
            "4 inputs and 3 outputs does not fit its 4 columns and 2 answers",
        ),
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


def test_a_file_without_columns(tmp_path, flowers):
    path = saved(tmp_path / "m.json", flowers)
    document = json.loads(path.read_text())
    del document["meta"]["columns"]
    path.write_text(json.dumps(document))
    with pytest.raises(ValueError, match="holds a net, but not 'columns'"):
        load_task(path)
