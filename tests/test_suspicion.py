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
    noise = [random.Random(k + 1000).random() for k in range(100)]
    for copy in ([2 * y + 1 for y in ys], [-y for y in ys], [32 + 1.8 * y for y in ys]):
        assert giveaways(rows_of(copy, ys, ())) == [
            "'a' gives 'y' away: its numbers and the target's stand in one order; --ignore a "
            "leaves it out"
        ]
    nearly = [y + 0.001 * e for y, e in zip(ys, noise, strict=True)]
    assert len(giveaways(rows_of(nearly, ys, ()))) == 1
    vaguely = [y + 0.1 * e for y, e in zip(ys, noise, strict=True)]
    assert giveaways(rows_of(vaguely, ys, ())) == []


def test_a_threshold_that_parts_two_classes():
    numbers = [RNG.random() for _ in range(300)]
    for sign in (1, -1):
        ys = [int(sign * x > sign * 0.3) for x in numbers]
        assert giveaways(rows_of(numbers, ys)) == [
            "'a' gives 'y' away: one threshold in it answers 100.0% of the rows; --ignore a "
            "leaves it out"
        ]
    some_wrong = [int(x > 0.3) if k % 30 else k % 2 for k, x in enumerate(numbers)]
    assert giveaways(rows_of(numbers, some_wrong)) == []
    assert giveaways(rows_of(numbers, [int(x > 0.995) for x in numbers])) == []


def test_gaps_that_are_where_a_class_is():
    """As a date of death, which the living have not."""
    ys = [y % 2 for y in YS]
    xs = [[0.5 if y else RNG.random(), float(y)] for y in ys]
    reading = Reading((Column("a", fill=0.5, gap="a was missing"),), None, "fill")
    rows = Dataset(xs, ys, reading.features, ("no", "yes"), "y", reading)
    [line] = giveaways(rows)
    assert line.startswith("'a' gives 'y' away by its gaps: looked up in half of the rows, it ")
    xs = [
        [*((0.0, 0.0) if y else ((0.0, 1.0), (1.0, 0.0))[RNG.randrange(2)]), float(y)] for y in ys
    ]
    column = Column("t", "text", texts=("u", "v", "(missing)"), gap="(missing)")
    reading = Reading((column,), None, "fill")
    [line] = giveaways(Dataset(xs, ys, reading.features, ("no", "yes"), "y", reading))
    assert line.startswith("'t' gives 'y' away")


def test_of_many_rows_some_are_looked_at():
    ys = [k // 5000 for k in range(10_000)]
    assert len(giveaways(rows_of(ys, ys))) == 1


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
