"""Large batches, whose programs are those of a few examples stretched."""

import importlib
import random
import warnings
from dataclasses import replace

import pytest

from engine import pick
from engine.functions import sum as sum_of
from engine.replay import backends
from engine.replay.replay import replay
from engine.value import Value
from nn.loss import binary_cross_entropy, cross_entropy, hinge, l2, mae, mse
from nn.module import MLP
from nn.optim import SGD, Adam
from nn.table import Table
from nn.train import fit

recorder = importlib.import_module("engine.replay.recorder")
RNG = random.Random(3)
N = 60
XS = [[RNG.uniform(-1, 1) for _ in range(3)] for _ in range(N)]
SUMS = [x[0] - 2 * x[1] * x[2] for x in XS]
CLASSES = [int(x[0] > 0) + int(x[1] > 0) for x in XS]
FASTER = [name for name in ("numpy", "wasm", "c") if backends._runs(name)]
GROWING = {  # model, loss, targets, settings
    "amounts": (lambda: MLP(3, [4, 1], "tanh", seed=1), mse, SUMS, {}),
    "a width of few": (lambda: MLP(3, [3, 4, 5, 1], "relu", seed=1), mae, SUMS, {}),
    "signs": (lambda: MLP(3, [4, 1], seed=1), hinge, [1.0 if s > 0 else -1.0 for s in SUMS], {}),
    "yes or no": (
        lambda: MLP(3, [4, 1], "tanh", seed=1),
        binary_cross_entropy,
        [float(s > 0) for s in SUMS],
        {},
    ),
    "classes": (lambda: MLP(3, [5, 3], "gelu", seed=1), cross_entropy, CLASSES, {}),
    "one-hot": (
        lambda: MLP(3, [5, 3], seed=1),
        cross_entropy,
        [[float(c == k) for k in range(3)] for c in CLASSES],
        {},
    ),
    "a penalty": (
        lambda: MLP(3, [4, 1], "tanh", seed=1),
        mse,
        SUMS,
        {"penalty": lambda m: 1e-3 * l2(m.parameters())},
    ),
    "batches": (lambda: MLP(3, [4, 1], seed=1), mse, SUMS, {"batch_size": 40}),
    "one number": (lambda: MLP(1, [4, 1], seed=1), mse, SUMS, {"xs": [x[:1] for x in XS]}),
}


@pytest.fixture
def shown(monkeypatch):
    """How many examples were shown in the place of more, for each recording; 0: all."""
    sizes = []
    of = recorder.Recorded.__init__

    def init(self, tape, *args):
        of(self, tape, *args)
        sizes.append(0 if self.shows_all else tape.inputs)

    monkeypatch.setattr(recorder.Recorded, "__init__", init)
    return sizes


def trained(make, loss, ys, backend, xs=XS, steps=25, **settings):
    model = make()
    optimizer = Adam(model.parameters(), lr=0.02)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        history = fit(
            model, loss, (xs, ys), steps=steps, optimizer=optimizer, backend=backend, **settings
        )
    return history.loss, [p.data for p in model.parameters()], [p.grad for p in model.parameters()]


@pytest.mark.some(36)
@pytest.mark.parametrize("backend", FASTER)
@pytest.mark.parametrize("work", GROWING)
def test_a_stretched_program_trains_to_the_same_bits(work, backend, shown, monkeypatch):
    make, loss, ys, settings = GROWING[work]
    found = trained(make, loss, ys, backend, **settings)
    assert shown[0] > 0
    del shown[:]
    monkeypatch.setattr(recorder, "MANY", 10**9)
    assert trained(make, loss, ys, backend, **settings) == found
    assert not any(shown)


@pytest.mark.some(9)
@pytest.mark.parametrize("work", GROWING)
def test_auto_agrees_with_eager(work, shown):
    make, loss, ys, settings = GROWING[work]
    found, expected = (trained(make, loss, ys, way, **settings) for way in ("auto", "eager"))
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9, abs=1e-13)


class Net(MLP):
    """A net that does something else with its number."""

    def __init__(self, then):
        super().__init__(3, [4, 1], "tanh", seed=1)
        self.then = then

    def __call__(self, x):
        return self.then(super().__call__(x), x)


UNEVEN = {
    "a comparison": lambda z, x: z if x[0] > 0 else 2 * z,
    "of results": lambda z, x: z if z > 0 else 2 * z,
}


@pytest.mark.whole
@pytest.mark.some(3)
@pytest.mark.parametrize("backend", FASTER)
@pytest.mark.parametrize("then", UNEVEN.values(), ids=UNEVEN)
def test_what_hangs_on_an_example_is_recorded_whole(then, backend, shown):
    xs, ys = XS[:40], SUMS[:40]
    found = trained(lambda: Net(then), mse, ys, backend, xs=xs, steps=3)
    assert not any(shown)
    expected = trained(lambda: Net(then), mse, ys, "eager", xs=xs, steps=3)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", FASTER)
def test_an_example_unlike_the_first_ones_is_recorded_whole(backend, shown):
    """Those that are shown grow evenly, and the thirtieth compares."""
    xs = [[abs(x[0]), *x[1:]] for x in XS]
    xs[30][0] = -0.5
    found = trained(lambda: Net(UNEVEN["a comparison"]), mse, SUMS, backend, xs=xs, steps=3)
    expected = trained(lambda: Net(UNEVEN["a comparison"]), mse, SUMS, "eager", xs=xs, steps=3)
    assert not any(shown)
    assert found[0] == pytest.approx(expected[0], rel=1e-9)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", FASTER)
def test_an_embedding_is_stretched_and_bounds_are_asked_of_all(backend, shown):
    rows = [[Value(RNG.uniform(-1, 1)) for _ in range(2)] for _ in range(6)]
    letters = [RNG.randrange(6) for _ in range(N)]
    flat = [v for row in rows for v in row]

    def model(letter):
        return sum_of(pick(rows, letter)).tanh()

    def run(xs):
        for v, x in zip(flat, start, strict=True):
            v.data = x
        return fit(model, mse, (xs, SUMS), steps=20, optimizer=SGD(flat, lr=0.3), backend=backend)

    start = [v.data for v in flat]
    found, data = run(letters).loss, [v.data for v in flat]
    assert shown[0] > 0
    backend = "eager"
    assert found == pytest.approx(run(letters).loss, rel=1e-12)
    assert data == pytest.approx([v.data for v in flat], rel=1e-12)


@pytest.mark.some(3)
@pytest.mark.parametrize("backend", FASTER)
def test_what_the_loss_reads_may_change(backend, shown):
    scale = {"of": 1.0}

    def loss(out, y):
        return (out * scale["of"] - y) ** 2

    def change(step):
        scale["of"] = 1.0 + (step.step > 4) + (step.step > 9)

    def run(way):
        scale["of"] = 1.0
        return trained(lambda: MLP(3, [4, 1], seed=1), loss, SUMS, way, callbacks=[change])

    found, expected = run(backend), run("eager")
    assert shown[0] > 0
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("backend", FASTER)
def test_a_kernel_that_is_wrong_for_one_late_example_is_found(backend, shown, monkeypatch):
    """The numbers of all examples are compared with the function, not of those shown alone."""
    stretch = recorder.program_of

    def wrong(few, size):
        program = stretch(few, size)
        outputs = (program.outputs[0], *program.outputs[1:-1], program.outputs[-2])
        return replace(program, outputs=outputs)

    monkeypatch.setattr(recorder, "program_of", wrong)
    with pytest.warns(UserWarning, match="differs from the loss of a batch itself"):
        fit(MLP(3, [4, 1], seed=1), mse, (XS, SUMS), steps=2, lr=0.1, backend=backend)


def test_the_first_examples_of_a_batch_are_shown():
    table = Table([[1.0], [2.0], [3.0]], [4.0, 5.0, 6.0])
    given = table.given(None)
    assert given.examples == 3
    assert given.few(2).arguments == ([[1.0], [2.0]], [4.0, 5.0])
    assert Table([[1.0], [2.0, 3.0]], [4.0, 5.0]).given(None).few is None


def test_auto_is_shown_a_few_examples_where_it_begins_with_numpy():
    given, w = Table(XS, SUMS).given(None), Value(0.5)
    net = MLP(3, [4, 1], "tanh", seed=1)

    def together(xs, ys):
        return sum_of([mse(net(x), y) for x, y in zip(xs, ys, strict=True)])

    def in_turn(xs, ys):
        h = w
        for x in xs:
            h = (h * x[0]).tanh()
        return h

    found = [replay(f).recorder.record(given)[0] for f in (together, in_turn)]
    kinds = [("numpy", False) if "numpy" in FASTER else ("python", True), ("python", True)]
    assert [(each.backend, each.shows_all) for each in found] == kinds
