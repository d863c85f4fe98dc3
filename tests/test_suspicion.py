import random

import pytest

from nn.columns import Column, Reading
from nn.dataset import Dataset
from nn.suspicion import giveaways


def rows_of(column, ys, classes=("no", "yes", "maybe")):
    """Rows of this column and one of noise."""
    rng = random.Random(5)
    xs = [[float(x), rng.random()] for x in column]
    reading = Reading((Column("a"), Column("noise")))
    return Dataset(xs, list(ys), ("a", "noise"), classes, "y", reading)


RNG = random.Random(1)
YS = [RNG.randrange(3) for _ in range(300)]
RARE = [int(k % 100 == 0) for k in range(300)]


@pytest.mark.parametrize(
    ("column", "ys"),
    [
        (YS, YS),
        ([5 - y for y in YS], YS),
        ([y * 10 + k % 2 for k, y in enumerate(YS)], YS),
        ([y if k else 7 for k, y in enumerate(YS)], YS),
        (sorted(YS), sorted(YS)),
        ([k % 2 for k in range(300)], [k % 2 for k in range(300)]),
    ],
)
def test_a_column_that_gives_the_target_away(column, ys):
    [line] = giveaways(rows_of(column, ys))
    assert line.startswith("'a' gives 'y' away: looked up in half of the rows, it answers ")
    assert line.endswith("of the other half; --ignore a leaves it out")


@pytest.mark.parametrize(
    ("column", "ys"),
    [
        ([k % 3 for k in range(300)], YS),
        (range(300), YS),  # 1 row a value
        ([k // 5 for k in range(300)], sorted(YS)),  # 5 rows a value
        ([y if k % 20 else 3 for k, y in enumerate(YS)], [0] * 150 + YS[150:]),
        ([k % 3 for k in range(300)], RARE),  # 99% are right without looking
        (YS[:15], YS[:15]),
    ],
)
def test_columns_that_do_not(column, ys):
    assert giveaways(rows_of(column, ys)) == []


def test_amounts_that_stand_there_twice():
    ys = [random.Random(k).random() for k in range(100)]
    assert giveaways(rows_of(ys, ys, ())) == [
        "'a' gives 'y' away: it holds the same numbers; --ignore a leaves it out"
    ]
    assert giveaways(rows_of([2 * y + 1 for y in ys], ys, ())) == []


def test_texts_are_looked_up_as_one():
    rows = Dataset(
        [[float(y == k) for k in range(3)] for y in YS],
        YS,
        ("t=u", "t=v", "t=w"),
        ("no", "yes", "maybe"),
        "y",
        Reading((Column("t", "text", texts=("u", "v", "w")),)),
    )
    [line] = giveaways(rows)
    assert "'t' gives 'y' away" in line


def test_rows_of_no_file_are_not_looked_at():
    assert giveaways(Dataset([[float(y)] for y in YS], YS, ("a",), ("no", "yes"), "y")) == []
