"""Row d7 of the battery: nan and inf in the middle of training."""

import math
import re
from itertools import product

import pytest

from engine.functions import log
from engine.replay import backends
from engine.value import Value
from nn.history import DivergedError
from nn.module import Module
from nn.optim import SGD, Adam
from nn.train import fit

BAD = [math.nan, math.inf, -math.inf]
WAYS = ["eager", "auto", *backends.NAMES]
XS, YS = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]


class Line(Module):
    """y = w * x + b"""

    def __init__(self):
        self.w, self.b = Value(0.5), Value(0.25)

    def __call__(self, x):
        return self.w * x[0] + self.b


def squares(z, y):
    return (z - y) ** 2


def logs(z, y):
    """Of what becomes negative once b is far below 0."""
    return log(z - y + 10.0) ** 2


def roots(z, y):
    """Whose slope is infinite where z is y."""
    return (z - y).abs() ** 0.5


def training(loss, backend, at, spoil):
    """A run whose model is spoilt before a step: error, numbers before and after, and memory."""
    if backend in backends.NAMES:
        try:
            backends.backend(backend)
        except RuntimeError as reason:
            pytest.skip(str(reason))
    model, kept = Line(), []
    optimizer = Adam(model.parameters(), lr=0.01)

    def state():
        return [p.data.hex() for p in model.parameters()], optimizer.state_dict()

    def look(step):
        if step.step == at - 1:
            spoil(model)
            kept.append(state())

    with pytest.raises(DivergedError) as caught:
        fit(
            model,
            loss,
            (XS, YS),
            steps=at + 5,
            optimizer=optimizer,
            callbacks=[look],
            backend=backend,
        )
    assert state() == kept[0]
    assert len(caught.value.history) == at
    assert all(map(math.isfinite, caught.value.history.loss))
    return str(caught.value)


def spoilt(name, number):
    def spoil(model):
        getattr(model, name).data = number

    return spoil


def exactly(*, w, b):
    def spoil(model):
        model.w.data, model.b.data = w, b

    return spoil


HERE = re.escape(__file__)
FAULTS = {
    **{
        f"{number} in weight {name}": (squares, spoilt(name, number), rf"the loss is .*: {first}")
        for number, (name, first) in product(BAD, [("w", r"mul\("), ("b", r"add\(")])
    },
    "1e200 in a weight": (squares, spoilt("w", 1e200), r"the loss is inf: pow\(.*\) gave inf"),
    "log of a negative number": (logs, spoilt("b", -50.0), r"the loss is nan: log\(-.*\) gave nan"),
    "an infinite slope": (
        roots,
        exactly(w=2.0, b=0.0),
        r"the length of the gradient is (nan|inf): backward through pow\(0\.0, 0\.5\): .* gave inf",
    ),
}


@pytest.mark.some(6)
@pytest.mark.parametrize("backend", WAYS)
def test_a_fault_names_step_and_operation_and_moves_nothing(backend, figure):
    for name, at in product(FAULTS, (1, 2, 4)):
        loss, spoil, message = FAULTS[name]
        words = training(loss, backend, at, spoil)
        assert re.match(f"step {at}: {message}", words), (name, words)
        assert f"{__file__}:" in words, (name, words)
        assert ". The parameters are as before this step." in words
    count = 3 * len(FAULTS)
    figure("d7", f"nan and inf in {backend}: parameters moved, operation not named", count)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", WAYS)
@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize(
    ("xs", "ys", "name"),
    [
        ([[1.0], [None]], [1.0, 2.0], r"xs\[1\]\[0\]"),
        ([[1.0], [2.0]], [1.0, None], r"ys\[1\]"),
        ([[1.0], [2.0]], [[0.0], [None]], r"ys\[1\]\[0\]"),
    ],
)
def test_a_fault_in_the_data_is_found_before_the_first_step(backend, bad, xs, ys, name):
    def filled(part):
        return [filled(p) if isinstance(p, list) else bad if p is None else p for p in part]

    for validation in (False, True):
        data = filled(xs), filled(ys)
        given = {"validation": data} if validation else {}
        model = Line()
        where = "validation " if validation else ""
        with pytest.raises(ValueError, match=f"{where}{name} expected a finite number, got {bad}"):
            fit(
                model,
                squares,
                (XS, YS) if validation else data,
                lr=0.1,
                steps=1,
                backend=backend,
                **given,
            )
        assert (model.w.data, model.b.data) == (0.5, 0.25)


@pytest.mark.parametrize("backend", WAYS)
def test_a_move_to_infinity_names_step_and_parameter(backend):
    model = Line()
    message = "step 0: the data of parameter 0 would become -?inf"
    with pytest.raises(DivergedError, match=message):
        fit(model, squares, (XS, YS), lr=1e308, steps=3, backend=backend)
    assert (model.w.data, model.b.data) == (0.5, 0.25)


@pytest.mark.some(4)
@pytest.mark.parametrize("bad", [*BAD, -1.0])
@pytest.mark.parametrize("backend", WAYS)
def test_a_schedule_that_is_not_finite_names_its_step(backend, bad):
    model = Line()
    rate = lambda step: bad if step == 3 else 0.01
    with pytest.raises(ValueError, match="the learning rate of step 3 expected a finite number"):
        fit(model, squares, (XS, YS), lr=rate, steps=9, backend=backend)
    other = Line()
    fit(other, squares, (XS, YS), lr=0.01, steps=3, backend=backend)
    assert (model.w.data, model.b.data) == (other.w.data, other.b.data)


def test_gradients_are_forgotten_after_a_fault():
    model = Line()
    optimizer = SGD(model.parameters(), lr=0.1)
    with pytest.raises(DivergedError):
        fit(model, lambda z, y: z * math.nan, (XS, YS), optimizer=optimizer, steps=1)
    assert not model.w.has_grad
