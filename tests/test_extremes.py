import math
import random

import pytest

from nn.data import Dataset
from nn.extremes import extremes
from nn.task import learn

DRAW = random.Random(0)
USUAL = [DRAW.gauss(0, 1) for _ in range(300)]


def said(xs, ys=None, classes=()):
    rows = Dataset([[x, z] for x, z in zip(xs, USUAL, strict=False)], ys or [0, 1] * (len(xs) // 2),
                   ("a", "b"), classes or (() if ys else ("no", "yes")), "y")  # fmt: skip
    return extremes(rows, learn(rows).scaled(rows))


@pytest.mark.parametrize("cell", [5e301, -1e12, 1e5])
def test_a_cell_that_flattens_its_column_is_said(cell):
    (line,) = said([cell if k == 17 else z for k, z in enumerate(USUAL)])
    assert line.startswith(f"'a' ({cell:.4g}) holds a number so far from the others that these")


@pytest.mark.parametrize("scale", [math.exp, abs, lambda z: math.exp(2 * z), lambda z: z > 2.5])
def test_skewed_columns_and_rare_texts_are_not_extreme(scale):
    assert said([float(scale(z)) for z in USUAL]) == []


@pytest.mark.parametrize("mark", [-999.0, 9999.0])
def test_a_number_that_may_mean_a_gap_is_said(mark):
    (line,) = said([mark if k % 9 == 3 else z for k, z in enumerate(USUAL)])
    assert line.startswith("far from all other numbers of a column stands one, again and again: ")
    assert f"'a' ({mark:.4g} in 33 rows). Does it stand for a gap?" in line


@pytest.mark.parametrize("mark", [0.0, -5.0])
def test_a_number_among_the_others_is_no_gap(mark):
    assert said([mark if k % 9 == 3 else z for k, z in enumerate(USUAL)]) == []


def test_few_rows_say_nothing():
    assert said([1e9, *USUAL[:9]]) == []


def test_few_targets_that_are_all_of_the_loss_are_said():
    ys = [1e6 if k < 3 else z for k, z in enumerate(USUAL)]
    (line,) = said(USUAL, ys)
    assert line.startswith("3 rows of 300 have a 'y' so far from the others (such as 1e+06) that ")
    assert said(USUAL, [math.exp(z) for z in USUAL]) == []
    assert said(USUAL, [5.0] * 300) == []
