import math
import random
import warnings
from array import array
from contextlib import suppress

import pytest
from disturbed import stopped, traced
from trainings import available

from engine import detect_anomaly
from engine.functions import max as largest
from engine.functions import sum as sum_of
from engine.value import Value, data_of
from nn.descent import Descent
from nn.loss import cross_entropy, hinge, mse
from nn.module import MLP
from nn.optim import SGD, Adam, AdamW
from nn.table import Table
from nn.train import fit

BACKENDS = ("python", "numpy", "wasm", "c")
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


@pytest.mark.some(6)
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


@pytest.mark.some(54)
@pytest.mark.parametrize("backend", ["numpy", "wasm", "c"])
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


@pytest.mark.some(3)
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


@pytest.mark.some(2)
@pytest.mark.parametrize("backend", BACKENDS)
def test_callbacks_see_the_parameters_of_their_step(backend):
    available(backend)
    seen = {}
    for way in ("eager", backend):
        model = MLP(3, [1], seed=1)
        (first, *_) = model.parameters()
        seen[way] = []
        look = lambda _, first=first, way=way: seen[way].append(first.data)
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
        losses = [descent.step(Table(xs, ys)).loss for _ in range(12)]
        descent.store()
        return losses, w.data

    assert run("python") == run("eager")


def test_frozen_parameters_stay_and_are_read():
    frozen, w = Value(2.0), Value(0.0)
    descent = Descent(lambda xs, ys: ((frozen * w - ys[0]) ** 2 * xs[0], []), SGD([w], lr=0.1))
    xs, ys = [1.0], [4.0]
    for _ in range(60):
        descent.step(Table(xs, ys))
    descent.store()
    assert (frozen.data, w.data) == (2.0, pytest.approx(2.0))


# --- single steps -----------------------------------------------------------------------------

each_backend = pytest.mark.parametrize("backend", BACKENDS)


class Trained:
    """A net, its optimiser, and its descent."""

    def __init__(self, backend, kind=SGD, loss=cross_entropy, **options):
        self.net = MLP(2, [4, 3], "tanh", seed=1)
        self.optimizer = kind(self.net.parameters(), **({"lr": 0.1} | options))
        self.loss = loss
        self.descent = Descent(self.run, self.optimizer, backend)

    def run(self, xs, ys):
        outputs = [self.net(x) for x in xs]
        return sum_of(map(self.loss, outputs, ys)) / len(xs), outputs

    def step(self, xs, ys):
        loss, outputs, norm, _ = self.descent.step(Table(xs, ys))
        return [loss, norm, *(data_of(z) for row in outputs() for z in row)]

    def state(self):
        self.descent.store()
        data, gradients, memory = numbers(self.net, self.optimizer)
        return [*data, *gradients, *(x for each in memory for x in each), *self.optimizer.steps]


def pair(backend, *how, **options):
    available(backend)
    return Trained(backend, *how, **options), Trained("eager", *how, **options)


def batches(count, size=6):
    draw = random.Random(2)
    return [
        (
            [[draw.uniform(-1, 1), draw.uniform(-1, 1)] for _ in range(size)],
            [[float(k % 3 == c) for c in range(3)] for k in range(size)],
        )
        for _ in range(count)
    ]


def same(got, expected, backend):
    """Bit for bit in Python, nearly so elsewhere."""
    return got == (
        expected if backend == "python" else pytest.approx(expected, rel=1e-10, abs=1e-13)
    )


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_one_step_is_within_the_last_digits_of_the_largest_gradient(backend):
    ours, eager = pair(backend)
    (batch,) = batches(1)
    for _ in range(2):  # the second is replayed
        ours.step(*batch)
        eager.step(*batch)
        got, expected = ours.state(), eager.state()
        largest_gradient = max(abs(p.grad) for p in eager.net.parameters())
        assert got == pytest.approx(expected, rel=0, abs=1e-12 * largest_gradient)
    assert (ours.descent.backend, eager.descent.backend) == (backend, "eager")


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_the_step_at_which_replay_ends_begins_where_the_parameters_are(backend):
    class Scaled(SGD):
        scale = 1.0

        def moved(self, parameters, gradients, memory, rates):
            rate = rates[0] * self.scale
            return [
                [p - rate * g for p, g in zip(parameters, gradients, strict=True)],
                *memory,
            ]

    ours, eager = pair(backend, Scaled)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for k, batch in enumerate(batches(9)):
            for each in (ours, eager):
                each.optimizer.scale = 1.0 + max(0, k - 5) / 10
            assert same(ours.step(*batch), eager.step(*batch), backend)
    assert same(ours.state(), eager.state(), backend)


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_batches_of_two_sizes_share_the_memory_of_the_optimizer(backend):
    ours, eager = pair(backend, Adam, lr=0.01)
    for large, small in zip(batches(6), batches(6, 2), strict=True):
        for batch in (large, large, small):
            assert same(ours.step(*batch), eager.step(*batch), backend)
    assert same(ours.state(), eager.state(), backend)
    assert ours.descent._replay.made == 2


@pytest.mark.whole
@each_backend
def test_a_batch_is_gathered_from_rows(backend):
    ours, eager = pair(backend, Adam, lr=0.01)
    xs, ys = batches(1, size=12)[0]
    data, draw = Table(xs, ys), random.Random(3)
    for size in (5, 5, 12, 5, 3, 12, 5):
        rows = array("i", draw.choices(range(12), k=size)) if size < 12 else None
        taken = ours.descent.step(data, rows)
        chosen = range(12) if rows is None else rows
        expected = eager.step([xs[i] for i in chosen], [ys[i] for i in chosen])
        assert same(taken.loss, expected[0], backend)
        largest = [max(range(3), key=row.__getitem__) for row in taken.outputs()]
        assert list(taken.largest()) == largest
    assert same(ours.state(), eager.state(), backend)
    assert ours.descent._replay.made == 3  # one for each size


@pytest.mark.some(2)
@each_backend
def test_rows_of_several_lengths_are_read_anew(backend):
    available(backend)
    xs, ys = [[1.0], [1.0, 2.0], [3.0], [0.5, 1.5]], [1.0, 2.0, 0.0, 1.0]
    found = []
    for way in (backend, "eager"):
        w = Value(0.3)

        def run(xs, ys, w=w):
            errors = [w * sum(x) - y for x, y in zip(xs, ys, strict=True)]
            return sum_of([e * e for e in errors]), errors

        descent, data = Descent(run, SGD([w], lr=0.01), way), Table(xs, ys)
        losses = [
            descent.step(data, rows).loss
            for rows in [array("i", pair) for pair in ((0, 2), (2, 0), (1, 3), (0, 1), (0, 2))] * 2
        ]
        losses.append(descent.step(data).loss)
        descent.store()
        found.append([*losses, w.data])
    assert same(*found, backend)


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_numbers_changed_between_steps_count_after_store(backend):
    ours, eager = pair(backend, Adam, lr=0.01)
    for k, batch in enumerate(batches(8)):
        assert same(ours.step(*batch), eager.step(*batch), backend)
        for each in (ours, eager):
            each.descent.store()
            each.optimizer.lr = 0.01 / (k + 1)
            each.optimizer.mean = [0.5 * mean for mean in each.optimizer.mean]
            for p in each.net.parameters():
                p.data = max(-0.5, min(0.5, p.data))
    assert same(ours.state(), eager.state(), backend)


@pytest.mark.whole
@pytest.mark.some(12)
@each_backend
@pytest.mark.parametrize("stores", [False, True])
def test_settings_may_be_turned_on_and_off(backend, stores):
    ours, eager = pair(backend)
    for k, batch in enumerate(batches(12)):
        if stores:
            ours.descent.store()
        for each in (ours, eager):
            each.optimizer.momentum = 0.9 if k in (3, 4, 8) else 0.0
            each.optimizer.weight_decay = 0.1 if k in (4, 9) else 0.0
        assert same(ours.step(*batch), eager.step(*batch), backend)
    assert same(ours.state(), eager.state(), backend)


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_parameters_that_give_outputs_but_no_loss_stay(backend):
    ours, eager = pair(backend, Adam, lambda z, y: hinge(z[0], 2 * y[0] - 1))
    for batch in batches(5):
        assert same(ours.step(*batch), eager.step(*batch), backend)
    assert same(ours.state(), eager.state(), backend)
    assert ours.descent.backend == backend
    assert set(ours.optimizer.steps) == {0, 5}


@each_backend
def test_each_recording_moves_its_own_parameters(backend):
    def way(name):
        v, w, u = Value(1.0), Value(2.0), Value(3.0)

        def run(xs, ys):
            outputs = [(v if x > 0 else w) * x for x in xs]
            return sum_of((o - y) ** 2 for o, y in zip(outputs, ys, strict=True)), outputs

        optimizer = SGD([v, u, w], lr=0.01, momentum=0.9)
        return Descent(run, optimizer, name), optimizer, (v, w, u)

    available(backend)
    (ours, mine, got), (eager, theirs, expected) = way(backend), way("eager")
    for sign in [1, 1, 1, 1, -1, -1, -1, -1, 1]:
        xs, ys = [0.5 * sign, 0.25 * sign], [1.0, 2.0]
        assert ours.step(Table(xs, ys)).loss == pytest.approx(
            eager.step(Table(xs, ys)).loss, rel=1e-13
        )
    ours.store()
    assert [p.data for p in got] == pytest.approx([p.data for p in expected], rel=1e-12)
    assert [p.has_grad for p in got] == [p.has_grad for p in expected] == [True, False, False]
    assert mine.velocity == pytest.approx(theirs.velocity, rel=1e-12)
    assert mine.steps == theirs.steps == [5, 0, 4]
    assert ours.backend == backend


def test_parameters_moved_unequally_often_go_on_without_replay():
    v, w = Value(1.0), Value(2.0)

    def run(xs, ys):
        outputs = [v * x if x > 0 else v * w * x for x in xs]
        return sum_of((o - y) ** 2 for o, y in zip(outputs, ys, strict=True)), outputs

    descent = Descent(run, Adam([v, w], lr=0.01), "python")
    for _ in range(3):
        descent.step(Table([1.0], [2.0]))
    with pytest.warns(UserWarning, match="without replay, slower: some parameters were moved"):
        assert [descent.step(Table([-1.0], [2.0])).loss > 0 for _ in range(3)] == [True] * 3
    assert descent.backend == "eager"
    assert descent.optimizer.steps == [6, 3]


@pytest.mark.whole
@pytest.mark.some(6)
@each_backend
def test_parameters_that_the_optimizer_does_not_have_stay(backend):
    ours, eager = pair(backend)
    before = numbers(ours.net, ours.optimizer)[0]
    for each in (ours, eager):
        each.optimizer = SGD(each.net.parameters()[1::2], lr=0.1, momentum=0.5)
        each.descent = Descent(each.run, each.optimizer, each.descent.backend)
    ours.descent = Descent(ours.run, ours.optimizer, backend)
    for batch in batches(6):
        ours.step(*batch)
        eager.step(*batch)
    ours.descent.store()
    got, expected = (numbers(each.net, each.optimizer) for each in (ours, eager))
    assert same(got[0], expected[0], backend)
    assert got[0][::2] == before[::2]
    assert not set(got[0][1::2]) & set(before[1::2])


def test_an_optimizer_of_other_parameters_moves_nothing():
    net = Trained("python")
    descent = Descent(net.run, SGD([Value(1.0)], lr=0.1), "python")
    with pytest.raises(ValueError, match="gave no parameter of the optimizer a gradient"):
        descent.step(Table(*batches(1)[0]))


# --- what is not finite -----------------------------------------------------------------------


@pytest.mark.whole
@pytest.mark.some(27)
@each_backend
@pytest.mark.parametrize("steps", [0, 1, 4])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_bad_number_in_the_data_stops_before_the_step(backend, steps, bad):
    ours, eager = pair(backend, Adam, mse)
    for batch in batches(steps):
        ours.step(*batch)
        eager.step(*batch)
    before = ours.state()
    xs, ys = batches(1)[0]
    for each in (ours, eager):
        with pytest.raises(FloatingPointError, match=r"the loss is (nan|inf)"):
            each.step(xs, [*ys[:-1], [bad, 0.0, 0.0]])
    assert ours.state() == before
    assert same(ours.step(xs, ys), eager.step(xs, ys), backend)


def one(loss, kind, **options):
    w = Value(1.0)
    optimizer = kind([w], **options)
    return w, optimizer, lambda xs, ys: (loss(w, xs[0]), [])


@each_backend
def test_a_gradient_that_is_not_finite_stops_and_leaves_all_else(backend):
    available(backend)
    w, optimizer, run = one(lambda w, x: (w * x).sqrt(), Adam, lr=0.01)
    descent = Descent(run, optimizer, backend)
    for _ in range(3):
        descent.step(Table([1.0], []))
    descent.store()
    before = w.data, optimizer.state_dict()
    with pytest.raises(FloatingPointError, match=r"the length of the gradient is (inf|nan)"):
        descent.step(Table([0.0], []))
    descent.store()
    assert (w.data, optimizer.state_dict()) == before


@each_backend
def test_a_step_to_infinity_is_not_taken(backend):
    available(backend)
    w, optimizer, run = one(lambda w, x: w * x, SGD, lr=1e10)
    descent = Descent(run, optimizer, backend)
    for _ in range(3):
        descent.step(Table([1e-12], []))
    descent.store()
    before = w.data, optimizer.steps
    with pytest.raises(FloatingPointError, match="the data of parameter 0 would become -inf"):
        descent.step(Table([1e300], []))
    descent.store()
    assert (w.data, optimizer.steps) == before


@each_backend
@pytest.mark.parametrize("size", [1e200, 1e-200])
def test_the_length_of_gradients_whose_squares_are_no_numbers(backend, size):
    available(backend)
    _, optimizer, run = one(lambda w, x: w * x, SGD, lr=1e-300)
    descent = Descent(run, optimizer, backend)
    assert [descent.step(Table([size], [])).gradient_norm for _ in range(3)] == [size] * 3


# --- what cannot be replayed ------------------------------------------------------------------


@each_backend
def test_random_masks_are_found_and_not_frozen(backend):
    """Dropout would be."""
    available(backend)
    w, draw, masks = Value(1.0), random.Random(1), []

    def run(xs, ys):
        masks.append(float(draw.random() < 0.5))
        return w * masks[-1] * xs[0] + 1.0, []

    descent = Descent(run, SGD([w], lr=0.125), backend)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        taken = [descent.step(Table([1.0], [])).loss for _ in range(30)]
    assert [str(warning.message).partition(":")[0] for warning in seen] == [
        "training goes on without replay, slower"
    ]
    assert len(set(masks)) == 2
    assert len(taken) == 30
    assert descent.backend == "eager"
    assert w.data >= 1.0 - 0.125 * sum(masks) > 1.0 - 0.125 * 30


def line(backend, kind=SGD, steps=60, **settings):
    """The slope of a line after training; the words of the warnings."""
    w = Value(0.0)
    optimizer = kind([w], **({"lr": 0.1} | settings.pop("options", {})))
    settings = {name: make(optimizer) for name, make in settings.items()}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        data = [1.0, 2.0], [2.0, 4.0]
        fit(
            lambda x: w * x,
            mse,
            data,
            optimizer=optimizer,
            steps=steps,
            backend=backend,
            **settings,
        )
    return w.data, [str(warning.message) for warning in seen]


class Clipped(SGD):
    """Looks at numbers."""

    def moved(self, ps, gs, memory, rates):
        length = math.sqrt(sum(data_of(g) ** 2 for g in gs))
        scale = min(1.0, 0.1 / (length + 1e-12))
        return super().moved(ps, [g * scale for g in gs], memory, rates)


class Noisy(SGD):
    """Draws numbers."""

    draw = random.Random(1)

    def moved(self, ps, gs, memory, rates):
        return super().moved(ps, [g + self.draw.random() for g in gs], memory, rates)


class Uneven(SGD):
    """Asks about gradients: goes twice as far where they are negative."""

    def moved(self, ps, gs, memory, rates):
        return super().moved(ps, [2.0 * g if g < 0 else g for g in gs], memory, rates)


@pytest.mark.some(4)
@each_backend
def test_an_optimizer_that_compares_gradients_asks_at_every_step(backend):
    available(backend)
    options = {"lr": 0.25}  # at which each step passes the minimum
    eager, _ = line("eager", Uneven, steps=7, options=options)
    ours, warned = line(backend, Uneven, steps=7, options=options)
    assert ours == pytest.approx(eager, rel=1e-12)
    assert ours != pytest.approx(line(backend, SGD, steps=7, options=options)[0], rel=1e-3)
    assert warned == []


# --- code of the user's that runs within a step, and looks at the parameters or sets them -------


def size_of(optimizer):
    return sum(p.data**2 + p.grad**2 for p in optimizer.parameters)


class Careful(SGD):
    """Smaller steps for larger weights."""

    def rates(self, steps):
        return self.lr / (1 + size_of(self)), *super().rates(steps)[1:]


class Inherited(Careful):
    """Says nothing itself."""


class Planned(SGD):
    """Takes its rates one after the other."""

    def __init__(self, *given, **settings):
        super().__init__(*given, **settings)
        plan = iter([0.2 * 0.9**k for k in range(99)])
        self.rates = lambda steps: (next(plan), 0.0, 0.0, 0.0)


class Computed(SGD):
    """Its weight decay depends on the weights."""

    weight_decay = property(lambda self: 0.01 * size_of(self), lambda self, x: None)


class Bounded(SGD):
    """Moves weights when a setting is set."""

    def __setattr__(self, name, thing):
        super().__setattr__(name, thing)
        for p in vars(self).get("parameters", ()):
            p.data = max(-1.1, min(1.1, p.data))


class Watching(SGD):
    """Notes the weights that it is going to move."""

    def moved(self, ps, gs, memory, rates):
        scale = 1 / (1 + size_of(self))
        return super().moved(ps, [g * scale for g in gs], memory, rates)


class Patched(Adam):
    """Its decay is another, on the instance."""

    def __init__(self, *given, **settings):
        super().__init__(*given, **settings)
        self._decay = lambda: (1.0, 0.01 * size_of(self))


def looking(optimizer):
    seen = []

    def lr(step):
        seen.append(optimizer.parameters[0].data)
        return 0.1 / (1 + size_of(optimizer)) + 0.01 * (len(set(seen)) == len(seen))

    return lr


def clipping(optimizer):
    def lr(step):
        for p in optimizer.parameters:
            p.data = max(-1.1, min(1.1, p.data))
        return 0.1

    return lr


class Rate:
    """A schedule that is an object, and turns the gradient it sees."""

    def __init__(self, optimizer):
        self.optimizer = optimizer

    def __call__(self, step):
        return 0.1 / (1 + abs(self.optimizer.parameters[0].grad))


@pytest.mark.some(2)
@each_backend
@pytest.mark.parametrize("lr", [looking, clipping, Rate])
def test_a_schedule_sees_the_newest_numbers_and_may_set_them(lr, backend):
    available(backend)
    (eager, _), (ours, warned) = line("eager", lr=lr), line(backend, lr=lr)
    assert ours == pytest.approx(eager, rel=1e-12)
    assert warned == []


@pytest.mark.some(4)
@each_backend
@pytest.mark.parametrize(
    "kind", [Careful, Inherited, Planned, Computed, Bounded, Watching, Patched]
)
def test_an_optimizer_of_ones_own_sees_the_newest_numbers(kind, backend):
    available(backend)
    (eager, _), (ours, warned) = line("eager", kind), line(backend, kind)
    assert ours == pytest.approx(eager, rel=1e-12)
    assert len(warned) <= 1


@each_backend
def test_a_plain_schedule_leaves_the_numbers_in_the_kernel(backend, monkeypatch):
    available(backend)
    stored = []
    store = Descent.store
    monkeypatch.setattr(Descent, "store", lambda self: stored.append(0) or store(self))
    line(backend, lr=lambda optimizer: lambda step: 0.1 * (1 - step / 1000))
    assert len(stored) < 20


@pytest.mark.parametrize("backend", ["numpy", "wasm", "c"])
def test_an_optimizer_that_looks_at_numbers_goes_on_without_replay(backend):
    available(backend)
    (eager, _), (ours, warned) = line("eager", Clipped), line(backend, Clipped)
    assert ours == eager
    assert len(warned) == 1
    assert "Clipped looks at the .data of a Value at" in warned[0]


@pytest.mark.parametrize("backend", ["numpy", "wasm", "c"])
def test_an_optimizer_with_random_numbers_goes_on_without_replay(backend):
    available(backend)
    _, warned = line(backend, Noisy)
    assert len(warned) == 1
    assert "Noisy.moved calls random" in warned[0]


@pytest.mark.parametrize("kind", [Clipped, Noisy])
def test_in_python_an_optimizer_may_look_at_numbers_and_draw_them(kind):
    found = []
    for backend in ("eager", "python"):
        kind.draw = random.Random(1)
        found.append(line(backend, kind))
    assert found[0] == found[1]
    assert found[1][1] == []  # no warning


@each_backend
def test_a_switch_of_the_optimizer_may_be_turned(backend):
    available(backend)
    settings = {
        "options": {"momentum": 0.9, "lr": 0.01},
        "callbacks": lambda o: [lambda step: setattr(o, "nesterov", step.step > 5)],
    }
    eager, _ = line("eager", steps=20, **settings)
    ours, warned = line(backend, steps=20, **settings)
    assert ours == pytest.approx(eager, rel=1e-12)
    assert warned == []


@pytest.mark.some(4)
@each_backend
@pytest.mark.parametrize("changes", [[10], [1], [10, 25], [3, 4, 5, 6, 7, 8, 9]])
def test_a_number_of_the_penalty_that_a_callback_changes_counts_at_the_next_step(backend, changes):
    available(backend)

    def way(backend):
        scale, losses = [0.5], []

        def change(step):
            losses.append(step.loss)
            if step.step in changes:
                scale[0] += 0.25

        ended = line(
            backend,
            penalty=lambda o: lambda model: scale[0] * o.parameters[0] ** 2,
            callbacks=lambda o: [change],
        )
        return ended, losses

    ((eager, _), losses), ((ours, warned), found) = way("eager"), way(backend)
    assert eager == pytest.approx(5 / (2.5 + 0.5 + 0.25 * len(changes)))
    assert (ours, found) == (pytest.approx(eager, rel=1e-12), pytest.approx(losses, rel=1e-12))
    assert warned == []


@each_backend
def test_a_parameter_that_a_callback_replaces(backend):
    available(backend)

    def way(backend):
        net = MLP(1, [1], seed=1)
        (neuron,) = net.layers[0].neurons
        replaced = lambda step: step.step == 10 and setattr(neuron, "b", Value(3.0))
        data = [[1.0], [2.0]], [2.0, 4.0]
        optimizer = SGD(net.parameters(), lr=0.05)
        fit(net, mse, data, optimizer=optimizer, steps=30, callbacks=[replaced], backend=backend)
        return [p.data for p in net.parameters()]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert way(backend) == pytest.approx(way("eager"), rel=1e-12)


@each_backend
@pytest.mark.parametrize("kind", [SGD, Adam])
def test_a_value_that_nobody_moves_and_a_callback_sets(backend, kind):
    available(backend)

    def way(backend):
        u, w, v = Value(1.0, "u"), Value(0.5, "w"), Value(0.2, "v")
        halve = lambda step: setattr(u, "data", u.data / 2)
        losses = []
        fit(
            lambda x: u * w * x + v,
            mse,
            ([1.0, 2.0], [2.0, 4.0]),
            optimizer=kind([w, v], lr=0.05),
            steps=9,
            callbacks=[halve, lambda step: losses.append(step.loss)],
            backend=backend,
        )
        return [u.data, w.data, v.data, *losses]

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        got, expected = way(backend), way("eager")
    assert got == pytest.approx(expected, rel=1e-12)
    assert got[0] == 2.0**-9
    assert len(set(got[3:])) == 9


@each_backend
def test_gradients_of_parameters_that_nobody_moves_add_up(backend):
    available(backend)

    def way(backend):
        u, w = Value(1.0), Value(0.5)
        u.grad = 1.0
        data = [1.0, 2.0], [2.0, 4.0]
        fit(lambda x: u * w * x, mse, data, optimizer=SGD([w], lr=0.01), steps=9, backend=backend)
        return u.grad, w.data

    assert way(backend) == pytest.approx(way("eager"), rel=1e-12)


@pytest.mark.parametrize("backend", ["eager", "python"])
def test_parameters_taken_from_the_optimizer(backend):
    u, w = Value(1.0), Value(0.5)
    optimizer = SGD([u, w], lr=0.01)
    taken = lambda step: step.step == 5 and setattr(optimizer, "parameters", [w])
    data = [1.0, 2.0], [2.0, 4.0]
    with pytest.raises(ValueError, match="SGD was made for 2 parameters and has 1 now: make a new"):
        fit(
            lambda x: u * w * x,
            mse,
            data,
            optimizer=optimizer,
            steps=9,
            callbacks=[taken],
            backend=backend,
        )


def test_what_was_computed_outside_is_not_replayed():
    def way(backend):
        w = Value(0.5)
        h = w * 2.0
        descent = Descent(lambda xs, ys: ((h * xs[0] - w) ** 2, []), SGD([w], lr=0.01), backend)
        for _ in range(6):
            descent.step(Table([1.0], []))
        descent.store()
        return w.data

    with pytest.warns(UserWarning, match="computed outside of it, once for all steps"):
        ours = way("python")
    assert ours == way("eager")


@each_backend
def test_outputs_beside_the_loss_have_no_part_in_the_gradient(backend):
    available(backend)
    ws = [Value(0.5), Value(0.0)]
    fit(
        lambda x: [ws[0] * x, (ws[1] * x).sqrt()],
        lambda z, y: (z[0] - y) ** 2 + 0 * ws[1],
        ([1.0, 2.0], [3.0, 6.0]),
        optimizer=SGD(ws, lr=0.1),
        steps=50,
        backend=backend,
    )
    assert [w.data for w in ws] == [pytest.approx(3.0), 0.0]


def test_a_loss_that_branches_on_its_numbers_is_recorded_nine_times_at_most():
    def huber(z, y):
        d = abs(z - y)
        return 0.5 * d * d if d < 1 else d - 0.5

    models = [MLP(3, [1], seed=1) for _ in range(2)]
    ys = [5 * y for y in AMOUNTS]
    descents = [Descent(*branching(m, huber), way) for m, way in zip(models, WAYS, strict=True)]
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        for _ in range(40):
            losses = [descent.step(Table(XS, ys)).loss for descent in descents]
            assert losses[0] == losses[1]
    assert ["recorded 9 times" in str(warning.message) for warning in warned] == [True]
    assert descents[0]._replay.made == 9


@pytest.mark.some(3)
@each_backend
def test_a_loss_of_new_parameters_at_each_step_is_recorded_again_and_again(backend):
    available(backend)
    ws = [Value(0.5)]

    def run(xs, ys):
        return sum_of([w * w for w in ws]), []

    def grow(steps):
        for k in steps:
            assert descent.step(Table([1.0], [1.0])).loss == pytest.approx(0.25 * 0.64**k + k)
            ws.append(Value(1.0))

    descent = Descent(run, SGD([ws[0]], lr=0.1), backend)
    words = "^run was recorded 9 times.*: the list ws, outside its arguments, changes$"
    with pytest.warns(UserWarning, match=words) as warned:
        grow(range(12))
    assert len(warned) == 1
    descent.store()
    assert ws[0].data == pytest.approx(0.5 * 0.8**12)
    assert all(w.data == 1 for w in ws[1:])


WAYS = ("python", "eager")


def branching(model, loss):
    def run(xs, ys):
        outputs = [model(x) for x in xs]
        return sum_of(map(loss, outputs, ys)), outputs

    return run, SGD(model.parameters(), lr=0.1, momentum=0.9)


def test_comparisons_of_a_step_are_a_logarithm():
    """Steps run the loss once where they are compared, and else not at all."""
    runs, w = [], Value(0.5)

    def run(xs, ys):
        return (w * xs[0] - 1.0) ** 2, []

    descent, compared = Descent(run, SGD([w], lr=0.01), "python"), []
    xs = [1.0]
    for k in range(1, 40):
        with traced(lambda code: code is run.__code__, lambda frame: runs.append(frame.f_lineno)):
            descent.step(Table(xs, xs))
        compared += [k] * len(runs)
        runs.clear()
    assert compared == [1, 2, 20]


def test_modes_of_the_engine_are_kept():
    _, optimizer, run = one(lambda w, x: (w * x).log(), SGD, lr=0.1)
    descent = Descent(run, optimizer, "python")
    for _ in range(3):
        descent.step(Table([1.0], []))
    with detect_anomaly(), pytest.raises(FloatingPointError, match=r"log\(.*\) gave nan, at"):
        descent.step(Table([-1.0], []))


# --- a step is taken or not -------------------------------------------------------------------


@pytest.mark.whole
@pytest.mark.some(30)
@pytest.mark.parametrize("line", range(0, 60, 2))
def test_an_interrupt_anywhere_leaves_a_step_taken_or_not(line):
    """Data and memory of the optimizer belong to the same step, wherever Ctrl-C falls."""
    ours, eager = pair("python", momentum=0.9)
    (batch,) = batches(1)
    states = []
    for _ in range(5):
        eager.step(*batch)
        states.append(eager.state())
    for _ in range(4):
        ours.step(*batch)
    ours_alone = stopped(lambda code: code.co_filename.endswith("descent.py"), line)
    with suppress(KeyboardInterrupt), ours_alone:
        ours.step(*batch)
    n = len(ours.net.parameters())
    no_gradients = [[*state[:n], *state[2 * n :]] for state in (ours.state(), *states[3:])]
    assert no_gradients[0] in no_gradients[1:]


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_switch_turned_between_steps_counts_at_once(backend):
    def moved(backend):
        a = Value(1.0)
        optimizer = SGD([a], lr=0.1, momentum=0.5)
        descent = Descent(lambda xs, ys: ((a * xs[0] - ys[0]) ** 2, []), optimizer, backend)
        for step in range(6):
            optimizer.nesterov = step >= 3
            descent.step(Table(*one))
        descent.store()
        return a.data

    one = [1.0], [0.0]
    assert moved(backend) == pytest.approx(moved("eager"), rel=1e-13)


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_step_taken_again_adds_to_the_gradients_of_others_once(backend):
    """Where a setting turns on, the arithmetic of the optimiser is recorded anew in mid-step."""

    def gradient(backend):
        a, other = Value(1.0), Value(2.0)
        optimizer = SGD([a], lr=0.1)
        descent = Descent(lambda xs, ys: ((a * other * xs[0] - ys[0]) ** 2, []), optimizer, backend)
        for step in range(4):
            optimizer.weight_decay = 0.1 * (step >= 2)
            descent.step(Table(*one))
        descent.store()
        return other.grad

    one = [1.0], [0.0]
    assert gradient(backend) == pytest.approx(gradient("eager"), rel=1e-13)
