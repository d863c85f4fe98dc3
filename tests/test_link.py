"""Steps that `fit` takes together, beside the same steps taken one by one."""

import math
import random
import signal
from array import array

import pytest

from engine import pick
from engine.functions import sum as sum_of
from engine.replay import backends
from engine.replay.backends import choice
from engine.replay.backends.kernel import Rows
from engine.replay.beside import Work
from engine.value import Value
from nn import stepping
from nn.descent import Descent
from nn.history import DivergedError, TrainingInterrupted
from nn.link import _are_in_bounds, _width
from nn.loss import binary_cross_entropy, cross_entropy, hinge, l2, mse
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW, cosine, linear
from nn.stepping import mean_loss
from nn.table import Table
from nn.train import fit

RNG = random.Random(7)
XS = [[RNG.uniform(-1, 1) for _ in range(3)] for _ in range(25)]
SUMS = [x[0] - 2 * x[1] * x[2] for x in XS]
WORKS = {  # losses, targets, widths
    "amounts": (mse, SUMS, [4, 1]),
    "signs": (hinge, [1.0 if total > 0 else -1.0 for total in SUMS], [4, 1]),
    "yes or no": (binary_cross_entropy, [float(total > 0) for total in SUMS], [4, 1]),
    "classes": (cross_entropy, [int(x[0] > 0) + int(x[1] > 0) for x in XS], [5, 3]),
    "one-hot": (cross_entropy, [[float(x[0] > 0), float(x[0] <= 0)] for x in XS], [5, 2]),
}
OPTIMIZERS = {
    "sgd": lambda p: SGD(p, lr=0.05),
    "nesterov": lambda p: SGD(p, lr=0.05, momentum=0.9, weight_decay=1e-3, nesterov=True),
    "dampened": lambda p: SGD(p, lr=0.05, momentum=0.8, dampening=0.3),
    "adam": lambda p: Adam(p, lr=0.01, weight_decay=1e-2),
    "adamw": lambda p: AdamW(p, lr=0.01),
}
SETTINGS = {
    "whole": {},
    "shuffled, a shorter last batch": {"batch_size": 4},
    "one by one": {"batch_size": 1},
    "drawn": {"batch_size": 3, "replacement": True},
    "a falling rate": {"batch_size": 4, "lr": linear(0.05, 70)},
    "a rate of one's own": {"lr": lambda step: 0.1 / (1 + step)},
    "a penalty": {"batch_size": 5, "penalty": lambda m: 1e-3 * l2(m.parameters())},
    "looks": {"batch_size": 4, "validation": (XS[:5], 5)},
    "an early stop": {"batch_size": 4, "validation": (XS[:5], 5), "early_stop": 2},
}
KEPT = ("step", "loss", "accuracy", "gradient_norm", "learning_rate", "points_seen")
KEPT += ("validation_loss", "validation_accuracy", "ended", "kept")


@pytest.fixture
def singles(monkeypatch):
    """How many steps were taken one by one."""
    taken = []
    step = Descent.step
    monkeypatch.setattr(Descent, "step", lambda *a: taken.append(1) or step(*a))
    return taken


def trained(work, optimizer, backend, steps=70, **settings):
    loss, ys, widths = WORKS[work]
    model = MLP(3, widths, "tanh", seed=1)
    optimizer = OPTIMIZERS[optimizer](model.parameters())
    if "validation" in settings:
        xs, count = settings["validation"]
        settings["validation"] = xs, ys[:count]
    history = fit(
        model, loss, (XS, ys), optimizer=optimizer, backend=backend, steps=steps, **settings
    )
    return model, optimizer, history


def kept(model, optimizer, history):
    """All that a training leaves."""
    memory = [getattr(optimizer, name) for name in ("steps", *optimizer.MEMORY)]
    ps = model.parameters()
    numbers = [p.data for p in ps], [p.grad for p in ps], memory, optimizer.lr
    return numbers, [getattr(history, name) for name in KEPT]


def nothing(step):
    """A callback: with one, steps are taken one by one."""


def assert_same(singles, *args, **settings):
    together = trained(*args, **settings)
    alone = len(singles)
    by_one = trained(*args, **settings, callbacks=[nothing])
    assert kept(*together) == kept(*by_one)
    assert len(singles) - alone == len(by_one[2])
    return alone / len(together[2])


PAIRS = [(work, "adam") for work in WORKS] + [("classes", optimizer) for optimizer in OPTIMIZERS]


@pytest.mark.some(24)
@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize(("work", "optimizer"), dict.fromkeys(PAIRS))
def test_the_same_bits(work, optimizer, backend, singles):
    assert assert_same(singles, work, optimizer, backend) < 0.3


@pytest.mark.whole
@pytest.mark.some(12)
@pytest.mark.parametrize("backend", ["numpy", "c"])
@pytest.mark.parametrize("settings", SETTINGS)
def test_the_same_bits_whatever_is_asked_for(settings, backend, singles):
    for work, optimizer in (("classes", "adam"), ("amounts", "nesterov")):
        singles.clear()
        share = assert_same(singles, work, optimizer, backend, **SETTINGS[settings])
        assert share < 0.75 or settings == "an early stop"


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_a_checkpoint_in_the_middle_of_a_group_goes_on_to_the_same_bits(backend, tmp_path):
    whole = trained("classes", "adam", backend, batch_size=4)
    path = tmp_path / "run.json"
    settings = {"batch_size": 4, "checkpoint": path, "every": 7}
    trained("classes", "adam", backend, steps=40, **settings)
    assert kept(*trained("classes", "adam", backend, resume=path, **settings)) == kept(*whole)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["python", "numpy", "c"])
def test_a_step_that_diverges_is_not_taken_and_ends_the_history(backend):
    found = []
    for callbacks in ([], [nothing]):
        model = MLP(3, [4, 1], "relu", seed=1)
        with pytest.raises(DivergedError, match="step ") as caught:
            fit(model, mse, (XS, SUMS), lr=3.0, steps=500, backend=backend, callbacks=callbacks)
        history = caught.value.history
        found.append((str(caught.value), history.loss, [p.data for p in model.parameters()]))
        assert all(map(math.isfinite, found[-1][2]))
    assert found[0] == found[1]


@pytest.mark.parametrize("wrong", [lambda k: 1 / (43 - k), lambda k: 0.1 if k < 43 else -1.0])
def test_a_schedule_that_fails_later_fails_at_its_step(wrong):
    found = []
    for callbacks in ([], [nothing]):
        model, seen = MLP(3, [4, 1], seed=1), []
        with pytest.raises((ZeroDivisionError, ValueError)) as caught:
            fit(model, mse, (XS, SUMS), lr=wrong, steps=90, backend="c", callbacks=callbacks)
        found.append((str(caught.value), [p.data for p in model.parameters()], seen))
    assert found[0] == found[1]


def test_a_schedule_that_looks_at_the_model_sees_each_step(singles):
    model = MLP(3, [4, 1], seed=1)
    seen = []

    def rate(step):
        seen.append(model.parameters()[0].data)
        return 0.05

    fit(model, mse, (XS, SUMS), lr=rate, steps=50, backend="c")
    assert len(set(seen)) == 50
    assert len(singles) == 50


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_a_gradient_of_zero_is_a_step_as_any(backend, singles):
    model = MLP(3, [4, 1], seed=1)
    history = fit(
        model, lambda out, y: 0.0 * out + 2.0, (XS, SUMS), lr=0.1, steps=60, backend=backend
    )
    assert history.gradient_norm == [0.0] * 60
    assert history.loss == [2.0] * 60
    assert len(singles) < 20


@pytest.mark.parametrize("backend", ["numpy", "c"])
def test_squares_too_small_for_a_length(backend):
    found, w = [], Value(0.0)
    for callbacks in ([], [nothing]):
        w.data = 1e-140
        history = fit(
            lambda x: w * x, lambda out, y: out * 1e-140, ([1.0, 2.0], [0.0, 0.0]), steps=40,
            optimizer=SGD([w], lr=1e-3), backend=backend, callbacks=callbacks,
        )  # fmt: skip
        found.append((history.gradient_norm, w.data))
    assert found[0] == found[1]
    assert found[0][0][-1] == pytest.approx(1.5e-140, rel=1e-12)


def test_values_outside_the_optimizer_gather_gradients_of_each_step():
    found, w, b = [], Value(0.0), Value(0.5)
    for callbacks in ([], [nothing]):
        w.data, b.grad = 1.0, 0.0
        fit(
            lambda x: w * x + b, mse, ([1.0, 2.0], [3.0, 4.0]), steps=50,
            optimizer=SGD([w], lr=0.01), backend="c", callbacks=callbacks,
        )  # fmt: skip
        found.append((w.data, b.grad))
    assert found[0] == found[1]


def test_a_loss_that_says_what_it_saw_is_run_step_by_step():
    class Kept:
        latest = None

        def __init__(self):
            self.w = Value(1.0)

        def parameters(self):
            return [self.w]

        def __call__(self, x):
            self.latest = self.w * x
            return self.latest

    model = Kept()
    fit(model, mse, ([1.0, 2.0], [3.0, 4.0]), lr=0.01, steps=50, backend="c")
    by_one = Kept()
    fit(by_one, mse, ([1.0, 2.0], [3.0, 4.0]), lr=0.01, steps=50, backend="c", callbacks=[nothing])
    assert model.latest.data == by_one.latest.data
    assert model.w.data == by_one.w.data


def test_rows_that_a_step_picks_by_are_looked_at():
    table = [Value(0.1 * k) for k in range(6)]
    xs, ys = [0, 1, 2, 3, 4, 5, -1], [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]
    found = []
    for callbacks in ([], [nothing]):
        for k, v in enumerate(table):
            v.data = 0.1 * k
        history = fit(
            lambda i: pick(table, i), mse, (xs, ys), steps=60, batch_size=2, backend="c",
            optimizer=SGD(table, lr=0.1), callbacks=callbacks,
        )  # fmt: skip
        found.append((history.loss, [v.data for v in table]))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("x", "are"), [(2.0, True), (-3.0, True), (3.0, False), (-4.0, False), (0.5, False)]
)
def test_each_row_of_the_data_is_asked_whether_it_names_a_row_in_bounds(x, are):
    rows = Rows(array("d", [9.5, 1.0, 9.5, x]), 2)
    assert _are_in_bounds(rows, 1, -3, 2) is are


@pytest.mark.parametrize(
    ("outputs", "width"),
    [
        ([[1.0, 2.0], [3.0, 4.0]], 2),
        ([[1.0], [3.0, 4.0]], 0),
        ([[1.0, [2.0]], [3.0, [4.0]]], 0),
        ([1.0, 2.0], 0),
        ([], 0),
    ],
)
def test_outputs_have_a_width_in_bounds_of_one_length(outputs, width):
    assert _width(outputs) == width


def test_what_a_loss_reads_is_looked_at_again_soon():
    """Code that runs between two bytecodes, such as a handler of a signal."""
    scale, looks = {"of": 1.0}, []
    w = Value(1.0)

    def loss(out, y):
        return (out * scale["of"] - y) ** 2

    def change(number, frame):
        # Where the old number is kept, the sixty looks run out: the assert says so.
        looks.append(w.data)
        if len(looks) == 60 or w.data == pytest.approx(1.5):
            signal.raise_signal(signal.SIGINT)
        scale["of"] = 2.0

    signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGALRM, change)
    signal.setitimer(signal.ITIMER_REAL, 0.3, 0.5)
    try:
        with pytest.warns(TrainingInterrupted):
            fit(lambda x: w * x, loss, ([1.0], [3.0]), optimizer=SGD([w], lr=1e-3), steps=10**8)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    assert scale["of"] == 2.0
    assert w.data == pytest.approx(1.5)


@pytest.mark.parametrize(("unseen", "least", "most"), [(math.inf, 8, 70), (0.0, 2, 2)])
def test_as_many_are_taken_together_as_go_by_in_a_moment(unseen, least, most, monkeypatch):
    asked, several = [], Descent.several
    spy = lambda self, data, rows, *more: (
        asked.append(len(rows)) or several(self, data, rows, *more)
    )
    monkeypatch.setattr(stepping, "UNSEEN", unseen)
    monkeypatch.setattr(Descent, "several", spy)
    trained("amounts", "sgd", "numpy")
    assert least <= max(asked) <= most


@pytest.mark.whole
def test_auto_takes_them_together_once_it_runs_on_arrays(singles, monkeypatch):
    class Made(Work):
        """What is made beside is there at once, however busy the machine is."""

        def __init__(self, function):
            super().__init__(function)
            self._thread.join()

    monkeypatch.setattr(choice, "Work", Made)
    monkeypatch.setattr(stepping, "UNSEEN", math.inf)
    trained("classes", "adam", "auto", steps=20_000, batch_size=4)
    assert len(singles) < 10_000


def test_ctrl_c_leaves_a_history_that_fits_the_parameters():
    def run(**settings):
        model = MLP(3, [4, 1], "tanh", seed=1)
        optimizer = Adam(model.parameters(), lr=0.01)
        history = fit(
            model, mse, (XS, SUMS), optimizer=optimizer, backend="c", batch_size=4, **settings
        )
        return history, optimizer, [p.data for p in model.parameters()]

    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda number, frame: signal.raise_signal(signal.SIGINT))
    signal.setitimer(signal.ITIMER_REAL, 0.4)
    try:
        with pytest.warns(TrainingInterrupted):
            history, optimizer, weights = run(steps=2_000_000)
    finally:
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
    again, _, same = run(steps=len(history))
    assert optimizer.steps == [len(history)] * len(optimizer.steps)
    assert history.loss == again.loss
    assert weights == same


@pytest.mark.whole
def test_a_large_model_of_plain_sums():
    """Where nothing is an MLP of ours."""
    w = [[Value(0.01 * (i + j)) for i in range(3)] for j in range(2)]

    def model(x):
        return [sum_of([a * b for a, b in zip(row, x, strict=True)]) for row in w]

    def run(callbacks):
        ps = [p for row in w for p in row]
        for k, p in enumerate(ps):
            p.data = 0.01 * k
        history = fit(
            model, cross_entropy, (XS, [k % 2 for k in range(25)]), batch_size=6, steps=80,
            optimizer=Adam(ps, lr=0.01), lr=cosine(0.02, 80), backend="c", callbacks=callbacks,
        )  # fmt: skip
        return history.loss, history.accuracy, [p.data for p in ps]

    assert run([]) == run([nothing])


def test_a_mover_that_gets_another_kernel_between_two_groups():
    """As another recording brings it along, which moved to a faster backend before."""
    found = []
    for is_moved in (False, True):
        model = MLP(3, [4, 1], "tanh", seed=1)
        optimizer = SGD(model.parameters(), lr=0.05, momentum=0.9)
        descent = Descent(mean_loss(model, mse, None), optimizer, "numpy")
        data, batches = Table(XS, SUMS), [None] * 5
        losses = [descent.step(data).loss for _ in range(3)]
        losses += descent.several(data, batches, [], None).losses
        if is_moved:
            (link,) = descent._links.values()
            program, tape, _ = link.mover.source
            link.mover._run_on("c", backends.backend("c").compile(program, tape))
        losses += descent.several(data, batches, [], None).losses
        descent.store()
        found.append((losses, [p.data for p in model.parameters()], optimizer.velocity))
    for ours, theirs in zip(*found, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)
