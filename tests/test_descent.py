import math
import random

import pytest

from engine.functions import max as largest
from engine.value import Value
from nn.descent import Descent
from nn.loss import cross_entropy, hinge, mse
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW
from nn.train import fit

BACKENDS = ("python", "numpy", "c")
RNG = random.Random(5)
XS = [[RNG.uniform(-1, 1) for _ in range(3)] for _ in range(13)]
AMOUNTS = [x[0] - 2 * x[1] * x[2] for x in XS]
SIGNS = [1.0 if x[0] > x[1] else -1.0 for x in XS]
CLASSES = [int(x[0] > 0) + int(x[1] > 0) for x in XS]
WORKS = {
    "mse": (mse, AMOUNTS, [4, 1], "tanh"),
    "hinge": (hinge, SIGNS, [4, 1], "relu"),
    "cross_entropy": (cross_entropy, CLASSES, [5, 3], "gelu"),
}
OPTIMIZERS = {
    "sgd": lambda p: SGD(p, lr=0.05),
    "nesterov": lambda p: SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "dampened": lambda p: SGD(p, lr=0.05, momentum=0.8, dampening=0.3),
    "adam": lambda p: Adam(p, lr=0.01, weight_decay=1e-2),
    "adamw": lambda p: AdamW(p, lr=0.01),
}


def trained(work, optimizer, backend, **settings):
    loss, ys, widths, activation = WORKS[work]
    model = MLP(3, widths, activation, seed=1)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    history = fit(model, loss, (XS, ys), optimizer=optimizer, backend=backend, **settings)
    return model, optimizer, history


def numbers(model, optimizer):
    memory = [getattr(optimizer, name) for name in optimizer.MEMORY]
    return [p.data for p in model.parameters()], [p.grad for p in model.parameters()], memory


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("work", WORKS)
def test_in_python_training_has_the_bits_of_eager_mode(work, optimizer):
    for settings in ({"steps": 7}, {"epochs": 2, "batch_size": 5}, {"steps": 9, "batch_size": 1}):
        eager = trained(work, optimizer, "eager", **settings)
        replayed = trained(work, optimizer, "python", **settings)
        assert numbers(*replayed[:2]) == numbers(*eager[:2])
        assert replayed[2].loss == eager[2].loss
        assert replayed[2].accuracy == eager[2].accuracy
        assert replayed[1].steps == eager[1].steps


@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize("work", WORKS)
def test_elsewhere_it_agrees_in_nearly_all_digits(work, optimizer, backend):
    available(backend)
    settings = {"epochs": 2, "batch_size": 5}
    data, gradient, memory = numbers(*trained(work, optimizer, "eager", **settings)[:2])
    others = numbers(*trained(work, optimizer, backend, **settings)[:2])
    assert others[0] == pytest.approx(data, rel=1e-11, abs=1e-12)
    scale = max(map(abs, gradient))
    assert others[1] == pytest.approx(gradient, rel=1e-11, abs=1e-11 * scale)
    for mine, theirs in zip(others[2], memory, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-10, abs=1e-11 * scale)


def available(backend):
    from engine import backends

    try:
        backends.backend(backend)
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_loss_that_turns_infinite_stops_as_in_eager_mode(backend):
    available(backend)
    stopped = {}
    for way in ("eager", backend):
        model = MLP(3, [4, 1], "linear", seed=1)
        with pytest.raises(FloatingPointError) as caught:
            fit(model, mse, (XS, AMOUNTS), lr=1e3, steps=500, backend=way)
        stopped[way] = str(caught.value).split(":")[0], len(caught.value.history)
        assert all(math.isfinite(p.data) for p in model.parameters())
    assert stopped[backend] == stopped["eager"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_callbacks_see_the_parameters_of_their_step(backend):
    available(backend)
    seen = {}
    for way in ("eager", backend):
        model = MLP(3, [1], seed=1)
        (first, *_) = model.parameters()
        seen[way] = []
        look = lambda _, first=first, way=way: seen[way].append(first.data)  # noqa: E731
        fit(model, mse, (XS, AMOUNTS), lr=0.1, steps=5, callbacks=[look], backend=way)
    assert len(set(seen["eager"])) == 5
    assert seen[backend] == pytest.approx(seen["eager"], rel=1e-12)


def test_a_loss_that_reads_data_goes_on_eagerly_after_one_warning():
    def loss(prediction, y):
        return (prediction - y) ** 2 * (1.0 if prediction.data > y else 2.0)

    models = [MLP(3, [1], seed=1) for _ in range(2)]
    with pytest.warns(UserWarning, match=r"engine\.max and engine\.softmax") as warned:
        fit(models[0], loss, (XS, AMOUNTS), lr=0.1, steps=4)
    assert len(warned) == 1
    fit(models[1], loss, (XS, AMOUNTS), lr=0.1, steps=4, backend="eager")
    assert [p.data for p in models[0].parameters()] == [p.data for p in models[1].parameters()]


def test_comparisons_are_asked_again_in_training():
    def run(way):
        w = Value(0.3)
        optimizer = SGD([w], lr=0.4)

        def loss(xs, ys):
            errors = [w * x - y for x, y in zip(xs, ys, strict=True)]
            return largest(errors) ** 2 if errors[0] > errors[1] else errors[0] ** 2, errors

        descent = Descent(loss, optimizer, way)
        xs, ys = [1.0, 2.0], [1.0, -1.0]
        losses = [descent.step(xs, ys).loss for _ in range(12)]
        descent.store()
        return losses, w.data

    assert run("python") == run("eager")


def test_frozen_parameters_stay_and_are_read():
    frozen, w = Value(2.0), Value(0.0)
    descent = Descent(lambda xs, ys: ((frozen * w - ys[0]) ** 2 * xs[0], []), SGD([w], lr=0.1))
    xs, ys = [1.0], [4.0]
    for _ in range(60):
        descent.step(xs, ys)
    descent.store()
    assert (frozen.data, w.data) == (2.0, pytest.approx(2.0))
