import math
import random

import pytest

from engine.replay import backends
from engine.value import Value, toposort
from nn.data import one_hot
from nn.loss import binary_cross_entropy, cross_entropy, hinge, l2, mae, mse
from nn.module import Module
from nn.train import fit

RNG = random.Random(5)
SCORES = [RNG.gauss(0, 3) for _ in range(12)]
NUMBERS = [RNG.gauss(0, 3) for _ in range(12)]
SIGNS = [RNG.choice((-1, 1)) for _ in range(12)]
BITS = [RNG.randint(0, 1) for _ in range(12)]
CHANCES = [0.0, 1.0, *(RNG.random() for _ in range(10))]


def rows(numbers, n=3):
    return [numbers[k : k + n] for k in range(0, len(numbers), n)]


def values(numbers):
    return [values(n) if isinstance(n, list) else Value(n) for n in numbers]


def flat(thing):
    return [v for part in thing for v in flat(part)] if isinstance(thing, list) else [thing]


# --- by hand ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "prediction", "target", "expected", "slope"),
    [
        (mse, 3.0, 1.0, 4.0, 4.0),
        (mse, 1.0, 1.0, 0.0, 0.0),
        (mae, 3.0, 1.0, 2.0, 1.0),
        (mae, -3.0, 1.0, 4.0, -1.0),
        (mae, 1.0, 1.0, 0.0, 0.0),
        (hinge, 0.25, 1, 0.75, -1.0),
        (hinge, 0.25, -1, 1.25, 1.0),
        (hinge, 1.5, 1, 0.0, 0.0),
        (hinge, 1.0, 1, 0.0, 0.0),
        (binary_cross_entropy, 0.0, 1, math.log(2), -0.5),
        (binary_cross_entropy, 0.0, 0, math.log(2), 0.5),
        (binary_cross_entropy, 0.0, 0.5, math.log(2), 0.0),
        (binary_cross_entropy, 1000.0, 1, 0.0, 0.0),
        (binary_cross_entropy, 1000.0, 0, 1000.0, 1.0),
        (binary_cross_entropy, -1000.0, 1, 1000.0, -1.0),
        (binary_cross_entropy, -1000.0, 0.5, 500.0, -0.5),
    ],
)
def test_one_example(loss, prediction, target, expected, slope):
    p = Value(prediction)
    out = loss(p, target)
    out.backward()
    assert out.data == pytest.approx(expected, rel=1e-15)
    assert p.grad == pytest.approx(slope, rel=1e-15)


@pytest.mark.parametrize(
    ("target", "expected", "slopes"),
    [
        (0, math.log(4), [-0.75, 0.5, 0.25]),
        (1, math.log(2), [0.25, -0.5, 0.25]),
        ([0.0, 1.0, 0.0], math.log(2), [0.25, -0.5, 0.25]),
        ([0.25, 0.5, 0.25], 1.5 * math.log(2), [0.0, 0.0, 0.0]),
    ],
)
def test_cross_entropy_of_one_example(target, expected, slopes):
    logits = values([0.0, math.log(2), 0.0])  # softmax: 1/4, 1/2, 1/4
    out = cross_entropy(logits, target)
    out.backward()
    assert out.data == pytest.approx(expected, rel=1e-15)
    assert [z.grad for z in logits] == pytest.approx(slopes, abs=2e-16)


def test_l2_of_nothing_is_refused():
    with pytest.raises(ValueError, match="l2 expected at least one parameter, got none"):
        l2([])
    assert l2(Value(x) for x in (3.0, 4.0)).data == 25.0


def test_l2_is_the_sum_of_squares():
    parameters = values([3.0, -4.0, 0.0])
    out = l2(parameters)
    out.backward()
    assert out.data == 25.0
    assert [p.grad for p in parameters] == [6.0, -8.0, 0.0]


# --- against PyTorch -------------------------------------------------------------------------


def torch_loss(torch, loss):
    f = torch.nn.functional
    return {
        mse: f.mse_loss,
        mae: f.l1_loss,
        hinge: lambda s, t: torch.relu(1 - t * s).mean(),
        binary_cross_entropy: f.binary_cross_entropy_with_logits,
        cross_entropy: f.cross_entropy,
    }[loss]


@pytest.mark.some(4)
@pytest.mark.parametrize(
    ("loss", "targets"),
    [
        (mse, NUMBERS),
        (mae, NUMBERS),
        (hinge, SIGNS),
        (binary_cross_entropy, BITS),
        (binary_cross_entropy, CHANCES),
    ],
)
@pytest.mark.parametrize("shape", [lambda x: x, rows, lambda x: rows(rows(x), 2)])
def test_batches_against_torch(loss, targets, shape):
    torch = pytest.importorskip("torch")
    predictions, targets = shape(SCORES), shape(targets)
    theirs = torch.tensor(predictions, dtype=torch.float64, requires_grad=True)
    expected = torch_loss(torch, loss)(theirs, torch.tensor(targets, dtype=torch.float64))
    expected.backward()
    ours = values(predictions)
    out = loss(ours, targets)
    out.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-13)
    want = theirs.grad.flatten().tolist()
    assert [p.grad for p in flat(ours)] == pytest.approx(want, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize(
    "targets",
    [[2, 0, 1, 1], [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0], [0.0, 0.5, 0.5], [0.1, 0.1, 0.8]]],
)
@pytest.mark.parametrize("scale", [1.0, 50.0])
def test_cross_entropy_against_torch(targets, scale):
    torch = pytest.importorskip("torch")
    logits = rows([scale * s for s in SCORES])
    theirs = torch.tensor(logits, dtype=torch.float64, requires_grad=True)
    kind = torch.int64 if isinstance(targets[0], int) else torch.float64
    expected = torch.nn.functional.cross_entropy(theirs, torch.tensor(targets, dtype=kind))
    expected.backward()
    ours = values(logits)
    out = cross_entropy(ours, targets)
    out.backward()
    assert out.data == pytest.approx(expected.item(), rel=1e-13)
    want = theirs.grad.flatten().tolist()
    assert [z.grad for z in flat(ours)] == pytest.approx(want, rel=1e-12, abs=1e-15)


@pytest.mark.parametrize("z", [-745.0, -700.0, -40.0, -1e-9, 0.0, 1e-9, 3.7, 36.0, 40.0, 700.0])
@pytest.mark.parametrize("t", [0, 1, 0.3])
def test_binary_cross_entropy_keeps_its_digits(z, t):
    mpmath = pytest.importorskip("mpmath")
    with mpmath.workdps(700):
        chance = 1 / (1 + mpmath.exp(-mpmath.mpf(z)))
        exact = -(t * mpmath.log(chance) + (1 - t) * mpmath.log(1 - chance))
        slope = chance - t
        logit = Value(z)
        loss = binary_cross_entropy(logit, t)
        loss.backward()
        assert loss.data == pytest.approx(float(exact), rel=1e-14)
        assert logit.grad == pytest.approx(float(slope), rel=1e-14, abs=1e-17)


def test_the_square_of_one_error_is_drawn_as_a_square():
    prediction = Value(3.0)
    assert [v._op for v in (mse(prediction, 1.0), mse([prediction], [1.0]))] == ["**", "**"]
    assert mse([prediction, prediction], [1.0, 2.0])._prev[0]._op == "dot"


@pytest.mark.parametrize(("loss", "bits"), [(mse, NUMBERS), (binary_cross_entropy, CHANCES)])
def test_targets_may_be_values(loss, bits):
    plain, made = values(SCORES), values(SCORES)
    targets = values(bits)
    want, got = loss(plain, bits), loss(made, targets)
    want.backward()
    got.backward()
    assert got.data == pytest.approx(want.data, rel=1e-14)
    slopes = [p.grad for p in plain]
    assert [p.grad for p in made] == pytest.approx(slopes, rel=1e-13, abs=1e-16)
    assert all(t.has_grad for t in targets)


def test_hinge_takes_values_as_targets():
    score, target = Value(0.25), Value(-1.0)
    hinge(score, target).backward()
    assert (score.grad, target.grad) == (1.0, -0.25)


def test_numpy_rows_are_lists():
    np = pytest.importorskip("numpy")
    assert mse(values(SCORES), np.array(NUMBERS)).data == mse(values(SCORES), NUMBERS).data
    logits, classes = rows(SCORES), [2, 0, 1, 1]
    assert (
        cross_entropy(values(logits), np.array(classes)).data
        == cross_entropy(values(logits), classes).data
    )


@pytest.mark.parametrize(
    ("loss", "operations"),
    [(mse, 1), (mae, 2), (hinge, 3), (binary_cross_entropy, 2)],
)
def test_graphs_stay_small(loss, operations):
    graph = toposort(loss(values(SCORES[:8]), [1] * 8))
    of_the_mean = 2  # a sum or dot, and a division
    assert sum(v.op is not None for v in graph) == operations * 8 + of_the_mean
    assert sum(v.op is not None for v in toposort(l2(values(SCORES)))) == 1


# --- what is refused -------------------------------------------------------------------------

TWO = [Value(1.0), Value(2.0)]


@pytest.mark.parametrize("loss", [mse, mae, hinge, binary_cross_entropy])
@pytest.mark.parametrize(
    ("prediction", "target", "message"),
    [
        (TWO, [1], "a list of 2 and a list of 1"),
        (TWO, [1, 1, 1], "a list of 2 and a list of 3"),
        (TWO, 1, "a list of 2 and a number"),
        (Value(1.0), [1], "a number and a list of 1"),
        ([TWO, TWO], [[1, 1], [1]], "a list of 2 and a list of 1"),
        ([], [], "at least 1 prediction, got 0"),
    ],
)
def test_lengths_are_checked(loss, prediction, target, message):
    with pytest.raises(ValueError, match=f"^{loss.__name__} expected .*{message}"):
        loss(prediction, target)


@pytest.mark.parametrize("loss", [mse, mae, hinge, binary_cross_entropy])
def test_a_prediction_is_a_value(loss):
    with pytest.raises(TypeError, match=f"{loss.__name__} expected a Value to compare, got float"):
        loss([0.5], [1])


@pytest.mark.parametrize("target", [0, 2, 0.5, math.nan, "1", None])
def test_hinge_targets_are_signs(target):
    with pytest.raises(ValueError, match="hinge expected targets -1 or 1, got"):
        hinge(Value(0.5), target)


@pytest.mark.parametrize("target", [-0.1, 1.1, -1, math.nan, math.inf])
def test_binary_targets_are_chances(target):
    with pytest.raises(ValueError, match="expected targets from 0 to 1, got"):
        binary_cross_entropy([Value(0.5), Value(0.5)], [1, target])


@pytest.mark.parametrize(
    ("logits", "target", "error", "message"),
    [
        (TWO, 2, ValueError, "a class from 0 to 1, got 2"),
        (TWO, -1, ValueError, "a class from 0 to 1, got -1"),
        (TWO, [1.0], ValueError, "2 probabilities, got 1"),
        (TWO, 1.5, TypeError, "a class index or a list of probabilities, got float"),
        ([TWO, TWO], [0], ValueError, "a list of 2 and a list of 1"),
        ([TWO, TWO], 0, ValueError, "a list of 2 and a number"),
        ([TWO, TWO], [0, 5], ValueError, "a class from 0 to 1, got 5"),
        ([], 0, ValueError, "2 or more classes, got 0"),
        ([Value(1.0)], 0, ValueError, "2 or more classes, got 1: .* binary_cross_entropy"),
        (Value(1.0), 0, ValueError, "got a single number: .* binary_cross_entropy"),
    ],
)
def test_cross_entropy_refuses(logits, target, error, message):
    with pytest.raises(error, match=f"cross_entropy expected .*{message}"):
        cross_entropy(logits, target)


# --- no chance of something infinite is nothing -----------------------------------------------

INF = math.inf


@pytest.mark.parametrize(
    ("logits", "index"),
    [
        ([1.0, 2.0, -INF], 1),
        ([-INF, 2.0, -INF], 1),
        ([1.0, 2.0, -INF], 2),
        ([1.0, INF, 0.5], 0),
        ([1.0, INF, 0.5], 1),
        ([-INF, -INF], 0),
        ([1.0, math.nan, 0.5], 0),
        ([1e308, -1e308, 0.0], 0),
        ([1e308, -1e308, 0.0], 1),
        ([0.25, -1.5, 3.0], 2),
    ],
)
@pytest.mark.parametrize("kind", [float, int, Value])
def test_a_class_and_its_row_have_one_loss(logits, index, kind):
    def loss_and_slopes(target):
        values = list(map(Value, logits))
        loss = cross_entropy(values, target)
        loss.backward()
        return [loss.data, *(v.grad for v in values)]

    row = [kind(k) for k in one_hot(index, len(logits))]
    assert loss_and_slopes(row) == pytest.approx(loss_and_slopes(index), rel=1e-15, nan_ok=True)


def test_chances_of_nothing_but_some():
    z = [Value(0.5), Value(-INF), Value(1.5)]
    want = cross_entropy([z[0], z[2]], [0.25, 0.75]).data
    assert cross_entropy(z, [0.25, 0.0, 0.75]).data == want
    assert cross_entropy(z, [Value(0.25), Value(0.0), Value(0.75)]).data == want
    assert cross_entropy(z, [0.25, 0.25, 0.5]).data == INF


@pytest.mark.parametrize("logit", [-INF, INF, -1e308, 3.0])
@pytest.mark.parametrize("target", [0, 1])
def test_a_binary_target_and_its_value_have_one_loss(logit, target):
    def loss_and_slope(t):
        z = Value(logit)
        loss = binary_cross_entropy(z, t)
        loss.backward()
        return loss.data, z.grad

    assert loss_and_slope(Value(target)) == loss_and_slope(target) == loss_and_slope(float(target))


class Masked(Module):
    """Says that the last class is out of the question."""

    def __init__(self, count):
        self.ws = [Value(0.5 - 0.8 * k) for k in range(count)]

    def __call__(self, x):
        known = [w * x[0] for w in self.ws]
        if len(known) > 1:
            return [*known, Value(-INF)]
        return known[0] if x[0] > 0 else known[0] - INF


@pytest.mark.some(18)
@pytest.mark.parametrize("backend", ["auto", *backends.NAMES])
@pytest.mark.parametrize("batch_size", [None, 1, 2])
@pytest.mark.parametrize(
    ("loss", "count", "ys"), [(cross_entropy, 2, [0, 1, 1, 0]), (binary_cross_entropy, 1, [0] * 4)]
)
def test_fit_and_its_conversions_meet_infinite_logits(backend, batch_size, loss, count, ys):
    if backend in backends.NAMES:
        try:
            backends.backend(backend)
        except RuntimeError as reason:
            pytest.skip(str(reason))

    def trained(**settings):
        model = Masked(count)
        xs = [[1.0], [2.0], [-0.5], [0.0]] if count > 1 else [[1.0], [2.0], [0.5], [0.0]]
        history = fit(model, loss, (xs, ys), lr=0.1, steps=25, batch_size=batch_size, **settings)
        return [*history.loss, *(p.data for p in model.parameters())]

    assert trained(backend=backend) == pytest.approx(trained(backend="eager"), rel=1e-12)


@pytest.mark.parametrize("target", [{0: 1, 1: 0}, {0, 1}, "01", [1.0], [1.0, 0.0, 0.0], [None, 1]])
def test_targets_that_are_no_chances(target):
    with pytest.raises((TypeError, ValueError)):
        cross_entropy([Value(0.5), Value(1.0)], target)
