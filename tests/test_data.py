import hashlib
import math
import random
import statistics
from collections import Counter

import pytest

from engine.value import Value
from nn.data import (
    circles,
    decision,
    digits,
    iris,
    moons,
    one_hot,
    shuffled,
    spirals,
    split,
    xor,
)

MADE = [moons, circles, xor, spirals]


# --- data made by formula --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "digest"),
    [
        (moons, "67890b00666a7352"),
        (circles, "d541bf7608885ceb"),
        (xor, "32c6dcea42bcc101"),
        (spirals, "8be38dbba1a378ee"),
    ],
)
def test_a_seed_gives_these_numbers_on_every_machine(make, digest):
    made = repr(make(60, noise=0.1, seed=7))
    assert hashlib.sha256(made.encode()).hexdigest()[:16] == digest


@pytest.mark.parametrize("make", MADE)
def test_made_data_is_plain_lists(make):
    xs, ys = make(30)
    assert type(xs) is list
    assert {type(row) for row in xs} == {list}
    assert {type(x) for row in xs for x in row} == {float}
    assert {type(y) for y in ys} == {int}
    assert len(xs) == len(ys) == 30


@pytest.mark.parametrize("make", MADE)
def test_another_seed_gives_other_noise(make):
    assert make(30, noise=0.1, seed=1)[0] != make(30, noise=0.1, seed=2)[0]


@pytest.mark.parametrize("make", MADE)
def test_making_data_leaves_the_global_generator_alone(make):
    random.seed(5)
    expected = random.random()
    random.seed(5)
    make(30, noise=0.3, seed=1)
    assert random.random() == expected


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize("noise", [-0.1, math.nan, math.inf])
def test_noise_must_be_a_size(make, noise):
    with pytest.raises(ValueError, match="noise expected a finite number of at least 0"):
        make(30, noise=noise)


@pytest.mark.parametrize("factor", [-0.1, math.nan, math.inf])
def test_the_inner_circle_must_have_a_size(factor):
    with pytest.raises(ValueError, match="factor expected a finite number of at least 0"):
        circles(10, factor=factor)


@pytest.mark.parametrize("classes", [0, -1])
def test_spirals_have_arms(classes):
    with pytest.raises(
        ValueError, match=f"the number of classes must be at least 1, got {classes}"
    ):
        spirals(10, classes=classes)


@pytest.mark.parametrize("make", MADE)
def test_too_few_points_are_refused(make):
    with pytest.raises(ValueError, match=r"points must be at least 1, got 0"):
        make(0)


def test_each_arm_of_a_spiral_needs_two_points():
    assert len(spirals(6)[1]) == 6
    with pytest.raises(ValueError, match="expected at least 6 points, got 5"):
        spirals(5)


@pytest.mark.parametrize("make", [moons, circles, spirals])
def test_shapes_need_some_points(make):
    with pytest.raises(ValueError, match=r"^expected at least \d points, got 1$"):
        make(1)


@pytest.mark.parametrize("make", MADE)
@pytest.mark.parametrize(
    ("arguments", "settings", "message"),
    [
        (["a"], {}, "^the number of points must be an int, got 'a'"),
        ([10.0], {}, r"^the number of points must be an int, got 10\.0"),
        ([None], {}, "^the number of points must be an int, got None"),
        ([[1.0]], {}, r"^the number of points must be an int, got \[1\.0\]"),
        ([], {"noise": "a"}, "^noise expected a finite number of at least 0, got 'a'"),
        ([], {"noise": None}, "^noise expected a finite number of at least 0, got None"),
        ([], {"seed": [1]}, r"^seed expected an int or a random\.Random, got \[1\]"),
    ],
)
def test_makers_name_what_is_of_another_kind(make, arguments, settings, message):
    with pytest.raises((TypeError, ValueError), match=message):
        make(*arguments, **settings)


def test_other_arguments_of_another_kind():
    with pytest.raises(ValueError, match="factor expected a finite number of at least 0, got 'a'"):
        circles(10, factor="a")
    with pytest.raises(TypeError, match=r"the number of classes must be an int, got 2\.5"):
        spirals(10, classes=2.5)
    with pytest.raises(ValueError, match="the fraction expected a finite number, got 'a'"):
        split(iris(), "a")
    with pytest.raises(TypeError, match="seed expected an int"):
        split(iris(), 0.5, seed=[1])
    with pytest.raises(ValueError, match="one_hot expected an index from 0 to 2, got a"):
        one_hot("a", 3)
    with pytest.raises(ValueError, match=r"one_hot expected an index from 0 to 2, got 1\.5"):
        one_hot(1.5, 3)


def test_counts_and_seeds_of_other_libraries():
    np = pytest.importorskip("numpy")
    assert moons(np.int64(10), seed=3) == moons(10, seed=random.Random(3))


@pytest.mark.parametrize(("make", "theirs"), [(moons, "make_moons"), (circles, "make_circles")])
@pytest.mark.parametrize("n", [10, 11, 100])
def test_without_noise_the_shapes_are_those_of_scikit_learn(make, theirs, n):
    datasets = pytest.importorskip("sklearn.datasets")
    options = {"factor": 0.5} if make is circles else {}
    first, second = (n + 1) // 2, n // 2
    expected, labels = getattr(datasets, theirs)((first, second), shuffle=False, **options)
    xs, ys = make(n, noise=0)
    for label, ours in ((0, -1), (1, 1)):
        points = [row for row, y in zip(xs, ys, strict=True) if y == ours]
        for point, other in zip(points, expected[labels == label].tolist(), strict=True):
            assert point == pytest.approx(other, abs=1e-9)


def test_noise_has_the_standard_deviation_that_was_asked_for():
    clean, noisy = xor(4000)[0], xor(4000, noise=0.25)[0]
    errors = [b - a for p, q in zip(clean, noisy, strict=True) for a, b in zip(p, q, strict=True)]
    assert abs(statistics.fmean(errors)) < 0.01
    assert statistics.pstdev(errors) == pytest.approx(0.25, rel=0.03)


def test_spirals_have_as_many_arms_as_asked():
    xs, ys = spirals(100, classes=5, noise=0)
    assert Counter(ys) == dict.fromkeys(range(5), 20)
    assert max(math.hypot(*row) for row in xs) == pytest.approx(1, abs=1e-8)


# --- real data -------------------------------------------------------------------------------


def test_iris_is_the_data_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    theirs = datasets.load_iris()
    ours = iris()
    assert ours.xs == theirs.data.tolist()
    assert ours.ys == theirs.target.tolist()
    assert ours.features == tuple(theirs.feature_names)
    assert ours.classes == ("setosa", "versicolor", "virginica")


def test_iris_without_scikit_learn():
    xs, ys = iris()
    assert (len(xs), Counter(ys)) == (150, {0: 50, 1: 50, 2: 50})
    assert math.fsum(row[0] for row in xs) == 876.5
    assert math.fsum(row[3] for row in xs) == pytest.approx(179.9)


def test_digits_are_lists_from_0_to_1():
    data = digits()
    assert len(data.xs) == len(data.ys) == 1797
    assert {len(row) for row in data.xs} == {64}
    assert type(data.xs[0][0]) is float
    assert type(data.ys[0]) is int
    assert (min(map(min, data.xs)), max(map(max, data.xs))) == (0, 1)


def test_digits_are_those_of_scikit_learn():
    theirs = pytest.importorskip("sklearn.datasets").load_digits()
    data = digits()
    assert data.xs == (theirs.data / 16).tolist()
    assert data.ys == theirs.target.tolist()
    assert list(data.features) == theirs.feature_names


# --- preparing -------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.8, 0.99])
def test_split_loses_no_row_and_keeps_pairs(fraction):
    xs, ys = [[float(i)] for i in range(100)], list(range(100))
    first, second = split((xs, ys), fraction, seed=3)
    assert len(first.xs) == round(100 * fraction)
    assert sorted(first.ys + second.ys) == ys
    assert all(row == [y] for part in (first, second) for row, y in zip(*part, strict=True))


def test_split_keeps_the_names_and_follows_the_seed():
    first, second = split(iris())
    assert first.classes == second.classes == iris().classes
    assert first.features == iris().features
    assert split(iris(), seed=1) == split(iris(), seed=1) != split(iris(), seed=2)


@pytest.mark.parametrize("fraction", [0, 1, -1, 2, 0.001, math.nan])
def test_split_leaves_rows_on_both_sides(fraction):
    with pytest.raises(ValueError, match="split expected a fraction between 0 and 1"):
        split(iris(), fraction)


def test_shuffled_is_a_permutation_that_reaches_them_all():
    rng = random.Random(0)
    orders = Counter(tuple(shuffled(3, rng)) for _ in range(3000))
    assert len(orders) == 6
    assert all(400 < count < 600 for count in orders.values())


@pytest.mark.parametrize(("index", "classes"), [(-1, 3), (3, 3), (0, 0)])
def test_one_hot_stays_inside(index, classes):
    with pytest.raises(ValueError, match=f"one_hot expected an index .* got {index}"):
        one_hot(index, classes)


# --- classes ---------------------------------------------------------------------------------

ONE, THREE = Value(0.3), [Value(0.1), Value(0.9), Value(-2.0)]


@pytest.mark.parametrize(
    ("ys", "output", "label"),
    [
        ([-1, 1], ONE, 1),
        ([-1.0, 1.0], Value(-0.1), -1),
        ([1, 0], ONE, 0),
        ([1.0, 0.0], Value(0.6), 1),
        ([0, 2, 1], THREE, 1),
        ([0, 0], THREE, 1),
        ([[0, 1, 0], [1.0, 0.0, 0.0]], THREE, 1),
    ],
)
def test_outputs_become_classes(ys, output, label):
    decide = decision(ys, output)
    assert decide(output) == label
    assert decide.is_right(output, one_hot(1, 3) if isinstance(ys[0], list) else label)
    assert not decide.is_right(output, one_hot(2, 3) if isinstance(ys[0], list) else label + 1)


def test_a_threshold_for_logits():
    assert decision([0, 1], ONE, threshold=0.0)(ONE) == 1
    assert decision([0, 1], ONE).threshold == 0.5
    assert decision([-1, 1], ONE).threshold == 0.0


@pytest.mark.parametrize("threshold", [-0.5, 0.25, 0.5, 3.0])
def test_many_outputs_become_the_classes_of_each(threshold):
    decide = decision([0, 1], ONE, threshold)
    outputs = [threshold + distance for distance in (-1.0, -1e-9, 0.0, 1e-9, 2.0)]
    assert decide.labels_of(outputs) == [decide(z) for z in outputs] == [0, 0, 0, 1, 1]
    assert decide.labels_of(list(map(Value, outputs))) == [0, 0, 0, 1, 1]
    assert decide.share_right(outputs, [0, 1, 0, 1, 0]) == 0.6


def test_many_lists_of_outputs_become_the_classes_of_each():
    decide = decision([0, 2, 1], THREE)
    outputs = [[0.1, 0.9, -2.0], [3.0, 3.0, 1.0], [0.0, -1.0, 5.0]]
    assert decide.labels_of(outputs) == [decide(row) for row in outputs] == [1, 0, 2]
    assert decide.labels_of([list(map(Value, row)) for row in outputs]) == [1, 0, 2]


@pytest.mark.parametrize(
    ("ys", "output"),
    [
        ([2, 4, 6], ONE),
        ([0.5, 1.0], ONE),
        ([1, 1], ONE),
        ([0.1, 2.0], THREE),
        ([-1, 1], THREE),
        ([[0.2, 0.8, 0.0]], THREE),
        ([[1, 1, 0]], THREE),
        ([[0, 1]], ONE),
    ],
)
def test_amounts_are_no_classes(ys, output):
    assert decision(ys, output) is None
