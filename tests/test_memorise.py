"""Noise for data, the search for critical examples, the sensitivity of the loss, and its Gini."""

import random
from itertools import islice
from statistics import fmean, pstdev

import pytest

from engine.derivatives import grad
from engine.value import Value
from nn.data import digits
from nn.loss import cross_entropy, mse
from nn.memorise import critical_share, gini, loss_sensitivity, random_inputs, random_labels
from nn.module import MLP
from nn.stepping import batches
from nn.train import evaluate, fit

# --- noise ----------------------------------------------------------------------------------------


def test_random_labels_of_a_share_of_the_rows():
    data = digits()
    noisy = random_labels(data, 0.5, seed=1)
    changed = [a != b for a, b in zip(data.ys, noisy.ys, strict=True)]
    assert noisy.xs == data.xs
    assert abs(fmean(changed) - 0.5 * 9 / 10) < 0.03  # one in ten is drawn as it was
    counts = [random_labels(data, seed=2).ys.count(label) for label in range(10)]
    assert sum(counts) == len(data.xs)
    assert max(abs(count - 179.7) for count in counts) < 4 * (179.7 * 0.9) ** 0.5


def test_random_inputs_of_a_share_of_the_rows():
    data = digits()
    noisy = random_inputs(data, 0.25, seed=1)
    kept = [a == b for a, b in zip(data.xs, noisy.xs, strict=True)]
    assert noisy.ys == data.ys
    assert kept.count(False) == round(0.25 * 1797)
    before = [x for row in data.xs for x in row]
    after = [x for row, same in zip(noisy.xs, kept, strict=True) if not same for x in row]
    assert abs(fmean(after) - fmean(before)) < 0.01
    assert abs(pstdev(after) - pstdev(before)) < 0.01


@pytest.mark.whole
@pytest.mark.some(2)
@pytest.mark.parametrize("noise", [random_inputs, random_labels])
def test_noise_of_more_rows_keeps_that_of_fewer(noise):
    data = digits()
    assert noise(data, 0.0) == data
    for less, more in ((0.2, 0.4), (0.4, 1.0)):
        few, many = noise(data, less, seed=3), noise(data, more, seed=3)
        for x, y, a, b in zip(data.xs, data.ys, few.xs, few.ys, strict=True):
            assert (a, b) == (x, y) or (a, b) in zip(many.xs, many.ys, strict=True)


@pytest.mark.parametrize("noise", [random_inputs, random_labels])
@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_that_are_none(noise, share):
    with pytest.raises(ValueError, match="the share expected a finite number of at least 0"):
        noise(([[1.0], [2.0]], [0, 1]), share)


# --- critical examples ----------------------------------------------------------------------------


def line_of(weights: list[float], bias: float) -> MLP:
    """A net of two classes with a straight border."""
    net = MLP(len(weights), [2], init=0.0)
    names = {f"layers.0.neurons.1.w.{k}": w for k, w in enumerate(weights)}
    net.load_state_dict({**net.state_dict(), **names, "layers.0.neurons.1.b": bias})
    return net


@pytest.mark.whole
def test_the_search_finds_what_lies_near_a_straight_border():
    """From x the nearest border is abs(w x + b) / sum(abs(w)) away, in the largest number."""
    rng, weights, bias, radius = random.Random(0), [0.5, -1.5, 1.0], 0.2, 0.3
    xs = [[rng.uniform(-1, 1) for _ in weights] for _ in range(300)]
    away = [
        abs(sum(w * x for w, x in zip(weights, row, strict=True)) + bias) / sum(map(abs, weights))
        for row in xs
    ]
    net = line_of(weights, bias)
    share = critical_share(net, xs, radius=radius)
    assert share <= fmean(distance < radius for distance in away)
    assert share >= fmean(distance < 0.98 * radius for distance in away)
    far = [row for row, distance in zip(xs, away, strict=True) if distance > radius]
    assert critical_share(net, far, radius=radius) == 0.0
    assert critical_share(net, xs, radius=0.0) == 0.0


# --- sensitivity ----------------------------------------------------------------------------------

XS = [[0.5, -1.0], [1.0, 0.3], [-0.7, 0.8], [0.2, 0.4], [-0.3, -0.6]]
YS = [[0.3, 1.0], [-0.5, 0.2], [0.8, -0.4], [0.0, 0.6], [-0.2, 0.1]]
LR, STEPS, BATCH = 0.2, 6, 2


def tiny():
    return MLP(2, [3, 2], "tanh", seed=1)


def losses_of_unrolled(xs):
    """The mean loss after each step, as Values of one graph of all steps."""
    weights = [Value(p.data) for p in tiny().parameters()]

    def output(x):
        rows = iter(weights)

        def layer(inputs, count):
            sums = []
            for _ in range(count):
                terms = [next(rows) * each for each in inputs]
                sums.append(sum(terms[1:], terms[0]) + next(rows))
            return sums

        return layer([z.tanh() for z in layer(x, 3)], 2)

    def mean(rows):
        return sum(mse(output(xs[i]), YS[i]) for i in rows) / len(rows)

    losses = []
    for rows in islice(batches(len(xs), BATCH, False, random.Random(4)), STEPS):
        slopes = grad(mean(rows), weights)
        weights[:] = [w - LR * slope for w, slope in zip(weights, slopes, strict=True)]
        losses.append(mean(range(len(xs))))
    return losses


@pytest.mark.whole
@pytest.mark.parametrize("every", [1, 2, 4])
def test_sensitivity_is_that_of_one_graph_of_all_steps(every):
    xs = [list(map(Value, x)) for x in XS]
    losses = losses_of_unrolled(xs)[every - 1 :: every]
    wanted = [fmean(sum(abs(slope.data) for slope in grad(loss, x)) for loss in losses) for x in xs]
    net, like = tiny(), tiny()
    settings = {"lr": LR, "steps": STEPS, "batch_size": BATCH, "seed": 4}
    found = loss_sensitivity(net, mse, (XS, YS), every=every, **settings)
    assert found == pytest.approx(wanted, rel=1e-10)
    fit(like, mse, (XS, YS), **settings)
    assert net.state_dict() == pytest.approx(like.state_dict(), rel=1e-12)


@pytest.mark.whole
def test_sensitivity_is_that_of_trainings_on_other_data():
    def loss_after(i, k, change):
        xs = [list(x) for x in XS]
        xs[i][k] += change
        net = tiny()
        fit(net, mse, (xs, YS), lr=LR, steps=STEPS, batch_size=BATCH, seed=4, backend="eager")
        return evaluate(net, mse, (xs, YS), backend="eager")[0]

    settings = {"lr": LR, "steps": STEPS, "batch_size": BATCH, "seed": 4}
    found = loss_sensitivity(tiny(), mse, (XS, YS), every=STEPS, **settings)
    for i in range(len(XS)):
        slopes = [(loss_after(i, k, 1e-5) - loss_after(i, k, -1e-5)) / 2e-5 for k in range(2)]
        assert found[i] == pytest.approx(sum(map(abs, slopes)), rel=1e-7)


@pytest.mark.whole
def test_sensitivity_to_classes():
    xs, ys = digits().pick(range(30))
    net = MLP(64, [4, 10], "softplus", init="he", seed=0)
    found = loss_sensitivity(net, cross_entropy, (xs, ys), lr=0.1, steps=4, batch_size=10)
    assert len(found) == 30
    assert min(found) > 0


def test_too_few_steps_for_a_loss():
    with pytest.raises(ValueError, match=r"every expected at most the 2 steps, got 3"):
        loss_sensitivity(tiny(), mse, (XS, YS), lr=0.1, steps=2, batch_size=2, every=3)


# --- Gini -----------------------------------------------------------------------------------------


def test_gini_is_the_mean_difference_by_twice_the_mean():
    rng = random.Random(0)
    numbers = [rng.random() ** 3 for _ in range(50)]
    wanted = fmean(abs(a - b) for a in numbers for b in numbers) / (2 * fmean(numbers))
    assert gini(numbers) == pytest.approx(wanted, rel=1e-12)
    assert gini([3 * x for x in numbers]) == pytest.approx(wanted, rel=1e-12)
    assert gini(list(range(1001))) == pytest.approx(1 / 3, abs=1e-3)  # evenly from 0 up


@pytest.mark.parametrize("numbers", [[], [0.0, 0.0], [1.0, -0.5]])
def test_numbers_without_a_gini(numbers):
    with pytest.raises(ValueError, match="gini expected numbers of at least 0, one above 0, got"):
        gini(numbers)
