import functools
import gc
import math
import random
import signal
import sys
import threading
from array import array
from collections import Counter
from contextlib import nullcontext
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from trainings import DOUBLES, Slope, available, iris_net, numbers, small_iris

from engine.functions import sum as sum_of
from engine.modes import detect_anomaly, no_grad
from engine.replay import backends
from engine.replay.backends.python import Lines
from engine.replay.recorder import Recorder
from engine.replay.replay import replay
from engine.value import Value, data_of
from nn.data import iris, moons, split, standardise, xor
from nn.history import DivergedError, LossExploded, Step, TrainingInterrupted
from nn.loss import cross_entropy, hinge, l2, mse
from nn.module import MLP, Module
from nn.optim import SGD, Adam, linear
from nn.train import evaluate, fit, gradient_descent, stochastic_gradient_descent


def goes_on_eagerly(backend):
    """The one warning of a training whose loss counts: by replay it goes on without."""
    if backend == "eager":
        return nullcontext()
    return pytest.warns(UserWarning, match="^training goes on without replay, slower: ")


# --- gradient descent ------------------------------------------------------------------------


def test_gradient_descent_takes_the_steps_computed_by_hand():
    # dL/dw = mean(2 * (w x - 2x) * x) = 28/3 * (w - 2), so w - 2 shrinks by 1 - 2.8/3 = 1/15
    seen = []
    model = Slope()
    gradient_descent(
        model, mse, DOUBLES, lr=0.1, steps=5, callbacks=[lambda _: seen.append(model.w.data)]
    )
    assert seen == pytest.approx([2 - 2 / 15**k for k in range(1, 6)], rel=1e-14)


def test_its_history_is_that_of_the_hand():
    history = gradient_descent(Slope(), mse, DOUBLES, lr=0.1, steps=2)
    w = 2 - 2 / 15
    assert history.loss == pytest.approx([4 * 14 / 3, (w - 2) ** 2 * 14 / 3])
    assert history.gradient_norm == pytest.approx([56 / 3, 28 / 3 * (2 - w)])
    assert history.step == [0, 1]
    assert history.points_seen == [3, 6]
    assert history.learning_rate == [0.1, 0.1]
    assert history.accuracy == [None, None]
    assert min(history.seconds) > 0
    assert history.ended == "all steps done"


def test_a_step_goes_down_the_average_slope_of_the_points():
    data = small_iris()
    model, other = iris_net(), iris_net()
    slopes = []
    for x, y in zip(*data, strict=True):
        other.zero_grad()
        cross_entropy(other(x), y).backward()
        slopes.append([p.grad for p in other.parameters()])
    average = [math.fsum(column) / len(slopes) for column in zip(*slopes, strict=True)]
    before = numbers(model)
    gradient_descent(model, cross_entropy, data, lr=1.0, steps=1)
    moved = [a - b for a, b in zip(before, numbers(model), strict=True)]
    assert moved == pytest.approx(average, rel=1e-12, abs=1e-15)
    assert [p.grad for p in model.parameters()] == pytest.approx(average, rel=1e-12, abs=1e-16)


def test_a_net_takes_the_steps_of_pytorch():
    torch = pytest.importorskip("torch")
    data = small_iris()
    model = iris_net()
    weights = {
        name: torch.tensor(value, dtype=torch.float64, requires_grad=True)
        for name, value in model.state_dict().items()
    }
    x, y = torch.tensor(data.xs, dtype=torch.float64), torch.tensor(data.ys)
    losses = []
    optimizer = torch.optim.SGD(weights.values(), lr=0.3)
    for _ in range(30):
        signal_ = x
        for k, (nin, nout) in enumerate([(4, 8), (8, 3)]):
            rows = [f"layers.{k}.neurons.{j}" for j in range(nout)]
            w = torch.stack([weights[f"{row}.w.{i}"] for row in rows for i in range(nin)])
            b = torch.stack([weights[f"{row}.b"] for row in rows])
            signal_ = signal_ @ w.reshape(nout, nin).T + b
            signal_ = torch.tanh(signal_) if k == 0 else signal_
        loss = torch.nn.functional.cross_entropy(signal_, y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    history = gradient_descent(model, cross_entropy, data, lr=0.3, steps=30)
    assert history.loss == pytest.approx(losses, rel=1e-12)
    assert model.state_dict() == pytest.approx(
        {name: w.item() for name, w in weights.items()}, rel=1e-10, abs=1e-13
    )


# --- stochastic gradient descent -------------------------------------------------------------


@pytest.mark.whole
def test_one_point_is_the_whole_slope_on_average():
    data = small_iris()
    start = numbers(iris_net())
    ends = []
    for x, y in zip(*data, strict=True):
        model = iris_net()
        stochastic_gradient_descent(model, cross_entropy, ([x], [y]), lr=1.0, steps=1)
        ends.append(numbers(model))
    average = [math.fsum(column) / len(ends) for column in zip(*ends, strict=True)]
    model = iris_net()
    gradient_descent(model, cross_entropy, data, lr=1.0, steps=1)
    assert average == pytest.approx(numbers(model), rel=1e-12, abs=1e-15)
    assert numbers(model) != start


def drawn_by(train, n=10, **settings):
    """Which of n points the loss was asked for, in order; the trial before the start is undone."""
    drawn = []

    def loss(prediction, y):
        drawn.append(y)
        return (prediction - y) ** 2

    data = [[1.0]] * n, [float(i) for i in range(n)]
    train(Slope(), loss, data, lr=1e-6, backend="eager", **settings)
    return drawn


def test_every_point_is_drawn_equally_often_and_with_replacement():
    drawn = drawn_by(stochastic_gradient_descent, steps=5000)
    assert len(drawn) == 5000
    counts = Counter(drawn)
    chi_square = sum((counts[i] - 500) ** 2 / 500 for i in range(10))
    assert chi_square < 27.9  # 9 degrees of freedom, 0.1 %
    repeats = sum(a == b for a, b in pairwise(drawn))
    assert 400 < repeats < 600


@pytest.mark.whole
def test_its_noise_has_a_floor_that_falls_with_the_learning_rate():
    rng = random.Random(0)
    xs = [[rng.uniform(-1, 1)] for _ in range(50)]
    ys = [3 * x + rng.uniform(-1, 1) for (x,) in xs]
    exact = Slope()
    gradient_descent(exact, mse, (xs, ys), lr=0.5, steps=300)
    best, _ = evaluate(exact, mse, (xs, ys))

    def floor(lr):
        model, excess = Slope(exact.w.data), []
        stochastic_gradient_descent(
            model,
            mse,
            (xs, ys),
            lr=lr,
            steps=3000,
            callbacks=[lambda _: excess.append((model.w.data - exact.w.data) ** 2)],
        )
        return math.fsum(excess) / len(excess)

    assert exact.w.grad == pytest.approx(0, abs=1e-9)
    assert best > 0.1
    assert floor(0.2) > 2 * floor(0.05) > 4 * floor(0.0125) > 0


# --- what the article says -------------------------------------------------------------------


def test_an_error_with_a_sign_falls_for_ever():
    model = Slope()
    history = gradient_descent(model, lambda p, y: p - y, DOUBLES, lr=0.1, steps=200)
    assert model.w.data == pytest.approx(-40)
    assert history.loss[-1] == pytest.approx(-83.6)
    model = Slope()
    gradient_descent(model, mse, DOUBLES, lr=0.1, steps=200)
    assert model.w.data == pytest.approx(2, abs=1e-15)


def test_each_layer_is_blamed_for_what_it_can_mend():
    data, step = small_iris(), 1e-4

    def loss(model):
        return sum_of([cross_entropy(model(x), y) for x, y in zip(*data, strict=True)]) / 30

    for layers in ([0], [1], [0, 1]):
        model = iris_net()
        total = loss(model)
        total.backward()
        blame = 0.0
        for k in layers:
            for p in model.layers[k].parameters():
                p.data -= step * p.grad
                blame += p.grad**2
        assert (total.data - loss(model).data) / (step * blame) == pytest.approx(1, abs=1e-3)


# --- optimisers, schedules, penalty ----------------------------------------------------------


def test_a_schedule_is_asked_at_each_step():
    history = gradient_descent(Slope(), mse, DOUBLES, lr=linear(0.08, 4), steps=5)
    assert history.learning_rate == pytest.approx([0.08, 0.06, 0.04, 0.02, 0])


def test_an_optimizer_brings_its_own_learning_rate():
    model = Slope()
    history = fit(model, mse, DOUBLES, steps=3, optimizer=Adam(model.parameters(), lr=0.5))
    assert history.learning_rate == [0.5, 0.5, 0.5]
    assert model.w.data == pytest.approx(1.5, abs=0.1)


def test_lr_sets_that_of_the_optimizer():
    model = Slope()
    optimizer = SGD(model.parameters(), lr=99.0)
    fit(model, mse, DOUBLES, steps=1, optimizer=optimizer, lr=0.1)
    assert model.w.data == pytest.approx(2 - 2 / 15)


def test_a_penalty_of_squares_is_weight_decay():
    model, other = iris_net(), iris_net()
    fit(
        model,
        cross_entropy,
        small_iris(),
        steps=10,
        lr=0.1,
        penalty=lambda m: 0.01 * l2(m.parameters()),
    )
    decaying = SGD(other.parameters(), lr=0.1, weight_decay=0.02)
    fit(other, cross_entropy, small_iris(), steps=10, optimizer=decaying)
    assert numbers(model) == pytest.approx(numbers(other), rel=1e-12, abs=1e-14)


def test_the_penalty_counts_in_the_loss():
    history = fit(Slope(3.0), mse, DOUBLES, steps=1, lr=0.1, penalty=lambda m: m.w * 100)
    assert history.loss[0] == pytest.approx(14 / 3 + 300)


# --- callbacks, Ctrl-C -----------------------------------------------------------------------


def test_a_loss_that_explodes_is_remarked_on_once():
    xs, ys = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    net = MLP(1, [1], init=0.5)
    words = r"the loss exploded, from \S+ to \S+: try a smaller lr \(now 1\), or smaller inputs"
    with pytest.warns(LossExploded, match=words) as told:
        history = fit(net, mse, (xs, ys), lr=1.0, steps=12)
    assert len(told) == 1
    assert math.inf > history.loss[-1] > 1e6 * history.loss[0]
    assert str(told[0].message) == (
        f"the loss exploded, from {history.loss[0]:.4g} to "
        f"{(history.loss[-2] + history.loss[-1]) / 2:.4g}: try a smaller lr (now 1), or smaller "
        "inputs and targets (nn.standardise)"
    )


@pytest.mark.parametrize("start", [0.0, 1e-9])
def test_a_loss_that_wanders_near_0_does_not_explode(start):
    net = MLP(1, [1], init=0.0)
    net.layers[0].neurons[0].w[0].data = 2.0 + start
    fit(net, mse, ([[1.0], [0.001]], [2.0, 0.002]), lr=1.5, steps=20, batch_size=1)


def test_callbacks_see_every_step():
    seen = []
    history = fit(Slope(), mse, DOUBLES, lr=0.1, steps=3, callbacks=[seen.append])
    assert seen == [history[0], history[1], history[2]]
    assert all(type(step) is Step for step in seen)


def test_a_callback_that_returns_true_ends_training():
    seen = []
    history = fit(
        Slope(),
        mse,
        DOUBLES,
        lr=0.01,
        steps=100,
        callbacks=[lambda step: step.loss < 1, seen.append, lambda step: 1],
    )
    assert history.loss[-1] < 1 <= history.loss[-2]
    assert len(seen) == len(history) < 100
    assert history.ended == "a callback said so"


def interrupting(at):
    return lambda step: signal.raise_signal(signal.SIGINT) if step.step == at else None


def test_ctrl_c_ends_after_the_step_with_the_history_so_far():
    model, other = iris_net(), iris_net()
    data = small_iris()
    with pytest.warns(TrainingInterrupted, match="^training interrupted at step 7 of 50$") as seen:
        history = fit(model, cross_entropy, data, lr=0.1, steps=50, callbacks=[interrupting(6)])
    assert [warning.filename for warning in seen] == [__file__]
    assert history.ended == "interrupted"
    assert len(history) == 7
    fit(other, cross_entropy, data, lr=0.1, steps=7)
    assert numbers(model) == numbers(other)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_ctrl_c_in_the_middle_of_a_step_waits_for_its_end(backend):
    available(backend)
    calls = []

    def loss(prediction, y):
        calls.append(y)
        if len(calls) == 3 * 4 + 1:
            signal.raise_signal(signal.SIGINT)
        return (prediction - y) ** 2

    model = Slope()
    with goes_on_eagerly(backend), pytest.warns(TrainingInterrupted, match="at step 5 of 50"):
        history = fit(model, loss, DOUBLES, lr=0.1, steps=50, backend=backend)
    assert (len(history), history.ended) == (5, "interrupted")
    assert list(map(data_of, calls)) == DOUBLES[1] * 5
    assert model.w.data == pytest.approx(2 - 2 / 15**5)


def test_a_second_ctrl_c_does_not_wait():
    def impatient(prediction, y):
        if steps:
            signal.raise_signal(signal.SIGINT)
            signal.raise_signal(signal.SIGINT)
            pytest.fail("went on after the second Ctrl-C")
        return (prediction - y) ** 2

    steps = []
    model = Slope()
    settings = {"callbacks": [steps.append], "backend": "eager"}
    with pytest.warns(TrainingInterrupted, match="at step 1 of 50"):
        history = fit(model, impatient, DOUBLES, lr=0.1, steps=50, **settings)
    assert (len(history), history.ended) == (1, "interrupted")
    assert model.w.data == pytest.approx(2 - 2 / 15)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_a_keyboard_interrupt_of_any_origin_keeps_the_history():
    def stop(step):
        if step.step == 2:
            raise KeyboardInterrupt

    with pytest.warns(TrainingInterrupted, match="at step 3 of 50") as seen:
        history = gradient_descent(Slope(), mse, DOUBLES, lr=0.1, steps=50, callbacks=[stop])
    assert [warning.filename for warning in seen] == [__file__]  # also through another function
    assert (len(history), history.ended) == (3, "interrupted")


def test_training_works_in_another_thread():
    histories = []
    thread = threading.Thread(
        target=lambda: histories.append(fit(Slope(), mse, DOUBLES, lr=0.1, steps=5))
    )
    thread.start()
    thread.join()
    assert len(histories[0]) == 5


# --- what is not finite ----------------------------------------------------------------------


def turning(bad, at):
    """A squared error that is `bad` for the third point of step `at`."""
    calls = []

    def loss(prediction, y):
        calls.append(y)
        error = (prediction - y) ** 2
        return error + bad if len(calls) == 3 * at + 3 else error

    return loss


@pytest.mark.some(4)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("at", [0, 4])
@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_a_loss_that_is_not_finite_stops_and_leaves_the_parameters(bad, at, backend):
    """By replay too, where the loss counts: that shows at its second step."""
    available(backend)
    model, other = Slope(), Slope()
    with goes_on_eagerly(backend if at else "eager"), pytest.raises(DivergedError) as caught:
        gradient_descent(model, turning(bad, at), DOUBLES, lr=0.1, steps=9, backend=backend)
    if at:
        gradient_descent(other, mse, DOUBLES, lr=0.1, steps=at)
    assert model.w.data == pytest.approx(other.w.data, rel=1e-15)
    assert str(caught.value) == (
        f"step {at}: the loss is {bad}. The parameters are as before this step. Try a smaller "
        "learning rate (now 0.1) or smaller inputs (standardise)"
    )
    assert len(caught.value.history) == at


def test_a_gradient_that_is_not_finite_stops_too():
    model = Slope(0.0)
    with pytest.raises(DivergedError, match="step 0: the length of the gradient is inf"):
        fit(model, lambda p, y: p.sqrt(), DOUBLES, lr=0.1, steps=3)
    assert model.w.data == 0


def test_a_rate_too_high_diverges_with_a_history():
    model = Slope()
    with pytest.raises(DivergedError, match="Try a smaller learning rate") as caught:
        gradient_descent(model, mse, DOUBLES, lr=10.0, steps=1000)
    history = caught.value.history
    assert 10 < len(history) < 1000
    assert history.loss[-1] > 1e290
    assert math.isfinite(model.w.data)


def test_a_step_to_infinity_is_not_taken():
    model = MLP(2, [3, 1], seed=0)
    before = numbers(model)
    with pytest.raises(DivergedError, match=r"^step 0: the data of parameter 0 would become -?inf"):
        fit(model, mse, ([[1.0, 2.0], [3.0, 1.0]], [1.0, -1.0]), lr=1e308, steps=1)
    assert numbers(model) == before


def test_training_that_moves_nothing_is_refused():
    model, other = Slope(), Slope()
    with pytest.raises(ValueError, match="no parameter of the optimizer a gradient: build"):
        fit(model, mse, DOUBLES, steps=3, optimizer=SGD(other.parameters(), lr=0.1))
    with no_grad(), pytest.raises(ValueError, match="train outside no_grad"):
        fit(model, mse, DOUBLES, steps=3, lr=0.1)


@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_the_optimizers_memory_stays_too(backend):
    available(backend)
    model, other = Slope(), Slope()
    optimizer, short = Adam(model.parameters(), lr=0.1), Adam(other.parameters(), lr=0.1)
    with goes_on_eagerly(backend), pytest.raises(DivergedError, match=r"^step 2: the loss is nan"):
        fit(model, turning(math.nan, 2), DOUBLES, steps=9, optimizer=optimizer, backend=backend)
    fit(other, mse, DOUBLES, steps=2, optimizer=short, backend="eager")
    assert optimizer.steps == [2]
    for name in Adam.MEMORY:
        assert getattr(optimizer, name) == pytest.approx(getattr(short, name), rel=1e-12)
    assert model.w.data == pytest.approx(other.w.data, rel=1e-12)


def test_detect_anomaly_adds_the_operation():
    calls = []

    def loss(prediction, y):
        calls.append(y)
        return (prediction - len(calls)).log() if len(calls) > 3 else prediction

    model = Slope(1.0)  # and after the first step 1 - 0.1 * 2
    with detect_anomaly(), pytest.raises(DivergedError, match=r"^step 1: log\(-3\.2\) gave nan"):
        fit(model, loss, DOUBLES, lr=0.1, steps=3)
    assert model.w.data == 0.8
    assert len(calls) == 3 + 1


@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_the_operation_is_named_without_detect_anomaly_too(backend):
    available(backend)
    model = Slope(1.0)  # the slope of the mean log is 1 / w: 1 - 3 / 1
    with pytest.raises(DivergedError, match=r"^step 1: the loss is nan: log\(-2\.0\) gave nan"):
        fit(model, lambda p, _: p.log(), DOUBLES, lr=3.0, steps=3, backend=backend)
    assert model.w.data == -2


# --- replay ----------------------------------------------------------------------------------


def test_what_a_callback_does_to_the_parameters_counts():
    """Such as keeping the weights small."""

    def clipped(backend):
        model = iris_net()

        def clip(step):
            for p in model.parameters():
                p.data = max(-0.3, min(0.3, p.data))

        optimizer = Adam(model.parameters(), lr=0.1)
        settings = {"optimizer": optimizer, "steps": 8, "callbacks": [clip], "backend": backend}
        history = fit(model, cross_entropy, small_iris(), **settings)
        return history.loss, numbers(model), optimizer.state_dict()

    assert clipped("python") == clipped("eager")


class Counting(Module):
    """A slope that changes with each example it saw."""

    def __init__(self):
        self.w, self.calls, self.mean, self.seen = Value(0.1), 0, 0.0, []

    def __call__(self, x):
        self.calls += 1
        self.mean += (x[0] - self.mean) / self.calls
        self.seen.append(x[0])
        return self.w * (x[0] - 0.5 * self.mean) + 0.001 * len(self.seen)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
@pytest.mark.parametrize(
    "settings",
    [{"steps": 25}, {"epochs": 6, "batch_size": 2, "validation": ([[1.5]], [3.0])}],
)
def test_a_model_that_counts_has_the_numbers_of_eager_mode(backend, settings):
    """It goes on without replay after one warning; trials and comparisons leave no trace in it."""
    available(backend)

    def way(backend):
        model = Counting()
        with goes_on_eagerly(backend) as warned:
            history = fit(model, mse, DOUBLES, lr=0.01, backend=backend, **settings)
        looks = [loss for loss in history.validation_loss if loss is not None]
        assert model.calls == len(model.seen) == history.points_seen[-1] + len(looks)
        assert warned is None or len(warned) == 1
        seen = list(map(data_of, [model.mean, *model.seen]))  # a recording takes data as Values
        return seen, model.w.data, history.loss, looks

    (seen, *ours), (expected, *eager) = way(backend), way("eager")
    assert seen == expected
    if backend == "python":
        assert ours == eager
    for mine, theirs in zip(ours, eager, strict=True):
        assert mine == pytest.approx(theirs, rel=1e-12)


@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
def test_dropout_goes_on_with_the_draws_of_eager_mode(backend):
    available(backend)

    def way(backend):
        model, rng = Slope(0.5), random.Random(1)

        def dropping(prediction, y):
            return (prediction * float(rng.random() < 0.7) - y) ** 2

        warns = pytest.warns(UserWarning, match="slower: .* calls random at .*test_train.py:")
        with nullcontext() if backend == "eager" else warns as warned:
            history = fit(model, dropping, DOUBLES, lr=0.01, steps=25, backend=backend)
        assert warned is None or len(warned) == 1
        return rng.getstate(), [model.w.data, *history.loss]

    (state, ours), (expected, eager) = way(backend), way("eager")
    assert state == expected
    assert ours == (eager if backend == "python" else pytest.approx(eager, rel=1e-12))


TABLE = {0.5: 1.0, 1.0: 2.0, 1.5: 0.5}
FLOATS = {  # what floats can do and Values cannot
    "math.sin": math.sin,
    "math.floor": lambda x: math.floor(10 * x),
    "math.trunc": lambda x: math.trunc(10 * x),
    "math.fsum": lambda x: math.fsum([x, 1.0]),
    "int": lambda x: int(10 * x),
    "an index": lambda x: [1.0, 2.0, 3.0, 4.0][int(x)],
    "float": float,
    "round": round,
    "round to digits": lambda x: round(x / 3, 1),
    "modulo": lambda x: x % 0.3,
    "of another": lambda x: 3 % x,
    "floor division": lambda x: x // 0.3,
    "divmod": lambda x: divmod(x, 0.3)[1],
    "plus": lambda x: +x,
    "complex": lambda x: abs(complex(x, 1.0)),
    "is_integer": lambda x: 1.0 if x.is_integer() else 2.0,
    "real": lambda x: x.real,
    "hex": lambda x: float.fromhex(x.hex()),
    "format": lambda x: float(f"{x:.0f}"),
    "percent": lambda x: float("%.0f" % x),  # noqa: UP031 (a function that people write)
    "str": lambda x: float(str(x)),
    "repr": lambda x: len(repr(x / 3)),
    "a key": TABLE.__getitem__,
    "in a set": lambda x: 1.0 if x in {0.5, 1.0} else 2.0,
    "a fraction": lambda x: float(Fraction(x)),
    "a decimal": lambda x: float(Decimal(x)),
    "an array": lambda x: float(array("d", [x])[0]),
}


@pytest.mark.some(54)
@pytest.mark.parametrize("backend", backends.NAMES)
@pytest.mark.parametrize("name", FLOATS)
@pytest.mark.parametrize("place", ["model", "loss"])
@pytest.mark.filterwarnings("ignore::nn.history.LossExploded")
def test_data_are_floats_to_a_model_and_a_loss(name, place, backend):
    """Where a recording cannot, training goes on eagerly; the run that was watched counts once."""
    available(backend)

    class Mine(Module):
        def __init__(self):
            self.w, self.calls, self.mean = Value(0.5), 0, 0.0

        def __call__(self, x):
            self.calls += 1
            self.mean = 0.9 * self.mean + 0.1 * x
            return self.w * (FLOATS[name](x) if place == "model" else x)

    def loss(output, y):
        return (output - (FLOATS[name](y) if place == "loss" else y)) ** 2

    def way(backend):
        model = Mine()
        with goes_on_eagerly(backend):
            history = fit(model, loss, (list(TABLE), [1.0, 1.5, 0.5]), lr=0.1, steps=5,
                          backend=backend)  # fmt: skip
        assert type(model.mean) is float
        return model.calls, model.mean, model.w.data, history.loss

    ours, eager = way(backend), way("eager")
    assert ours[:2] == eager[:2]
    assert ours[2] == pytest.approx(eager[2], rel=1e-12)
    assert ours[3] == pytest.approx(eager[3], rel=1e-12)


@pytest.mark.filterwarnings("ignore:training goes on")
def test_an_error_of_the_loss_itself_is_that_of_eager_mode():
    def loss(output, y):
        calls.append(y)
        if len(calls) > 5:
            raise KeyError("here")
        return (output - y) ** 2

    seen = []
    for backend in ("eager", "python"):
        calls = []
        with pytest.raises(KeyError, match="here"):
            fit(Slope(), loss, DOUBLES, lr=0.1, steps=5, backend=backend)
        seen.append(calls)
    assert seen[0] == seen[1]


@pytest.mark.some(2)
@pytest.mark.parametrize("replacement", [True, False])
def test_shuffled_batches_and_a_smaller_last_one_need_two_recordings(monkeypatch, replacement):
    recordings = []
    record = Recorder.record
    monkeypatch.setattr(
        Recorder,
        "record",
        lambda self, given, **keeps: recordings.append(1) or record(self, given, **keeps),
    )
    settings = {"epochs": 6, "batch_size": 8, "lr": 0.1, "replacement": replacement}
    history = fit(iris_net(), cross_entropy, small_iris(), **settings)
    assert len(history) == 6 * 4
    assert len(recordings) == (1 if replacement else 2)


@pytest.mark.some(2)
@pytest.mark.parametrize("twice", [True, False])
def test_ctrl_c_in_a_replayed_step(monkeypatch, twice):
    """One waits for the end of the step; of two, the second comes through at once."""
    done = []
    backward = Lines.backward

    def interrupted(self, seeds):
        if len(done) == 4:
            done.append(0)
            for _ in range(1 + twice):
                signal.raise_signal(signal.SIGINT)
        backward(self, seeds)

    monkeypatch.setattr(Lines, "backward", interrupted)
    model, other = iris_net(), iris_net()
    settings = {"steps": 50, "lr": 0.1, "backend": "python"}
    with pytest.warns(TrainingInterrupted):
        history = fit(model, cross_entropy, small_iris(), callbacks=[done.append], **settings)
    assert history.ended == "interrupted"
    assert len(history) == (4 if twice else 5)
    fit(other, cross_entropy, small_iris(), lr=0.1, steps=len(history), backend="eager")
    assert numbers(model) == numbers(other)


def test_early_stop_by_replay_is_that_of_eager():
    def stopped(backend):
        model = Slope()
        settings = {"validation": ([[1.0]], [1.0]), "early_stop": 3, "backend": backend}
        history = fit(model, mse, DOUBLES, lr=0.002, steps=1000, **settings)
        return history.loss, history.validation_loss, history.ended, model.w.data, model.w.grad

    assert stopped("python") == stopped("eager")


# --- memory ----------------------------------------------------------------------------------


@pytest.fixture
def _collector():
    was_on = gc.isenabled()
    yield
    (gc.enable if was_on else gc.disable)()


@pytest.mark.usefixtures("_collector")
@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("backend", ["eager", "python"])
def test_the_collector_rests_while_a_graph_is_there(on, backend):
    (gc.enable if on else gc.disable)()
    inside, between = [], []

    def loss(prediction, y):
        inside.append(gc.isenabled())
        return (prediction - y) ** 2

    count = [lambda _: between.append(gc.isenabled())]
    with goes_on_eagerly(backend):
        fit(Slope(), loss, DOUBLES, lr=0.1, steps=2, callbacks=count, backend=backend)
    assert inside == [False] * 6
    assert between == [on] * 2
    assert gc.isenabled() is on


@pytest.mark.usefixtures("_collector")
def test_the_collector_is_back_after_an_error():
    gc.enable()
    with pytest.raises(DivergedError):
        fit(Slope(), turning(math.nan, 1), DOUBLES, lr=0.1, steps=3, backend="eager")
    assert gc.isenabled()


def left_in_cycles():
    """Whose objects the collector finds: a class counts with its parts, others by their classes.

    wasmtime makes classes of ctypes, such as `c_ubyte * 9964` for the bytes of a module: one for
    each length, four for a training however long that is. A class stands in a cycle with its parts.
    """
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        gc.collect()
        found = [thing for thing in gc.garbage if thing is not gc.garbage]
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
    classes = [thing for thing in found if isinstance(thing, type)]
    parts = {id(part) for each in classes for part in gc.get_referents(each)}
    parts |= {id(part) for each in classes for part in each.__dict__.values()}
    owners = [*classes, *(type(one) for one in found if id(one) not in {*map(id, classes), *parts})]
    return {owner.__module__.partition(".")[0] for owner in owners}


@pytest.mark.whole
@pytest.mark.some(10)
@pytest.mark.usefixtures("_collector")
@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
def test_training_leaves_no_cycles_and_memory_flat(backend):
    available(backend)
    model, data = iris_net(), small_iris()
    settings = {"lr": 0.1, "backend": backend}
    fit(model, cross_entropy, data, steps=2, **settings)
    gc.collect()
    gc.disable()
    used = []
    count = [lambda _: used.append(sys.getallocatedblocks())]
    fit(model, cross_entropy, data, steps=360, **settings, callbacks=count)
    assert left_in_cycles() - {"wasmtime"} == set()
    # A step leaves its numbers; a graph has 2,700 blocks. What is compiled beside takes some, once.
    assert min(used[k + 100] - used[k] for k in (59, 159, 259)) < 100 * 10


# --- together --------------------------------------------------------------------------------


def test_a_net_learns_iris():
    data, _ = standardise(iris())
    training, held_out = split(data, 0.8)
    model = MLP(4, [8, 3], "tanh", seed=3)
    fit(model, cross_entropy, training, epochs=20, batch_size=8, lr=0.2)
    assert evaluate(model, cross_entropy, held_out)[1] >= 0.9


def test_a_net_learns_xor():
    model = MLP(2, [4, 1], "tanh", seed=1)
    history = gradient_descent(model, hinge, xor(), lr=0.3, steps=300)
    assert history.accuracy[-1] == 1
    assert history.loss[-1] < 0.05


# --- data as memory -----------------------------------------------------------------------------


class Named:
    """A model of a user's that takes rows by name."""

    def __init__(self):
        self.w = [Value(0.1), Value(-0.2)]

    def parameters(self):
        return self.w

    def __call__(self, x):
        return self.w[0] * x["size"] + self.w[1] * sum(x["ages"])


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
def test_rows_may_be_dicts(backend, tmp_path):
    available(backend)
    xs = [{"size": float(k), "ages": [1.0, k / 2]} for k in range(7)]
    found = []
    for way in (backend, "eager"):
        model, path = Named(), tmp_path / f"{way}.json"
        settings = {"lr": 0.01, "batch_size": 3, "backend": way}
        fit(model, mse, (xs, [2.0 * k for k in range(7)]), steps=5, checkpoint=path, **settings)
        history = fit(
            model, mse, (xs, [2.0 * k for k in range(7)]), steps=9, resume=path, **settings
        )
        found.append([*history.loss, *(p.data for p in model.parameters())])
    assert found[0] == pytest.approx(found[1], rel=1e-12)


def test_a_number_in_a_dict_that_is_none_is_named():
    xs = [{"size": 1.0, "ages": [1.0]}, {"size": 1.0, "ages": [math.nan]}]
    with pytest.raises(
        ValueError, match=r"xs\[1\]\['ages'\]\[0\] expected a finite number, got nan"
    ):
        fit(Named(), mse, (xs, [1.0, 2.0]), lr=0.1, steps=1)


@pytest.mark.some(2)
@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
def test_data_changed_in_place_between_two_trainings_is_seen(backend):
    available(backend)
    rows, ys = [[1.0], [2.0], [3.0]], [2.0, 4.0, 6.0]
    found = []
    for way in (backend, "eager"):
        data, model = [list(row) for row in rows], Slope()
        fit(model, mse, (data, ys), lr=0.01, steps=4, batch_size=2, backend=way)
        for row in data:
            row[0] *= -1
        history = fit(model, mse, (data, ys), lr=0.01, steps=4, batch_size=2, backend=way)
        found.append(history.loss)
    assert found[0] == pytest.approx(found[1], rel=1e-12)


@pytest.mark.some(2)
@pytest.mark.parametrize("backend", ["eager", "auto", *backends.NAMES])
@pytest.mark.parametrize("batch_size", [None, 1, 5, 100])
def test_one_row_and_batches_larger_than_the_data(backend, batch_size):
    available(backend)
    model = Slope()
    data = [[3.0]], [6.0]
    history = fit(model, mse, data, lr=0.02, steps=4, batch_size=batch_size, backend=backend)
    assert history.points_seen == [1, 2, 3, 4]
    assert history.loss == pytest.approx(losses_of_slope(3.0, 6.0, 0.02, 4), rel=1e-12)


def losses_of_slope(x, y, lr, steps):
    w, losses = 0.0, []
    for _ in range(steps):
        losses.append((w * x - y) ** 2)
        w -= lr * 2 * (w * x - y) * x
    return losses


@pytest.mark.parametrize(
    ("kind", "settings", "warns"),
    [(SGD, {"lr": 0.1, "momentum": 0.5}, False), (Adam, {"lr": 0.1}, True)],
)
@pytest.mark.parametrize("backend", ["python", "numpy"])
def test_parameters_that_rest_in_some_steps(kind, settings, warns, backend, recwarn):
    def trained(backend):
        ws = [Value(0.5), Value(-0.5)]
        both = [True]

        def toggle(step):
            both[0] = step.step % 3 != 1

        optimizer = kind(ws, **settings)
        fit(
            lambda x: ws[0] * x + (ws[1] if both[0] else 0.0),
            mse,
            ([1.0, 2.0], [2.0, 3.0]),
            steps=9,
            optimizer=optimizer,
            callbacks=[toggle],
            backend=backend,
        )
        return [w.data for w in ws], optimizer.steps

    (data, steps), (expected, counts) = trained(backend), trained("eager")
    assert steps == counts == [9, 6]
    assert data == pytest.approx(expected, rel=1e-12)
    said = [str(each.message) for each in recwarn]
    assert [("moved more often than others" in words) for words in said] == [True] * warns


@pytest.mark.parametrize("hold", [dict, lambda **of: [of["model"], of["optimizer"]]])
def test_a_loss_beside_the_optimizer_is_recorded_once(hold, recwarn):
    """The optimizer's memory, which each step changes, is not read by `parameters()`."""
    model = MLP(2, [2, 1], seed=0)
    optimizer = SGD(model.parameters(), lr=0.1, momentum=0.5)
    held = hold(model=model, optimizer=optimizer)
    named = "model" if isinstance(held, dict) else 0

    @replay
    def loss(x, y):
        return (held[named](x) - y) ** 2 + 0.01 * l2(held[named].parameters())

    for _ in range(12):
        total = loss([1.0, 2.0], 1.0)
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
    assert loss.made == 1
    assert not recwarn


# --- an optimizer's code as users write it ------------------------------------------------------


class Own(SGD):
    """Arithmetic of its own."""

    def moved(self, ps, gs, memory, rates):
        return [p - rates[0] * g for p, g in zip(ps, gs, strict=True)], *memory


class ReadsSteps(SGD):
    """Arithmetic that reads what training keeps elsewhere while it runs."""

    def moved(self, ps, gs, memory, rates):
        share = 1 / (1 + self.steps[0])
        return super().moved(ps, [g * share for g in gs], memory, rates)


class Clamped(SGD):
    """A step that looks as if it were the package's."""


@functools.wraps(SGD.step)
def _clamped(self):
    SGD.step(self)
    for p in self.parameters:
        p.data = max(-0.5, min(0.5, p.data))


Clamped.step = _clamped


@pytest.mark.some(8)
@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
@pytest.mark.parametrize(
    ("kind", "warns"), [(Own, ""), (ReadsSteps, "ReadsSteps.moved reads steps"), (Clamped, "")]
)
def test_an_optimizer_of_ones_own_does_what_it_does_eagerly(kind, warns, backend, recwarn):
    available(backend)

    def losses(backend):
        model = MLP(2, [4, 1], "tanh", seed=0)
        optimizer = kind(model.parameters(), lr=0.5)
        settings = {"steps": 25, "batch_size": 7, "backend": backend}
        return fit(model, hinge, moons(20, noise=0.1, seed=0), optimizer=optimizer, **settings).loss

    assert losses(backend) == pytest.approx(losses("eager"), rel=1e-9)
    said = [str(each.message) for each in recwarn]
    named = backend in ("numpy", "wasm", "c")  # "auto" begins with Python, where all is in place
    assert [warns in words for words in said] == [True] * bool(warns and named)


def test_a_net_that_grows_rows_by_the_letter_learns_all_of_them():
    class Lazy(MLP):
        def __init__(self):
            super().__init__(2, [2], seed=0)
            self.rows = {}

        def __call__(self, x):
            a, b = self.rows.setdefault(x[0], [Value(0.1 * x[0]), Value(0.2)])
            return a * b

    model = Lazy()
    with goes_on_eagerly("auto"):
        history = fit(model, mse, ([[0], [1], [2]], [1.0, 2.0, 3.0]), steps=30, lr=0.1)
    assert history.loss[-1] < 0.2
    assert all(row[0].data > 0.5 for row in model.rows.values())
