import math
import random
import re
import statistics

import pytest

from nn.data import iris
from nn.dataset import Dataset
from nn.scaling import Scaler, alike, standardise
from nn.task import learn


@pytest.mark.parametrize("x", [math.nan, math.inf, -math.inf])
def test_standardise_needs_finite_numbers(x):
    with pytest.raises(ValueError, match=rf"expected finite numbers, got {x} in xs\[1\]\[0\]"):
        standardise(([[1.0, 2.0], [x, 2.0], [3.0, 4.0]], [0, 1, 0]))


def test_standardise_needs_rows_of_numbers():
    with pytest.raises(ValueError, match=r"finite numbers, got a in xs\[0\]\[1\]"):
        standardise(([[1.0, "a"]], [0]))
    with pytest.raises(ValueError, match=r"lists of numbers, got 1\.0 in xs\[0\]"):
        standardise(([1.0, 2.0], [0, 1]))


@pytest.mark.parametrize("column", [[1e308, 1.5e308], [-1.7e308, 1.7e308]])
def test_standardise_needs_numbers_whose_spread_is_finite(column):
    words = f"got a column from {column[0]:g} to {column[1]:g}"
    with pytest.raises(ValueError, match=re.escape(words)):
        standardise(([[x] for x in column], [0, 1]))


def test_standardise_gives_mean_0_and_deviation_1():
    scaled, scaler = standardise(iris())
    for column in zip(*scaled.xs, strict=True):
        assert statistics.fmean(column) == pytest.approx(0, abs=1e-12)
        assert statistics.pstdev(column) == pytest.approx(1, rel=1e-12)
    assert scaled.ys == iris().ys
    assert scaler(iris().xs) == scaled.xs


def test_standardise_is_that_of_scikit_learn():
    preprocessing = pytest.importorskip("sklearn.preprocessing")
    theirs = preprocessing.StandardScaler().fit(iris().xs)
    _, ours = standardise(iris())
    assert ours.means == pytest.approx(theirs.mean_.tolist(), rel=1e-14)
    assert ours.scales == pytest.approx(theirs.scale_.tolist(), rel=1e-13)


@pytest.mark.parametrize("constant", [0.0, 0.1, -1e300, 1e-320])
def test_a_constant_column_becomes_0(constant):
    scaled, scaler = standardise(([[constant, 1.0], [constant, 2.0], [constant, 4.0]], [0, 1, 0]))
    assert [row[0] for row in scaled.xs] == [0, 0, 0]
    assert scaler.scales[0] == 1


@pytest.mark.parametrize(
    "column",
    [
        [0.3, 0.30000000000000004],
        [0.1 * k / k for k in range(1, 50)],
        [1e16, 1e16 + 2],
        [-1e300, math.nextafter(-1e300, 0)],
        [5.0] * 99 + [5.0 + 1e-15],
    ],
)
def test_a_spread_below_the_rounding_of_a_column_is_none(column):
    """It would be scaled up to 1, by 1e16."""
    scaled, scaler = standardise(([[x] for x in column], [0] * len(column)))
    assert scaler.scales == (1.0,)
    assert max(abs(x) for (x,) in scaled.xs) <= 1e-15 * max(map(abs, column))
    assert learn(Dataset([[x] for x in column], column, ("x",))).answers.scales == (1.0,)


@pytest.mark.parametrize("column", [[1.0, 1.0 + 1e-12], [1e9, 1e9 + 1e-4], [0.0, 1e-300], [-1, 1]])
def test_a_small_spread_that_is_more_than_rounding_counts(column):
    scaled, _ = standardise(([[x] for x in column], [0, 1]))
    assert [x for (x,) in scaled.xs] == pytest.approx([-1.0, 1.0], rel=1e-2)


def test_huge_columns_do_not_overflow():
    scaled, _ = standardise(([[1e200], [3e200]], [0, 1]))
    assert scaled.xs == [[-1], [1]]


def test_a_scaler_counts_the_columns():
    _, scaler = standardise(iris())
    with pytest.raises(ValueError, match="row 1 expected 4 numbers, got 2"):
        scaler([[1, 2, 3, 4], [1, 2]])


def test_a_scaler_takes_rows_of_no_numbers_and_no_rows():
    assert Scaler((), ())([[], []]) == [[], []]
    assert Scaler((1.0,), (2.0,))([]) == []


def test_some_rows_say_by_what_all_are_scaled():
    draw = random.Random(0)
    xs = [[draw.gauss(k, 10.0**k) for k in range(3)] for _ in range(50)]
    places = draw.sample(range(50), 30)
    some, theirs = standardise(([xs[k] for k in places], places))
    scaler, columns = alike(xs, places)
    assert scaler == theirs
    assert [list(row) for row in zip(*columns, strict=True)] == scaler(xs)
    assert [[column[k] for column in columns] for k in places] == some.xs
    assert alike(xs, places, list(zip(*xs, strict=True))) == (scaler, columns)
    with pytest.raises(ValueError, match=r"expected finite numbers, got nan in xs\[1\]\[0\]"):
        alike([[1.0], [2.0], [math.nan]], [0, 2])
