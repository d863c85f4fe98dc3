"""Whether data, model and loss fit, and how good a model is."""

import math
from functools import partial

import pytest
from trainings import DOUBLES, Slope, iris_net, numbers, small_iris

from nn.data import moons
from nn.loss import binary_cross_entropy, cross_entropy, hinge, mse
from nn.module import MLP, Layer, Neuron
from nn.train import evaluate, fit, gradient_descent

# --- accuracy --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "data", "model"),
    [
        (cross_entropy, small_iris(), iris_net()),
        (hinge, moons(40), MLP(2, [4, 1], seed=2)),
        (binary_cross_entropy, (moons(40)[0], [(y + 1) // 2 for y in moons(40)[1]]), MLP(2, [1])),
    ],
)
def test_accuracy_is_the_share_in_the_right_class(loss, data, model):
    xs, ys = data
    right = 0
    for x, y in zip(xs, ys, strict=True):
        out = model(x)
        if isinstance(out, list):
            right += max(range(3), key=lambda k, out=out: out[k].data) == y
        else:
            right += (out.data > 0) == (y > 0)
    history = fit(model, loss, data, steps=1, lr=0.1)
    assert history.accuracy == [right / len(ys)]
    assert 0 < right < len(ys)


def test_halfway_decides_between_0_and_1_for_a_squared_error():
    data = [[0.2], [0.4], [0.6]], [0, 0, 1]
    assert evaluate(Slope(1.0), mse, data)[1] == 1
    assert evaluate(Slope(1.0), binary_cross_entropy, data)[1] == pytest.approx(1 / 3)


def test_one_hot_targets_are_classes_too():
    data = small_iris()
    one_hots = [[float(k == y) for k in range(3)] for y in data.ys]
    expected = evaluate(iris_net(), cross_entropy, data)
    assert evaluate(iris_net(), cross_entropy, (data.xs, one_hots)) == pytest.approx(expected)


def test_evaluate_changes_nothing():
    model = iris_net()
    before = numbers(model)
    loss, accuracy = evaluate(model, cross_entropy, small_iris())
    history = fit(model, cross_entropy, small_iris(), steps=1, lr=0.0)
    assert (history.loss[0], history.accuracy[0]) == pytest.approx((loss, accuracy))
    assert numbers(model) == before


# --- what does not fit -----------------------------------------------------------------------

MISFITS = {
    "inputs": (iris_net(), cross_entropy, ([[1.0, 2.0]], [0]), "example 0 does not fit: Neuron(4)"),
    "ragged": (
        Neuron(2),
        mse,
        ([[1.0, 2.0], [1.0, 2.0], [1.0]], [0, 1, 2]),
        "example 2 does not fit: Neuron(2) expected 2 inputs, got 1",
    ),
    "class": (
        iris_net(),
        cross_entropy,
        ([[0.0] * 4] * 2, [2, 3]),
        "example 1 does not fit: cross_entropy expected a class from 0 to 2, got 3",
    ),
    "hinge": (Neuron(1), hinge, ([[0.0]] * 2, [1, 0]), "example 1 does not fit: hinge expected"),
    "outputs": (iris_net(), mse, ([[0.0] * 4], [1.0]), "example 0 does not fit: mse expected"),
    "lengths": (Neuron(1), mse, ([[0.0]], [1, 2]), "data has 1 rows in xs but 2 targets in ys"),
    "empty": (Neuron(1), mse, ([], []), "data has no rows"),
    "pair": (Neuron(1), mse, [[0.0]], "data must be a pair of lists"),
    "nan": (Neuron(1), mse, ([[0.0], [math.nan]], [1, 2]), "xs[1][0] expected a finite number"),
    "inf": (Neuron(1), mse, ([[0.0]], [math.inf]), "ys[0] expected a finite number"),
    "text": (Neuron(1), mse, ([["a"]], [1]), "xs[0][0] expected a finite number, got 'a'"),
    "none": (Neuron(1), mse, ([[0]], [None]), "ys[0] expected a finite number, got None"),
    "loss": (
        Neuron(1),
        lambda p, y: 1.0,
        ([[0.0]], [1]),
        "expected a Value: compute with what",
    ),
}


@pytest.mark.parametrize("loss", ["mse", None, 0.5])
def test_a_loss_is_a_function(loss):
    words = f"^fit expected a loss, a function such as nn.mse, got {loss!r}$"
    with pytest.raises(TypeError, match=words):
        gradient_descent(Neuron(1), loss, ([[0.0]], [1]), lr=0.1, steps=1)


@pytest.mark.parametrize("loss", [mse, hinge, lambda z, y: (z - y) ** 2])
def test_model_and_loss_in_the_wrong_order(loss):
    name = "<lambda>" if "lambda" in loss.__name__ else loss.__name__
    for who, call in {"fit": partial(fit, lr=0.1, steps=1), "evaluate": evaluate}.items():
        words = rf"^{who} expected the model .* {who}\(net, mse, ...\), got {name} and Neuron: swap"
        with pytest.raises(TypeError, match=words):
            call(loss, Neuron(1), ([[0.0]], [1]))


def test_progress_is_true_or_false_or_not_said():
    with pytest.raises(TypeError, match="progress expected True or False, got 'no'"):
        fit(Neuron(1), mse, ([[0.0]], [1]), lr=0.1, steps=1, progress="no")


@pytest.mark.parametrize("replacement", ["no", None, 2])
def test_replacement_is_true_or_false(replacement):
    with pytest.raises(
        TypeError, match=f"^replacement expected True or False, got {replacement!r}"
    ):
        fit(Neuron(1), mse, ([[0.0]], [1]), lr=0.1, steps=1, replacement=replacement)


@pytest.mark.parametrize(("model", "loss", "data", "message"), MISFITS.values(), ids=MISFITS.keys())
def test_what_does_not_fit_is_refused_before_the_first_step(model, loss, data, message):
    before = numbers(model)
    with pytest.raises(ValueError) as caught:  # noqa: PT011 (checked below)
        fit(model, loss, data, lr=0.1, steps=1)
    assert message in str(caught.value)
    assert numbers(model) == before


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"lr": 0.1}, "fit expected one of steps and epochs"),
        ({"lr": 0.1, "steps": 1, "epochs": 1}, "fit expected one of steps and epochs"),
        ({"lr": 0.1, "steps": 0}, "steps must be at least 1"),
        ({"lr": 0.1, "epochs": -1}, "epochs must be at least 1"),
        ({"lr": 0.1, "steps": 1, "batch_size": 0}, "points in a batch must be at least 1"),
        ({"steps": 1}, "fit expected lr"),
        ({"lr": -0.1, "steps": 1}, "lr expected a finite number"),
        ({"lr": math.nan, "steps": 1}, "lr expected a finite number"),
        ({"lr": lambda step: -1.0, "steps": 1}, "learning rate of step 0 expected a finite number"),
        ({"lr": 0.1, "steps": 1, "early_stop": 3}, "early_stop expected validation data"),
        (
            {"lr": 0.1, "steps": 1, "early_stop": 0, "validation": DOUBLES},
            "looks before an early stop must be at least 1",
        ),
        (
            {"lr": 0.1, "steps": 1, "validation": ([[math.inf]], [1])},
            r"validation xs\[0\]\[0\] expected a finite number",
        ),
        ({"lr": 0.1, "steps": 1, "validation": ([[]], [1])}, "example 0 does not fit"),
    ],
)
def test_settings_that_make_no_sense(settings, message):
    model = Slope()
    with pytest.raises(ValueError, match=message):
        fit(model, mse, DOUBLES, **settings)
    assert model.w.data == 0


def test_numpy_arrays_are_data_too():
    np = pytest.importorskip("numpy")
    xs, ys = np.array(DOUBLES[0]), np.array([2, 4, 6])
    for data in ((xs, ys), (list(xs), list(ys))):
        model = Slope()
        history = fit(model, mse, data, lr=0.1, steps=1)
        assert model.w.data == pytest.approx(2 - 2 / 15)
        assert type(history.loss[0]) is float


def test_a_layer_may_be_trained_alone():
    layer = Layer(1, 2, nonlin=False, seed=1)
    history = fit(layer, mse, ([[1.0], [2.0]], [[1.0, -1.0], [2.0, -2.0]]), lr=0.2, steps=500)
    assert [out.data for out in layer([3.0])] == pytest.approx([3, -3], abs=1e-3)
    assert history.accuracy[0] is None
